//! Documents of the same plan that turn calls elsewhere, or take a credential away.

use super::*;

fn orders() -> Address {
    Address::gateway("g").child("api", "orders")
}

fn writes(plan: &Plan, address: &Address) -> bool {
    let step = plan.steps.iter().find(|s| s.address == *address);
    step.is_some_and(|s| !s.is_gate())
}

#[test]
fn an_access_waits_for_a_document_that_turns_its_calls_elsewhere() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.secret_value("g", "host", "orders.example");
    let elsewhere = json!({ "serviceUrl": "https://elsewhere.example" });
    e.declare("Api", &orders(), elsewhere);
    let plan = e.plan();
    waits(&plan, &["api:orders", "documents of the same plan"]);
    assert!(writes(&plan, &orders()), "{:#?}", ids(&plan));
    assert!(!writes(&plan, &api_policy("orders")), "{:#?}", ids(&plan));
    e.run_all(&plan);
    let plan = e.plan();
    waits(&plan, &["none of its ways leads"]);
    assert!(!writes(&plan, &api_policy("orders")));
}

#[test]
fn an_access_follows_a_document_that_brings_its_calls_to_it() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.http_api(
        "orders",
        "https://old.example",
        Some(&inbound(&key_header(KEY))),
    );
    e.declare("Api", &orders(), json!({ "serviceUrl": url("orders") }));
    e.run_all(&e.plan());
    let plan = e.plan();
    assert!(writes(&plan, &api_policy("orders")), "{:#?}", rows(&plan));
}

#[test]
fn no_document_sends_a_token_elsewhere() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    runs_clean(&mut e);
    let elsewhere = json!({ "serviceUrl": "https://elsewhere.example" });
    e.declare("Api", &orders(), elsewhere);
    let plan = e.plan();
    waits(
        &plan,
        &["api:orders", "carry the token of the Access orders"],
    );
    assert!(!writes(&plan, &orders()));
    // Nor a policy, a backend or a named value.
    e.desired.resources.clear();
    let text = "<set-backend-service base-url=\"https://elsewhere.example\" />";
    e.declare_policy("g", PolicyScope::Service, &inbound(text));
    let plan = e.plan();
    waits(&plan, &["apim:g/policy", "carry the token"]);
    assert!(!writes(&plan, &Address::gateway("g").part("policy")));
    e.desired.policies.clear();
    assert!(e.plan().is_empty());
}

#[test]
fn a_backend_keeps_the_key_that_its_access_has_to_leave() {
    let own = inbound("<set-backend-service backend-id=\"orders\" />");
    let mut e = with_policy(&own);
    e.secret_value("g", "k", KEY);
    let key = json!({ "query": { "code": ["{{k}}"] } });
    let backend = e.backend("orders", &url("orders"), key);
    e.http_api("stock", &url("orders"), Some(&own));
    let dropped = json!({ "credentials": { "query": { "code": null } } });
    e.declare("Backend", &backend, dropped);
    let plan = e.plan();
    waits(&plan, &["backend:orders", "also used by", "stock"]);
    waits(&plan, &["backend:orders", "has to leave its key"]);
    assert!(!writes(&plan, &backend));
}

#[test]
fn a_variable_that_an_inner_document_reads_stays() {
    let set = format!("<set-variable name=\"key\" value=\"{KEY}\" />");
    let read = "@((string)context.Variables[\"key\"])";
    let mut e = with_policy(&inbound(&format!("{set}{}", key_header(read))));
    let answer = format!("<set-header name=\"x-seen\"><value>{read}</value></set-header>");
    let inner = inbound("").replace("<outbound>", &format!("<outbound>{answer}"));
    e.operation("orders", "get", Some(&inner));
    e.run_all(&e.plan());
    let text = e.text(&api_policy("orders"));
    assert!(text.contains("<set-variable name=\"key\""), "{text}");
    assert!(text.contains(&token(AUDIENCE)), "{text}");
}

