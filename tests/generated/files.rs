//! The seed as text, and the manifests in several files and two spellings.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::generated::databases;
use crate::generated::sketch::Sketch;

/// The seed.
pub fn seed(sketch: &mut Sketch) -> String {
    let secret = sketch.secret();
    let (object, client) = (sketch.chance.guid(), sketch.chance.guid());
    let page = sketch.chance.between(1, 20);
    let gateway = format!(
        "{}/providers/Microsoft.ApiManagement/service/{}",
        sketch.group, sketch.service
    );
    let publisher = json!({
        "publisherName": "P", "publisherEmail": "a@b.example",
        "publicIPAddresses": [databases::OUTBOUND],
    });
    let sku = json!({ "name": "Developer", "capacity": 1 });
    let body = json!({ "location": "westeurope", "sku": sku, "properties": publisher });
    sketch
        .resources
        .push(json!({ "id": gateway, "body": body }));
    json!({
        "tenant": sketch.tenant,
        "operator": "robot",
        "settings": {
            "pageSize": page, "reformat": sketch.chance.once_in(2), "listRevisions": sketch.chance.once_in(2),
            "lroPolls": sketch.chance.between(1, 3),
        },
        "principals": [
            { "name": "dbas", "kind": "group", "objectId": sketch.admins },
            { "name": "robot", "kind": "application", "objectId": object, "clientId": client,
              "secret": secret, "groups": ["dbas"] },
        ],
        "roles": [{ "principal": "robot", "role": "Owner" }],
        "resources": sketch.resources,
        "services": sketch.services,
        "traffic": sketch.traffic,
        "sql": sketch.sql,
    })
    .to_string()
}

/// The variables of the environment.
pub fn environment(sketch: &Sketch) -> String {
    let (subscription, group) = parts(sketch);
    let mut out = "# of this estate\n".to_owned();
    write!(
        out,
        "azure:\n  subscription: {subscription}\n  group: {group}\n"
    )
    .unwrap();
    // A variable that no manifest uses is an error.
    let documents = Value::from(sketch.documents.clone()).to_string();
    if documents.contains("var.azure.admins") {
        writeln!(out, "  admins: {}", sketch.admins).unwrap();
    }
    if documents.contains("var.soak") {
        out.push_str("soak: 7d\n");
    }
    out
}

fn parts(sketch: &Sketch) -> (&str, &str) {
    let mut parts = sketch.group.split('/');
    (parts.nth(2).unwrap(), parts.nth(1).unwrap())
}

/// The manifests: the documents in any order, over some files, as blocks or as JSON.
pub fn manifests(sketch: &mut Sketch) -> Vec<(String, String)> {
    gateway(sketch);
    let (subscription, group) = parts(sketch);
    let plain = format!("/subscriptions/{subscription}/resourceGroups/{group}");
    let variables =
        "/subscriptions/${{ var.azure.subscription }}/resourceGroups/${{ var.azure.group }}";
    let documents = sketch.documents.clone();
    let documents = sketch.chance.shuffled(&documents);
    let count = sketch.chance.between(2, 4);
    let mut files = vec![String::new(); count];
    for (index, document) in documents.iter().enumerate() {
        let block = index % 3 != 0;
        let text = match block {
            true => blocks(document, 0),
            false => format!("{document:#}\n"),
        };
        let file = &mut files[index % count];
        write!(
            file,
            "---\n# document {index}\n{}",
            text.trim_start_matches('\n')
        )
        .unwrap();
    }
    let named = |(index, text): (usize, String)| {
        let text = text.replace(&plain, variables);
        (format!("part-{index}.yaml"), text)
    };
    files.into_iter().enumerate().map(named).collect()
}

fn gateway(sketch: &mut Sketch) {
    let name = sketch.gateway.clone();
    let id = format!(
        "{}/providers/Microsoft.ApiManagement/service/{}",
        sketch.group, sketch.service
    );
    let mut spec = json!({ "id": id });
    if !sketch.user_identities.is_empty() {
        spec["identity"] = json!({ "system": true, "user": sketch.user_identities });
    }
    sketch.document("Gateway", &name, spec);
}

/// A value as YAML blocks; scalars as JSON writes them.
fn blocks(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let line = |(key, value): (&String, &Value)| {
                format!("\n{indent}{key}: {}", blocks(value, depth + 1).trim_end())
            };
            fields.iter().map(line).collect::<String>() + "\n"
        }
        Value::Array(items) if items.iter().any(Value::is_string) => value.to_string(),
        Value::Array(items) => {
            let line = |item: &Value| format!("\n{indent}- {item}");
            items.iter().map(line).collect::<String>() + "\n"
        }
        other => other.to_string(),
    }
}
