//! APIs and their revisions. The current revision lives under the API's own name, every other one
//! under `name;rev=n` with operations, resolvers and policies of its own; a release swaps two.

use serde_json::{Value, json};

use super::service_key;
use crate::arm::error::ArmError;
use crate::arm::hooks;
use crate::arm::kind::Kind;
use crate::arm::store::{Entity, Store, name_of};
use crate::arm::target::{Target, split_revision, without_revision};
use crate::estate::Estate;

pub fn check(
    store: &Store,
    target: &Target,
    current: Option<&Entity>,
    next: &mut Value,
) -> Result<(), ArmError> {
    let service = service_key(&target.key).to_owned();
    let revision = split_revision(&target.name);
    let properties = &mut next["properties"];
    if let Some((api, _)) = revision {
        inherit(store, &format!("{service}/apis/{api}"), properties)?;
    }
    let source = properties["sourceApiId"]
        .as_str()
        .filter(|_| current.is_none());
    if source.is_some_and(|source| source_key(store, &service, source).is_none()) {
        return Err(ArmError::validation(
            "sourceApiId",
            "The source API was not found.",
        ));
    }
    if !properties["path"].is_string() || !properties["displayName"].is_string() {
        let message = "The fields 'displayName' and 'path' are required.";
        return Err(ArmError::validation("path", message));
    }
    if let Some(kind) = properties["apiType"].as_str().map(str::to_owned) {
        properties["type"] = json!(kind);
    }
    let number = match revision {
        Some((_, number)) => number,
        None => current
            .and_then(|api| api.property("apiRevision"))
            .or(properties["apiRevision"].as_str())
            .unwrap_or("1"),
    };
    properties["apiRevision"] = json!(number);
    hooks::complete(
        properties,
        [
            ("subscriptionRequired", json!(true)),
            ("protocols", json!(["https"])),
            ("type", json!("http")),
            (
                "subscriptionKeyParameterNames",
                json!({"header": "Ocp-Apim-Subscription-Key", "query": "subscription-key"}),
            ),
        ],
    );
    check_path_is_free(store, &service, target, &next["properties"])
}

/// What a new revision does not say itself it has from the API.
fn inherit(store: &Store, api: &str, properties: &mut Value) -> Result<(), ArmError> {
    let api = store.get(&api.to_lowercase());
    let api = api.ok_or_else(|| ArmError::not_found("API"))?;
    for (field, value) in api.body["properties"].as_object().into_iter().flatten() {
        if properties[field].is_null() && field != "isCurrent" {
            properties[field] = value.clone();
        }
    }
    Ok(())
}

/// Two APIs cannot answer the same path, unless they are versions in one set; revisions of one do.
fn check_path_is_free(
    store: &Store,
    service: &str,
    target: &Target,
    properties: &Value,
) -> Result<(), ArmError> {
    let field = |name: &str| properties[name].as_str();
    let path = field("path");
    let own = without_revision(&target.name);
    let taken = store
        .list(&format!("{service}/apis"))
        .into_iter()
        .any(|other| {
            let set = other.property("apiVersionSetId");
            let version = set.is_some()
                && set == field("apiVersionSetId")
                && other.property("apiVersion") != field("apiVersion");
            !without_revision(other.name()).eq_ignore_ascii_case(own)
                && other.property("path") == path
                && !version
        });
    if taken {
        let message = "Cannot create API with the same Path as another API.";
        return Err(ArmError::validation("path", message));
    }
    Ok(())
}

/// A source may be a whole id or `/apis/{name}`.
fn source_key(store: &Store, service: &str, source: &str) -> Option<String> {
    let name = source
        .trim_end_matches('/')
        .rsplit('/')
        .next()?
        .to_lowercase();
    let key = format!("{service}/apis/{name}");
    let base = split_revision(&name).map(|(api, _)| format!("{service}/apis/{api}"));
    [Some(key), base]
        .into_iter()
        .flatten()
        .find(|key| store.get(key).is_some())
}

/// Stores an API; a new one with a source gets copies of what the source holds.
pub fn commit(store: &mut Store, mut entity: Entity) -> Result<(), ArmError> {
    let key = entity.key();
    let service = service_key(&key).to_owned();
    let source = entity.body["properties"]
        .as_object_mut()
        .and_then(|properties| properties.remove("sourceApiId"))
        .and_then(|source| source_key(store, &service, source.as_str()?))
        .filter(|_| store.get(&key).is_none());
    let id = entity.id.clone();
    store.put(entity);
    let Some(source) = source else { return Ok(()) };
    for child in store.subtree(&source).into_iter().skip(1) {
        let Some(mut copy) = store.get(&child).cloned() else {
            continue;
        };
        if copy.kind == Kind::Release {
            continue;
        }
        copy.id = format!("{id}{}", &copy.id[source.len()..]);
        copy.etag = store.next_etag();
        store.put(copy);
    }
    Ok(())
}

