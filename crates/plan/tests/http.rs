//! Accesses to HTTP services, one idea a test; then what holds for every estate.

#![allow(clippy::unwrap_used, reason = "tests")]

mod estate;

use std::collections::BTreeSet;

use estate::http::{AUDIENCE, Services, inbound, key_header, request, sections, sends, token, url};
use estate::world::run_some;
use estate::{Estate, entity, guid};
use keyless_model::{
    Address, Canary, Identity, ManagedIdentity, Policy, PolicyScope, ProbeRequest, Selection,
    Severity, Span,
};
use keyless_plan::{Class, Gate, Op, Phase, Plan, Step, Undo};
use serde_json::json;

const KEY: &str = "Zq8kLm2fPvr9Xn4tYb7WcJd1mHs6Ge5Ua3QoTiEy";

fn ids(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|s| s.id.as_str()).collect()
}

fn step<'a>(plan: &'a Plan, id: &str) -> &'a Step {
    plan.step(id)
        .unwrap_or_else(|| panic!("no {id} in {:#?}", ids(plan)))
}

fn rows(plan: &Plan) -> Vec<String> {
    plan.waiting
        .iter()
        .map(|w| format!("{}: {}: {} | {}", w.address, w.what, w.why, w.next))
        .collect()
}

fn has_row(plan: &Plan, parts: &[&str]) -> bool {
    rows(plan)
        .iter()
        .any(|row| parts.iter().all(|p| row.contains(p)))
}

fn assert_row(plan: &Plan, parts: &[&str]) {
    assert!(has_row(plan, parts), "{parts:?} not in {:#?}", rows(plan));
}

fn none_switches(plan: &Plan) {
    let switches = plan.steps.iter().filter(|s| s.phase >= Phase::Park);
    let switches: Vec<&str> = switches.map(|s| s.id.as_str()).collect();
    assert_eq!(switches, [""; 0]);
}

/// The services of the tests: one takes the key, and tokens.
fn services() -> Services {
    let mut out = Services::default();
    out.takes("orders", AUDIENCE, KEY);
    out
}

/// One API that sends the key in a header of its policy.
fn with_policy(text: &str) -> Estate {
    let mut e = Estate::web();
    e.http_api("orders", &url("orders"), Some(text));
    e.http_access("orders", &["orders"], &url("orders"));
    e
}

fn api_policy(api: &str) -> Address {
    Address::gateway("g").child("api", api).part("policy")
}

/// Runs the plan, step by step: no call that was answered may be refused; then nothing is left to
/// plan, and nothing sends a key.
fn runs_clean(e: &mut Estate) -> Plan {
    let services = services();
    let before = services.answered(e);
    assert!(!before.is_empty());
    let first = e.plan();
    for round in 0..4 {
        let plan = e.plan();
        assert!(!plan.to_json().contains(KEY));
        if plan.is_empty() {
            break;
        }
        assert!(round < 3, "{:#?}", ids(&plan));
        for step in &plan.steps {
            e.run(step);
            for call in &before {
                let why = services.refuse(e, call);
                assert_eq!(why, None, "after {}: {call:?}", step.id);
            }
        }
    }
    assert_eq!(services.with_keys(e), []);
    assert_eq!(rows(&e.plan()), [""; 0]);
    first
}

#[test]
fn a_header_is_parked_switched_confirmed_and_retired() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    let plan = e.plan();
    let value = plan.steps[0].address.clone();
    assert!(value.last().1.starts_with("keyless-orders-"), "{value}");
    assert_eq!(
        ids(&plan),
        [
            &format!("park/{value}"),
            "park/apim:g/api:orders/policy",
            "prove/apim:g/access:orders",
            "switch/apim:g/api:orders/policy",
            "confirm/apim:g/access:orders",
            &format!("retire/{value}"),
        ]
    );
    let Op::Gate {
        gate: Gate::Soak { evidence, .. },
    } = &plan.steps[4].op
    else {
        panic!("{:?}", plan.steps[4])
    };
    assert_eq!(format!("{evidence:?}"), "{Approval}");
    runs_clean(&mut e);
    let text = e.text(&api_policy("orders"));
    assert!(text.contains(&token(AUDIENCE)), "{text}");
    assert!(!text.contains("x-functions-key"), "{text}");
    assert_eq!(e.drift(), []);
}

