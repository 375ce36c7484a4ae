//! What people see of a change. Values that may be secret stand as keyed fingerprints.

use keyless_model::sql::Statement;
use keyless_model::{Address, FingerprintKey};
use keyless_policy::LineKind;
use keyless_scan::ConnectionString;
use serde_json::Value;

use crate::compare::sensitive;
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
    let Ok(document) = keyless_policy::Document::parse(policy) else {
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

/// The lines of a policy document that change, with credentials as fingerprints.
pub(crate) fn document(
    key: &FingerprintKey,
    path: &Address,
    before: &str,
    after: &str,
) -> Vec<Shown> {
    let lines = diff_lines(&without_secrets(key, before), &without_secrets(key, after));
    vec![Shown::Lines {
        title: path.to_string(),
        lines,
    }]
}

/// A policy text in which every credential that the scanner finds stands as a fingerprint. One
/// that cannot be read stands as a fingerprint whole.
fn without_secrets(key: &FingerprintKey, text: &str) -> String {
    let Ok(document) = keyless_policy::Document::parse(text) else {
        return if text.is_empty() {
            String::new()
        } else {
            format!("‹{}›", key.of(text))
        };
    };
    let mut out = text.to_owned();
    for range in keyless_scan::secret_ranges(&document).into_iter().rev() {
        let mark = format!("‹{}›", key.of(&text[range.clone()]));
        out.replace_range(range, &mark);
    }
    out
}

/// Whether fields of the thing at `address` may hold a credential.
pub(crate) fn may_be_secret(address: &Address, fields: &Value) -> bool {
    if address.last().0 == "namedValue" {
        return fields
            .pointer("/properties/value")
            .is_some_and(|v| !v.is_null());
    }
    let policy = fields.pointer("/properties/value").and_then(Value::as_str);
    policy.is_some_and(|text| {
        let parsed = keyless_policy::Document::parse(text);
        parsed.map_or(true, |document| {
            !keyless_scan::secret_ranges(&document).is_empty()
        })
    })
}
