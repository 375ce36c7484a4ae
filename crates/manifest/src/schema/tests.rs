//! The schema against the loader, by a small reading of JSON Schema of our own.

use super::*;
use crate::place::Places;
use crate::{ReadError, Source};

#[test]
fn every_kind_and_property_is_there_and_nothing_of_a_later_version() {
    let schema = schema();
    for kind in KINDS {
        let spec = &schema["$defs"][kind.name]["properties"]["spec"];
        assert_eq!(spec["additionalProperties"], false, "{}", kind.name);
        for property in kind.spec {
            let later = matches!(property.shape, Shape::Later(_));
            let there = spec["properties"].get(property.name).is_some();
            assert_eq!(there, !later, "{} {}", kind.name, property.name);
        }
    }
    let vault = "/$defs/NamedValue/properties/spec/properties/properties/properties/keyVault";
    let vault = schema.pointer(vault).unwrap();
    assert!(
        vault["properties"].get("secretIdentifier").is_some(),
        "{vault}"
    );
    assert!(!schema.to_string().contains("\"not\""));
}

/// Checks a value against the words of JSON Schema that `schema()` uses; patterns are left to the
/// loader, which says more, but for that of a variable.
fn fits(value: &Value, schema: &Value, root: &Value) -> bool {
    let all = |key: &str| schema.get(key).and_then(Value::as_array);
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return fits(value, root.pointer(&reference[1..]).unwrap(), root);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let typed = match schema.get("type") {
        Some(Value::String(t)) => t == kind,
        Some(Value::Array(types)) => types.iter().any(|t| t == kind),
        _ => true,
    };
    let none = serde_json::Map::new();
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    let members = value.as_object().unwrap_or(&none);
    let member = |(key, value): (&String, &Value)| match properties.get(key) {
        Some(schema) => fits(value, schema, root),
        None => !closed,
    };
    let items = schema.get("items");
    let variable = schema.get("pattern") != Some(&VARIABLE.into())
        || value.as_str().is_some_and(|t| t.contains("${{"));
    typed
        && variable
        && schema.get("const").is_none_or(|c| c == value)
        && all("enum").is_none_or(|words| words.contains(value))
        && all("oneOf").is_none_or(|s| s.iter().filter(|s| fits(value, s, root)).count() == 1)
        && all("anyOf").is_none_or(|s| s.iter().any(|s| fits(value, s, root)))
        && all("required")
            .is_none_or(|r| r.iter().all(|k| value.get(k.as_str().unwrap()).is_some()))
        && members.iter().all(member)
        && value.as_array().is_none_or(|list| {
            list.iter()
                .all(|v| items.is_none_or(|schema| fits(v, schema, root)))
        })
}

/// The first document of a text, as JSON.
fn parsed(text: &str) -> Value {
    let mut found = Vec::new();
    let file = crate::node::read(&Places::new("a.yaml", text), text, &mut found);
    assert_eq!(found, []);
    crate::build::json(&file.documents[0]).unwrap()
}

/// Whether a document loads beside the examples.
fn loads(text: &str) -> bool {
    let source = |path: &str, text: &str| Source {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let mut sources: Vec<Source> = KINDS.iter().map(|k| source(k.name, k.example)).collect();
    sources.push(source("b.json", text));
    crate::load(
        &sources,
        &|_| Err(ReadError::Missing),
        &crate::Environment::default(),
    )
    .is_ok()
}

#[test]
fn the_examples_fit_the_schema() {
    for kind in KINDS {
        assert!(
            fits(&parsed(kind.example), &schema(), &schema()),
            "{}",
            kind.name
        );
    }
}

#[test]
fn the_schema_takes_what_loads_and_refuses_what_does_not() {
    let good = r#"{"apiVersion":"keyless.dev/v1alpha1","kind":"Access","metadata":{"name":"b"},
        "spec":{"from":{"gateway":"contoso","apis":[{"name":"orders","resolvers":"*"}]},
        "identity":"system","to":{"server":"orders-sql","database":"orders"},"role":"reader",
        "replaces":[{"namedValue":"x"}],"retire":{"after":"7d","drop":true}}}"#;
    assert!(loads(good));
    assert!(fits(&parsed(good), &schema(), &schema()));
    let variable = good.replace("true", "\"${{ var.drop }}\"");
    assert!(fits(&parsed(&variable), &schema(), &schema()));
    for (from, to) in [
        ("\"drop\":true", "\"drop\":\"yes\""),
        ("\"drop\"", "\"dorp\""),
        ("\"database\":\"orders\"", "\"database\":[\"orders\"]"),
        ("\"reader\"", "\"king\""),
        ("\"Access\"", "\"Widget\""),
        ("v1alpha1", "v2"),
        ("\"identity\":\"system\"", "\"identity\":{\"user\":7}"),
        ("\"identity\"", "\"expires\":\"2027-01-01\",\"identity\""),
        ("[{\"namedValue\":\"x\"}]", "\"derived\""),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good, "{from}");
        assert!(!fits(&parsed(&bad), &schema(), &schema()), "{to}");
        assert!(!loads(&bad), "{to}");
    }
}