#[test]
fn an_undone_switch_sends_the_parked_key_again() {
    let elements = format!(
        "<set-header name=\"x-region\" exists-action=\"override\"><value>eu</value></set-header>\n    \
         {}\n    <authentication-basic username=\"u\" password=\"{KEY}\" />\n    \
         <rewrite-uri template=\"/x\" />",
        key_header(KEY)
    );
    let mut e = with_policy(&inbound(&elements));
    let before = e.text(&api_policy("orders")).to_owned();
    let plan = e.plan();
    let switch = step(&plan, "switch/apim:g/api:orders/policy").clone();
    for step in plan.steps.iter().filter(|s| s.phase <= Phase::Switch) {
        e.run(step);
    }
    let Undo::Splice { edits } = &switch.undo else {
        panic!("{:?}", switch.undo)
    };
    let text = keyless_plan::edited(e.text(&api_policy("orders")), edits).unwrap();
    e.text_at(api_policy("orders"), &text);
    assert!(!text.contains("authentication-managed-identity") && !text.contains(KEY));
    let all = sends(&e, &estate::http::calls(&e)[0]).unwrap();
    assert_eq!(all[0].fields["authorization"], format!("u:{KEY}"));
    assert_eq!(all[0].fields["x-functions-key"], KEY);
    assert_eq!(before.lines().count(), text.lines().count(), "{text}");
}

#[test]
fn the_first_credential_makes_room_and_the_others_go() {
    let elements = format!(
        "<authentication-basic username=\"u\" password=\"{KEY}\" />\n    {}\n    <set-query-parameter \
         name=\"code\" exists-action=\"override\"><value>{KEY}</value></set-query-parameter>",
        key_header(KEY)
    );
    let mut e = with_policy(&inbound(&elements));
    runs_clean(&mut e);
    let text = e.text(&api_policy("orders"));
    assert_eq!(text.matches("authentication-managed-identity").count(), 1);
    let gone = !text.contains("basic") && !text.contains("set-");
    assert!(gone, "{text}");
}

#[test]
fn a_literal_that_no_named_value_can_hold_makes_the_switch_irreversible() {
    let quoted = format!("{KEY}&amp;x");
    let mut e = with_policy(&inbound(&key_header(&quoted)));
    let plan = e.plan();
    assert!(plan.steps.iter().all(|s| s.phase != Phase::Park));
    let why = step(&plan, "switch/apim:g/api:orders/policy").irreversible();
    assert!(why.unwrap().contains("XML escapes"), "{why:?}");
    runs_clean(&mut e);
}

#[test]
fn a_reference_needs_no_parking_and_its_named_value_goes_in_the_end() {
    let mut e = with_policy(&inbound(&key_header("{{orders-key}}")));
    let value = e.secret_value("g", "orders-key", KEY);
    let plan = runs_clean(&mut e);
    assert!(plan.steps.iter().all(|s| s.phase != Phase::Park));
    let switch = step(&plan, "switch/apim:g/api:orders/policy");
    assert!(matches!(switch.undo, Undo::Splice { .. }));
    step(&plan, &format!("retire/{value}"));
    assert!(!e.truth.entities.contains_key(&value));
}

#[test]
fn without_retire_the_named_value_stays_and_is_told_of() {
    let mut e = with_policy(&inbound(&key_header("{{orders-key}}")));
    let value = e.secret_value("g", "orders-key", KEY);
    *e.retire_of("orders") = None;
    e.run_all(&e.plan());
    assert!(e.plan().is_empty() && e.truth.entities.contains_key(&value));
    let found = e.drift();
    assert_eq!((found.len(), found[0].code), (1, "KL0508"), "{found:#?}");
    assert_eq!(found[0].class, Class::Pending);
}

#[test]
fn a_named_value_that_something_else_uses_stays() {
    let mut e = with_policy(&inbound(&key_header("{{orders-key}}")));
    let value = e.secret_value("g", "orders-key", KEY);
    let trace = "<trace source=\"x\"><message>{{orders-key}}</message></trace>";
    e.http_api("other", "https://other.net", Some(&inbound(trace)));
    e.run_all(&e.plan());
    assert_row(&e.plan(), &["namedValue:orders-key", "api:other/policy"]);
    assert!(e.truth.entities.contains_key(&value));
}

