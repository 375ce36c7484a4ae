//! Who gets in.

use tiberius::{AuthMethod, EncryptionLevel};

use super::{
    ADMIN, ADMIN_PASSWORD, APP, APP_SID, Bed, GROUP, code, error, int, principal, run, texts,
};
use crate::directory::PrincipalKind;

#[tokio::test]
async fn the_administrator_logs_in_with_its_password_and_no_other() {
    let bed = Bed::new().await;
    let mut admin = bed.admin("orders").await;
    assert_eq!(texts(&mut admin, "SELECT DB_NAME()").await, ["orders"]);
    assert_eq!(texts(&mut admin, "SELECT USER_NAME()").await, ["dbo"]);
    assert_eq!(code(bed.password(ADMIN, "wrong").await), 18456);
}

#[tokio::test]
async fn strict_encryption_puts_tls_first() {
    let bed = Bed::new().await;
    let auth = AuthMethod::sql_server(ADMIN, ADMIN_PASSWORD);
    let mut admin = bed
        .connect_with("orders", auth, EncryptionLevel::Strict)
        .await
        .unwrap();
    assert_eq!(int(&mut admin, "SELECT 41 + 1").await, Some(42));
}

#[tokio::test]
async fn a_database_that_is_not_there_is_error_4060() {
    let bed = Bed::new().await;
    let auth = AuthMethod::sql_server(ADMIN, ADMIN_PASSWORD);
    assert_eq!(code(bed.connect("nowhere", auth).await), 4060);
}

#[tokio::test]
async fn a_disabled_login_is_refused_until_it_is_enabled_again() {
    let bed = Bed::new().await;
    bed.script(
        "master",
        "CREATE LOGIN orders_app WITH PASSWORD = 'Pa55-word!'",
    );
    bed.script("orders", "CREATE USER orders_app FOR LOGIN orders_app");
    assert!(bed.password("orders_app", "Pa55-word!").await.is_ok());
    let mut admin = bed.admin("master").await;
    run(&mut admin, "ALTER LOGIN [orders_app] DISABLE").await;
    assert_eq!(
        int(
            &mut admin,
            "SELECT CAST(is_disabled AS int) FROM sys.sql_logins WHERE name = 'orders_app'"
        )
        .await,
        Some(1)
    );
    assert_eq!(code(bed.password("orders_app", "Pa55-word!").await), 18456);
    run(&mut admin, "ALTER LOGIN [orders_app] ENABLE").await;
    assert!(bed.password("orders_app", "Pa55-word!").await.is_ok());
}

#[tokio::test]
async fn a_login_without_a_user_does_not_get_into_the_database() {
    let bed = Bed::new().await;
    bed.script(
        "master",
        "CREATE LOGIN orders_app WITH PASSWORD = 'Pa55-word!'",
    );
    assert_eq!(code(bed.password("orders_app", "Pa55-word!").await), 4060);
    bed.script("orders", "CREATE USER orders_app FOR LOGIN orders_app");
    assert!(bed.password("orders_app", "Pa55-word!").await.is_ok());
    bed.script("orders", "REVOKE CONNECT TO orders_app");
    assert_eq!(code(bed.password("orders_app", "Pa55-word!").await), 4060);
}

#[tokio::test]
async fn dropping_a_login_leaves_its_user_behind() {
    let bed = Bed::new().await;
    bed.script(
        "master",
        "CREATE LOGIN orders_app WITH PASSWORD = 'Pa55-word!'",
    );
    bed.script("orders", "CREATE USER orders_app");
    bed.script("master", "DROP LOGIN orders_app");
    let mut admin = bed.admin("orders").await;
    let users = texts(
        &mut admin,
        "SELECT name FROM sys.database_principals WHERE name = 'ORDERS_APP'",
    )
    .await;
    assert_eq!(users, ["orders_app"]);
    bed.script(
        "master",
        "CREATE LOGIN orders_app WITH PASSWORD = 'Pa55-word!'",
    );
    assert_eq!(code(bed.password("orders_app", "Pa55-word!").await), 4060);
}

