//! What a T-SQL statement of a resolver needs: which verbs are in it, and in which schemas the
//! things are that it names.
//!
//! A guess for a first manifest, not a parser: a person checks it, and the grants of an Access are
//! proven before anything switches. Comments and strings are never taken for code.

use std::collections::{BTreeMap, BTreeSet};

/// What statements do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Statement {
    pub reads: bool,
    pub writes: bool,
    pub executes: bool,
    /// In lower case to the spelling that came first.
    pub schemas: BTreeMap<String, String>,
    /// It runs SQL that is put together elsewhere, or needs more than a role gives.
    pub unclear: bool,
}

impl Statement {
    /// Takes in one more statement.
    pub fn add(&mut self, text: &str) {
        let tokens = tokens(text);
        let named = common_tables(&tokens);
        for (at, token) in tokens.iter().enumerate() {
            let Token::Word(word) = token else { continue };
            let word = word.to_uppercase();
            self.verb(&word);
            if AFTER.contains(&word.as_str()) {
                self.object(&word, &tokens[at + 1..], &named);
            }
        }
    }

    fn verb(&mut self, word: &str) {
        match word {
            "SELECT" => self.reads = true,
            "INSERT" | "UPDATE" | "DELETE" | "MERGE" => self.writes = true,
            // It needs ALTER on the table.
            "TRUNCATE" => (self.writes, self.unclear) = (true, true),
            _ => {}
        }
    }

    /// The object that is named after a keyword.
    fn object(&mut self, keyword: &str, rest: &[Token], named: &BTreeSet<String>) {
        let runs = keyword.starts_with("EXEC");
        let rest = match rest {
            // EXEC @result = procedure
            [Token::Word(_), Token::Other('='), rest @ ..] if runs => rest,
            rest => rest,
        };
        let (parts, next) = name(rest);
        let system = |p: &str| p.to_lowercase().starts_with("sp_") || p.starts_with('@');
        match &parts[..] {
            [] => self.unclear |= runs,
            [one] if runs && system(one) => self.unclear = true,
            [one] => {
                self.executes |= runs;
                let is_call = next == Some(&Token::Other('(')) && ROWS.contains(&keyword);
                let target = matches!(keyword, "UPDATE" | "DELETE");
                let temporary = one.starts_with(['@', '#']);
                let known = named.contains(&one.to_lowercase());
                if !(is_call || target || temporary || known) {
                    self.schema("dbo");
                }
            }
            [.., schema, _] => {
                self.executes |= runs;
                // `database..object` is in the user's own schema.
                self.schema(if schema.is_empty() { "dbo" } else { schema });
            }
        }
    }

    fn schema(&mut self, name: &str) {
        let key = name.to_lowercase();
        if !matches!(key.as_str(), "sys" | "information_schema") {
            self.schemas.entry(key).or_insert_with(|| name.to_owned());
        }
    }
}

/// Keywords that the name of an object follows.
const AFTER: [&str; 11] = [
    "FROM", "JOIN", "APPLY", "INTO", "USING", "INSERT", "UPDATE", "DELETE", "MERGE", "EXEC",
    "EXECUTE",
];

/// Those of them after which a function without a schema is one of the server's own.
const ROWS: [&str; 4] = ["FROM", "JOIN", "APPLY", "USING"];

/// Words that can stand where a name is expected.
const NO_NAME: [&str; 6] = ["FROM", "INTO", "TOP", "SELECT", "SET", "AS"];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// In brackets or quotes: never a keyword.
    Quoted(String),
    Other(char),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            _ if rest.starts_with("--") => rest.find('\n').map_or("", |end| &rest[end..]),
            _ if rest.starts_with("/*") => rest.find("*/").map_or("", |end| &rest[end + 2..]),
            '\'' => after.find('\'').map_or("", |end| &after[end + 1..]),
            '[' | '"' => {
                let close = if first == '[' { ']' } else { '"' };
                let end = after.find(close).unwrap_or(after.len());
                out.push(Token::Quoted(after[..end].to_owned()));
                after.get(end + 1..).unwrap_or("")
            }
            c if is_word(c) => {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                out.push(Token::Word(rest[..end].to_owned()));
                &rest[end..]
            }
            c => {
                if !c.is_whitespace() {
                    out.push(Token::Other(c));
                }
                after
            }
        };
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "_@#$".contains(c)
}

