//! Accesses to HTTP services, one idea a test; what holds for every estate is in
//! `http_properties.rs`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod backends;
mod callers;
mod declared;
mod deep;
#[path = "../estate/mod.rs"]
mod estate;
mod held_up;
mod policies;
mod requests;
mod turned;

use std::collections::BTreeSet;

use estate::http::{AUDIENCE, Services, inbound, key_header, request, sections, sends, token, url};
use estate::look::{ids, rows, step, waits};
use estate::world::run_some;
use estate::{Estate, entity, guid};
use keyless_model::{
    Address, Canary, Identity, ManagedIdentity, Policy, PolicyScope, ProbeRequest, Selection,
    Severity, Span,
};
use keyless_plan::{Class, Gate, Op, Phase, Plan, Undo};
use serde_json::json;

const KEY: &str = "Zq8kLm2fPvr9Xn4tYb7WcJd1mHs6Ge5Ua3QoTiEy";

fn none_switches(plan: &Plan) {
    let switches = plan.steps.iter().filter(|s| s.phase >= Phase::Park);
    let switches: Vec<&str> = switches.map(|s| s.id.as_str()).collect();
    assert_eq!(switches, [""; 0]);
}

/// The services of the tests: one takes the key, and tokens.
fn services() -> Services {
    let mut out = Services::default();
    out.takes("orders", AUDIENCE, KEY);
    out
}

/// One API that sends the key in a header of its policy.
fn with_policy(text: &str) -> Estate {
    let mut e = Estate::web();
    e.http_api("orders", &url("orders"), Some(text));
    e.http_access("orders", &["orders"], &url("orders"));
    e
}

fn api_policy(api: &str) -> Address {
    Address::gateway("g").child("api", api).part("policy")
}

/// Runs the plan, step by step: no call that was answered may be refused; then nothing is left to
/// plan, and nothing sends a key.
fn runs_clean(e: &mut Estate) -> Plan {
    let services = services();
    let before = services.answered(e);
    assert!(!before.is_empty());
    let first = e.plan();
    for round in 0..4 {
        let plan = e.plan();
        assert!(!plan.to_json().contains(KEY));
        if plan.is_empty() {
            break;
        }
        assert!(round < 3, "{:#?}", ids(&plan));
        for step in &plan.steps {
            e.run(step);
            for call in &before {
                let why = services.refuse(e, call);
                assert_eq!(why, None, "after {}: {call:?}", step.id);
            }
        }
    }
    assert_eq!(services.with_keys(e), []);
    assert_eq!(rows(&e.plan()), [""; 0]);
    first
}
