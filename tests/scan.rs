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
    let arguments = [
        "scan",
        "--gateway",
        &gateway,
        "--server",
        &server,
        "--format",
        "json",
    ];
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
