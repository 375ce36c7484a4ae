//! Steps on policies and fragments: the edits find their text again, and an undo goes back only
//! from where the step led.

use keyless_azure::Verb;
use keyless_engine::{Fault, Provider, Standing};
use keyless_model::Fingerprint;
use keyless_plan::{Op, Splice, Step, Undo, edited};
use serde_json::{Value, json};

use crate::support::{Harbour, for_ever, key, service, step};

const POLICY: &str = "apim:g/api:tides/policy";

fn path() -> String {
    format!("{}/apis/tides/policies/policy", service())
}

async fn text(harbour: &Harbour, path: &str) -> String {
    let request = keyless_azure::Request {
        verb: Verb::Get,
        path: path.to_owned(),
        query: vec![
            ("api-version".into(), "2024-05-01".into()),
            ("format".into(), "rawxml".into()),
        ],
        if_match: None,
        body: None,
    };
    let body = harbour.services.arm.send(request).await.unwrap().body;
    body["properties"]["value"].as_str().unwrap().to_owned()
}

fn fingerprint(text: &str) -> Fingerprint {
    key().of(&keyless_policy::canonical(text).unwrap())
}

/// A step that takes the key out of the policy and puts a token in its place.
async fn switch(harbour: &Harbour) -> Step {
    let before = text(harbour, &path()).await;
    let edits = vec![
        Splice::Remove {
            path: "/policies/inbound/set-header".into(),
        },
        Splice::InsertLast {
            path: "/policies/inbound".into(),
            xml: "<authentication-managed-identity resource=\"api://tides\" />".into(),
        },
    ];
    let back = vec![
        Splice::Remove {
            path: "/policies/inbound/authentication-managed-identity".into(),
        },
        Splice::InsertLast {
            path: "/policies/inbound".into(),
            xml: "<set-header name=\"x-functions-key\" exists-action=\"override\"><value>\
                  {{region}}</value></set-header>"
                .into(),
        },
    ];
    let after = edited(&before, &edits).unwrap();
    let op = Op::Splice {
        edits,
        expect: fingerprint(&before),
        leads_to: fingerprint(&after),
    };
    step(POLICY, op, Undo::Splice { edits: back })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_made_once_and_taken_back_from_where_it_led() {
    let harbour = Harbour::start().await;
    let step = switch(&harbour).await;
    let check = || harbour.provider.check(&step);
    assert_eq!(check().await, Ok(Standing::Ready));
    // Nothing was done yet: there is nothing to take back, and nothing is written.
    harbour.provider.undo(&step).await.unwrap();
    assert_eq!(check().await, Ok(Standing::Ready));
    harbour.provider.act(&step).await.unwrap();
    assert_eq!(check().await, Ok(Standing::Done));
    assert!(text(&harbour, &path()).await.contains("api://tides"));
    harbour.provider.undo(&step).await.unwrap();
    let back = text(&harbour, &path()).await;
    assert!(
        back.contains("{{region}}") && !back.contains("api://tides"),
        "{back}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_somebody_else_is_neither_edited_nor_taken_back() {
    let harbour = Harbour::start().await;
    let step = switch(&harbour).await;
    // A text that both the edits and their undo would find their places in.
    let theirs = "<policies><inbound><set-header name=\"x-theirs\"><value>1</value></set-header>\
                  <authentication-managed-identity resource=\"api://theirs\" /></inbound>\
                  <backend><base /></backend><outbound /><on-error /></policies>";
    let body = json!({ "properties": { "format": "rawxml", "value": theirs } });
    harbour.write(Verb::Put, &path(), body).await.unwrap();
    let written = harbour.count("PUT", "/apis/tides/policies/policy");
    assert!(matches!(
        harbour.provider.check(&step).await,
        Ok(Standing::Conflict { .. })
    ));
    for refused in [
        harbour.provider.act(&step).await,
        harbour.provider.undo(&step).await,
    ] {
        assert!(matches!(refused, Err(Fault::Refused { .. })), "{refused:?}");
    }
    assert_eq!(harbour.count("PUT", "/apis/tides/policies/policy"), written);
    assert!(keyless_policy::same(&text(&harbour, &path()).await, theirs));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fragment_is_edited_like_a_policy_and_keeps_its_description() {
    let harbour = Harbour::start().await;
    let path = format!("{}/policyFragments/trace", service());
    let before = text(&harbour, &path).await;
    let edits = vec![Splice::Attribute {
        path: "/fragment/set-header".into(),
        name: "exists-action".into(),
        value: "override".into(),
    }];
    let after = edited(&before, &edits).unwrap();
    let op = Op::Splice {
        edits,
        expect: fingerprint(&before),
        leads_to: fingerprint(&after),
    };
    let step = step("apim:g/policyFragment:trace", op, for_ever());
    harbour.provider.act(&step).await.unwrap();
    assert_eq!(harbour.provider.check(&step).await, Ok(Standing::Done));
    let body: Value = harbour.get(&path).await.unwrap();
    assert_eq!(body["properties"]["description"], "Marks calls");
}
