//! One database: its storage, its catalogue, and whose turn it is.
//!
//! Sessions take turns batch by batch. One whose transaction has written something keeps its turn
//! until it commits, rolls back or goes, so that what it has done can be undone as a whole. The
//! service would let others read what was there before; here they wait.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use tokio::sync::Notify;

use super::catalogue::{Catalogue, same};
use super::error::SqlError;
use super::functions::{self, CallContext};

/// Thousands of the storage's steps after which a statement is broken off: some seconds.
const MOST_STEPS: u32 = 200_000;

/// What a statement does to a table of the storage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    pub permission: &'static str,
    pub table: String,
    /// Empty when no single column is meant.
    pub column: String,
    /// The view or common table expression inside which it happens.
    pub within: Option<String>,
}

pub struct Database {
    pub name: String,
    state: Mutex<DbState>,
    /// Rung when a transaction ends.
    pub turn: Notify,
}

pub struct DbState {
    pub storage: Connection,
    pub catalogue: Arc<Catalogue>,
    /// The catalogue as it was when the open transaction began.
    saved: Option<Arc<Catalogue>>,
    /// Savepoints of the open transaction, each with the catalogue of its time.
    savepoints: Vec<(String, Arc<Catalogue>)>,
    /// The session whose transaction has written something.
    owner: Option<i32>,
    pub dropped: bool,
    accesses: Arc<Mutex<Vec<Access>>>,
    /// Thousands of steps that the statement has taken.
    steps: Arc<AtomicU32>,
    /// What functions such as USER_NAME() answer from.
    pub call: Arc<Mutex<CallContext>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Database {
    pub fn new(name: &str, now: i64, admin_sid: &[u8]) -> rusqlite::Result<Self> {
        let catalogue = Arc::new(Catalogue::new(now, admin_sid, same(name, "master")));
        let mut storage = Connection::open_in_memory()?;
        // Without this a misspelt column in double quotes would be a string.
        storage.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        storage.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
        storage.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
        let accesses: Arc<Mutex<Vec<Access>>> = Arc::default();
        let seen = Arc::clone(&accesses);
        storage.authorizer(Some(move |context: AuthContext<'_>| {
            note(&seen, context);
            Authorization::Allow
        }))?;
        let steps: Arc<AtomicU32> = Arc::default();
        let taken = Arc::clone(&steps);
        let too_long = move || taken.fetch_add(1, Ordering::Relaxed) > MOST_STEPS;
        storage.progress_handler(1000, Some(too_long))?;
        let call = Arc::new(Mutex::new(CallContext::new(Arc::clone(&catalogue), name)));
        functions::register(&storage, &call)?;
        Ok(Self {
            name: name.to_owned(),
            state: Mutex::new(DbState {
                storage,
                catalogue,
                saved: None,
                savepoints: Vec::new(),
                owner: None,
                dropped: false,
                accesses,
                steps,
                call,
            }),
            turn: Notify::new(),
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, DbState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_master(&self) -> bool {
        same(&self.name, "master")
    }
}

/// Keeps what the storage is about to touch.
fn note(seen: &Mutex<Vec<Access>>, context: AuthContext<'_>) {
    let (permission, table, column) = match context.action {
        AuthAction::Read {
            table_name,
            column_name,
        } => ("SELECT", table_name, column_name),
        AuthAction::Insert { table_name } => ("INSERT", table_name, ""),
        AuthAction::Delete { table_name } => ("DELETE", table_name, ""),
        AuthAction::Update {
            table_name,
            column_name,
        } => ("UPDATE", table_name, column_name),
        _ => return,
    };
    seen.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Access {
            permission,
            table: table.to_owned(),
            column: column.to_owned(),
            within: context.accessor.map(str::to_owned),
        });
}

impl DbState {
    /// Whether `session` may run now.
    pub fn free_for(&self, session: i32) -> bool {
        self.owner.is_none_or(|owner| owner == session)
    }

    /// Gives the next statement its share of steps.
    pub fn allow_steps(&self) {
        self.steps.store(0, Ordering::Relaxed);
    }

    /// What has been touched since the last time this was asked.
    pub fn take_accesses(&self) -> Vec<Access> {
        std::mem::take(&mut *self.accesses.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn is_owned_by(&self, session: i32) -> bool {
        self.owner == Some(session)
    }

    pub fn begin(&mut self, session: i32) -> rusqlite::Result<()> {
        self.storage.execute_batch("BEGIN")?;
        self.saved = Some(Arc::clone(&self.catalogue));
        self.owner = Some(session);
        Ok(())
    }

    pub fn commit(&mut self) -> rusqlite::Result<()> {
        self.storage.execute_batch("COMMIT")?;
        self.saved = None;
        self.savepoints.clear();
        self.owner = None;
        Ok(())
    }

    /// Undoes everything since `begin`, in the storage and in the catalogue.
    pub fn rollback(&mut self) -> rusqlite::Result<()> {
        // The storage may have rolled back on its own after a grave error.
        let ended = if self.storage.is_autocommit() {
            Ok(())
        } else {
            self.storage.execute_batch("ROLLBACK")
        };
        if let Some(saved) = self.saved.take() {
            self.catalogue = saved;
        }
        self.savepoints.clear();
        self.owner = None;
        ended
    }

    /// Remembers how things are now. A name may be used again; the last one counts.
    pub fn save(&mut self, name: &str) -> rusqlite::Result<()> {
        self.storage
            .execute_batch(&format!("SAVEPOINT \"s{}\"", self.savepoints.len()))?;
        self.savepoints
            .push((name.to_owned(), Arc::clone(&self.catalogue)));
        Ok(())
    }

    /// Goes back to a savepoint, which stays; whether there is one of this name.
    pub fn roll_back_to(&mut self, name: &str) -> rusqlite::Result<bool> {
        let found = self
            .savepoints
            .iter()
            .rposition(|(known, _)| same(known, name));
        let Some(at) = found else { return Ok(false) };
        self.storage
            .execute_batch(&format!("ROLLBACK TO \"s{at}\""))?;
        self.savepoints.truncate(at + 1);
        self.catalogue = Arc::clone(&self.savepoints[at].1);
        Ok(true)
    }

    /// Does `work` as a whole: when it fails, storage and catalogue are as they were before it.
    pub fn wholly(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        let failed = |error| SqlError::from_sqlite(&error);
        let before = Arc::clone(&self.catalogue);
        self.storage
            .execute_batch("SAVEPOINT whole")
            .map_err(failed)?;
        let outcome = work(self);
        if outcome.is_err() {
            self.catalogue = before;
            self.storage
                .execute_batch("ROLLBACK TO whole")
                .map_err(failed)?;
        }
        self.storage
            .execute_batch("RELEASE whole")
            .map_err(failed)?;
        outcome
    }

    pub fn catalogue_mut(&mut self) -> &mut Catalogue {
        Arc::make_mut(&mut self.catalogue)
    }
}
