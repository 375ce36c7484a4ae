//! Settings of servers and databases: auditing, and a server's connection policy.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::server_name;
use crate::arm::error::ArmError;
use crate::arm::hooks;
use crate::arm::store::{Entity, Store};
use crate::arm::target::Target;
use crate::estate::Estate;

/// What an enabled audit writes when nothing else is asked for (azure-facts C.5).
const GROUPS: [&str; 3] = [
    "SUCCESSFUL_DATABASE_AUTHENTICATION_GROUP",
    "FAILED_DATABASE_AUTHENTICATION_GROUP",
    "BATCH_COMPLETED_GROUP",
];

/// The subscription of an account that there is not.
const NO_SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

pub fn check(target: &Target, next: &mut Value) -> Result<(), ArmError> {
    if !target.name.eq_ignore_ascii_case("default") {
        return Err(invalid("InvalidParameterValue", "name"));
    }
    let properties = &mut next["properties"];
    if target.type_name.ends_with("/connectionPolicies") {
        return one_of(
            properties,
            "connectionType",
            &["Default", "Redirect", "Proxy"],
        );
    }
    one_of(properties, "state", &["Enabled", "Disabled"])?;
    hooks::complete(
        properties,
        [
            ("retentionDays", json!(0)),
            ("isStorageSecondaryKeyInUse", json!(false)),
            ("isAzureMonitorTargetEnabled", json!(false)),
            ("isManagedIdentityInUse", json!(false)),
            ("storageAccountSubscriptionId", json!(NO_SUBSCRIPTION)),
        ],
    );
    let goes_somewhere = properties["storageEndpoint"].is_string()
        || properties["isAzureMonitorTargetEnabled"] == json!(true);
    if properties["state"] == "Disabled" {
        return Ok(());
    }
    if !goes_somewhere {
        let code = "DataSecurityInvalidUserSuppliedParameter";
        return Err(invalid(code, "storageEndpoint"));
    }
    // The audit of support operations has no choice of what it writes.
    if target.type_name.ends_with("/devOpsAuditingSettings") {
        return Ok(());
    }
    if properties["auditActionsAndGroups"]
        .as_array()
        .is_none_or(Vec::is_empty)
    {
        properties["auditActionsAndGroups"] = json!(GROUPS);
    }
    Ok(())
}

/// Tells the emulated SQL what to audit, and whether logins are sent on.
pub fn commit(estate: &Estate, store: &mut Store, entity: Entity) {
    if entity.type_name.ends_with("/extendedAuditingSettings") {
        let is_on = entity.property("state") == Some("Enabled");
        let groups = entity.body["properties"]["auditActionsAndGroups"].as_array();
        let groups: BTreeSet<String> = groups
            .filter(|_| is_on)
            .into_iter()
            .flatten()
            .filter_map(|group| Some(group.as_str()?.to_uppercase()))
            .collect();
        let key = entity.key();
        // …/servers/{s}/databases/{d}/extendedAuditingSettings/default
        let database = key
            .split('/')
            .nth(10)
            .filter(|_| key.contains("/databases/"));
        estate.sql.set_audit(server_name(&key), database, groups);
    }
    if entity.type_name.ends_with("/connectionPolicies") {
        // Where `Default` redirects depends on where the client is; here it never does.
        let on = entity.property("connectionType") == Some("Redirect");
        estate.sql.set_redirect(server_name(&entity.key()), on);
    }
    store.put(entity);
}

fn one_of(properties: &Value, field: &str, values: &[&str]) -> Result<(), ArmError> {
    let given = properties[field].as_str();
    if given.is_some_and(|given| values.contains(&given)) {
        return Ok(());
    }
    Err(invalid("InvalidParameterValue", field))
}

fn invalid(code: &str, field: &str) -> ArmError {
    let message = format!("Invalid value given for parameter {field}.");
    ArmError::new(400, code, message)
}

/// A storage key is never read back.
pub fn hide(body: &mut Value) {
    if let Some(properties) = body["properties"].as_object_mut() {
        properties.remove("storageAccountAccessKey");
    }
}
