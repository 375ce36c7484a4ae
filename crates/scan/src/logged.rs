//! The rule for headers that the gateway writes to its logs though they carry credentials
//! (azure-facts B.5 row 32). Azure REST, diagnostics: `headers` lists what is logged, `dataMasking`
//! what of it is masked or hidden.

use keyless_model::{Address, Entity, Severity};
use serde_json::Value;

use crate::finding::Finding;
use crate::names::{folded, is_authorization, is_key_header};

const MESSAGES: [(&str, &str); 4] = [
    ("frontend/request", "of callers"),
    ("frontend/response", "of answers to callers"),
    ("backend/request", "to the service behind"),
    ("backend/response", "of answers of the service behind"),
];

/// Each header with a credential that one diagnostic logs as it is.
pub(crate) fn findings(address: &Address, entity: &Entity) -> Vec<Finding> {
    let mut out = Vec::new();
    for (message, whose) in MESSAGES {
        let pointer = format!("/properties/{message}");
        let Some(settings) = entity.body.pointer(&pointer) else {
            continue;
        };
        for (i, header) in names(&settings["headers"]).enumerate() {
            if carries(header) && !is_masked(settings, header) {
                let what = format!("the header {header} {whose} is written to the log as it is");
                out.push(Finding {
                    place: format!("{pointer}/headers/{i}"),
                    severity: Severity::Warning,
                    replacement: "leave the header out of `headers`, or mask it in `dataMasking`; \
                                  what was logged already works as long as it is valid"
                        .into(),
                    ..Finding::new("KL0430", address, what)
                });
            }
        }
    }
    out
}

/// The texts of a list; something else holds its place.
fn names(list: &Value) -> impl Iterator<Item = &str> {
    let items = list.as_array().into_iter().flatten();
    items.map(|name| name.as_str().unwrap_or_default())
}

fn carries(header: &str) -> bool {
    let cookie = matches!(folded(header).as_str(), "cookie" | "set-cookie");
    cookie || is_authorization(header) || is_key_header(header)
}

fn is_masked(settings: &Value, header: &str) -> bool {
    let masks = settings.pointer("/dataMasking/headers");
    let mut masks = masks.and_then(Value::as_array).into_iter().flatten();
    let modes = ["mask", "hide"];
    masks.any(|mask| {
        let field = |name: &str| mask[name].as_str().map(folded).unwrap_or_default();
        field("value") == folded(header) && modes.contains(&field("mode").as_str())
    })
}
