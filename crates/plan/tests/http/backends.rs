//! Backends, URLs, and documents that several APIs share.

use super::*;

#[test]
fn a_backend_loses_its_key_after_the_policy_asks_for_a_token() {
    let mut e = with_policy(&inbound("<set-backend-service backend-id=\"orders\" />"));
    let credentials = json!({ "header": { "x-functions-key": [KEY] }, "query": { "code": [KEY] } });
    let backend = e.backend("orders", &url("orders"), credentials);
    let plan = runs_clean(&mut e);
    let switch = step(&plan, &format!("switch/{backend}"));
    assert!(switch.needs.contains("switch/apim:g/api:orders/policy"));
    assert!(
        matches!(&switch.undo, Undo::Put { .. }),
        "{:?}",
        switch.undo
    );
    assert!(!e.truth.entities[&backend].body.to_string().contains("code"));
}

#[test]
fn an_api_without_a_policy_gets_one_for_its_backend() {
    let mut e = Estate::web();
    e.http_api("orders", "", None);
    let to_backend = inbound("<set-backend-service backend-id=\"orders\" />");
    e.text_at(
        Address::gateway("g").part("policy"),
        &to_backend.replace("<base />", ""),
    );
    let authorization = json!({ "authorization": { "scheme": "Basic", "parameter": KEY } });
    e.backend("orders", &url("orders"), authorization);
    e.http_access("orders", &["orders"], &url("orders"));
    let plan = runs_clean(&mut e);
    let made = step(&plan, "switch/apim:g/api:orders/policy");
    assert!(matches!(made.op, Op::Put { expect: None, .. }));
    assert_eq!(made.undo, Undo::Delete);
}

#[test]
fn a_backend_that_an_api_outside_uses_keeps_its_key() {
    let mut e = with_policy(&inbound("<set-backend-service backend-id=\"orders\" />"));
    let backend = e.backend(
        "orders",
        &url("orders"),
        json!({ "query": { "code": [KEY] } }),
    );
    let other = inbound("<set-backend-service backend-id=\"orders\" />");
    e.http_api("outside", "", Some(&other));
    let plan = e.plan();
    waits(&plan, &["backend:orders", "api:outside"]);
    assert!(plan.step(&format!("switch/{backend}")).is_none());
    e.http_access("second", &["outside"], &url("orders"));
    runs_clean(&mut e);
}

#[test]
fn a_key_in_the_url_goes_and_cannot_be_put_back() {
    let mut e = Estate::web();
    let api = e.http_api("orders", &format!("{}?code={KEY}", url("orders")), None);
    e.http_access("orders", &["orders"], &url("orders"));
    let plan = runs_clean(&mut e);
    let switch = step(&plan, &format!("switch/{api}"));
    assert!(switch.irreversible().is_some() && matches!(switch.op, Op::Patch { .. }));
    let live = e.truth.entities[&api].text("/properties/serviceUrl");
    assert_eq!(live, Some(url("orders").as_str()));
}

#[test]
fn a_shared_fragment_is_switched_when_every_api_is_chosen() {
    let include = inbound("<include-fragment fragment-id=\"auth\" />");
    let mut e = Estate::web();
    let fragment = e.fragment("auth", &key_header(KEY));
    e.http_api("orders", &url("orders"), Some(&include));
    e.http_api("stock", &url("orders"), Some(&include));
    e.http_access("orders", &["orders"], &url("orders"));
    let plan = e.plan();
    waits(&plan, &["policyFragment:auth", "apim:g/api:stock"]);
    assert!(plan.step(&format!("switch/{fragment}")).is_none());
    e.http_access("stock", &["stock"], &url("orders"));
    let plan = runs_clean(&mut e);
    let shared = step(&plan, &format!("switch/{fragment}"));
    assert_eq!(shared.access, None);
}

#[test]
fn a_product_and_the_service_policy_are_shared_by_their_apis() {
    let mut e = Estate::web();
    e.http_api("orders", &url("orders"), None);
    e.http_api("stock", &url("orders"), None);
    e.product(
        "gold",
        &["orders", "stock"],
        Some(&inbound(&key_header(KEY))),
    );
    let service = sections(&key_header(KEY), "").replace("<base />", "");
    e.text_at(Address::gateway("g").part("policy"), &service);
    e.http_access("all", &[], &url("orders"));
    let plan = runs_clean(&mut e);
    step(&plan, "switch/apim:g/product:gold/policy");
    step(&plan, "switch/apim:g/policy");
}

