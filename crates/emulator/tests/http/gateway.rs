//! A call through the gateway succeeds exactly while its path to the database holds.

use super::support::{SERVER, SERVICE, World, start};
use serde_json::{Value, json};

async fn call(world: &World, path: &str, key: Option<&str>, query: &str) -> Value {
    let body = json!({"query": query, "variables": {"id": 2}}).to_string();
    let headers: Vec<(&str, &str)> = key
        .map(|key| ("Ocp-Apim-Subscription-Key", key))
        .into_iter()
        .collect();
    let host = "harbour.azure-api.localhost";
    world
        .send("POST", host, path, &headers, &body)
        .await
        .unwrap()
        .json()
}

const QUERY: &str = "query Q($id: Int!) { b: berth(id: $id) { id name } }";

#[tokio::test]
async fn a_resolver_answers_by_password_until_its_credential_is_wrong() {
    let world = start().await;
    let answer = call(&world, "/berths", Some("probe-key-1"), QUERY).await;
    assert_eq!(answer, json!({"data": {"b": {"id": 2, "name": "South"}}}));

    let wrong =
        "Server=tcp:quay.database.localhost;Database=berths;User ID=berths_app;Password=No;";
    let path = format!("{SERVICE}/namedValues/berths-db");
    let body = json!({"properties": {"displayName": "berths-db", "secret": true, "value": wrong}});
    let accepted = world.arm("PUT", &path, &[], &body).await;
    world.finish(&accepted, "Location").await;
    let answer = call(&world, "/berths", Some("probe-key-1"), QUERY).await;
    assert_eq!(answer["data"]["b"], Value::Null);
    assert_eq!(answer["errors"][0]["extensions"]["sqlErrorNumber"], 18_456);
    assert!(!answer.to_string().contains("Password"));
}

#[tokio::test]
async fn a_call_is_in_the_gateways_log() {
    let world = start().await;
    call(
        &world,
        "/berths?code=plainly-fake",
        Some("probe-key-1"),
        QUERY,
    )
    .await;
    let token = world.log_token("keyless-plan").await;
    let query = "ApiManagementGatewayLogs | where ResponseCode < 400 | project ApiId, \
                 ApiRevision, ApimSubscriptionId, Url";
    let (_, told) = world.ask_log(&token, query).await;
    let url = "https://harbour.azure-api.localhost/berths";
    let expected = json!([["berths", "1", "probe", url]]);
    assert_eq!(told["tables"][0]["rows"], expected);
}

#[tokio::test]
async fn a_resolver_follows_a_server_that_redirects() {
    let world = start().await;
    let path = format!("{SERVER}/connectionPolicies/default");
    let body = json!({"properties": {"connectionType": "Redirect"}});
    let accepted = world.arm("PUT", &path, &[], &body).await;
    world.finish(&accepted, "Location").await;
    let answer = call(&world, "/berths", Some("probe-key-1"), QUERY).await;
    assert_eq!(answer, json!({"data": {"b": {"id": 2, "name": "South"}}}));
}

#[tokio::test]
async fn a_resolver_answers_by_identity_once_there_is_a_user_for_it() {
    let world = start().await;
    let patch = json!({"identity": {"type": "SystemAssigned"}});
    let accepted = world.arm("PATCH", SERVICE, &[], &patch).await;
    world.finish(&accepted, "Location").await;
    let admin = json!({"properties": {"login": "sql-admins",
        "sid": "a0000000-0000-0000-0000-0000000000aa"}});
    let path = format!("{}/administrators/ActiveDirectory", SERVER);
    let accepted = world.arm("PUT", &path, &[], &admin).await;
    world.finish(&accepted, "Location").await;
    let policy = "<sql-data-source><connection-info><connection-string \
         use-managed-identity=\"true\">Server=quay.database.localhost;Database=berths\
         </connection-string></connection-info><request><sql-statement><![CDATA[SELECT Id FROM \
         dbo.Berths WHERE Id <= @n ORDER BY Id]]></sql-statement><parameters><parameter \
         sql-type=\"int\" name=\"@n\">2</parameter></parameters></request></sql-data-source>";
    let body = json!({"properties": {"format": "rawxml", "value": policy}});
    let path = format!("{SERVICE}/apis/berths/resolvers/berth/policies/policy");
    assert_eq!(world.arm("PUT", &path, &[], &body).await.status, 200);

    let answer = call(&world, "/berths", Some("probe-key-1"), QUERY).await;
    assert_eq!(answer["errors"][0]["extensions"]["sqlErrorNumber"], 18_456);

    let default = format!("{SERVICE}/providers/Microsoft.ManagedIdentity/identities/default");
    let identity = world.get(&default).await.json();
    let sid = mixed_endian(identity["properties"]["clientId"].as_str().unwrap());
    let script = format!(
        "CREATE USER [harbour] WITH SID = {sid}, TYPE = E;\nGO\nGRANT SELECT ON SCHEMA::dbo TO [harbour];"
    );
    world
        .emulator
        .sql()
        .run_script("quay", "berths", &script)
        .unwrap();
    let answer = call(&world, "/berths", Some("probe-key-1"), QUERY).await;
    assert_eq!(
        answer["data"]["b"],
        json!([{"id": 1, "name": null}, {"id": 2, "name": null}])
    );
}

/// A GUID as SQL Server keeps it: the first three fields reversed.
fn mixed_endian(guid: &str) -> String {
    let hex = guid.replace('-', "");
    let byte = |at: usize| &hex[at * 2..at * 2 + 2];
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    format!("0x{}", order.map(byte).concat())
}

#[tokio::test]
async fn a_caller_needs_a_key_a_path_and_a_resolver() {
    let world = start().await;
    let answer = call(&world, "/berths", None, QUERY).await;
    assert_eq!(answer["statusCode"], 401);
    let answer = call(&world, "/berths", Some("guess"), QUERY).await;
    assert_eq!(answer["statusCode"], 401);
    let answer = call(&world, "/elsewhere", Some("probe-key-1"), QUERY).await;
    assert_eq!(answer["statusCode"], 404);
    let answer = call(&world, "/berths;rev=9", Some("probe-key-1"), QUERY).await;
    assert_eq!(answer["statusCode"], 404);
    let answer = call(&world, "/berths", Some("probe-key-1"), "{ crane { id } }").await;
    assert_eq!(answer["data"]["crane"], Value::Null);
    let answer = call(&world, "/berths", Some("probe-key-1"), "{ crane ").await;
    assert!(answer["errors"][0]["message"].is_string());
}
