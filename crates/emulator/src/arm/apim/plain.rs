//! Kinds with a few required fields and nothing more: operations, resolvers, products, backends,
//! subscriptions, associations.

use serde_json::{Value, json};

use super::service_key;
use crate::arm::error::ArmError;
use crate::arm::hooks;
use crate::arm::kind::Kind;
use crate::arm::store::{Entity, Store};
use crate::arm::target::Target;
use crate::estate::Estate;
use crate::ids;

pub fn check(kind: Kind, next: &Value) -> Result<(), ArmError> {
    let required: &[&str] = match kind {
        Kind::Operation => &["displayName", "method", "urlTemplate"],
        Kind::Resolver => &["displayName", "path"],
        _ => &["displayName"],
    };
    require(next, required)
}

fn require(next: &Value, fields: &[&str]) -> Result<(), ArmError> {
    for field in fields {
        if next["properties"][field].as_str().is_none_or(str::is_empty) {
            let message = format!("The field '{field}' is required.");
            return Err(ArmError::validation(field, message));
        }
    }
    Ok(())
}

pub fn check_backend(next: &Value) -> Result<(), ArmError> {
    if next["properties"]["pool"].is_object() {
        return Ok(());
    }
    require(next, &["url", "protocol"])
}

/// A subscription has two keys of its own unless they are given.
pub fn check_subscription(current: Option<&Entity>, next: &mut Value) -> Result<(), ArmError> {
    require(next, &["displayName", "scope"])?;
    let properties = &mut next["properties"];
    if properties["state"].is_null() {
        properties["state"] = json!("active");
    }
    for field in ["primaryKey", "secondaryKey"] {
        if properties[field].is_null() {
            let kept = current
                .and_then(|entity| entity.property(field))
                .map(str::to_owned);
            properties[field] = json!(kept.unwrap_or_else(|| ids::guid().replace('-', "")));
        }
    }
    Ok(())
}

pub fn hide_keys(body: &mut Value) {
    if let Some(properties) = body["properties"].as_object_mut() {
        properties.remove("primaryKey");
        properties.remove("secondaryKey");
    }
}

/// What an association names has to exist.
pub fn check_link(store: &Store, target: &Target) -> Result<(), ArmError> {
    if linked(store, &target.key).is_some() {
        Ok(())
    } else {
        Err(ArmError::not_found("Entity"))
    }
}

/// `…/products/p/apis/a` → the entity `…/apis/a`.
fn linked<'a>(store: &'a Store, key: &str) -> Option<&'a Entity> {
    let mut parts = key.rsplitn(3, '/');
    let (name, collection) = (parts.next()?, parts.next()?);
    store.get(&format!("{}/{collection}/{name}", service_key(key)))
}

/// An association reads like what it names, under its own id.
pub fn show_link(estate: &Estate, store: &Store, entity: &Entity, body: &mut Value) {
    if let Some(named) = linked(store, &entity.key()) {
        let shown = hooks::view(estate, store, named, None);
        body["properties"] = shown["properties"].clone();
    }
}
