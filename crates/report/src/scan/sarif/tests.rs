//! The log against the rules of the 2.1.0 schema for the objects that it has. The schema itself is
//! no part of the project; its required fields, types and closed lists are said here by hand.

use keyless_model::{Entity, FingerprintKey, Snapshot};

use super::*;

/// A gateway with a connection string, a password, an odd name, and a policy that does not parse.
pub(crate) fn snapshot() -> Snapshot {
    let mut out = Snapshot::default();
    let gateway = Address::gateway("contoso");
    let resolver = gateway.child("api", "orders;rev=2").child("resolver", "q");
    let text = "<sql-data-source><connection-info>\n<connection-string>Server=orders.database.windows.net;\
                Database=orders;Uid=app;Pwd=hunter22</connection-string></connection-info></sql-data-source>";
    put(&mut out, resolver.part("policy"), json!({ "value": text }));
    policy(&mut out, "a b|é @b");
    put(
        &mut out,
        gateway.part("policy"),
        json!({ "value": "<policies>@(" }),
    );
    let value = json!({ "displayName": "crm-password", "value": "hunter22" });
    put(&mut out, gateway.child("namedValue", "crm"), value);
    out
}

/// A policy of an API with this name, with a password in it.
pub(crate) fn policy(snapshot: &mut Snapshot, api: &str) {
    let text = "<policies><inbound><authentication-basic username=\"u\" password=\"hunter22\" />\
                </inbound></policies>";
    let address = Address::gateway("contoso").child("api", api).part("policy");
    put(snapshot, address, json!({ "value": text }));
}

fn put(snapshot: &mut Snapshot, address: Address, properties: Value) {
    let entity = Entity {
        id: String::new(),
        etag: None,
        body: json!({ "properties": properties }),
    };
    snapshot.entities.insert(address, entity);
}

fn log(desired: Option<&Desired>) -> Value {
    let snapshot = snapshot();
    let findings = keyless_scan::scan(&snapshot, &FingerprintKey::new([1; 32]));
    scan_sarif(&findings, &keyless_scan::unsearched(&snapshot), desired)
}

/// A field of an object: its name, whether it must be there, and what it must be.
type Field = (&'static str, bool, fn(&Value) -> bool);

/// The fields of an object of the schema, as far as keyless writes them. Those objects are closed
/// (`additionalProperties: false`), so a field that is not in the list is wrong.
fn fields(of: &str) -> &'static [Field] {
    match of {
        "log" => &[
            ("$schema", false, is_uri),
            ("version", true, |v| v == "2.1.0"),
            ("runs", true, |v| all("run", v)),
        ],
        "run" => &[
            ("tool", true, |v| check("tool", v)),
            ("columnKind", false, |v| {
                v == "unicodeCodePoints" || v == "utf16CodeUnits"
            }),
            ("invocations", false, |v| all("invocation", v)),
            ("results", false, |v| all("result", v)),
        ],
        "tool" => &[("driver", true, |v| check("toolComponent", v))],
        "toolComponent" => &[
            ("name", true, Value::is_string),
            ("version", false, Value::is_string),
            ("rules", false, |v| {
                all("reportingDescriptor", v) && distinct(v)
            }),
        ],
        "reportingDescriptor" => &[
            ("id", true, Value::is_string),
            ("shortDescription", false, |v| check("message", v)),
            ("fullDescription", false, |v| check("message", v)),
            ("help", false, |v| check("message", v)),
            ("helpUri", false, is_uri),
            ("defaultConfiguration", false, |v| check("configuration", v)),
            ("properties", false, Value::is_object),
        ],
        "configuration" => &[("level", false, is_level)],
        "message" => &[("text", true, Value::is_string)],
        "invocation" => &[
            ("executionSuccessful", true, Value::is_boolean),
            ("toolExecutionNotifications", false, |v| {
                all("notification", v)
            }),
        ],
        "notification" => &[
            ("level", false, is_level),
            ("message", true, |v| check("message", v)),
        ],
        "result" => &[
            ("ruleId", false, Value::is_string),
            ("ruleIndex", false, |v| v.as_i64().is_some_and(|i| i >= -1)),
            ("level", false, is_level),
            ("message", true, |v| check("message", v)),
            ("locations", false, |v| all("location", v)),
            ("partialFingerprints", false, |v| {
                v.as_object()
                    .is_some_and(|o| o.values().all(Value::is_string))
            }),
            ("properties", false, Value::is_object),
        ],
        "location" => &[
            ("physicalLocation", false, |v| check("physicalLocation", v)),
            ("logicalLocations", false, |v| {
                all("logicalLocation", v) && distinct(v)
            }),
        ],
        "physicalLocation" => &[
            ("artifactLocation", true, |v| check("artifactLocation", v)),
            ("region", false, |v| check("region", v)),
        ],
        "artifactLocation" => &[("uri", true, is_relative)],
        "region" => &[
            ("startLine", true, |v| v.as_i64().is_some_and(|n| n >= 1)),
            ("startColumn", false, |v| v.as_i64().is_some_and(|n| n >= 1)),
        ],
        "logicalLocation" => &[
            ("name", false, Value::is_string),
            ("fullyQualifiedName", false, Value::is_string),
        ],
        other => panic!("no object {other}"),
    }
}

