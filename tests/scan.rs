//! What a scan finds beyond Contoso's own credentials, and with no manifest at all.

use crate::estate::Estate;

const SUBSCRIPTION: &str =
    "/subscriptions/0c0ffee0-0000-4000-8000-000000000001/resourceGroups/contoso-rg/providers";
const KEY: &str = "planted-key-Zm9vYmFyMTIzNDU2Nzg5";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_policy_of_an_api_is_found_without_manifests() {
    let seed = include_str!("direct/direct.seed").replace(
        r#"<set-header name="x-region" exists-action="override"><value>{{region}}</value>"#,
        &format!(
            r#"<set-header name="x-functions-key" exists-action="override"><value>{KEY}</value>"#
        ),
    );
    assert!(seed.contains(KEY));
    let estate = Estate::start(&seed, &[], &[KEY]).await;
    let gateway = format!("{SUBSCRIPTION}/Microsoft.ApiManagement/service/contoso-apim");
    let server = format!("{SUBSCRIPTION}/Microsoft.Sql/servers/contoso-orders-sql");
    let mut arguments = vec!["scan", "--gateway", &gateway, "--server", &server];
    let said = estate.keyless(&arguments).await.exits(2);
    let next = format!("next: keyless init --gateway {gateway} --server {server} writes");
    said.says(" critical, ").says(&next);
    arguments.extend(["--format", "json"]);
    let said = estate.keyless(&arguments).await.exits(2);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let found = report["findings"].as_array().unwrap();
    let at = |address: &str, rule: &str| {
        found
            .iter()
            .any(|f| f["address"] == address && f["rule"] == rule)
    };
    assert!(
        at("apim:contoso-apim/api:orders/policy", "KL0409"),
        "{report:#}"
    );
    assert!(
        at("apim:contoso-apim/namedValue:customers-db", "KL0402"),
        "{report:#}"
    );
    assert!(found.iter().any(|f| f["rule"] == "KL0405"), "{report:#}");
    assert!(found.iter().any(|f| f["rule"] == "KL0406"), "{report:#}");
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_another_service_is_refused() {
    let estate = Estate::start("tenant: 0c0ffee0-0000-4000-8000-0000000000ff", &[], &[]).await;
    let server = format!("{SUBSCRIPTION}/Microsoft.Sql/servers/contoso-orders-sql");
    estate
        .keyless(&["scan", "--gateway", &server])
        .await
        .exits(1)
        .says("KL0104");
    estate
        .keyless(&["scan", "--gateway", "contoso"])
        .await
        .exits(1)
        .says("KL0104");
    estate.keyless(&["scan"]).await.exits(1).says("KL0114");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_there_is_never_clean() {
    let estate = Estate::direct().await;
    let gateway = format!("{SUBSCRIPTION}/Microsoft.ApiManagement/service/contoso-apimx");
    estate
        .keyless(&["scan", "--gateway", &gateway])
        .await
        .exits(3)
        .says("apim:contoso-apimx")
        .says("does not exist");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_is_told_as_sarif_and_as_markdown() {
    let estate = Estate::direct().await;
    let said = estate
        .keyless(&["scan", "--format", "sarif"])
        .await
        .exits(2);
    let log: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert!(results.iter().any(|r| r["ruleId"] == "KL0402"), "{log:#}");
    for result in results {
        // With manifests each finding is shown at a document of them.
        let at = &result["locations"][0]["physicalLocation"];
        let file = at["artifactLocation"]["uri"].as_str().unwrap();
        assert!(file.starts_with("manifests/"), "{result:#}");
        assert!(at["region"]["startLine"].is_u64(), "{result:#}");
        assert!(result["partialFingerprints"]["keylessFinding/v1"].is_string());
    }
    let again = estate
        .keyless(&["scan", "--format", "sarif"])
        .await
        .exits(2);
    assert_eq!(said.out, again.out);
    let said = estate
        .keyless(&["scan", "--format", "markdown"])
        .await
        .exits(2);
    assert!(said.out.starts_with("### keyless scan\n"), "{}", said.out);
    assert!(said.out.contains("| KL0402 |"), "{}", said.out);
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_scan_has_a_sarif_form() {
    let estate = Estate::direct().await;
    for command in ["plan", "drift", "validate"] {
        let said = estate.keyless(&[command, "--format", "sarif"]).await;
        said.exits(1).says("only scan has a SARIF form");
    }
}
