//! The entities, by lower-case id, the operations that still run, and what was done to them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::activity::ActivityLog;
use super::kind::Kind;
use super::operation::Operation;
use crate::ids;

/// One entity as it is kept, secrets included; `hooks::view` makes what a client sees.
#[derive(Clone)]
pub struct Entity {
    pub id: String,
    pub kind: Kind,
    pub type_name: &'static str,
    /// The body without `id`, `name` and `type`.
    pub body: Value,
    pub etag: String,
}

/// The name that an id or a key ends with.
pub fn name_of(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or_default()
}

impl std::fmt::Debug for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entity")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Entity {
    pub fn name(&self) -> &str {
        name_of(&self.id)
    }

    pub fn key(&self) -> String {
        self.id.to_lowercase()
    }

    /// A text property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.body["properties"][name].as_str()
    }

    /// The body with `id`, `type` and `name` put back.
    pub fn envelope(&self) -> Value {
        let mut body = self.body.clone();
        body["id"] = json!(self.id);
        body["type"] = json!(self.type_name);
        body["name"] = json!(self.name());
        body
    }
}

/// All entities of the emulated subscription.
#[derive(Debug, Default)]
pub struct Store {
    entities: BTreeMap<String, Entity>,
    pub operations: BTreeMap<String, Operation>,
    pub activity: ActivityLog,
    serial: u64,
}

impl Store {
    pub fn get(&self, key: &str) -> Option<&Entity> {
        self.entities.get(key)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Entity> {
        self.entities.get_mut(key)
    }

    /// A fresh ETag; it never comes back.
    pub fn next_etag(&mut self) -> String {
        self.serial += 1;
        ids::etag(self.serial + 4_096)
    }

    pub fn put(&mut self, entity: Entity) {
        self.entities.insert(entity.key(), entity);
    }

    /// Removes an entity and everything below it.
    pub fn remove(&mut self, key: &str) {
        for gone in self.subtree(key) {
            self.entities.remove(&gone);
        }
    }

    /// Moves one entity without what is below it.
    pub fn take(&mut self, key: &str) -> Option<Entity> {
        self.entities.remove(key)
    }

    /// The keys of an entity and of everything below it.
    pub fn subtree(&self, key: &str) -> Vec<String> {
        let below = format!("{key}/");
        self.entities
            .range(key.to_owned()..)
            .map(|(key, _)| key)
            .take_while(|found| found.starts_with(key))
            .filter(|found| *found == key || found.starts_with(&below))
            .cloned()
            .collect()
    }

    /// The items of a collection, in the order of their names.
    pub fn list(&self, collection: &str) -> Vec<&Entity> {
        let prefix = format!("{collection}/");
        self.below(&prefix)
            .filter(|entity| !entity.key()[prefix.len()..].contains('/'))
            .collect()
    }

    /// Every entity whose key begins with `prefix`.
    pub fn below(&self, prefix: &str) -> impl Iterator<Item = &Entity> {
        self.entities
            .range(prefix.to_owned()..)
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(_, entity)| entity)
    }

    pub fn all(&self) -> impl Iterator<Item = &Entity> {
        self.entities.values()
    }
}
