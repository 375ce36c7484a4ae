//! What the clients of tests/clients found out: statuses, actions and filters that they rely on.

use serde_json::{Value, json};

use super::support::{Answer, SERVER, SERVICE, World, start};

async fn post(world: &World, path: &str, body: Value) -> Answer {
    world.arm("POST", path, &[], &body).await
}

#[tokio::test]
async fn an_api_is_put_with_201_then_200_and_tells_that_it_is_in_progress() {
    let world = start().await;
    let path = format!("{SERVICE}/apis/tides");
    let body = json!({"properties": {"displayName": "Tides", "path": "tides"}});
    for status in [201, 200] {
        let answer = world.put(&path, &body).await;
        assert_eq!(answer.status, status);
        assert_eq!(
            answer.json()["properties"]["provisioningState"],
            "InProgress"
        );
    }
    let read = world.get(&path).await;
    assert!(read.json()["properties"]["provisioningState"].is_null());
}

#[tokio::test]
async fn deleting_an_api_is_an_operation_from_2024_05_01_on() {
    let world = start().await;
    let any = [("If-Match", "*")];
    for (version, status) in [("2022-08-01", 200), ("2024-05-01", 202)] {
        let name = format!("{SERVICE}/apis/one");
        let body = json!({"properties": {"displayName": "One", "path": "one"}});
        world.put(&name, &body).await;
        let path = format!("{name}?api-version={version}");
        let answer = world.arm("DELETE", &path, &any, &Value::Null).await;
        assert_eq!(answer.status, status, "{version}");
        if status == 202 {
            assert_eq!(world.finish(&answer, "Location").await.status, 204);
        }
        assert_eq!(world.get(&name).await.status, 404);
    }
}

#[tokio::test]
async fn a_list_is_filtered_before_it_is_cut_into_pages() {
    let world = start().await;
    let list = format!("{SERVICE}/namedValues?$filter=startswith(displayName,%27d%27)");
    let answer = world.get(&list).await.json();
    assert_eq!(answer["value"][0]["name"], "delta");
    assert_eq!(
        (&answer["count"], &answer["nextLink"]),
        (&json!(1), &json!(""))
    );
    let refused = world.get(&format!("{SERVICE}/apis?$filter=soon")).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (400, "ValidationError")
    );
}

#[tokio::test]
async fn keys_are_made_anew_when_asked() {
    let world = start().await;
    let path = format!("{SERVICE}/subscriptions/probe");
    let renewed = post(&world, &format!("{path}/regeneratePrimaryKey"), Value::Null).await;
    assert_eq!(renewed.status, 204);
    let keys = post(&world, &format!("{path}/listSecrets"), Value::Null).await;
    assert_ne!(keys.json()["primaryKey"], "probe-key-1");
    let server = format!("{SERVICE}/authorizationServers/port");
    let body = json!({"properties": {"displayName": "Port", "clientSecret": "Port-Secret-3"}});
    let made = world.put(&server, &body).await;
    assert!(!made.text.contains("Port-Secret-3"));
    let told = post(&world, &format!("{server}/listSecrets"), Value::Null).await;
    assert_eq!(told.json()["clientSecret"], "Port-Secret-3");
    let gateway = format!("{SERVICE}/gateways/south");
    let body = json!({"properties": {"locationData": {"name": "South"}}});
    world.put(&gateway, &body).await;
    let list = format!("{gateway}/listKeys");
    let first = post(&world, &list, Value::Null).await.json();
    let body = json!({"keys": 1, "properties": {"locationData": {"name": "South"}}});
    world.put(&gateway, &body).await;
    let second = post(&world, &list, Value::Null).await.json();
    assert!(first["primary"].is_string());
    assert_eq!(first, second, "a gateway that is put again keeps its keys");
    let none = post(
        &world,
        &format!("{SERVICE}/tags/t/listSecrets"),
        Value::Null,
    )
    .await;
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn a_refused_action_is_named_as_azure_writes_it() {
    let world = start().await;
    let reader = world.token_for("keyless-plan").await;
    let path = format!("{SERVICE}/namedValues/alpha/listvalue");
    let refused = world
        .arm_as(&reader, "POST", &path, &[], &Value::Null)
        .await;
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains("namedValues/listValue/action"));
}

#[tokio::test]
async fn a_missing_fragment_is_refused_with_its_place() {
    let world = start().await;
    let text = "<policies>\n  <inbound>\n    <set-body>@{\n return \"\"; }</set-body>\n    <include-fragment fragment-id=\"x\" />\n  </inbound>\n</policies>";
    let body = json!({"properties": {"format": "rawxml", "value": text}});
    let refused = world
        .put(&format!("{SERVICE}/policies/policy"), &body)
        .await;
    let detail = &refused.json()["error"]["details"][0];
    assert_eq!(detail["target"], "include-fragment");
    let message = detail["message"].as_str().unwrap();
    assert!(message.contains("on line 5, column 5"), "{message}");
}

