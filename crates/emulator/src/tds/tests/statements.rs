//! Statements: transactions, errors, parameters, types.

use tiberius::ColumnData;

use super::{Bed, batch, code, error, int, rows, run, texts};

const READERS: &str = "SELECT COUNT(*) FROM sys.database_permissions WHERE class = 3";

#[tokio::test]
async fn a_rollback_undoes_a_grant_and_the_rows_with_it() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    run(&mut admin, "BEGIN TRANSACTION").await;
    run(
        &mut admin,
        "CREATE ROLE r; GRANT SELECT ON SCHEMA::dbo TO r; DELETE FROM dbo.Orders",
    )
    .await;
    assert_eq!(int(&mut admin, READERS).await, Some(1));
    run(&mut admin, "ROLLBACK").await;
    assert_eq!(int(&mut admin, READERS).await, Some(0));
    assert_eq!(
        int(&mut admin, "SELECT DATABASE_PRINCIPAL_ID('r')").await,
        None
    );
    assert_eq!(
        int(&mut admin, "SELECT COUNT(*) FROM dbo.Orders").await,
        Some(2)
    );
}

#[tokio::test]
async fn a_connection_that_goes_takes_its_transaction_along() {
    let bed = Bed::new().await;
    let mut first = bed.admin("orders").await;
    run(&mut first, "BEGIN TRAN; CREATE ROLE r").await;
    drop(first);
    let mut second = bed.admin("orders").await;
    assert_eq!(
        int(&mut second, "SELECT DATABASE_PRINCIPAL_ID('r')").await,
        None
    );
}

#[tokio::test]
async fn an_error_ends_its_statement_and_with_xact_abort_everything() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    let script = "BEGIN TRAN; CREATE ROLE a; CREATE ROLE a; CREATE ROLE b; COMMIT";
    assert_eq!(error(&mut admin, script).await, 15023);
    assert_eq!(texts(&mut admin, "SELECT name FROM sys.database_principals WHERE type = 'R' AND principal_id BETWEEN 5 AND 99").await, ["a", "b"]);
    let script =
        "SET XACT_ABORT ON; BEGIN TRAN; CREATE ROLE c; CREATE ROLE c; CREATE ROLE d; COMMIT";
    assert_eq!(error(&mut admin, script).await, 15023);
    assert_eq!(
        int(&mut admin, "SELECT DATABASE_PRINCIPAL_ID('c')").await,
        None
    );
    assert_eq!(int(&mut admin, "SELECT @@TRANCOUNT").await, Some(0));
}

#[tokio::test]
async fn a_handler_takes_the_error_and_throws_it_on() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    let script = "BEGIN TRY BEGIN TRAN; CREATE ROLE a; DROP USER nobody; COMMIT; END TRY
                  BEGIN CATCH IF @@TRANCOUNT > 0 ROLLBACK; SELECT ERROR_NUMBER(); END CATCH";
    assert_eq!(int(&mut admin, script).await, Some(15151));
    assert_eq!(
        int(&mut admin, "SELECT DATABASE_PRINCIPAL_ID('a')").await,
        None
    );
    let script = "BEGIN TRY DROP USER nobody; END TRY BEGIN CATCH THROW; END CATCH";
    assert_eq!(error(&mut admin, script).await, 15151);
    assert_eq!(error(&mut admin, "THROW 50123, 'no', 1").await, 50123);
}

