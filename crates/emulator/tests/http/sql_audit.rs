//! SQL audit: what is written once Resource Manager has switched it on, and what is not.

use keyless_emulator::sql::{Argument, Call, ColumnType, Credentials, LoginRequest, Session};
use serde_json::{Value, json};

use super::support::{SERVER, World, start};

/// Logs in with a password of the seed; wrong ones are refused.
fn open(world: &World, login: &str, password: &str) -> Option<Session> {
    let request = LoginRequest {
        server: "quay".into(),
        database: "berths".into(),
        credentials: Credentials::Password {
            login: login.into(),
            password: password.into(),
        },
        host: "test".into(),
        program: "apim/harbour/berths".into(),
    };
    world.emulator.sql().open(request).ok()
}

fn admin(world: &World) -> Session {
    open(world, "quay_admin", "Admin-Pass-1!").unwrap()
}

/// Switches on these action groups, of the server or of the database.
async fn switch(world: &World, below: &str, state: &str, groups: &[&str]) {
    let path = format!("{SERVER}{below}/extendedAuditingSettings/default");
    let properties = json!({
        "state": state, "isAzureMonitorTargetEnabled": true, "auditActionsAndGroups": groups,
    });
    let body = json!({"properties": properties});
    let answer = world.put(&path, &body).await;
    assert!(answer.status < 300, "{}", answer.text);
}

async fn records(world: &World) -> Vec<Value> {
    let path = "/_emulator/audit?server=quay&database=berths";
    let answer = world.control("GET", path, &[], "").await;
    answer.json()["records"].as_array().unwrap().clone()
}

async fn actions(world: &World) -> Vec<String> {
    let line = |record: &Value| {
        let text = |field: &str| record[field].as_str().unwrap_or_default().to_owned();
        let (action, who) = (text("action_name_s"), text("server_principal_name_s"));
        format!("{action} {who} {}", text("succeeded_s"))
    };
    records(world).await.iter().map(line).collect()
}

#[tokio::test]
async fn logins_and_batches_are_written_while_auditing_is_on() {
    let world = start().await;
    admin(&world).run("SELECT 1 AS before").await;
    assert!(records(&world).await.is_empty(), "it is off at first");
    switch(&world, "", "Enabled", &[]).await;
    assert!(open(&world, "berths_app", "plainly-wrong").is_none());
    let mut session = open(&world, "berths_app", "Sea-Salt-77").unwrap();
    session.run("SELECT Id FROM dbo.Berths").await;
    session.run("DELETE FROM dbo.Berths").await;
    let expected = [
        "DATABASE AUTHENTICATION FAILED berths_app false",
        "DATABASE AUTHENTICATION SUCCEEDED berths_app true",
        "BATCH COMPLETED berths_app true",
        "BATCH COMPLETED berths_app false",
    ];
    assert_eq!(actions(&world).await, expected);
    let read = &records(&world).await[2];
    assert_eq!(read["statement_s"], "SELECT Id FROM dbo.Berths");
    assert_eq!(
        (&read["response_rows_d"], &read["application_name_s"]),
        (&json!(2), &json!("apim/harbour/berths"))
    );
    let nowhere = "/_emulator/audit?server=pier";
    assert_eq!(world.control("GET", nowhere, &[], "").await.status, 400);
    switch(&world, "", "Disabled", &[]).await;
    session.run("SELECT 1 AS after").await;
    assert_eq!(actions(&world).await.len(), 4);
}

#[tokio::test]
async fn a_database_that_is_made_anew_is_not_audited() {
    let world = start().await;
    let path = format!("{SERVER}/databases/berths");
    switch(&world, "/databases/berths", "Enabled", &[]).await;
    let gone = world.arm("DELETE", &path, &[], &Value::Null).await;
    world.finish(&gone, "Location").await;
    world.put(&path, &json!({"location": "westeurope"})).await;
    admin(&world).run("SELECT 1 AS one").await;
    assert_eq!(actions(&world).await, [""; 0]);
}

