//! What other clients have taught: each of these tripped one of those in `tests/clients/tds`.

use std::time::Duration;

use super::{Bed, batch, code, error, int, rows, run, texts};

#[tokio::test]
async fn a_row_filter_holds_for_queries_views_and_changes() {
    let bed = Bed::new().await;
    bed.script(
        "orders",
        "CREATE USER app WITH PASSWORD = 'Made-up-1'; ALTER ROLE db_datareader ADD MEMBER app;
         ALTER ROLE db_datawriter ADD MEMBER app;
         GO
         CREATE VIEW dbo.Paid AS SELECT Id, Customer FROM dbo.Orders WHERE Paid = 1
         GO
         CREATE FUNCTION dbo.mine(@customer nvarchar(100)) RETURNS TABLE WITH SCHEMABINDING AS
         RETURN SELECT 1 AS ok WHERE @customer = SESSION_CONTEXT(N'who') OR IS_MEMBER('db_owner') = 1
         GO
         CREATE SECURITY POLICY dbo.own ADD FILTER PREDICATE dbo.mine(Customer) ON dbo.Orders,
            ADD BLOCK PREDICATE dbo.mine(Customer) ON dbo.Orders AFTER INSERT",
    );
    let mut app = bed.password("app", "Made-up-1").await.unwrap();
    assert_eq!(
        int(&mut app, "SELECT COUNT(*) FROM dbo.Orders").await,
        Some(0)
    );
    run(&mut app, "EXEC sp_set_session_context N'who', N'Tailspin'").await;
    assert_eq!(
        texts(&mut app, "SELECT Customer FROM dbo.Orders").await,
        ["Tailspin"]
    );
    assert_eq!(
        int(&mut app, "SELECT COUNT(*) FROM dbo.Paid").await,
        Some(0)
    );
    run(&mut app, "UPDATE dbo.Orders SET Paid = 1").await;
    run(
        &mut app,
        "DELETE FROM dbo.Orders WHERE Customer = N'Fabrikam'",
    )
    .await;
    let stranger = "INSERT INTO dbo.Orders (Customer) VALUES (N'Contoso')";
    assert_eq!(error(&mut app, stranger).await, 33504);
    run(
        &mut app,
        "INSERT INTO dbo.Orders (Customer) VALUES (N'Tailspin')",
    )
    .await;
    let mut admin = bed.admin("orders").await;
    let all = "SELECT Customer FROM dbo.Orders ORDER BY Id";
    assert_eq!(
        texts(&mut admin, all).await,
        ["Fabrikam", "Tailspin", "Tailspin"]
    );
    run(
        &mut admin,
        "BEGIN TRAN; ALTER SECURITY POLICY dbo.own WITH (STATE = OFF); ROLLBACK",
    )
    .await;
    assert_eq!(texts(&mut app, all).await, ["Tailspin", "Tailspin"]);
    run(&mut admin, "DROP SECURITY POLICY dbo.own").await;
    assert_eq!(texts(&mut app, all).await.len(), 3);
}

#[tokio::test]
async fn a_savepoint_takes_back_what_came_after_it() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    let script = "BEGIN TRAN; CREATE ROLE a; SAVE TRAN half; CREATE ROLE b; DELETE FROM dbo.Orders;
                  ROLLBACK TRAN half; COMMIT";
    run(&mut admin, script).await;
    assert_eq!(
        int(&mut admin, "SELECT DATABASE_PRINCIPAL_ID('b')").await,
        None
    );
    assert!(
        int(&mut admin, "SELECT DATABASE_PRINCIPAL_ID('a')")
            .await
            .is_some()
    );
    assert_eq!(
        int(&mut admin, "SELECT COUNT(*) FROM dbo.Orders").await,
        Some(2)
    );
    assert_eq!(error(&mut admin, "SAVE TRAN outside").await, 628);
    assert_eq!(
        error(&mut admin, "BEGIN TRAN; ROLLBACK TRAN nowhere").await,
        6401
    );
}