#[tokio::test]
async fn the_numbers_of_errors_are_the_services() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    run(
        &mut admin,
        "CREATE USER u WITHOUT LOGIN; CREATE ROLE r; ALTER ROLE r ADD MEMBER u; ALTER AUTHORIZATION ON SCHEMA::sales TO u;
         CREATE ROLE owned AUTHORIZATION r",
    )
    .await;
    for (text, number) in [
        ("CREATE USER u WITHOUT LOGIN", 15023),
        ("CREATE ROLE u", 15023),
        ("CREATE USER v FOR LOGIN nobody", 15007),
        ("DROP USER v", 15151),
        ("DROP USER IF EXISTS v; DROP USER w", 15151),
        ("DROP USER dbo", 15150),
        ("DROP USER u", 15138),
        ("DROP ROLE r", 15144),
        ("ALTER ROLE r DROP MEMBER u; DROP ROLE r", 15421),
        ("ALTER ROLE r ADD MEMBER nobody", 15151),
        ("ALTER ROLE nothing ADD MEMBER u", 15151),
        ("GRANT SELECT ON SCHEMA::nowhere TO u", 15151),
        ("GRANT SELECT ON dbo.nothing TO u", 15151),
        ("GRANT SELECT TO nobody", 15151),
        ("GRANT SELECT TO dbo", 4624),
        ("GRANT SELECT TO db_owner", 4617),
        ("GRANT CONNECT ON SCHEMA::dbo TO u", 4606),
        ("GRANT FLY TO u", 102),
        ("CREATE SCHEMA sales", 2714),
        ("DROP SCHEMA dbo", 15151),
        ("CREATE TABLE dbo.Orders (a int)", 2714),
        ("SELECT * FROM dbo.nothing", 208),
        ("SELECT nothing FROM dbo.Orders", 207),
        ("SELECT @nothing", 137),
        ("SELEC 1", 2812),
        ("SELECT * FROM other.dbo.Orders", 40515),
        ("USE master", 40508),
        ("CREATE LOGIN x WITH PASSWORD = 'Pa55-word!'", 5001),
        ("EXECUTE AS USER = 'nobody'", 15517),
        ("COMMIT", 3902),
        ("ROLLBACK", 3903),
        ("SELECT CAST('x' AS int)", 245),
    ] {
        assert_eq!(error(&mut admin, text).await, number, "{text}");
    }
    let mut master = bed.admin("master").await;
    for (text, number) in [
        (
            "SELECT 1; CREATE LOGIN x WITH PASSWORD = 'Pa55-word!'",
            40530,
        ),
        ("ALTER LOGIN x DISABLE", 15151),
        ("DROP LOGIN sqladmin", 15151),
        ("CREATE LOGIN sqladmin WITH PASSWORD = 'Pa55-word!'", 15025),
    ] {
        assert_eq!(error(&mut master, text).await, number, "{text}");
    }
}

#[tokio::test]
async fn revoking_an_option_needs_cascade_and_takes_what_was_passed_on() {
    let bed = Bed::new().await;
    bed.script(
        "orders",
        "CREATE USER a WITHOUT LOGIN; CREATE USER b WITHOUT LOGIN; GRANT SELECT ON SCHEMA::dbo TO a WITH GRANT OPTION",
    );
    let mut admin = bed.admin("orders").await;
    run(
        &mut admin,
        "EXECUTE AS USER = 'a'; GRANT SELECT ON SCHEMA::dbo TO b; REVERT",
    )
    .await;
    assert_eq!(int(&mut admin, READERS).await, Some(2));
    assert_eq!(
        error(&mut admin, "REVOKE SELECT ON SCHEMA::dbo FROM a").await,
        4611
    );
    assert_eq!(error(&mut admin, "DROP USER a").await, 15284);
    run(&mut admin, "REVOKE SELECT ON SCHEMA::dbo FROM a CASCADE").await;
    assert_eq!(int(&mut admin, READERS).await, Some(0));
}

