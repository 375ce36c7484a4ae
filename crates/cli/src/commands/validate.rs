//! `keyless validate`: the manifests, offline.

use keyless_report::counted;
use serde_json::json;

use crate::args::{Common, Format, ValidateArgs};
use crate::failure::Failure;
use crate::{output, project};

pub fn run(common: &Common, args: &ValidateArgs) -> Result<u8, Failure> {
    let loaded = project::try_load(common, &args.paths)?;
    let (documents, diagnostics) = match &loaded {
        Ok(project) => (project.documents, &[][..]),
        Err((diagnostics, _)) => (0, &diagnostics[..]),
    };
    if common.format == Format::Json {
        let rows: Vec<_> = diagnostics
            .iter()
            .map(|d| {
                let place = d.span.as_ref();
                json!({
                    "code": d.code,
                    "message": d.message,
                    "file": place.map(|s| &s.file),
                    "line": place.map(|s| s.line),
                    "column": place.map(|s| s.column),
                    "help": d.help,
                })
            })
            .collect();
        output::json(&json!({
            "format": "keyless.validate/1",
            "documents": documents,
            "diagnostics": rows,
        }));
    } else if let Err((diagnostics, sources)) = &loaded {
        project::show(common, diagnostics, sources);
    } else {
        let documents = counted(documents, "document is", "documents are");
        output::data(&format!("{documents} valid"));
    }
    let project = match loaded {
        Ok(project) => project,
        Err(_) => return Ok(1),
    };
    for advice in advice(&project.desired) {
        output::note(&format!("advice: {advice}"));
    }
    Ok(0)
}

/// What Azure's generated models say about raw properties. They lag behind the service, so it is
/// advice and no error.
fn advice(desired: &keyless_model::Desired) -> Vec<String> {
    let mut out = Vec::new();
    let mut ask =
        |name: &str, kind: &str, properties: &serde_json::Map<String, serde_json::Value>| {
            let value = serde_json::Value::Object(properties.clone());
            let found = keyless_azure::advise(kind, &value);
            out.extend(
                found
                    .into_iter()
                    .map(|advice| format!("{kind} {name}: {advice}")),
            );
        };
    for (name, document) in &desired.named_values {
        ask(name, "NamedValue", &document.properties);
    }
    for (name, document) in &desired.resolvers {
        ask(name, "Resolver", &document.properties);
    }
    out
}
