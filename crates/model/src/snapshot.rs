//! What is live: everything that one read brought back, before any decision.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::address::Address;
use crate::sql::{Catalogue, Login};
use crate::timestamp::Timestamp;

/// A live thing as the reader could see it. Ignorance is a value: nothing is created, deleted or
/// called clean on top of [`Live::Unreadable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Live<T> {
    Present(T),
    Absent,
    /// Why it could not be read.
    Unreadable(String),
}

impl<T> Live<T> {
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            _ => None,
        }
    }

    pub fn as_ref(&self) -> Live<&T> {
        match self {
            Self::Present(value) => Live::Present(value),
            Self::Absent => Live::Absent,
            Self::Unreadable(why) => Live::Unreadable(why.clone()),
        }
    }
}

/// One ARM resource as read: its body may hold credentials, so it neither prints nor serialises.
#[derive(Clone, PartialEq)]
pub struct Entity {
    /// The ARM path, without the host.
    pub id: String,
    pub etag: Option<String>,
    /// The whole body, unknown fields included.
    pub body: Value,
}

impl Entity {
    /// A string field by JSON pointer.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.body.pointer(pointer).and_then(Value::as_str)
    }

    pub fn flag(&self, pointer: &str) -> Option<bool> {
        self.body.pointer(pointer).and_then(Value::as_bool)
    }
}

impl fmt::Debug for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entity({})", self.id)
    }
}

/// One session of a database, from `sys.dm_exec_sessions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub original_login: String,
    pub login_time: Timestamp,
    pub program: String,
    pub host: String,
}

/// Everything that one read found. Addresses as in [`Address`]; an address that no list or read
/// brought back is absent, unless a scope that covers it could not be read.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The Entra tenant that the tokens came from.
    pub tenant: String,
    /// The object id and the client id of who reads.
    pub reader: Vec<String>,
    /// The service's clock at the end of the read.
    pub now: Timestamp,
    /// ARM requests that the read took.
    pub requests: usize,
    pub entities: BTreeMap<Address, Entity>,
    /// The catalogue of each database that a manifest or an Access names.
    pub databases: BTreeMap<Address, Live<Catalogue>>,
    /// The logins of each server.
    pub logins: BTreeMap<Address, Live<Vec<Login>>>,
    pub sessions: BTreeMap<Address, Live<Vec<Session>>>,
    /// The role assignments at, above and below each scope that a document names, by the scope in
    /// lower case.
    pub assignments: BTreeMap<String, Live<Vec<Entity>>>,
    /// What could not be read, and why: an address with all below it, or, ending in `:`, every
    /// child of one kind (`apim:contoso/namedValue:`).
    pub unreadable: BTreeMap<String, String>,
}

impl Snapshot {
    pub fn get(&self, address: &Address) -> Live<&Entity> {
        if let Some(entity) = self.entities.get(address) {
            return Live::Present(entity);
        }
        let covers = |scope: &str| {
            let rest = address.as_str().strip_prefix(scope);
            rest.is_some_and(|r| scope.ends_with(':') || r.is_empty() || r.starts_with('/'))
        };
        let covering = self.unreadable.iter().find(|(scope, _)| covers(scope));
        match covering {
            Some((_, why)) => Live::Unreadable(why.clone()),
            None => Live::Absent,
        }
    }

    /// The catalogue of a database; one that was never asked for is unreadable, not absent.
    pub fn catalogue(&self, database: &Address) -> Live<&Catalogue> {
        match self.databases.get(database) {
            Some(live) => live.as_ref(),
            None => Live::Unreadable("it was not read".into()),
        }
    }

    pub fn logins(&self, server: &Address) -> Live<&Vec<Login>> {
        match self.logins.get(server) {
            Some(live) => live.as_ref(),
            None => Live::Unreadable("it was not read".into()),
        }
    }

    /// The entities directly inside `parent` whose last segment has this word.
    pub fn children<'a>(
        &'a self,
        parent: &'a Address,
        word: &'a str,
    ) -> impl Iterator<Item = (&'a Address, &'a Entity)> {
        self.entities
            .range(parent.clone()..)
            .take_while(move |(a, _)| a.as_str().starts_with(parent.as_str()))
            .filter(move |(a, _)| a.last().0 == word && a.parent().as_ref() == Some(parent))
    }

    /// The named value that policies call `{{display_name}}`.
    pub fn named_value(
        &self,
        gateway: &Address,
        display_name: &str,
    ) -> Option<(&Address, &Entity)> {
        self.entities.iter().find(|(a, e)| {
            a.last().0 == "namedValue"
                && a.parent().as_ref() == Some(gateway)
                && e.text("/properties/displayName") == Some(display_name)
        })
    }

    /// The text of the policy at `address`.
    pub fn policy_text(&self, address: &Address) -> Option<&str> {
        self.entities.get(address)?.text("/properties/value")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_scope_covers_what_is_below_it_and_no_namesake() {
        let mut snapshot = Snapshot::default();
        snapshot.unreadable.insert("apim:con".into(), "why".into());
        snapshot
            .unreadable
            .insert("apim:x/namedValue:".into(), "why".into());
        let unreadable = |a: Address| matches!(snapshot.get(&a), Live::Unreadable(_));
        assert!(unreadable(Address::gateway("con")));
        assert!(unreadable(Address::gateway("con").part("policy")));
        assert!(!unreadable(Address::gateway("contoso")));
        assert!(unreadable(Address::gateway("x").child("namedValue", "n")));
        assert!(!unreadable(Address::gateway("x").child("api", "n")));
    }
}
