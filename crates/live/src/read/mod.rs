//! Reading everything, before any decision: lists instead of items, and a text for each policy.
//!
//! What may not be read becomes an unreadable scope of the snapshot; only what makes the whole run
//! pointless (no login, no connection) is an error. All roots are read at the same time; the
//! snapshot does not depend on the order in which answers come.

mod apis;
mod gateway;
mod kept;
mod kept_sql;
mod policies;
mod reader;
mod roles;
mod server;

use std::collections::BTreeSet;

use keyless_model::{Address, Desired, Snapshot};
use keyless_plan::Root;

use self::reader::Reader;
use crate::error::LiveError;
use crate::services::Services;

pub(crate) use self::reader::name_of;

/// What is read beyond the plain read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Secret named values too; needs `namedValues/listValue/action`. They stay in memory.
    pub inspect_secrets: bool,
    /// Who is logged in to each database.
    pub sessions: bool,
    /// What only a search for credentials looks at: what a gateway keeps secrets for, database-scoped
    /// credentials, and the auditing, jobs and the like of every server.
    pub search: bool,
    /// Servers whose auditing a document manages.
    pub audited: BTreeSet<Address>,
    /// ARM ids of the scopes whose role assignments are read.
    pub role_scopes: BTreeSet<String>,
}

impl Reading {
    /// What the documents of `desired` need.
    pub fn of(desired: &Desired) -> Self {
        let audited = desired
            .servers
            .iter()
            .filter(|(_, server)| server.auditing.is_some());
        Self {
            audited: audited.map(|(name, _)| Address::server(name)).collect(),
            role_scopes: desired
                .role_assignments
                .values()
                .map(|document| document.scope.clone())
                .collect(),
            ..Self::default()
        }
    }
}

/// Reads every root of `services`.
///
/// # Errors
/// When nobody is logged in, or the services cannot be reached at all.
pub async fn read(services: &Services, reading: Reading) -> Result<Snapshot, LiveError> {
    let before = services.arm.requests();
    let reader = Reader::new(services, &reading);
    let roots = services.roots.iter();
    let roots = futures::future::try_join_all(roots.map(|(a, root)| one(&reader, a, root)));
    let scopes = reading.role_scopes.iter();
    let scopes = futures::future::try_join_all(scopes.map(|s| roles::read(&reader, s)));
    tokio::try_join!(roots, scopes)?;
    let mut snapshot = reader.into_snapshot();
    let who = services.arm.tokens().principal().await?;
    snapshot.tenant = who.tenant;
    snapshot.reader = vec![who.object_id, who.client_id];
    snapshot.requests = services.arm.requests() - before;
    snapshot.now = services.now();
    Ok(snapshot)
}

async fn one(reader: &Reader<'_>, address: &Address, root: &Root) -> Result<(), LiveError> {
    match address.last().0 {
        "apim" => gateway::read(reader, address, &root.id).await,
        "sql" => server::read(reader, address, &root.id).await,
        _ => {
            let request = keyless_azure::user_assigned_identity(&root.id);
            reader.item(address, request).await.map(drop)
        }
    }
}
