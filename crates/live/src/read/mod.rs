//! Reading everything, before any decision: lists instead of items, and a text for each policy.
//!
//! What may not be read becomes an unreadable scope of the snapshot; only what makes the whole run
//! pointless (no login, no connection) is an error.

mod gateway;
mod server;

use keyless_model::{Address, Entity, Snapshot};
use serde_json::Value;

use crate::error::LiveError;
use crate::services::Services;

/// What is read beyond the plain read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// Secret named values too; needs `namedValues/listValue/action`. They stay in memory.
    pub inspect_secrets: bool,
    /// Who is logged in to each database.
    pub sessions: bool,
}

/// Reads every root of `services`.
///
/// # Errors
/// When nobody is logged in, or the services cannot be reached at all.
pub async fn read(services: &Services, reading: Reading) -> Result<Snapshot, LiveError> {
    let mut snapshot = Snapshot::default();
    let before = services.arm.requests();
    for (address, root) in &services.roots {
        if address.is_gateway() {
            gateway::read(services, address, &root.id, reading, &mut snapshot).await?;
        } else {
            server::read(services, address, &root.id, reading, &mut snapshot).await?;
        }
    }
    let who = services.arm.tokens().principal().await?;
    snapshot.tenant = who.tenant;
    snapshot.reader = vec![who.object_id, who.client_id];
    snapshot.requests = services.arm.requests() - before;
    snapshot.now = services.now();
    Ok(snapshot)
}

/// An entity from an item of a list or the body of a read.
pub(crate) fn entity(body: Value, etag: Option<String>) -> Entity {
    let id = body
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    Entity { id, etag, body }
}

/// The last segment of an ARM id: what Azure calls the thing. The `name` of an item is the same,
/// but some lists leave it out.
pub(crate) fn name_of(item: &Value) -> Option<String> {
    let named = item.get("name").and_then(Value::as_str);
    let from_id = || {
        item.get("id")
            .and_then(Value::as_str)
            .and_then(|id| id.rsplit('/').next())
    };
    named.or_else(from_id).map(str::to_owned)
}

/// Keeps a scope that could not be read, and why; an error that ends the run is passed on.
pub(crate) fn unreadable(
    snapshot: &mut Snapshot,
    scope: String,
    error: LiveError,
) -> Result<(), LiveError> {
    if error.ends_the_run() {
        return Err(error);
    }
    snapshot.unreadable.insert(scope, error.to_string());
    Ok(())
}

/// The scope of all children of `parent` with this word.
pub(crate) fn children(parent: &Address, word: &str) -> String {
    format!("{parent}/{word}:")
}
