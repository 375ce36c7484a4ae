//! The JSON Schema of all kinds, from their descriptors.

use keyless_model::{Field, KINDS, Kind, Property, Shape};
use serde_json::{Map, Value, json};

use crate::envelope::API_VERSION;

const DOCUMENT_NAME: &str = "^[a-z0-9][a-z0-9-]{0,62}$";
/// As `check_azure_name` has it, but for the dots.
const AZURE_NAME: &str = "^[^/\\\\?#%:\\u0000-\\u001f\\u007f]{1,256}$";
/// A reference to a variable, alone or in a text.
const VARIABLE: &str = "\\$\\{\\{";
const GUID: &str = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$";

/// A JSON Schema (2020-12) of one document of any kind of this version. An editor that is given it
/// completes and checks manifests while they are written; `load` checks more than it can say.
pub fn schema() -> Value {
    let mut definitions: Map<String, Value> = KINDS
        .iter()
        .map(|kind| (kind.name.to_owned(), document(kind)))
        .collect();
    let about = "A variable of the environment: ${{ var.name }}.";
    let variable = json!({ "type": "string", "pattern": VARIABLE, "description": about });
    definitions.insert("variable".to_owned(), variable);
    let references: Vec<Value> = KINDS
        .iter()
        .map(|kind| json!({ "$ref": format!("#/$defs/{}", kind.name) }))
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "keyless manifests",
        "oneOf": references,
        "$defs": definitions,
    })
}

fn document(kind: &Kind) -> Value {
    let mut name = value(&Shape::Document(kind.name), &[]);
    name["description"] = "The document's name, unique for its kind.".into();
    json!({
        "type": "object",
        "description": kind.summary,
        "properties": {
            "apiVersion": { "const": API_VERSION },
            "kind": { "const": kind.name },
            "metadata": {
                "type": "object",
                "properties": { "name": name },
                "required": ["name"],
                "additionalProperties": false,
            },
            "spec": object(kind.spec, kind.fields),
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
    })
}

/// Fields of a later version are left out, so the schema refuses them.
fn object(properties: &[Property], fields: &[Field]) -> Value {
    let now = || {
        properties
            .iter()
            .filter(|p| !matches!(p.shape, Shape::Later(_)))
    };
    let required: Vec<&str> = now().filter(|p| p.required).map(|p| p.name).collect();
    let members: Map<String, Value> = now()
        .map(|p| (p.name.to_owned(), property(p, fields)))
        .collect();
    let mut schema = json!({
        "type": "object",
        "properties": members,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn property(property: &Property, fields: &[Field]) -> Value {
    let mut schema = match property.shape {
        Shape::Body => body(&format!("/{}/", property.name), fields),
        shape => value(&shape, fields),
    };
    schema["description"] = about(property).into();
    schema
}

fn about(property: &Property) -> String {
    match property.default {
        "" => property.about.to_owned(),
        default => format!("{} Default: {default}.", property.about),
    }
}

/// A value itself or, where a scalar stands, a variable.
fn value(shape: &Shape, fields: &[Field]) -> Value {
    let schema = plain(shape, fields);
    match shape {
        // Any text is one already; what is chosen from takes variables itself.
        Shape::Text | Shape::List(_) | Shape::Object(_) | Shape::Body | Shape::Either(_) => schema,
        _ => json!({ "anyOf": [schema, { "$ref": "#/$defs/variable" }] }),
    }
}

fn plain(shape: &Shape, fields: &[Field]) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Name => json!({ "type": "string", "pattern": AZURE_NAME }),
        Shape::Document(_) => json!({ "type": "string", "pattern": DOCUMENT_NAME }),
        Shape::Guid => json!({ "type": "string", "pattern": GUID }),
        Shape::Id(kind) => json!({ "type": "string", "pattern": id(kind) }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Integer { min, max } => {
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        Shape::Word(["true"]) => json!({ "const": true }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Duration => json!({ "type": "string", "pattern": "^[0-9]+[smhd]$" }),
        Shape::File => {
            json!({ "type": "string", "minLength": 1, "pattern": "^[^/\\\\:][^\\\\:]*$" })
        }
        Shape::List(item) => json!({ "type": "array", "items": value(item, fields) }),
        Shape::Object(properties) => object(properties, fields),
        Shape::Either(shapes) => {
            let now = shapes.iter().filter(|s| !only_later(s));
            json!({ "anyOf": now.map(|s| value(s, fields)).collect::<Vec<_>>() })
        }
        Shape::Body => json!({ "type": "object" }),
        Shape::Later(_) => json!({ "not": {} }),
    }
}

/// Whether nothing of this version can have the shape.
pub(crate) fn only_later(shape: &Shape) -> bool {
    match shape {
        Shape::Later(_) => true,
        Shape::Object(properties) => properties
            .iter()
            .any(|p| p.required && matches!(p.shape, Shape::Later(_))),
        _ => false,
    }
}

fn id(kind: &str) -> String {
    let (namespace, kind) = kind.split_once('/').unwrap_or((kind, ""));
    let namespace = namespace.replace('.', "\\.");
    format!("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/{namespace}/{kind}/[^/]+$")
}

/// ARM's own fields, as far as they are compared; `null` asks for absence.
fn body(prefix: &str, fields: &[Field]) -> Value {
    let mut members = Map::new();
    for rest in fields.iter().filter_map(|f| f.path.strip_prefix(prefix)) {
        let (name, inner) = rest.split_once('/').unwrap_or((rest, ""));
        let schema = match inner {
            "" => json!({}),
            _ => {
                let mut inner = body(&format!("{prefix}{name}/"), fields);
                inner["type"] = json!(["object", "null"]);
                inner
            }
        };
        members.insert(name.to_owned(), schema);
    }
    json!({ "type": "object", "properties": members, "additionalProperties": false })
}

#[cfg(test)]
mod tests;
