//! What people see of a change. Values that may be secret stand as keyed fingerprints.

use std::ops::Range;

use keyless_model::sql::Statement;
use keyless_model::{Address, FingerprintKey};
use keyless_policy::{Document, LineKind};
use keyless_scan::ConnectionString;
use serde_json::Value;

use crate::compare::sensitive;
use crate::stages::literals::foreign;
use crate::step::{Line, Shown, Splice};

/// Each field of `wanted` that `before` says otherwise.
pub(crate) fn fields(
    key: &FingerprintKey,
    address: &Address,
    before: Option<&Value>,
    wanted: &Value,
) -> Vec<Shown> {
    let mut out = Vec::new();
    walk(key, address, "", before, wanted, &mut out);
    out
}

fn walk(
    key: &FingerprintKey,
    address: &Address,
    pointer: &str,
    before: Option<&Value>,
    wanted: &Value,
    out: &mut Vec<Shown>,
) {
    if let Value::Object(fields) = wanted {
        for (name, inner) in fields {
            let part = before.and_then(|b| b.get(name));
            walk(key, address, &format!("{pointer}/{name}"), part, inner, out);
        }
        return;
    }
    if before.unwrap_or(&Value::Null) == wanted {
        return;
    }
    let show = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) if sensitive(address, pointer) => Some(key.of(text).to_string()),
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    out.push(Shown::Field {
        path: pointer.trim_start_matches('/').replace('/', "."),
        before: before.and_then(show),
        after: show(wanted),
    });
}

/// The statements, a line each.
pub(crate) fn statements(statements: &[Statement]) -> Vec<Shown> {
    statements
        .iter()
        .map(|s| Shown::Sql { text: s.text() })
        .collect()
}

/// The edits of a policy: each place before and after, word for word.
pub(crate) fn edits(key: &FingerprintKey, policy: &str, edits: &[Splice]) -> Vec<Shown> {
    let Ok(document) = Document::parse(policy) else {
        return vec![];
    };
    let mut out = Vec::new();
    for edit in edits {
        let (Splice::Text { path, .. } | Splice::Attribute { path, .. }) = edit;
        let Some(element) = path.parse().ok().and_then(|p| document.find(&p)) else {
            continue;
        };
        let (title, before, after) = match edit {
            Splice::Text { text, .. } => (
                path.clone(),
                masked(key, &element.text().unwrap_or_default()),
                masked(key, text),
            ),
            Splice::Attribute { name, value, .. } => {
                let old = element.attribute(name).map(|a| a.value).unwrap_or_default();
                (format!("{path}/@{name}"), old, value.clone())
            }
        };
        out.push(Shown::Lines {
            title,
            lines: diff_lines(&before, &after),
        });
    }
    out
}

/// The lines that differ, with the words that differ marked.
pub(crate) fn diff_lines(before: &str, after: &str) -> Vec<Line> {
    let lines = keyless_policy::diff(before, after, 1).into_iter();
    lines
        .map(|line| match line.kind {
            LineKind::Kept => Line {
                mark: ' ',
                pieces: line.pieces,
            },
            LineKind::Removed => Line {
                mark: '-',
                pieces: line.pieces,
            },
            LineKind::Added => Line {
                mark: '+',
                pieces: line.pieces,
            },
            LineKind::Skipped(n) => Line {
                mark: '…',
                pieces: vec![(false, format!("{n} unchanged lines"))],
            },
        })
        .collect()
}

/// A connection string with its password as a fingerprint; a text that is neither one nor a
/// reference stands as a fingerprint whole.
pub(crate) fn masked(key: &FingerprintKey, text: &str) -> String {
    if keyless_policy::references(text)
        .iter()
        .any(|r| r.range.len() == text.trim().len())
    {
        return text.to_owned();
    }
    match ConnectionString::parse(text) {
        Some(parsed) => parsed.masked(|secret| format!("‹{}›", key.of(secret.expose()))),
        None => format!("‹{}›", key.of(text)),
    }
}

/// The lines of a policy document that change. Of the old text, what the new one does not say too
/// stands as fingerprints; of both, every credential that the scanner finds.
pub(crate) fn document(
    key: &FingerprintKey,
    path: &Address,
    before: &str,
    after: &str,
) -> Vec<Shown> {
    let new = Document::parse(after).ok();
    let old_only = |old: &Document| foreign(old, new.as_ref());
    let before = without_secrets(key, before, old_only);
    let lines = diff_lines(&before, &without_secrets(key, after, |_| vec![]));
    vec![Shown::Lines {
        title: path.to_string(),
        lines,
    }]
}

/// A policy text in which every credential that the scanner finds, and what `more` tells, stands as
/// a fingerprint. One that cannot be read stands as a fingerprint whole.
fn without_secrets(
    key: &FingerprintKey,
    text: &str,
    more: impl Fn(&Document) -> Vec<Range<usize>>,
) -> String {
    let Ok(document) = Document::parse(text) else {
        return if text.is_empty() {
            String::new()
        } else {
            format!("‹{}›", key.of(text))
        };
    };
    let mut ranges = keyless_scan::secret_ranges(&document);
    ranges.extend(more(&document));
    let mut out = text.to_owned();
    for range in apart(ranges).into_iter().rev() {
        let mark = format!("‹{}›", key.of(&text[range.clone()]));
        out.replace_range(range, &mark);
    }
    out
}

/// The ranges in order, those that overlap as one.
fn apart(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|r| (r.start, r.end));
    let mut out: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

/// Whether fields of the thing at `address` may hold a credential.
pub(crate) fn may_be_secret(address: &Address, fields: &Value) -> bool {
    let value = fields.pointer("/properties/value");
    address.last().0 == "namedValue" && value.is_some_and(|v| !v.is_null())
}
