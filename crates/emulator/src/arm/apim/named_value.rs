//! Named values. A secret is never read back but by `listValue`; a display name is unique, which
//! shows only when the operation ends; one that is referred to cannot go.

use serde_json::{Value, json};

use super::{key_vault, reference};
use crate::arm::error::ArmError;
use crate::arm::kind;
use crate::arm::store::{Entity, Store};
use crate::arm::target::Target;
use crate::estate::Estate;
use crate::ids;

/// When a reference was last fetched: kept beside the body, and shown to nobody.
const REFRESHED: &str = "refreshedAt";

pub fn check(next: &mut Value) -> Result<(), ArmError> {
    if let Some(fields) = next.as_object_mut() {
        fields.remove(REFRESHED);
    }
    let properties = &mut next["properties"];
    let name = properties["displayName"].as_str().unwrap_or_default();
    let valid = !name.is_empty()
        && name.len() <= 256
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    if !valid {
        let message = "Display name may contain only letters, digits, periods, dashes and \
                       underscores, at most 256.";
        return Err(ArmError::validation("displayName", message));
    }
    if !properties["secret"].is_boolean() {
        properties["secret"] = json!(false);
    }
    if properties["keyVault"].is_object() {
        return key_vault::check(properties);
    }
    match properties["value"].as_str() {
        Some(value) if (1..=4_096).contains(&value.len()) => Ok(()),
        _ => Err(ArmError::validation(
            "value",
            "Value has from 1 to 4096 characters.",
        )),
    }
}

/// Late: the display name must be free, and a rename carries its references along.
pub fn commit(estate: &Estate, store: &mut Store, mut entity: Entity) -> Result<(), ArmError> {
    let key = entity.key();
    let name = entity
        .property("displayName")
        .unwrap_or_default()
        .to_owned();
    if reference::find_named_value(store, &key, &name).is_some_and(|other| other.key() != key) {
        let message = format!("Property with the display name '{name}' already exists.");
        return Err(ArmError::validation("name", message));
    }
    let before = store
        .get(&key)
        .and_then(|entity| entity.property("displayName"));
    let renamed = before.filter(|before| *before != name).map(str::to_owned);
    if entity.body["properties"]["keyVault"].is_object() {
        keep_fetched(store, &mut entity);
        refresh(estate, store, &mut entity);
    }
    store.put(entity);
    if let Some(before) = renamed {
        rename(store, &key, &before, &name);
    }
    Ok(())
}

/// Makes a secret named value of what another entity was sent in clear, and answers its display
/// name: `prefix` and an id.
pub fn keep(
    estate: &Estate,
    store: &mut Store,
    owner: &Entity,
    prefix: &str,
    text: &str,
) -> Result<String, ArmError> {
    let id = ids::guid().replace('-', "")[..24].to_owned();
    let name = format!("{prefix}{id}");
    if let Some((kind, type_name)) = kind::lookup("Microsoft.ApiManagement/service/namedValues") {
        let service = owner.id.split('/').take(9).collect::<Vec<_>>().join("/");
        let value = Entity {
            id: format!("{service}/namedValues/{id}"),
            kind,
            type_name,
            body: json!({"properties": {"displayName": name, "secret": true, "value": text}}),
            etag: store.next_etag(),
        };
        commit(estate, store, value)?;
    }
    Ok(name)
}

/// What the same reference gave before, until it gives something new.
fn keep_fetched(store: &Store, entity: &mut Entity) {
    let of = |entity: &Entity| entity.body["properties"]["keyVault"]["secretIdentifier"].clone();
    let before = store
        .get(&entity.key())
        .filter(|before| of(before) == of(entity));
    if let Some(value) = before.and_then(|before| before.property("value")) {
        entity.body["properties"]["value"] = json!(value);
    }
}

fn refresh(estate: &Estate, store: &Store, entity: &mut Entity) {
    key_vault::refresh(estate, store, entity);
    entity.body[REFRESHED] = json!(estate.clock.now());
}

/// Fetches a reference that follows its secret, if its time has come.
pub fn refresh_when_due(estate: &Estate, store: &mut Store, key: &str) {
    let due = estate.clock.now() - key_vault::REFRESH;
    let Some(entity) = store.get(key) else { return };
    let last = entity.body[REFRESHED].as_i64();
    if last.is_some_and(|last| last <= due) && key_vault::follows(entity) {
        let mut next = entity.clone();
        refresh(estate, store, &mut next);
        store.put(next);
    }
}

/// Fetches all references anew: a seed's roles are there only at its end.
pub fn refresh_all(estate: &Estate, store: &mut Store) {
    let references: Vec<Entity> = store
        .all()
        .filter(|entity| entity.body[REFRESHED].is_i64())
        .cloned()
        .collect();
    for mut entity in references {
        refresh(estate, store, &mut entity);
        store.put(entity);
    }
}

/// Whether the last fetch of a Key Vault reference failed.
pub fn has_failed(entity: &Entity) -> bool {
    let status = &entity.body["properties"]["keyVault"]["lastStatus"]["code"];
    status.is_string() && status != "Success"
}

fn rename(store: &mut Store, key: &str, before: &str, name: &str) {
    let keys: Vec<String> = referrers_of(store, key, before).map(Entity::key).collect();
    for key in keys {
        let etag = store.next_etag();
        let Some(entity) = store.get_mut(&key) else {
            continue;
        };
        substitute(
            &mut entity.body,
            &format!("{{{{{before}}}}}"),
            &format!("{{{{{name}}}}}"),
        );
        entity.etag = etag;
    }
}

fn substitute(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) => *text = text.replace(from, to),
        Value::Array(items) => items.iter_mut().for_each(|item| substitute(item, from, to)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| substitute(field, from, to)),
        _ => {}
    }
}

fn referrers_of<'a>(store: &'a Store, key: &str, name: &str) -> impl Iterator<Item = &'a Entity> {
    let name = name.to_owned();
    reference::referrers(store, key).filter(move |entity| mentions(&entity.body, &name))
}

fn mentions(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => reference::named_values(text)
            .iter()
            .any(|found| found.eq_ignore_ascii_case(name)),
        Value::Array(items) => items.iter().any(|item| mentions(item, name)),
        Value::Object(fields) => fields.values().any(|field| mentions(field, name)),
        _ => false,
    }
}

pub fn check_delete(store: &Store, target: &Target) -> Result<(), ArmError> {
    let Some(entity) = store.get(&target.key) else {
        return Ok(());
    };
    let name = entity.property("displayName").unwrap_or_default();
    let users: Vec<&Entity> = referrers_of(store, &target.key, name).collect();
    reference::refuse_use("Property", &target.key, name, &users)
}

/// What a reader does not see.
pub fn hide(body: &mut Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.remove(REFRESHED);
    }
    if body["properties"]["secret"] != json!(true) {
        return;
    }
    if let Some(properties) = body["properties"].as_object_mut() {
        properties.remove("value");
    }
}
