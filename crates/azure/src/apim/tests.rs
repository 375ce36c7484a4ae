use keyless_model::ArmId;
use serde_json::json;

use super::*;
use crate::request::{Verb, system_identity, user_assigned_identity};

const SERVICE: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/\
                       providers/Microsoft.ApiManagement/service/contoso";

fn contoso() -> ArmId {
    ArmId::parse(SERVICE).unwrap()
}

/// Verb, path below the service, query without the version, If-Match.
fn seen(request: Result<Request, ArmError>) -> (Verb, String, Vec<(String, String)>, String) {
    seen_in("2024-05-01", request)
}

/// The same for a request of another version.
fn seen_in(
    version: &str,
    request: Result<Request, ArmError>,
) -> (Verb, String, Vec<(String, String)>, String) {
    let request = request.unwrap();
    let rest = request.path.strip_prefix(SERVICE).unwrap().to_owned();
    let (versions, query): (Vec<_>, Vec<_>) = request
        .query
        .into_iter()
        .partition(|(k, _)| k == "api-version");
    assert_eq!(versions, [("api-version".to_owned(), version.to_owned())]);
    (
        request.verb,
        rest,
        query,
        request.if_match.unwrap_or_default(),
    )
}

fn plain(verb: Verb, rest: &str) -> (Verb, String, Vec<(String, String)>, String) {
    (verb, rest.to_owned(), vec![], String::new())
}

fn with_etag(verb: Verb, rest: &str) -> (Verb, String, Vec<(String, String)>, String) {
    (verb, rest.to_owned(), vec![], "\"e1\"".to_owned())
}

#[test]
fn reads_go_to_the_documented_paths() {
    let id = contoso();
    let get = |rest: &str| plain(Verb::Get, rest);
    assert_eq!(seen(service(&id)), get(""));
    assert_eq!(seen(named_values(&id)), get("/namedValues"));
    assert_eq!(
        seen(named_value(&id, "orders-db")),
        get("/namedValues/orders-db")
    );
    assert_eq!(seen(apis(&id)), get("/apis"));
    assert_eq!(seen(api(&id, "orders;rev=2")), get("/apis/orders;rev=2"));
    assert_eq!(
        seen(revisions(&id, "orders")),
        get("/apis/orders/revisions")
    );
    assert_eq!(
        seen(operations(&id, "orders")),
        get("/apis/orders/operations")
    );
    assert_eq!(
        seen(operation(&id, "orders", "get")),
        get("/apis/orders/operations/get")
    );
    assert_eq!(seen(products(&id)), get("/products"));
    assert_eq!(seen(product(&id, "gold")), get("/products/gold"));
    assert_eq!(seen(product_apis(&id, "gold")), get("/products/gold/apis"));
    assert_eq!(seen(gateways(&id)), get("/gateways"));
    assert_eq!(seen(gateway_apis(&id, "shop")), get("/gateways/shop/apis"));
    assert_eq!(seen(loggers(&id)), get("/loggers"));
    assert_eq!(seen(subscriptions(&id)), get("/subscriptions"));
    assert_eq!(seen(workspaces(&id)), get("/workspaces"));
    assert_eq!(
        seen(resolvers(&id, "orders")),
        get("/apis/orders/resolvers")
    );
    assert_eq!(
        seen(resolver(&id, "orders", "q")),
        get("/apis/orders/resolvers/q")
    );
    assert_eq!(seen(all_policies(&id)), get("/allPolicies"));
}

