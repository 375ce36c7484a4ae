//! `keyless policy lint`: credentials in policy files, and statements out of place.

use keyless_model::{Address, Entity, FingerprintKey, Snapshot};
use keyless_policy::{Document, Lint, lints};
use keyless_scan::Finding;
use serde_json::{Value, json};

use crate::args::{Common, Format, LintArgs};
use crate::failure::Failure;
use crate::output;

use super::{name, read};

pub fn run(common: &Common, args: &LintArgs) -> Result<u8, Failure> {
    let style = output::style(common);
    let (mut rows, mut text) = (Vec::new(), String::new());
    let (mut failed, mut wrong, mut read_any, mut count) = (false, false, false, 0);
    for path in &args.files {
        let name = name(path);
        let document = match read(path) {
            Ok(document) => document,
            Err(failure) => {
                output::failure(common, &failure);
                failed = true;
                continue;
            }
        };
        let (mut findings, lints) = (credentials(&document), lints(&document));
        findings.sort_by_key(|finding| finding.line);
        read_any = true;
        wrong |= !lints.is_empty() || findings.iter().any(Finding::counts);
        count += findings.len() + lints.len();
        rows.extend(findings.iter().map(|finding| row(&name, finding)));
        rows.extend(lints.iter().map(|lint| row_of_lint(&name, lint)));
        text.push_str(&keyless_report::lints(&name, &findings, &lints, &style));
    }
    if common.format == Format::Json {
        output::json(&json!({ "format": "keyless.policy-lint/1", "findings": rows }));
    } else if read_any {
        let findings = keyless_report::counted(count, "finding", "findings");
        text.push_str(&format!("{findings}.\n"));
        output::data(&text);
    }
    match (failed, wrong) {
        (true, _) => Err(Failure::told()),
        (false, true) => Ok(2),
        (false, false) => Ok(0),
    }
}

/// What the scanner finds in one document alone: named values are not followed.
pub(super) fn credentials(document: &Document) -> Vec<Finding> {
    let gateway = Address::gateway("file");
    let address = match document.root().name() {
        "fragment" => gateway.child("policyFragment", "file"),
        _ => gateway.part("policy"),
    };
    let entity = Entity {
        id: String::new(),
        etag: None,
        body: json!({ "properties": { "value": document.text() } }),
    };
    let snapshot = Snapshot {
        entities: [(address, entity)].into(),
        ..Snapshot::default()
    };
    // No fingerprint is shown, so the key protects nothing.
    keyless_scan::scan(&snapshot, &FingerprintKey::new([0; 32]))
}

fn row(file: &str, finding: &Finding) -> Value {
    json!({
        "file": file,
        "rule": finding.rule,
        "path": finding.place,
        "line": finding.line.map(|(line, _)| line),
        "column": finding.line.map(|(_, column)| column),
        "severity": finding.severity,
        "confidence": finding.confidence,
        "opens": finding.opens,
        "message": finding.what,
        "help": finding.replacement,
    })
}

fn row_of_lint(file: &str, lint: &Lint) -> Value {
    json!({
        "file": file,
        "rule": lint.code,
        "path": lint.path.as_str(),
        "line": lint.line.0,
        "column": lint.line.1,
        "severity": "warning",
        "message": lint.message,
        "help": lint.help,
    })
}
