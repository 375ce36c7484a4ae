//! What documents of a gateway, and of auditing, come to, one idea a test.

#![allow(clippy::unwrap_used, reason = "tests")]

mod estate;

use std::collections::BTreeSet;

use estate::Estate;
use estate::http::{inbound, url};
use estate::look::{ids, in_phase, needs, remarks, step, told, waits};
use estate::whole::{map, vault};
use keyless_model::{
    Address, Live, NamedValue, Owned, PolicyScope, Principal, Severity, Span, ValueSource,
};
use keyless_plan::{Class, Gate, Op, Phase, Undo};
use serde_json::json;

const KEY: &str = "Zx8-canary-key-0001";

fn root() -> Address {
    Address::gateway("contoso")
}

fn with_fragment() -> Estate {
    let mut e = Estate::small();
    for api in ["billing", "orders", "stock"] {
        e.api("contoso", api);
    }
    let include =
        "<policies><inbound><include-fragment fragment-id=\"auth\"/></inbound></policies>";
    for api in ["orders", "billing"] {
        let policy = root().child("api", api).part("policy");
        e.put(&policy, json!({ "value": include }));
    }
    e.put(
        &root().child("policyFragment", "auth"),
        json!({ "value": "<fragment />" }),
    );
    e
}

#[test]
fn a_shared_document_tells_which_apis_it_touches() {
    let mut e = with_fragment();
    let text = "<fragment><set-header name=\"x\"><value>1</value></set-header></fragment>";
    e.declare_policy("contoso", PolicyScope::Fragment("auth".into()), text);
    let all = "<policies><inbound><cors/></inbound></policies>";
    e.declare_policy("contoso", PolicyScope::Service, all);
    e.declare_policy("contoso", PolicyScope::Product("gold".into()), all);
    e.put(&root().child("product", "gold"), json!({}));
    e.put(
        &root().child("product", "gold").child("api", "stock"),
        json!({}),
    );
    e.declare_policy("contoso", PolicyScope::Api("stock".into()), all);
    let plan = e.plan();
    let of = |id: &str| remarks(step(&plan, id));
    assert_eq!(
        of("switch/apim:contoso/policyFragment:auth"),
        ["touches: billing, orders (2 APIs)"]
    );
    assert_eq!(
        of("switch/apim:contoso/policy"),
        ["touches: billing, orders, stock (3 APIs)"]
    );
    assert_eq!(
        of("switch/apim:contoso/product:gold/policy"),
        ["touches: stock (1 API)"]
    );
    assert_eq!(of("switch/apim:contoso/api:stock/policy"), [""; 0]);
}

#[test]
fn what_a_policy_refers_to_is_written_before_it_and_nothing_else() {
    let mut e = Estate::small();
    e.api("contoso", "orders");
    let value = json!({ "displayName": "region", "value": "eu", "secret": false });
    e.declare_value("contoso", "nv", value.clone());
    let other = json!({ "displayName": "other", "value": "1", "secret": false });
    e.declare_value("contoso", "nv2", other);
    let member = json!({ "url": "https://a.example/{{region}}", "protocol": "http" });
    e.declare("Backend", &root().child("backend", "member"), member);
    let pool = json!({ "type": "Pool", "pool": { "services": [{ "id": "/backends/member" }] } });
    e.declare("Backend", &root().child("backend", "a-pool"), pool);
    let fragment = "<fragment><set-backend-service backend-id=\"a-pool\"/></fragment>";
    e.declare_policy("contoso", PolicyScope::Fragment("route".into()), fragment);
    let text = "<policies><inbound><include-fragment fragment-id=\"route\"/></inbound></policies>";
    e.declare_policy("contoso", PolicyScope::Api("orders".into()), text);
    let plan = e.plan();
    let of = |word: &str| format!("switch/apim:contoso/{word}");
    needs(&plan, &of("backend:member"), &[&of("namedValue:nv")]);
    needs(&plan, &of("backend:a-pool"), &[&of("backend:member")]);
    needs(&plan, &of("policyFragment:route"), &[&of("backend:a-pool")]);
    needs(
        &plan,
        &of("api:orders/policy"),
        &[&of("policyFragment:route")],
    );
    assert!(
        !step(&plan, &of("backend:member"))
            .needs
            .contains(&of("namedValue:nv2"))
    );
    e.run_all(&plan);
    assert!(e.plan().is_empty());
}

