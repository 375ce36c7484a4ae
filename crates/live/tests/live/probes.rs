//! Gates: the canary as a caller sends it, and rights of exactly the identity of now.

use std::collections::BTreeSet;

use keyless_azure::Verb;
use keyless_engine::{Fault, Probe, Provider};
use keyless_model::{Auth, Expected, ProbeRequest, Sid};
use keyless_plan::{Gate, Op, Splice};
use serde_json::{Value, json};

use crate::roles::assign;
use crate::support::{CALLER_KEY, Harbour, at, for_ever, service, step};

fn get_now() -> ProbeRequest {
    ProbeRequest {
        method: "GET".into(),
        path: "/now".into(),
        url: None,
        body: None,
        expect: Expected {
            status: 200,
            no_graphql_errors: false,
        },
    }
}

/// A canary in which the API's policy loses its key and the operation's asks for a token.
fn canary(audience: &str) -> Gate {
    let of_api = vec![Splice::Remove {
        path: "/policies/inbound/set-header".into(),
    }];
    let of_operation = vec![Splice::InsertLast {
        path: "/policies/inbound".into(),
        xml: format!("<authentication-managed-identity resource=\"{audience}\" />"),
    }];
    let edits = [("policy", of_api), ("operation:now/policy", of_operation)];
    Gate::Canary {
        api: at("apim:g/api:tides"),
        current: false,
        request: get_now(),
        auth: Some(Auth::Subscription {
            name: "crew".into(),
        }),
        edits: edits.map(|(below, e)| (below.to_owned(), e)).into(),
    }
}

async fn probe(harbour: &Harbour, gate: Gate) -> Result<Probe, Fault> {
    let step = step(
        "apim:g/api:tides",
        Op::Gate { gate: gate.clone() },
        for_ever(),
    );
    harbour.provider.probe(&step, &gate).await
}

