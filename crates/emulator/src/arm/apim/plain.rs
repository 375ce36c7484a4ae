//! Kinds with a few required fields and nothing more: operations, resolvers, products,
//! subscriptions, associations.

use serde_json::{Value, json};

use super::{link, service_key};
use crate::arm::error::ArmError;
use crate::arm::hooks;
use crate::arm::kind::Kind;
use crate::arm::store::{Entity, Store, name_of};
use crate::arm::target::{Target, without_revision};
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

/// Fields that have to be there and not empty.
pub fn require(next: &Value, fields: &[&str]) -> Result<(), ArmError> {
    for field in fields {
        if next["properties"][field].as_str().is_none_or(str::is_empty) {
            let message = format!("The field '{field}' is required.");
            return Err(ArmError::validation(field, message));
        }
    }
    Ok(())
}

/// A subscription has two keys of its own unless they are given.
pub fn check_subscription(
    estate: &Estate,
    current: Option<&Entity>,
    next: &mut Value,
) -> Result<(), ArmError> {
    require(next, &["displayName", "scope"])?;
    let created = current.and_then(|entity| entity.property("createdDate"));
    let created = created.map_or_else(|| estate.clock.iso(), str::to_owned);
    next["properties"]["createdDate"] = json!(created);
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

/// The products that hold an API, each under its own id.
pub fn products_of(estate: &Estate, store: &Store, api: &str) -> Vec<Value> {
    let name = without_revision(name_of(api));
    store
        .list(&format!("{}/products", service_key(api)))
        .into_iter()
        .filter(|product| {
            let link = format!("{}/apis/{name}", product.key());
            store.get(&link).is_some()
        })
        .map(|product| hooks::view(estate, store, product, None))
        .collect()
}

/// Takes away the associations with what is no longer there.
pub fn unlink(store: &mut Store, gone: &str) {
    let service = service_key(gone).to_owned() + "/";
    let loose: Vec<String> = store
        .below(&service)
        .filter(|entity| entity.kind == Kind::Link)
        .map(Entity::key)
        .filter(|key| linked(store, key).is_none())
        .collect();
    for key in loose {
        store.remove(&key);
        link::remove_names(store, &key);
    }
}
