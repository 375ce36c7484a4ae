//! What Resource Manager counts and writes down: calls that are left, and the Activity Log.

use serde_json::{Value, json};

use super::support::{Answer, SERVER, SERVICE, World, start_with};

const LOG: &str = "/subscriptions/s1/providers/Microsoft.Insights/eventtypes/management/values";
/// Long before any test, and percent-encoded.
const ALWAYS: &str = "eventTimestamp%20ge%20%272020-01-01T00:00:00Z%27";

async fn log(world: &World, rest: &str) -> Answer {
    world.get(&format!("{LOG}?$filter={ALWAYS}{rest}")).await
}

/// The events of a resource from the oldest to the newest, as `action status subStatus`.
async fn told(world: &World, resource: &str) -> Vec<String> {
    let answer = log(
        world,
        &format!("%20and%20resourceUri%20eq%20%27{resource}%27"),
    )
    .await;
    let body = answer.json();
    let text = |event: &Value, field: &str| event[field]["value"].as_str().unwrap().to_owned();
    let line = |event: &Value| {
        let action = text(event, "operationName");
        let (status, sub) = (text(event, "status"), text(event, "subStatus"));
        let action = action.rsplit('/').next().unwrap().to_owned();
        format!("{action} {status} {sub}").trim().to_owned()
    };
    let events = body["value"].as_array().unwrap();
    events.iter().rev().map(line).collect()
}

/// The seed of the other tests with these settings.
fn seed(settings: &str) -> String {
    let seed = include_str!("../seeds/small.yaml");
    let line = "settings: { pageSize: 2, maxPageSize: 2 }";
    assert!(seed.contains(line));
    seed.replace(line, &format!("settings: {{ {settings} }}"))
}

fn tag(name: &str) -> Value {
    json!({"properties": {"displayName": name}})
}

#[tokio::test]
async fn calls_are_refused_when_a_bucket_is_empty() {
    let small = "throttle: { writes: { burst: 2, perSecond: 0 } }";
    let world = start_with(&seed(small)).await;
    let path = format!("{SERVICE}/tags/t");
    let header = "x-ms-ratelimit-remaining-subscription-writes";
    for left in ["1", "0"] {
        let answer = world.arm("PUT", &path, &[], &tag("t")).await;
        assert_eq!(answer.header(header), Some(left), "{}", answer.text);
    }
    let refused = world.arm("PUT", &path, &[], &tag("t")).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (429, "SubscriptionRequestsThrottled")
    );
    assert_eq!(refused.header("Retry-After"), Some("60"));
    let others = world.get(&path).await;
    assert_eq!(
        others.header("x-ms-ratelimit-remaining-subscription-reads"),
        Some("249")
    );
}

#[tokio::test]
async fn every_write_is_told_with_its_outcome_and_reads_are_not() {
    let world = start_with(&seed("")).await;
    let path = format!("{SERVICE}/tags/told");
    world.get(&path).await;
    world.arm("PUT", &path, &[], &tag("told")).await;
    world.arm("PUT", &path, &[], &json!({})).await;
    world
        .arm("DELETE", &path, &[("If-Match", "*")], &Value::Null)
        .await;
    let expected = [
        "write Started",
        "write Succeeded Created",
        "write Started",
        "write Failed BadRequest",
        "delete Started",
        "delete Succeeded OK",
    ];
    assert_eq!(told(&world, &path).await, expected);
}

#[tokio::test]
async fn a_long_running_write_is_told_when_it_ends() {
    let world = start_with(&seed("")).await;
    let path = format!("{SERVER}/connectionPolicies/default");
    let on = json!({"properties": {"connectionType": "Proxy"}});
    let accepted = world.arm("PUT", &path, &[], &on).await;
    let so_far = told(&world, &path).await;
    assert_eq!(so_far, ["write Started", "write Accepted Accepted"]);
    world.finish(&accepted, "Azure-AsyncOperation").await;
    assert_eq!(told(&world, &path).await[2..], ["write Succeeded OK"]);
}

#[tokio::test]
async fn an_event_says_who_called_and_under_which_correlation() {
    let world = start_with(&seed("")).await;
    let path = format!("{SERVICE}/namedValues/alpha/listValue");
    let id = "aaaaaaaa-0000-4000-8000-000000000001";
    let header = [("x-ms-correlation-request-id", id)];
    world.arm("POST", &path, &header, &Value::Null).await;
    let found = log(&world, &format!("%20and%20correlationId%20eq%20%27{id}%27")).await;
    let event = &found.json()["value"][0];
    let (_, client, _) = super::support::credentials(&world, "keyless-apply");
    assert_eq!(event["claims"]["appid"], json!(client));
    assert_eq!(
        (&event["correlationId"], &event["resourceGroupName"]),
        (&json!(id), &json!("rg"))
    );
    assert_eq!(event["httpRequest"]["method"], "POST");
    let brief = log(&world, "&$select=caller,status").await.json();
    assert_eq!(brief["value"][0].as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn the_log_is_late_when_the_seed_says_so() {
    let world = start_with(&seed("activityLag: 300")).await;
    let path = format!("{SERVICE}/tags/late");
    world.arm("PUT", &path, &[], &tag("late")).await;
    assert!(told(&world, &path).await.is_empty());
    world.emulator.advance(300);
    assert_eq!(told(&world, &path).await.len(), 2);
    assert_eq!(world.get(&format!("{LOG}?$filter=")).await.status, 400);
}