#[test]
fn a_credential_in_the_backend_section_makes_room_at_the_end_of_inbound() {
    let rewrite = "<rewrite-uri template=\"/x\" />";
    let mut e = with_policy(&sections(rewrite, &key_header(KEY)));
    runs_clean(&mut e);
    let text = e.text(&api_policy("orders"));
    let inbound = &text[..text.find("</inbound>").unwrap()];
    let (rewrite, asks) = (
        inbound.find("rewrite").unwrap(),
        inbound.find("managed-identity"),
    );
    assert!(asks.unwrap() > rewrite, "{text}");
}

#[test]
fn a_token_never_takes_the_place_of_the_callers_before_that_is_checked() {
    let jwt = "<validate-jwt header-name=\"Authorization\"><openid-config url=\"https://i\" />\
               </validate-jwt>";
    let mut e = with_policy(&inbound(&format!("{}\n    {jwt}", key_header(KEY))));
    runs_clean(&mut e);
    let text = e.text(&api_policy("orders"));
    assert!(
        text.find("validate-jwt") < text.find("managed-identity"),
        "{text}"
    );
}

#[test]
fn each_branch_of_a_choose_gets_its_own_token() {
    let choose = format!(
        "<choose><when condition=\"@(true)\">{0}</when><otherwise>{0}</otherwise></choose>",
        key_header(KEY)
    );
    let mut e = with_policy(&inbound(&choose));
    runs_clean(&mut e);
    let text = e.text(&api_policy("orders"));
    assert_eq!(text.matches("authentication-managed-identity").count(), 2);
}

#[test]
fn a_request_of_a_policy_is_switched_only_where_it_leads_to_the_target() {
    let request = |to: &str| {
        format!(
            "<send-request mode=\"new\" response-variable-name=\"r\"><set-url>{to}</set-url>{}\
             </send-request>",
            key_header(KEY)
        )
    };
    let both = format!(
        "{}{}",
        request(&url("orders")),
        request("https://other.net/x")
    );
    let mut e = Estate::web();
    e.http_api("orders", "https://elsewhere.net", Some(&inbound(&both)));
    e.http_access("orders", &["orders"], &url("orders"));
    e.run_all(&e.plan());
    assert!(e.plan().is_empty());
    let all = sends(&e, &estate::http::calls(&e)[0]).unwrap();
    assert!(
        all[0].token.is_some() && all[0].fields.is_empty(),
        "{all:?}"
    );
    assert_eq!(all[1].fields["x-functions-key"], KEY);
    assert!(all[1].token.is_none() && all[2].token.is_none());
}

#[test]
fn a_hidden_url_of_a_request_waits() {
    let request = format!(
        "<send-request mode=\"new\"><set-url>{{{{where}}}}</set-url>{}</send-request>",
        key_header(KEY)
    );
    let mut e = with_policy(&inbound(&request));
    e.secret_value("g", "where", &url("orders"));
    let plan = e.plan();
    assert_row(&plan, &["api:orders/policy", "hidden", "--inspect-secrets"]);
    assert!(plan.steps.iter().all(|s| s.phase != Phase::Retire));
}

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
    assert_row(&plan, &["backend:orders", "api:outside"]);
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
    assert_row(&plan, &["policyFragment:auth", "apim:g/api:stock"]);
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
    assert_row(&e.plan(), &["ops", "does not exist"]);
    let body = entity(json!({ "clientId": guid(7), "principalId": guid(8) }));
    e.truth.entities.insert(Address::identity("ops"), body);
    assert_row(&e.plan(), &["ops", "not one of the gateway's"]);
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

#[test]
fn a_service_that_takes_no_tokens_waits() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.desired
        .http_accesses
        .get_mut("orders")
        .unwrap()
        .accepts_token = false;
    assert_row(&e.plan(), &["access:orders", "takes tokens", "`accepts`"]);
    none_switches(&e.plan());
}

#[test]
fn a_self_hosted_gateway_that_serves_the_api_holds_it_up() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    let served = Address::gateway("g")
        .child("gateway", "x")
        .child("api", "orders");
    e.truth.entities.insert(served, entity(json!({})));
    assert_row(&e.plan(), &["gateway:x/api:orders", "self-hosted"]);
    none_switches(&e.plan());
}

