//! Looking at a plan and at findings.

use keyless_model::Severity;
use keyless_plan::{Class, Finding, Phase, Plan, Shown, Step};

pub fn ids(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|s| s.id.as_str()).collect()
}

pub fn step<'a>(plan: &'a Plan, id: &str) -> &'a Step {
    plan.step(id)
        .unwrap_or_else(|| panic!("no {id} in {:#?}, waiting {:#?}", ids(plan), plan.waiting))
}

pub fn in_phase(plan: &Plan, phase: Phase) -> Vec<&str> {
    let steps = plan.steps.iter().filter(|s| s.phase == phase);
    steps.map(|s| s.id.as_str()).collect()
}

/// The waiting rows as `address: what: why [next]`.
pub fn rows(plan: &Plan) -> Vec<String> {
    plan.waiting
        .iter()
        .map(|w| format!("{}: {}: {} [{}]", w.address, w.what, w.why, w.next))
        .collect()
}

pub fn has_row(plan: &Plan, parts: &[&str]) -> bool {
    rows(plan)
        .iter()
        .any(|row| parts.iter().all(|p| row.contains(p)))
}

#[track_caller]
pub fn waits(plan: &Plan, parts: &[&str]) {
    assert!(
        has_row(plan, parts),
        "no row with {parts:?} in {:#?}",
        rows(plan)
    );
}

/// Whether the step with the first id comes after all the others, and because it needs them.
#[track_caller]
pub fn needs(plan: &Plan, id: &str, others: &[&str]) {
    let step = step(plan, id);
    for other in others {
        assert!(plan.step(other).is_some(), "no {other} in {:#?}", ids(plan));
        assert!(
            step.needs.contains(*other),
            "{id} needs only {:#?}",
            step.needs
        );
    }
}

pub fn remarks(step: &Step) -> Vec<&str> {
    let texts = step.shown.iter().filter_map(|s| match s {
        Shown::Remark { text } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// The class and severity of what is told of an address.
#[track_caller]
pub fn told(findings: &[Finding], address: &str) -> (Class, Severity) {
    let mut here = findings.iter().filter(|f| f.address.as_str() == address);
    let found = here
        .next()
        .unwrap_or_else(|| panic!("nothing of {address} in {findings:#?}"));
    (found.class, found.severity)
}
