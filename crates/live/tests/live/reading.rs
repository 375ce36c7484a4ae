//! One read of everything: what is found, what is not there, what is hidden, and what it costs.

use std::collections::BTreeSet;

use keyless_emulator::Fault;
use keyless_live::Reading;
use keyless_model::{Entity, Live, Snapshot};

use crate::support::{Harbour, at, service, vault};

fn whole() -> Reading {
    Reading {
        search: true,
        role_scopes: BTreeSet::from([vault()
            .to_uppercase()
            .replace("/SUBSCRIPTIONS", "/subscriptions")]),
        ..Reading::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_has_its_address() {
    let harbour = Harbour::start().await;
    let found = harbour.read(whole()).await;
    // The named value that the logger brought along has a name of the service's own making.
    let hidden = |e: &Entity| {
        let name = e.text("/properties/displayName");
        name.is_some_and(|n| n.starts_with("Logger-Credentials"))
    };
    let shown = found.entities.iter().filter(|(_, e)| !hidden(e));
    let addresses: Vec<&str> = shown.map(|(a, _)| a.as_str()).collect();
    assert_eq!(
        addresses,
        [
            "apim:g",
            "apim:g/api:charts",
            "apim:g/api:charts/resolver:chart",
            "apim:g/api:charts/resolver:chart/policy",
            "apim:g/api:tides",
            "apim:g/api:tides/operation:now",
            "apim:g/api:tides/operation:now/policy",
            "apim:g/api:tides/policy",
            "apim:g/api:tides;rev=2",
            "apim:g/api:tides;rev=2/operation:now",
            "apim:g/api:tides;rev=2/operation:now/policy",
            "apim:g/api:tides;rev=2/policy",
            "apim:g/backend:tides",
            "apim:g/gateway:yard",
            "apim:g/gateway:yard/api:tides",
            "apim:g/identity",
            "apim:g/logger:insights",
            "apim:g/namedValue:lamp",
            "apim:g/namedValue:region",
            "apim:g/policy",
            "apim:g/policyFragment:trace",
            "apim:g/product:crews",
            "apim:g/product:crews/api:tides",
            "apim:g/product:crews/policy",
            "apim:g/subscription:crew",
            "apim:g/workspace:north",
            "identity:pilot",
            "sql:s",
            "sql:s/auditing",
            "sql:s/db:charts/auditing",
            "sql:s/entraAdmin",
            "sql:s/entraOnly",
            "sql:s/firewallRule:office"
        ]
    );
    assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
    let text = |address: &str, pointer: &str| {
        let entity = &found.entities[&at(address)];
        entity.text(pointer).unwrap_or_default().to_owned()
    };
    assert_eq!(
        text("apim:g/api:tides;rev=2", "/properties/serviceUrl"),
        "https://old.harbour.localhost"
    );
    assert!(text("apim:g/policyFragment:trace", "/properties/value").contains("\"traceparent\""));
    assert_eq!(
        text("identity:pilot", "/properties/clientId"),
        "0ba5e000-0000-4000-8000-0000000000d1"
    );
    let catalogue = found.catalogue(&at("sql:s/db:charts"));
    let rules = &catalogue.present().unwrap().firewall_rules;
    assert_eq!(rules.len(), 1);
    assert_eq!(
        (rules[0].name.as_str(), rules[0].start.as_str()),
        ("quay", "10.1.0.1")
    );
    let Some(Live::Present(roles)) = found.assignments.get(&vault().to_lowercase()) else {
        panic!("{:?}", found.assignments);
    };
    let principals: Vec<_> = roles
        .iter()
        .filter_map(|r| r.text("/properties/principalId"))
        .collect();
    assert!(
        principals.contains(&"0ba5e000-0000-4000-8000-0000000000d0"),
        "{principals:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_costs_a_page_and_a_text_costs_a_request() {
    let harbour = Harbour::start().await;
    harbour.emulator.reset_requests();
    let found = harbour.read(Reading::default()).await;
    let policies = found
        .entities
        .keys()
        .filter(|a| matches!(a.last().0, "policy" | "policyFragment"));
    let policies = policies.count();
    let requests = harbour.emulator.requests();
    let sent = |end: &str| {
        requests
            .iter()
            .filter(|r| r.path.ends_with(end))
            .map(|r| r.count)
            .sum::<u64>()
    };
    // Three named values and seven policies make more than one page of two.
    assert_eq!((sent("/namedValues"), sent("/allPolicies")), (2, 4));
    assert_eq!(
        sent("/policies/policy") + sent("/policyFragments/trace"),
        policies as u64
    );
    // Once for each API or product, not for each of their things.
    assert_eq!(
        (sent("/revisions"), sent("/operations"), sent("/resolvers")),
        (2, 3, 1)
    );
    assert_eq!(sent("/apis/tides/operations/now"), 0);
    // What only a search looks at is not asked for.
    for end in [
        "/subscriptions",
        "/caches",
        "/tenant",
        "/apis/tides/schemas",
        "/jobAgents",
    ] {
        assert_eq!(sent(end), 0, "{end}");
    }
    assert_eq!(
        (
            sent("/auditingSettings/default"),
            sent("/extendedAuditingSettings/default")
        ),
        (0, 0)
    );
    let to_azure = requests.iter().filter(|r| r.host.starts_with("management"));
    let all: u64 = to_azure.map(|r| r.count).sum();
    assert_eq!(found.requests as u64, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_reads_of_the_same_estate_are_equal() {
    let harbour = Harbour::start().await;
    let (one, two) = (harbour.read(whole()).await, harbour.read(whole()).await);
    assert_eq!(one.entities.len(), two.entities.len());
    for (address, entity) in &one.entities {
        assert!(two.entities[address].body == entity.body, "{address}");
    }
    assert_eq!((one.databases, one.logins), (two.databases, two.logins));
    assert_eq!(
        (one.assignments, one.unreadable),
        (two.assignments, two.unreadable)
    );
    assert_eq!(one.requests, two.requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tier_does_not_have_is_absent_and_what_is_forbidden_is_unreadable() {
    let harbour = Harbour::start().await;
    let refused = |path: &str, status: u16, code: &str| Fault {
        verb: Some("GET".into()),
        path: path.into(),
        status,
        code: code.into(),
        times: 0,
        ..Fault::default()
    };
    let fault =
        |path: &str, status, code: &str| harbour.emulator.add_fault(refused(path, status, code));
    fault("/workspaces", 400, "MethodNotAllowedInPricingTier");
    fault("/gateways", 400, "MethodNotAllowedInPricingTier");
    fault("/backends", 403, "AuthorizationFailed");
    fault("/apis/tides/revisions", 403, "AuthorizationFailed");
    fault("/firewallRules", 403, "AuthorizationFailed");
    let found = harbour.read(Reading::default()).await;
    let scopes: Vec<&str> = found.unreadable.keys().map(String::as_str).collect();
    assert_eq!(
        scopes,
        [
            "apim:g/api:tides/revisions",
            "apim:g/backend:",
            "sql:s/firewallRule:"
        ]
    );
    assert!(matches!(
        found.get(&at("apim:g/workspace:north")),
        Live::Absent
    ));
    assert!(matches!(
        found.get(&at("apim:g/backend:tides")),
        Live::Unreadable(_)
    ));
    assert!(matches!(
        found.get(&at("apim:g/api:tides/policy")),
        Live::Present(_)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_index_every_scope_is_asked_and_nothing_is_missed() {
    let harbour = Harbour::start().await;
    let with = harbour.read(Reading::default()).await;
    harbour.emulator.add_fault(Fault {
        verb: Some("GET".into()),
        path: format!("{}/allPolicies", service()),
        status: 404,
        code: "ResourceNotFound".into(),
        ..Fault::default()
    });
    let without = harbour.read(Reading::default()).await;
    assert!(with.entities.keys().eq(without.entities.keys()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_apis_with_every_revision_in_it_reads_alike() {
    let current = Harbour::start().await.read(Reading::default()).await;
    let every = Harbour::start_with(", listRevisions: true").await;
    let every = every.read(Reading::default()).await;
    // The name of the logger's named value is the service's own.
    let named = |s: &Snapshot| {
        let addresses = s.entities.keys().filter(|a| a.last().0 != "namedValue");
        addresses.cloned().collect::<Vec<_>>()
    };
    assert_eq!(named(&current), named(&every));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_is_not_there_has_no_assignments_and_a_hidden_one_is_unreadable() {
    let harbour = Harbour::start().await;
    let gone = vault().replace("harbour", "nowhere");
    for (vault, status, code) in [
        ("harbour-kv", 403, "AuthorizationFailed"),
        ("nowhere-kv", 404, "ResourceNotFound"),
    ] {
        harbour.emulator.add_fault(Fault {
            verb: Some("GET".into()),
            path: format!("vaults/{vault}/providers/Microsoft.Authorization"),
            status,
            code: code.into(),
            ..Fault::default()
        });
    }
    let reading = Reading {
        role_scopes: BTreeSet::from([gone.clone(), vault()]),
        ..Reading::default()
    };
    let found = harbour.read(reading).await;
    assert_eq!(found.assignments[&gone.to_lowercase()], Live::Absent);
    assert!(matches!(
        found.assignments[&vault().to_lowercase()],
        Live::Unreadable(_)
    ));
}
