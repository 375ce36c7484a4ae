//! Fuzzing of the lexer, the parser and what runs the statements: no text makes any of them panic,
//! and every text comes to an end.
//!
//! `BOLERO_RANDOM_ITERATIONS=1000000 cargo test --release -p keyless-emulator fuzz` runs them for
//! longer.

use bolero::check;

use super::Sql;
use super::lexer::lex;
use super::login::administrator;
use super::parse::{parse, parse_parameters, parse_procedure};
use super::parse_ddl::to_text;
use crate::clock::Clock;
use crate::directory::Directory;

/// Words that scripts are made of; each byte of an input picks one.
const WORDS: &str = "SELECT|FROM|WHERE|dbo.T|T|a|b|*|,|(|)|=|+|-|/|%|;|1|0|-1|9223372036854775807|1.5e3\
    |N'x'|'2024-02-29'|''|0x0F|@v|@@ROWCOUNT|NULL|AS|AND|OR|NOT|IN|LIKE|BETWEEN|CASE|WHEN|THEN|ELSE|END\
    |BEGIN|IF|WHILE|BREAK|CONTINUE|WAITFOR|DELAY|TRY|CATCH|TRAN|COMMIT|ROLLBACK|SAVE|INSERT|INTO|VALUES|UPDATE|SET|DELETE|OUTPUT\
    |inserted.a|DECLARE|int|nvarchar(max)|decimal(9,2)|datetimeoffset|EXEC|sp_executesql|(N'SELECT 1')\
    |CREATE|ALTER|DROP|USER|ROLE|u|GRANT|DENY|REVOKE|ON|TO|SCHEMA::dbo|WITH|PASSWORD|SID|TYPE|E|ADD|MEMBER\
    |TABLE|VIEW|PROCEDURE|p|FUNCTION|RETURNS|RETURN|SECURITY|POLICY|FILTER|BLOCK|PREDICATE|dbo.f(a)\
    |ORDER|BY|GROUP|HAVING|TOP|OFFSET|ROWS|FETCH|UNION|ALL|OVER|JOIN|APPLY|c|CAST(|CONVERT(|ISNULL(\
    |REPLICATE(|DATEADD(day,|DATEDIFF(second,|STRING_AGG(|HAS_PERMS_BY_NAME(|sys.objects|sys.columns\
    |fn_my_permissions(NULL, 'DATABASE')|#t|PRINT|THROW|RAISERROR(|EXECUTE|USER|REVERT|--|/*|*/|[|]|\"|é";

fn words(input: &[u8]) -> String {
    let words: Vec<&str> = WORDS.split('|').map(str::trim).collect();
    let picked: Vec<&str> = input
        .iter()
        .map(|b| words[usize::from(*b) % words.len()])
        .collect();
    picked.join(" ")
}

