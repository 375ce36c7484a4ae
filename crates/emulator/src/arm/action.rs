//! POST on an entity: handing out secrets, asking who refers to it, refreshing it.

use serde_json::{Value, json};

use super::apim;
use super::error::ArmError;
use super::hooks::Change;
use super::kind::Kind;
use super::operation;
use super::read;
use super::store::{Entity, Store};
use super::target::{Shape, Target};
use super::write::{self, missing, with_etag};
use crate::estate::Estate;
use crate::http::{Request, Response};

pub fn answer(
    estate: &Estate,
    store: &mut Store,
    request: &Request,
    target: &Target,
) -> Result<Response, ArmError> {
    let Shape::Action(action) = &target.shape else {
        return Err(ArmError::new(
            405,
            "MethodNotAllowed",
            "The method is not known here.",
        ));
    };
    let entity = store.get(&target.key).ok_or_else(|| missing(target))?;
    let properties = &entity.body["properties"];
    match (target.kind, action.as_str()) {
        (Kind::NamedValue, "listvalue") => {
            Ok(secrets(entity, json!({"value": properties["value"]})))
        }
        (Kind::NamedValue, "refreshsecret") => refresh(estate, store, request, target),
        (Kind::Subscription | Kind::ApimPlain, "listsecrets") => apim::secrets::told(entity)
            .map(|body| secrets(entity, body))
            .ok_or_else(|| unknown(action)),
        (Kind::Subscription, "regenerateprimarykey" | "regeneratesecondarykey") => {
            let field = if action == "regenerateprimarykey" {
                "primaryKey"
            } else {
                "secondaryKey"
            };
            apim::secrets::renew(store, &target.key, field);
            Ok(Response::empty(204))
        }
        (Kind::ApimPlain, "listkeys") if is_gateway(entity) => {
            let keys = apim::secrets::gateway_keys(store, &target.key);
            Ok(Response::json(200, &keys))
        }
        (Kind::ApimPlain, "regeneratekey") if is_gateway(entity) => {
            let body = request.json().unwrap_or_default();
            apim::secrets::renew_gateway_key(store, &target.key, &body)?;
            Ok(Response::empty(204))
        }
        (Kind::Backend, "reconnect") => Ok(Response::empty(202)),
        (Kind::Fragment, "listreferences") => {
            let users = apim::policy::fragment_users(store, entity);
            let items = users.into_iter().map(reference).collect();
            read::page(estate, request, items, true)
        }
        _ => Err(unknown(action)),
    }
}

fn unknown(action: &str) -> ArmError {
    let message = format!("There is no action '{action}' here.");
    ArmError::new(404, "NotFound", message)
}

fn is_gateway(entity: &Entity) -> bool {
    entity.type_name.ends_with("/gateways")
}

/// The actions as Azure writes them.
const NAMES: [&str; 9] = [
    "listValue",
    "refreshSecret",
    "listSecrets",
    "regeneratePrimaryKey",
    "regenerateSecondaryKey",
    "listKeys",
    "regenerateKey",
    "listReferences",
    "reconnect",
];

/// An action's name in Azure's own case, as role definitions and refusals show it.
pub fn written(action: &str) -> &str {
    let known = NAMES
        .into_iter()
        .find(|name| name.eq_ignore_ascii_case(action));
    known.unwrap_or(action)
}

fn secrets(entity: &Entity, body: Value) -> Response {
    with_etag(Response::json(200, &body), entity)
}

fn reference(user: &Entity) -> Value {
    json!({"id": user.id, "type": user.type_name, "name": user.name()})
}

/// Fetches a Key Vault reference's secret anew, in an operation to be polled.
fn refresh(
    estate: &Estate,
    store: &mut Store,
    request: &Request,
    target: &Target,
) -> Result<Response, ArmError> {
    operation::refuse_if_busy(estate, store, &target.key)?;
    let entity = store.get(&target.key).ok_or_else(|| missing(target))?;
    if !entity.body["properties"]["keyVault"].is_object() {
        let message = "The property does not refer to a Key Vault secret.";
        return Err(ArmError::validation("keyVault", message));
    }
    let change = Change {
        id: entity.id.clone(),
        key: target.key.clone(),
        kind: target.kind,
        next: Some(entity.clone()),
    };
    Ok(write::accept(estate, store, request, change, false))
}
