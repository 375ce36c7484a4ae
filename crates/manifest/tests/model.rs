//! What documents become in the model: addresses, defaults, and what one document takes from
//! another.

#![expect(clippy::unwrap_used, reason = "the helpers of tests")]

use std::collections::BTreeSet;
use std::path::Path;

use keyless_manifest::{Environment, ReadError, Source, load};
use keyless_model::{
    Address, Auth, Canary, Desired, Evidence, Identity, Owned, PolicyScope, Principal, Replaced,
    Replaces, UserSid,
};
use serde_json::json;

/// A valid case beside `common.yaml`.
fn case(name: &str) -> Desired {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let source = |path: &str| Source {
        path: path.to_owned(),
        text: std::fs::read_to_string(folder.join(path)).unwrap(),
    };
    let sources = [source("common.yaml"), source(&format!("valid/{name}.yaml"))];
    let missing = |_: &str| Err(ReadError::Missing);
    load(&sources, &missing, &Environment::default()).unwrap()
}

#[test]
fn what_lies_in_a_gateway_has_the_addresses_that_are_compared() {
    let desired = case("whole-gateway");
    let gateway = &desired.gateways["second"];
    assert_eq!(
        gateway.user_identities,
        BTreeSet::from(["ops-mi".to_owned()])
    );
    let owned = [
        Owned::NamedValues,
        Owned::Backends,
        Owned::Apis,
        Owned::Policies,
        Owned::Fragments,
    ];
    assert_eq!(gateway.owns, BTreeSet::from(owned));
    assert_eq!(desired.identities["ops-mi"].id.name, "ops-mi");

    let addresses: Vec<&str> = desired.resources.keys().map(Address::as_str).collect();
    let wanted = [
        "apim:second/api:stock",
        "apim:second/api:stock/operation:get",
        "apim:second/api:stock;rev=1",
        "apim:second/backend:stock",
        "apim:second/product:partners",
    ];
    assert_eq!(addresses, wanted);
    let old = &desired.resources[&"apim:second/api:stock;rev=1".parse().unwrap()];
    assert_eq!((old.kind, old.document.as_str()), ("Api", "stock-old"));
    assert_eq!(old.properties["isCurrent"], json!(false));
    let backend = &desired.resources[&"apim:second/backend:stock".parse().unwrap()];
    assert_eq!(backend.properties["credentials"]["query"], json!(null));

    let product = PolicyScope::Product("partners".to_owned());
    assert_eq!(desired.policies["partners"].scope, product);
    assert_eq!(desired.policies["shared"].scope, PolicyScope::Service);
    let fragment = &desired.policies["fragment/shared"];
    assert_eq!(fragment.scope, PolicyScope::Fragment("shared".to_owned()));
    assert_eq!(fragment.description.as_deref(), Some("The key"));
    assert!(fragment.text.starts_with("<fragment>"));
}

#[test]
fn an_access_to_a_url_is_apart_and_asks_a_person_for_evidence() {
    let desired = case("whole-gateway");
    assert!(desired.accesses.is_empty());
    let read = &desired.http_accesses["stock-read"];
    assert_eq!(read.identity, Identity::User("ops-mi".to_owned()));
    assert_eq!(read.url, "https://stock.contoso.net");
    assert_eq!(read.audience, "api://stock");
    assert!(read.accepts_token && read.accepts_key);
    let replaced = [
        Replaced::NamedValue("stock-key".to_owned()),
        Replaced::Backend("stock".to_owned()),
    ];
    assert_eq!(read.replaces, Replaces::Listed(BTreeSet::from(replaced)));
    assert_eq!(read.prove.canary, Canary::Url);
    let url = &read.prove.request.as_ref().unwrap().url;
    assert_eq!(
        url.as_deref(),
        Some("https://probe.contoso.net/stock?page=1")
    );
    let probe = Auth::Subscription {
        name: "keyless-probe".to_owned(),
    };
    assert_eq!(read.prove.auth, Some(probe));
    let evidence = &read.retire.as_ref().unwrap().evidence;
    assert_eq!(evidence, &BTreeSet::from([Evidence::Approval]));

    let untold = &desired.http_accesses["untold"];
    assert_eq!(untold.identity, Identity::System);
    assert!(!untold.accepts_token && !untold.accepts_key);
    let audience = Auth::Audience {
        audience: "api://gateway".to_owned(),
    };
    assert_eq!(untold.prove.auth, Some(audience));
    assert_eq!(untold.replaces, Replaces::Derive);
}

#[test]
fn partners_share_their_administrator_and_nothing_else() {
    let desired = case("rights-and-network");
    let (west, north) = (&desired.servers["s-west"], &desired.servers["s-north"]);
    assert!(west.entra_admin.is_some());
    assert_eq!(north.entra_admin, west.entra_admin);
    assert_eq!(north.entra_only, Some(true));
    assert_eq!(desired.servers["orders-sql"].entra_admin, None);
    assert!(west.owns_firewall && west.prune && !north.owns_firewall);
    assert_eq!(north.auditing, None);
    let auditing = west.auditing.as_ref().unwrap();
    assert_eq!(
        auditing["auditActionsAndGroups"],
        json!(["BATCH_COMPLETED_GROUP"])
    );
    assert_eq!(auditing["retentionDays"], json!(0));
}

#[test]
fn rules_of_a_server_are_resources_and_those_of_a_database_are_not() {
    let desired = case("rights-and-network");
    let rule = &desired.resources[&"sql:s-west/firewallRule:gateway".parse().unwrap()];
    assert_eq!(rule.properties["endIpAddress"], json!("203.0.113.1"));
    assert_eq!(desired.resources.len(), 1);
    let rule = &desired.database_rules["gateway-db"];
    assert_eq!(rule.database.as_str(), "sql:s-west/db:orders");
    assert_eq!(
        (rule.rule.name.as_str(), rule.rule.end.as_str()),
        ("gateway", "203.0.113.9")
    );
}

#[test]
fn a_role_is_a_guid_whichever_way_it_is_named() {
    let desired = case("rights-and-network");
    let roles = &desired.role_assignments;
    assert_eq!(roles["vault"].role, "4633458b-17de-408a-b874-0445c86b69e6");
    assert_eq!(roles["ops"].role, roles["vault"].role);
    assert_eq!(
        roles["vault"].principal,
        Principal::Gateway("contoso".to_owned())
    );
    assert_eq!(
        roles["ops"].principal,
        Principal::Identity("ops-mi".to_owned())
    );
    let people = Principal::Known {
        object_id: "00000000-0000-0000-0000-0000000000ab".to_owned(),
        principal_type: "Group".to_owned(),
    };
    assert_eq!(roles["people"].principal, people);
    let identity = UserSid::Identity("ops-mi".to_owned());
    assert_eq!(desired.users["ops"].sid, identity);
}
