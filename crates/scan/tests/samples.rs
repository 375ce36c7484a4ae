//! Public policy documents, where a checkout of them stands beside ours. They are no part of the
//! project; without them these tests have nothing to read. None of them holds a real credential.

mod estate;

use std::fs;
use std::path::{Path, PathBuf};

use estate::{Estate, gateway};
use keyless_policy::Document;
use keyless_scan::{Confidence, Finding, http_credentials};
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

fn told(text: &str) -> Vec<String> {
    let policy = gateway().part("policy");
    let estate = Estate::default().put(policy, json!({ "value": text }));
    let told = |f: &Finding| format!("{} {} {:?} {}", f.rule, f.place, f.line, f.what);
    estate.scan().iter().map(told).collect()
}

#[test]
fn public_documents_make_no_noise() {
    for (path, text) in samples() {
        assert_eq!(told(&text), Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn what_public_documents_send_is_by_reference_or_an_identitys_token() {
    for (path, text) in samples() {
        let Ok(document) = Document::parse(&text) else {
            continue;
        };
        for one in http_credentials(&document) {
            let place = format!("{} {}", path.display(), one.path);
            assert!(one.values.is_empty(), "{place}");
            let held = !one.references.is_empty() || one.confidence == Confidence::Possible;
            assert!(held, "{place}");
        }
    }
}

#[test]
fn a_credential_planted_into_a_public_document_is_found() {
    const PLANTS: [&str; 4] = [
        "<authentication-basic username=\"u\" password=\"hunter22\" />",
        "<set-header name=\"api-key\"><value>@(\"3f2504e04f8911d3\" + \"9a0c0305e82c3301\")</value></set-header>",
        "<set-body>@(\"client_\" + \"secret=\" + \"s3cr3t\")</set-body>",
        "<!-- Server=s;Initial Catalog=d;Password=x1y2; -->",
    ];
    for (path, text) in samples() {
        if Document::parse(&text).is_err() {
            continue; // one is published with a broken string
        }
        for plant in PLANTS {
            let end = text.rfind("</").expect("a root that closes");
            let planted = format!("{}{plant}{}", &text[..end], &text[end..]);
            assert_eq!(told(&planted).len(), 1, "{}: {plant}", path.display());
        }
    }
}
