//! PUT, PATCH and DELETE: preconditions, then the check of the kind, then the change, now or later.

use serde_json::{Value, json};

use super::error::ArmError;
use super::hooks::{self, Change};
use super::kind::Kind;
use super::operation;
use super::store::{Entity, Store, name_of};
use super::target::{Shape, Target};
use super::{access, apim, sql};
use crate::estate::Estate;
use crate::http::{Request, Response};

/// Answers a PUT or a PATCH.
pub fn put(
    estate: &Estate,
    store: &mut Store,
    request: &Request,
    target: &Target,
) -> Result<Response, ArmError> {
    let patch = request.verb == "PATCH";
    let mut body = request
        .json()
        .map_err(|_| ArmError::new(400, "InvalidRequestContent", "The body is not valid JSON."))?;
    if target.kind == Kind::FirewallRule && target.shape == Shape::List && !patch {
        return sql::firewall::replace_all(estate, store, target, &body);
    }
    require_item(target)?;
    if target.kind == Kind::Backend && !patch {
        apim::backend::hide_preview(&mut body, request.query("api-version"));
    }
    if let Some(identity) = body.get_mut("identity").and_then(Value::as_object_mut) {
        // Read-only: a client cannot choose which principal it gets.
        identity.retain(|field, _| field == "type" || field == "userAssignedIdentities");
    }
    operation::refuse_if_busy(estate, store, &target.key)?;
    require_parent(store, target)?;
    let current = store.get(&target.key);
    if patch && current.is_none() {
        return Err(missing(target));
    }
    precondition(request, target, current, patch)?;

    let created = current.is_none();
    let change = prepare(estate, store, target, body, patch)?;
    if target.kind.is_late(&request.verb) {
        return Ok(accept(estate, store, request, change, created));
    }
    hooks::commit(estate, store, change)?;
    let Some(entity) = store.get(&target.key) else {
        return Ok(Response::empty(204));
    };
    let body = hooks::view(
        estate,
        store,
        entity,
        Some("rawxml").filter(|_| sent_raw(request)),
    );
    let response = Response::json(if created { 201 } else { 200 }, &body);
    Ok(with_etag(response, entity))
}

/// Merges and checks a body: the one way by which entities come to be, in seeds as well.
pub fn prepare(
    estate: &Estate,
    store: &mut Store,
    target: &Target,
    body: Value,
    patch: bool,
) -> Result<Change, ArmError> {
    let current = store.get(&target.key).cloned();
    let mut next = match (&current, patch) {
        (Some(current), true) => {
            let mut merged = current.body.clone();
            merge(&mut merged, &body);
            if let Some(identity) = body.get("identity") {
                // Whether the service merges identities is not known: the harsher reading.
                merged["identity"] = identity.clone();
            }
            merged
        }
        _ if body.is_null() => json!({}),
        _ => body,
    };
    if !next.is_object() {
        return Err(ArmError::new(
            400,
            "InvalidRequestContent",
            "The body is not an object.",
        ));
    }
    hooks::check(estate, store, target, current.as_ref(), &mut next)?;
    if let Some(fields) = next.as_object_mut() {
        for field in ["id", "name", "type", "etag"] {
            fields.remove(field);
        }
    }
    let entity = Entity {
        id: current.map_or_else(|| target.id.clone(), |current| current.id),
        kind: target.kind,
        type_name: target.type_name,
        body: next,
        etag: store.next_etag(),
    };
    Ok(Change {
        id: entity.id.clone(),
        key: target.key.clone(),
        kind: target.kind,
        next: Some(entity),
    })
}

