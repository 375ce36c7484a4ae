//! Resource Manager: ETags, references, long-running operations, pages, revisions, identities.

use super::support::{Answer, SERVER, SERVICE, World, start};
use keyless_emulator::{Fault, FaultEffect};
use serde_json::{Value, json};

const POLICY: &str = "/apis/berths/resolvers/berth/policies/policy";

fn policy(statement: &str) -> Value {
    let value = format!(
        "<sql-data-source>\n<connection-info><connection-string>{{{{berths-db}}}}\
         </connection-string></connection-info>\n<request><sql-statement>{statement}\
         </sql-statement></request>\n</sql-data-source>"
    );
    json!({"properties": {"format": "rawxml", "value": value}})
}

async fn put(world: &World, path: &str, body: Value) -> Answer {
    world.arm("PUT", path, &[], &body).await
}

#[tokio::test]
async fn a_policy_put_with_a_stale_etag_is_refused() {
    let world = start().await;
    let path = format!("{SERVICE}{POLICY}");
    let first = world.get(&format!("{path}?format=rawxml")).await;
    let etag = first.header("ETag").unwrap().to_owned();
    let headers = [("If-Match", etag.as_str())];
    let changed = world.arm("PUT", &path, &headers, &policy("SELECT 1")).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("ETag"), Some(etag.as_str()));
    let stale = world.arm("PUT", &path, &headers, &policy("SELECT 2")).await;
    assert_eq!(
        (stale.status, stale.code().as_str()),
        (412, "PreconditionFailed")
    );
    let head = world.arm("HEAD", &path, &[], &Value::Null).await;
    assert_eq!(head.header("ETag"), changed.header("ETag"));
    let read = world.get(&format!("{path}?format=rawxml")).await;
    assert!(read.text.contains("SELECT 1") && read.text.contains("\\r\\n\\t<request>"));
    let unguarded = world.arm("DELETE", &path, &[], &Value::Null).await;
    assert_eq!(unguarded.status, 400);
}

#[tokio::test]
async fn a_policy_with_a_broken_expression_or_an_unknown_name_is_refused() {
    let world = start().await;
    let path = format!("{SERVICE}/policies/policy");
    for value in [
        "<policies><inbound><a b=\"@(x\" /></inbound></policies>",
        "<policies>{{nowhere}}</policies>",
        "<policies><inbound></policies>",
        "<fragment />",
    ] {
        let body = json!({"properties": {"format": "rawxml", "value": value}});
        let refused = put(&world, &path, body).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "ValidationError"),
            "{value}"
        );
    }
}

#[tokio::test]
async fn expressions_are_escaped_in_xml_and_bare_in_rawxml() {
    let world = start().await;
    let path = format!("{SERVICE}{POLICY}");
    assert!(
        world
            .get(&path)
            .await
            .text
            .contains("Arguments[&quot;id&quot;]")
    );
    assert!(
        world
            .get(&format!("{path}?format=rawxml"))
            .await
            .text
            .contains("Arguments[\\\"id\\\"]")
    );
}