/// A release names the revision that becomes current.
pub fn check_release(
    estate: &Estate,
    store: &Store,
    target: &Target,
    next: &mut Value,
) -> Result<(), ArmError> {
    let service = service_key(&target.key);
    let properties = &mut next["properties"];
    let wanted = properties["apiId"].as_str().unwrap_or_default();
    if source_key(store, service, wanted).is_none() {
        return Err(ArmError::validation(
            "apiId",
            "The API revision was not found.",
        ));
    }
    properties["createdDateTime"] = json!(estate.clock.iso());
    properties["updatedDateTime"] = json!(estate.clock.iso());
    Ok(())
}

pub fn commit_release(store: &mut Store, entity: Entity) -> Result<(), ArmError> {
    let service = service_key(&entity.key()).to_owned();
    let wanted = entity.property("apiId").unwrap_or_default().to_owned();
    let key = source_key(store, &service, &wanted)
        .ok_or_else(|| ArmError::validation("apiId", "The API revision was not found."))?;
    let current = key.find(";rev=").map(|at| key[..at].to_owned());
    if let Some(current) = current {
        swap(store, &current, &key)?;
    }
    store.put(entity);
    Ok(())
}

/// The current revision moves to its `;rev=n` name and `next` to the plain one.
fn swap(store: &mut Store, current: &str, next: &str) -> Result<(), ArmError> {
    let Some(api) = store.get(current) else {
        return Err(ArmError::not_found("API"));
    };
    let number = api.property("apiRevision").unwrap_or("1");
    let (id, old_id) = (api.id.clone(), format!("{};rev={number}", api.id));
    let next_id = store
        .get(next)
        .map(|entity| entity.id.clone())
        .unwrap_or_default();
    let moved = |store: &mut Store, from: &str, from_id: &str, to_id: &str| -> Vec<Entity> {
        let keys = store.subtree(from);
        let kept = keys
            .into_iter()
            .filter(|key| !key[from.len()..].starts_with("/releases/"));
        kept.filter_map(|key| store.take(&key))
            .map(|mut entity| {
                entity.id = format!("{to_id}{}", &entity.id[from_id.len()..]);
                entity
            })
            .collect()
    };
    let mut all = moved(store, current, &id, &old_id);
    all.extend(moved(store, next, &next_id, &id));
    for mut entity in all {
        if entity.kind == Kind::Api {
            entity.etag = store.next_etag();
        }
        store.put(entity);
    }
    Ok(())
}

pub fn check_delete(store: &Store, target: &Target, all_revisions: bool) -> Result<(), ArmError> {
    let others = !target.key.contains(";rev=")
        && store
            .below(&format!("{};rev=", target.key))
            .next()
            .is_some();
    if others && !all_revisions {
        let message = "The current revision cannot be deleted while the API has others.";
        return Err(ArmError::validation("apiId", message));
    }
    Ok(())
}

pub fn remove_revisions(store: &mut Store, api: &str) {
    let keys: Vec<String> = store
        .below(&format!("{api};rev="))
        .filter(|entity| entity.kind == Kind::Api)
        .map(Entity::key)
        .collect();
    for key in keys {
        store.remove(&key);
    }
}

/// `apis/{api}/revisions`: the current one first.
pub fn revisions(store: &Store, api: &str) -> Vec<Value> {
    let base = api.find(";rev=").map_or(api, |at| &api[..at]);
    let prefix = format!("{base};rev=");
    let others = store
        .below(&prefix)
        .filter(|entity| entity.kind == Kind::Api);
    store
        .get(base)
        .into_iter()
        .chain(others)
        .map(|entity| revision(entity, base))
        .collect()
}

fn revision(entity: &Entity, base: &str) -> Value {
    let number = entity.property("apiRevision").unwrap_or("1");
    let is_current = entity.key() == base;
    let id = if is_current {
        format!("{};rev={number}", entity.id)
    } else {
        entity.id.clone()
    };
    json!({
        "apiId": id,
        "apiRevision": number,
        "description": entity.property("apiRevisionDescription"),
        "isOnline": true,
        "isCurrent": is_current,
    })
}

/// The set that an API is a version of, as it stands in the API's body (`ApiVersionSetContractDetails`).
pub fn expand_version_set(store: &Store, api: &Entity, body: &mut Value) {
    let name = api
        .property("apiVersionSetId")
        .map(name_of)
        .unwrap_or_default();
    let key = format!("{}/apiversionsets/{name}", service_key(&api.key())).to_lowercase();
    let Some(set) = store.get(&key) else { return };
    let properties = &set.body["properties"];
    body["properties"]["apiVersionSet"] = json!({
        "id": set.id,
        "name": properties["displayName"],
        "description": properties["description"],
        "versioningScheme": properties["versioningScheme"],
        "versionQueryName": properties["versionQueryName"],
        "versionHeaderName": properties["versionHeaderName"],
    });
}

/// Only the current revision says that it is.
pub fn show(entity: &Entity, body: &mut Value) {
    if !entity.key().contains(";rev=") {
        body["properties"]["isCurrent"] = json!(true);
    }
    body["properties"]["isOnline"] = json!(true);
}
