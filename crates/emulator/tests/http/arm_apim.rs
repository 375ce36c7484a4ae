//! Resource Manager for API Management beyond policies and named values: backends, fragments,
//! products, revisions and versions, gateways, loggers, and what refers to what.

use super::support::{Answer, SERVICE, World, start_with};
use serde_json::{Value, json};

async fn start() -> World {
    start_with(include_str!("../seeds/estate.yaml")).await
}

async fn put(world: &World, path: &str, body: Value) -> Answer {
    world
        .arm("PUT", &format!("{SERVICE}{path}"), &[], &body)
        .await
}

async fn get(world: &World, path: &str) -> Answer {
    world.get(&format!("{SERVICE}{path}")).await
}

async fn delete(world: &World, path: &str) -> Answer {
    let any = [("If-Match", "*")];
    world
        .arm("DELETE", &format!("{SERVICE}{path}"), &any, &Value::Null)
        .await
}

/// The names of every page of a list.
async fn names(world: &World, path: &str) -> Vec<String> {
    let mark = if path.contains('?') { '&' } else { '?' };
    let list = get(world, &format!("{path}{mark}$top=100")).await;
    assert_eq!(list.status, 200, "{}", list.text);
    let body = list.json();
    let items = body["value"].as_array().unwrap();
    let name = |item: &Value| item["name"].as_str().unwrap().to_owned();
    items.iter().map(name).collect()
}

fn policy(inbound: &str) -> Value {
    let value = format!("<policies><inbound><base />{inbound}</inbound></policies>");
    json!({"properties": {"format": "rawxml", "value": value}})
}

fn refused_for_use(answer: &Answer, user: &str) {
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "ValidationError"),
        "{}",
        answer.text
    );
    let message = answer.json()["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(message.contains(&format!("\r\n{user}\r\n")), "{message}");
}

#[tokio::test]
async fn a_backend_shows_its_credentials_and_is_written_under_its_etag() {
    let world = start().await;
    let list = get(&world, "/backends").await;
    assert!(list.text.contains("Plain-Code-5") && list.header("ETag").is_none());
    assert!(list.text.contains("{{crane-key}}"));
    let item = get(&world, "/backends/tides").await;
    let etag = item.header("ETag").unwrap().to_owned();
    let path = format!("{SERVICE}/backends/tides");
    let change = json!({"properties": {"credentials": {"query": null}}});
    let unguarded = world.arm("PATCH", &path, &[], &change).await;
    assert_eq!(unguarded.status, 400);
    let headers = [("If-Match", etag.as_str())];
    let patched = world.arm("PATCH", &path, &headers, &change).await;
    assert_eq!(patched.status, 200);
    assert!(!patched.text.contains("Plain-Code-5") && patched.text.contains("crane-key"));
    let stale = world.arm("PATCH", &path, &headers, &change).await;
    assert_eq!(stale.status, 412);
    let unknown = json!({"properties": {"url": "https://x.localhost", "protocol": "http",
        "credentials": {"header": {"k": ["{{nowhere}}"]}}}});
    assert_eq!(
        put(&world, "/backends/x", unknown).await.code(),
        "ValidationError"
    );
}

#[tokio::test]
async fn a_backend_stays_while_a_policy_or_a_pool_uses_it() {
    let world = start().await;
    refused_for_use(
        &delete(&world, "/backends/tides").await,
        "/apis/tides/policies/policy",
    );
    put(&world, "/apis/tides/policies/policy", policy("")).await;
    let refused = delete(&world, "/backends/tides").await;
    refused_for_use(&refused, "/apis/tides;rev=2/policies/policy");
    put(&world, "/apis/tides;rev=2/policies/policy", policy("")).await;
    let pool =
        |id: &str| json!({"properties": {"type": "Pool", "pool": {"services": [{"id": id}]}}});
    let missing = put(&world, "/backends/all", pool("/backends/none")).await;
    assert_eq!(missing.code(), "ValidationError");
    let made = put(&world, "/backends/all", pool("/backends/tides")).await;
    assert_eq!(made.status, 201);
    refused_for_use(&delete(&world, "/backends/tides").await, "/backends/all");
    assert_eq!(delete(&world, "/backends/all").await.status, 200);
    assert_eq!(delete(&world, "/backends/tides").await.status, 200);
    let named = policy("<set-backend-service backend-id=\"tides\" />");
    let refused = put(&world, "/apis/tides/policies/policy", named).await;
    assert_eq!(refused.code(), "ValidationError");
}

