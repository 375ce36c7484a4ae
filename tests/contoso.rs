//! Contoso whole: databases and services behind one gateway, from keys in seventeen places to none
//! that an Access covers, while every API is called all the time.

use crate::estate::{Estate, Said};

const WEEK: i64 = 7 * 86_400 + 60;

/// Accesses to services that take tokens, by the host that they reach.
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

async fn keyless(estate: &Estate, arguments: &[&str]) -> Said {
    estate.under_traffic(estate.keyless(arguments)).await
}

async fn approve_and_apply(estate: &Estate) -> Said {
    let approve = ["approve", "plan.json", "--all", "--by", "tester"];
    keyless(estate, &approve).await.exits(0);
    keyless(estate, &["apply", "plan.json", "--allow-irreversible"]).await
}

/// From the first plan to the last apply.
async fn carry_out(estate: &Estate) {
    keyless(estate, &["plan", "-o", "plan.json"]).await.exits(2);
    keyless(estate, &["apply", "plan.json"]).await.exits(3);
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
    let scan = keyless(&estate, &["scan", "--format", "json"]).await;
    let found: serde_json::Value = serde_json::from_str(&scan.out).unwrap();
    let places: std::collections::BTreeSet<String> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| format!("{} {}", f["address"], f["place"]))
        .collect();
    assert!(places.len() >= 16, "{places:#?}");

    carry_out(&estate).await;

    // What is left is the partner, whose service takes no tokens.
    let plan = keyless(&estate, &["plan"]).await.exits(3);
    assert!(plan.out.contains("No changes"), "{}", plan.out);
    assert_eq!(plan.out.matches("\n  ? ").count(), 1, "{}", plan.out);
    assert!(plan.out.contains("access:partner"), "{}", plan.out);
    for name in SERVICES {
        let calls = estate.emulator.calls(&format!("{name}.contoso.example"));
        let last = format!("{:?}", calls.last);
        assert!(last.contains("Token"), "{name} saw {last} last");
    }

    let scan = keyless(&estate, &["scan"]).await;
    for gone in [
        "KL0401", "KL0402", "KL0403", "KL0404", "KL0408", "KL0411", "KL0412", "KL0418",
    ] {
        assert!(!scan.out.contains(gone), "{gone} is still in\n{}", scan.out);
    }
    keyless(&estate, &["drift"]).await.exits(0).says("Clean");
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
