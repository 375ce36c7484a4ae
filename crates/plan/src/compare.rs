//! Whether a live ARM body says what a manifest wants it to say: only the fields that the wanted
//! body names count, each in its canonical form.

use keyless_model::{Address, Field, Fingerprint, FingerprintKey, Form, Severity, kind};
use serde_json::{Map, Value};

/// The descriptor fields of the resource at an address.
fn fields(address: &Address) -> &'static [Field] {
    let name = match address.last() {
        ("apim", _) => "Gateway",
        ("sql", _) => "SqlServer",
        ("namedValue", _) => "NamedValue",
        ("resolver", _) => "Resolver",
        ("policy", _) => "Policy",
        ("policyFragment", _) => "PolicyFragment",
        ("backend", _) => "Backend",
        ("api", _) => "Api",
        ("operation", _) => "Operation",
        ("product", _) => "Product",
        ("firewallRule", _) => "FirewallRule",
        ("auditing", _) => return AUDITING,
        _ => return ENTRA,
    };
    kind(name).map_or(&[], |k| k.fields)
}

/// Extended auditing settings (azure-facts C.5): the service gives the groups back in an order of
/// its own.
const AUDITING: &[Field] = &[
    Field {
        path: "/properties/auditActionsAndGroups",
        form: Form::Set,
        sensitive: false,
        severity: Severity::High,
        replace: false,
    },
    Field {
        path: "/properties/storageAccountAccessKey",
        form: Form::Exact,
        sensitive: true,
        severity: Severity::High,
        replace: false,
    },
    folded("/properties/state"),
];

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
        severity: Severity::Critical,
        replace: false,
    }
}

/// Whether the value at `pointer` may be shown only as a fingerprint: it is a sensitive field, or a
/// part or the whole of one.
pub(crate) fn sensitive(address: &Address, pointer: &str) -> bool {
    fields(address)
        .iter()
        .any(|f| f.sensitive && (at_or_below(pointer, f.path) || at_or_below(f.path, pointer)))
}

/// How much it matters that the field at `pointer` is other than declared.
pub(crate) fn severity(address: &Address, pointer: &str) -> Severity {
    let about = |f: &&Field| at_or_below(pointer, f.path) || at_or_below(f.path, pointer);
    let known = fields(address).iter().filter(about).map(|f| f.severity);
    known.max().unwrap_or(Severity::Warning)
}

fn at_or_below(pointer: &str, path: &str) -> bool {
    let rest = pointer.strip_prefix(path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
        // An empty object asks for presence, as an id does among the identities of a service.
        Value::Object(fields) if fields.is_empty() && live.is_null() => Value::Null,
        Value::Object(fields) => {
            let mut out = Map::new();
            for (name, inner) in fields {
                out.insert(name.clone(), restrict(field(live, name), inner));
            }
            Value::Object(out)
        }
        Value::Null if is_hollow(live) => Value::Null,
        _ => live.clone(),
    }
}

/// Whether an object says nothing: to the services it is the same as none.
fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_hollow),
        _ => false,
    }
}

/// The field of this name. Where ids are names, Azure spells them as it likes.
fn field<'a>(live: &'a Value, name: &str) -> &'a Value {
    let same = |fields: &'a Map<String, Value>| {
        let mut all = fields.iter();
        all.find(|(own, _)| name.starts_with('/') && own.eq_ignore_ascii_case(name))
    };
    let exact = live.get(name);
    let found = exact.or_else(|| live.as_object().and_then(same).map(|(_, value)| value));
    found.unwrap_or(&Value::Null)
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
    fn an_object_that_says_nothing_is_as_good_as_absent() {
        let backend = Address::gateway("g").child("backend", "b");
        let wanted = json!({"properties": {"credentials": null}});
        let live = |credentials: Value| json!({"properties": {"credentials": credentials}});
        assert!(covers(
            &backend,
            &live(json!({"header": {}, "query": null})),
            &wanted
        ));
        assert!(!covers(
            &backend,
            &live(json!({"header": {"x": []}})),
            &wanted
        ));
    }

    #[test]
    fn an_identity_is_there_or_not_however_its_id_is_spelled() {
        let gateway = Address::gateway("g");
        let of = |ids: &[&str]| {
            let ids: Map<String, Value> = ids.iter().map(|id| ((*id).into(), json!({}))).collect();
            json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": ids}})
        };
        let live = of(&["/subscriptions/1/resourcegroups/rg/mi-a"]);
        let same = of(&["/subscriptions/1/resourceGroups/rg/mi-a"]);
        let more = of(&[
            "/subscriptions/1/resourceGroups/rg/mi-a",
            "/subscriptions/1/mi-b",
        ]);
        assert!(covers(&gateway, &live, &same));
        assert!(!covers(&gateway, &live, &more));
    }

    #[test]
    fn the_groups_of_auditing_have_no_order() {
        let auditing = Address::server("s").part("auditing");
        let of = |state: &str, groups: &[&str]| json!({"properties": {"state": state, "auditActionsAndGroups": groups}});
        assert!(covers(
            &auditing,
            &of("Enabled", &["B", "A"]),
            &of("Enabled", &["A", "B"])
        ));
        assert!(!covers(
            &auditing,
            &of("Enabled", &["B"]),
            &of("Enabled", &["A", "B"])
        ));
        assert!(!covers(
            &auditing,
            &of("Disabled", &["A"]),
            &of("Enabled", &["A"])
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