#[tokio::test]
async fn a_managed_identity_of_a_backend_shows_at_its_preview_version_only() {
    let world = start().await;
    let preview = "/backends/calm?api-version=2024-06-01-preview";
    let body = json!({"properties": {"url": "https://calm.localhost", "protocol": "http",
        "credentials": {"managedIdentity": {"resource": "api://calm"}}}});
    assert_eq!(put(&world, preview, body.clone()).await.status, 201);
    assert!(get(&world, preview).await.text.contains("api://calm"));
    assert!(
        !get(&world, "/backends/calm")
            .await
            .text
            .contains("api://calm")
    );
    assert!(!get(&world, "/backends").await.text.contains("api://calm"));
    assert_eq!(put(&world, "/backends/calm", body).await.status, 200);
    assert!(!get(&world, preview).await.text.contains("api://calm"));
}

#[tokio::test]
async fn a_named_value_is_held_by_backends_and_fragments() {
    let world = start().await;
    refused_for_use(
        &delete(&world, "/namedValues/crane-key").await,
        "/backends/tides",
    );
    let body = json!({"properties": {"format": "rawxml",
        "value": "<fragment><set-header name=\"k\"><value>{{tide-key}}</value></set-header></fragment>"}});
    let accepted = put(&world, "/policyFragments/key", body).await;
    assert_eq!(accepted.status, 201);
    assert_eq!(world.finish(&accepted, "Location").await.status, 200);
    let refused = delete(&world, "/namedValues/tide-key").await;
    refused_for_use(&refused, "/policyFragments/key");
}

#[tokio::test]
async fn a_fragment_tells_its_text_and_who_includes_it() {
    let world = start().await;
    let encoded = get(&world, "/policyFragments/trace-call").await;
    assert!(encoded.text.contains("&quot;x&quot;"));
    assert!(encoded.json()["properties"]["format"].is_null());
    let raw = get(&world, "/policyFragments/trace-call?format=rawxml").await;
    assert!(raw.text.contains("OrDefault(\\\"x\\\""));
    assert_eq!(raw.json()["properties"]["format"], "rawxml");

    let path = format!("{SERVICE}/policyFragments/trace-call/listReferences");
    let users = world.arm("POST", &path, &[], &Value::Null).await.json();
    let ids: Vec<&str> = users["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["id"].as_str().unwrap())
        .collect();
    let place = "operations/now/policies/policy";
    assert_eq!(
        ids,
        [
            format!("{SERVICE}/apis/tides/{place}"),
            format!("{SERVICE}/apis/tides;rev=2/{place}")
        ]
    );
    let refused = delete(&world, "/policyFragments/trace-call").await;
    refused_for_use(&refused, "/apis/tides/operations/now/policies/policy");
}

#[tokio::test]
async fn a_fragment_is_no_policy() {
    let world = start().await;
    for inner in [
        "<base />",
        "<include-fragment fragment-id=\"trace-call\" />",
        "<inbound />",
    ] {
        let body = json!({"properties": {"format": "rawxml",
            "value": format!("<fragment>{inner}</fragment>")}});
        let refused = put(&world, "/policyFragments/odd", body).await;
        assert_eq!(refused.code(), "ValidationError", "{inner}");
    }
    let missing = policy("<include-fragment fragment-id=\"odd\" />");
    let refused = put(&world, "/policies/policy", missing).await;
    assert_eq!(
        refused.json()["error"]["details"][0]["target"],
        "include-fragment"
    );
}

#[tokio::test]
async fn a_product_and_an_api_know_each_other() {
    let world = start().await;
    assert_eq!(names(&world, "/products/open/apis").await, ["tides"]);
    assert_eq!(names(&world, "/apis/tides/products").await, ["open"]);
    assert!(names(&world, "/apis/tides-v2/products").await.is_empty());
    let link = "/products/open/apis/tides-v2";
    let head = |path: String| {
        let world = &world;
        async move { world.arm("HEAD", &path, &[], &Value::Null).await.status }
    };
    assert_eq!(head(format!("{SERVICE}{link}")).await, 404);
    assert_eq!(put(&world, link, Value::Null).await.status, 201);
    assert_eq!(head(format!("{SERVICE}{link}")).await, 204);
    assert_eq!(names(&world, "/apis/tides-v2/products").await, ["open"]);
    let gone = delete(&world, "/apis/tides-v2").await;
    assert_eq!(gone.status, 202);
    assert_eq!(world.finish(&gone, "Location").await.status, 204);
    assert_eq!(names(&world, "/products/open/apis").await, ["tides"]);
    let nowhere = put(&world, "/products/open/apis/none", Value::Null).await;
    assert_eq!(nowhere.status, 404);
}

#[tokio::test]
async fn a_self_hosted_gateway_lists_what_it_serves() {
    let world = start().await;
    assert_eq!(names(&world, "/gateways").await, ["pier"]);
    assert_eq!(names(&world, "/gateways/pier/apis").await, ["tides"]);
    assert_eq!(
        delete(&world, "/gateways/pier/apis/tides").await.status,
        200
    );
    assert!(names(&world, "/gateways/pier/apis").await.is_empty());
    assert!(names(&world, "/workspaces").await.is_empty());
}

#[tokio::test]
async fn the_index_knows_the_policies_of_every_scope_and_revision() {
    let world = start().await;
    let index = get(&world, "/allPolicies?$top=100").await.json();
    let places: Vec<String> = index["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let id = entry["properties"]["referencePolicyId"].as_str().unwrap();
            id[SERVICE.len()..]
                .trim_end_matches("/policies/policy")
                .to_owned()
        })
        .collect();
    assert_eq!(
        places,
        [
            "/apis/tides/operations/now",
            "/apis/tides",
            "/apis/tides;rev=2/operations/now",
            "/apis/tides;rev=2",
            "",
            "/products/open"
        ]
    );
}