#[test]
fn writes_carry_verb_path_and_etag() {
    let id = contoso();
    let body = || json!({});
    let tag = Some("\"e1\"");
    assert_eq!(seen(patch_service(&id, body())), plain(Verb::Patch, ""));
    assert_eq!(
        seen(put_named_value(&id, "nv", body(), tag)),
        with_etag(Verb::Put, "/namedValues/nv")
    );
    assert_eq!(
        seen(delete_named_value(&id, "nv", "\"e1\"")),
        with_etag(Verb::Delete, "/namedValues/nv")
    );
    assert_eq!(
        seen(named_value_secret(&id, "nv")),
        plain(Verb::Post, "/namedValues/nv/listValue")
    );
    assert_eq!(
        seen(refresh_named_value(&id, "nv")),
        plain(Verb::Post, "/namedValues/nv/refreshSecret")
    );
    assert_eq!(
        seen(put_api(&id, "orders;rev=2", body(), None)),
        plain(Verb::Put, "/apis/orders;rev=2")
    );
    assert_eq!(
        seen(patch_api(&id, "orders;rev=2", body(), "\"e1\"")),
        with_etag(Verb::Patch, "/apis/orders;rev=2")
    );
    assert_eq!(
        seen(put_operation(&id, "orders", "get", body(), tag)),
        with_etag(Verb::Put, "/apis/orders/operations/get")
    );
    assert_eq!(
        seen(patch_operation(&id, "orders", "get", body(), "\"e1\"")),
        with_etag(Verb::Patch, "/apis/orders/operations/get")
    );
    assert_eq!(
        seen(put_product(&id, "gold", body(), tag)),
        with_etag(Verb::Put, "/products/gold")
    );
    assert_eq!(
        seen(delete_product(&id, "gold", "\"e1\"")),
        with_etag(Verb::Delete, "/products/gold")
    );
    assert_eq!(
        seen(patch_product(&id, "gold", body(), "\"e1\"")),
        with_etag(Verb::Patch, "/products/gold")
    );
    assert_eq!(
        seen(subscription_secrets(&id, "shop")),
        plain(Verb::Post, "/subscriptions/shop/listSecrets")
    );
    assert_eq!(
        seen(put_release(&id, "orders", "r1", body())),
        plain(Verb::Put, "/apis/orders/releases/r1")
    );
    assert_eq!(
        seen(put_resolver(&id, "orders", "q", body(), tag)),
        with_etag(Verb::Put, "/apis/orders/resolvers/q")
    );
    assert_eq!(
        seen(delete_resolver(&id, "orders", "q", "\"e1\"")),
        with_etag(Verb::Delete, "/apis/orders/resolvers/q")
    );
}

#[test]
fn a_backend_is_asked_for_in_the_version_that_shows_its_identity() {
    let id = contoso();
    let seen = |request| seen_in("2024-06-01-preview", request);
    assert_eq!(seen(backends(&id)), plain(Verb::Get, "/backends"));
    assert_eq!(
        seen(backend(&id, "orders")),
        plain(Verb::Get, "/backends/orders")
    );
    assert_eq!(
        seen(put_backend(&id, "orders", json!({}), Some("\"e1\""))),
        with_etag(Verb::Put, "/backends/orders")
    );
    assert_eq!(
        seen(delete_backend(&id, "orders", "\"e1\"")),
        with_etag(Verb::Delete, "/backends/orders")
    );
}

#[test]
fn a_fragment_is_read_as_it_was_written() {
    let id = contoso();
    assert_eq!(seen(fragments(&id)), plain(Verb::Get, "/policyFragments"));
    let (verb, rest, query, _) = seen(fragment(&id, "auth"));
    assert_eq!((verb, rest.as_str()), (Verb::Get, "/policyFragments/auth"));
    assert_eq!(query, [("format".to_owned(), "rawxml".to_owned())]);
    assert_eq!(
        seen(put_fragment(&id, "auth", json!({}), Some("\"e1\""))),
        with_etag(Verb::Put, "/policyFragments/auth")
    );
    assert_eq!(
        seen(delete_fragment(&id, "auth", "\"e1\"")),
        with_etag(Verb::Delete, "/policyFragments/auth")
    );
}

#[test]
fn a_policy_has_one_path_for_each_scope() {
    let id = contoso();
    let scopes = [
        (PolicyAt::Service, "/policies/policy"),
        (PolicyAt::Product("gold"), "/products/gold/policies/policy"),
        (PolicyAt::Api("orders"), "/apis/orders/policies/policy"),
        (
            PolicyAt::Operation {
                api: "orders",
                operation: "get",
            },
            "/apis/orders/operations/get/policies/policy",
        ),
        (
            PolicyAt::Resolver {
                api: "orders",
                resolver: "q",
            },
            "/apis/orders/resolvers/q/policies/policy",
        ),
    ];
    for (at, path) in scopes {
        let (verb, rest, query, _) = seen(policy(&id, at));
        assert_eq!((verb, rest.as_str()), (Verb::Get, path));
        assert_eq!(query, [("format".to_owned(), "rawxml".to_owned())]);
        assert_eq!(
            seen(put_policy(&id, at, json!({}), None)),
            plain(Verb::Put, path)
        );
        assert_eq!(
            seen(put_policy(&id, at, json!({}), Some("\"e1\""))),
            with_etag(Verb::Put, path)
        );
        assert_eq!(
            seen(delete_policy(&id, at, "\"e1\"")),
            with_etag(Verb::Delete, path)
        );
    }
}

