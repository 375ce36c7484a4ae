//! First manifests of an estate that has none: written once, valid, without a secret, and good for
//! a first plan.

use std::fs;

use crate::estate::{Estate, Said};

const GROUP: &str =
    "/subscriptions/0c0ffee0-0000-4000-8000-000000000001/resourceGroups/contoso-rg/providers";

fn gateway() -> String {
    format!("{GROUP}/Microsoft.ApiManagement/service/contoso-apim")
}

fn server(name: &str) -> String {
    format!("{GROUP}/Microsoft.Sql/servers/contoso-{name}-sql")
}

const FILE: &str = "manifests/contoso-apim.yaml";

async fn init(estate: &Estate, servers: &[&str], more: &[&str]) -> Said {
    let gateway = gateway();
    let servers: Vec<String> = servers.iter().map(|s| server(s)).collect();
    let mut arguments = vec!["init", "--gateway", &gateway];
    for id in &servers {
        arguments.extend(["--server", id]);
    }
    arguments.extend(more);
    estate.keyless(&arguments).await
}

fn written(estate: &Estate) -> String {
    fs::read_to_string(estate.path().join(FILE)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_manifests_gets_them_and_a_first_plan() {
    let estate = Estate::direct().await.without_manifests();
    let said = init(&estate, &["orders", "billing"], &[]).await.exits(0);
    said.says("1 gateway, 2 servers, 2 databases, 2 Accesses")
        .says("query-invoice")
        .says("--inspect-secrets")
        .says("next: read it, then keyless plan");
    let text = written(&estate);
    estate.has_no_secret(FILE, &text);
    assert!(text.contains("role: writer"), "{text}");
    assert!(text.contains("# entraAdmin: {"), "{text}");

    let valid = estate.keyless(&["validate"]).await.exits(0);
    valid.says("7 documents are valid");
    let plan = estate.keyless(&["plan"]).await.exits(2);
    plan.says("api:orders/resolver:query-order/policy")
        .says("api:customers/resolver:mutation-rename/policy");
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_connection_string_is_followed_when_asked_for() {
    let estate = Estate::direct().await.without_manifests();
    let more = ["--inspect-secrets"];
    let said = init(&estate, &["orders", "billing"], &more).await.exits(0);
    said.says("2 servers, 3 databases, 3 Accesses");
    let text = written(&estate);
    estate.has_no_secret(FILE, &text);
    assert!(text.contains("{ namedValue: billing-db }"), "{text}");
    // Nobody can read that server's logins yet.
    assert!(text.contains("# billing_app logs in there."), "{text}");
    estate.keyless(&["validate"]).await.exits(0);
    let plan = estate.keyless(&["plan"]).await.exits(2);
    plan.says("to move billing-db to the identity");

    // The commented line is all that is missing.
    let admin = text
        .replace(
            "# entraAdmin: { login: NAME",
            "entraAdmin: { login: sql-admins",
        )
        .replace(
            "sid: 00000000-0000-0000-0000-000000000000",
            "sid: 0c0ffee0-0000-4000-8000-0000000000aa",
        );
    assert_ne!(admin, text);
    estate.write(FILE, &admin);
    let plan = estate.keyless(&["plan"]).await.exits(2);
    plan.says("+ sql:contoso-billing-sql/entraAdmin");
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_named_is_asked_for() {
    let estate = Estate::direct().await.without_manifests();
    let said = init(&estate, &[], &["--stdout"]).await.exits(0);
    assert!(said.out.contains("kind: Gateway"), "{}", said.out);
    assert!(!said.out.contains("kind: Access"), "{}", said.out);
    let host = "SQL server contoso-orders-sql.database.localhost";
    assert!(said.out.contains(host), "{}", said.out);
    assert!(said.err.contains(host), "{}", said.err);
    assert!(said.err.contains("--server ID"), "{}", said.err);
    assert!(!estate.path().join("manifests").exists());
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_is_written_over() {
    let estate = Estate::direct().await.without_manifests();
    estate.write(FILE, "# mine\n");
    let said = init(&estate, &["orders"], &[]).await.exits(1);
    said.says("KL0309").says(FILE);
    assert_eq!(written(&estate), "# mine\n");
    let gone = server("gone");
    let arguments = ["init", "--gateway", &gone];
    let said = estate.keyless(&arguments).await.exits(1);
    said.says("KL0104");
    let other = format!("{}x", gateway());
    let arguments = ["init", "--gateway", &other];
    let said = estate.keyless(&arguments).await.exits(1);
    said.says("does not exist");
    assert!(!estate.path().join("manifests/contoso-apimx.yaml").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_that_a_key_opens_gets_an_access() {
    let estate = Estate::contoso().await.without_manifests();
    init(&estate, &["orders", "billing"], &[]).await.exits(0);
    let text = written(&estate);
    estate.has_no_secret(FILE, &text);
    for host in [
        "shipping.contoso",
        "inventory.contoso",
        "pricing.contoso",
        "payments.contoso",
        "returns.contoso",
        "rewards.contoso",
        "catalog.contoso",
        "search.contoso",
        "legacy.contoso",
        "warehouse.contoso",
        "ops.contoso",
        "api.partner",
    ] {
        let url = format!("    url: https://{host}.example\n");
        assert_eq!(text.matches(&url).count(), 1, "{host}\n{text}");
    }
    assert!(!text.contains("status.contoso"), "{text}");
    assert!(text.contains("accepts: [key]\n"), "{text}");
    assert!(text.contains("apim:contoso-apim/api:billing/resolver:query-invoice"));

    let plan = estate.keyless(&["plan"]).await.exits(2);
    for name in ["orders-db", "ledger-db", "shipping", "rewards"] {
        assert!(plan.out.contains(name), "{name}\n{}", plan.out);
    }
    // A service that comes to take tokens needs one word more.
    let token = text.replace("accepts: [key]", "accepts: [key, token]");
    estate.write(FILE, &token);
    let plan = estate.keyless(&["plan"]).await.exits(2);
    for place in [
        "switch\n",
        "api:shipping/policy",
        "policyFragment:rewards-key",
        "backend:inventory",
        "product:internal/policy",
        "api:legacy",
    ] {
        assert!(plan.out.contains(place), "{place}\n{}", plan.out);
    }
    estate.keeps_secrets();
}