#[test]
fn in_the_consumption_tier_a_policy_may_not_grow_beyond_its_size() {
    let filler = format!("<!-- {} -->", "x".repeat(16_100));
    let mut e = with_policy(&inbound(&format!("{filler}{}", key_header("{{k}}"))));
    e.secret_value("g", "k", KEY);
    let long = "api://".to_owned() + &"a".repeat(300);
    e.desired.http_accesses.get_mut("orders").unwrap().audience = long;
    let g = Address::gateway("g");
    e.truth.entities.get_mut(&g).unwrap().body["sku"] = json!({ "name": "Consumption" });
    assert_row(&e.plan(), &["api:orders/policy", "longer than 16384"]);
}

#[test]
fn an_api_that_leads_elsewhere_is_no_clean_result() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.http_api("orders", "https://elsewhere.net", None);
    assert_row(&e.plan(), &["api:orders", "none of its ways leads to"]);
    none_switches(&e.plan());
}

#[test]
fn an_api_whose_url_is_hidden_waits() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.secret_value("g", "where", &url("orders"));
    e.http_api("orders", "{{where}}", None);
    let policy = inbound(&key_header(KEY));
    e.text_at(api_policy("orders"), &policy);
    assert_row(
        &e.plan(),
        &["api:orders", "decides where its calls go", "plain text"],
    );
    none_switches(&e.plan());
}

#[test]
fn a_name_that_is_not_there_holds_the_access_up() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.http_access("orders", &["orders", "ordres"], &url("orders"));
    assert_row(&e.plan(), &["api:ordres", "not in the gateway"]);
    none_switches(&e.plan());
}

#[test]
fn two_accesses_that_ask_for_different_tokens_hold_each_other_up() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.http_access("second", &[], &url("orders")).audience = "api://other".into();
    let plan = e.plan();
    assert_row(&plan, &["the Access second asks for another token"]);
    assert_row(&plan, &["the Access orders asks for another token"]);
    none_switches(&plan);
}

#[test]
fn an_operation_that_is_not_chosen_keeps_the_policy_of_its_api() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.operation("orders", "read", None);
    e.operation("orders", "write", None);
    let choice = &mut e.desired.http_accesses.get_mut("orders").unwrap().apis;
    let names = BTreeSet::from(["read".to_owned()]);
    choice.as_mut().unwrap()[0].operations = Selection::Named(names);
    assert_row(
        &e.plan(),
        &["api:orders/policy", "operations that are not chosen"],
    );
    none_switches(&e.plan());
}

