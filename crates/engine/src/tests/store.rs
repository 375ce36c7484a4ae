//! A store in memory that can be killed in the middle of every call, appends included.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use keyless_model::State;
use keyless_plan::Plan;

use super::world::Fuse;
use crate::{EngineError, Loaded, Record, StateStore, read_journal, to_line};

#[derive(Default)]
pub(super) struct MemoryStore {
    fuse: Arc<Fuse>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Option<String>,
    journal: Vec<u8>,
    plans: Vec<String>,
    leased: bool,
    /// How many appends go well before one is doubted.
    fails_from: Option<usize>,
}

impl MemoryStore {
    /// The append of this number, counted from 0, and no later one, says that it failed though its
    /// line is whole: as when the disk takes it and does not confirm it.
    pub fn doubt(&self, append: usize) {
        self.inner.lock().unwrap().fails_from = Some(append);
    }

    pub fn new(fuse: &Arc<Fuse>) -> Self {
        Self {
            fuse: Arc::clone(fuse),
            ..Self::default()
        }
    }

    /// What the system does when the process ends.
    pub fn process_ended(&self) {
        self.inner.lock().unwrap().leased = false;
    }

    pub fn journal(&self) -> String {
        String::from_utf8(self.inner.lock().unwrap().journal.clone()).unwrap()
    }

    /// Leaves the first `bytes` of the journal, and no state.
    pub fn cut(&self, bytes: usize) {
        let mut inner = self.inner.lock().unwrap();
        inner.journal.truncate(bytes);
        inner.state = None;
    }

    pub fn kept_plans(&self) -> Vec<String> {
        self.inner.lock().unwrap().plans.clone()
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn load(&self) -> Result<Loaded, EngineError> {
        self.fuse.burn().await;
        let inner = self.inner.lock().unwrap();
        let state = inner
            .state
            .as_deref()
            .map_or(State::empty(), |t| serde_json::from_str(t).unwrap());
        let journal = read_journal(&inner.journal)?;
        Ok(Loaded {
            state,
            records: journal.records,
            torn: journal.torn,
        })
    }

    async fn append(&self, record: &Record) -> Result<(), EngineError> {
        assert!(
            self.inner.lock().unwrap().leased,
            "it writes without the lease"
        );
        self.fuse.burn().await;
        let line = to_line(record).into_bytes();
        let (first, rest) = line.split_at(line.len() / 2);
        {
            let mut inner = self.inner.lock().unwrap();
            let whole = inner
                .journal
                .iter()
                .rposition(|b| *b == b'\n')
                .map_or(0, |at| at + 1);
            inner.journal.truncate(whole);
            inner.journal.extend_from_slice(first);
        }
        self.fuse.burn().await;
        let doubted = {
            let mut inner = self.inner.lock().unwrap();
            inner.journal.extend_from_slice(rest);
            let doubted = inner.fails_from == Some(0);
            inner.fails_from = inner.fails_from.and_then(|n| n.checked_sub(1));
            doubted
        };
        self.fuse.burn().await;
        match doubted {
            true => Err(EngineError::Store {
                doing: "writing to the journal".into(),
                source: std::io::Error::other("no answer from the disk"),
            }),
            false => Ok(()),
        }
    }

    async fn save(&self, state: &State) -> Result<(), EngineError> {
        self.fuse.burn().await;
        self.inner.lock().unwrap().state = Some(serde_json::to_string(state).unwrap());
        self.fuse.burn().await;
        Ok(())
    }

    async fn keep_plan(&self, plan: &Plan) -> Result<(), EngineError> {
        self.fuse.burn().await;
        self.inner.lock().unwrap().plans.push(plan.id.clone());
        Ok(())
    }

    async fn take_lease(&self) -> Result<(), EngineError> {
        self.fuse.burn().await;
        let mut inner = self.inner.lock().unwrap();
        if inner.leased {
            return Err(EngineError::Held {
                holder: "process 1".to_owned(),
            });
        }
        inner.leased = true;
        Ok(())
    }

    async fn release_lease(&self) -> Result<(), EngineError> {
        self.fuse.burn().await;
        self.inner.lock().unwrap().leased = false;
        Ok(())
    }
}
