//! Contoso whole: databases and services behind one gateway, from keys in every place that scan
//! knows to none that an Access covers, while every API is called all the time.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::estate::{Estate, Said};

const WEEK: i64 = 7 * 86_400 + 60;

/// Accesses to services that take tokens; each is called like the host that it reaches.
const SERVICES: [&str; 11] = [
    "shipping",
    "inventory",
    "pricing",
    "payments",
    "returns",
    "rewards",
    "catalog",
    "search",
    "legacy",
    "warehouse",
    "ops",
];

/// Where the credentials stand at first.
const EMBEDDED: [&str; 21] = [
    // Connection strings as literals, in an old revision as well.
    "KL0401 api:orders/resolver:query-order/policy /sql-data-source/connection-info/connection-string",
    "KL0401 api:orders/resolver:query-orders/policy /sql-data-source/connection-info/connection-string",
    "KL0401 api:orders;rev=2/resolver:query-order/policy /sql-data-source/connection-info/connection-string",
    // In named values: a plain one, the password of a literal by reference, a secret one.
    "KL0402 namedValue:customers-db /properties/value",
    "KL0403 namedValue:ledger-password /properties/value",
    "KL0404 namedValue:billing-db /properties/value",
    "KL0408 api:returns/policy /policies/inbound/authentication-basic/@password",
    // Keys in policies: in C#, of an operation, in an old revision, a comment, a fragment, a
    // product.
    "KL0409 api:catalog/policy /policies/inbound/set-header/value",
    "KL0409 api:search/operation:find/policy /policies/inbound/set-query-parameter/value",
    "KL0409 api:shipping/policy /policies/inbound/set-header/value",
    REMEMBERED,
    "KL0409 api:shipping;rev=2/policy /policies/inbound/set-header/value",
    "KL0409 policyFragment:rewards-key /fragment/set-header/value",
    "KL0409 product:internal/policy /policies/inbound/set-header/value",
    // Backends, the URL of a service, named values that headers send, and documentation.
    "KL0411 backend:inventory /properties/credentials/header/x-functions-key/0",
    "KL0411 backend:payments /properties/credentials/authorization/parameter",
    "KL0411 backend:pricing /properties/credentials/query/code/0",
    "KL0412 api:legacy /properties/serviceUrl",
    "KL0413 namedValue:ops-key /properties/value",
    "KL0413 namedValue:partner-key /properties/value",
    "KL0416 api:search/operation:find /properties/request/headers/0/defaultValue",
];

/// The password of long ago in a comment, which scan tells and no Access touches.
const REMEMBERED: &str = "KL0409 api:shipping/policy comment";

/// Codes of credentials that stand in the gateway.
const CODES: [&str; 12] = [
    "KL0401", "KL0402", "KL0403", "KL0404", "KL0408", "KL0409", "KL0411", "KL0412", "KL0413",
    "KL0414", "KL0415", "KL0416",
];

/// The credentials in the gateway that a scan finds. One that Key Vault keeps is information only.
async fn embedded(estate: &Estate) -> BTreeSet<String> {
    let scan = keyless(estate, &["scan", "--format", "json"]).await;
    let found: Value = serde_json::from_str(&scan.out).unwrap();
    let findings = found["findings"].as_array().unwrap().iter();
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    findings
        .filter(|f| CODES.contains(&f["rule"].as_str().unwrap()) && f["severity"] != "info")
        .map(|f| {
            let address = text(f, "address").replace("apim:contoso/", "");
            format!("{} {address} {}", text(f, "rule"), text(f, "place"))
        })
        .collect()
}

fn set(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|one| (*one).to_owned()).collect()
}

/// The Accesses that are switched or retired.
async fn keyless_accesses(estate: &Estate) -> BTreeSet<String> {
    accesses_with(estate, "switchedAt").await
}

/// The Accesses of which the state has this time.
async fn accesses_with(estate: &Estate, mark: &str) -> BTreeSet<String> {
    let state = estate.keyless(&["state", "--format", "json"]).await;
    let state: Value = serde_json::from_str(&state.out).unwrap();
    let accesses = state["accesses"].as_object().unwrap().iter();
    accesses
        .filter(|(_, one)| one[mark].is_string())
        .map(|(name, _)| name.clone())
        .collect()
}

