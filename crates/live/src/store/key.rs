//! The fingerprint key of a project, which all of its environments share.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use keyless_engine::EngineError;
use keyless_model::FingerprintKey;

use super::files::{put_if_absent, read_if_there};
use super::{FileStore, damaged, writing};

/// What a folder holds once something was applied from it.
const STATES: [&str; 2] = ["state.json", "journal.jsonl"];

impl FileStore {
    /// The key of this project's fingerprints; none where nothing was planned yet.
    ///
    /// # Errors
    /// When the file cannot be read or is no key.
    pub fn key(&self) -> Result<Option<FingerprintKey>, EngineError> {
        let path = self.base.join("key");
        let Some(bytes) = read_if_there(&path)? else {
            return Ok(None);
        };
        match from_hex(&bytes) {
            Some(key) => Ok(Some(FingerprintKey::new(key))),
            None => Err(damaged(
                &path,
                "it is not 64 hexadecimal digits",
                "put back the key from a copy, or move it away and run `keyless state rebuild`",
            )),
        }
    }

    /// As [`FileStore::key`]; makes one from the system's randomness where there is none. Not where
    /// there is a state: what it remembers is known by fingerprints under the key that is lost.
    ///
    /// # Errors
    /// When the file can be neither read nor made, and when the key of a state is lost.
    pub fn key_or_new(&self) -> Result<FingerprintKey, EngineError> {
        if let Some(key) = self.key()? {
            return Ok(key);
        }
        if self.has_state()? {
            return Err(damaged(
                &self.base,
                "the file key, the fingerprint key that its state was made with, is not there",
                "put back the key from a copy, or run `keyless state rebuild`, which goes on with \
                 a new one",
            ));
        }
        self.new_key()
    }

    /// Makes a key where there is none, whatever else there is: for a person who knows that the old
    /// one is lost. Fingerprints in the state then match nothing, so what they speak of counts as
    /// changed, and plans made before are refused.
    ///
    /// # Errors
    /// When the file can be neither read nor made.
    pub fn new_key(&self) -> Result<FingerprintKey, EngineError> {
        self.prepare()?;
        let path = self.base.join("key");
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

    /// Whether any environment of the project has a state.
    fn has_state(&self) -> Result<bool, EngineError> {
        let has = |folder: &Path| STATES.iter().any(|name| folder.join(name).exists());
        if has(&self.base) || has(&self.folder) {
            return Ok(true);
        }
        match fs::read_dir(&self.base) {
            Ok(entries) => Ok(entries.flatten().any(|entry| has(&entry.path()))),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(EngineError::Store {
                doing: format!("reading {} ({source})", self.base.display()),
                source,
            }),
        }
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