#[tokio::test]
async fn errors_know_their_line_and_procedure() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    for (text, line) in [
        ("SELECT 1\n\nDROP USER x", 3),
        ("SELECT 1\nSELECT )", 2),
        ("SELECT 1\nWAITFOR DELAY @none", 2),
    ] {
        match batch(&mut admin, text).await.unwrap_err() {
            tiberius::error::Error::Server(token) => assert_eq!(token.line(), line, "{text}"),
            other => panic!("{other}"),
        }
    }
    bed.script("orders", "CREATE PROCEDURE dbo.fails AS\nDROP USER x");
    match batch(&mut admin, "EXEC dbo.fails").await.unwrap_err() {
        tiberius::error::Error::Server(token) => {
            assert_eq!((token.procedure(), token.line()), ("fails", 2));
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn division_use_and_assignment_are_the_services() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    assert_eq!(error(&mut admin, "SELECT 1 / 0").await, 8134);
    assert_eq!(error(&mut admin, "SELECT 5 % (2 - 2)").await, 8134);
    assert_eq!(
        int(&mut admin, "SELECT AVG(Id) FROM dbo.Orders").await,
        Some(1)
    );
    let script = "DECLARE @n int = 0, @sum int = 0;
                  WHILE 1 = 1 BEGIN SET @n += 1; IF @n = 2 CONTINUE; IF @n > 4 BREAK; SET @sum += @n END
                  SELECT @sum";
    assert_eq!(int(&mut admin, script).await, Some(1 + 3 + 4));
    run(&mut admin, "USE orders").await;
    assert_eq!(error(&mut admin, "USE master").await, 40508);
    assert_eq!(
        int(&mut admin, "DECLARE @n int = 7; SET @n -= 2 + 1; SELECT @n").await,
        Some(4)
    );
    let script = "CREATE TABLE #t (Id int IDENTITY(1,1), Name sysname); INSERT #t (Name) VALUES ('a'), ('b');
                  SELECT CAST(SCOPE_IDENTITY() AS int), Id FROM #t WHERE Name = 'b'";
    assert_eq!(int(&mut admin, script).await, Some(2));
}

#[tokio::test]
async fn columns_may_stand_behind_the_object() {
    let bed = Bed::new().await;
    bed.script(
        "orders",
        "CREATE USER app WITH PASSWORD = 'Made-up-1'; GRANT SELECT ON dbo.Orders (Id, Customer) TO app",
    );
    let mut app = bed.password("app", "Made-up-1").await.unwrap();
    assert_eq!(rows(&mut app, "SELECT Id FROM dbo.Orders").await.len(), 2);
    assert_eq!(error(&mut app, "SELECT Total FROM dbo.Orders").await, 230);
}

#[tokio::test]
async fn a_batch_goes_on_after_it_has_waited() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    let script = "DECLARE @n int = 3; WAITFOR DELAY '00:00:00.001'; SELECT @n";
    assert_eq!(int(&mut admin, script).await, Some(3));
    assert_eq!(error(&mut admin, "WAITFOR DELAY 'soon'").await, 148);
    assert_eq!(
        error(&mut admin, "IF 1 = 1 WAITFOR DELAY '00:00:01'").await,
        40514
    );
}

#[tokio::test]
async fn a_connection_that_goes_while_it_waits_gives_its_turn_away() {
    let bed = Bed::new().await;
    let mut first = bed.admin("orders").await;
    let waiting = "BEGIN TRAN; CREATE ROLE a; WAITFOR DELAY '01:00:00'";
    // The first answer never comes; the connection is dropped in the middle.
    let answer = tokio::time::timeout(Duration::from_millis(50), batch(&mut first, waiting)).await;
    assert!(answer.is_err());
    drop(first);
    let mut second = bed.admin("orders").await;
    let left = "CREATE ROLE b; SELECT DATABASE_PRINCIPAL_ID('a')";
    assert_eq!(int(&mut second, left).await, None);
    assert_eq!(code(batch(&mut second, "CREATE ROLE b").await), 15023);
}

#[tokio::test]
async fn a_session_becomes_an_application_role_and_back() {
    let bed = Bed::new().await;
    bed.script(
        "orders",
        "CREATE USER app WITH PASSWORD = 'Made-up-1'; CREATE APPLICATION ROLE reports WITH PASSWORD = 'Made-up-2';
         GRANT SELECT ON dbo.Orders TO reports",
    );
    let mut app = bed.password("app", "Made-up-1").await.unwrap();
    assert_eq!(
        error(&mut app, "EXEC sp_setapprole 'reports', 'wrong'").await,
        15161
    );
    assert_eq!(error(&mut app, "SELECT Id FROM dbo.Orders").await, 229);
    let script = "DECLARE @cookie varbinary(8000);
                  EXEC sp_setapprole 'reports', 'Made-up-2', @fCreateCookie = true, @cookie = @cookie OUTPUT;
                  SELECT USER_NAME(), (SELECT COUNT(*) FROM dbo.Orders);
                  EXEC sp_unsetapprole @cookie;";
    assert_eq!(texts(&mut app, script).await, ["reports"]);
    assert_eq!(texts(&mut app, "SELECT USER_NAME()").await, ["app"]);
    run(&mut app, "EXEC sp_setapprole 'reports', 'Made-up-2'").await;
    assert_eq!(
        int(&mut app, "SELECT COUNT(*) FROM dbo.Orders").await,
        Some(2)
    );
    assert_eq!(error(&mut app, "EXEC sp_unsetapprole 0x00").await, 15592);
    let mut admin = bed.admin("orders").await;
    let shown = "SELECT type FROM sys.database_principals WHERE name = 'reports'";
    assert_eq!(texts(&mut admin, shown).await, ["A"]);
    assert_eq!(error(&mut admin, "DROP USER reports").await, 15151);
    run(
        &mut admin,
        "ALTER APPLICATION ROLE reports WITH NAME = figures; DROP APPLICATION ROLE figures",
    )
    .await;
    assert_eq!(
        error(&mut app, "DROP APPLICATION ROLE figures").await,
        15247
    );
}