#[test]
fn apis_and_operations_are_adopted_and_never_made() {
    let mut e = Estate::small();
    e.api("contoso", "orders");
    let api = root().child("api", "orders");
    e.declare(
        "Api",
        &api,
        json!({ "serviceUrl": "https://orders.example" }),
    );
    e.declare(
        "Api",
        &root().child("api", "gone"),
        json!({ "displayName": "Gone" }),
    );
    e.declare(
        "Operation",
        &api.child("operation", "gone"),
        json!({ "method": "GET" }),
    );
    let plan = e.plan();
    assert_eq!(
        in_phase(&plan, Phase::Switch),
        ["switch/apim:contoso/api:orders"]
    );
    assert!(matches!(
        step(&plan, "switch/apim:contoso/api:orders").undo,
        Undo::Put { .. }
    ));
    waits(&plan, &["api:gone", "keyless adopts APIs"]);
    waits(&plan, &["api:orders/operation:gone", "keyless adopts APIs"]);
    let in_gone = PolicyScope::Operation {
        api: "gone".into(),
        operation: "get".into(),
    };
    e.declare_policy("contoso", in_gone, "<policies/>");
    waits(&e.plan(), &["operation:get/policy", "is not there"]);
}

#[test]
fn no_key_of_a_backend_reaches_the_plan_and_overwriting_it_is_no_way_back() {
    let mut e = Estate::small();
    let backend = root().child("backend", "stock");
    let live = json!({ "url": format!("https://x.example/?code={KEY}"), "proxy": {
        "url": "http://proxy.example", "username": "u", "password": KEY,
    }, "credentials": {
        "header": { "x-functions-key": [KEY] }, "authorization": { "scheme": "Basic", "parameter": KEY },
    }});
    e.put(&backend, live);
    let wanted = json!({ "url": "https://x.example/", "proxy": null, "credentials": {
        "header": { "x-functions-key": ["{{key}}"] }, "authorization": null,
    }});
    e.declare("Backend", &backend, wanted);
    let plan = e.plan();
    assert!(!plan.to_json().contains(KEY), "{}", plan.to_json());
    assert!(plan.to_json().contains("{{key}}"));
    let write = step(&plan, "switch/apim:contoso/backend:stock");
    assert!(matches!(write.undo, Undo::Never { .. }), "{:?}", write.undo);
    let found = e.drift();
    assert!(!format!("{found:?}").contains(KEY));
    // All of them at once.
    e.declare("Backend", &backend, json!({ "credentials": null }));
    let plan = e.plan();
    assert!(!plan.to_json().contains(KEY), "{}", plan.to_json());
    step(&plan, "switch/apim:contoso/backend:stock");
}

#[test]
fn a_secret_of_the_environment_is_sent_and_never_compared() {
    let mut e = Estate::small();
    let document = NamedValue {
        span: Span::default(),
        gateway: "contoso".into(),
        name: "partner".into(),
        properties: map(json!({})),
        value_from: Some(ValueSource::Environment("PARTNER".into())),
    };
    e.desired.named_values.insert("partner".into(), document);
    assert_eq!(ids(&e.plan()), ["switch/apim:contoso/namedValue:partner"]);
    e.run_all(&e.plan());
    assert!(e.plan().is_empty());
}

fn with_reference() -> Estate {
    let mut e = Estate::small();
    e.declare_reference("contoso", "partner", "kv");
    e.declare_role("reader", &vault("kv"), Principal::Gateway("contoso".into()));
    e
}

