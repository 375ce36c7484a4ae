//! What people see of a change. Values that may be secret stand as keyed fingerprints.

use std::ops::Range;

use keyless_model::sql::Statement;
use keyless_model::{Address, FingerprintKey};
use keyless_policy::{DiffLine, Difference, Document, LineKind, What};
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
        value if is_secret(address, pointer, value) => Some(key.of(&plain(value)).to_string()),
        value => Some(plain(value)),
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
        let path = edit.path();
        let Some(element) = path.parse().ok().and_then(|p| document.find(&p)) else {
            continue;
        };
        let whole = || masked_markup(key, &document, element.range());
        let (title, before, after) = match edit {
            Splice::Text { text, .. } => (
                path.to_owned(),
                masked(key, &element.text().unwrap_or_default()),
                masked(key, text),
            ),
            Splice::Remove { .. } => (path.to_owned(), whole(), String::new()),
            Splice::Replace { xml, .. } => (path.to_owned(), whole(), xml.clone()),
            Splice::InsertFirst { xml, .. }
            | Splice::InsertLast { xml, .. }
            | Splice::InsertAfter { xml, .. } => (path.to_owned(), String::new(), xml.clone()),
            Splice::RemoveAttribute { name, .. } => {
                let old = element.attribute(name).map(|a| a.value).unwrap_or_default();
                (format!("{path}/@{name}"), masked(key, &old), String::new())
            }
            Splice::Attribute { name, value, .. } => {
                let old = element.attribute(name).map(|a| a.value).unwrap_or_default();
                let harmless = matches!(old.as_str(), "" | "true" | "false");
                let old = if harmless { old } else { masked(key, &old) };
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

/// Attributes that say how an element works and hold no value of their own.
const PLAIN: [&str; 6] = [
    "name",
    "exists-action",
    "mode",
    "response-variable-name",
    "timeout",
    "ignore-error",
];

/// The markup in `range`, every value in it as a fingerprint that is no reference and no plain
/// attribute: nobody says that what an edit removes holds no credential.
fn masked_markup(key: &FingerprintKey, document: &Document, range: Range<usize>) -> String {
    let inside = |r: &Range<usize>| range.start <= r.start && r.end <= range.end;
    let attributes = document.elements().into_iter().flat_map(|e| e.attributes());
    let plain: Vec<Range<usize>> = attributes
        .filter(|a| PLAIN.contains(&a.name.as_str()) && inside(&a.range))
        .map(|a| a.range)
        .collect();
    let mut hidden = foreign(document, None);
    hidden.retain(|r| inside(r) && !plain.contains(r));
    let mut out = document.text()[range.clone()].to_owned();
    for hide in apart(hidden).into_iter().rev() {
        let mark = format!("‹{}›", key.of(&document.text()[hide.clone()]));
        out.replace_range(hide.start - range.start..hide.end - range.start, &mark);
    }
    dedented(&out)
}

/// An element cut out of a document: what its other lines are indented by in common goes.
fn dedented(text: &str) -> String {
    let blank = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let others = text.lines().skip(1).filter(|line| !line.trim().is_empty());
    let common = others.map(blank).min().unwrap_or(0);
    let mut lines = text.lines();
    let mut out = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        out.push('\n');
        out.push_str(line.get(common..).unwrap_or_default());
    }
    out
}

/// The lines that differ, with the words that differ marked.
pub(crate) fn diff_lines(before: &str, after: &str) -> Vec<Line> {
    let lines = keyless_policy::diff(before, after, 1);
    lines.into_iter().map(|l| line(l, "unchanged")).collect()
}

fn line(line: DiffLine, left_out: &str) -> Line {
    let (mark, pieces) = match line.kind {
        LineKind::Kept => (' ', line.pieces),
        LineKind::Removed => ('-', line.pieces),
        LineKind::Added => ('+', line.pieces),
        LineKind::Skipped(n) => ('…', vec![(false, format!("{n} {left_out} lines"))]),
    };
    Line { mark, pieces }
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

/// What changes in the meaning of a policy document, place by place. Of the old text, what the new
/// one does not say too stands as fingerprints; of both, every credential that the scanner finds.
pub(crate) fn document(
    key: &FingerprintKey,
    path: &Address,
    before: &str,
    after: &str,
) -> Vec<Shown> {
    let (old, new) = (Document::parse(before).ok(), Document::parse(after).ok());
    let old_only = |old: &Document| foreign(old, new.as_ref());
    let masked_before = without_secrets(key, before, old_only);
    let masked_after = without_secrets(key, after, |_| vec![]);
    let masked = [&masked_before, &masked_after].map(|text| Document::parse(text).ok());
    let (Some(old), Some(new), [Some(a), Some(b)]) = (&old, &new, &masked) else {
        return vec![Shown::Lines {
            title: path.to_string(),
            lines: diff_lines(&masked_before, &masked_after),
        }];
    };
    let real = keyless_policy::differences(old, new);
    if real.is_empty() {
        let text = "only layout, comments or spelling change".to_owned();
        return vec![Shown::Remark { text }];
    }
    let mut shown = keyless_policy::differences(a, b);
    let same = |a: &Difference, b: &Difference| a.path == b.path && a.what == b.what;
    // A value that is only laid out anew has another fingerprint, and does not change. Where the
    // masked texts pair otherwise than the real ones, all is shown: nothing real may be missing.
    if real.iter().all(|r| shown.iter().any(|d| same(d, r))) {
        shown.retain(|d| real.iter().any(|r| same(d, r)));
    }
    shown.iter().map(|d| difference(path, d)).collect()
}

fn difference(address: &Address, difference: &Difference) -> Shown {
    let what = match &difference.what {
        What::Added => "added".to_owned(),
        What::Removed => "removed".to_owned(),
        What::Moved { from } => format!("moved from {from}"),
        What::Attribute(name) => format!("attribute {name}"),
        What::Text => "text".to_owned(),
    };
    let lines = difference.lines.iter().cloned();
    Shown::Lines {
        title: format!("{address} {}: {what}", difference.path),
        lines: lines.map(|l| line(l, "more")).collect(),
    }
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

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether fields of the thing at `address` may hold a credential.
pub(crate) fn may_be_secret(address: &Address, fields: &Value) -> bool {
    holds_secret(address, "", fields)
}

fn holds_secret(address: &Address, pointer: &str, value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields
            .iter()
            .any(|(name, inner)| holds_secret(address, &format!("{pointer}/{name}"), inner)),
        value => is_secret(address, pointer, value),
    }
}

/// Whether the value of this field may be a credential or hold one. What consists of references to
/// named values holds none.
fn is_secret(address: &Address, pointer: &str, value: &Value) -> bool {
    let hidden = sensitive(address, pointer) || is_unknown(address, pointer);
    hidden && !value.is_null() && !only_references(value)
}

/// Whether the field is one that no descriptor lists and that holds credentials all the same
/// (azure-facts B.5, rows 5 and 31).
fn is_unknown(address: &Address, pointer: &str) -> bool {
    let places: &[&str] = match address.last().0 {
        "backend" => &["/properties/proxy"],
        "operation" => &["/properties/request", "/properties/responses"],
        _ => &[],
    };
    places.iter().any(|place| pointer.starts_with(place))
}

fn only_references(value: &Value) -> bool {
    let all = |text: &str| {
        let found = keyless_policy::references(text);
        found.iter().any(|r| r.range.len() == text.trim().len())
    };
    match value {
        Value::String(text) => all(text),
        Value::Array(items) => items.iter().all(only_references),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> Vec<String> {
        let key = FingerprintKey::new([7; 32]);
        let address = Address::gateway("contoso").part("policy");
        let text = |shown: Shown| match shown {
            Shown::Lines { title, lines } => format!("{title} ({} lines)", lines.len()),
            Shown::Remark { text } => text,
            other => format!("{other:?}"),
        };
        document(&key, &address, before, after)
            .into_iter()
            .map(text)
            .collect()
    }

    #[test]
    fn a_document_that_is_replaced_shows_what_differs_in_meaning() {
        let before = "<policies><inbound><base /><set-header name=\"a\"><value>@( b+c )</value></set-header>\
                      <rate-limit calls=\"5\" /></inbound></policies>";
        let laid_out = before.replace("><", ">\n<").replace("b+c", "b + c");
        assert_eq!(
            shown(before, &laid_out),
            ["only layout, comments or spelling change"]
        );
        // The expression was laid out anew only, so it is not told.
        let title = "apim:contoso/policy /policies/inbound/rate-limit: attribute calls (2 lines)";
        assert_eq!(shown(before, &laid_out.replace("\"5\"", "\"6\"")), [title]);
        assert_eq!(shown("", before).len(), 1);
    }
}