#[test]
fn other_revisions_are_switched_after_the_current_one_was_tried() {
    let mut e = with_policy(&inbound(&key_header("{{orders-key}}")));
    e.named_value("g", "orders-key", KEY);
    let old = inbound(&key_header("{{orders-key}}"));
    e.http_api("orders;rev=2", &url("orders"), Some(&old));
    let access = e.desired.http_accesses.get_mut("orders").unwrap();
    access.prove.canary = Canary::Revision;
    access.prove.request = Some(request());
    let plan = runs_clean(&mut e);
    let canary = step(&plan, "prove/apim:g/api:orders/access:orders/canary");
    let Op::Gate {
        gate: Gate::Canary { edits, current, .. },
    } = &canary.op
    else {
        panic!("{canary:?}")
    };
    assert!(!current && edits.contains_key("policy"), "{edits:?}");
    let answers = "switch/apim:g/api:orders/access:orders/answers";
    let revision = step(&plan, "switch/apim:g/api:orders;rev=2/policy");
    assert!(revision.needs.contains(answers), "{:?}", revision.needs);
    let retired = step(&plan, "retire/apim:g/namedValue:orders-key");
    assert!(
        retired
            .needs
            .contains("switch/apim:g/api:orders;rev=2/policy")
    );
}

#[test]
fn after_the_backend_has_changed_the_request_is_tried_again() {
    let mut e = with_policy(&inbound("<set-backend-service backend-id=\"orders\" />"));
    e.backend(
        "orders",
        &url("orders"),
        json!({ "query": { "code": [KEY] } }),
    );
    let access = e.desired.http_accesses.get_mut("orders").unwrap();
    access.prove.canary = Canary::Url;
    let to = Some("https://canary.contoso.net/x".to_owned());
    access.prove.request = Some(ProbeRequest {
        url: to,
        ..request()
    });
    step(&e.plan(), "prove/apim:g/access:orders/canary");
    let access = e.desired.http_accesses.get_mut("orders").unwrap();
    access.prove.canary = Canary::Revision;
    access.prove.request = Some(request());
    let plan = e.plan();
    let again = step(&plan, "switch/apim:g/api:orders/access:orders/stillAnswers");
    assert!(again.needs.contains("switch/apim:g/backend:orders"));
}

#[test]
fn a_wrong_audience_is_corrected_and_the_right_one_left_alone() {
    let mut e = with_policy(&inbound(&token("api://wrong")));
    e.run_all(&e.plan());
    assert!(e.text(&api_policy("orders")).contains(&token(AUDIENCE)));
    let e = with_policy(&inbound(&token(AUDIENCE)));
    assert!(e.plan().is_empty() && e.plan().waiting.is_empty());
}

#[test]
fn a_user_assigned_identity_is_named_by_its_client_id() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    let id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/\
              Microsoft.ManagedIdentity/userAssignedIdentities/ops";
    let id = keyless_model::ArmId::parse(id).unwrap();
    let span = Span::default();
    e.desired
        .identities
        .insert("ops".into(), ManagedIdentity { span, id });
    e.desired.http_accesses.get_mut("orders").unwrap().identity = Identity::User("ops".into());
    waits(&e.plan(), &["ops", "does not exist"]);
    let body = entity(json!({ "clientId": guid(7), "principalId": guid(8) }));
    e.truth.entities.insert(Address::identity("ops"), body);
    waits(&e.plan(), &["ops", "not one of the gateway's"]);
    none_switches(&e.plan());
    let gateway = e.desired.gateways.get_mut("g").unwrap();
    gateway.user_identities.insert("ops".into());
    e.run_all(&e.plan());
    let text = e.text(&api_policy("orders"));
    assert!(
        text.contains(&format!("client-id=\"{}\"", guid(7))),
        "{text}"
    );
    assert!(e.plan().is_empty());
}
