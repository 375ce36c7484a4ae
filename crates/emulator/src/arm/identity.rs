//! Managed identities of services and servers. A system-assigned identity that is switched off is
//! gone from the directory; switched on again it is another one.

use serde_json::{Map, Value, json};

use super::error::ArmError;
use super::kind::Kind;
use super::store::{Entity, Store};
use super::target::Target;
use crate::directory::{Principal, PrincipalKind};
use crate::estate::Estate;
use crate::ids;

/// How many user-assigned identities a resource can have (azure-facts B.1).
const LIMIT: usize = 10;

/// Checks the `identity` of a body. What is sent replaces what was there, as a whole.
pub fn check(store: &Store, next: &Value) -> Result<(), ArmError> {
    let identity = &next["identity"];
    if identity.is_null() {
        return Ok(());
    }
    let bad = |message: String| ArmError::new(400, "InvalidIdentity", message);
    let kinds = kinds(identity);
    let known = ["systemassigned", "userassigned", "none"];
    if kinds.is_empty() || !kinds.iter().all(|kind| known.contains(&kind.as_str())) {
        return Err(bad(
            "The identity type is not one of SystemAssigned, UserAssigned, None.".into(),
        ));
    }
    let assigned = identity["userAssignedIdentities"].as_object();
    if kinds.iter().any(|kind| kind == "userassigned") && assigned.is_none_or(Map::is_empty) {
        return Err(bad(
            "The identity type UserAssigned needs userAssignedIdentities.".into(),
        ));
    }
    let count = assigned
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null())
        .count();
    if count > LIMIT {
        let message = format!("A resource can have at most {LIMIT} user-assigned identities.");
        return Err(bad(message));
    }
    for (id, value) in assigned.into_iter().flatten() {
        let exists = value.is_null()
            || store
                .get(&id.to_lowercase())
                .is_some_and(|e| e.kind == Kind::UserIdentity);
        if !exists {
            return Err(bad(format!(
                "The user-assigned identity '{id}' was not found."
            )));
        }
    }
    Ok(())
}

fn kinds(identity: &Value) -> Vec<String> {
    let text = identity["type"].as_str().unwrap_or_default();
    text.split(',')
        .map(|kind| kind.trim().to_lowercase())
        .filter(|k| !k.is_empty())
        .collect()
}

/// Makes or removes the principal that the new body asks for, and fills its ids in.
pub fn commit(estate: &Estate, store: &Store, entity: &mut Entity) {
    let current = store
        .get(&entity.key())
        .map(|entity| entity.body["identity"].clone());
    let before = current
        .as_ref()
        .and_then(|identity| identity["principalId"].as_str());
    let name = entity.name().to_owned();
    let Some(identity) = entity
        .body
        .get_mut("identity")
        .filter(|value| value.is_object())
    else {
        if let Some(gone) = before {
            estate.directory.remove(gone);
        }
        return;
    };
    let kinds = kinds(identity);
    let mut next = json!({"type": canonical(&kinds)});
    if kinds.iter().any(|kind| kind == "systemassigned") {
        // Only a seed's body can name the ids of a first identity; see `seeding`.
        let seeded = |field: &str| identity[field].as_str().map(str::to_owned);
        let object_id = before
            .map(str::to_owned)
            .or_else(|| seeded("principalId"))
            .unwrap_or_else(ids::guid);
        if estate.directory.by_object_id(&object_id).is_none() {
            let client_id = seeded("clientId").unwrap_or_else(ids::guid);
            appear(estate, &object_id, &client_id, &name);
        }
        next["principalId"] = json!(object_id);
        next["tenantId"] = json!(estate.directory.tenant());
    } else if let Some(gone) = before {
        estate.directory.remove(gone);
    }
    if let Some(assigned) = identity["userAssignedIdentities"].as_object() {
        let kept = assigned.iter().filter(|(_, value)| !value.is_null());
        let filled = kept.map(|(id, _)| {
            let properties = store
                .get(&id.to_lowercase())
                .map(|e| e.body["properties"].clone());
            let of = |field: &str| properties.as_ref().map(|p| p[field].clone());
            let ids = json!({"principalId": of("principalId"), "clientId": of("clientId")});
            (id.clone(), ids)
        });
        next["userAssignedIdentities"] = Value::Object(filled.collect());
    }
    *identity = next;
}

