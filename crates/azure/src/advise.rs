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

/// What the models say about the `properties` of a document of `kind` (the name of a manifest kind,
/// or `Auditing` for a server's extended auditing settings), one sentence for each field; nothing
/// for kinds without raw properties.
pub fn advise(kind: &str, properties: &Value) -> Vec<String> {
    let check: fn(Value) -> Result<Value, String> = match kind {
        "NamedValue" => through::<apim::NamedValueUpdateParameterProperties>,
        "Resolver" => through::<apim::ResolverUpdateContractProperties>,
        "Policy" => |value| through::<apim::PolicyContractProperties>(with(value, "value", "")),
        "PolicyFragment" => {
            |value| through::<apim::PolicyFragmentContractProperties>(with(value, "value", ""))
        }
        "Api" => through::<apim::ApiContractUpdateProperties>,
        "Operation" => through::<apim::OperationUpdateContractProperties>,
        "Product" => through::<apim::ProductUpdateProperties>,
        "Backend" => backend,
        "SqlServer" => through::<sql::ServerProperties>,
        "FirewallRule" => through::<sql::ServerFirewallRuleProperties>,
        // A state is the only field that the model insists on.
        "Auditing" => |value| {
            through::<sql::ExtendedServerBlobAuditingPolicyProperties>(with(
                value, "state", "Enabled",
            ))
        },
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

/// `value` with the field that its model insists on and the manifest may leave out.
fn with(mut value: Value, field: &str, text: &str) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.entry(field).or_insert_with(|| json!(text));
    }
    value
}

/// The newest model that there is does not know `credentials.managedIdentity` yet
/// (azure-facts B.3).
fn backend(value: Value) -> Result<Value, String> {
    let mut kept = through::<apim::BackendUpdateParameterProperties>(value.clone())?;
    if let Some(identity) = value.pointer("/credentials/managedIdentity") {
        kept["credentials"]["managedIdentity"] = identity.clone();
    }
    Ok(kept)
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
        let backend = json!({ "url": "https://orders.example", "protocol": "http",
            "credentials": { "header": { "x-key": ["{{k}}"] }, "query": {},
                "managedIdentity": { "resource": "https://orders.example" } } });
        assert_eq!(advise("Backend", &backend), [""; 0]);
        let operation = json!({ "method": "GET", "urlTemplate": "/x", "displayName": "Get" });
        assert_eq!(advise("Operation", &operation), [""; 0]);
        let product = json!({ "displayName": "Gold", "subscriptionRequired": true });
        assert_eq!(advise("Product", &product), [""; 0]);
        let api = json!({ "serviceUrl": "https://orders.example", "subscriptionRequired": true });
        assert_eq!(advise("Api", &api), [""; 0]);
        let rule = json!({ "startIpAddress": "10.0.0.1", "endIpAddress": "10.0.0.9" });
        assert_eq!(advise("FirewallRule", &rule), [""; 0]);
        let auditing = json!({ "isAzureMonitorTargetEnabled": true, "retentionDays": 7 });
        assert_eq!(advise("Auditing", &auditing), [""; 0]);
        assert!(advise("PolicyFragment", &json!({ "description": "d" })).is_empty());
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
        assert_eq!(advise("Product", &json!({ "displayname": "x" })).len(), 1);
        assert_eq!(advise("Api", &json!({ "serviceURL": "x" })).len(), 1);
        let backend = json!({ "credentials": { "headers": { "x-key": ["k"] } } });
        assert_eq!(
            advise("Backend", &backend),
            ["properties.credentials.headers: the service documents no such field"]
        );
        assert_eq!(advise("FirewallRule", &json!({ "start": "x" })).len(), 1);
        assert_eq!(advise("Auditing", &json!({ "enabled": true })).len(), 1);
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