#[tokio::test]
async fn parameters_of_every_kind_arrive() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    let row = admin
        .query(
            "SELECT @P1, @P2, @P3, @P4, @P5, @P6, @P7",
            &[
                &"naïve 'text'",
                &42_i32,
                &5_000_000_000_i64,
                &true,
                &vec![1_u8, 255],
                &2.5_f64,
                &Option::<&str>::None,
            ],
        )
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.get::<&str, _>(0), Some("naïve 'text'"));
    assert_eq!(row.get::<i32, _>(1), Some(42));
    assert_eq!(row.get::<i64, _>(2), Some(5_000_000_000));
    assert_eq!(row.get::<bool, _>(3), Some(true));
    assert_eq!(row.get::<&[u8], _>(4), Some(&[1_u8, 255][..]));
    assert_eq!(row.get::<f64, _>(5), Some(2.5));
    assert_eq!(row.get::<&str, _>(6), None);
    let changed = admin
        .execute(
            "UPDATE dbo.Orders SET Paid = @P1, Customer = Customer + N'!' WHERE Customer = @P2",
            &[&true, &"TAILSPIN"],
        )
        .await
        .unwrap();
    assert_eq!(changed.total(), 1);
    assert_eq!(
        texts(&mut admin, "SELECT Customer FROM dbo.Orders WHERE Id = 2").await,
        ["Tailspin!"]
    );
    let wrong = admin
        .query("SELECT * FROM dbo.nothing WHERE a = @P1", &[&1])
        .await;
    let failed = match wrong {
        Ok(stream) => stream.into_results().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert_eq!(code(failed), 208);
}

#[tokio::test]
async fn rows_keep_the_types_of_their_columns() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    let found = rows(
        &mut admin,
        "INSERT INTO dbo.Orders (Customer, Total) OUTPUT inserted.Id, inserted.Customer, inserted.Total, inserted.Paid
         VALUES (N'Wingtip', 3.25)",
    )
    .await;
    assert_eq!(found[0].get::<i32, _>("Id"), Some(3));
    assert_eq!(found[0].get::<&str, _>("Customer"), Some("Wingtip"));
    let total = found[0]
        .get::<tiberius::numeric::Numeric, _>("Total")
        .unwrap();
    assert_eq!((total.value(), total.scale()), (325, 2));
    assert_eq!(found[0].get::<bool, _>("Paid"), Some(false));
    let made = rows(&mut admin, "SELECT TOP (1) create_date, N'é' + name AS n, GETUTCDATE() FROM sys.database_principals WHERE name = 'dbo'").await;
    let is_date = |at: usize| {
        matches!(
            made[0].get::<ColumnData<'_>, _>(at),
            Some(ColumnData::DateTime(Some(_)))
        )
    };
    assert!(is_date(0));
    assert_eq!(made[0].get::<&str, _>("n"), Some("édbo"));
    assert!(is_date(2));
}

#[tokio::test]
async fn an_aggregate_keeps_the_type_of_its_column() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    let found = rows(
        &mut admin,
        "SELECT MAX(Customer), SUM(Total), MAX(o.Id), MAX(create_date)
         FROM dbo.Orders o, sys.schemas s, sys.database_principals p WHERE o.Id > 99",
    )
    .await;
    assert_eq!(found[0].get::<&str, _>(0), None);
    assert_eq!(found[0].get::<tiberius::numeric::Numeric, _>(1), None);
    assert_eq!(found[0].get::<i32, _>(2), None);
}

#[tokio::test]
async fn a_string_that_may_be_a_password_is_not_in_the_error() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    let refused = batch(&mut admin, "CREATE USER u WITH PASSWORD 'S3cret-pass'").await;
    let message = refused.unwrap_err().to_string();
    assert!(
        message.contains("Incorrect syntax") && !message.contains("S3cret"),
        "{message}"
    );
}