#[test]
fn a_key_vault_reference_waits_for_the_roles_of_its_identity_and_is_healthy_before_it_is_used() {
    let mut e = with_reference();
    let group = vault("kv").split("/providers").next().unwrap().to_owned();
    e.declare_role("group", &group, Principal::Gateway("contoso".into()));
    e.declare_role(
        "elsewhere",
        &vault("other"),
        Principal::Gateway("contoso".into()),
    );
    let text = "<policies><inbound><set-header name=\"k\"><value>{{partner}}</value></set-header>\
                </inbound></policies>";
    e.declare_policy("contoso", PolicyScope::Service, text);
    let plan = e.plan();
    let value = "switch/apim:contoso/namedValue:partner";
    needs(&plan, value, &["grant/rbac:reader", "grant/rbac:group"]);
    assert!(!step(&plan, value).needs.contains("grant/rbac:elsewhere"));
    let health = format!("{value}/health");
    needs(&plan, &health, &[value]);
    needs(&plan, "switch/apim:contoso/policy", &[value, &health]);
    let Op::Gate { gate } = &step(&plan, &health).op else {
        panic!("no gate")
    };
    let named_value = root().child("namedValue", "partner");
    assert_eq!(*gate, Gate::KeyVault { named_value });
    e.run_all(&plan);
    assert!(e.plan().is_empty());
}

#[test]
fn a_reference_whose_role_waits_is_not_written() {
    let mut e = with_reference();
    let why = Live::Unreadable("forbidden".into());
    e.truth.assignments.insert(vault("kv").to_lowercase(), why);
    let plan = e.plan();
    assert_eq!(ids(&plan), [""; 0]);
    waits(&plan, &["namedValue:partner", "rbac:reader"]);
    waits(&plan, &["rbac:reader", "forbidden", "roleAssignments/read"]);
    assert_eq!(told(&e.drift(), "rbac:reader").0, Class::Unreadable);
}

#[test]
fn a_reference_that_does_not_read_is_a_finding_and_proven_once_its_role_is_given() {
    let mut e = with_reference();
    let address = root().child("namedValue", "partner");
    let mut body = e.desired.named_values["partner"].properties.clone();
    body["keyVault"]["lastStatus"] = json!({ "code": "Forbidden" });
    e.put(&address, body.clone().into());
    let plan = e.plan();
    assert_eq!(
        ids(&plan),
        [
            "grant/rbac:reader",
            "switch/apim:contoso/namedValue:partner/health"
        ]
    );
    needs(&plan, ids(&plan)[1], &["grant/rbac:reader"]);
    e.run_all(&plan);
    // The service has not tried again yet: a finding, and nothing for keyless to do.
    assert!(e.plan().is_empty());
    let place = "apim:contoso/namedValue:partner";
    assert_eq!(told(&e.drift(), place), (Class::Drifted, Severity::High));
    body["keyVault"]["lastStatus"] = json!({ "code": "Success" });
    e.put(&address, body.into());
    assert_eq!(e.drift(), []);
}

#[test]
fn auditing_comes_first_and_its_loss_is_grave() {
    let mut e = Estate::small();
    let auditing = json!({ "state": "Enabled", "auditActionsAndGroups": ["B", "A"] });
    e.desired.servers.get_mut("sql").unwrap().auditing = Some(map(auditing));
    let address = Address::server("sql").part("auditing");
    e.put(&address, json!({ "state": "Disabled", "retentionDays": 0 }));
    e.declare_admin("sql");
    let plan = e.plan();
    assert_eq!(ids(&plan)[0], "observe/sql:sql/auditing");
    e.run_all(&plan);
    let body = &e.truth.entities[&address].body["properties"];
    assert_eq!(
        (&body["state"], &body["retentionDays"]),
        (&json!("Enabled"), &json!(0))
    );
    assert!(e.plan().is_empty());
    e.set(&address, "/properties/state", json!("Disabled"));
    assert_eq!(
        told(&e.drift(), "sql:sql/auditing"),
        (Class::Drifted, Severity::High)
    );
}

fn owning(e: &mut Estate, prune: bool) {
    let document = e.desired.gateways.get_mut("contoso").unwrap();
    document.prune = prune;
    document.owns = BTreeSet::from([
        Owned::NamedValues,
        Owned::Backends,
        Owned::Apis,
        Owned::Policies,
        Owned::Fragments,
    ]);
}

