//! What cannot be switched, and says why.

use super::*;

#[test]
fn a_service_that_takes_no_tokens_waits() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.desired
        .http_accesses
        .get_mut("orders")
        .unwrap()
        .accepts_token = false;
    waits(&e.plan(), &["access:orders", "takes tokens", "`accepts`"]);
    none_switches(&e.plan());
}

#[test]
fn a_self_hosted_gateway_that_serves_the_api_holds_it_up() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    let served = Address::gateway("g")
        .child("gateway", "x")
        .child("api", "orders");
    e.truth.entities.insert(served, entity(json!({})));
    waits(&e.plan(), &["gateway:x/api:orders", "self-hosted"]);
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
    waits(&e.plan(), &["api:orders/policy", "longer than 16384"]);
}

#[test]
fn an_api_that_leads_elsewhere_is_no_clean_result() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.http_api("orders", "https://elsewhere.net", None);
    waits(&e.plan(), &["api:orders", "none of its ways leads to"]);
    none_switches(&e.plan());
}

#[test]
fn an_api_whose_url_is_hidden_waits() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.secret_value("g", "where", &url("orders"));
    e.http_api("orders", "{{where}}", None);
    let policy = inbound(&key_header(KEY));
    e.text_at(api_policy("orders"), &policy);
    waits(
        &e.plan(),
        &["api:orders", "decides where its calls go", "plain text"],
    );
    none_switches(&e.plan());
}

#[test]
fn a_name_that_is_not_there_holds_the_access_up() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.http_access("orders", &["orders", "ordres"], &url("orders"));
    waits(&e.plan(), &["api:ordres", "not in the gateway"]);
    none_switches(&e.plan());
}

#[test]
fn two_accesses_that_ask_for_different_tokens_hold_each_other_up() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.http_access("second", &[], &url("orders")).audience = "api://other".into();
    let plan = e.plan();
    waits(&plan, &["the Access second asks for another token"]);
    waits(&plan, &["the Access orders asks for another token"]);
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
    waits(
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
fn the_service_policy_stays_while_workspaces_run_through_it() {
    let mut e = with_policy(&inbound(""));
    let service = Address::gateway("g").part("policy");
    let text = inbound(&key_header(KEY)).replace("<base />", "");
    e.text_at(service, &text);
    assert!(e.plan().step("switch/apim:g/policy").is_some());
    let workspace = Address::gateway("g").child("workspace", "team");
    e.truth.entities.insert(workspace, entity(json!({})));
    let plan = e.plan();
    waits(
        &plan,
        &["apim:g/policy", "the APIs of apim:g/workspace:team"],
    );
    assert!(plan.step("switch/apim:g/policy").is_none());
}

#[test]
fn the_graph_shows_the_keys_of_an_access_that_is_held_up() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.http_access("orders", &["orders"], &url("orders"))
        .accepts_token = false;
    let plan = e.plan();
    none_switches(&plan);
    let drawn = keyless_plan::graph(&e.desired, Some((&e.truth, &plan)));
    let policy = &drawn.nodes["apim:g/api:orders/policy"];
    assert_eq!(policy.way, keyless_plan::Way::Key);
}