#[tokio::test]
async fn a_contained_user_logs_in_with_its_own_password() {
    let bed = Bed::new().await;
    bed.script(
        "orders",
        "CREATE USER reports WITH PASSWORD = 'Rep0rts-pass'",
    );
    let mut reports = bed.password("reports", "Rep0rts-pass").await.unwrap();
    assert_eq!(texts(&mut reports, "SELECT USER_NAME()").await, ["reports"]);
    assert_eq!(code(bed.password("reports", "wrong").await), 18456);
    bed.script("orders", "REVOKE CONNECT FROM reports");
    assert_eq!(code(bed.password("reports", "Rep0rts-pass").await), 18456);
}

#[tokio::test]
async fn a_token_gets_in_by_the_sid_of_its_client_id_only() {
    let bed = Bed::new().await.with_entra_admin();
    let token = bed.token("0a");
    assert_eq!(
        code(bed.connect("orders", AuthMethod::aad_token(&token)).await),
        18456
    );
    // The same bytes in the order of the text are somebody else.
    bed.script(
        "orders",
        "CREATE USER [api] WITH SID = 0x00112233445566778899AABBCCDDEEFF, TYPE = E",
    );
    assert_eq!(
        code(bed.connect("orders", AuthMethod::aad_token(&token)).await),
        18456
    );
    bed.script(
        "orders",
        &format!("DROP USER [api]; CREATE USER [api] WITH SID = {APP_SID}, TYPE = E"),
    );
    let mut api = bed
        .connect("orders", AuthMethod::aad_token(&token))
        .await
        .unwrap();
    assert_eq!(texts(&mut api, "SELECT USER_NAME()").await, ["api"]);
    let name = texts(&mut api, "SELECT ORIGINAL_LOGIN()").await;
    assert_eq!(name, [format!("{APP}@{}", super::TENANT)]);
}

#[tokio::test]
async fn no_token_is_accepted_without_an_entra_administrator() {
    let bed = Bed::new().await;
    bed.script(
        "orders",
        &format!("CREATE USER [api] WITH SID = {APP_SID}, TYPE = E"),
    );
    let token = bed.token("0a");
    assert_eq!(
        code(bed.connect("orders", AuthMethod::aad_token(&token)).await),
        18456
    );
}

#[tokio::test]
async fn a_forged_token_and_one_for_another_audience_are_refused() {
    let bed = Bed::new().await.with_entra_admin();
    bed.script(
        "orders",
        &format!("CREATE USER [api] WITH SID = {APP_SID}, TYPE = E"),
    );
    let other = bed.directory.issue(
        &bed.directory.by_object_id("0a").unwrap(),
        "https://management.azure.com",
        3600,
    );
    assert_eq!(
        code(bed.connect("orders", AuthMethod::aad_token(&other)).await),
        18456
    );
    let forged = format!("{}AAAA", bed.token("0a"));
    assert_eq!(
        code(bed.connect("orders", AuthMethod::aad_token(&forged)).await),
        18456
    );
}

#[tokio::test]
async fn a_member_of_the_admin_group_is_dbo_even_with_a_token_of_many_packets() {
    let bed = Bed::new().await.with_entra_admin();
    let mut admin = principal(
        "30000000-0000-0000-0000-00000000000b",
        None,
        "ana@contoso.example",
        PrincipalKind::User,
    );
    admin.groups = (0..190)
        .map(|n| format!("00000000-0000-0000-0000-{n:012}"))
        .collect();
    admin.groups.push(GROUP.into());
    bed.directory.put(admin);
    let token = bed.token("30000000-0000-0000-0000-00000000000b");
    assert!(token.len() > 8192, "{}", token.len());
    let mut admin = bed
        .connect("orders", AuthMethod::aad_token(&token))
        .await
        .unwrap();
    assert_eq!(
        texts(&mut admin, "SELECT USER_NAME() + N'/' + SUSER_SNAME()").await,
        ["dbo/ana@contoso.example"]
    );
}