#[tokio::test]
async fn changes_of_principals_and_rights_have_their_own_groups() {
    let world = start().await;
    let groups = [
        "DATABASE_PRINCIPAL_CHANGE_GROUP",
        "DATABASE_ROLE_MEMBER_CHANGE_GROUP",
        "SCHEMA_OBJECT_PERMISSION_CHANGE_GROUP",
    ];
    switch(&world, "/databases/berths", "Enabled", &groups).await;
    let mut session = admin(&world);
    for text in [
        "CREATE USER clerk WITH PASSWORD = 'Plainly-Fake-9'",
        "ALTER ROLE db_datareader ADD MEMBER clerk",
        "GRANT SELECT ON dbo.Berths TO clerk",
        "GRANT CREATE TABLE TO clerk",
        "DROP USER nobody",
    ] {
        session.run(text).await;
    }
    let expected = [
        "CREATE quay_admin true",
        "ADD MEMBER quay_admin true",
        "GRANT quay_admin true",
        "DROP quay_admin false",
    ];
    assert_eq!(actions(&world).await, expected);
    let all = Value::Array(records(&world).await).to_string();
    assert!(!all.contains("Plainly-Fake-9"), "{all}");
}

#[tokio::test]
async fn a_caller_can_write_its_own_event() {
    let world = start().await;
    let groups = ["USER_DEFINED_AUDIT_GROUP", "BATCH_COMPLETED_GROUP"];
    switch(&world, "", "Enabled", &groups).await;
    let text = "EXEC sp_audit_write 7, 1, N'request 42'; SELECT 1 AS one";
    let call = Call {
        procedure: "sp_executesql".into(),
        arguments: vec![Argument {
            name: String::new(),
            ty: ColumnType::Text(None),
            value: text.to_owned().into(),
            output: false,
        }],
    };
    admin(&world).call(call).await;
    let written = records(&world).await;
    assert_eq!(
        (
            &written[0]["user_defined_event_id_d"],
            &written[0]["user_defined_information_s"]
        ),
        (&json!(7), &json!("request 42"))
    );
    assert_eq!(written[1]["action_name_s"], "RPC COMPLETED");
    assert_eq!(written[1]["statement_s"], text);
}

#[tokio::test]
async fn log_analytics_tells_who_logged_in() {
    let world = start().await;
    switch(&world, "", "Enabled", &[]).await;
    open(&world, "berths_app", "Sea-Salt-77").unwrap();
    admin(&world);
    admin(&world);
    let query = "AzureDiagnostics | where Category == 'SQLSecurityAuditEvents' \
                 and action_name_s has 'SUCCEEDED' and TimeGenerated > ago(10m) \
                 | summarize logins = count() by server_principal_name_s | order by logins desc";
    let reader = world.log_token("keyless-plan").await;
    let (status, body) = world.ask_log(&reader, query).await;
    assert_eq!(status, 200, "{body}");
    let table = &body["tables"][0];
    assert_eq!(
        table["columns"][1],
        json!({"name": "logins", "type": "long"})
    );
    assert_eq!(table["rows"], json!([["quay_admin", 2], ["berths_app", 1]]));
    world.emulator.advance(7_200);
    let reader = world.log_token("keyless-plan").await;
    let (_, later) = world.ask_log(&reader, query).await;
    assert_eq!(
        later["tables"][0]["rows"],
        json!([]),
        "the timespan is an hour"
    );
}

#[tokio::test]
async fn log_analytics_tells_what_was_written_and_refuses_what_it_does_not_know() {
    let world = start().await;
    switch(&world, "", "Enabled", &[]).await;
    let token = world.log_token("keyless-plan").await;
    let query = "AzureActivity | where OperationNameValue endswith '/write' and _ResourceId has \
                 'extendedAuditingSettings' | project ActivityStatusValue";
    let (_, body) = world.ask_log(&token, query).await;
    let expected = json!([["Started"], ["Accepted"], ["Succeeded"]]);
    assert_eq!(body["tables"][0]["rows"], expected);
    for query in [
        "Nothing",
        "AzureActivity | where Nothing == 1",
        "AzureActivity |",
    ] {
        let (status, body) = world.ask_log(&token, query).await;
        assert_eq!(status, 400, "{query}");
        assert_eq!(body["error"]["code"], "BadArgumentError");
    }
    let wrong = world.token_for("keyless-plan").await;
    assert_eq!(world.ask_log(&wrong, "AzureActivity").await.0, 401);
}