#[test]
fn an_operation_of_its_own_is_switched_alone() {
    let mut e = Estate::web();
    e.http_api("orders", "https://elsewhere.net", None);
    let own = format!(
        "<set-backend-service base-url=\"{}\" />\n    {}",
        url("orders"),
        key_header(KEY)
    );
    e.operation("orders", "read", Some(&inbound(&own)));
    e.operation("orders", "write", None);
    e.http_access("orders", &["orders"], &url("orders"));
    let plan = runs_clean(&mut e);
    step(&plan, "switch/apim:g/api:orders/operation:read/policy");
    assert!(!e.truth.entities.contains_key(&api_policy("orders")));
}

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
    assert_row(
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
    assert_row(&e.plan(), &["api:orders/policy", "declared policy"]);
    none_switches(&e.plan());
    // Nor does it take the token away.
    let text = inbound("");
    e.desired
        .policies
        .insert("p".into(), Policy { text, ..policy });
    assert_row(&e.plan(), &["api:orders/policy", "declared policy"]);
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
    assert_row(&plan, &["operation:get", "some of its calls"]);
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
fn a_client_secret_that_fetches_a_token_goes_with_all_that_fetches_it() {
    let fetch = format!(
        "<send-request mode=\"new\" response-variable-name=\"tokens\">\
         <set-url>https://login.microsoftonline.com/t/oauth2/v2.0/token</set-url>\
         <set-method>POST</set-method>\
         <set-body>grant_type=client_credentials&amp;client_id=x&amp;client_secret={KEY}</set-body>\
         </send-request>\n    <set-header name=\"Authorization\" exists-action=\"override\">\
         <value>@(\"Bearer \" + ((IResponse)context.Variables[\"tokens\"]).Body.As&lt;JObject&gt;()\
         [\"access_token\"])</value></set-header>"
    );
    let mut e = with_policy(&inbound(&fetch));
    let plan = e.plan();
    assert!(
        step(&plan, "switch/apim:g/api:orders/policy")
            .irreversible()
            .is_some()
    );
    assert!(!plan.to_json().contains(KEY));
    e.run_all(&plan);
    let text = e.text(&api_policy("orders"));
    assert!(
        !text.contains("send-request") && !text.contains("set-header"),
        "{text}"
    );
    assert!(text.contains(&token(AUDIENCE)) && e.plan().is_empty());
}

#[test]
fn nothing_is_planned_when_a_step_is_held_and_the_rest_runs() {
    let mut e = with_policy(&inbound("<set-backend-service backend-id=\"orders\" />"));
    e.backend(
        "orders",
        &url("orders"),
        json!({ "query": { "code": [KEY] } }),
    );
    let services = services();
    let before = services.answered(&e);
    let plan = e.plan();
    // The policy's switch fails: the backend must keep its key.
    run_some(
        &mut e,
        &plan,
        |s| s.id == "switch/apim:g/api:orders/policy",
        |e, s| {
            let refused = before.iter().find_map(|c| services.refuse(e, c));
            assert_eq!(refused, None, "after {}", s.id);
        },
    );
    let backend = Address::gateway("g").child("backend", "orders");
    assert!(e.truth.entities[&backend].body.to_string().contains("code"));
    runs_clean(&mut e);
}

#[test]
fn a_request_of_a_resolver_is_switched() {
    let source = format!(
        "<http-data-source><http-request><set-method>GET</set-method><set-url>{}/x</set-url>{}\
         </http-request></http-data-source>",
        url("orders"),
        key_header(KEY)
    );
    let mut e = Estate::web();
    e.resolver("g", "graph", "q", &source);
    e.http_access("orders", &["graph"], &url("orders"));
    let plan = e.plan();
    assert_eq!(rows(&plan), [""; 0]);
    e.run_all(&plan);
    let text = e.text(&estate::at("g", "graph", "q"));
    assert!(
        text.contains(&token(AUDIENCE)) && !text.contains("functions"),
        "{text}"
    );
    assert!(e.plan().is_empty(), "{:#?}", ids(&e.plan()));
}

#[test]
fn a_key_in_the_url_of_a_policy_is_parked_and_goes() {
    let to = format!("{}?code={KEY}", url("orders"));
    let mut e = with_policy(&inbound(&format!(
        "<set-backend-service base-url=\"{to}\" />"
    )));
    let plan = runs_clean(&mut e);
    let undo = &step(&plan, "switch/apim:g/api:orders/policy").undo;
    assert!(
        format!("{undo:?}").contains("{{keyless-orders-"),
        "{undo:?}"
    );
    let text = e.text(&api_policy("orders"));
    assert!(
        text.contains(&format!("base-url=\"{}\"", url("orders"))),
        "{text}"
    );
}

#[test]
fn a_variable_that_held_the_key_goes_with_it() {
    let header = key_header("@((string)context.Variables[\"k\"])");
    let variable = format!("<set-variable name=\"k\" value=\"{KEY}\" />");
    let mut e = with_policy(&inbound(&format!("{variable}{header}")));
    e.run_all(&e.plan());
    assert!(e.plan().is_empty() && e.plan().waiting.is_empty());
    let text = e.text(&api_policy("orders"));
    assert!(
        !text.contains("set-variable") && text.contains(&token(AUDIENCE)),
        "{text}"
    );
}

#[test]
fn a_variable_that_something_else_reads_stays() {
    let header = key_header("@((string)context.Variables[\"k\"])");
    let variable = format!("<set-variable name=\"k\" value=\"{KEY}\" />");
    let trace =
        "<trace source=\"x\"><message>@((string)context.Variables[\"k\"])</message></trace>";
    let mut e = with_policy(&inbound(&format!("{variable}{header}{trace}")));
    e.run_all(&e.plan());
    let text = e.text(&api_policy("orders"));
    assert!(
        text.contains("set-variable") && !text.contains(KEY),
        "{text}"
    );
    assert_row(
        &e.plan(),
        &[
            "namedValue:keyless-orders-",
            "still used by",
            "api:orders/policy",
        ],
    );
}

#[test]
fn a_header_whose_name_alone_sounds_like_a_credential_stays_and_is_told_of() {
    let tenant = "<set-header name=\"x-auth-mode\" exists-action=\"override\"><value>{{mode}}</value>\
                  </set-header>";
    let mut e = with_policy(&inbound(&format!("{}{tenant}", key_header(KEY))));
    e.named_value("g", "mode", "basic");
    let plan = runs_clean(&mut e);
    let reason = &step(&plan, "switch/apim:g/api:orders/policy").reason;
    assert!(e.text(&api_policy("orders")).contains("x-auth-mode"));
    assert!(reason.contains("set-header[2] stays"), "{reason}");
}

#[test]
fn an_operation_that_checks_the_callers_token_keeps_the_key_of_its_api() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    let jwt = "<validate-azure-ad-token tenant-id=\"t\" />";
    e.operation("orders", "read", Some(&inbound(jwt)));
    e.operation("orders", "write", None);
    let plan = e.plan();
    assert_row(
        &plan,
        &[
            "api:orders/policy",
            "operation:read/policy uses the Authorization",
        ],
    );
    assert!(plan.step("switch/apim:g/api:orders/policy").is_none());
}