#[tokio::test]
async fn a_named_value_stays_while_a_policy_refers_to_it() {
    let world = start().await;
    let path = format!("{SERVICE}/namedValues/berths-db");
    let any = [("If-Match", "*")];
    let refused = world.arm("DELETE", &path, &any, &Value::Null).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (400, "ValidationError")
    );
    let body = json!({"properties": {"format": "rawxml",
        "value": "<sql-data-source><request><sql-statement>SELECT 1</sql-statement></request></sql-data-source>"}});
    assert_eq!(
        put(&world, &format!("{SERVICE}{POLICY}"), body)
            .await
            .status,
        200
    );
    assert_eq!(
        world.arm("DELETE", &path, &any, &Value::Null).await.status,
        200
    );
    assert_eq!(
        world.arm("DELETE", &path, &any, &Value::Null).await.status,
        204
    );
    assert_eq!(world.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_named_value_is_there_once_its_operation_has_ended() {
    let world = start().await;
    let path = format!("{SERVICE}/namedValues/echo");
    let body = json!({"properties": {"displayName": "echo", "secret": true, "value": "hush"}});
    let accepted = put(&world, &path, body.clone()).await;
    assert_eq!(accepted.status, 201);
    assert_eq!(
        accepted.json()["properties"]["provisioningState"],
        "InProgress"
    );
    assert!(!accepted.text.contains("hush"));
    let busy = put(&world, &path, body.clone()).await;
    assert_eq!(
        (busy.status, busy.code().as_str()),
        (409, "PessimisticConcurrencyConflict")
    );
    let done = world.finish(&accepted, "Azure-AsyncOperation").await;
    assert_eq!(done.json()["status"], "Succeeded");
    assert_eq!(
        world.get(&path).await.header("ETag"),
        accepted.header("ETag")
    );
    let done = world
        .finish(&put(&world, &path, body).await, "Location")
        .await;
    assert_eq!(
        (done.status, done.json()["name"].as_str()),
        (200, Some("echo"))
    );
}

#[tokio::test]
async fn an_operation_can_fail_after_it_was_accepted() {
    let world = start().await;
    let path = format!("{SERVICE}/namedValues/twin");
    let body = json!({"properties": {"displayName": "alpha", "value": "x"}});
    let accepted = put(&world, &path, body.clone()).await;
    assert_eq!(accepted.status, 201);
    let failed = world.finish(&accepted, "Location").await;
    assert_eq!(
        (failed.status, failed.code().as_str()),
        (400, "ValidationError")
    );
    assert_eq!(world.get(&path).await.status, 404);
    let accepted = put(&world, &path, body).await;
    let failed = world.finish(&accepted, "Azure-AsyncOperation").await;
    assert_eq!(failed.status, 200);
    assert_eq!(failed.json()["error"]["details"][0]["target"], "name");

    world.emulator.add_fault(Fault {
        verb: Some("PATCH".into()),
        effect: FaultEffect::Late,
        code: "ServiceActivationFailed".into(),
        ..Fault::default()
    });
    let patch = json!({"identity": {"type": "SystemAssigned"}});
    let accepted = world.arm("PATCH", SERVICE, &[], &patch).await;
    let failed = world.finish(&accepted, "Azure-AsyncOperation").await;
    assert_eq!(failed.json()["error"]["code"], "ServiceActivationFailed");
    assert!(world.get(SERVICE).await.json()["identity"].is_null());
}

#[tokio::test]
async fn a_list_comes_in_pages_without_secrets_and_etags() {
    let world = start().await;
    let (mut names, mut pages) = (Vec::new(), 0);
    let mut next = format!("{SERVICE}/namedValues?$top=50");
    while !next.is_empty() {
        let page = world.get(&next).await;
        assert!(page.header("ETag").is_none() && !page.text.contains("Sea-Salt"));
        let body = page.json();
        for item in body["value"].as_array().unwrap() {
            names.push(item["name"].as_str().unwrap().to_owned());
        }
        pages += 1;
        let link = body["nextLink"].as_str().unwrap();
        next = link
            .splitn(4, '/')
            .nth(3)
            .map(|path| format!("/{path}"))
            .unwrap_or_default();
    }
    assert_eq!(names, ["alpha", "berths-db", "bravo", "charlie", "delta"]);
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn a_system_identity_that_is_switched_off_and_on_is_another_one() {
    let world = start().await;
    let default = format!("{SERVICE}/providers/Microsoft.ManagedIdentity/identities/default");
    assert_eq!(world.get(&default).await.status, 404);
    let mut seen = Vec::new();
    for kind in ["SystemAssigned", "None", "SystemAssigned"] {
        let patch = json!({"identity": {"type": kind}});
        let accepted = world.arm("PATCH", SERVICE, &[], &patch).await;
        assert_eq!(accepted.status, 202);
        assert_eq!(
            accepted.json()["properties"]["provisioningState"],
            "Updating"
        );
        assert_eq!(world.finish(&accepted, "Location").await.status, 200);
        if kind == "SystemAssigned" {
            let identity = world.get(&default).await.json()["properties"].clone();
            let principal = identity["principalId"].as_str().unwrap().to_owned();
            let known = world.emulator.directory().by_object_id(&principal).unwrap();
            assert_eq!(known.display_name, "harbour");
            assert_eq!(known.client_id.as_deref(), identity["clientId"].as_str());
            seen.push((principal, identity["clientId"].clone()));
        }
    }
    assert!(seen[0].0 != seen[1].0 && seen[0].1 != seen[1].1);
    assert!(
        world
            .emulator
            .directory()
            .by_object_id(&seen[0].0)
            .is_none()
    );
}

#[tokio::test]
async fn a_revision_copies_its_source_and_a_release_makes_it_current() {
    let world = start().await;
    let revision = format!("{SERVICE}/apis/berths;rev=2");
    let body = json!({"properties": {"path": "berths", "displayName": "Berths",
        "sourceApiId": format!("{SERVICE}/apis/berths")}});
    let accepted = put(&world, &revision, body).await;
    assert_eq!(accepted.status, 201);
    let locked = put(&world, &format!("{SERVICE}{POLICY}"), policy("SELECT 1")).await;
    assert_eq!(locked.code(), "PessimisticConcurrencyConflict");
    assert_eq!(world.finish(&accepted, "Location").await.status, 200);

    let copied = format!("{SERVICE}/apis/berths;rev=2/resolvers/berth/policies/policy");
    assert_eq!(put(&world, &copied, policy("SELECT 2")).await.status, 200);
    let original = world.get(&format!("{SERVICE}{POLICY}?format=rawxml")).await;
    assert!(!original.text.contains("SELECT 2"));

    let release = json!({"properties": {"apiId": "/apis/berths;rev=2", "notes": "identity"}});
    assert_eq!(
        put(
            &world,
            &format!("{SERVICE}/apis/berths/releases/r2"),
            release
        )
        .await
        .status,
        201
    );
    let current = world.get(&format!("{SERVICE}{POLICY}?format=rawxml")).await;
    assert!(current.text.contains("SELECT 2"));
    let old = format!("{SERVICE}/apis/berths;rev=1");
    assert!(world.get(&old).await.json()["properties"]["isCurrent"].is_null());
    let list = world
        .get(&format!("{SERVICE}/apis/berths/revisions"))
        .await
        .json();
    let current: Vec<&Value> = list["value"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&current[0]["apiRevision"], &current[0]["isCurrent"]),
        (&json!("2"), &json!(true))
    );
    assert_eq!(
        (&current[1]["apiRevision"], &current[1]["isCurrent"]),
        (&json!("1"), &json!(false))
    );
    let by_number = world
        .get(&format!("{SERVICE}/apis/berths;rev=2"))
        .await
        .json();
    assert_eq!(by_number["name"], "berths");
}

#[tokio::test]
async fn all_policies_tell_where_policies_are_and_nothing_of_their_text() {
    let world = start().await;
    let index = world.get(&format!("{SERVICE}/allPolicies")).await;
    let body = index.json();
    let places: Vec<&str> = body["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["properties"]["referencePolicyId"].as_str().unwrap())
        .collect();
    assert_eq!(
        places,
        [
            format!("{SERVICE}{POLICY}"),
            format!("{SERVICE}/policies/policy")
        ]
    );
    assert!(!index.text.contains("sql-data-source"));
}

#[tokio::test]
async fn entra_only_needs_an_admin_and_keeps_it() {
    let world = start().await;
    let only = format!("{SERVER}/azureADOnlyAuthentications/Default");
    let admin = format!("{SERVER}/administrators/ActiveDirectory");
    let on = json!({"properties": {"azureADOnlyAuthentication": true}});
    assert_eq!(
        put(&world, &only, on.clone()).await.code(),
        "AadAdministratorNotConfigured"
    );
    let body = json!({"properties": {"administratorType": "ActiveDirectory", "login": "sql-admins",
        "sid": "a0000000-0000-0000-0000-0000000000aa"}});
    let accepted = put(&world, &admin, body).await;
    assert_eq!(accepted.status, 202);
    assert_eq!(
        world.finish(&accepted, "Azure-AsyncOperation").await.json()["status"],
        "Succeeded"
    );
    let accepted = put(&world, &only, on).await;
    assert_eq!(world.finish(&accepted, "Location").await.status, 200);
    let refused = world.arm("DELETE", &admin, &[], &Value::Null).await;
    assert_eq!(refused.code(), "AadOnlyAuthenticationIsEnabled");
    let server = world
        .get(&format!("{SERVER}?$expand=administrators/activedirectory"))
        .await
        .json();
    assert_eq!(
        server["properties"]["administrators"]["azureADOnlyAuthentication"],
        true
    );
    assert!(server["properties"]["administratorLoginPassword"].is_null());
    assert!(world.get(SERVER).await.json()["properties"]["administrators"].is_null());
}

#[tokio::test]
async fn answers_carry_ids_limits_and_azures_words_for_what_is_missing() {
    let world = start().await;
    let headers = [("x-ms-client-request-id", "c-1")];
    let answer = world
        .arm("GET", &format!("{SERVICE}x"), &headers, &Value::Null)
        .await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (404, "ResourceNotFound")
    );
    assert_eq!(answer.header("x-ms-client-request-id"), Some("c-1"));
    assert!(answer.header("x-ms-request-id").is_some());
    assert!(
        answer
            .header("x-ms-ratelimit-remaining-subscription-reads")
            .is_some()
    );
    let child = world.get(&format!("{SERVICE}x/apis")).await;
    assert_eq!(child.code(), "ParentResourceNotFound");
    let none = world
        .get(&format!(
            "{SERVICE}/apis/berths/operations/none/policies/policy"
        ))
        .await;
    assert_eq!(none.status, 404);
}
