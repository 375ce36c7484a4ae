//! What only a search looks at: it is read by lists, without secrets, and a tier that has no such
//! things is no trouble.

use std::collections::BTreeSet;

use keyless_emulator::Fault;
use keyless_live::Reading;
use keyless_model::Snapshot;

use crate::support::{Harbour, at};

fn search() -> Reading {
    Reading {
        search: true,
        ..Reading::default()
    }
}

async fn estate() -> Harbour {
    Harbour::start_beside(include_str!("kept.yaml")).await
}

/// The addresses that the second read does not know.
fn beyond(one: &Snapshot, other: &Snapshot) -> Vec<String> {
    let known: BTreeSet<_> = other.entities.keys().collect();
    let new = one.entities.keys().filter(|a| !known.contains(a));
    new.map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_reads_more_than_a_plan_and_no_secret() {
    let harbour = estate().await;
    let plain = harbour.read(Reading::default()).await;
    let found = harbour.read(search()).await;
    assert_eq!(
        beyond(&found, &plain),
        [
            "apim:g/api:tides/diagnostic:applicationinsights",
            "apim:g/api:tides/schema:tide",
            // A revision takes these along.
            "apim:g/api:tides;rev=2/diagnostic:applicationinsights",
            "apim:g/api:tides;rev=2/schema:tide",
            "apim:g/authorizationProvider:charts",
            "apim:g/authorizationProvider:charts/authorization:service",
            "apim:g/authorizationServer:port",
            "apim:g/cache:default",
            "apim:g/certificate:old",
            "apim:g/diagnostic:applicationinsights",
            "apim:g/documentation:start",
            "apim:g/identityProvider:aad",
            "apim:g/openidConnectProvider:crew",
            "apim:g/portalSetting:delegation",
            "apim:g/schema:tide",
            "apim:g/subscription:crew",
            "apim:g/tenantAccess:access",
            "sql:s/alerts",
            "sql:s/assessment",
            "sql:s/auditing",
            "sql:s/db:charts/alerts",
            "sql:s/db:charts/assessment",
            "sql:s/db:charts/auditing",
            "sql:s/db:charts/syncGroup:ports",
            "sql:s/db:charts/syncGroup:ports/syncMember:south",
            "sql:s/jobAgent:nightly",
            "sql:s/jobAgent:nightly/credential:runner",
            "sql:s/supportAuditing",
            "sql:s/syncAgent:quay",
        ]
    );
    assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
    for address in beyond(&found, &plain) {
        let body = found.entities[&at(&address)].body.to_string();
        assert!(!body.contains("planted"), "{address} shows a secret");
    }
    // docs/scan.md tells what a search costs: here one gateway with three revisions of APIs and one
    // provider, one server with one agent, one database with one group.
    let cost = (12 + 3 * 2 + 1) + (6 + 1) + (4 + 1);
    assert_eq!(found.requests - plain.requests, cost);
    let cache = &found.entities[&at("apim:g/cache:default")];
    let text = cache.text("/properties/connectionString").unwrap();
    assert!(text.starts_with("{{"), "a cache refers to a named value");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_of_a_search_is_a_get() {
    let harbour = estate().await;
    harbour.emulator.reset_requests();
    harbour.read(search()).await;
    let requests = harbour.emulator.requests();
    let to_azure = requests.iter().filter(|r| r.host.starts_with("management"));
    let others: Vec<_> = to_azure.filter(|r| r.verb != "GET").collect();
    assert!(others.is_empty(), "{others:?}");
    // One list for the service, one for each revision of an API.
    assert_eq!(harbour.count("GET", "/harbour/schemas"), 1);
    assert_eq!(harbour.count("GET", "/schemas"), 4);
    assert_eq!(harbour.count("GET", "/securityAlertPolicies/Default"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tier_lacks_is_nothing_and_what_may_not_be_read_is_told() {
    let harbour = estate().await;
    let fault = |path: &str, status: u16, code: &str| {
        harbour.emulator.add_fault(Fault {
            verb: Some("GET".into()),
            path: path.into(),
            status,
            code: code.into(),
            times: 0,
            ..Fault::default()
        });
    };
    fault("/harbour/tenant", 400, "MethodNotAllowedInPricingTier");
    fault("/documentations", 404, "ResourceNotFound");
    fault("/caches", 403, "AuthorizationFailed");
    fault("/certificates", 400, "ValidationError");
    fault("/apis/tides/diagnostics", 403, "AuthorizationFailed");
    fault("/vulnerabilityAssessments", 404, "ResourceNotFound");
    fault(
        "harbour-sql/securityAlertPolicies",
        403,
        "AuthorizationFailed",
    );
    fault("/jobAgents", 403, "AuthorizationFailed");
    let found = harbour.read(search()).await;
    let told: Vec<&str> = found.unreadable.keys().map(String::as_str).collect();
    assert_eq!(
        told,
        [
            "apim:g/api:tides/diagnostic:",
            "apim:g/cache:",
            "apim:g/certificate:",
            "sql:s/alerts",
            "sql:s/jobAgent:",
        ]
    );
}