async fn revisions(harbour: &Harbour) -> Vec<String> {
    let path = format!("{}/apis/tides/revisions", service());
    let number = |r: &Value| r["apiRevision"].as_str().unwrap().to_owned();
    harbour.list(&path).await.iter().map(number).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_tried_with_a_key_of_the_service_and_leaves_nothing_behind() {
    let harbour = Harbour::start().await;
    let before = revisions(&harbour).await;
    let holds = probe(&harbour, canary("api://tides")).await;
    assert!(matches!(holds, Ok(Probe::Holds(_))), "{holds:?}");
    let fails = probe(&harbour, canary("api://another")).await;
    assert!(matches!(fails, Ok(Probe::Fails { .. })), "{fails:?}");
    assert_eq!(revisions(&harbour).await, before);
    for shown in [format!("{holds:?}"), format!("{fails:?}")] {
        assert!(!shown.contains("planted"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_a_killed_run_left_is_removed_and_no_other_revision() {
    let harbour = Harbour::start().await;
    let before = revisions(&harbour).await;
    let path = format!("{}/apis/tides;rev=7", service());
    let left = json!({ "properties": {
        "sourceApiId": "/apis/tides",
        "path": "tides",
        "displayName": "Tides",
        "apiRevision": "7",
        "apiRevisionDescription": "keyless: tries the identity, and goes away again",
    }});
    harbour.write(Verb::Put, &path, left).await.unwrap();
    assert_ne!(revisions(&harbour).await, before);
    let holds = probe(&harbour, canary("api://tides")).await;
    assert!(matches!(holds, Ok(Probe::Holds(_))), "{holds:?}");
    assert_eq!(revisions(&harbour).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_of_its_own_is_called_as_it_is() {
    let harbour = Harbour::start().await;
    let port = harbour.emulator.https_port();
    let url = |gate: &mut Gate, with: Auth, status: u16| {
        if let Gate::Canary { request, auth, .. } = gate {
            request.url = Some(format!(
                "https://harbour.azure-api.localhost:{port}/tides/now"
            ));
            request.expect.status = status;
            *auth = Some(with);
        }
    };
    let crew = Auth::Subscription {
        name: "crew".into(),
    };
    let wrong = Auth::Header {
        name: "Ocp-Apim-Subscription-Key".into(),
        env: "CALLER_KEY".into(),
    };
    for (auth, status) in [(crew, 200), (wrong, 401)] {
        let mut gate = canary("api://tides");
        url(&mut gate, auth, status);
        let answer = probe(&harbour, gate).await;
        assert!(matches!(answer, Ok(Probe::Holds(_))), "{answer:?}");
        assert!(!format!("{answer:?}").contains(CALLER_KEY));
    }
    assert_eq!(harbour.count("PUT", "/apis/tides;rev=3"), 0);
    for audience in [
        "https://management.azure.com/",
        "https://database.windows.net",
    ] {
        let mut gate = canary("api://tides");
        let audience = audience.to_owned();
        url(&mut gate, Auth::Audience { audience }, 200);
        let refused = probe(&harbour, gate).await;
        assert!(matches!(refused, Err(Fault::Refused { .. })), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_asks_its_callers_for_tokens_gets_one_of_who_applies() {
    let harbour = Harbour::start().await;
    let api = format!("{}/apis/tides", service());
    let open = json!({ "properties": { "subscriptionRequired": false } });
    harbour.write(Verb::Patch, &api, open).await.unwrap();
    let text = "<policies><inbound><base /><validate-azure-ad-token \
                tenant-id=\"0ba5e000-0000-4000-8000-0000000000ff\"><audiences>\
                <audience>api://tides</audience></audiences></validate-azure-ad-token>\
                <authentication-managed-identity resource=\"api://tides\" /></inbound>\
                <backend><base /></backend><outbound><base /></outbound>\
                <on-error><base /></on-error></policies>";
    let policy = json!({ "properties": { "format": "rawxml", "value": text } });
    let path = format!("{api}/policies/policy");
    harbour.write(Verb::Put, &path, policy).await.unwrap();
    let asks = |with: Option<Auth>| {
        let mut gate = canary("api://tides");
        if let Gate::Canary { current, auth, .. } = &mut gate {
            *current = true;
            *auth = with;
        }
        gate
    };
    let audience = "api://tides".to_owned();
    let holds = probe(&harbour, asks(Some(Auth::Audience { audience }))).await;
    assert!(matches!(holds, Ok(Probe::Holds(_))), "{holds:?}");
    let fails = probe(&harbour, asks(None)).await;
    assert!(matches!(fails, Ok(Probe::Fails { .. })), "{fails:?}");
}

/// The gate that the gateway's user has SELECT on the schema and nothing else.
fn rights() -> Gate {
    let select = ("SELECT".to_owned(), "SCHEMA::dbo".to_owned(), None);
    Gate::Effective {
        gateway: at("apim:g"),
        database: at("sql:s/db:charts"),
        user: "harbour".into(),
        rights: BTreeSet::from([select]),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_count_only_for_the_identity_that_the_gateway_has_now() {
    for (client, same) in [
        ("0ba5e000-0000-4000-8000-0000000000c1", true),
        // The identity that the gateway had before it was made anew.
        ("0ba5e000-0000-4000-8000-0000000000c9", false),
    ] {
        let harbour = Harbour::start().await;
        let sid = Sid::from_guid(client).unwrap();
        let script = format!(
            "CREATE USER harbour WITH SID = {sid}, TYPE = E;\nGRANT SELECT ON SCHEMA::dbo TO harbour;"
        );
        let sql = harbour.emulator.sql();
        sql.run_script("harbour-sql", "charts", &script).unwrap();
        match probe(&harbour, rights()).await {
            Ok(Probe::Holds(_)) if same => {}
            Ok(Probe::Fails { why, .. }) if !same => assert!(why.contains("SID"), "{why}"),
            other => panic!("{client}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_vault_secret_is_read_anew_once_the_role_is_there() {
    let harbour = Harbour::start().await;
    let gate = Gate::KeyVault {
        named_value: at("apim:g/namedValue:lamp"),
    };
    match probe(&harbour, gate.clone()).await {
        Ok(Probe::Waits(why)) => assert!(why.contains("Forbidden"), "{why}"),
        other => panic!("{other:?}"),
    }
    harbour.provider.act(&assign()).await.unwrap();
    let holds = probe(&harbour, gate).await;
    assert!(matches!(holds, Ok(Probe::Holds(_))), "{holds:?}");
    assert_eq!(harbour.count("POST", "/namedValues/lamp/refreshSecret"), 2);
}