#[test]
fn a_fragment_that_also_makes_answers_stays() {
    let include = "<include-fragment fragment-id=\"auth\" />";
    let text = inbound(include).replace("<outbound>", &format!("<outbound>{include}"));
    let mut e = with_policy(&text);
    let fragment = e.fragment("auth", &key_header(KEY));
    let plan = e.plan();
    assert_row(&plan, &["policyFragment:auth", "outside of `inbound`"]);
    assert!(plan.step(&format!("switch/{fragment}")).is_none());
}

#[test]
fn a_fragment_in_a_resolver_outside_is_shared() {
    let include = inbound("<include-fragment fragment-id=\"auth\" />");
    let mut e = with_policy(&include);
    e.fragment("auth", &key_header(KEY));
    let source = "<http-data-source><http-request><set-url>https://other.net</set-url>\
                  <include-fragment fragment-id=\"auth\" /></http-request></http-data-source>";
    e.resolver("g", "graph", "q", source);
    assert_row(&e.plan(), &["policyFragment:auth", "api:graph/resolver:q"]);
}

#[test]
fn a_role_that_waits_holds_up_the_switch() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    let scope = "/subscriptions/00000000-0000-0000-0000-000000000001".to_owned();
    let document = keyless_model::RoleAssignment {
        span: Span::default(),
        scope: scope.clone(),
        role: "acdd72a7-3385-48ef-bd42-f606fba81ae7".into(),
        principal: keyless_model::Principal::Gateway("g".into()),
    };
    e.desired.role_assignments.insert("r".into(), document);
    let hidden = keyless_model::Live::Unreadable("403".into());
    e.truth.assignments.insert(scope.clone(), hidden);
    let g = Address::gateway("g");
    e.truth.entities.get_mut(&g).unwrap().body["identity"]["principalId"] = json!(guid(9));
    assert_row(&e.plan(), &["rbac:r", "has not the role yet"]);
    none_switches(&e.plan());
    e.truth
        .assignments
        .insert(scope, keyless_model::Live::Present(vec![]));
    let plan = e.plan();
    let switch = step(&plan, "switch/apim:g/api:orders/policy");
    assert!(switch.needs.contains("grant/rbac:r"), "{:?}", switch.needs);
    runs_clean(&mut e);
}

#[test]
fn a_backend_document_waits_for_the_access() {
    let mut e = with_policy(&inbound("<set-backend-service backend-id=\"orders\" />"));
    let backend = e.backend(
        "orders",
        &url("orders"),
        json!({ "query": { "code": [KEY] } }),
    );
    let mut properties = serde_json::Map::new();
    properties.insert("title".into(), json!("Orders"));
    let resource = keyless_model::Resource {
        span: Span::default(),
        kind: "Backend",
        document: "orders".into(),
        address: backend.clone(),
        properties,
    };
    e.desired
        .resources
        .insert(backend.clone(), resource.clone());
    assert_row(
        &e.plan(),
        &["backend:orders", "the Access orders changes it"],
    );
    e.converge();
    assert_eq!(
        e.truth.entities[&backend].text("/properties/title"),
        Some("Orders")
    );
    let kept = json!({ "query": { "code": ["{{k}}"] } });
    let mut e = with_policy(&inbound("<set-backend-service backend-id=\"orders\" />"));
    e.secret_value("g", "k", KEY);
    e.backend("orders", &url("orders"), kept.clone());
    let mut resource = resource;
    resource.properties.insert("credentials".into(), kept);
    e.desired.resources.insert(backend.clone(), resource);
    assert_row(&e.plan(), &["backend:orders", "declares the credential"]);
    assert!(e.plan().step(&format!("switch/{backend}")).is_none());
}