/// A JSON merge patch: null removes, objects merge, everything else replaces.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    let Some(fields) = into.as_object_mut() else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            fields.remove(key);
        } else {
            merge(fields.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// The version from which on deleting an API is an operation to poll (`Api_Delete`: 202, before it
/// 200).
const API_DELETE_IS_LATE_SINCE: &str = "2024-05-01";

/// Answers DELETE.
pub fn delete(
    estate: &Estate,
    store: &mut Store,
    request: &Request,
    target: &Target,
) -> Result<Response, ArmError> {
    require_item(target)?;
    operation::refuse_if_busy(estate, store, &target.key)?;
    let Some(current) = store.get(&target.key) else {
        return Ok(Response::empty(204));
    };
    precondition(request, target, Some(current), true)?;
    let all_revisions = request.query("deleteRevisions") == Some("true");
    hooks::check_delete(store, target, all_revisions)?;
    let last = hooks::view(estate, store, current, None);
    let id = current.id.clone();
    let change = Change {
        id,
        key: target.key.clone(),
        kind: target.kind,
        next: None,
    };
    let at_once = target.kind == Kind::Api
        && access::is_before(request.query("api-version"), API_DELETE_IS_LATE_SINCE);
    if target.kind.is_late("DELETE") && !at_once {
        let headers = operation::start(estate, store, request, change, 200);
        let mut response = Response::empty(202);
        // The service gives no usable address for switching Entra-only off (azure-facts A.4).
        if target.kind != Kind::EntraOnly {
            response.headers.extend(headers);
        }
        return Ok(response);
    }
    hooks::commit(estate, store, change)?;
    Ok(match target.kind {
        // A removed assignment is shown once more (`RoleAssignments_Delete`).
        Kind::RoleAssignment => Response::json(200, &last),
        _ => Response::empty(200),
    })
}

/// Begins the operation of a late write and answers as its service does.
pub fn accept(
    estate: &Estate,
    store: &mut Store,
    request: &Request,
    change: Change,
    created: bool,
) -> Response {
    let kind = change.kind;
    let shown = match (kind, &change.next) {
        // The service shows what it still is.
        (Kind::Service, Some(next)) => {
            let mut body = hooks::view(estate, store, store.get(&change.key).unwrap_or(next), None);
            let state = if created { "Created" } else { "Updating" };
            body["properties"]["provisioningState"] = json!(state);
            Some(body)
        }
        (Kind::NamedValue | Kind::Fragment | Kind::Api, Some(next)) => {
            let mut body = hooks::view(estate, store, next, None);
            body["properties"]["provisioningState"] = json!("InProgress");
            Some(body)
        }
        _ => None,
    };
    let status = match (kind, request.verb.as_str(), created) {
        (Kind::NamedValue | Kind::Fragment | Kind::Api | Kind::Service, "PUT", true) => 201,
        (Kind::NamedValue | Kind::Fragment | Kind::Api | Kind::Service, "PUT", false) => 200,
        _ => 202,
    };
    let etag = change
        .next
        .as_ref()
        .filter(|_| kind.has_etag())
        .map(|next| next.etag.clone());
    let last = if created { 201 } else { 200 };
    let headers = operation::start(estate, store, request, change, last);
    let name = if kind == Kind::Database {
        "CreateLogicalDatabase"
    } else {
        "UpsertLogicalServerSetting"
    };
    let body = shown.unwrap_or_else(|| json!({"operation": name, "startTime": estate.clock.iso()}));
    let mut response = Response::json(status, &body);
    response.headers.extend(headers);
    match etag {
        Some(etag) => response.with("ETag", etag),
        None => response,
    }
}

fn precondition(
    request: &Request,
    target: &Target,
    current: Option<&Entity>,
    required: bool,
) -> Result<(), ArmError> {
    if !target.kind.has_etag() {
        return Ok(());
    }
    if current.is_some() && request.header("if-none-match") == Some("*") {
        return Err(ArmError::precondition());
    }
    match (request.header("if-match"), current) {
        (None, _) if required => Err(ArmError::validation(
            "If-Match",
            "The header 'If-Match' is required.",
        )),
        (None | Some("*"), _) => Ok(()),
        (Some(sent), Some(current)) if same_etag(sent, &current.etag) => Ok(()),
        (Some(_), _) => Err(ArmError::precondition()),
    }
}

fn same_etag(sent: &str, current: &str) -> bool {
    let bare = |etag: &str| etag.trim_start_matches("W/").trim_matches('"').to_owned();
    bare(sent) == bare(current)
}

fn require_item(target: &Target) -> Result<(), ArmError> {
    if target.shape == Shape::Item {
        return Ok(());
    }
    Err(ArmError::new(
        405,
        "MethodNotAllowed",
        "A collection cannot be written as a whole.",
    ))
}

/// The parent has to exist; the top of the chain is named as ARM does.
pub fn require_parent(store: &Store, target: &Target) -> Result<(), ArmError> {
    let Some(parent) = &target.parent else {
        return Ok(());
    };
    if store.get(parent).is_some() {
        return Ok(());
    }
    let top = target.id.split('/').take(9).collect::<Vec<_>>().join("/");
    if store.get(&top.to_lowercase()).is_none() {
        let name = name_of(&top);
        let message = format!(
            "Can not perform requested operation on nested resource. Parent \
             resource '{name}' not found."
        );
        return Err(ArmError::new(404, "ParentResourceNotFound", message));
    }
    let noun = if parent.contains("/resolvers/") {
        "Resolver"
    } else if parent.contains("/operations/") {
        "Operation"
    } else if parent.contains("/apis/") {
        "API"
    } else if parent.contains("/products/") {
        "Product"
    } else {
        "Resource"
    };
    Err(ArmError::not_found(noun))
}

/// 404 in the words of the kind.
pub fn missing(target: &Target) -> ArmError {
    if target.kind.has_etag() {
        return ArmError::not_found(target.kind.noun());
    }
    if target.kind == Kind::RoleAssignment {
        let message = format!("The role assignment '{}' is not found.", target.name);
        return ArmError::new(404, "RoleAssignmentNotFound", message);
    }
    let group = target.id.split('/').nth(4).unwrap_or_default();
    let name = target.id.split('/').skip(8).collect::<Vec<_>>().join("/");
    let top = target
        .type_name
        .split('/')
        .take(2)
        .collect::<Vec<_>>()
        .join("/");
    ArmError::new(
        404,
        "ResourceNotFound",
        format!(
            "The Resource '{top}/{name}' under resource group '{group}' was not found. For more \
             details please go to https://aka.ms/ARMResourceNotFoundFix"
        ),
    )
}

/// Policies are answered in the form in which they were sent.
fn sent_raw(request: &Request) -> bool {
    request
        .json()
        .is_ok_and(|body| body["properties"]["format"] == json!("rawxml"))
}

pub fn with_etag(response: Response, entity: &Entity) -> Response {
    if entity.kind.has_etag() {
        response.with("ETag", entity.etag.clone())
    } else {
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_keeps_adds_and_removes() {
        let mut body = json!({"a": {"b": 1, "c": 2}, "d": [1]});
        merge(&mut body, &json!({"a": {"b": null, "e": 3}, "d": [2]}));
        assert_eq!(body, json!({"a": {"c": 2, "e": 3}, "d": [2]}));
    }

    #[test]
    fn etags_compare_without_quotes() {
        assert!(same_etag("AAB=", "\"AAB=\""));
        assert!(!same_etag("\"AAC=\"", "\"AAB=\""));
    }
}