#[test]
fn everything_undeclared_in_owned_scopes_is_found_and_pruned_in_order() {
    let mut e = Estate::small();
    e.api("contoso", "old");
    let api = root().child("api", "old");
    e.put(
        &root().child("api", "old;rev=2"),
        json!({ "isCurrent": false }),
    );
    let text = "<policies><inbound><include-fragment fragment-id=\"f\"/></inbound></policies>";
    e.put(&api.part("policy"), json!({ "value": text }));
    let route = "<fragment><set-backend-service backend-id=\"b\"/></fragment>";
    e.put(
        &root().child("policyFragment", "f"),
        json!({ "value": route }),
    );
    let backend = json!({ "url": "https://{{host}}/" });
    e.put(&root().child("backend", "b"), backend);
    e.named_value("contoso", "host", "b.example");
    e.named_value("contoso", "Logger-Credentials-1", "x");
    e.put(&api.child("operation", "get"), json!({}));
    owning(&mut e, false);
    let places = [
        "apim:contoso/api:old/policy",
        "apim:contoso/api:old;rev=2",
        "apim:contoso/api:old",
        "apim:contoso/policyFragment:f",
        "apim:contoso/backend:b",
        "apim:contoso/namedValue:host",
    ];
    let found = e.drift();
    assert_eq!(found.len(), places.len(), "{found:#?}");
    for place in places {
        assert_eq!(told(&found, place), (Class::Unmanaged, Severity::Warning));
    }
    assert!(e.plan().is_empty());
    owning(&mut e, true);
    let plan = e.plan();
    assert_eq!(ids(&plan), places.map(|place| format!("retire/{place}")));
    e.run_all(&plan);
    assert_eq!((e.plan().is_empty(), e.drift()), (true, vec![]));
}

#[test]
fn what_is_used_offered_declared_or_keyless_s_own_is_not_pruned() {
    let mut e = with_fragment();
    owning(&mut e, true);
    e.access("read", "contoso", &["orders"], "sql", "orders");
    // A product offers this one, a document speaks of the next, an Access chooses the third.
    e.put(
        &root().child("product", "gold").child("api", "stock"),
        json!({}),
    );
    let operation = root().child("api", "billing").child("operation", "get");
    e.declare("Operation", &operation, json!({}));
    e.put(&operation, json!({}));
    let by_expression = "<policies><inbound><set-backend-service backend-id=\"@(&quot;b1&quot;)\"/>\
                         </inbound></policies>";
    e.put(&operation.part("policy"), json!({ "value": by_expression }));
    e.declare_policy(
        "contoso",
        PolicyScope::Operation {
            api: "billing".into(),
            operation: "get".into(),
        },
        by_expression,
    );
    e.put(
        &root().child("backend", "b1"),
        json!({ "url": "https://b1.example" }),
    );
    let pool = json!({ "pool": { "services": [{ "id": "/backends/b2" }] } });
    e.put(
        &root().child("backend", "b2"),
        json!({ "url": "https://b2.example" }),
    );
    e.put(&root().child("backend", "pool"), pool);
    e.declare("Backend", &root().child("backend", "pool"), json!({}));
    let own = root().child("namedValue", "keyless-lost-0123456789ab");
    e.put(
        &own,
        json!({ "displayName": "keyless-lost-0123456789ab", "tags": ["keyless"] }),
    );
    let plan = e.plan();
    let deleted: Vec<&str> = in_phase(&plan, Phase::Retire);
    assert_eq!(deleted, ["retire/apim:contoso/api:billing/policy"]);
    waits(&plan, &["api:stock", "product:gold"]);
    waits(&plan, &["backend:b1", "operation:get/policy"]);
    waits(&plan, &["backend:b2", "backend:pool"]);
    waits(&plan, &["policyFragment:auth", "Access read"]);
    waits(&plan, &["api:orders/policy", "Access read"]);
    let found = e.drift();
    assert!(
        !found
            .iter()
            .any(|f| f.address == root().child("api", "billing"))
    );
    assert_eq!(told(&found, own.as_str()).0, Class::Unmanaged);
}

