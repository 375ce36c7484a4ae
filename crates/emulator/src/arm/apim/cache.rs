//! External caches. A connection string that is sent in clear becomes a named value of its own, and
//! the cache refers to it from then on (azure-facts A.7 and B.5 row 10).

use serde_json::json;

use super::named_value;
use crate::arm::error::ArmError;
use crate::arm::store::{Entity, Store};
use crate::estate::Estate;

/// Stores an entity of a kind that is only stored; a cache without its connection string.
pub fn commit(estate: &Estate, store: &mut Store, mut entity: Entity) -> Result<(), ArmError> {
    let text = entity.property("connectionString").unwrap_or_default();
    let is_cache = entity.type_name.ends_with("/caches");
    if is_cache && !text.is_empty() && !text.starts_with("{{") {
        let name = named_value::keep(estate, store, &entity, "", text)?;
        entity.body["properties"]["connectionString"] = json!(format!("{{{{{name}}}}}"));
    }
    store.put(entity);
    Ok(())
}
