//! Public policy documents, where a checkout of them stands beside ours. They are no part of the
//! project; without them this has nothing to read. None of them holds a real credential, which
//! `measure.rs` holds the scan to.

mod planted;

use keyless_policy::Document;
use keyless_scan::{Confidence, http_credentials};
use planted::hosts;

#[test]
fn what_public_documents_send_is_by_reference_or_an_identitys_token() {
    for (path, text) in hosts::public() {
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
