//! Loggers. A credential that is sent in clear becomes a named value of its own, and the logger
//! refers to it from then on (azure-facts B.2, B.6).

use serde_json::{Value, json};

use super::reference;
use crate::arm::error::ArmError;
use crate::arm::hooks::{self, Change};
use crate::arm::kind::{self, Kind};
use crate::arm::store::{Entity, Store};
use crate::arm::target::Target;
use crate::estate::Estate;
use crate::ids;

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
        let name = keep(estate, store, &entity, text)?;
        entity.body["properties"]["credentials"][field] = json!(format!("{{{{{name}}}}}"));
    }
    store.put(entity);
    Ok(())
}

/// Stores the value and answers the display name under which it is.
fn keep(
    estate: &Estate,
    store: &mut Store,
    logger: &Entity,
    text: &str,
) -> Result<String, ArmError> {
    let id = ids::guid().replace('-', "");
    let name = format!("Logger-Credentials--{}", &id[..24]);
    let Some((kind, type_name)) = kind::lookup("Microsoft.ApiManagement/service/namedValues")
    else {
        return Ok(name);
    };
    let service = logger.id.split('/').take(9).collect::<Vec<_>>().join("/");
    let value = Entity {
        id: format!("{service}/namedValues/{}", &id[..24]),
        kind,
        type_name,
        body: json!({"properties": {"displayName": name, "secret": true, "value": text}}),
        etag: store.next_etag(),
    };
    let change = Change {
        id: value.id.clone(),
        key: value.key(),
        kind: Kind::NamedValue,
        next: Some(value),
    };
    hooks::commit(estate, store, change)?;
    Ok(name)
}
