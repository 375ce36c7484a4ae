//! The local store: one folder that holds state, journal, fingerprint key and applied plans.
//!
//! Invariant: `state.json` and the plans are replaced whole or not at all, a journal record is on
//! the disk before `append` returns, and only the holder of the lease writes. The folder ignores
//! itself in git. Files are small and each call is one or two of them, so plain blocking calls do.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use keyless_engine::{EngineError, Loaded, Record, StateStore, read_journal, to_line};
use keyless_model::{FingerprintKey, State};
use keyless_plan::Plan;

/// A state folder, `.keyless` by default.
#[derive(Debug)]
pub struct FileStore {
    folder: PathBuf,
    /// The locked file. The system lets go of the lock when the process ends, however it ends.
    lease: Mutex<Option<File>>,
}

impl FileStore {
    /// The store in `folder`, which is made by the first write and not before.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            lease: Mutex::new(None),
        }
    }

    /// The key of this project's fingerprints; none where nothing was planned yet.
    ///
    /// # Errors
    /// When the file cannot be read or is no key.
    pub fn key(&self) -> Result<Option<FingerprintKey>, EngineError> {
        let path = self.folder.join("key");
        let Some(bytes) = read_if_there(&path)? else {
            return Ok(None);
        };
        match from_hex(&bytes) {
            Some(key) => Ok(Some(FingerprintKey::new(key))),
            None => Err(damaged(
                &path,
                "it is not 64 hexadecimal digits",
                "put back the key, or move it away and plan again",
            )),
        }
    }

    /// As [`FileStore::key`]; makes one from the system's randomness where there is none.
    ///
    /// # Errors
    /// When the file can be neither read nor made.
    pub fn key_or_new(&self) -> Result<FingerprintKey, EngineError> {
        if let Some(key) = self.key()? {
            return Ok(key);
        }
        self.prepare()?;
        let path = self.folder.join("key");
        let mut key = [0_u8; 32];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| EngineError::Store {
            doing: "drawing a random fingerprint key".to_owned(),
            source: io::Error::other("the system gave no randomness"),
        })?;
        let hex: String = key.iter().map(|b| format!("{b:02x}")).collect();
        put_if_absent(&path, format!("{hex}\n").as_bytes()).map_err(|e| writing(&path, e))?;
        // Another process may have been first: what is on the disk is the key.
        self.key()?
            .ok_or_else(|| writing(&path, ErrorKind::NotFound.into()))
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

    fn plan_path(&self, id: &str) -> Result<PathBuf, EngineError> {
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(EngineError::Plan("its id is not hexadecimal".to_owned()));
        }
        Ok(self.folder.join("plans").join(format!("{id}.json")))
    }

    /// Makes the folder, which nothing in it may leave by way of git.
    fn prepare(&self) -> Result<(), EngineError> {
        let plans = self.folder.join("plans");
        fs::create_dir_all(&plans).map_err(|e| writing(&plans, e))?;
        let ignore = self.folder.join(".gitignore");
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

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, EngineError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(EngineError::Store {
            doing: format!("reading {} ({source})", path.display()),
            source,
        }),
    }
}

/// Adds a line, after cutting off what an earlier append left without a line feed.
fn append_line(path: &Path, line: &str) -> io::Result<()> {
    let new = !path.exists();
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if end > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        let bytes = fs::read(path)?;
        end = bytes
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at as u64 + 1);
        file.set_len(end)?;
    }
    file.seek(SeekFrom::Start(end))?;
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    if new { sync_folder(path) } else { Ok(()) }
}

/// Writes a file whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    write_private(&fresh, bytes)?;
    fs::rename(&fresh, path)?;
    sync_folder(path)
}