/// What a plan that changes nothing says is held up: the Access, why, and what comes next.
async fn held_up(estate: &Estate) -> Vec<String> {
    let plan = keyless(estate, &["plan", "--format", "json"])
        .await
        .exits(3);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    assert_eq!(plan["steps"], serde_json::json!([]));
    let waiting = plan["waiting"].as_array().unwrap().iter();
    waiting
        .map(|one| {
            assert!(one["next"].is_string(), "{one:#}");
            let text = |field: &str| one[field].as_str().unwrap();
            format!("{}: {}", text("access"), text("why"))
        })
        .collect()
}

async fn keyless(estate: &Estate, arguments: &[&str]) -> Said {
    estate.under_traffic(estate.keyless(arguments)).await
}

async fn approve_and_apply(estate: &Estate) -> Said {
    let approve = ["approve", "plan.json", "--all", "--by", "tester"];
    keyless(estate, &approve).await.exits(0);
    let apply = ["apply", "plan.json", "--allow-irreversible", "--verbose"];
    keyless(estate, &apply).await
}

/// From the first plan to the last apply.
async fn carry_out(estate: &Estate) {
    // Every request and answer of the job is told, and searched for secrets in the end.
    let plan = ["plan", "-o", "plan.json", "--verbose"];
    keyless(estate, &plan).await.exits(2).says("verb=\"GET\"");
    let apply = ["apply", "plan.json", "--verbose"];
    keyless(estate, &apply).await.exits(3).says("verb=\"PUT\"");
    // The second server has an administrator by now, so its databases can be read.
    keyless(estate, &["plan", "-o", "plan.json"]).await.exits(2);
    keyless(estate, &["apply", "plan.json"]).await.exits(3);
    approve_and_apply(estate).await.exits(3);
    for _ in 0..2 {
        estate.emulator.advance(WEEK);
        keyless(estate, &["apply", "plan.json"]).await.exits(3);
        approve_and_apply(estate).await.exits(3);
    }
    approve_and_apply(estate).await.exits(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn contoso_whole_becomes_keyless_and_no_call_fails() {
    let estate = Estate::contoso().await;
    assert_eq!(embedded(&estate).await, set(&EMBEDDED));

    carry_out(&estate).await;

    // What is left is the partner, whose service takes no tokens.
    assert_eq!(
        held_up(&estate).await,
        ["partner: nothing says that the service takes tokens"]
    );
    let databases = [
        "orders-read",
        "customers-write",
        "billing-read",
        "ledger-read",
    ];
    assert_eq!(
        keyless_accesses(&estate).await,
        set(&[&SERVICES[..], &databases].concat())
    );
    for name in SERVICES {
        let calls = estate.emulator.calls(&format!("{name}.contoso.example"));
        let last = format!("{:?}", calls.last);
        assert!(last.contains("Token"), "{name} saw {last} last");
    }
    estate.sent_tokens_to_targets_alone();

    assert_eq!(embedded(&estate).await, set(&[REMEMBERED]));
    let scan = keyless(&estate, &["scan"]).await;
    assert!(!scan.out.contains("KL0418"), "{}", scan.out);
    let drift = keyless(&estate, &["drift", "--verbose"]).await.exits(0);
    drift.says("Clean").says("verb=\"GET\"");
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_manifests_serve_another_environment() {
    let estate = Estate::contoso().await;
    estate.write(
        "environments/prod.yaml",
        include_str!("../environments/prod.yaml"),
    );
    let prod = estate.keyless(&["validate", "--env", "prod"]).await;
    prod.exits(0).says("documents are valid");
    let shown = estate.keyless(&["render", "--env", "prod"]).await.exits(0);
    assert!(shown.out.contains("contoso-prod-apim"), "{}", shown.out);
    assert!(
        shown.out.contains("environments/prod.yaml:"),
        "{}",
        shown.out
    );
    let unknown = estate.keyless(&["validate", "--env", "prdo"]).await;
    unknown.exits(1).says("KL0116").says("prod");
}

/// Runs one phase: its exit code, and what plan and apply said.
async fn phase(estate: &Estate, word: &str) -> (i32, String) {
    let apply = ["apply", "--only-phase", word, "--auto-approve", "--verbose"];
    let said = estate.keyless(&apply).await;
    (said.code, format!("{}{}", said.out, said.err))
}

#[tokio::test(flavor = "multi_thread")]
async fn phases_can_be_run_one_after_the_other() {
    let estate = Estate::direct().await;
    for word in ["identify", "grant", "park", "prove", "switch"] {
        let (code, said) = phase(&estate, word).await;
        // Rows of later phases are held up all the while.
        assert!(code == 0 || code == 3, "{word}: {said}");
        assert!(!said.contains("--only-phase leaves out"), "{word}: {said}");
    }
    // The third declares no request, so that a person is asked, in the part that switches it.
    assert_eq!(keyless_accesses(&estate).await.len(), 2);
    let switch = ["plan", "--only-phase", "switch", "-o", "switch.json"];
    estate.keyless(&switch).await.exits(2);
    let apply = ["apply", "switch.json"];
    let waits = estate.keyless(&apply).await.exits(3);
    waits.says("prove/apim:contoso/access:billing-read");
    let approve = ["approve", "switch.json", "--all", "--by", "tester"];
    estate.keyless(&approve).await.exits(0);
    estate.keyless(&apply).await;
    assert_eq!(keyless_accesses(&estate).await.len(), 3);
    // The soak has begun, and waits for time alone.
    let (code, said) = phase(&estate, "confirm").await;
    assert!(code == 3 && said.contains("no login of"), "{said}");
    estate.emulator.advance(WEEK);
    for word in ["confirm", "disable"] {
        phase(&estate, word).await;
    }
    let (_, said) = phase(&estate, "disable").await;
    assert!(!said.contains("which --only-phase leaves out"), "{said}");
    let disabled = accesses_with(&estate, "disabledAt").await;
    assert_eq!(disabled.len(), 3, "{said}");
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_the_plan_can_be_chosen_shown_and_drawn() {
    let estate = Estate::contoso().await;
    let shipping = "apim:contoso/access:shipping";
    let part = estate
        .keyless(&["plan", "--target", shipping, "-o", "part.json"])
        .await
        .exits(2);
    assert!(part.out.contains("api:shipping/policy"), "{}", part.out);
    assert!(!part.out.contains("api:orders"), "{}", part.out);
    let none = estate
        .keyless(&["plan", "--target", "apim:contoso/api:x"])
        .await;
    none.exits(1).says("KL0308").says("apim:contoso/api:");
    let first = [
        "plan",
        "--only-phase",
        "observe",
        "--only-phase",
        "identify",
    ];
    let first = estate.keyless(&first).await.exits(2);
    assert!(!first.out.contains("\n  switch"), "{}", first.out);
    // Every grant needs the identity that this leaves out.
    let grants = ["plan", "--only-phase", "grant"];
    let grants = estate.keyless(&grants).await.exits(3);
    grants.says("which --only-phase leaves out");
    let wrong = "apim:shop/access:shipping";
    let wrong = estate.keyless(&["plan", "--target", wrong]).await;
    wrong.exits(1).says("KL0308").says(shipping);

    let markdown = ["plan", "--show", "part.json", "--format", "markdown"];
    let markdown = estate.keyless(&markdown).await.exits(2);
    assert!(
        markdown.out.contains("### keyless plan"),
        "{}",
        markdown.out
    );
    assert!(markdown.out.len() <= 65_536);

    for form in ["svg", "mermaid", "dot"] {
        let graph = estate.keyless(&["graph", "--as", form]).await.exits(0);
        assert!(graph.out.contains("keyless_orders-read"), "{}", graph.out);
    }
    let live = estate
        .keyless(&["graph", "--live", "--as", "mermaid"])
        .await;
    assert!(live.exits(0).out.contains(":::key"));
    estate.keeps_secrets();
}
