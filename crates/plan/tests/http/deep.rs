//! Chains, variables, resolvers and other deep places.

use super::*;

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
    waits(
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
    waits(
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
    waits(&plan, &["policyFragment:auth", "outside of `inbound`"]);
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
    waits(&e.plan(), &["policyFragment:auth", "api:graph/resolver:q"]);
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
    waits(&e.plan(), &["rbac:r", "has not the role yet"]);
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
    waits(
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
    waits(&e.plan(), &["backend:orders", "declares the credential"]);
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
    waits(&e.plan(), &["namedValue:shared", "the Access second"]);
}

#[test]
fn what_could_not_be_listed_may_use_anything() {
    let mut e = with_policy(&inbound(&key_header(KEY)));
    e.truth
        .unreadable
        .insert("apim:g/product:".into(), "403".into());
    waits(&e.plan(), &["apim:g", "each product", "403"]);
    none_switches(&e.plan());
}

#[test]
fn an_api_that_is_named_and_hides_where_it_leads_is_no_clean_result() {
    let mut e = Estate::web();
    e.secret_value("g", "where", &url("orders"));
    e.http_api("orders", "{{where}}", None);
    e.http_access("orders", &["orders"], &url("orders"));
    waits(&e.plan(), &["api:orders", "decides where its calls go"]);
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
    waits(
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
    waits(&e.plan(), &["api:orders/policy", "held up"]);
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
