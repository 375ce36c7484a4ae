//! What a scan finds beyond Contoso's own credentials, and with no manifest at all.

use keyless_emulator::Fault;

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

/// The direct path, and beside it what Azure keeps and shows to nobody.
fn with_kept() -> String {
    let kept = include_str!("direct/kept.yaml")
        .replace(
            "{svc}",
            &format!("{SUBSCRIPTION}/Microsoft.ApiManagement/service/contoso-apim"),
        )
        .replace(
            "{sql}",
            &format!("{SUBSCRIPTION}/Microsoft.Sql/servers/contoso-orders-sql"),
        );
    let seed = include_str!("direct/direct.seed");
    let with = seed.replace("\nsql:\n", &format!("\n{kept}sql:\n"));
    assert!(with.contains("planted-kept-hub"));
    with
}

#[tokio::test(flavor = "multi_thread")]
async fn what_azure_keeps_is_told_and_never_asked_for() {
    let estate = Estate::direct_with(&with_kept()).await;
    estate.emulator.reset_requests();
    let said = estate.keyless(&["scan", "--format", "json"]).await.exits(2);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let found = report["findings"].as_array().unwrap();
    let told: Vec<String> = found
        .iter()
        .map(|f| {
            let part = |name: &str| f[name].as_str().unwrap().to_owned();
            [part("rule"), part("address"), part("severity")].join(" ")
        })
        .collect();
    for expected in [
        "KL0415 apim:contoso/cache:default warning",
        "KL0416 apim:contoso/documentation:start warning",
        "KL0425 apim:contoso/authorizationProvider:graph warning",
        "KL0426 apim:contoso/subscriptions info",
        "KL0427 apim:contoso/tenantAccess:access warning",
        "KL0430 apim:contoso/diagnostic:applicationinsights warning",
        "KL0433 sql:orders-sql/jobAgent:nightly/credential:runner warning",
        "KL0434 sql:orders-sql/db:orders/syncGroup:shops warning",
    ] {
        assert!(
            told.iter().any(|t| t == expected),
            "{expected} in {told:#?}"
        );
    }
    let requests = estate.requests();
    let asked = |end: &str| requests.iter().any(|(_, path, _)| path.ends_with(end));
    assert!(asked("/tenant") && !asked("/listSecrets") && !asked("/listKeys"));
    for format in ["text", "sarif", "markdown"] {
        estate
            .keyless(&["scan", "--format", format])
            .await
            .exits(2)
            .says("KL0427");
    }
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_may_not_be_read_is_told_as_not_searched() {
    let estate = Estate::direct().await;
    for path in ["/caches", "/jobAgents"] {
        estate.emulator.add_fault(Fault {
            verb: Some("GET".into()),
            path: path.into(),
            status: 403,
            code: "AuthorizationFailed".into(),
            times: 0,
            ..Fault::default()
        });
    }
    let said = estate.keyless(&["scan"]).await.exits(2);
    said.says("not searched apim:contoso/cache:")
        .says("not searched sql:orders-sql/jobAgent:");
}
