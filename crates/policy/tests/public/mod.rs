//! Public policy documents, where a checkout of them stands beside ours. They are no part of the
//! project; without them the documents that are made here have to do.

use std::fs;
use std::path::{Path, PathBuf};

/// Each with its path, in their order.
pub fn documents() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/policies");
    let mut found = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "xml") {
                let text = fs::read_to_string(&path).expect("a document is UTF-8");
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}