fn canonical(kinds: &[String]) -> String {
    let has = |kind: &str| kinds.iter().any(|k| k == kind);
    match (has("systemassigned"), has("userassigned")) {
        (true, true) => "SystemAssigned, UserAssigned".into(),
        (true, false) => "SystemAssigned".into(),
        (false, true) => "UserAssigned".into(),
        (false, false) => "None".into(),
    }
}

/// `…/providers/Microsoft.ManagedIdentity/identities/default` of a service or server.
pub fn system_assigned(estate: &Estate, store: &Store, target: &Target) -> Result<Value, ArmError> {
    let owner = target.parent.as_deref().and_then(|key| store.get(key));
    let principal = owner
        .and_then(|owner| owner.body["identity"]["principalId"].as_str())
        .and_then(|id| estate.directory.by_object_id(id));
    let (Some(owner), Some(principal)) = (owner, principal) else {
        let message = "The resource has no system-assigned managed identity.";
        return Err(ArmError::new(404, "ResourceNotFound", message));
    };
    Ok(json!({
        "id": target.id,
        "name": "default",
        "type": target.type_name,
        "location": owner.body["location"],
        "properties": {
            "clientId": principal.client_id,
            "principalId": principal.object_id,
            "tenantId": estate.directory.tenant(),
            "clientSecretUrl": format!("https://control-westeurope.identity.localhost{}/credentials",
                owner.id),
        },
    }))
}

/// A new managed identity, which the directory does not find at once.
fn appear(estate: &Estate, object_id: &str, client_id: &str, name: &str) {
    let principal = Principal {
        object_id: object_id.to_owned(),
        client_id: Some(client_id.to_owned()),
        display_name: name.to_owned(),
        kind: PrincipalKind::ManagedIdentity,
        groups: Vec::new(),
        secret: None,
        certificate: None,
    };
    let lag = estate.settings.directory_lag;
    estate.directory.put_new(principal, lag);
}

/// A user-assigned identity gets its ids when it is made, and keeps them.
pub fn check_user_assigned(current: Option<&Entity>, next: &mut Value) -> Result<(), ArmError> {
    if !next["location"].is_string() {
        next["location"] = json!("westeurope");
    }
    for field in ["principalId", "clientId"] {
        let kept = current.and_then(|entity| entity.property(field));
        if let Some(kept) = kept {
            next["properties"][field] = json!(kept);
        } else if !next["properties"][field].is_string() {
            next["properties"][field] = json!(ids::guid());
        }
    }
    Ok(())
}

pub fn commit_user_assigned(
    estate: &Estate,
    store: &mut Store,
    mut entity: Entity,
) -> Result<(), ArmError> {
    entity.body["properties"]["tenantId"] = json!(estate.directory.tenant());
    let id = |field: &str| entity.property(field).unwrap_or_default().to_owned();
    let (object_id, client_id) = (id("principalId"), id("clientId"));
    if estate.directory.by_object_id(&object_id).is_none() {
        appear(estate, &object_id, &client_id, entity.name());
    }
    store.put(entity);
    Ok(())
}

/// A federated credential names whose tokens count, and for whom they speak.
pub fn check_federated(next: &Value) -> Result<(), ArmError> {
    let properties = &next["properties"];
    let text = |field: &str| {
        properties[field]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    };
    let audiences = properties["audiences"].as_array();
    if text("issuer") && text("subject") && audiences.is_some_and(|list| list.len() == 1) {
        return Ok(());
    }
    let message = "A federated credential has an issuer, a subject and one audience.";
    Err(ArmError::new(400, "BadRequest", message))
}

/// The principal goes with what it belongs to.
pub fn remove(estate: &Estate, store: &Store, key: &str) {
    let Some(entity) = store.get(key) else { return };
    let system = entity.body["identity"]["principalId"].as_str();
    let user = entity.property("principalId");
    for object_id in [system, user].into_iter().flatten() {
        estate.directory.remove(object_id);
    }
}
