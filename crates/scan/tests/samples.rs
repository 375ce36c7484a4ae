//! Public policy documents, where a checkout of them stands beside ours. They are no part of the
//! project; without them this test has nothing to read. None of them holds a real credential.

mod estate;

use std::fs;
use std::path::{Path, PathBuf};

use estate::{Estate, gateway};
use serde_json::json;

fn samples() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/policies");
    let mut found = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "xml") {
                let text = fs::read_to_string(&path).expect("a sample is UTF-8");
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn public_documents_make_no_noise() {
    let mut noise = Vec::new();
    for (path, text) in samples() {
        let estate = Estate::default().put(gateway().part("policy"), json!({ "value": text }));
        for f in estate.scan() {
            noise.push(format!(
                "{}: {} {} {:?} {}",
                path.display(),
                f.rule,
                f.place,
                f.line,
                f.what
            ));
        }
    }
    assert!(noise.is_empty(), "{}", noise.join("\n"));
}
