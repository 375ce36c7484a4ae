//! Credentials in what describes APIs: default values and examples of operations and schemas, and
//! the pages of wikis (azure-facts B.5 row 31). They do nothing for a call and are shown to every
//! reader.

use keyless_model::{Address, Entity, FingerprintKey, Severity};
use serde_json::Value;

use crate::credentials::{Hit, Sort, find};
use crate::finding::{Confidence, Finding};
use crate::looks;
use crate::names::{MIN_KEY, is_authorization, is_key_header, is_key_parameter, says_secret};

/// A text of a description: its JSON pointer, and the name of what it is a value for.
struct Said<'a> {
    pointer: String,
    name: &'a str,
    text: &'a str,
}

/// In headers, parameters and bodies of an operation.
pub(crate) fn in_operation(
    address: &Address,
    entity: &Entity,
    key: &FingerprintKey,
) -> Vec<Finding> {
    let mut said = Vec::new();
    let properties = &entity.body["properties"];
    of_operation(properties, "/properties".into(), "", &mut said);
    let what = "the description of this operation shows a credential";
    told(address, said, what, key)
}

/// In a schema, of one API or of all. Azure REST: `document` holds definitions or components as
/// JSON, or a `value` that is text; a schema of all APIs may have its `value` beside it.
pub(crate) fn in_schema(address: &Address, entity: &Entity, key: &FingerprintKey) -> Vec<Finding> {
    let mut said = Vec::new();
    let properties = &entity.body["properties"];
    of_schema(properties, "/properties".into(), "", &mut said);
    let what = "an example in this schema shows a credential";
    let mut out = told(address, said, what, key);
    for pointer in ["/properties/value", "/properties/document/value"] {
        let text = entity.text(pointer).unwrap_or_default();
        out.extend(in_text(address, pointer, text, what, key));
    }
    out
}

/// In a page of the wikis. Azure REST, documentations: `content` is Markdown.
pub(crate) fn in_page(address: &Address, entity: &Entity, key: &FingerprintKey) -> Vec<Finding> {
    const POINTER: &str = "/properties/content";
    let text = entity.text(POINTER).unwrap_or_default();
    let what = "this page of a wiki shows a credential";
    in_text(address, POINTER, text, what, key)
}

/// Every credential that a long text itself tells.
fn in_text(
    address: &Address,
    pointer: &str,
    text: &str,
    what: &str,
    key: &FingerprintKey,
) -> Vec<Finding> {
    let hits = find(text).into_iter();
    let literal = hits.filter(|h| looks::has_literal(h.value.expose()));
    literal
        .map(|hit| {
            let confidence = hit.confidence;
            finding(address, pointer.to_owned(), &hit, confidence, what, key)
        })
        .collect()
}

fn told(address: &Address, said: Vec<Said>, what: &str, key: &FingerprintKey) -> Vec<Finding> {
    let credential = |one: Said| {
        let (hit, confidence) = judge(one.name, one.text)?;
        Some(finding(address, one.pointer, &hit, confidence, what, key))
    };
    said.into_iter().filter_map(credential).collect()
}

fn finding(
    address: &Address,
    place: String,
    hit: &Hit,
    confidence: Confidence,
    what: &str,
    key: &FingerprintKey,
) -> Finding {
    Finding {
        place,
        confidence,
        severity: Severity::Warning,
        replacement: "remove it from the description, and rotate the credential".into(),
        opens: match &hit.sort {
            Sort::Sql(opens) | Sort::Key(opens) => opens.clone(),
        },
        fingerprint: Some(key.of(hit.value.expose())),
        ..Finding::new("KL0416", address, what.into())
    }
}

/// How deep the description of an operation is looked into. Azure's has seven levels.
const MAX_DEPTH: usize = 16;
/// Schemas nest deeper.
const MAX_SCHEMA_DEPTH: usize = 64;

/// Every default value and example below a value, with the name of the header or parameter that it
/// is for.
fn of_operation<'a>(value: &'a Value, pointer: String, name: &'a str, out: &mut Vec<Said<'a>>) {
    if pointer.matches('/').count() > MAX_DEPTH {
        return;
    }
    match value {
        Value::Object(fields) => {
            let name = fields.get("name").and_then(Value::as_str).unwrap_or(name);
            // In an example body the field itself names the value.
            let in_example = pointer.contains("/examples/");
            for (field, value) in fields {
                let segment = field.replace('~', "~0").replace('/', "~1");
                let name = if in_example { field } else { name };
                of_operation(value, format!("{pointer}/{segment}"), name, out);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                of_operation(item, format!("{pointer}/{i}"), name, out);
            }
        }
        Value::String(text) => {
            let shown = ["/defaultValue", "/values/", "/examples/", "/sample"];
            if shown.iter().any(|s| pointer.contains(s)) {
                out.push(Said {
                    pointer,
                    name,
                    text,
                });
            }
        }
        _ => {}
    }
}

/// Where a schema shows a value (JSON Schema, OpenAPI).
const SHOWN: [&str; 5] = ["const", "default", "enum", "example", "examples"];

/// Every default value and example of a schema, with the name of the property that it is for.
fn of_schema<'a>(value: &'a Value, pointer: String, name: &'a str, out: &mut Vec<Said<'a>>) {
    if pointer.matches('/').count() > MAX_SCHEMA_DEPTH {
        return;
    }
    let in_value = pointer.split('/').any(|part| SHOWN.contains(&part));
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let segment = field.replace('~', "~0").replace('/', "~1");
                let name = if SHOWN.contains(&field.as_str()) {
                    name
                } else {
                    field
                };
                of_schema(value, format!("{pointer}/{segment}"), name, out);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                of_schema(item, format!("{pointer}/{i}"), name, out);
            }
        }
        Value::String(text) if in_value => out.push(Said {
            pointer,
            name,
            text,
        }),
        _ => {}
    }
}

/// The credential in a default value or an example, and how sure that is.
fn judge(name: &str, text: &str) -> Option<(Hit, Confidence)> {
    let value = text.trim();
    let (scheme, token) = value.split_once(' ').unwrap_or(("", value));
    let what = "a credential";
    if is_authorization(name) && scheme.eq_ignore_ascii_case("sharedaccesssignature") {
        let hit = Hit::key(token, what, Confidence::Certain);
        return looks::is_literal(token).then_some((hit, Confidence::Certain));
    }
    let mut hits = find(text).into_iter();
    if let Some(hit) = hits.find(|h| looks::has_literal(h.value.expose())) {
        let confidence = hit.confidence;
        return Some((hit, confidence));
    }
    let known = is_key_header(name) || is_key_parameter(name) || is_authorization(name);
    let plain = looks::is_literal(value) && !looks::is_stand_in(value) && scheme.is_empty();
    let confidence = if known && looks::is_random(token) {
        Confidence::Certain
    } else if says_secret(name) && looks::is_password(value) {
        Confidence::Likely
    } else if is_key_header(name) && plain && value.len() >= MIN_KEY {
        Confidence::Possible
    } else {
        return None;
    };
    Some((Hit::key(token, what, confidence), confidence))
}