#[tokio::test]
async fn a_database_has_settings_of_its_own() {
    let world = start().await;
    let path = format!("{SERVER}/databases/berths");
    let database = world.get(&path).await.json();
    assert!(database["properties"]["databaseId"].is_string());
    let audit = format!("{path}/extendedAuditingSettings/default");
    assert_eq!(
        world.get(&audit).await.json()["properties"]["state"],
        "Disabled"
    );
    let on = json!({"properties": {"state": "Enabled", "isAzureMonitorTargetEnabled": true}});
    assert_eq!(world.put(&audit, &on).await.status, 200);
}

#[tokio::test]
async fn the_platform_tells_where_things_are() {
    let world = start().await;
    let bare = world
        .send(
            "GET",
            "management.localhost",
            "/metadata/endpoints?api-version=2022-09-01",
            &[],
            "",
        )
        .await
        .unwrap();
    let login = bare.json()["authentication"]["loginEndpoint"].clone();
    assert!(
        login
            .as_str()
            .unwrap()
            .starts_with("https://login.localhost:")
    );
    let older = world
        .get("/metadata/endpoints?api-version=2019-05-01")
        .await;
    assert!(older.json().is_array());
    let list = world.get("/subscriptions").await.json();
    assert_eq!(list["value"][0]["subscriptionId"], "s1");
    let groups = world.get("/subscriptions/s1/resourceGroups").await.json();
    assert_eq!(groups["value"][0]["name"], "rg");
    let none = world.get("/subscriptions/s1/resourceGroups/none").await;
    assert_eq!(
        (none.status, none.code().as_str()),
        (404, "ResourceGroupNotFound")
    );
    let ask = "/subscriptions/s1/providers/Microsoft.ApiManagement/checkNameAvailability";
    for (name, free) in [("harbour", false), ("elsewhere", true)] {
        let answer = post(&world, ask, json!({"name": name})).await;
        assert_eq!(answer.json()["nameAvailable"], free);
    }
    let none = ask.replace("ApiManagement", "Authorization");
    let none = post(&world, &none, json!({"name": "x"})).await;
    assert_eq!(none.status, 404, "{}", none.text);
}

#[tokio::test]
async fn a_named_link_is_the_association_of_the_older_form() {
    let world = start().await;
    let product = format!("{SERVICE}/products/open");
    let body = json!({"properties": {"displayName": "Open"}});
    world.put(&product, &body).await;
    let (link, older) = (
        format!("{product}/apiLinks/one"),
        format!("{product}/apis/berths"),
    );
    let body = json!({"properties": {"apiId": format!("{SERVICE}/apis/berths")}});
    assert_eq!(world.put(&link, &body).await.status, 201);
    assert_eq!(world.get(&older).await.status, 200);
    world.arm("DELETE", &link, &[], &Value::Null).await;
    assert_eq!(world.get(&older).await.status, 404);
    world.put(&link, &body).await;
    world.arm("DELETE", &older, &[], &Value::Null).await;
    assert_eq!(world.get(&link).await.status, 404);
    let tides = json!({"properties": {"displayName": "Tides", "path": "tides"}});
    world.put(&format!("{SERVICE}/apis/tides"), &tides).await;
    world.put(&link, &body).await;
    let body = json!({"properties": {"apiId": format!("{SERVICE}/apis/tides")}});
    world.put(&link, &body).await;
    assert_eq!(world.get(&older).await.status, 404, "the name moved on");
    let nowhere = json!({"properties": {"apiId": "/apis/nowhere"}});
    assert_eq!(world.put(&link, &nowhere).await.status, 400);
}

#[tokio::test]
async fn a_body_that_is_not_json_or_too_large_is_refused_in_the_envelope() {
    let world = start().await;
    let path = format!("{SERVICE}/tags/t");
    let body = json!({"properties": {"displayName": "t"}});
    let plain = [("Content-Type", "text/plain")];
    let refused = world.arm("PUT", &path, &plain, &body).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (415, "UnsupportedMediaType")
    );
    let json = [("Content-Type", "application/json; charset=utf-8")];
    assert_eq!(world.arm("PUT", &path, &json, &body).await.status, 201);
    let huge = Value::String("x".repeat(9 * 1024 * 1024));
    let refused = world.arm("PUT", &path, &json, &huge).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (413, "RequestEntityTooLarge")
    );
}
