//! Named values. A secret is never read back but by `listValue`; a display name is unique, which
//! shows only when the operation ends; one that is referred to cannot go.

use serde_json::{Value, json};

use super::reference;
use crate::arm::error::ArmError;
use crate::arm::store::{Entity, Store};
use crate::arm::target::Target;
use crate::estate::Estate;

pub fn check(estate: &Estate, next: &mut Value) -> Result<(), ArmError> {
    let now = estate.clock.iso();
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
        if !properties["keyVault"]["secretIdentifier"].is_string() {
            let message = "The secret identifier is required.";
            return Err(ArmError::validation("keyVault.secretIdentifier", message));
        }
        properties["secret"] = json!(true);
        properties["keyVault"]["lastStatus"] = json!({"code": "Success", "timeStampUtc": now});
        return Ok(());
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
pub fn commit(store: &mut Store, entity: Entity) -> Result<(), ArmError> {
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
    store.put(entity);
    if let Some(before) = renamed {
        rename(store, &key, &before, &name);
    }
    Ok(())
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
    let Some(user) = referrers_of(store, &target.key, name).next() else {
        return Ok(());
    };
    let message = format!(
        "Property '{name}' is in use by {} and cannot be deleted.",
        user.id
    );
    Err(ArmError::validation("name", message))
}

/// What a reader does not see.
pub fn hide(body: &mut Value) {
    if body["properties"]["secret"] != json!(true) {
        return;
    }
    if let Some(properties) = body["properties"].as_object_mut() {
        properties.remove("value");
    }
}