fn check(of: &str, value: &Value) -> bool {
    let object = value.as_object().unwrap_or_else(|| panic!("{of}: {value}"));
    let fields = fields(of);
    for name in object.keys() {
        let known = fields.iter().any(|(field, ..)| field == name);
        assert!(known, "{of} has no {name}");
    }
    for (name, required, sound) in fields {
        match object.get(*name) {
            Some(value) => assert!(sound(value), "{of}.{name}: {value}"),
            None => assert!(!required, "{of} needs {name}: {value}"),
        }
    }
    true
}

fn all(of: &str, value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|items| items.iter().all(|i| check(of, i)))
}

fn distinct(value: &Value) -> bool {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .enumerate()
        .all(|(i, item)| !items[..i].contains(item))
}

fn is_level(value: &Value) -> bool {
    matches!(value.as_str(), Some("none" | "note" | "warning" | "error"))
}

fn is_uri(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|t| t.starts_with("https://") && !t.contains(' '))
}

/// A relative reference of RFC 3986.
fn is_relative(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let first = text.split('/').next().unwrap_or_default();
    let sound = |c: char| c.is_ascii_alphanumeric() || "-._~:@=;%/".contains(c);
    !text.is_empty() && !text.starts_with('/') && !first.contains(':') && text.chars().all(sound)
}

#[test]
fn the_log_keeps_to_the_schema() {
    let log = log(None);
    assert!(check("log", &log));
    assert_eq!(log["runs"][0]["results"].as_array().map(Vec::len), Some(3));
    let empty = scan_sarif(&[], &[], None);
    assert!(check("log", &empty));
    assert_eq!(empty["runs"][0]["results"], json!([]));
}

#[test]
fn a_result_names_its_rule_its_place_and_what_it_opens() {
    let log = log(None);
    let run = &log["runs"][0];
    let first = &run["results"][0];
    let index = first["ruleIndex"]
        .as_u64()
        .and_then(|i| usize::try_from(i).ok());
    let rule = &run["tool"]["driver"]["rules"][index.unwrap()];
    assert_eq!(
        (&first["ruleId"], &rule["id"]),
        (&json!("KL0401"), &json!("KL0401"))
    );
    let place = &first["locations"][0];
    assert_eq!(
        place["physicalLocation"],
        json!({
            "artifactLocation": { "uri": "azure/apim:contoso/api:orders;rev=2/resolver:q/policy" },
            "region": { "startLine": 2, "startColumn": 1 },
        })
    );
    let logical = &place["logicalLocations"][0];
    assert_eq!(logical["name"], "connection-string");
    let message = first["message"]["text"].as_str().unwrap();
    assert!(message.contains("opens orders.database.windows.net, database orders, as app"));
    assert!(!log.to_string().contains("hunter22"));
}

#[test]
fn what_could_not_be_searched_is_told() {
    let log = log(None);
    let notes = &log["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    let text = notes[0]["message"]["text"].as_str().unwrap();
    assert!(
        text.starts_with("apim:contoso/policy was not searched"),
        "{text}"
    );
}

#[test]
fn a_declared_thing_is_shown_where_it_is_declared() {
    let span = |file: &str, line| Span {
        file: file.into(),
        line,
        column: 1,
        ..Span::default()
    };
    let mut desired = Desired::default();
    let named = keyless_model::NamedValue {
        span: span("manifests/named values.yaml", 7),
        gateway: "contoso".into(),
        name: "crm".into(),
        properties: Map::new(),
        value_from: None,
    };
    desired.named_values.insert("crm".into(), named);
    let log = log(Some(&desired));
    assert!(check("log", &log));
    let results = log["runs"][0]["results"].as_array().unwrap();
    let places: Vec<&Value> = results
        .iter()
        .map(|r| &r["locations"][0]["physicalLocation"])
        .collect();
    let wanted = json!({
        "artifactLocation": { "uri": "manifests/named%20values.yaml" },
        "region": { "startLine": 7, "startColumn": 1 },
    });
    assert_eq!(
        places.iter().filter(|p| ***p == wanted).count(),
        1,
        "{places:?}"
    );
}

#[test]
fn the_fingerprint_of_a_finding_is_the_same_in_another_project() {
    let snapshot = snapshot();
    let prints = |key: u8| -> Vec<Value> {
        let findings = keyless_scan::scan(&snapshot, &FingerprintKey::new([key; 32]));
        let log = scan_sarif(&findings, &[], None);
        let results = log["runs"][0]["results"].as_array().unwrap();
        results
            .iter()
            .map(|r| r["partialFingerprints"].clone())
            .collect()
    };
    assert_eq!(prints(1), prints(2));
}
