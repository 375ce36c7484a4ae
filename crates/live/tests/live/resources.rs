//! Steps on ARM resources: merged over what is live, compared again before they are sent, and no
//! more said of a credential than that it is there.

use keyless_azure::Verb;
use keyless_emulator::Fault as Trouble;
use keyless_engine::{Fault, Provider, Standing};
use keyless_model::Fingerprint;
use keyless_plan::{Op, Undo, ValueFrom, managed_fingerprint};
use serde_json::{Value, json};

use crate::support::{Harbour, at, for_ever, identity, key, service, step};

const BACKEND: &str = "apim:g/backend:tides";

fn path() -> String {
    format!("{}/backends/tides", service())
}

/// The fingerprint of the fields of `body` as they are live.
async fn expected(harbour: &Harbour, address: &str, body: &Value) -> Option<Fingerprint> {
    let live = harbour.read(keyless_live::Reading::default()).await;
    let entity = &live.entities[&at(address)];
    Some(managed_fingerprint(
        &key(),
        &at(address),
        &entity.body,
        body,
    ))
}

fn without_the_key() -> Value {
    json!({ "properties": { "credentials": { "header": { "x-functions-key": null } } } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_loses_one_credential_and_keeps_the_rest() {
    let harbour = Harbour::start().await;
    let op = Op::Put {
        body: without_the_key(),
        value: None,
        expect: expected(&harbour, BACKEND, &without_the_key()).await,
    };
    let step = step(BACKEND, op, for_ever());
    assert_eq!(harbour.provider.check(&step).await, Ok(Standing::Ready));
    harbour.provider.act(&step).await.unwrap();
    assert_eq!(harbour.provider.check(&step).await, Ok(Standing::Done));
    let live = harbour.get(&path()).await.unwrap();
    let properties = &live["properties"];
    assert!(properties["credentials"]["header"]["x-functions-key"].is_null());
    assert_eq!(properties["credentials"]["query"]["region"][0], "north");
    assert_eq!(properties["description"], "Tide tables");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_since_the_look_is_not_written_over() {
    let harbour = Harbour::start().await;
    let op = Op::Put {
        body: without_the_key(),
        value: None,
        expect: expected(&harbour, BACKEND, &without_the_key()).await,
    };
    let step = step(BACKEND, op, for_ever());
    let theirs = json!({ "properties": {
        "url": "https://tides.harbour.localhost",
        "protocol": "http",
        "credentials": { "header": { "x-functions-key": ["planted-other-77a2"] } },
    }});
    harbour.write(Verb::Put, &path(), theirs).await.unwrap();
    let refused = harbour.provider.act(&step).await;
    assert!(matches!(refused, Err(Fault::Changed { .. })), "{refused:?}");
    let live = harbour.get(&path()).await.unwrap();
    let kept = &live["properties"]["credentials"]["header"]["x-functions-key"][0];
    assert_eq!(kept, "planted-other-77a2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_repeats_what_was_sent_tells_no_credential() {
    let harbour = Harbour::start().await;
    let body = json!({ "properties": { "description": "Tides" } });
    let op = Op::Put {
        expect: expected(&harbour, BACKEND, &body).await,
        body,
        value: None,
    };
    harbour.emulator.add_fault(Trouble {
        verb: Some("PUT".into()),
        path: "/backends/tides".into(),
        status: 400,
        code: "ValidationError".into(),
        message: "The header value planted-tides-77a1 is too odd.".into(),
        ..Trouble::default()
    });
    let refused = harbour.provider.act(&step(BACKEND, op, for_ever())).await;
    let Err(Fault::Refused { message }) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        message.contains("too odd") && !message.contains("77a1"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_value_comes_from_where_it_is_live() {
    let harbour = Harbour::start().await;
    let policy = ValueFrom::PolicyText {
        policy: at("apim:g/api:tides/policy"),
        path: "/policies/inbound/set-header/value".into(),
    };
    let attribute = ValueFrom::PolicyAttribute {
        policy: at("apim:g/api:tides/policy"),
        path: "/policies/inbound/set-header".into(),
        name: "name".into(),
    };
    let field = ValueFrom::Field {
        address: at(BACKEND),
        pointer: "/properties/credentials/header/x-functions-key/0".into(),
    };
    for (name, from, wanted) in [
        ("keyless-a", policy, "planted-tides-77a1"),
        ("keyless-b", field, "planted-tides-77a1"),
        ("keyless-c", attribute, "x-functions-key"),
    ] {
        let op = Op::Put {
            body: json!({ "properties": { "displayName": name, "secret": true } }),
            value: Some(from),
            expect: None,
        };
        let step = step(&format!("apim:g/namedValue:{name}"), op, Undo::Delete);
        harbour.provider.act(&step).await.unwrap();
        let path = format!("{}/namedValues/{name}/listValue", service());
        let value = harbour.write(Verb::Post, &path, Value::Null).await.unwrap();
        assert_eq!(value.body["value"], wanted);
        harbour.provider.undo(&step).await.unwrap();
        assert_eq!(harbour.provider.check(&step).await, Ok(Standing::Ready));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_was_made_is_taken_back_and_an_api_is_pruned() {
    let harbour = Harbour::start().await;
    let op = Op::Put {
        body: json!({ "properties": { "displayName": "Pier" } }),
        value: None,
        expect: None,
    };
    let made = step("apim:g/product:pier", op, Undo::Delete);
    harbour.provider.act(&made).await.unwrap();
    assert_eq!(harbour.provider.check(&made).await, Ok(Standing::Done));
    harbour.provider.undo(&made).await.unwrap();
    assert_eq!(harbour.provider.check(&made).await, Ok(Standing::Ready));

    let pruned = step("apim:g/api:tides;rev=2", Op::Delete {}, for_ever());
    assert_eq!(harbour.provider.check(&pruned).await, Ok(Standing::Ready));
    harbour.provider.act(&pruned).await.unwrap();
    assert_eq!(harbour.provider.check(&pruned).await, Ok(Standing::Done));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_is_patched_and_nothing_else_of_it_is_sent() {
    let harbour = Harbour::start().await;
    let address = "apim:g/api:tides;rev=2";
    let body = json!({ "properties": { "serviceUrl": "https://new.harbour.localhost" } });
    let op = Op::Put {
        expect: expected(&harbour, address, &body).await,
        body,
        value: None,
    };
    let back = json!({ "properties": { "serviceUrl": "https://old.harbour.localhost" } });
    let step = step(address, op, Undo::Put { body: back });
    harbour.provider.act(&step).await.unwrap();
    assert_eq!(harbour.provider.check(&step).await, Ok(Standing::Done));
    assert_eq!(harbour.count("PUT", "/apis/tides;rev=2"), 0);
    assert_eq!(harbour.count("PATCH", "/apis/tides;rev=2"), 1);
    harbour.provider.undo(&step).await.unwrap();
    assert_eq!(harbour.provider.check(&step).await, Ok(Standing::Ready));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_came_since_the_plan_stays() {
    let harbour = Harbour::start().await;
    // What a plan says that saw no user-assigned identity.
    let body = json!({ "identity": { "type": "SystemAssigned" } });
    let op = Op::Patch {
        expect: expected(&harbour, "apim:g", &body).await,
        body,
    };
    let spare = format!("{}-spare", identity());
    let theirs = json!({ "identity": {
        "type": "SystemAssigned, UserAssigned",
        "userAssignedIdentities": { identity(): {}, spare.clone(): {} },
    }});
    harbour
        .write(Verb::Patch, &service(), theirs)
        .await
        .unwrap();
    harbour
        .provider
        .act(&step("apim:g", op, for_ever()))
        .await
        .unwrap();
    let live = harbour.get(&service()).await.unwrap();
    let users = live["identity"]["userAssignedIdentities"]
        .as_object()
        .unwrap();
    let has = |id: &str| users.keys().any(|k| k.eq_ignore_ascii_case(id));
    assert!(has(&identity()) && has(&spare), "{users:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn firewall_rules_come_and_go_on_the_server_and_in_the_database() {
    use keyless_model::sql::{FirewallRule, Statement};
    let harbour = Harbour::start().await;
    let op = Op::Put {
        body: json!({ "properties": { "startIpAddress": "10.2.0.1", "endIpAddress": "10.2.0.1" } }),
        value: None,
        expect: None,
    };
    let on_server = step("sql:s/firewallRule:pier", op, Undo::Delete);
    let rule = FirewallRule {
        name: "pier".into(),
        start: "10.2.0.1".into(),
        end: "10.2.0.1".into(),
    };
    let op = Op::Sql {
        database: at("sql:s/db:charts"),
        statements: vec![Statement::SetFirewallRule { rule: rule.clone() }],
        users: std::collections::BTreeSet::new(),
    };
    let statements = vec![Statement::DropFirewallRule { rule }];
    let in_database = step(
        "sql:s/db:charts/firewallRule:pier",
        op,
        Undo::Sql { statements },
    );
    for step in [on_server, in_database] {
        let check = || harbour.provider.check(&step);
        assert_eq!(check().await, Ok(Standing::Ready), "{}", step.id);
        harbour.provider.act(&step).await.unwrap();
        assert_eq!(check().await, Ok(Standing::Done), "{}", step.id);
        harbour.provider.undo(&step).await.unwrap();
        assert_eq!(check().await, Ok(Standing::Ready), "{}", step.id);
    }
}
