//! Management locks: a scope at and below which nothing may be deleted, or nothing changed.

use serde_json::Value;

use super::{covers, scope_of};
use crate::arm::error::ArmError;
use crate::arm::kind::Kind;
use crate::arm::store::{Entity, Store};
use crate::arm::target::Target;

pub fn check(next: &Value) -> Result<(), ArmError> {
    let level = next["properties"]["level"].as_str();
    if matches!(level, Some("CanNotDelete" | "ReadOnly")) {
        return Ok(());
    }
    let message = "The lock level is one of CanNotDelete, ReadOnly.";
    Err(ArmError::new(400, "InvalidLockLevel", message))
}

/// The keys of the locks at and below the scope of a list.
pub fn listed(store: &Store, target: &Target) -> Vec<String> {
    let wanted = scope_of(&target.key);
    let locks = store.all().filter(|entity| entity.kind == Kind::Lock);
    let keys = locks.map(Entity::key);
    keys.filter(|key| covers(wanted, scope_of(key))).collect()
}

/// Refuses what a lock forbids (azure-facts A.1, `ScopeLocked`). Locks themselves can be removed.
pub fn refuse(store: &Store, verb: &str, target: &Target) -> Result<(), ArmError> {
    let what = match verb {
        "GET" | "HEAD" => return Ok(()),
        "DELETE" => "delete",
        _ => "write",
    };
    if target.kind == Kind::Lock {
        return Ok(());
    }
    let locks = store.all().filter(|entity| entity.kind == Kind::Lock);
    let mut forbidding = locks.filter(|lock| {
        let level = lock.property("level");
        let forbids = what == "delete" || level == Some("ReadOnly");
        forbids && covers(scope_of(&lock.id), &target.key)
    });
    let Some(lock) = forbidding.next() else {
        return Ok(());
    };
    let locked = scope_of(&lock.id);
    let message = format!(
        "The scope '{}' cannot perform {what} operation because following scope(s) are locked: \
         '{locked}'. Please remove the lock and try again.",
        target.id
    );
    Err(ArmError::new(409, "ScopeLocked", message))
}
