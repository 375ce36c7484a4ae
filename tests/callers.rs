//! An Access that demands who calls: nobody is shut out before a person says so, and then whoever
//! sends no such token.

use crate::caller::{answers, call, call_with, token};
use crate::estate::Estate;

const SERVICE: &str = "contoso-apim";
const QUERY: &str = "{ customer(id: 1) { id name } }";

#[tokio::test(flavor = "multi_thread")]
async fn only_callers_with_a_token_are_served_once_a_person_says_so() {
    let estate = Estate::direct().await;
    let access = include_str!("direct/access.yaml");
    let demanded = "  role: writer\n  callers: { audiences: [\"api://gateway\"] }\n";
    assert!(access.contains("  role: writer\n"));
    estate.write(
        "manifests/access.yaml",
        &access.replace("  role: writer\n", demanded),
    );
    estate.plan_and_apply().await;
    estate
        .keyless(&["plan", "-o", "plan.json"])
        .await
        .exits(2)
        .says("validate-azure-ad-token");
    let gate = "lock/apim:contoso/api:customers/callers/approved";
    estate
        .keyless(&["apply", "plan.json"])
        .await
        .exits(3)
        .says(gate);
    answers(&estate, SERVICE, "customers", QUERY).await;

    estate
        .keyless(&["approve", "plan.json", gate, "--by", "tester"])
        .await
        .exits(0);
    estate.keyless(&["apply", "plan.json"]).await.exits(3);
    assert_eq!(call(&estate, SERVICE, "customers", QUERY).await.0, 401);
    for (audience, status) in [("api://other", 401), ("api://gateway", 200)] {
        let token = Some(token(&estate, "platform-team", audience));
        let (found, body) = call_with(&estate, SERVICE, "customers", QUERY, token).await;
        assert_eq!(found, status, "{audience}: {body}");
    }
    answers(&estate, SERVICE, "orders", "{ orders { id status } }").await;
    estate.keeps_secrets();
}
