//! The seam to where state and journal are kept.

use async_trait::async_trait;
use keyless_model::State;
use keyless_plan::Plan;

use crate::error::EngineError;
use crate::journal::catch_up;
use crate::record::Record;

/// Keeps the state, the journal and the plans that were applied.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// The state as it was saved last and the whole journal; both empty where there is nothing yet.
    /// Writes nothing, so that reading needs no lease.
    async fn load(&self) -> Result<Loaded, EngineError>;

    /// Adds a record to the end of the journal, and returns only when it is durable. Cuts off a torn
    /// end first.
    async fn append(&self, record: &Record) -> Result<(), EngineError>;

    /// Replaces the state, whole or not at all.
    async fn save(&self, state: &State) -> Result<(), EngineError>;

    /// Keeps a plan under its id.
    async fn keep_plan(&self, plan: &Plan) -> Result<(), EngineError>;

    /// Makes this process the only one that writes, until it releases the lease or ends.
    ///
    /// # Errors
    /// [`EngineError::Held`] when another process has it.
    async fn take_lease(&self) -> Result<(), EngineError>;

    async fn release_lease(&self) -> Result<(), EngineError>;
}

/// What a store gives back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    pub state: State,
    pub records: Vec<Record>,
    /// Whether the journal ended in a torn append, which does not count.
    pub torn: bool,
}

/// Loads the state with every record of the journal folded in.
///
/// # Errors
/// When state or journal cannot be read, are damaged, or do not belong together.
pub async fn load(store: &dyn StateStore) -> Result<Loaded, EngineError> {
    let mut loaded = store.load().await?;
    catch_up(&mut loaded.state, &loaded.records)?;
    Ok(loaded)
}
