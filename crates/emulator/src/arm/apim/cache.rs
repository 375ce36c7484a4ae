//! External caches. A connection string that is sent in clear becomes a named value of its own, and
//! the cache refers to it from then on (azure-facts A.7 and B.5 row 10).

use serde_json::json;

use crate::arm::error::ArmError;
use crate::arm::hooks::{self, Change};
use crate::arm::kind::{self, Kind};
use crate::arm::store::{Entity, Store};
use crate::estate::Estate;
use crate::ids;

/// Stores an entity of a kind that is only stored; a cache without its connection string.
pub fn commit(estate: &Estate, store: &mut Store, mut entity: Entity) -> Result<(), ArmError> {
    let text = entity.property("connectionString").unwrap_or_default();
    let is_cache = entity.type_name.ends_with("/caches");
    if is_cache && !text.is_empty() && !text.starts_with("{{") {
        let name = keep(estate, store, &entity, text)?;
        entity.body["properties"]["connectionString"] = json!(format!("{{{{{name}}}}}"));
    }
    store.put(entity);
    Ok(())
}

/// Stores the text and answers the name of the named value that it became.
fn keep(
    estate: &Estate,
    store: &mut Store,
    cache: &Entity,
    text: &str,
) -> Result<String, ArmError> {
    let name = ids::guid().replace('-', "")[..24].to_owned();
    let Some((kind, type_name)) = kind::lookup("Microsoft.ApiManagement/service/namedValues")
    else {
        return Ok(name);
    };
    let service = cache.id.split('/').take(9).collect::<Vec<_>>().join("/");
    let value = Entity {
        id: format!("{service}/namedValues/{name}"),
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