#[tokio::test]
async fn a_group_has_one_user_for_all_its_members() {
    let bed = Bed::new().await.with_entra_admin();
    let group = "10000000-0000-0000-0000-00000000000b";
    let mut user = principal(
        "30000000-0000-0000-0000-00000000000c",
        None,
        "bo@contoso.example",
        PrincipalKind::User,
    );
    user.groups.push(group.into());
    bed.directory.put(user);
    let token = bed.token("30000000-0000-0000-0000-00000000000c");
    assert_eq!(
        code(bed.connect("orders", AuthMethod::aad_token(&token)).await),
        18456
    );
    bed.script(
        "orders",
        "CREATE USER [readers] WITH SID = 0x0000001000000000000000000000000B, TYPE = X;
         ALTER ROLE db_datareader ADD MEMBER [readers]",
    );
    let mut reader = bed
        .connect("orders", AuthMethod::aad_token(&token))
        .await
        .unwrap();
    assert_eq!(
        int(&mut reader, "SELECT COUNT(*) FROM dbo.Orders").await,
        Some(2)
    );
}

#[tokio::test]
async fn entra_only_refuses_passwords_and_keeps_the_logins() {
    let bed = Bed::new().await.with_entra_admin();
    bed.script(
        "orders",
        &format!("CREATE USER [api] WITH SID = {APP_SID}, TYPE = E"),
    );
    bed.sql.set_entra_only("orders-sql", true);
    let refused = bed.password(ADMIN, ADMIN_PASSWORD).await;
    let message = refused
        .as_ref()
        .err()
        .map(ToString::to_string)
        .unwrap_or_default();
    assert!(
        message.contains("Azure Active Directory only authentication is enabled"),
        "{message}"
    );
    assert_eq!(code(refused), 18456);
    let mut api = bed
        .connect("orders", AuthMethod::aad_token(bed.token("0a")))
        .await
        .unwrap();
    let only = "SELECT CAST(SERVERPROPERTY('IsExternalAuthenticationOnly') AS int)";
    assert_eq!(int(&mut api, only).await, Some(1));
    bed.sql.set_entra_only("orders-sql", false);
    assert!(bed.password(ADMIN, ADMIN_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn external_provider_needs_a_token_session_and_a_directory() {
    let bed = Bed::new().await.with_entra_admin();
    let mut admin = bed.admin("orders").await;
    assert_eq!(
        error(
            &mut admin,
            "CREATE USER [orders-api] FROM EXTERNAL PROVIDER"
        )
        .await,
        33159
    );
    let mut robot = principal(
        "0d",
        Some("20000000-0000-0000-0000-00000000000d"),
        "robot",
        PrincipalKind::Application,
    );
    robot.groups.push(GROUP.into());
    bed.directory.put(robot);
    let mut robot = bed
        .connect("orders", AuthMethod::aad_token(bed.token("0d")))
        .await
        .unwrap();
    assert_eq!(
        error(
            &mut robot,
            "CREATE USER [orders-api] FROM EXTERNAL PROVIDER"
        )
        .await,
        33134
    );
    bed.sql.set_directory_reader("orders-sql", true);
    assert_eq!(
        error(&mut robot, "CREATE USER [nobody] FROM EXTERNAL PROVIDER").await,
        33130
    );
    run(
        &mut robot,
        "CREATE USER [orders-api] FROM EXTERNAL PROVIDER",
    )
    .await;
    let sid = "SELECT CONVERT(varchar(100), sid, 1) FROM sys.database_principals WHERE name = 'orders-api'";
    assert_eq!(texts(&mut robot, sid).await, [APP_SID]);
}

#[tokio::test]
async fn a_login_is_sent_on_when_the_server_redirects() {
    let bed = Bed::new().await;
    bed.sql.set_redirect("orders-sql", true);
    // Before anybody looks at who comes.
    match bed.password(ADMIN, "wrong").await {
        Err(tiberius::error::Error::Routing { host, port }) => {
            let node = "orders-sql.worker.database.localhost".to_owned();
            assert_eq!((host, port), (node, super::NODES));
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it is not sent on"),
    }
    bed.sql.set_redirect("orders-sql", false);
    assert!(bed.password(ADMIN, ADMIN_PASSWORD).await.is_ok());
}