/// Writes a file whole, unless there is one already. A link, unlike a rename, replaces nothing.
fn put_if_absent(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension(format!("new{}", std::process::id()));
    write_private(&fresh, bytes)?;
    let linked = match fs::hard_link(&fresh, path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    fs::remove_file(&fresh)?;
    linked?;
    sync_folder(path)
}

/// Writes a file that only its owner may read, and waits until it is on the disk.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A new name is durable once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

fn from_hex(bytes: &[u8]) -> Option<[u8; 32]> {
    let text = std::str::from_utf8(bytes).ok()?.trim_end();
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 32];
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use aws_lc_rs::digest::{SHA256, digest};
    use futures::FutureExt;
    use keyless_engine::{What, load};
    use keyless_model::Timestamp;
    use keyless_plan::{FORMAT, Inputs};
    use tempfile::TempDir;

    use super::*;

    fn store() -> (TempDir, FileStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::at(folder.path().join(".keyless"));
        (folder, store)
    }

    /// No call of this store waits for anything.
    fn now<T>(call: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
        call.now_or_never().unwrap()
    }

    fn record(seq: u64) -> Record {
        Record {
            seq,
            at: Timestamp::from_unix(1_700_000_000),
            plan: "0a".into(),
            step: "switch/apim:g/policy".into(),
            what: What::Failed,
            notes: vec![],
            evidence: None,
            message: Some("é\n“no”".into()),
            approver: None,
            asks: false,
            soak: None,
        }
    }

    fn plan() -> Plan {
        let mut plan = Plan {
            format: FORMAT.into(),
            id: String::new(),
            tool: "0.1.0".into(),
            inputs: Inputs::default(),
            roots: BTreeMap::new(),
            steps: vec![],
            waiting: vec![],
        };
        let mut value = serde_json::to_value(&plan).unwrap();
        value.as_object_mut().unwrap().remove("id");
        let sum = digest(&SHA256, value.to_string().as_bytes());
        plan.id = sum.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        plan
    }

    #[test]
    fn an_empty_place_is_empty_and_reading_writes_nothing() {
        let (folder, store) = store();
        let loaded = now(load(&store)).unwrap();
        assert_eq!(
            loaded,
            Loaded {
                state: State::empty(),
                ..Loaded::default()
            }
        );
        assert!(store.key().unwrap().is_none());
        assert!(store.plan("0a").unwrap().is_none());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_was_appended_and_saved_is_there_for_the_next_process() {
        let (_folder, store) = store();
        now(store.append(&record(1))).unwrap();
        let state = State {
            journal: 1,
            ..State::empty()
        };
        now(store.save(&state)).unwrap();
        now(store.append(&record(2))).unwrap();
        let next = FileStore::at(&store.folder);
        let loaded = now(next.load()).unwrap();
        assert_eq!(
            loaded,
            Loaded {
                state,
                records: vec![record(1), record(2)],
                torn: false
            }
        );
        assert_eq!(now(load(&next)).unwrap().state.journal, 2);
        assert_eq!(
            fs::read_to_string(store.folder.join(".gitignore")).unwrap(),
            "*\n"
        );
    }

    #[test]
    fn an_append_torn_at_any_byte_is_cut_off_by_the_next_one() {
        let (_folder, store) = store();
        (1..=2).for_each(|seq| now(store.append(&record(seq))).unwrap());
        let path = store.folder.join("journal.jsonl");
        let whole = fs::read(&path).unwrap();
        let line = whole.len() / 2;
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let loaded = now(store.load()).unwrap();
            assert_eq!(
                (loaded.records.len(), loaded.torn),
                (cut / line, cut % line != 0),
                "{cut}"
            );
            assert_eq!(fs::read(&path).unwrap().len(), cut, "reading cuts nothing");
            let next = loaded.records.len() as u64 + 1;
            now(store.append(&record(next))).unwrap();
            let loaded = now(store.load()).unwrap();
            assert_eq!(
                (loaded.records.len() as u64, loaded.torn),
                (next, false),
                "{cut}"
            );
        }
    }

    #[test]
    fn damage_is_an_error_with_a_place_and_a_next_step() {
        let (_folder, store) = store();
        now(store.append(&record(1))).unwrap();
        fs::write(store.folder.join("journal.jsonl"), "{}\n").unwrap();
        let error = now(store.load()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("line 1 of the journal is damaged"),
            "{error}"
        );
        fs::write(store.folder.join("journal.jsonl"), "").unwrap();
        fs::write(
            store.folder.join("state.json"),
            "{\"format\":\"keyless.state/1\"",
        )
        .unwrap();
        let error = now(store.load()).unwrap_err();
        assert!(
            error.to_string().contains("state.json is damaged"),
            "{error}"
        );
        fs::write(store.folder.join("key"), "short").unwrap();
        assert_eq!(store.key().unwrap_err().code(), "KL0306");
    }

    #[test]
    fn the_lease_belongs_to_one_and_is_free_when_its_process_ends() {
        let (_folder, store) = store();
        let other = FileStore::at(&store.folder);
        now(store.take_lease()).unwrap();
        let error = now(other.take_lease()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("process {}", std::process::id())),
            "{error}"
        );
        now(other.release_lease()).unwrap();
        assert!(now(other.take_lease()).is_err());
        now(store.release_lease()).unwrap();
        now(other.take_lease()).unwrap();
        drop(other);
        now(store.take_lease()).unwrap();
    }

    #[test]
    fn the_key_is_made_once_and_only_its_owner_reads_it() {
        let (_folder, store) = store();
        let key = store.key_or_new().unwrap();
        assert_eq!(store.key_or_new().unwrap().id(), key.id());
        assert_ne!(self::store().1.key_or_new().unwrap().id(), key.id());
        let path = store.folder.join("key");
        assert_eq!(fs::read(&path).unwrap().len(), 65);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        put_if_absent(&path, b"another").unwrap();
        assert_eq!(store.key().unwrap().unwrap().id(), key.id());
    }

    #[test]
    fn an_applied_plan_is_kept_under_its_id_and_an_id_is_no_path() {
        let (_folder, store) = store();
        let plan = plan();
        now(store.keep_plan(&plan)).unwrap();
        now(store.keep_plan(&plan)).unwrap();
        assert_eq!(store.plan(&plan.id).unwrap(), Some(plan.clone()));
        assert!(store.plan("../state").is_err());
        let path = store.folder.join("plans").join(format!("{}.json", plan.id));
        fs::write(&path, plan.to_json().replace("0.1.0", "0.1.1")).unwrap();
        assert_eq!(store.plan(&plan.id).unwrap_err().code(), "KL0306");
    }
}
