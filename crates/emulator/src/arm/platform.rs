//! What Resource Manager answers itself, before any resource provider: where this cloud's endpoints
//! are, tenants, subscriptions, locations, resource groups, provider registrations.
//!
//! Resource groups are not kept: one exists as long as an entity lies in it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::access::{self, Who};
use super::activity;
use super::error::ArmError;
use super::store::Store;
use crate::directory::Claims;
use crate::estate::Estate;
use crate::http::{Request, Response};

/// Regions and their display names, as far as anybody asks.
const LOCATIONS: [(&str, &str); 4] = [
    ("eastus", "East US"),
    ("northeurope", "North Europe"),
    ("westeurope", "West Europe"),
    ("westus", "West US"),
];
const PROVIDERS: [&str; 4] = [
    "Microsoft.ApiManagement",
    "Microsoft.Authorization",
    "Microsoft.ManagedIdentity",
    "Microsoft.Sql",
];

/// `/metadata/endpoints`, which needs no token: one object from version 2022-09-01 on, before it a
/// list of clouds.
pub fn metadata(estate: &Estate, request: &Request) -> Response {
    let arm = estate.arm_url();
    let cloud = json!({
        "name": "KeylessEmulator",
        "resourceManager": arm,
        "portal": arm,
        "gallery": arm,
        "graph": estate.graph_url(),
        "graphAudience": estate.graph_url(),
        "microsoftGraphResourceId": estate.graph_url(),
        "sqlManagement": arm,
        "authentication": {
            "loginEndpoint": estate.login_url(),
            "audiences": access::AUDIENCES,
            "tenant": estate.directory.tenant(),
            "identityProvider": "AAD",
        },
        "suffixes": {
            "sqlServerHostname": "database.localhost",
            "keyVaultDns": "vault.localhost",
            "storage": "storage.localhost",
        },
    });
    let is_list = access::is_before(request.query("api-version"), "2022-09-01");
    Response::json(200, &if is_list { json!([cloud]) } else { cloud })
}

/// Answers what belongs to no resource provider; `None` when another part has to.
pub fn answer(
    estate: &Estate,
    store: &Store,
    who: &Who<'_>,
    request: &Request,
    segments: &[String],
) -> Option<Result<Response, ArmError>> {
    let claims = who.claims;
    let path: Vec<String> = segments.iter().map(|one| one.to_lowercase()).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let get = request.verb == "GET";
    Some(match path.as_slice() {
        ["tenants"] if get => Ok(list(vec![tenant(estate)])),
        ["subscriptions"] if get => Ok(list(subscriptions(estate, store, claims))),
        [
            "subscriptions",
            _,
            "providers",
            "microsoft.insights",
            "eventtypes",
            "management",
            "values",
        ] if get => activity::list(estate, store, who, request, segments.get(1)?),
        ["subscriptions", rest @ ..] => {
            let id = segments.get(1)?;
            let permitted = || {
                let action = "Microsoft.Resources/subscriptions/read";
                let scope = format!("/subscriptions/{id}");
                access::authorize(estate, store, claims, &scope, action)
            };
            let body = in_subscription(estate, store, request, id, rest.get(1..)?)?;
            permitted().and(body)
        }
        _ => return None,
    })
}

fn in_subscription(
    estate: &Estate,
    store: &Store,
    request: &Request,
    id: &str,
    rest: &[&str],
) -> Option<Result<Response, ArmError>> {
    let verb = request.verb.as_str();
    Some(match (verb, rest) {
        ("GET", []) => Ok(Response::json(200, &subscription(estate, id))),
        ("GET", ["locations"]) => Ok(list(locations(id))),
        ("GET", ["resourcegroups"]) => Ok(list(groups(store, id).into_values().collect())),
        ("GET" | "HEAD", ["resourcegroups", name]) => group(store, id, name, verb == "HEAD"),
        ("GET", ["providers"]) => Ok(list(PROVIDERS.map(|name| provider(id, name)).to_vec())),
        ("GET", ["providers", name]) => one_provider(id, name),
        ("POST", ["providers", name, "register"]) => one_provider(id, name),
        (
            "POST",
            [
                "providers",
                name @ ("microsoft.apimanagement" | "microsoft.sql"),
                "checknameavailability",
            ],
        ) => available(store, name, &request.json().unwrap_or_default()),
        _ => return None,
    })
}

fn list(items: Vec<Value>) -> Response {
    Response::json(200, &json!({"value": items}))
}

