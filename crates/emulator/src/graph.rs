//! `graph.localhost`: as much of Microsoft Graph as tools need to turn names into object ids and
//! back. Whoever has a token for it may look.

use serde_json::{Value, json};

use crate::arm::odata;
use crate::directory::{Principal, PrincipalKind};
use crate::estate::Estate;
use crate::http::{Request, Response};

const AUDIENCE: &str = "https://graph.microsoft.com";

/// Answers a request to Graph.
pub fn answer(estate: &Estate, request: &Request) -> Response {
    let own = estate.graph_url();
    let token = request.bearer().unwrap_or_default();
    if estate.directory.verify(token, &[AUDIENCE, &own]).is_err() {
        let message = "Access token is empty or invalid.";
        return refused(401, "InvalidAuthenticationToken", message);
    }
    let segments = request.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (request.verb.as_str(), path.as_slice()) {
        ("GET", ["v1.0", collection]) => list(estate, collection, request),
        ("GET", ["v1.0", collection, id]) => item(estate, collection, id),
        ("POST", ["v1.0", "directoryObjects", "getByIds"]) => by_ids(estate, request),
        _ => unknown(),
    }
}

fn refused(status: u16, code: &str, message: &str) -> Response {
    Response::json(
        status,
        &json!({"error": {"code": code, "message": message}}),
    )
}

fn unknown() -> Response {
    refused(400, "BadRequest", "Resource not found for the segment.")
}

/// The collection that a principal is in, and its type.
fn kind_of(principal: &Principal) -> (&'static str, &'static str) {
    match principal.kind {
        PrincipalKind::User => ("users", "#microsoft.graph.user"),
        PrincipalKind::Group => ("groups", "#microsoft.graph.group"),
        PrincipalKind::Application | PrincipalKind::ManagedIdentity => {
            ("servicePrincipals", "#microsoft.graph.servicePrincipal")
        }
    }
}

fn body(principal: &Principal) -> Value {
    let (_, kind) = kind_of(principal);
    let name = &principal.display_name;
    let mut body = json!({"@odata.type": kind, "id": principal.object_id, "displayName": name});
    match (&principal.client_id, principal.kind) {
        (_, PrincipalKind::User) => body["userPrincipalName"] = json!(name),
        (Some(client), _) => {
            let managed = principal.kind == PrincipalKind::ManagedIdentity;
            body["appId"] = json!(client);
            body["servicePrincipalNames"] = json!([client]);
            body["servicePrincipalType"] = json!(if managed {
                "ManagedIdentity"
            } else {
                "Application"
            });
        }
        _ => {}
    }
    body
}

fn in_collection(principal: &Principal, collection: &str) -> bool {
    let (own, _) = kind_of(principal);
    collection.eq_ignore_ascii_case("directoryObjects") || own.eq_ignore_ascii_case(collection)
}

fn list(estate: &Estate, collection: &str, request: &Request) -> Response {
    let known = ["users", "groups", "servicePrincipals"];
    if !known.iter().any(|one| one.eq_ignore_ascii_case(collection)) {
        return unknown();
    }
    let filter = match request.query("$filter").map(odata::parse).transpose() {
        Ok(filter) => filter,
        Err(_) => return refused(400, "Request_UnsupportedQuery", "Invalid filter clause."),
    };
    let all = estate.directory.all();
    let found = all.iter().filter(|one| in_collection(one, collection));
    // The filters are those of Resource Manager, whose bodies have their fields among `properties`.
    let fits = |one: &Value| {
        let fields = json!({"id": one["id"], "properties": one});
        filter.as_ref().is_none_or(|filter| filter.passes(&fields))
    };
    let items: Vec<Value> = found.map(body).filter(fits).collect();
    Response::json(200, &json!({"value": items}))
}

fn item(estate: &Estate, collection: &str, id: &str) -> Response {
    let found = estate.directory.by_object_id(id);
    match found.filter(|one| in_collection(one, collection)) {
        Some(found) => Response::json(200, &body(&found)),
        None => {
            let message = format!("Resource '{id}' does not exist.");
            refused(404, "Request_ResourceNotFound", &message)
        }
    }
}

fn by_ids(estate: &Estate, request: &Request) -> Response {
    let sent = request.json().unwrap_or_default();
    let ids = sent["ids"].as_array().cloned().unwrap_or_default();
    let found = ids
        .iter()
        .filter_map(Value::as_str)
        .filter_map(|id| estate.directory.by_object_id(id));
    let items: Vec<Value> = found.map(|one| body(&one)).collect();
    Response::json(200, &json!({"value": items}))
}