/// A policy that fetches a token with a secret and sends it to the service, and what else it does
/// with it.
fn fetching(more: &str) -> String {
    inbound(&format!(
        "<send-request mode=\"new\" response-variable-name=\"answer\">\
         <set-url>https://login.microsoftonline.com/t/oauth2/v2.0/token</set-url>\
         <set-method>POST</set-method>\
         <set-body>grant_type=client_credentials&amp;client_id=x&amp;client_secret={KEY}</set-body>\
         </send-request>\
         <set-variable name=\"token\" value=\"@(((IResponse)context.Variables[\"answer\"])\
         .Body.As<JObject>()[\"access_token\"].ToString())\" />\
         <set-header name=\"Authorization\" exists-action=\"override\">\
         <value>@(\"Bearer \" + (string)context.Variables[\"token\"])</value></set-header>{more}"
    ))
}

#[test]
fn a_fetched_token_that_something_else_reads_stays() {
    let log = "<trace source=\"x\"><message>@((string)context.Variables[\"token\"])</message>\
               </trace>";
    let e = with_policy(&fetching(log));
    let plan = e.plan();
    waits(
        &plan,
        &["api:orders/policy", "the variable", "read elsewhere"],
    );
    none_switches(&plan);
    // Without that reader all of it goes.
    let e = with_policy(&fetching(""));
    assert!(writes(&e.plan(), &api_policy("orders")));
}

#[test]
fn a_fetched_token_that_goes_to_two_places_stays() {
    let other = "<send-one-way-request mode=\"new\"><set-url>https://audit.example</set-url>\
                 <set-header name=\"Authorization\" exists-action=\"override\">\
                 <value>@(\"Bearer \" + (string)context.Variables[\"token\"])</value></set-header>\
                 </send-one-way-request>";
    let e = with_policy(&fetching(other));
    let plan = e.plan();
    waits(&plan, &["api:orders/policy", "more than one place"]);
    none_switches(&plan);
}

#[test]
fn a_key_that_comes_back_where_it_cannot_be_switched_is_critical() {
    let mut e = with_policy(&inbound("<include-fragment fragment-id=\"f\" />"));
    let fragment = e.fragment("f", &key_header(KEY));
    runs_clean(&mut e);
    assert_eq!(e.drift(), []);
    e.fragment("f", &format!("{}{}", token(AUDIENCE), key_header(KEY)));
    let other = inbound("<include-fragment fragment-id=\"f\" />");
    e.http_api("partner", "https://partner.example", Some(&other));
    let found = e.drift();
    let told = found
        .iter()
        .find(|f| f.address == fragment && f.code == "KL0505");
    let told = told.unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(
        (told.class, told.severity),
        (Class::Drifted, Severity::Critical)
    );
}

#[test]
fn a_key_is_not_declared_away_where_calls_may_need_it() {
    // A hidden value decides where the calls go, and the service takes no token.
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.secret_value("g", "host", "orders.contoso.net");
    e.http_api(
        "orders",
        "https://{{host}}/api",
        Some(&inbound(&key_header(KEY))),
    );
    let access = e.http_access("orders", &["orders"], &url("orders"));
    access.accepts_token = false;
    e.declare_policy(
        "g",
        PolicyScope::Api("orders".into()),
        &inbound(&token(AUDIENCE)),
    );
    let plan = e.plan();
    assert!(!writes(&plan, &api_policy("orders")), "{:#?}", ids(&plan));
    waits(&plan, &["api:orders/policy", "has to leave its key"]);
}

#[test]
fn a_token_goes_before_its_calls_are_turned() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.http_api("stock", &url("orders"), Some(&inbound(&key_header(KEY))));
    e.http_access("orders", &["orders", "stock"], &url("orders"));
    runs_clean(&mut e);
    e.http_access("orders", &["stock"], &url("orders"));
    e.declare(
        "Api",
        &orders(),
        json!({ "serviceUrl": "https://elsewhere.example" }),
    );
    e.declare_policy("g", PolicyScope::Api("orders".into()), &inbound(""));
    for _ in 0..3 {
        let plan = e.plan();
        for step in &plan.steps {
            e.run(step);
            assert_eq!(services().astray(&e), None, "after {}", step.id);
        }
    }
    assert_eq!(
        e.truth.entities[&orders()].text("/properties/serviceUrl"),
        Some("https://elsewhere.example")
    );
    assert!(e.plan().is_empty(), "{:#?}", rows(&e.plan()));
}
