//! The local store: one folder for each environment, with state, journal and applied plans. The
//! folder of a named environment lies inside that of the project, whose fingerprint key all of
//! them share.
//!
//! Invariant: `state.json` and the plans are replaced whole or not at all, a journal record is on
//! the disk before `append` returns, and only the holder of the lease writes. The folder ignores
//! itself in git. Files are small and each call is one or two of them, so plain blocking calls do.

mod files;
mod key;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use keyless_engine::{EngineError, Loaded, Record, StateStore, read_journal, to_line};
use keyless_model::State;
use keyless_plan::Plan;

use self::files::{append_line, read_if_there, replace};

/// Names that a project's folder needs for itself.
const TAKEN: [&str; 3] = ["plans", "key", "lock"];

/// A state folder, `.keyless` by default.
#[derive(Debug)]
pub struct FileStore {
    /// The folder of the project, with the key.
    base: PathBuf,
    folder: PathBuf,
    /// The locked file. The system lets go of the lock when the process ends, however it ends.
    lease: Mutex<Option<File>>,
}

impl FileStore {
    /// The store in `folder`, which is made by the first write and not before.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self {
            base: folder.clone(),
            folder,
            lease: Mutex::new(None),
        }
    }

    /// The store of the environment `name` inside `base`: a state, a journal and a lease of its
    /// own, and the key of the project.
    ///
    /// # Errors
    /// When the name cannot be that of a folder, or is that of one which `base` has already.
    pub fn of_environment(base: impl Into<PathBuf>, name: &str) -> Result<Self, EngineError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let base = base.into();
        if name.is_empty() || !name.chars().all(plain) || TAKEN.contains(&name) {
            return Err(EngineError::Store {
                doing: format!("opening the state of the environment “{name}”"),
                source: io::Error::other(
                    "an environment is named in letters, digits, “-” and “_”, and neither “plans” \
                     nor “key” nor “lock”",
                ),
            });
        }
        Ok(Self {
            folder: base.join(name),
            base,
            lease: Mutex::new(None),
        })
    }

    /// Where the state, the journal and the lease are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The applied plan with this id.
    ///
    /// # Errors
    /// When the file cannot be read or is no plan.
    pub fn plan(&self, id: &str) -> Result<Option<Plan>, EngineError> {
        let path = self.plan_path(id)?;
        let Some(bytes) = read_if_there(&path)? else {
            return Ok(None);
        };
        let next = "make the plan again";
        let text = String::from_utf8(bytes).map_err(|_| damaged(&path, "it is no text", next))?;
        Plan::from_json(&text)
            .map(Some)
            .map_err(|e| damaged(&path, &e.to_string(), next))
    }

    /// The ids of the applied plans that begin so.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn plans_beginning(&self, start: &str) -> Result<Vec<String>, EngineError> {
        let plans = self.folder.join("plans");
        let entries = match fs::read_dir(&plans) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => {
                return Err(EngineError::Store {
                    doing: format!("reading {} ({source})", plans.display()),
                    source,
                });
            }
        };
        let names = entries.flatten().map(|entry| entry.file_name());
        let ids = names.filter_map(|name| Some(name.to_str()?.strip_suffix(".json")?.to_owned()));
        Ok(ids.filter(|id| id.starts_with(start)).collect())
    }

    /// Where a plan is kept once it was applied or approved.
    ///
    /// # Errors
    /// When it is no id.
    pub fn plan_path(&self, id: &str) -> Result<PathBuf, EngineError> {
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(EngineError::Plan("its id is not hexadecimal".to_owned()));
        }
        Ok(self.folder.join("plans").join(format!("{id}.json")))
    }

    /// Makes the folder, which nothing in it may leave by way of git.
    fn prepare(&self) -> Result<(), EngineError> {
        let plans = self.folder.join("plans");
        fs::create_dir_all(&plans).map_err(|e| writing(&plans, e))?;
        let ignore = self.base.join(".gitignore");
        if !ignore.exists() {
            fs::write(&ignore, "*\n").map_err(|e| writing(&ignore, e))?;
        }
        Ok(())
    }
}

#[async_trait]
impl StateStore for FileStore {
    async fn load(&self) -> Result<Loaded, EngineError> {
        // The state first: a record that is appended in between is then folded, not missed.
        let path = self.folder.join("state.json");
        let state = match read_if_there(&path)? {
            None => State::empty(),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                let what = format!("it is no state (line {}, column {})", e.line(), e.column());
                damaged(
                    &path,
                    &what,
                    "put it back from a copy, or move it away: it is made again \
                                       from the journal",
                )
            })?,
        };
        let bytes = read_if_there(&self.folder.join("journal.jsonl"))?.unwrap_or_default();
        let journal = read_journal(&bytes)?;
        Ok(Loaded {
            state,
            records: journal.records,
            torn: journal.torn,
        })
    }

    async fn append(&self, record: &Record) -> Result<(), EngineError> {
        self.prepare()?;
        let path = self.folder.join("journal.jsonl");
        append_line(&path, &to_line(record)).map_err(|e| writing(&path, e))
    }

    async fn save(&self, state: &State) -> Result<(), EngineError> {
        self.prepare()?;
        let path = self.folder.join("state.json");
        let text = serde_json::to_string_pretty(state).map_err(|e| writing(&path, e.into()))?;
        replace(&path, text.as_bytes()).map_err(|e| writing(&path, e))
    }

    async fn keep_plan(&self, plan: &Plan) -> Result<(), EngineError> {
        self.prepare()?;
        let path = self.plan_path(&plan.id)?;
        if path.exists() {
            return Ok(());
        }
        replace(&path, plan.to_json().as_bytes()).map_err(|e| writing(&path, e))
    }

    async fn take_lease(&self) -> Result<(), EngineError> {
        self.prepare()?;
        let path = self.folder.join("lock");
        let mut options = OpenOptions::new();
        let opened = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let mut file = opened.map_err(|e| writing(&path, e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                let holder = match holder.trim() {
                    "" => "a process that gave no number",
                    named => named,
                };
                return Err(EngineError::Held {
                    holder: holder.to_owned(),
                });
            }
            Err(TryLockError::Error(e)) => return Err(writing(&path, e)),
        }
        // What a process that ended left in the file is stale, since the lock was free.
        let named = file
            .set_len(0)
            .and_then(|()| file.write_all(format!("process {}\n", std::process::id()).as_bytes()));
        named.map_err(|e| writing(&path, e))?;
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        Ok(())
    }

    async fn release_lease(&self) -> Result<(), EngineError> {
        let path = self.folder.join("lock");
        let held = self
            .lease
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match held {
            // The file stays: were it removed, two processes could lock two files of one name.
            Some(file) => file
                .set_len(0)
                .and_then(|()| file.unlock())
                .map_err(|e| writing(&path, e)),
            None => Ok(()),
        }
    }
}

fn writing(path: &Path, source: io::Error) -> EngineError {
    EngineError::Store {
        doing: format!("writing {} ({source})", path.display()),
        source,
    }
}

fn damaged(path: &Path, what: &str, next: &str) -> EngineError {
    EngineError::Damaged {
        place: path.display().to_string(),
        what: what.to_owned(),
        next: next.to_owned(),
    }
}