#[tokio::test]
async fn queries_of_many_shapes_are_understood() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    for (text, expected) in [
        (
            "SELECT STRING_AGG(Customer, ', ') WITHIN GROUP (ORDER BY Id DESC) FROM dbo.Orders",
            "Tailspin, Fabrikam",
        ),
        (
            "SELECT c = UPPER(LEFT(Customer, 3)) FROM Orders o WHERE o.Total > 10",
            "FAB",
        ),
        (
            "DECLARE @n int = 2, @c nvarchar(100); SELECT @c = Customer FROM dbo.Orders WHERE Id = @n; SELECT @c + N'/' + CAST(@n AS nvarchar(10))",
            "Tailspin/2",
        ),
        (
            "SELECT v.a FROM (VALUES (1, N'x'), (2, N'y')) AS v(n, a) WHERE v.n = 2",
            "y",
        ),
        (
            "WITH c (n) AS (SELECT Customer FROM dbo.Orders) SELECT n FROM c ORDER BY n OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY",
            "Tailspin",
        ),
        (
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM sys.schemas WHERE name = 'SALES') THEN 'yes' ELSE 'no' END",
            "yes",
        ),
        (
            "IF NOT EXISTS (SELECT * FROM sys.database_principals WHERE name = N'x') BEGIN CREATE ROLE [x] END ELSE PRINT 'there'; SELECT USER_NAME(DATABASE_PRINCIPAL_ID('X'))",
            "x",
        ),
        (
            "SELECT QUOTENAME('a]b') AS q UNION SELECT '[a]]b]' ORDER BY 1",
            "[a]]b]",
        ),
        (
            "SELECT TOP 1 SCHEMA_NAME(schema_id) + '.' + name FROM sys.objects WHERE type = 'U' ORDER BY name",
            "dbo.Orders",
        ),
        (
            "EXEC sp_set_session_context @key = N'tenant', @value = N'blue', @read_only = 1; SELECT CAST(SESSION_CONTEXT(N'tenant') AS nvarchar(50))",
            "blue",
        ),
        (
            "EXEC sp_executesql N'SELECT @a + @b', N'@a nvarchar(10), @b nvarchar(10)', @a = N'l', @b = N'r'",
            "lr",
        ),
        (
            "SELECT TABLE_SCHEMA + '.' + TABLE_NAME FROM INFORMATION_SCHEMA.TABLES",
            "dbo.Orders",
        ),
        (
            "SELECT CONVERT(varchar(34), CONVERT(varbinary(16), CAST('00112233-4455-6677-8899-aabbccddeeff' AS uniqueidentifier)), 1)",
            "0x33221100554477668899AABBCCDDEEFF",
        ),
        (
            "CREATE TABLE #t (a nvarchar(10)); INSERT #t VALUES (N'temp'); SELECT a FROM #t; DROP TABLE #t",
            "temp",
        ),
        (
            "SELECT name FROM (SELECT name, ROW_NUMBER() OVER (PARTITION BY type ORDER BY principal_id DESC) AS n FROM sys.database_principals WHERE principal_id < 16384) x WHERE n = 1 AND name <> 'public' AND name <> 'x'",
            "sys",
        ),
    ] {
        assert_eq!(texts(&mut admin, text).await, [expected], "{text}");
    }
    assert_eq!(
        error(&mut admin, "EXEC sp_set_session_context N'tenant', N'red'").await,
        15664
    );
}

#[tokio::test]
async fn a_transaction_that_has_written_nothing_keeps_nobody_waiting() {
    let bed = Bed::new().await;
    let mut first = bed.admin("orders").await;
    run(&mut first, "BEGIN TRAN; SELECT COUNT(*) FROM dbo.Orders").await;
    let mut second = bed.admin("orders").await;
    run(&mut second, "CREATE ROLE r").await;
    run(&mut first, "ROLLBACK").await;
    assert!(
        int(&mut second, "SELECT DATABASE_PRINCIPAL_ID('r')")
            .await
            .is_some()
    );
}

#[tokio::test]
async fn others_wait_for_a_transaction_that_has_written_until_it_ends() {
    let bed = Bed::new().await;
    let mut first = bed.admin("orders").await;
    run(&mut first, "BEGIN TRAN; CREATE ROLE r").await;
    let mut second = bed.admin("orders").await;
    let (found, ()) = tokio::join!(
        int(&mut second, "SELECT DATABASE_PRINCIPAL_ID('r')"),
        run(&mut first, "DROP ROLE r; COMMIT"),
    );
    assert_eq!(found, None);
}