/// How often a target runs when nobody asks for more.
pub(crate) fn iterations(default: usize) -> usize {
    let asked = std::env::var("BOLERO_RANDOM_ITERATIONS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// What holds for every text.
fn holds(text: &str) {
    let parsed = parse(text);
    let _ = parse_parameters(text);
    let _ = parse_procedure(text);
    let Ok(tokens) = lex(text) else {
        assert!(parsed.is_err(), "{text:?}");
        return;
    };
    assert!(tokens.windows(2).all(|pair| pair[0].start < pair[1].start));
    assert!(tokens.windows(2).all(|pair| pair[0].line <= pair[1].line));
    // What is written from tokens reads as the same tokens.
    let again = lex(&to_text(&tokens)).map(|tokens| to_text(&tokens));
    assert_eq!(again.as_ref(), Ok(&to_text(&tokens)), "{text:?}");
}

#[test]
fn bytes() {
    check!()
        .with_iterations(iterations(4_000))
        .for_each(|input: &[u8]| holds(&String::from_utf8_lossy(input)));
}

#[test]
fn scripts() {
    check!()
        .with_iterations(iterations(4_000))
        .for_each(|input: &[u8]| holds(&words(input)));
}

/// A server with one database and a table in it.
fn server() -> Sql {
    let clock = Clock::default();
    let directory = Directory::new(
        "11111111-1111-1111-1111-111111111111",
        clock.clone(),
        [7; 32],
    );
    let sql = Sql::new(directory, clock);
    sql.create_server("s", "admin", "Made-up-1");
    sql.create_database("s", "d");
    let script = "CREATE TABLE dbo.T (a int NULL, b nvarchar(50) NULL)\nGO\nINSERT INTO dbo.T VALUES (1, 'x')";
    sql.run_script("s", "d", script).unwrap();
    sql
}

#[test]
fn scripts_that_run() {
    let sql = server();
    let found = sql.server("s").unwrap();
    check!()
        .with_iterations(iterations(2_000))
        .for_each(|input: &[u8]| {
            let mut session = administrator(&found, "d").unwrap();
            let text = words(input);
            for text in [
                format!("SELECT {text}"),
                format!("DECLARE @v int = 1 {text}"),
            ] {
                session.run_now(&text);
                // Whatever it did, the session goes on.
                session.reset();
                let replies = session.run_now("SELECT 1");
                assert_eq!(replies.len(), 2, "{text}: {replies:?}");
            }
        });
}

/// Statements that work, to be spoilt.
const RIGHT: &[&str] = &[
    "WITH n ( x ) AS ( SELECT a FROM dbo.T ) SELECT TOP ( 1 ) x , COUNT ( * ) AS c FROM n AS m WITH ( NOLOCK ) WHERE x \
     IN ( SELECT a FROM T ) GROUP BY x HAVING COUNT ( * ) > 0 ORDER BY x DESC",
    "SELECT a , ROW_NUMBER ( ) OVER ( PARTITION BY b ORDER BY a ) FROM dbo.T t LEFT JOIN ( VALUES ( 1 , 2 ) ) AS v ( k , w ) \
     ON v . k = t . a ORDER BY 1 OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY",
    "SELECT STRING_AGG ( b , N',' ) WITHIN GROUP ( ORDER BY a ) , CASE WHEN a = 1 THEN b ELSE N'' END + CAST ( a AS nvarchar ( 10 ) ) , \
     CONVERT ( varchar ( 20 ) , a , 1 ) , a / 2 % 3 FROM T UNION ALL SELECT b , b , b , 1 FROM T",
    "INSERT INTO dbo.T ( a , b ) OUTPUT inserted . a VALUES ( 1 , N'x' ) , ( 2 , NULL )",
    "UPDATE dbo.T SET a += 1 , b = N'y' OUTPUT inserted . b WHERE a = 1",
    "DELETE FROM dbo.T OUTPUT deleted . a WHERE b LIKE N'%[a-c]_' ESCAPE N'!'",
    "DECLARE @v int = 1 , @w nvarchar ( max ) ; WHILE @v < 5 BEGIN SET @v += 1 ; IF @v = 3 BREAK ELSE CONTINUE END",
    "BEGIN TRY BEGIN TRAN t ; SAVE TRAN s ; ROLLBACK TRAN s ; COMMIT END TRY BEGIN CATCH THROW 50001 , N'x' , 1 END CATCH",
    "CREATE TABLE dbo.N ( Id int IDENTITY ( 1 , 1 ) PRIMARY KEY , c decimal ( 9 , 2 ) NOT NULL DEFAULT ( 0 ) , CHECK ( c > 0 ) )",
    "CREATE USER u WITH PASSWORD = 'Made-up-2' , DEFAULT_SCHEMA = dbo",
    "CREATE USER e WITH SID = 0x00112233445566778899AABBCCDDEEFF , TYPE = E",
    "GRANT SELECT , UPDATE ( a ) ON OBJECT :: dbo . T ( a , b ) TO public WITH GRANT OPTION",
    "REVOKE GRANT OPTION FOR SELECT ON SCHEMA :: dbo FROM public CASCADE",
    "CREATE FUNCTION dbo.f ( @a int ) RETURNS TABLE WITH SCHEMABINDING AS RETURN ( SELECT 1 AS ok WHERE @a = 1 )",
    "CREATE SECURITY POLICY p ADD FILTER PREDICATE dbo . f ( a ) ON dbo . T , ADD BLOCK PREDICATE dbo . f ( a ) ON dbo . T AFTER INSERT WITH ( STATE = ON )",
    "ALTER SECURITY POLICY p DROP FILTER PREDICATE ON dbo . T WITH ( STATE = OFF )",
    "CREATE PROCEDURE q @a int = 1 , @b int OUTPUT AS SET @b = @a ; RETURN 3",
    "EXEC sp_executesql N'SELECT @a' , N'@a int' , @a = 1",
    "EXEC sp_set_session_context @key = N'k' , @value = N'v' , @read_only = 1",
    "EXECUTE AS USER = N'u' ; SELECT * FROM fn_my_permissions ( N'dbo.T' , N'OBJECT' ) ; REVERT",
    "CREATE VIEW dbo.V AS SELECT a , b FROM dbo.T WHERE a = 1",
    "RAISERROR ( N'%s' , 16 , 1 , N'x' )",
    "SELECT DATEADD ( day , 1 , '2024-02-29' ) , DATEDIFF ( week , '0001-01-01' , '9999-12-31' ) , SUBSTRING ( b , 0 , 9 ) FROM T",
];

/// A right statement with some of its words gone, doubled, moved or changed.
fn spoilt(input: &[u8]) -> String {
    let (first, edits) = input.split_first().unwrap_or((&0, &[]));
    let mut words: Vec<&str> = RIGHT[usize::from(*first) % RIGHT.len()]
        .split_whitespace()
        .collect();
    let all: Vec<&str> = RIGHT
        .iter()
        .flat_map(|text| text.split_whitespace())
        .collect();
    for edit in edits.chunks_exact(3).take(6) {
        let count = words.len();
        let at = usize::from(edit[1]) % count;
        let other = usize::from(edit[2]);
        match edit[0] % 4 {
            0 if count > 1 => drop(words.remove(at)),
            1 => words.insert(at, words[at]),
            2 => words.swap(at, other % count),
            _ => words[at] = all[(other * 7 + at) % all.len()],
        }
    }
    words.join(" ")
}

#[test]
fn spoilt_statements_that_run() {
    let sql = server();
    let found = sql.server("s").unwrap();
    check!()
        .with_iterations(iterations(3_000))
        .for_each(|input: &[u8]| {
            let text = spoilt(input);
            holds(&text);
            let mut session = administrator(&found, "d").unwrap();
            session.run_now("BEGIN TRAN");
            session.run_now(&text);
            session.reset();
        });
}

#[test]
fn the_statements_to_be_spoilt_are_right() {
    let sql = server();
    let mut session = administrator(&sql.server("s").unwrap(), "d").unwrap();
    for text in RIGHT {
        for reply in session.run_now(text) {
            match reply {
                super::Reply::Error(error) if error.number < 50_000 => panic!("{text}: {error}"),
                _ => {}
            }
        }
    }
}

#[test]
fn what_has_no_end_is_broken_off() {
    let sql = server();
    let mut session = administrator(&sql.server("s").unwrap(), "d").unwrap();
    let number = |replies: &[super::Reply]| match replies.last() {
        Some(super::Reply::Error(error)) => error.number,
        other => panic!("{other:?}"),
    };
    let deep = format!("SELECT {}1{}", "(".repeat(50_000), ")".repeat(50_000));
    assert_eq!(number(&session.run_now(&deep)), 191);
    let cases = "CASE WHEN 1 = 1 THEN ".repeat(30) + "1" + &" END".repeat(30);
    assert_eq!(number(&session.run_now(&format!("SELECT {cases}"))), 125);
    let endless = "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    assert!(matches!(number(&session.run_now(endless)), 701 | 8649));
    assert_eq!(
        number(&session.run_now("WHILE 1 = 1 WHILE 1 = 1 DECLARE @x int")),
        50000
    );
}
