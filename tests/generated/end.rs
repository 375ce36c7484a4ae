//! What has to be true when nothing is left to do.

use std::collections::BTreeSet;

use serde_json::Value;
use tiberius::AuthMethod;

use crate::caller::log_in;
use crate::estate::{Estate, Said};
use crate::generated::keyless;
use crate::generated::sketch::Sketch;

/// Codes of credentials that callers use, and of a firewall open to all of Azure; what else a scan
/// tells is no business of an Access.
const CREDENTIALS: [&str; 10] = [
    "KL0401", "KL0402", "KL0403", "KL0404", "KL0408", "KL0409", "KL0411", "KL0412", "KL0413",
    "KL0418",
];

/// Held up are the Accesses whose documents do not ask for more, and no other.
pub fn nobody_waits_but_who_must(sketch: &Sketch, last: &Said) {
    let mut groups: BTreeSet<&str> = BTreeSet::new();
    let mut group = "";
    for line in last.out.lines() {
        if line.starts_with("  ? ") {
            groups.insert(group);
        } else if !line.starts_with(' ') {
            group = line;
        }
    }
    let expected = &sketch.expected;
    for name in &expected.waiting {
        assert!(
            groups.remove(name.as_str()),
            "{name} is silent: {}",
            last.out
        );
    }
    groups.retain(|name| !expected.unretired.iter().any(|u| u == name));
    assert!(groups.is_empty(), "{groups:?}: {}", last.out);
}

pub async fn no_credential_is_left(estate: &Estate, sketch: &Sketch) {
    let scan = keyless(estate, &["scan", "--format", "json", "--inspect-secrets"]).await;
    let found: Value = serde_json::from_str(&scan.out).unwrap();
    for finding in found["findings"].as_array().unwrap() {
        let address = finding["address"].as_str().unwrap();
        let below = |clean: &String| {
            let rest = address.strip_prefix(clean.as_str());
            rest.is_some_and(|r| r.is_empty() || r.starts_with(['/', ';']))
        };
        let covered = sketch.expected.clean.iter().any(below);
        let credential = CREDENTIALS.contains(&finding["rule"].as_str().unwrap());
        // What a comment remembers is told by scan, and stays.
        let remembered = finding["place"] == "comment";
        assert!(!(covered && credential && !remembered), "{finding:#}");
    }
}

pub async fn old_logins_are_closed(estate: &Estate, sketch: &Sketch) {
    for login in &sketch.expected.logins {
        let how = AuthMethod::sql_server(&login.user, &login.password);
        let answer = log_in(estate, &login.server, &login.database, how).await;
        let name = format!("{} of {}/{}", login.user, login.server, login.database);
        if let Some(closed) = login.closed {
            assert_eq!(answer.is_err(), closed, "{name}: {:?}", answer.err());
        }
    }
}

/// Each service that takes tokens gets one, and nobody else ever did.
pub fn services_see_tokens(estate: &Estate, sketch: &Sketch) {
    for host in &sketch.expected.hosts {
        let last = format!("{:?}", estate.emulator.calls(host).last);
        assert!(last.contains("Token"), "{host} saw {last} last");
    }
    estate.sent_tokens_to_targets_alone();
}
