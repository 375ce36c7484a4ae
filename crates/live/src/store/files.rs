//! Files of the store: read where they are there, written whole or not at all, and only its owner
//! reads them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use keyless_engine::EngineError;

pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, EngineError> {
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
pub(super) fn append_line(path: &Path, line: &str) -> io::Result<()> {
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
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    write_private(&fresh, bytes)?;
    fs::rename(&fresh, path)?;
    sync_folder(path)
}

/// Writes a file whole, unless there is one already. A link, unlike a rename, replaces nothing.
pub(super) fn put_if_absent(path: &Path, bytes: &[u8]) -> io::Result<()> {
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