#[tokio::test]
async fn an_api_is_patched_at_once_and_its_operations_are_its_own() {
    let world = start().await;
    let path = format!("{SERVICE}/apis/tides");
    let any = [("If-Match", "*")];
    let change = json!({"properties": {"serviceUrl": "https://calm.localhost"}});
    let patched = world.arm("PATCH", &path, &any, &change).await;
    assert_eq!(patched.status, 200);
    assert_eq!(
        patched.json()["properties"]["serviceUrl"],
        "https://calm.localhost"
    );
    let revision = get(&world, "/apis/tides;rev=2").await.json();
    assert_eq!(
        revision["properties"]["serviceUrl"],
        "https://tides.localhost"
    );
    let operation = json!({"properties": {"displayName": "Later", "method": "GET",
        "urlTemplate": "/later"}});
    assert_eq!(
        put(&world, "/apis/tides/operations/later", operation)
            .await
            .status,
        201
    );
    assert_eq!(
        names(&world, "/apis/tides/operations").await,
        ["later", "now"]
    );
    assert_eq!(names(&world, "/apis/tides;rev=2/operations").await, ["now"]);
}

#[tokio::test]
async fn versions_of_one_set_share_a_path_and_others_do_not() {
    let world = start().await;
    let api = |version: &str| {
        json!({"properties": {"displayName": "Tides", "path": "tides",
            "apiVersionSetId": "/apiVersionSets/tides", "apiVersion": version}})
    };
    let taken = put(&world, "/apis/tides-v3", api("v2")).await;
    assert_eq!(taken.code(), "ValidationError");
    let accepted = put(&world, "/apis/tides-v3", api("v3")).await;
    assert_eq!(accepted.status, 201);
    let other = json!({"properties": {"displayName": "Tides", "path": "tides"}});
    assert_eq!(
        put(&world, "/apis/other", other).await.code(),
        "ValidationError"
    );
}

#[tokio::test]
async fn a_logger_keeps_its_secret_in_a_named_value() {
    let world = start().await;
    let logger = get(&world, "/loggers/events").await;
    assert!(!logger.text.contains("Foghorn-7"));
    let body = logger.json();
    let reference = body["properties"]["credentials"]["connectionString"]
        .as_str()
        .unwrap();
    let name = reference.trim_start_matches("{{").trim_end_matches("}}");
    assert!(name.starts_with("Logger-Credentials--"));
    let filter = format!("/namedValues?$filter=displayName%20eq%20%27{name}%27");
    let found = names(&world, &filter).await;
    assert_eq!(found.len(), 1);
    refused_for_use(
        &delete(&world, &format!("/namedValues/{}", found[0])).await,
        "/loggers/events",
    );
    let odd = json!({"properties": {"loggerType": "paper"}});
    assert_eq!(
        put(&world, "/loggers/odd", odd).await.code(),
        "ValidationError"
    );
}

#[tokio::test]
async fn a_subscriptions_keys_are_handed_out_on_request_only() {
    let world = start().await;
    let body = json!({"properties": {"displayName": "Probe", "scope": "/products/open"}});
    let made = put(&world, "/subscriptions/probe", body).await;
    assert_eq!(made.status, 201);
    assert!(made.json()["properties"]["primaryKey"].is_null());
    let path = format!("{SERVICE}/subscriptions/probe/listSecrets");
    let keys = world.arm("POST", &path, &[], &Value::Null).await.json();
    let key = keys["primaryKey"].as_str().unwrap();
    assert!(key.len() == 32 && keys["secondaryKey"] != keys["primaryKey"]);
    let list = get(&world, "/subscriptions").await;
    assert!(list.text.contains("Probe") && !list.text.contains(key));
}