fn tenant(estate: &Estate) -> Value {
    let id = estate.directory.tenant();
    json!({
        "id": format!("/tenants/{id}"),
        "tenantId": id,
        "displayName": "Emulated tenant",
        "tenantCategory": "Home",
    })
}

/// The subscriptions in which something lies that the caller may see.
fn subscriptions(estate: &Estate, store: &Store, claims: &Claims) -> Vec<Value> {
    let mut ids: Vec<&str> = store
        .all()
        .filter_map(|entity| entity.id.strip_prefix("/subscriptions/"))
        .filter_map(|rest| rest.split('/').next())
        .collect();
    ids.sort_unstable_by_key(|id| id.to_lowercase());
    ids.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    let action = "Microsoft.Resources/subscriptions/read";
    let seen = ids.into_iter().filter(|id| {
        let scope = format!("/subscriptions/{id}");
        access::authorize(estate, store, claims, &scope, action).is_ok()
    });
    seen.map(|id| subscription(estate, id)).collect()
}

fn subscription(estate: &Estate, id: &str) -> Value {
    json!({
        "id": format!("/subscriptions/{id}"),
        "subscriptionId": id,
        "tenantId": estate.directory.tenant(),
        "displayName": "Emulated subscription",
        "state": "Enabled",
        "authorizationSource": "RoleBased",
        "subscriptionPolicies": {"spendingLimit": "Off"},
    })
}

fn locations(subscription: &str) -> Vec<Value> {
    let one = |(name, display): (&str, &str)| {
        json!({
            "id": format!("/subscriptions/{subscription}/locations/{name}"),
            "name": name,
            "type": "Region",
            "displayName": display,
            "regionalDisplayName": display,
            "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
        })
    };
    LOCATIONS.into_iter().map(one).collect()
}

/// By lower-case name: the groups in which entities lie.
fn groups(store: &Store, subscription: &str) -> BTreeMap<String, Value> {
    let prefix = format!("/subscriptions/{subscription}/resourcegroups/").to_lowercase();
    let mut found = BTreeMap::new();
    for entity in store.below(&prefix) {
        let mut segments = entity.id.split('/').skip(4);
        let name = segments.next().unwrap_or_default();
        found.entry(name.to_lowercase()).or_insert_with(|| {
            json!({
                "id": format!("/subscriptions/{subscription}/resourceGroups/{name}"),
                "name": name,
                "type": "Microsoft.Resources/resourceGroups",
                "location": "westeurope",
                "properties": {"provisioningState": "Succeeded"},
            })
        });
    }
    found
}

fn group(store: &Store, id: &str, name: &str, head: bool) -> Result<Response, ArmError> {
    let found = groups(store, id).remove(name);
    let group = found.ok_or_else(|| {
        let message = format!("Resource group '{name}' could not be found.");
        ArmError::new(404, "ResourceGroupNotFound", message)
    })?;
    Ok(if head {
        Response::empty(204)
    } else {
        Response::json(200, &group)
    })
}

fn provider(subscription: &str, namespace: &str) -> Value {
    json!({
        "id": format!("/subscriptions/{subscription}/providers/{namespace}"),
        "namespace": namespace,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": "Registered",
        "resourceTypes": [],
    })
}

fn one_provider(subscription: &str, name: &str) -> Result<Response, ArmError> {
    let known = PROVIDERS
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(name));
    let known = known.ok_or_else(|| {
        let message = format!("The resource namespace '{name}' is invalid.");
        ArmError::new(404, "InvalidResourceNamespace", message)
    })?;
    Ok(Response::json(200, &provider(subscription, known)))
}

/// Whether a service's or a server's name is free (`checkNameAvailability`).
fn available(store: &Store, namespace: &str, body: &Value) -> Result<Response, ArmError> {
    let collection = if namespace == "microsoft.sql" {
        "servers"
    } else {
        "service"
    };
    let name = body["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        return Err(ArmError::validation(
            "name",
            "The field 'name' is required.",
        ));
    }
    let end = format!("/{namespace}/{collection}/{name}").to_lowercase();
    let taken = store.all().any(|entity| entity.key().ends_with(&end));
    let mut answer = json!({"nameAvailable": !taken, "available": !taken, "name": name});
    answer["reason"] = json!(if taken { "AlreadyExists" } else { "Valid" });
    if namespace == "microsoft.sql" && !taken {
        answer["reason"] = Value::Null;
    }
    if taken {
        answer["message"] = json!(format!("The name '{name}' is already in use."));
    }
    Ok(Response::json(200, &answer))
}