#[tokio::test]
async fn a_where_with_nothing_behind_it_touches_no_row() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    for text in [
        "DELETE FROM dbo.Orders WHERE",
        "UPDATE dbo.Orders SET Customer = N'x' WHERE",
    ] {
        assert_eq!(error(&mut admin, text).await, 102, "{text}");
    }
    let left = "SELECT COUNT(*) FROM dbo.Orders WHERE Customer <> N'x'";
    assert_eq!(int(&mut admin, left).await, Some(2));
}

#[tokio::test]
async fn what_a_policy_is_bound_to_stays_as_it_is() {
    let bed = Bed::new().await;
    let function =
        "FUNCTION dbo.mine(@id int) RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT 1 AS ok";
    bed.script("orders", &format!("CREATE {function}"));
    bed.script(
        "orders",
        "CREATE SECURITY POLICY dbo.own ADD FILTER PREDICATE dbo.mine(Id) ON dbo.Orders WITH (STATE = OFF)",
    );
    let mut admin = bed.admin("orders").await;
    for text in ["DROP TABLE dbo.Orders", "DROP FUNCTION dbo.mine"] {
        assert_eq!(error(&mut admin, text).await, 3729, "{text}");
    }
    assert_eq!(error(&mut admin, &format!("ALTER {function}")).await, 3729);
    run(&mut admin, "DROP SECURITY POLICY dbo.own").await;
    run(&mut admin, &format!("ALTER {function}")).await;
    run(&mut admin, "DROP FUNCTION dbo.mine").await;
}

#[tokio::test]
async fn a_table_that_numbers_its_rows_keeps_its_other_words() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    let script = "CREATE TABLE dbo.Words (Id int IDENTITY(1,1), Code int PRIMARY KEY, Word nvarchar(20) DEFAULT N'PRIMARY KEY');
                  INSERT INTO dbo.Words (Code) VALUES (5); SELECT Word FROM dbo.Words WHERE Id = 1";
    assert_eq!(texts(&mut admin, script).await, ["PRIMARY KEY"]);
    let again = "INSERT INTO dbo.Words (Code) VALUES (5)";
    assert_eq!(error(&mut admin, again).await, 2627);
    run(
        &mut admin,
        "CREATE TABLE #t (Id int IDENTITY(1,1)); DROP TABLE #t",
    )
    .await;
    let script =
        "CREATE TABLE #t (Id int); INSERT #t VALUES (50); SELECT CAST(SCOPE_IDENTITY() AS int)";
    assert_eq!(int(&mut admin, script).await, Some(1));
}

#[tokio::test]
async fn times_are_as_long_as_their_fraction() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    run(
        &mut admin,
        "CREATE TABLE dbo.Times (a datetime2(0), b datetime2, c datetimeoffset(3), d time(0))",
    )
    .await;
    let shown = "SELECT CONCAT(max_length, ' ', precision, ' ', scale) FROM sys.columns
                 WHERE object_id = OBJECT_ID('dbo.Times') ORDER BY column_id";
    let wanted = ["6 19 0", "8 27 7", "9 30 3", "3 8 0"];
    assert_eq!(texts(&mut admin, shown).await, wanted);
}

#[tokio::test]
async fn a_change_of_a_policy_that_fails_changes_nothing() {
    let bed = Bed::new().await;
    bed.script(
        "orders",
        "CREATE FUNCTION dbo.none(@id int) RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT 1 AS ok WHERE @id < 0
         GO
         CREATE SECURITY POLICY dbo.own ADD FILTER PREDICATE dbo.none(Id) ON dbo.Orders",
    );
    let mut admin = bed.admin("orders").await;
    let count = "SELECT COUNT(*) FROM dbo.Orders";
    let missing = "ADD FILTER PREDICATE dbo.missing(Id) ON dbo.Orders";
    for text in [
        "ALTER SECURITY POLICY dbo.own",
        "CREATE SECURITY POLICY dbo.other",
    ] {
        assert_eq!(
            error(&mut admin, &format!("{text} {missing}")).await,
            4512,
            "{text}"
        );
        assert_eq!(int(&mut admin, count).await, Some(0), "{text}");
    }
    run(
        &mut admin,
        "ALTER SECURITY POLICY dbo.own WITH (STATE = OFF)",
    )
    .await;
    assert_eq!(int(&mut admin, count).await, Some(2));
    assert_eq!(
        error(&mut admin, "DROP SECURITY POLICY dbo.other").await,
        3701
    );
}