/// The parts of the name at the start, and what follows it.
fn name(tokens: &[Token]) -> (Vec<String>, Option<&Token>) {
    let mut parts: Vec<String> = Vec::new();
    let mut dot = true;
    for token in tokens {
        match token {
            Token::Word(word) if parts.is_empty() && NO_NAME.contains(&&*word.to_uppercase()) => {
                return (parts, Some(token));
            }
            Token::Word(word) | Token::Quoted(word) if dot => {
                parts.push(word.clone());
                dot = false;
            }
            Token::Other('.') if parts.is_empty() => return (parts, Some(token)),
            Token::Other('.') => {
                if dot {
                    parts.push(String::new());
                }
                dot = true;
            }
            _ => return (parts, Some(token)),
        }
    }
    (parts, None)
}

/// The names that `WITH name AS (…)` gives, in lower case.
fn common_tables(tokens: &[Token]) -> BTreeSet<String> {
    let named = |w: &[Token]| match w {
        [
            Token::Word(name) | Token::Quoted(name),
            Token::Word(word),
            Token::Other('('),
        ] => word.eq_ignore_ascii_case("AS").then(|| name.to_lowercase()),
        _ => None,
    };
    tokens.windows(3).filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verbs as letters, the schemas, and `?` when it is unclear.
    fn told(text: &str) -> String {
        let mut one = Statement::default();
        one.add(text);
        let schemas: Vec<_> = one.schemas.values().map(String::as_str).collect();
        let mark = |is, letter| if is { letter } else { "" };
        format!(
            "{}{}{}{} {}",
            mark(one.reads, "r"),
            mark(one.writes, "w"),
            mark(one.executes, "x"),
            mark(one.unclear, "?"),
            schemas.join(",")
        )
    }

    #[test]
    fn verbs_and_schemas_are_told() {
        for (text, wanted) in [
            ("SELECT id FROM dbo.Orders o WHERE o.id = @id", "r dbo"),
            (
                "select * from [Sales].[Orders] join sales.Lines l on 1=1",
                "r Sales",
            ),
            ("SELECT * FROM Orders", "r dbo"),
            (
                "UPDATE dbo.C SET n = @n WHERE id = 1; SELECT n FROM dbo.C",
                "rw dbo",
            ),
            ("UPDATE o SET x = 1 FROM sales.Orders o", "w sales"),
            ("INSERT INTO Orders (id) VALUES (1)", "w dbo"),
            ("DELETE TOP (5) FROM \"a\".\"b\"", "w a"),
            ("EXEC api.GetOrder @id", "x api"),
            ("EXECUTE @rc = api.GetOrder @id", "x api"),
            ("SELECT * FROM other..T", "r dbo"),
            ("SELECT * FROM db.sales.T", "r sales"),
        ] {
            assert_eq!(told(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_table_has_no_schema() {
        for (text, wanted) in [
            ("WITH x AS (SELECT 1 AS a) SELECT a FROM x", "r "),
            ("SELECT * FROM OPENJSON(@j)", "r "),
            ("SELECT * FROM #t JOIN @v ON 1=1", "r "),
            ("SELECT * FROM sys.tables", "r "),
            ("SELECT * FROM (SELECT 1 AS a) q", "r "),
        ] {
            assert_eq!(told(text), wanted, "{text}");
        }
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        let text = "-- DELETE FROM a.b\nSELECT 'it''s; EXEC x.y' /* INSERT z.t */ FROM dbo.T";
        assert_eq!(told(text), "r dbo");
    }

    #[test]
    fn sql_that_is_made_elsewhere_is_unclear() {
        for text in ["EXEC (@sql)", "EXEC sp_executesql @sql", "EXEC @procedure"] {
            assert_eq!(told(text), "? ", "{text}");
        }
        assert_eq!(told("TRUNCATE TABLE dbo.T"), "w? ");
    }
}
