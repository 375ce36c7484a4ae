//! What those may do who got in.

use tiberius::AuthMethod;

use super::{APP_SID, Bed, Connection, error, int, run, texts};

/// A session of the application, with a user and nothing more.
async fn api(bed: &Bed) -> Connection {
    bed.script(
        "orders",
        &format!("CREATE USER [api] WITH SID = {APP_SID}, TYPE = E"),
    );
    bed.connect("orders", AuthMethod::aad_token(bed.token("0a")))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_user_reads_nothing_until_its_role_is_granted_the_schema() {
    let bed = Bed::new().await.with_entra_admin();
    let mut api = api(&bed).await;
    assert_eq!(error(&mut api, "SELECT * FROM dbo.Orders").await, 229);
    bed.script(
        "orders",
        "CREATE ROLE [keyless_orders]; ALTER ROLE [keyless_orders] ADD MEMBER [api];
         GRANT SELECT ON SCHEMA::[dbo] TO [keyless_orders]",
    );
    assert_eq!(
        texts(&mut api, "SELECT Customer FROM Orders ORDER BY Id").await,
        ["Fabrikam", "Tailspin"]
    );
    assert_eq!(
        error(&mut api, "DELETE FROM dbo.Orders WHERE Id = 1").await,
        229
    );
    assert_eq!(
        error(
            &mut api,
            "WITH o AS (SELECT * FROM dbo.Orders) SELECT 1 FROM o, sales.x"
        )
        .await,
        208
    );
    bed.script("orders", "DENY SELECT ON OBJECT::dbo.Orders TO public");
    assert_eq!(
        error(
            &mut api,
            "WITH o AS (SELECT * FROM dbo.Orders) SELECT * FROM o"
        )
        .await,
        229
    );
}

#[tokio::test]
async fn the_message_of_229_names_object_database_and_schema() {
    let bed = Bed::new().await.with_entra_admin();
    let mut api = api(&bed).await;
    let refused = super::batch(&mut api, "SELECT Id FROM dbo.Orders")
        .await
        .unwrap_err()
        .to_string();
    let expected =
        "The SELECT permission was denied on the object 'Orders', database 'orders', schema 'dbo'.";
    assert!(refused.contains(expected), "{refused}");
}

#[tokio::test]
async fn a_column_can_be_granted_alone() {
    let bed = Bed::new().await.with_entra_admin();
    let mut api = api(&bed).await;
    bed.script("orders", "GRANT SELECT (Id, Customer) ON dbo.Orders TO api");
    assert_eq!(
        texts(&mut api, "SELECT Customer FROM dbo.Orders WHERE Id = 2").await,
        ["Tailspin"]
    );
    assert_eq!(error(&mut api, "SELECT Total FROM dbo.Orders").await, 230);
    bed.script("orders", "DENY SELECT ON dbo.Orders TO api");
    assert_eq!(
        int(&mut api, "SELECT Id FROM dbo.Orders WHERE Id = 2").await,
        Some(2)
    );
    bed.script("orders", "DENY SELECT ON SCHEMA::dbo TO api");
    assert_eq!(error(&mut api, "SELECT Id FROM dbo.Orders").await, 229);
}

#[tokio::test]
async fn a_procedure_lends_its_owners_rights_and_dynamic_text_does_not() {
    let bed = Bed::new().await.with_entra_admin();
    let mut api = api(&bed).await;
    bed.script(
        "orders",
        "CREATE PROCEDURE dbo.OrderById @id int AS SELECT Customer FROM dbo.Orders WHERE Id = @id
         GO
         CREATE PROCEDURE dbo.AllOrders AS EXEC ('SELECT Customer FROM dbo.Orders')",
    );
    assert_eq!(error(&mut api, "EXEC dbo.OrderById @id = 1").await, 229);
    bed.script("orders", "GRANT EXECUTE ON SCHEMA::dbo TO api");
    assert_eq!(
        texts(&mut api, "EXEC dbo.OrderById @id = 1").await,
        ["Fabrikam"]
    );
    assert_eq!(error(&mut api, "EXEC dbo.AllOrders").await, 229);
    assert_eq!(error(&mut api, "EXEC dbo.OrderById").await, 201);
}

#[tokio::test]
async fn security_statements_need_the_right_to_them() {
    let bed = Bed::new().await.with_entra_admin();
    let mut api = api(&bed).await;
    assert_eq!(error(&mut api, "CREATE USER x WITHOUT LOGIN").await, 15247);
    assert_eq!(error(&mut api, "CREATE ROLE x").await, 15247);
    assert_eq!(error(&mut api, "CREATE TABLE dbo.x (a int)").await, 262);
    assert_eq!(
        error(&mut api, "GRANT SELECT ON SCHEMA::dbo TO public").await,
        15151
    );
    assert_eq!(
        error(&mut api, "ALTER ROLE db_owner ADD MEMBER api").await,
        15151
    );
    bed.script(
        "orders",
        "GRANT ALTER ANY USER TO api; ALTER ROLE db_securityadmin ADD MEMBER api",
    );
    run(
        &mut api,
        "CREATE USER x WITHOUT LOGIN; CREATE ROLE r; ALTER ROLE r ADD MEMBER x",
    )
    .await;
    run(&mut api, "GRANT SELECT ON SCHEMA::dbo TO r").await;
    assert_eq!(
        error(&mut api, "ALTER ROLE db_owner ADD MEMBER api").await,
        15151
    );
}

#[tokio::test]
async fn effective_permissions_can_be_asked_for() {
    let bed = Bed::new().await.with_entra_admin();
    let mut api = api(&bed).await;
    bed.script(
        "orders",
        "GRANT VIEW SECURITY DEFINITION TO api; GRANT SELECT ON SCHEMA::dbo TO api",
    );
    let held = "SELECT permission_name FROM sys.fn_my_permissions(NULL, 'DATABASE') ORDER BY 1";
    let expected = [
        "CONNECT",
        "VIEW ANY COLUMN ENCRYPTION KEY DEFINITION",
        "VIEW ANY COLUMN MASTER KEY DEFINITION",
        "VIEW SECURITY DEFINITION",
    ];
    assert_eq!(texts(&mut api, held).await, expected);
    let has = |class: &str, on: &str, name: &str| {
        format!("SELECT HAS_PERMS_BY_NAME({on}, '{class}', '{name}')")
    };
    assert_eq!(
        int(
            &mut api,
            &has("DATABASE", "NULL", "VIEW SECURITY DEFINITION")
        )
        .await,
        Some(1)
    );
    assert_eq!(
        int(&mut api, &has("DATABASE", "NULL", "VIEW DATABASE STATE")).await,
        Some(0)
    );
    assert_eq!(
        int(&mut api, &has("OBJECT", "'dbo.Orders'", "SELECT")).await,
        Some(1)
    );
    assert_eq!(
        int(&mut api, &has("OBJECT", "'dbo.Orders'", "UPDATE")).await,
        Some(0)
    );
    assert_eq!(
        int(&mut api, &has("DATABASE", "NULL", "NONSENSE")).await,
        None
    );
    let mut admin = bed.admin("orders").await;
    let as_api = "EXECUTE AS USER = 'api'; SELECT COUNT(*) FROM sys.fn_my_permissions('dbo.Orders', 'OBJECT'); REVERT";
    assert_eq!(int(&mut admin, as_api).await, Some(1));
    assert_eq!(texts(&mut admin, "SELECT USER_NAME()").await, ["dbo"]);
}

#[tokio::test]
async fn nested_roles_and_fixed_roles_reach_their_members() {
    let bed = Bed::new().await.with_entra_admin();
    let mut api = api(&bed).await;
    bed.script(
        "orders",
        "CREATE ROLE inner_role; CREATE ROLE outer_role; ALTER ROLE inner_role ADD MEMBER api;
         ALTER ROLE outer_role ADD MEMBER inner_role; ALTER ROLE db_datawriter ADD MEMBER outer_role",
    );
    run(
        &mut api,
        "INSERT INTO dbo.Orders (Customer) VALUES ('Wingtip')",
    )
    .await;
    assert_eq!(
        error(&mut api, "SELECT Customer FROM dbo.Orders").await,
        229
    );
    assert_eq!(
        int(&mut api, "SELECT IS_MEMBER('outer_role')").await,
        Some(1)
    );
    assert_eq!(
        int(&mut api, "SELECT IS_ROLEMEMBER('db_owner')").await,
        Some(0)
    );
    let mut admin = bed.admin("orders").await;
    assert_eq!(
        error(&mut admin, "ALTER ROLE inner_role ADD MEMBER outer_role").await,
        15413
    );
}
