//! Advice on a manifest's `properties` from the generated models of the Azure SDK: a wrong type, a
//! misspelt field.
//!
//! Advisory only: the models lag the service, so a finding here is a hint and no error. A `null`
//! or an empty list says nothing about its field, since the models drop both. No message repeats a
//! value, which may be a credential.

use azure_mgmt_apimanagement::package_preview_2023_09::models as apim;
use azure_mgmt_sql::package_preview_2024_05::models as sql;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// What the models say about the `properties` of a document of `kind` (`NamedValue`, `Resolver`,
/// `Policy`, `SqlServer`), one sentence for each field; nothing for other kinds.
pub fn advise(kind: &str, properties: &Value) -> Vec<String> {
    let check: fn(Value) -> Result<Value, String> = match kind {
        "NamedValue" => through::<apim::NamedValueUpdateParameterProperties>,
        "Resolver" => through::<apim::ResolverUpdateContractProperties>,
        "Policy" => |mut value| {
            // The only field that the model insists on.
            if let Some(fields) = value.as_object_mut() {
                fields.entry("value").or_insert_with(|| json!(""));
            }
            through::<apim::PolicyContractProperties>(value)
        },
        "SqlServer" => through::<sql::ServerProperties>,
        _ => return Vec::new(),
    };
    let Some(fields) = properties.as_object() else {
        return vec!["properties must be an object".to_owned()];
    };
    fields
        .iter()
        .filter(|(_, value)| says_something(value))
        .flat_map(|f| one(f, check))
        .collect()
}

/// One field by itself, so that a wrong one does not hide the next.
fn one((name, value): (&String, &Value), check: fn(Value) -> Result<Value, String>) -> Vec<String> {
    let alone = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
    match check(alone) {
        Err(expected) => vec![format!("properties.{name}: {expected}")],
        Ok(kept) => {
            let mut lost = Vec::new();
            compare(value, kept.get(name), name, &mut lost);
            let say = |path| format!("properties.{path}: the service documents no such field");
            lost.into_iter().map(say).collect()
        }
    }
}

/// Through the model and back.
fn through<T: DeserializeOwned + Serialize>(value: Value) -> Result<Value, String> {
    let model: T = serde_json::from_value(value).map_err(|e| {
        let said = e.to_string();
        match said.split_once(", expected ") {
            Some((_, want)) => format!("expected {want}"),
            None => "not of the documented type".to_owned(),
        }
    })?;
    serde_json::to_value(model).map_err(|_| "not of the documented type".to_owned())
}

/// The paths of `given` that the model did not keep.
fn compare(given: &Value, kept: Option<&Value>, path: &str, lost: &mut Vec<String>) {
    let Some(kept) = kept else {
        if says_something(given) {
            lost.push(path.to_owned());
        }
        return;
    };
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => {
            for (name, value) in given {
                compare(value, kept.get(name), &format!("{path}.{name}"), lost);
            }
        }
        (Value::Array(given), Value::Array(kept)) => {
            for (index, (value, kept)) in given.iter().zip(kept).enumerate() {
                compare(value, Some(kept), &format!("{path}[{index}]"), lost);
            }
        }
        _ => {}
    }
}

/// Whether the models would keep it if they knew its field.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => fields.values().any(says_something),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right_draws_no_advice() {
        let named_value = json!({ "displayName": "partner-key", "secret": true, "tags": [],
            "keyVault": { "secretIdentifier": "https://kv/secrets/x", "identityClientId": null } });
        assert!(advise("NamedValue", &named_value).is_empty());
        let resolver = json!({ "displayName": "Query order", "path": "Query/order" });
        assert!(advise("Resolver", &resolver).is_empty());
        let policy = json!({ "format": "rawxml", "value": "<policies/>" });
        assert!(advise("Policy", &policy).is_empty());
        assert!(advise("Policy", &json!({ "format": "rawxml" })).is_empty());
        let server = json!({ "minimalTlsVersion": "1.2", "publicNetworkAccess": "Disabled" });
        assert!(advise("SqlServer", &server).is_empty());
        assert!(advise("Access", &json!({ "anything": 1 })).is_empty());
    }

    #[test]
    fn misspelt_fields_are_named_with_their_path() {
        let named_value = json!({ "displayname": "x", "keyVault": { "secretIdentifer": "y" } });
        assert_eq!(
            advise("NamedValue", &named_value),
            [
                "properties.displayname: the service documents no such field",
                "properties.keyVault.secretIdentifer: the service documents no such field",
            ]
        );
        assert_eq!(
            advise("SqlServer", &json!({ "minimumTlsVersion": "1.2" })).len(),
            1
        );
        assert_eq!(advise("Resolver", &json!({ "paths": "Query/x" })).len(), 1);
    }

    #[test]
    fn wrong_types_say_what_is_expected_and_not_what_is_there() {
        let found = advise(
            "NamedValue",
            &json!({ "secret": "hunter2", "displayName": 5 }),
        );
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found
                .iter()
                .all(|f| f.contains("expected") && !f.contains("hunter2"))
        );
        assert_eq!(
            advise("NamedValue", &json!("x")),
            ["properties must be an object"]
        );
    }
}