#[test]
fn the_last_reference_goes_before_the_named_value_whoever_held_it() {
    let mut e = with_policy(&inbound(&key_header("{{shared}}")));
    let value = e.secret_value("g", "shared", KEY);
    e.http_api(
        "second",
        &url("orders"),
        Some(&inbound(&key_header("{{shared}}"))),
    );
    e.http_access("second", &["second"], &url("orders"));
    let plan = e.plan();
    let needs = &step(&plan, &format!("retire/{value}")).needs;
    for api in ["orders", "second"] {
        let id = format!("switch/apim:g/api:{api}/policy");
        assert!(needs.contains(&id), "{needs:?}");
    }
    // The other Access keeps what it needs to go back.
    *e.retire_of("second") = None;
    assert_row(&e.plan(), &["namedValue:shared", "the Access second"]);
}

#[test]
fn what_could_not_be_listed_may_use_anything() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.truth
        .unreadable
        .insert("apim:g/product:".into(), "403".into());
    assert_row(&e.plan(), &["apim:g", "each product", "403"]);
    none_switches(&e.plan());
}

#[test]
fn an_api_that_is_named_and_hides_where_it_leads_is_no_clean_result() {
    let mut e = Estate::web();
    e.secret_value("g", "where", &url("orders"));
    e.http_api("orders", "{{where}}", None);
    e.http_access("orders", &["orders"], &url("orders"));
    assert_row(&e.plan(), &["api:orders", "decides where its calls go"]);
    e.text_at(api_policy("orders"), &inbound(&token(AUDIENCE)));
    assert_eq!(rows(&e.plan()), [""; 0]);
}

#[test]
fn a_backend_that_asks_for_the_token_itself_needs_no_policy() {
    let mut e = with_policy(&inbound("<set-backend-service backend-id=\"orders\" />"));
    let credentials = |resource: &str| json!({ "managedIdentity": { "resource": resource }, "query": { "code": [KEY] } });
    let backend = e.backend("orders", &url("orders"), credentials(AUDIENCE));
    let plan = e.plan();
    step(&plan, &format!("switch/{backend}"));
    assert!(plan.step("switch/apim:g/api:orders/policy").is_none());
    e.run_all(&plan);
    assert!(e.plan().is_empty() && e.plan().waiting.is_empty());
    e.backend("orders", &url("orders"), credentials("api://wrong"));
    assert_row(
        &e.plan(),
        &["backend:orders", "asks for another token itself"],
    );
}

#[test]
fn a_declared_policy_that_keeps_the_key_goes_on_while_the_access_is_held_up() {
    let mut e = with_policy(&inbound(&key_header("{{k}}")));
    e.secret_value("g", "k", KEY);
    e.desired
        .http_accesses
        .get_mut("orders")
        .unwrap()
        .accepts_token = false;
    let more = "<rewrite-uri template=\"/v2\" />";
    let mut policy = Policy {
        span: Span::default(),
        gateway: "g".into(),
        scope: PolicyScope::Api("orders".into()),
        description: None,
        text: inbound(&format!("{}{more}", key_header("{{k}}"))),
    };
    e.desired.policies.insert("p".into(), policy.clone());
    step(&e.plan(), "switch/apim:g/api:orders/policy");
    // A token would be refused.
    policy.text = inbound(&token(AUDIENCE));
    e.desired.policies.insert("p".into(), policy);
    assert!(e.plan().step("switch/apim:g/api:orders/policy").is_none());
    assert_row(&e.plan(), &["api:orders/policy", "held up"]);
}

#[test]
fn a_key_in_another_document_of_a_switched_api_is_critical() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.operation("orders", "read", None);
    e.run_all(&e.plan());
    assert_eq!(e.drift(), []);
    e.operation("orders", "read", Some(&inbound(&key_header(KEY))));
    let found = e.drift();
    let told = found.iter().any(|f| {
        (f.code, f.severity) == ("KL0505", Severity::Critical)
            && f.address.as_str().contains("operation:read")
    });
    assert!(told, "{found:#?}");
    assert!(!format!("{found:?}").contains(KEY));
}
