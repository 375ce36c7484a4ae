//! The order of steps: by phase, and within it so that nothing comes before what it needs.

use std::collections::BTreeSet;

use crate::step::Step;

/// Sorts by phase and id, and moves a step behind those it needs. A need that no step answers is
/// already met.
pub(crate) fn ordered(mut steps: Vec<Step>) -> Vec<Step> {
    steps.sort_by(|a, b| (a.phase, &a.id).cmp(&(b.phase, &b.id)));
    let known: BTreeSet<String> = steps.iter().map(|s| s.id.clone()).collect();
    for step in &mut steps {
        step.needs.retain(|need| known.contains(need));
    }
    let mut placed = BTreeSet::new();
    let mut out = Vec::with_capacity(steps.len());
    while !steps.is_empty() {
        let ready = steps
            .iter()
            .position(|s| s.needs.iter().all(|n| placed.contains(n)));
        let step = steps.remove(ready.unwrap_or(0));
        placed.insert(step.id.clone());
        out.push(step);
    }
    out
}
