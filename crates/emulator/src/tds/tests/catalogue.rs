//! What the catalogue shows, and to whom.

use tiberius::AuthMethod;

use super::{APP, APP_SID, Bed, error, int, rows, run, texts};

/// Permission, state, class, schema, object.
type Granted<'a> = (&'a str, &'a str, u8, Option<&'a str>, Option<&'a str>);

#[tokio::test]
async fn grants_are_found_by_a_join_over_the_catalogue() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    run(
        &mut admin,
        "CREATE USER [api] WITH SID = 0x33221100554477668899AABBCCDDEEFF, TYPE = E;
         CREATE ROLE keyless_orders AUTHORIZATION dbo; ALTER ROLE keyless_orders ADD MEMBER [api];
         GRANT SELECT, INSERT ON SCHEMA::dbo TO keyless_orders; DENY DELETE ON dbo.Orders TO keyless_orders",
    )
    .await;
    let found = rows(
        &mut admin,
        "SELECT u.name AS [user], u.type, CAST(u.sid AS uniqueidentifier) AS id, u.sid, r.name AS role,
                p.permission_name, p.state_desc, p.class, s.name AS [schema], OBJECT_NAME(p.major_id) AS [object]
         FROM sys.database_principals AS u
         JOIN sys.database_role_members AS m ON m.member_principal_id = u.principal_id
         INNER JOIN sys.database_principals r ON r.principal_id = m.role_principal_id
         LEFT JOIN sys.database_permissions p WITH (NOLOCK) ON p.grantee_principal_id = r.principal_id
         LEFT OUTER JOIN sys.schemas s ON p.class = 3 AND s.schema_id = p.major_id
         WHERE u.type IN ('E', 'X') AND u.name LIKE N'AP%' ORDER BY p.permission_name",
    )
    .await;
    let seen: Vec<Granted<'_>> = found
        .iter()
        .map(|row| {
            (
                row.get("permission_name").unwrap(),
                row.get("state_desc").unwrap(),
                row.get("class").unwrap(),
                row.get("schema"),
                row.get("object"),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("DELETE", "DENY", 1, None, Some("Orders")),
            ("INSERT", "GRANT", 3, Some("dbo"), None),
            ("SELECT", "GRANT", 3, Some("dbo"), None),
        ]
    );
    let id = found[0].get::<tiberius::Uuid, _>("id").unwrap();
    assert_eq!(id.to_string(), APP);
    assert_eq!(
        found[0].get::<&[u8], _>("sid").unwrap()[..4],
        [0x33, 0x22, 0x11, 0x00]
    );
    assert_eq!(found[0].get::<&str, _>("type"), Some("E"));
}

#[tokio::test]
async fn an_identifier_of_nobody_is_null_and_keeps_its_type() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    let found = rows(
        &mut admin,
        "SELECT CAST(sid AS uniqueidentifier), default_schema_name, CAST(is_fixed_role AS bit), owning_principal_id
         FROM sys.database_principals WHERE name = 'sys'",
    )
    .await;
    assert_eq!(found[0].get::<tiberius::Uuid, _>(0), None);
    assert_eq!(found[0].get::<&str, _>(1), None);
    assert_eq!(found[0].get::<bool, _>(2), Some(false));
    assert_eq!(found[0].get::<i32, _>(3), None);
}

