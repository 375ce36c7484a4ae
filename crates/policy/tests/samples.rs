//! Public policy documents, where a checkout of them stands beside ours. They
//! are no part of the project; without them these tests have nothing to read.

use std::fs;
use std::path::{Path, PathBuf};

use keyless_policy::{Document, canonical, same};

/// Published with a line break in a regular C# string, which no compiler takes.
const MALFORMED: &str = "examples-call-out-to-an-http-endpoint-and-cache-the-response-policy.xml";

/// All of them but the malformed one.
fn samples() -> Vec<(PathBuf, String)> {
    let mut samples = all_samples();
    samples.retain(|(path, _)| !path.ends_with(MALFORMED));
    samples
}

fn all_samples() -> Vec<(PathBuf, String)> {
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
fn every_sample_parses_and_its_form_is_canonical() {
    let mut failed = Vec::new();
    for (path, text) in samples() {
        match canonical(&text) {
            Ok(once) => assert_eq!(canonical(&once).as_ref(), Ok(&once), "{}", path.display()),
            Err(error) => failed.push(format!("{}: {error}", path.display())),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_line_break_in_a_string_is_an_error() {
    for (path, text) in all_samples()
        .iter()
        .filter(|(path, _)| path.ends_with(MALFORMED))
    {
        let error = Document::parse(text).unwrap_err();
        assert!(
            error.to_string().contains("line 41, column 73"),
            "{}: {error}",
            path.display()
        );
    }
}

#[test]
fn other_line_ends_and_indentation_are_the_same_policy() {
    for (path, text) in samples() {
        let unix = text.replace("\r\n", "\n");
        assert!(same(&text, &unix), "{}", path.display());
        assert!(
            same(&text, &unix.replace('\n', "\r\n")),
            "{}",
            path.display()
        );
    }
}
