//! What is refused because of a service's tier, or of a lock; and what becomes of identities.

use serde_json::{Value, json};

use super::support::{Answer, SERVICE, World, start};

/// A new service of this tier; its path.
async fn service(world: &World, tier: &str) -> String {
    let group = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.ApiManagement";
    let path = format!("{group}/service/of-{tier}");
    let body = json!({"location": "West Europe", "sku": {"name": tier, "capacity": 0}});
    world.put(&path, &body).await;
    path
}

async fn policy(world: &World, service: &str, inbound: &str) -> Answer {
    let text = format!("<policies>\n  <inbound>{inbound}</inbound>\n</policies>");
    let body = json!({"properties": {"format": "rawxml", "value": text}});
    let path = format!("{service}/policies/policy");
    world.arm("PUT", &path, &[], &body).await
}

#[tokio::test]
async fn kinds_that_a_tier_lacks_are_refused_to_readers_too() {
    let world = start().await;
    let refused = |answer: Answer| (answer.status, answer.code());
    let lacking = (400, "MethodNotAllowedInPricingTier".to_owned());
    let consumption = service(&world, "Consumption").await;
    for list in ["groups", "gateways"] {
        let answer = world.get(&format!("{consumption}/{list}")).await;
        assert_eq!(refused(answer), lacking, "{list}");
    }
    let standard = service(&world, "Standard").await;
    let gateway = json!({"properties": {"locationData": {"name": "here"}}});
    let path = format!("{standard}/gateways/g");
    let answer = world.arm("PUT", &path, &[], &gateway).await;
    assert_eq!(refused(answer), lacking);
    assert_eq!(world.get(&format!("{standard}/groups")).await.status, 200);
}

#[tokio::test]
async fn policies_that_a_tier_lacks_are_refused_with_their_place() {
    let world = start().await;
    let by_key = "\n    <quota-by-key calls=\"1\" renewal-period=\"60\" counter-key=\"k\" />";
    for (tier, status) in [("Consumption", 400), ("StandardV2", 400), ("Basic", 200)] {
        let service = service(&world, tier).await;
        let answer = policy(&world, &service, by_key).await;
        assert_eq!(answer.status, status, "{tier}: {}", answer.text);
        if status == 400 {
            let detail = answer.json()["error"]["details"][0]["message"].clone();
            let place = "'quota-by-key' on line 3, column 5";
            assert!(detail.as_str().unwrap().contains(place), "{detail}");
        }
    }
}

#[tokio::test]
async fn consumption_takes_small_policies_and_no_sql() {
    let world = start().await;
    let service = service(&world, "Consumption").await;
    let large = format!("<!-- {} -->", "x".repeat(16 * 1024));
    assert_eq!(policy(&world, &service, &large).await.status, 400);
    assert_eq!(policy(&world, &service, "<!-- x -->").await.status, 200);
    let put = async |path: &str, body: Value| {
        let path = format!("{service}{path}");
        world.put(&path, &body).await
    };
    let api = json!({"properties": {"displayName": "G", "path": "g", "type": "graphql"}});
    put("/apis/g", api).await;
    let resolver = json!({"properties": {"displayName": "R", "path": "Query/r"}});
    assert_eq!(put("/apis/g/resolvers/r", resolver).await.status, 201);
    let text = "<sql-data-source><connection-info><connection-string>Server=s</connection-string>\
                </connection-info><request><sql-statement>SELECT 1</sql-statement></request>\
                </sql-data-source>";
    let body = json!({"properties": {"format": "rawxml", "value": text}});
    let refused = put("/apis/g/resolvers/r/policies/policy", body).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("not allowed in 'Consumption' sku"));
}

#[tokio::test]
async fn a_lock_keeps_what_lies_below_it_until_it_is_removed() {
    let world = start().await;
    let group = "/subscriptions/s1/resourceGroups/rg";
    let lock = format!("{group}/providers/Microsoft.Authorization/locks/keep");
    let level = |level: &str| json!({"properties": {"level": level}});
    assert_eq!(
        world.arm("PUT", &lock, &[], &level("Some")).await.status,
        400
    );
    let made = world.arm("PUT", &lock, &[], &level("CanNotDelete")).await;
    assert_eq!(made.status, 201);
    let value = format!("{SERVICE}/namedValues/alpha");
    let any = [("If-Match", "*")];
    let refused = world.arm("DELETE", &value, &any, &Value::Null).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (409, "ScopeLocked")
    );
    assert!(
        refused.text.contains(&format!("'{group}'")),
        "{}",
        refused.text
    );
    let change = json!({"properties": {"tags": ["t"]}});
    let allowed = world.arm("PATCH", &value, &any, &change).await;
    world.finish(&allowed, "Location").await;
    world.arm("PUT", &lock, &[], &level("ReadOnly")).await;
    assert_eq!(world.arm("PATCH", &value, &any, &change).await.status, 409);
    let list = format!("{group}/providers/Microsoft.Authorization/locks");
    assert_eq!(world.get(&list).await.json()["value"][0]["name"], "keep");
    world.arm("DELETE", &lock, &[], &Value::Null).await;
    assert_eq!(
        world.arm("DELETE", &value, &any, &Value::Null).await.status,
        200
    );
}

/// The ids of the service's own identity, after it was switched on.
async fn switched_on(world: &World) -> (Value, Value) {
    switch(world, "SystemAssigned").await;
    let path = format!("{SERVICE}/providers/Microsoft.ManagedIdentity/identities/default");
    let identity = world.get(&path).await.json();
    let of = |field: &str| identity["properties"][field].clone();
    (of("principalId"), of("clientId"))
}

async fn switch(world: &World, kind: &str) {
    let body = json!({"identity": {"type": kind}});
    let accepted = world.arm("PATCH", SERVICE, &[], &body).await;
    world.finish(&accepted, "Location").await;
}

#[tokio::test]
async fn an_identity_that_is_switched_on_again_is_another_one() {
    let world = start().await;
    let first = switched_on(&world).await;
    assert!(first.0.is_string() && first.1.is_string());
    assert_eq!(switched_on(&world).await, first, "it stays while it is on");
    switch(&world, "None").await;
    let second = switched_on(&world).await;
    assert_ne!(second.0, first.0);
    assert_ne!(second.1, first.1);
}