#[tokio::test]
async fn without_rights_a_principal_sees_itself_and_not_the_others() {
    let bed = Bed::new().await.with_entra_admin();
    bed.script(
        "orders",
        &format!(
            "CREATE USER [api] WITH SID = {APP_SID}, TYPE = E; CREATE USER other WITHOUT LOGIN;
             CREATE ROLE writers; ALTER ROLE writers ADD MEMBER other; GRANT INSERT ON SCHEMA::dbo TO writers"
        ),
    );
    let mut api = bed
        .connect("orders", AuthMethod::aad_token(bed.token("0a")))
        .await
        .unwrap();
    let users = "SELECT name FROM sys.database_principals WHERE type <> 'R' AND principal_id > 4 ORDER BY name";
    assert_eq!(texts(&mut api, users).await, ["api"]);
    assert!(
        rows(
            &mut api,
            "SELECT 1 FROM sys.database_permissions WHERE permission_name = 'INSERT'"
        )
        .await
        .is_empty()
    );
    assert!(
        rows(&mut api, "SELECT * FROM sys.database_role_members")
            .await
            .is_empty()
    );
    assert_eq!(int(&mut api, "SELECT OBJECT_ID('dbo.Orders')").await, None);
    bed.script("orders", "GRANT VIEW SECURITY DEFINITION TO api");
    assert_eq!(texts(&mut api, users).await, ["api", "other"]);
    assert_eq!(
        rows(&mut api, "SELECT * FROM sys.database_role_members")
            .await
            .len(),
        1
    );
    assert_eq!(
        rows(
            &mut api,
            "SELECT 1 FROM sys.database_permissions WHERE permission_name = 'INSERT'"
        )
        .await
        .len(),
        1
    );
    assert!(
        texts(&mut api, "SELECT name FROM sys.tables")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn logins_show_in_master_only_and_to_a_security_reader() {
    let bed = Bed::new().await;
    bed.script("master", "CREATE LOGIN orders_app WITH PASSWORD = 'Pa55-word!'\nGO\nCREATE LOGIN auditor WITH PASSWORD = 'Aud1t-pass'");
    bed.script("master", "CREATE USER auditor FOR LOGIN auditor");
    let mut admin = bed.admin("master").await;
    let logins = "SELECT name FROM sys.sql_logins ORDER BY name";
    assert_eq!(
        texts(&mut admin, logins).await,
        ["auditor", "orders_app", "sqladmin"]
    );
    let auth = || AuthMethod::sql_server("auditor", "Aud1t-pass");
    let mut auditor = bed.connect("master", auth()).await.unwrap();
    assert_eq!(texts(&mut auditor, logins).await, ["auditor"]);
    run(
        &mut admin,
        "ALTER SERVER ROLE [##MS_SecurityDefinitionReader##] ADD MEMBER auditor",
    )
    .await;
    let mut auditor = bed.connect("master", auth()).await.unwrap();
    assert_eq!(texts(&mut auditor, logins).await.len(), 3);
    let mut orders = bed.admin("orders").await;
    assert_eq!(error(&mut orders, logins).await, 208);
    assert_eq!(
        texts(
            &mut orders,
            "SELECT name FROM sys.databases ORDER BY database_id"
        )
        .await,
        ["master", "orders"]
    );
}

#[tokio::test]
async fn sessions_are_the_connections_that_are_open_now() {
    let bed = Bed::new().await.with_entra_admin();
    bed.script(
        "orders",
        "CREATE USER reports WITH PASSWORD = 'Rep0rts-pass'",
    );
    let mut admin = bed.admin("orders").await;
    let sessions = "SELECT original_login_name + '/' + program_name FROM sys.dm_exec_sessions
                    WHERE is_user_process = 1 AND database_id = DB_ID() ORDER BY session_id";
    assert_eq!(texts(&mut admin, sessions).await, ["sqladmin/tests"]);
    let mut reports = bed.password("reports", "Rep0rts-pass").await.unwrap();
    assert_eq!(
        texts(&mut admin, sessions).await,
        ["sqladmin/tests", "reports/tests"]
    );
    assert_eq!(texts(&mut reports, sessions).await, ["reports/tests"]);
    bed.script("orders", "GRANT VIEW DATABASE STATE TO reports");
    assert_eq!(texts(&mut reports, sessions).await.len(), 2);
}

#[tokio::test]
async fn a_security_policy_is_listed_with_its_predicates() {
    let bed = Bed::new().await;
    bed.script(
        "orders",
        "CREATE FUNCTION sales.fn_rows(@tenant nvarchar(50)) RETURNS TABLE WITH SCHEMABINDING AS
         RETURN SELECT 1 AS ok WHERE @tenant = CAST(SESSION_CONTEXT(N'tenant') AS nvarchar(50))
         GO
         CREATE SECURITY POLICY sales.orders_policy ADD FILTER PREDICATE sales.fn_rows(Customer) ON dbo.Orders,
         ADD BLOCK PREDICATE sales.fn_rows(Customer) ON dbo.Orders AFTER INSERT WITH (STATE = ON)",
    );
    let mut admin = bed.admin("orders").await;
    let found = rows(
        &mut admin,
        "SELECT p.name, p.is_enabled, d.predicate_type_desc, d.predicate_definition, d.operation_desc
         FROM sys.security_policies p JOIN sys.security_predicates d ON d.object_id = p.object_id
         ORDER BY d.security_predicate_id",
    )
    .await;
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].get::<bool, _>(1), Some(true));
    assert_eq!(found[1].get::<&str, _>(2), Some("BLOCK"));
    assert_eq!(found[1].get::<&str, _>(4), Some("AFTER INSERT"));
    assert_eq!(error(&mut admin, "DROP TABLE dbo.Orders").await, 3729);
    run(
        &mut admin,
        "ALTER SECURITY POLICY sales.orders_policy WITH (STATE = OFF)",
    )
    .await;
    assert_eq!(
        int(
            &mut admin,
            "SELECT CAST(is_enabled AS int) FROM sys.security_policies"
        )
        .await,
        Some(0)
    );
}
