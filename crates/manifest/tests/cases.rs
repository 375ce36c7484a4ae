//! Manifests that load and manifests that do not, each invalid one with what is said about it.
//!
//! `common.yaml` is loaded beside every case, so that a case can be one idea. With
//! `KEYLESS_BLESS=1` in the environment the `.expected` files are written anew.

#![expect(clippy::unwrap_used, reason = "the helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use keyless_manifest::{Environment, ReadError, Source, load};
use keyless_model::{Desired, Diagnostics};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn read(path: &str) -> Result<String, ReadError> {
    match fs::read(folder().join(path)) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| ReadError::NotText),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(ReadError::Missing),
        Err(e) => Err(ReadError::Failed(e.kind().to_string())),
    }
}

fn source(path: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: read(path).unwrap(),
    }
}

/// A case whose name a file of `environments` has is loaded in that environment.
fn environment(case: &str) -> Environment {
    let name = case.rsplit('/').next().unwrap_or_default();
    let path = format!("environments/{name}");
    let text = read(&path).ok();
    Environment {
        chosen: text.map(|text| Source { path, text }),
        known: vec!["dev".to_owned(), "prod".to_owned()],
        partial: false,
    }
}

fn load_case(path: &str) -> Result<Desired, Diagnostics> {
    load(
        &[source("common.yaml"), source(path)],
        &read,
        &environment(path),
    )
}

/// The cases of a folder, as paths relative to `cases`.
fn cases(of: &str) -> Vec<String> {
    let entries = fs::read_dir(folder().join(of)).unwrap();
    let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut paths: Vec<String> = names
        .filter(|n| n.ends_with(".yaml"))
        .map(|n| format!("{of}/{n}"))
        .collect();
    paths.sort();
    paths
}

/// `CODE line:column message` for each diagnostic, with the file where it is not the case's own.
fn said(case: &str, diagnostics: &Diagnostics) -> String {
    let mut lines = String::new();
    for diagnostic in diagnostics {
        let span = diagnostic.span.as_ref().unwrap();
        let file = if span.file == case {
            String::new()
        } else {
            format!("{}:", span.file)
        };
        let (line, column) = (span.line, span.column);
        lines += &format!(
            "{} {file}{line}:{column} {}\n",
            diagnostic.code, diagnostic.message
        );
    }
    lines
}

#[test]
fn valid_manifests_load() {
    let cases = cases("valid");
    assert!(cases.len() >= 6, "{cases:?}");
    for case in cases {
        if let Err(diagnostics) = load_case(&case) {
            panic!("{case}: {}", said(&case, &diagnostics));
        }
    }
}

#[test]
fn invalid_manifests_are_refused_with_every_error_and_its_place() {
    let bless = std::env::var_os("KEYLESS_BLESS").is_some();
    let cases = cases("invalid");
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut wrong = String::new();
    for case in cases {
        let said = match load_case(&case) {
            Ok(_) => "(loads)\n".to_owned(),
            Err(diagnostics) => said(&case, &diagnostics),
        };
        let file = case.replace(".yaml", ".expected");
        if bless {
            fs::write(folder().join(&file), &said).unwrap();
        } else if read(&file).unwrap_or_default() != said {
            wrong += &format!("{file}:\n{said}");
        }
    }
    assert!(wrong.is_empty(), "KEYLESS_BLESS=1 accepts this:\n{wrong}");
}

/// The cases hold `hunter2` and `s3cr3t` wherever they hold a credential.
#[test]
fn every_error_has_a_place_a_next_step_and_no_credential() {
    for case in cases("invalid") {
        let Err(diagnostics) = load_case(&case) else {
            panic!("{case} loads")
        };
        for diagnostic in diagnostics {
            let text = format!("{diagnostic:?}");
            assert!(
                !text.contains("hunter2") && !text.contains("s3cr3t"),
                "{case}: {text}"
            );
            assert!(
                diagnostic.help.is_some_and(|h| !h.is_empty()),
                "{case}: {text}"
            );
            assert!(!diagnostic.label.is_empty(), "{case}: {text}");
            assert!(
                keyless_model::codes::find(diagnostic.code).is_some(),
                "{case}: {text}"
            );
            let span = diagnostic.span.unwrap();
            let source = read(&span.file).unwrap();
            assert!(source.get(span.start..span.end).is_some(), "{case}: {text}");
            let before = &source[..span.start];
            assert_eq!(
                before.matches('\n').count() + 1,
                span.line,
                "{case}: {text}"
            );
        }
    }
}
