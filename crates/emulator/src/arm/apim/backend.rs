//! Backends. What they hold is shown in clear, credentials as well (azure-facts B.3); one that a
//! policy or a pool refers to cannot go.

use serde_json::{Value, json};

use super::{plain, reference, service_key};
use crate::arm::access;
use crate::arm::error::ArmError;
use crate::arm::hooks;
use crate::arm::store::{Entity, Store, name_of};
use crate::arm::target::Target;

/// The first version that knows `credentials.managedIdentity` (azure-facts B.3).
const MANAGED_IDENTITY_SINCE: &str = "2024-06-01";

pub fn check(store: &Store, target: &Target, next: &mut Value) -> Result<(), ArmError> {
    reference::check_named_values(store, target, next)?;
    if !next["properties"]["pool"].is_object() {
        hooks::complete(&mut next["properties"], [("type", json!("Single"))]);
        return plain::require(next, &["url", "protocol"]);
    }
    let members = members(next);
    for id in members {
        let key = format!("{}/backends/{}", service_key(&target.key), name_of(id));
        if store.get(&key.to_lowercase()).is_none() {
            let message = format!("The backend '{id}' of the pool was not found.");
            return Err(ArmError::validation("pool", message));
        }
    }
    Ok(())
}

/// The ids of a pool's members, `/backends/{name}` or whole.
fn members(body: &Value) -> Vec<&str> {
    let services = body["properties"]["pool"]["services"].as_array();
    let ids = services.into_iter().flatten().map(|s| &s["id"]);
    ids.filter_map(Value::as_str).collect()
}

fn is_member(pool: &Entity, name: &str) -> bool {
    members(&pool.body)
        .iter()
        .any(|id| name_of(id).eq_ignore_ascii_case(name))
}

pub fn check_delete(store: &Store, target: &Target) -> Result<(), ArmError> {
    let mut users = reference::users(store, &target.key, "set-backend-service", "backend-id");
    let pools = store
        .list(&format!("{}/backends", service_key(&target.key)))
        .into_iter()
        .filter(|pool| is_member(pool, &target.name));
    users.extend(pools);
    reference::refuse_use("Backend", &target.key, &target.name, &users)
}

/// A stable version does not show the managed identity, and a PUT at one does not keep it
/// (unconfirmed; the harsher reading of azure-facts B.3).
pub fn hide_preview(body: &mut Value, version: Option<&str>) {
    if !access::is_before(version, MANAGED_IDENTITY_SINCE) {
        return;
    }
    if let Some(credentials) = body["properties"]["credentials"].as_object_mut() {
        credentials.remove("managedIdentity");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_preview_version_shows_a_managed_identity() {
        let body = json!({"properties": {"credentials": {"managedIdentity": {"resource": "r"}}}});
        for (version, shown) in [("2024-05-01", false), ("2024-06-01-preview", true)] {
            let mut seen = body.clone();
            hide_preview(&mut seen, Some(version));
            assert_eq!(seen == body, shown, "{version}");
        }
    }
}
