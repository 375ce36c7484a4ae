//! Auditing: what is to come leaves a trace from the first step on.

use std::collections::BTreeSet;

use keyless_model::Address;
use serde_json::{Value, json};

use crate::draft::{Draft, Input};
use crate::phase::Phase;
use crate::stages::arm::{Wanted, put};

/// The extended auditing settings of each server whose document has `auditing`.
pub(crate) fn auditing(input: Input, draft: &mut Draft) {
    for (name, server) in &input.desired.servers {
        let Some(properties) = &server.auditing else {
            continue;
        };
        let wanted = Wanted {
            phase: Phase::Observe,
            address: Address::server(name).part("auditing"),
            body: json!({ "properties": Value::Object(properties.clone()) }),
            value: None,
            reason: "the records show who still uses an old way in, and who changes what",
            needs: BTreeSet::new(),
        };
        put(input, draft, wanted);
    }
}
