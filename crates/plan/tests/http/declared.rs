//! Declared texts, and drift.

use super::*;

#[test]
fn a_declared_policy_must_ask_for_the_token_itself() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    let mut policy = Policy {
        span: Span::default(),
        gateway: "g".into(),
        scope: PolicyScope::Api("orders".into()),
        description: None,
        text: inbound(&key_header("{{k}}")),
    };
    e.secret_value("g", "k", KEY);
    e.desired.policies.insert("p".into(), policy.clone());
    let plan = e.plan();
    waits(
        &plan,
        &["api:orders/policy", "declared policy", &token(AUDIENCE)],
    );
    assert!(
        plan.steps
            .iter()
            .all(|s| s.phase < Phase::Switch && s.phase != Phase::Park || s.is_gate()),
        "{:#?}",
        ids(&plan)
    );
    policy.text = inbound(&token(AUDIENCE));
    e.desired.policies.insert("p".into(), policy);
    let plan = e.plan();
    assert!(matches!(
        step(&plan, "switch/apim:g/api:orders/policy").op,
        Op::Put { .. }
    ));
    e.run_all(&plan);
    assert!(e.plan().is_empty(), "{:#?}", ids(&e.plan()));
}

#[test]
fn a_declared_policy_never_brings_a_key_back() {
    let mut e = with_policy(&inbound(&token(AUDIENCE)));
    e.secret_value("g", "k", KEY);
    let policy = Policy {
        span: Span::default(),
        gateway: "g".into(),
        scope: PolicyScope::Api("orders".into()),
        description: None,
        text: inbound(&key_header("{{k}}")),
    };
    e.desired.policies.insert("p".into(), policy.clone());
    waits(&e.plan(), &["api:orders/policy", "declared policy"]);
    none_switches(&e.plan());
    // Nor does it take the token away.
    let text = inbound("");
    e.desired
        .policies
        .insert("p".into(), Policy { text, ..policy });
    waits(&e.plan(), &["api:orders/policy", "declared policy"]);
    none_switches(&e.plan());
}

#[test]
fn a_key_that_comes_back_is_critical() {
    for (name, back) in [
        (
            "a key",
            inbound(&format!("{}{}", token(AUDIENCE), key_header(KEY))),
        ),
        ("no token", inbound("")),
    ] {
        let mut e = with_policy(&inbound(&key_header(KEY)));
        e.run_all(&e.plan());
        assert_eq!(e.drift(), []);
        e.text_at(api_policy("orders"), &back);
        let found = e.drift();
        let told = found.iter().any(|f| {
            (f.code, f.class, f.severity) == ("KL0505", Class::Drifted, Severity::Critical)
        });
        assert!(told, "{name}: {found:#?}");
    }
}

#[test]
fn a_call_that_an_outer_document_may_redirect_gets_no_token() {
    let to = url("orders");
    let own = inbound(&format!(
        "<set-backend-service base-url=\"{to}\" />{}",
        key_header(KEY)
    ));
    let mut e = Estate::web();
    let partner = inbound("<set-backend-service base-url=\"https://partner.example\" />");
    e.http_api("orders", &to, Some(&partner));
    e.operation("orders", "get", Some(&own));
    e.http_access("read", &["orders"], &to);
    let plan = e.plan();
    let switched = plan
        .steps
        .iter()
        .any(|s| s.address.as_str().contains("operation:get/policy"));
    assert!(!switched, "{:#?}", ids(&plan));
    waits(&plan, &["operation:get", "some of its calls"]);
}

#[test]
fn the_token_is_asked_for_behind_base_and_behind_a_request_that_copies_the_call() {
    let copy = "<send-one-way-request mode=\"copy\"><set-url>https://audit.example</set-url>\
                </send-one-way-request>";
    let base_last = inbound("").replace("<base />", &format!("{}<base />", key_header(KEY)));
    for (text, before) in [
        (base_last, "<base />"),
        (
            inbound(&format!("{}{copy}", key_header(KEY))),
            "</send-one-way-request>",
        ),
    ] {
        let mut e = with_policy(&text);
        e.run_all(&e.plan());
        let after = e.text(&api_policy("orders"));
        let inbound = &after[..after.find("</inbound>").unwrap()];
        let (token, other) = (inbound.find("authentication-managed"), inbound.find(before));
        assert!(token > other && token.is_some(), "{before}: {after}");
    }
}

#[test]
fn a_switch_that_is_not_over_is_pending() {
    let mut e = Estate::web();
    for api in ["orders", "stock"] {
        let policy = inbound(&key_header(KEY));
        e.http_api(api, &url("orders"), Some(&policy));
    }
    e.http_access("both", &["orders", "stock"], &url("orders"));
    let plan = e.plan();
    let first = |id: &str| id == "switch/apim:g/api:orders/policy";
    let end = plan.steps.iter().position(|s| first(&s.id)).unwrap();
    plan.steps[..=end].iter().for_each(|step| e.run(step));
    let found = e.drift();
    let drifted = found.iter().any(|f| f.class == Class::Drifted);
    let pending = found.iter().any(|f| f.code == "KL0505");
    assert!(pending && !drifted, "{found:#?}");
}

#[test]
fn a_token_that_a_redirected_operation_sends_elsewhere_is_critical() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.operation("orders", "get", None);
    runs_clean(&mut e);
    assert_eq!(e.drift(), []);
    let partner = "<set-backend-service base-url=\"https://partner.example\" />";
    e.operation("orders", "get", Some(&inbound(partner)));
    waits(&e.plan(), &["operation:get", "lead elsewhere"]);
    let found = e.drift();
    let told = found.iter().find(|f| f.code == "KL0510");
    let told = told.unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(
        (told.class, told.severity),
        (Class::Drifted, Severity::Critical)
    );
    // On a way of its own it carries nothing.
    let alone = inbound(partner).replace("<base />", "");
    e.operation("orders", "get", Some(&alone));
    assert!(!e.drift().iter().any(|f| f.code == "KL0510"));
}
