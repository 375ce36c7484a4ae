//! Which API, operation and product a call is for, and where it goes.

use super::{HOST, call, get, inbound, put, set_header, start};
use crate::support::SERVICE;
use serde_json::{Value, json};

#[tokio::test]
async fn a_call_goes_to_the_operation_of_its_method_and_path() {
    let world = start().await;
    inbound(
        &world,
        "/apis/tides",
        &set_header("x-functions-key", "{{tide-key}}"),
    )
    .await;
    let answer = get(&world, "/tides/tides/7").await;
    assert_eq!((answer.status, &answer.json()["height"]), (200, &json!(4)));
    assert_eq!(get(&world, "/Tides/tides").await.json()[1]["id"], 2);
    assert_eq!(call(&world, "POST", "/tides/tides", &[]).await.status, 201);
    assert_eq!(
        call(&world, "DELETE", "/tides/tides", &[]).await.status,
        404
    );
    assert_eq!(get(&world, "/tides/tides/7/more").await.status, 404);
    // The longer path is another API's.
    let answer = get(&world, "/tides/inner/a/b").await;
    assert_eq!(answer.json()["service"], "open.localhost");
    assert_eq!(get(&world, "/tides;rev=2/tides").await.status, 202);
    assert_eq!(get(&world, "/tides;rev=3/tides").await.status, 404);
}

#[tokio::test]
async fn a_products_policy_applies_to_its_own_subscribers_only() {
    let world = start().await;
    let with = async |key: &str| {
        let headers = [("Ocp-Apim-Subscription-Key", key)];
        call(&world, "GET", "/locked/tides", &headers).await
    };
    assert_eq!(with("product-key-1").await.status, 200);
    let by_query = get(&world, "/locked/tides?subscription-key=product-key-1").await;
    assert_eq!(by_query.status, 200);
    // Let in by the gateway, but without the product's header; refused by the service.
    let by_api = with("api-key-1").await;
    assert!(by_api.text.contains("Unauthorized by tides.localhost"));
    for refused in [
        with("other-key-1").await,
        get(&world, "/locked/tides").await,
    ] {
        assert_eq!(refused.status, 401);
        assert!(refused.text.contains("subscription key"));
    }
    let open = json!({"properties": {"displayName": "Pilots", "state": "published",
        "subscriptionRequired": false}});
    put(&world, "/products/pilots", open).await;
    assert_eq!(get(&world, "/locked/tides").await.status, 200);
}

#[tokio::test]
async fn a_graphql_api_is_guarded_by_its_policy_and_may_be_passed_through() {
    let world = start().await;
    let ask = async || {
        let body = json!({"query": "{ tide(id: 5) { height } }"}).to_string();
        world
            .send("POST", HOST, "/graph", &[], &body)
            .await
            .unwrap()
    };
    let guard = "<check-header name=\"x-who\" failed-check-httpcode=\"403\" />";
    inbound(&world, "/apis/graph", guard).await;
    assert_eq!(ask().await.status, 403);
    let api = json!({"properties": {"displayName": "Graph", "path": "graph", "type": "graphql",
        "subscriptionRequired": false, "serviceUrl": "https://open.localhost/graphql"}});
    put(&world, "/apis/graph", api).await;
    inbound(&world, "/apis/graph", "").await;
    assert_eq!(ask().await.json()["data"]["tide"]["height"], 4);
    let resolver = format!("{SERVICE}/apis/graph/resolvers/tide");
    let any = [("If-Match", "*")];
    world.arm("DELETE", &resolver, &any, &Value::Null).await;
    assert_eq!(ask().await.json()["service"], "open.localhost");
}

#[tokio::test]
async fn a_pool_calls_its_members_in_turn() {
    let world = start().await;
    let element = "<set-backend-service backend-id=\"both\" />";
    inbound(&world, "/apis/inner", element).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(get(&world, "/tides/inner/x").await.status);
    }
    assert_eq!(seen, [200, 401, 200]);
}