#[test]
fn a_backend_whose_id_nobody_sees_and_the_policy_of_the_service_are_not_pruned() {
    for id in ["{{bid}}", "@(&quot;bl&quot; + &quot;ue&quot;)"] {
        let mut e = Estate::small();
        let policy = format!(
            "<policies><inbound><set-backend-service backend-id=\"{id}\"/></inbound></policies>"
        );
        e.put(&root().part("policy"), json!({ "value": policy }));
        e.put(
            &root().child("backend", "blue"),
            json!({ "url": "https://blue.example" }),
        );
        e.named_value("contoso", "bid", "blue");
        owning(&mut e, true);
        let plan = e.plan();
        assert!(
            !ids(&plan).contains(&"retire/apim:contoso/backend:blue"),
            "{id}: {:#?}",
            ids(&plan)
        );
        assert!(!ids(&plan).contains(&"retire/apim:contoso/policy"), "{id}");
        waits(&plan, &["backend:blue", "apim:contoso/policy"]);
        waits(&plan, &["apim:contoso/policy", "every call"]);
    }
}

#[test]
fn what_a_switch_no_longer_needs_is_pruned_only_after_that_switch() {
    let mut e = Estate::web();
    let key = inbound(
        "<set-header name=\"x-functions-key\" exists-action=\"override\">\
         <value>{{stray}}</value></set-header>",
    );
    e.http_api("orders", &url("orders"), Some(&key));
    let value = e.secret_value("g", "stray", "Zq8kLm2fPvr9Xn4tYb7WcJd1mHs6Ge5U");
    // The list names none of it, so the Access does not take it away itself.
    e.http_access("orders", &["orders"], &url("orders"))
        .replaces = keyless_model::Replaces::Listed(BTreeSet::new());
    let gateway = e.desired.gateways.get_mut("g").unwrap();
    gateway.owns = BTreeSet::from([Owned::NamedValues]);
    gateway.prune = true;
    let plan = e.plan();
    let id = format!("retire/{value}");
    needs(&plan, &id, &["switch/apim:g/api:orders/policy"]);
}

#[test]
fn a_changed_resource_drifts_and_a_lost_one_is_missing() {
    let mut e = Estate::small();
    let backend = root().child("backend", "stock");
    e.declare(
        "Backend",
        &backend,
        json!({ "url": "https://x.example", "protocol": "http" }),
    );
    assert_eq!(
        told(&e.drift(), backend.as_str()),
        (Class::Pending, Severity::Info)
    );
    e.run_all(&e.plan());
    assert_eq!(e.drift(), []);
    e.set(&backend, "/properties/url", json!("https://evil.example"));
    assert_eq!(told(&e.drift(), backend.as_str()).0, Class::Drifted);
    e.truth.entities.remove(&backend);
    assert_eq!(told(&e.drift(), backend.as_str()).0, Class::Missing);
    e.truth
        .unreadable
        .insert("apim:contoso/backend:".into(), "forbidden".into());
    waits(&e.plan(), &["backend:stock", "forbidden"]);
}

#[test]
fn a_declared_backend_loses_its_key_only_once_its_callers_send_a_token() {
    let text = inbound("<set-backend-service backend-id=\"orders\" />");
    let mut e = Estate::web();
    e.http_api("orders", "", Some(&text));
    let header = json!({ "header": { "x-functions-key": [KEY] } });
    let backend = e.backend("orders", &url("orders"), header);
    e.http_access("orders", &["orders"], &url("orders"));
    let wanted = json!({ "url": url("orders"), "credentials": { "header": null } });
    e.declare("Backend", &backend, wanted);
    let plan = e.plan();
    let write = format!("switch/{backend}");
    needs(&plan, &write, &["switch/apim:g/api:orders/policy"]);
    e.run_all(&plan);
    assert!(e.plan().is_empty(), "{:#?}", ids(&e.plan()));
}
