//! Whether a live ARM body says what a manifest wants it to say: only the fields that the wanted
//! body names count, each in its canonical form.

use keyless_model::{Address, Field, Fingerprint, FingerprintKey, Form, kind};
use serde_json::{Map, Value};

/// The descriptor fields of the resource at an address.
fn fields(address: &Address) -> &'static [Field] {
    let name = match address.last() {
        ("apim", _) => "Gateway",
        ("sql", _) => "SqlServer",
        ("namedValue", _) => "NamedValue",
        ("resolver", _) => "Resolver",
        ("policy", _) => "Policy",
        _ => return ENTRA,
    };
    kind(name).map_or(&[], |k| k.fields)
}

/// The Entra administrator's ids are compared without case.
const ENTRA: &[Field] = &[
    folded("/properties/sid"),
    folded("/properties/tenantId"),
    folded("/properties/login"),
];

const fn folded(path: &'static str) -> Field {
    Field {
        path,
        form: Form::Folded,
        sensitive: false,
        severity: keyless_model::Severity::Critical,
        replace: false,
    }
}

/// Whether the field at `pointer` may be shown only as a fingerprint.
pub(crate) fn sensitive(address: &Address, pointer: &str) -> bool {
    fields(address)
        .iter()
        .any(|f| f.sensitive && f.path == pointer)
}

/// The part of `live` that `wanted` speaks of, in canonical form. A wanted `null` asks for
/// absence, and an absent field stands as `null`.
pub fn managed(address: &Address, live: &Value, wanted: &Value) -> Value {
    let live = restrict(live, wanted);
    canonical(address, "", &live)
}

/// Whether `live` says everything that `wanted` says.
pub fn covers(address: &Address, live: &Value, wanted: &Value) -> bool {
    managed(address, live, wanted) == managed(address, wanted, wanted)
}

/// The fingerprint of the managed part of `live`.
pub fn managed_fingerprint(
    key: &FingerprintKey,
    address: &Address,
    live: &Value,
    wanted: &Value,
) -> Fingerprint {
    key.of(&managed(address, live, wanted).to_string())
}

/// The fields of `live` that `wanted` names, as they are.
pub(crate) fn restricted(live: &Value, wanted: &Value) -> Value {
    restrict(live, wanted)
}

fn restrict(live: &Value, wanted: &Value) -> Value {
    match wanted {
        Value::Object(fields) => {
            let mut out = Map::new();
            for (name, inner) in fields {
                let part = live.get(name).unwrap_or(&Value::Null);
                out.insert(name.clone(), restrict(part, inner));
            }
            Value::Object(out)
        }
        _ => live.clone(),
    }
}

fn canonical(address: &Address, pointer: &str, value: &Value) -> Value {
    if pointer == "/properties/format" {
        return Value::Null;
    }
    let form = fields(address)
        .iter()
        .find(|f| f.path == pointer)
        .map(|f| f.form);
    match (value, form) {
        (Value::Object(fields), _) => {
            let mut out = Map::new();
            for (name, inner) in fields {
                out.insert(
                    name.clone(),
                    canonical(address, &format!("{pointer}/{name}"), inner),
                );
            }
            Value::Object(out)
        }
        (Value::String(text), Some(Form::Folded)) => Value::String(text.to_lowercase()),
        (Value::String(text), Some(Form::Policy)) => {
            let canonical = keyless_policy::canonical(text);
            Value::String(canonical.unwrap_or_else(|_| text.clone()))
        }
        (Value::String(text), Some(Form::Words)) => {
            let mut words: Vec<String> = text.split(',').map(|w| w.trim().to_lowercase()).collect();
            words.sort();
            Value::String(words.join(","))
        }
        (Value::Array(items), Some(Form::Set)) => {
            let mut items = items.clone();
            items.sort_by_key(|i| i.as_str().unwrap_or_default().to_lowercase());
            Value::Array(items)
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_wanted_counts() {
        let address = Address::gateway("g").child("namedValue", "n");
        let live = json!({"id": "x", "properties": {"displayName": "n", "tags": ["b", "A"], "secret": true}});
        assert!(!covers(
            &address,
            &live,
            &json!({"properties": {"tags": ["a", "B"]}})
        ));
        assert!(covers(
            &address,
            &live,
            &json!({"properties": {"tags": ["A", "b"]}})
        ));
        assert!(covers(
            &address,
            &live,
            &json!({"properties": {"value": null}})
        ));
        assert!(!covers(
            &address,
            &live,
            &json!({"properties": {"secret": null}})
        ));
        assert!(!covers(
            &address,
            &live,
            &json!({"properties": {"secret": false}})
        ));
    }

    #[test]
    fn a_policy_compares_by_meaning() {
        let address = Address::gateway("g").part("policy");
        let live = json!({"properties": {"value": "<policies>\r\n  <inbound />\r\n</policies>"}});
        let wanted =
            json!({"properties": {"format": "rawxml", "value": "<policies><inbound/></policies>"}});
        assert!(covers(&address, &live, &wanted));
    }
}