#[test]
fn the_body_is_ours_with_empty_lists_nulls_and_unknown_fields() {
    let body = json!({ "properties": { "tags": [], "keyVault": null, "brandNew": 1 } });
    let request = put_named_value(&contoso(), "nv", body.clone(), None).unwrap();
    assert_eq!(request.body, Some(body));
}

#[test]
fn a_name_that_would_leave_its_segment_is_refused() {
    let id = contoso();
    for bad in ["a/../b", "a?b", "a#b", "", "a%2fb"] {
        assert!(
            matches!(named_value(&id, bad), Err(ArmError::Name { .. })),
            "{bad}"
        );
        let at = PolicyAt::Resolver {
            api: "orders",
            resolver: bad,
        };
        assert!(
            matches!(policy(&id, at), Err(ArmError::Name { .. })),
            "{bad}"
        );
    }
}

#[test]
fn a_space_in_a_name_is_encoded() {
    assert_eq!(
        seen(named_value(&contoso(), "my key")),
        plain(Verb::Get, "/namedValues/my%20key")
    );
}

#[test]
fn an_id_of_another_type_is_refused() {
    let sql = SERVICE.replace("Microsoft.ApiManagement/service", "Microsoft.Sql/servers");
    let id = ArmId::parse(&sql).unwrap();
    assert!(matches!(service(&id), Err(ArmError::Kind { .. })));
}

#[test]
fn the_system_identity_is_read_beside_the_service() {
    let request = system_identity(&contoso());
    let path = format!("{SERVICE}/providers/Microsoft.ManagedIdentity/identities/default");
    assert_eq!((request.verb, request.path), (Verb::Get, path));
    assert_eq!(
        request.query,
        [("api-version".to_owned(), "2024-11-30".to_owned())]
    );
}

#[test]
fn a_user_assigned_identity_is_read_itself() {
    let path = SERVICE.replace(
        "Microsoft.ApiManagement/service/contoso",
        "Microsoft.ManagedIdentity/userAssignedIdentities/orders",
    );
    let id = ArmId::parse(&path).unwrap();
    let request = user_assigned_identity(&id).unwrap();
    assert_eq!((request.verb, request.path), (Verb::Get, path));
    assert_eq!(request.query[0].1, "2024-11-30");
    assert!(matches!(
        user_assigned_identity(&contoso()),
        Err(ArmError::Kind { .. })
    ));
}

#[test]
fn a_resource_group_of_another_script_is_encoded_alike() {
    let id = ArmId::parse(&SERVICE.replace("/rg/", "/größe/")).unwrap();
    let path = service(&id).unwrap().path;
    assert!(path.contains("/gr%C3%B6%C3%9Fe/"), "{path}");
    assert!(system_identity(&id).path.starts_with(&path));
}

#[test]
fn a_request_shows_no_body() {
    let body = json!({ "properties": { "value": "Password=hunter2" } });
    let request = put_named_value(&contoso(), "nv", body, None).unwrap();
    assert!(!format!("{request:?}").contains("hunter2"));
}

#[test]
fn what_only_a_search_looks_at_is_listed_and_no_secret_is_asked_for() {
    let id = contoso();
    let lists = [
        (caches(&id), "/caches"),
        (authorization_servers(&id), "/authorizationServers"),
        (openid_providers(&id), "/openidConnectProviders"),
        (identity_providers(&id), "/identityProviders"),
        (authorization_providers(&id), "/authorizationProviders"),
        (
            authorizations(&id, "aad"),
            "/authorizationProviders/aad/authorizations",
        ),
        (certificates(&id), "/certificates"),
        (diagnostics(&id), "/diagnostics"),
        (api_diagnostics(&id, "orders"), "/apis/orders/diagnostics"),
        (documentations(&id), "/documentations"),
        (schemas(&id), "/schemas"),
        (api_schemas(&id, "orders"), "/apis/orders/schemas"),
        (tenant_access(&id), "/tenant"),
        (portal_settings(&id), "/portalsettings"),
    ];
    for (request, path) in lists {
        assert_eq!(seen(request), plain(Verb::Get, path));
    }
}
