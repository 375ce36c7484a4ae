//! A plan: steps by phase, what is held up, and the sum of it.

use keyless_plan::{Gate, Op, Phase, Plan, Step, Undo, Waiting};

use crate::shown::pieces;
use crate::style::{Style, Tone, counted};

/// Lays a plan out for the terminal.
pub fn plan(plan: &Plan, style: &Style) -> String {
    if plan.is_empty() {
        return "No changes: what is live is as the manifests want it.\n".to_owned();
    }
    let mut out = String::new();
    for phase in Phase::ALL {
        let steps: Vec<&Step> = plan.steps.iter().filter(|s| s.phase == phase).collect();
        if steps.is_empty() {
            continue;
        }
        out.push_str(&format!("{}\n", style.paint(Tone::Heading, phase.word())));
        for one in steps {
            step(&mut out, style, one);
        }
        out.push('\n');
    }
    held_up(&mut out, style, &plan.waiting);
    replaced(&mut out, plan);
    out.push_str(&sum(plan));
    out
}

fn step(out: &mut String, style: &Style, step: &Step) {
    let (mark, tone) = mark(step);
    let mark = style.paint(tone, mark);
    out.push_str(&format!("  {mark} {}\n", step.address));
    out.push_str(&style.wrapped(6, &step.reason));
    pieces(out, style, 6, &step.shown);
    if let Op::Gate { gate } = &step.op
        && let Some(text) = waits_for(gate)
    {
        out.push_str(&style.wrapped(6, &text));
    }
    if let Some(why) = step.irreversible() {
        let text = format!("cannot be undone: {why}");
        out.push_str(&format!("      {}\n", style.paint(Tone::Urgent, &text)));
    }
}

fn mark(step: &Step) -> (&'static str, Tone) {
    match (&step.op, &step.undo) {
        (Op::Gate { .. }, _) => ("⧖", Tone::Waiting),
        (Op::Delete {}, _) => ("-", Tone::Removed),
        (Op::Sql { .. }, Undo::Never { .. }) => ("-", Tone::Removed),
        (Op::Put { expect: None, .. }, _) => ("+", Tone::Added),
        (Op::Sql { .. }, _) if step.phase == Phase::Grant => ("+", Tone::Added),
        _ => ("~", Tone::Changed),
    }
}

fn waits_for(gate: &Gate) -> Option<String> {
    match gate {
        Gate::Approve { question } => Some(question.clone()),
        Gate::Soak {
            seconds,
            principals,
            ..
        } => {
            let names: Vec<&str> = principals.iter().map(|(_, name)| name.as_str()).collect();
            let who = if names.is_empty() {
                String::new()
            } else {
                format!(" without a login of {}", names.join(", "))
            };
            Some(format!("waits {}{who}", duration(*seconds)))
        }
        Gate::Effective { rights, .. } => {
            let rights: Vec<String> = rights
                .iter()
                .map(|(permission, on, column)| match column {
                    Some(column) => format!("{permission} on {on}({column})"),
                    None => format!("{permission} on {on}"),
                })
                .collect();
            Some(format!("exactly: {}", rights.join(", ")))
        }
        Gate::Canary {
            request, current, ..
        } => {
            let place = if *current {
                "the API"
            } else {
                "a revision of its own"
            };
            Some(format!(
                "sends {} {} to {place}",
                request.method, request.path
            ))
        }
        Gate::Lockable { .. } => None,
    }
}

/// Whole days, hours, minutes or seconds.
fn duration(seconds: i64) -> String {
    for (size, one, many) in [
        (86_400, "day", "days"),
        (3_600, "hour", "hours"),
        (60, "minute", "minutes"),
    ] {
        if seconds > 0 && seconds % size == 0 {
            return counted(usize::try_from(seconds / size).unwrap_or(0), one, many);
        }
    }
    counted(usize::try_from(seconds).unwrap_or(0), "second", "seconds")
}

fn held_up(out: &mut String, style: &Style, waiting: &[Waiting]) {
    if waiting.is_empty() {
        return;
    }
    out.push_str(&format!("{}\n", style.paint(Tone::Heading, "held up")));
    for row in waiting {
        out.push_str(&format!(
            "  {} {}\n",
            style.paint(Tone::Waiting, "?"),
            row.address
        ));
        let access = row
            .access
            .as_ref()
            .map(|a| format!(" ({a})"))
            .unwrap_or_default();
        out.push_str(&style.wrapped(6, &format!("to {}{access}", row.what)));
        out.push_str(&style.wrapped(6, &format!("why: {}", row.why)));
        out.push_str(&style.wrapped(6, &format!("next: {}", row.next)));
    }
    out.push('\n');
}

/// What was derived, as a manifest would list it: after a lost state only that is used.
fn replaced(out: &mut String, plan: &Plan) {
    use std::collections::{BTreeMap, BTreeSet};

    use keyless_model::Replaced;
    use keyless_plan::Note;

    let mut found: BTreeMap<&str, BTreeSet<&Replaced>> = BTreeMap::new();
    for note in plan.steps.iter().flat_map(|s| &s.notes) {
        if let Note::Replaces { access, item } = note {
            found.entry(access).or_default().insert(item);
        }
    }
    if found.is_empty() {
        return;
    }
    out.push_str("Derived, to keep in the Access if the state might be lost:\n");
    for (access, items) in found {
        let items: Vec<String> = items
            .into_iter()
            .map(|item| match item {
                Replaced::NamedValue(name) => format!("{{ namedValue: {name} }}"),
                Replaced::SqlLogin(name) => format!("{{ sqlLogin: {name} }}"),
                Replaced::SqlUser(name) => format!("{{ sqlUser: {name} }}"),
            })
            .collect();
        out.push_str(&format!("  {access}: replaces: [{}]\n", items.join(", ")));
    }
    out.push('\n');
}

fn sum(plan: &Plan) -> String {
    let gates = plan.steps.iter().filter(|s| s.is_gate()).count();
    let steps = plan.steps.len() - gates;
    let never = plan
        .steps
        .iter()
        .filter(|s| s.irreversible().is_some())
        .count();
    let mut out = format!("Plan: {}", counted(steps, "step", "steps"));
    if never > 0 {
        out.push_str(&format!(" ({never} cannot be undone)"));
    }
    if gates > 0 {
        out.push_str(&format!(", {}", counted(gates, "gate", "gates")));
    }
    if !plan.waiting.is_empty() {
        out.push_str(&format!(", {} held up", plan.waiting.len()));
    }
    out.push_str(&format!(". Id {}\n", plan.id.get(..12).unwrap_or(&plan.id)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_its_largest_whole_unit() {
        assert_eq!(duration(604_800), "7 days");
        assert_eq!(duration(3_600), "1 hour");
        assert_eq!(duration(90), "90 seconds");
        assert_eq!(duration(0), "0 seconds");
    }
}
