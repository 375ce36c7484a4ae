//! `products/{p}/apiLinks/{name}` and `groupLinks`: associations with names of their own. Each
//! stands for the association in its older form, which comes and goes with it. An association that
//! was made in the older form has no name here, where the service gives it one.

use serde_json::{Value, json};

use super::service_key;
use crate::arm::error::ArmError;
use crate::arm::kind::{self, Kind};
use crate::arm::store::{Entity, Store, name_of};
use crate::arm::target::Target;

/// The field that names the other side, and the collection that it is in.
fn side(key: &str) -> (&'static str, &'static str) {
    if key.to_lowercase().contains("/grouplinks/") {
        ("groupId", "groups")
    } else {
        ("apiId", "apis")
    }
}

/// The id of the association in its older form.
fn association(id: &str, body: &Value) -> Option<String> {
    let (field, collection) = side(id);
    let name = body["properties"][field].as_str().map(name_of)?;
    let owner = id.rsplitn(3, '/').nth(2)?;
    Some(format!("{owner}/{collection}/{name}"))
}

pub fn check(store: &Store, target: &Target, next: &Value) -> Result<(), ArmError> {
    let (field, collection) = side(&target.key);
    let id = next["properties"][field].as_str().unwrap_or_default();
    let other = format!("{}/{collection}/{}", service_key(&target.key), name_of(id));
    if store.get(&other.to_lowercase()).is_some() {
        return Ok(());
    }
    let message = format!("The entity '{id}' was not found.");
    Err(ArmError::validation(field, message))
}

pub fn commit(store: &mut Store, entity: Entity) -> Result<(), ArmError> {
    // The name may have stood for another association before.
    remove(store, &entity.key());
    let (_, collection) = side(&entity.id);
    let type_name = format!("Microsoft.ApiManagement/service/products/{collection}");
    if let (Some(id), Some((kind, type_name))) = (
        association(&entity.id, &entity.body),
        kind::lookup(&type_name),
    ) {
        let etag = store.next_etag();
        store.put(Entity {
            id,
            kind,
            type_name,
            body: json!({}),
            etag,
        });
    }
    store.put(entity);
    Ok(())
}

/// The association goes with its name, and with it whatever other names it had.
pub fn remove(store: &mut Store, key: &str) {
    let gone = store
        .get(key)
        .and_then(|entity| association(&entity.id, &entity.body));
    if let Some(gone) = gone {
        store.remove(&gone.to_lowercase());
        remove_names(store, &gone);
    }
}

/// The names of an association that is gone go with it.
pub fn remove_names(store: &mut Store, gone: &str) {
    let owner = gone.rsplitn(3, '/').nth(2).unwrap_or_default().to_owned() + "/";
    let is_of = |entity: &&Entity| {
        entity.kind == Kind::NamedLink
            && association(&entity.id, &entity.body).is_some_and(|id| id.eq_ignore_ascii_case(gone))
    };
    let names: Vec<String> = store.below(&owner).filter(is_of).map(Entity::key).collect();
    for name in names {
        store.remove(&name);
    }
}
