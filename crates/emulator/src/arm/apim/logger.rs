//! Loggers. A credential that is sent in clear becomes a named value of its own, and the logger
//! refers to it from then on (azure-facts B.2, B.6).

use serde_json::{Value, json};

use super::{named_value, reference};
use crate::arm::error::ArmError;
use crate::arm::hooks;
use crate::arm::store::{Entity, Store};
use crate::arm::target::Target;
use crate::estate::Estate;

/// The fields of `credentials` that are secrets.
const SECRETS: [&str; 2] = ["connectionString", "instrumentationKey"];

pub fn check(store: &Store, target: &Target, next: &mut Value) -> Result<(), ArmError> {
    hooks::complete(&mut next["properties"], [("isBuffered", json!(true))]);
    let kind = next["properties"]["loggerType"].as_str();
    if !matches!(
        kind,
        Some("applicationInsights" | "azureEventHub" | "azureMonitor")
    ) {
        let message = "The logger type is applicationInsights, azureEventHub or azureMonitor.";
        return Err(ArmError::validation("loggerType", message));
    }
    reference::check_named_values(store, target, next)
}

pub fn commit(estate: &Estate, store: &mut Store, mut entity: Entity) -> Result<(), ArmError> {
    for field in SECRETS {
        let value = entity.body["properties"]["credentials"][field].clone();
        let Some(text) = value.as_str().filter(|text| !text.starts_with("{{")) else {
            continue;
        };
        let name = named_value::keep(estate, store, &entity, "Logger-Credentials--", text)?;
        entity.body["properties"]["credentials"][field] = json!(format!("{{{{{name}}}}}"));
    }
    store.put(entity);
    Ok(())
}
