//! What every part of a read shares: how many sessions are open at once, and the snapshot that
//! fills. How many requests run at once is the client's to find out.

use std::sync::{Mutex, MutexGuard, PoisonError};

use keyless_azure::{Answer, ArmError, Request};
use keyless_model::{Address, Entity, Snapshot};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Reading;
use crate::error::LiveError;
use crate::services::Services;

/// Sessions with databases at once.
const AT_ONCE: usize = 8;

/// One read of everything.
pub(crate) struct Reader<'a> {
    pub services: &'a Services,
    pub reading: &'a Reading,
    sessions: Semaphore,
    snapshot: Mutex<Snapshot>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(services: &'a Services, reading: &'a Reading) -> Self {
        Self {
            services,
            reading,
            sessions: Semaphore::new(AT_ONCE),
            snapshot: Mutex::default(),
        }
    }

    pub(crate) fn into_snapshot(self) -> Snapshot {
        self.snapshot
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What was read so far; never held across a wait.
    pub(crate) fn snapshot(&self) -> MutexGuard<'_, Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn to log in to a database. The semaphore is never closed, so there always is one.
    pub(crate) async fn session_turn(&self) -> Option<SemaphorePermit<'_>> {
        self.sessions.acquire().await.ok()
    }

    pub(crate) async fn find(&self, request: Request) -> Result<Option<Answer>, ArmError> {
        self.services.arm.find(request).await
    }

    pub(crate) async fn list(&self, request: Request) -> Result<Vec<Value>, ArmError> {
        self.services.arm.list(request).await
    }

    /// Reads one thing to `address`. Says whether it is there and readable.
    pub(crate) async fn item(
        &self,
        address: &Address,
        request: Result<Request, impl Into<LiveError>>,
    ) -> Result<bool, LiveError> {
        let answer = match request {
            Ok(request) => self.find(request).await.map_err(LiveError::from),
            Err(error) => Err(error.into()),
        };
        match answer {
            Ok(Some(answer)) => {
                self.put(address.clone(), entity(answer.body, answer.etag));
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) => {
                self.unreadable(address.to_string(), error)?;
                Ok(false)
            }
        }
    }

    /// Reads one list to the children of `parent` with this word. Gives their addresses.
    pub(crate) async fn children(
        &self,
        parent: &Address,
        word: &str,
        request: Result<Request, ArmError>,
    ) -> Result<Vec<Address>, LiveError> {
        let mut out = Vec::new();
        for item in self.items(parent, word, request).await? {
            let Some(name) = name_of(&item) else { continue };
            let address = parent.child(word, &name);
            self.put(address.clone(), entity(item, None));
            out.push(address);
        }
        Ok(out)
    }

    /// The items of a list of children, which go into no address yet. An unreadable one is empty.
    pub(crate) async fn items(
        &self,
        parent: &Address,
        word: &str,
        request: Result<Request, ArmError>,
    ) -> Result<Vec<Value>, LiveError> {
        let answer = match request {
            Ok(request) => self.list(request).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(items) => Ok(items),
            Err(error) if none_in_this_tier(word, &error) => Ok(Vec::new()),
            Err(error) => {
                self.unreadable(children(parent, word), error.into())?;
                Ok(Vec::new())
            }
        }
    }

    /// A field of something that was read.
    pub(crate) fn field(&self, address: &Address, pointer: &str) -> Option<Value> {
        let snapshot = self.snapshot();
        let entity = snapshot.entities.get(address)?;
        entity.body.pointer(pointer).cloned()
    }

    pub(crate) fn put(&self, address: Address, entity: Entity) {
        self.snapshot().entities.insert(address, entity);
    }

    /// Keeps a scope that could not be read, and why; an error that ends the run is passed on.
    pub(crate) fn unreadable(&self, scope: String, error: LiveError) -> Result<(), LiveError> {
        if error.ends_the_run() {
            return Err(error);
        }
        self.snapshot().unreadable.insert(scope, error.to_string());
        Ok(())
    }
}

/// Lists that a tier without such things answers as an unknown path. What holds them was read
/// before them, so that is not what is missing.
const NOT_EVERYWHERE: [&str; 13] = [
    "authorization",
    "authorizationProvider",
    "cache",
    "diagnostic",
    "documentation",
    "identityProvider",
    "jobAgent",
    "portalSetting",
    "schema",
    "syncAgent",
    "syncGroup",
    "tenantAccess",
    "workspace",
];

/// Whether a list is refused because this tier has no such things at all (azure-facts A.4).
fn none_in_this_tier(word: &str, error: &ArmError) -> bool {
    error.code() == "MethodNotAllowedInPricingTier"
        || (NOT_EVERYWHERE.contains(&word) && error.status() == Some(404))
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

/// The scope of all children of `parent` with this word.
pub(crate) fn children(parent: &Address, word: &str) -> String {
    format!("{parent}/{word}:")
}
