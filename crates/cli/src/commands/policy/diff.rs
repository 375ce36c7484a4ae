//! `keyless policy diff`: what differs in meaning.
//!
//! Credentials are hidden before anything is compared for showing; which ones are the same can
//! still be told.

use std::collections::BTreeMap;

use keyless_policy::{Difference, Document, LineKind, What, differences, same};
use keyless_scan::ConnectionString;
use serde_json::{Value, json};

use crate::args::{Common, DiffArgs, Format};
use crate::failure::Failure;
use crate::output;

use super::{is_stdin, name, read};

pub fn run(common: &Common, args: &DiffArgs) -> Result<u8, Failure> {
    if is_stdin(&args.before) && is_stdin(&args.after) {
        let message = "only one of the two can be the standard input; name a file for the other";
        return Err(Failure::new("KL0309", message));
    }
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let identical = before.text() == after.text();
    let equal = same(before.text(), after.text());
    let found = if equal {
        Vec::new()
    } else {
        shown(&before, &after)
    };
    let verdict = match (identical, equal) {
        (true, _) => "identical",
        (false, true) => "cosmetic",
        (false, false) => "different",
    };
    if common.format == Format::Json {
        output::json(&json!({
            "format": "keyless.policy-diff/1",
            "verdict": verdict,
            "differences": found.iter().map(row).collect::<Vec<_>>(),
        }));
    } else {
        let (a, b) = (name(&args.before), name(&args.after));
        match verdict {
            "identical" => output::data(&format!("{a} and {b} are the same text")),
            "cosmetic" => output::data(&format!(
                "cosmetic: {a} and {b} mean the same; only layout, comments or spelling differ"
            )),
            _ if found.is_empty() => output::data("different, in text that cannot be shown"),
            _ => output::data(&keyless_report::differences(&found, &output::style(common))),
        }
    }
    Ok(if equal { 0 } else { 2 })
}

/// The differences, without any credential.
fn shown(before: &Document, after: &Document) -> Vec<Difference> {
    let mut labels = BTreeMap::new();
    let masked = [before, after].map(|document| {
        let text = hidden(document, &mut labels);
        Document::parse(&text).ok()
    });
    let [Some(before), Some(after)] = masked else {
        return Vec::new();
    };
    differences(&before, &after)
}

/// The text with a label for each value that holds a credential, the same for the same value. Of a
/// connection string only the password is hidden.
fn hidden(document: &Document, labels: &mut BTreeMap<String, usize>) -> String {
    let mut label = |value: &str| {
        let next = labels.len() + 1;
        let number = labels.entry(value.to_owned()).or_insert(next);
        format!("‹credential {number}›")
    };
    let mut out = String::new();
    let mut at = 0;
    for range in keyless_scan::secret_ranges(document) {
        out.push_str(&document.text()[at..range.start]);
        let value = &document.text()[range.clone()];
        // An entity or a comment in it would be read as a part of the string.
        let plain = Some(value).filter(|value| !value.contains(['&', '<']));
        let parsed = plain.and_then(ConnectionString::parse);
        let password = parsed.and_then(|c| Some((c.password()?, c)));
        out.push_str(&match password {
            Some((secret, whole)) => {
                let mark = label(secret.expose());
                whole.masked(|_| mark.clone())
            }
            None => label(value),
        });
        at = range.end;
    }
    out.push_str(&document.text()[at..]);
    out
}

fn row(found: &Difference) -> Value {
    let (what, name, from) = match &found.what {
        What::Added => ("added", None, None),
        What::Removed => ("removed", None, None),
        What::Moved { from } => ("moved", None, Some(from.as_str())),
        What::Attribute(name) => ("attribute", Some(name), None),
        What::Text => ("text", None, None),
    };
    let lines = found.lines.iter().map(|line| {
        let kind = match line.kind {
            LineKind::Kept => "kept",
            LineKind::Removed => "removed",
            LineKind::Added => "added",
            LineKind::Skipped(_) => "skipped",
        };
        let pieces = line.pieces.iter();
        let pieces: Vec<Value> = pieces
            .map(|(changed, text)| json!({ "changed": changed, "text": text }))
            .collect();
        json!({ "kind": kind, "pieces": pieces })
    });
    json!({
        "path": found.path.as_str(),
        "what": what,
        "attribute": name,
        "from": from,
        "lines": lines.collect::<Vec<_>>(),
    })
}
