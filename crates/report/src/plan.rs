//! A plan: steps by phase, what is held up, and the sum of it.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::Replaced;
use keyless_plan::{Gate, Note, Op, Phase, Plan, Step, Undo, Waiting};

use crate::shown::pieces;
use crate::style::{Style, Tone, counted};

/// Lays a plan out for the terminal: by Access, and within it by phase. `unchanged` things are
/// counted and not listed; for a part of a plan they are none, since it speaks of nothing else.
pub fn plan(plan: &Plan, unchanged: usize, style: &Style) -> String {
    if plan.is_empty() && unchanged == 0 {
        return "No changes.\n".to_owned();
    }
    if plan.is_empty() {
        let same = counted(unchanged, "document", "documents");
        return format!("No changes: what is live is as the manifests want it ({same}).\n");
    }
    let mut out = String::new();
    for (name, steps, rows) in groups(plan) {
        out.push_str(&format!("{}\n", style.paint(Tone::Heading, title(name))));
        phases(&mut out, style, &steps, plan.inputs.rolls_back.is_some());
        held_up(&mut out, style, &rows);
        out.push('\n');
    }
    replaced(&mut out, plan);
    out.push_str(&style.wrapped(0, &sum(plan, unchanged)));
    out
}

/// Counts the plan: a line for each Access, and what is held up.
pub fn brief(plan: &Plan, unchanged: usize, style: &Style) -> String {
    let mut out = String::new();
    let groups = groups(plan);
    let titles = groups.iter().map(|(name, ..)| title(*name).chars().count());
    let column = titles.max().unwrap_or_default();
    for (name, steps, rows) in &groups {
        let mut parts: Vec<String> = Vec::new();
        for phase in Phase::ALL {
            let count = steps.iter().filter(|s| s.phase == phase).count();
            if count > 0 {
                parts.push(format!("{count} {}", phase.word()));
            }
        }
        let mut line = parts.join(", ");
        if !rows.is_empty() {
            let held = style.paint(Tone::Waiting, &format!("{} held up", rows.len()));
            line = match line.is_empty() {
                true => held,
                false => format!("{line}; {held}"),
            };
        }
        let title = style.paint(Tone::Heading, &format!("{:column$}", title(*name)));
        let beside = style.wrapped(column + 2, &line);
        out.push_str(&format!("{title}  {}", beside.trim_start()));
        let places: BTreeSet<&str> = rows.iter().map(|row| row.address.as_str()).collect();
        for place in places {
            out.push_str(&format!("{}? {place}\n", " ".repeat(column + 2)));
        }
    }
    out.push_str(&style.wrapped(0, &sum(plan, unchanged)));
    out
}

fn title(name: Option<&str>) -> &str {
    name.unwrap_or("for every Access")
}

/// What belongs to one Access, or to none.
type Group<'a> = (Option<&'a str>, Vec<&'a Step>, Vec<&'a Waiting>);

/// What no Access asks for comes first: the others stand on it.
fn groups(plan: &Plan) -> Vec<Group<'_>> {
    let steps = plan.steps.iter().map(|s| s.access.as_deref());
    let rows = plan.waiting.iter().map(|w| w.access.as_deref());
    let names: BTreeSet<Option<&str>> = steps.chain(rows).collect();
    let group = |name: Option<&'_ str>| {
        let steps = plan.steps.iter().filter(|s| s.access.as_deref() == name);
        let rows = plan.waiting.iter().filter(|w| w.access.as_deref() == name);
        (steps.collect(), rows.collect())
    };
    let mut out: Vec<Group<'_>> = names
        .into_iter()
        .map(|name| {
            let (steps, rows) = group(name);
            (name, steps, rows)
        })
        .collect();
    // What they stand on is taken back after them.
    if plan.inputs.rolls_back.is_some() {
        out.reverse();
    }
    out
}

/// The steps of one group under their phases, from the last to the first where a run is taken back. A
/// reason that stands above is not told again.
fn phases(out: &mut String, style: &Style, steps: &[&Step], back: bool) {
    let mut all = Phase::ALL;
    if back {
        all.reverse();
    }
    for phase in all {
        let mut reason = "";
        for (i, one) in steps.iter().filter(|s| s.phase == phase).enumerate() {
            if i == 0 {
                out.push_str(&format!("  {}\n", style.paint(Tone::Faint, phase.word())));
            }
            step(out, style, one, one.reason != reason);
            reason = &one.reason;
        }
    }
}

fn step(out: &mut String, style: &Style, step: &Step, with_reason: bool) {
    let (mark, tone) = mark(step);
    let mark = style.paint(tone, mark);
    out.push_str(&format!("  {mark} {}\n", step.address));
    if with_reason {
        out.push_str(&style.wrapped(6, &step.reason));
    }
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

pub(crate) fn mark(step: &Step) -> (&'static str, Tone) {
    match (&step.op, &step.undo) {
        (Op::Gate { .. }, _) => ("⧖", Tone::Waiting),
        (Op::TakeBack { .. }, _) => ("↩", Tone::Changed),
        (Op::Delete {} | Op::Unassign { .. }, _) => ("-", Tone::Removed),
        (Op::Sql { .. }, Undo::Never { .. }) => ("-", Tone::Removed),
        (Op::Put { expect: None, .. } | Op::Assign { .. }, _) => ("+", Tone::Added),
        (Op::Sql { .. }, _) if step.phase == Phase::Grant => ("+", Tone::Added),
        _ => ("~", Tone::Changed),
    }
}

pub(crate) fn waits_for(gate: &Gate) -> Option<String> {
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
            let (method, path) = (&request.method, &request.path);
            Some(match (&request.url, current) {
                (Some(url), _) => format!("sends {method} {url}"),
                (None, true) => format!("sends {method} {path} to the API"),
                (None, false) => format!("sends {method} {path} to a revision of its own"),
            })
        }
        Gate::Lockable { .. } | Gate::KeyVault { .. } => None,
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

fn held_up(out: &mut String, style: &Style, waiting: &[&Waiting]) {
    if waiting.is_empty() {
        return;
    }
    out.push_str(&format!("  {}\n", style.paint(Tone::Faint, "held up")));
    for row in waiting {
        out.push_str(&format!(
            "  {} {}\n",
            style.paint(Tone::Waiting, "?"),
            row.address
        ));
        out.push_str(&style.wrapped(6, &format!("to {}", row.what)));
        out.push_str(&style.wrapped(6, &format!("why: {}", row.why)));
        out.push_str(&style.wrapped(6, &format!("next: {}", row.next)));
    }
}

/// What was derived, as a manifest would list it: after a lost state only that is used.
fn replaced(out: &mut String, plan: &Plan) {
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
                Replaced::Backend(name) => format!("{{ backend: {name} }}"),
                Replaced::SqlLogin(name) => format!("{{ sqlLogin: {name} }}"),
                Replaced::SqlUser(name) => format!("{{ sqlUser: {name} }}"),
            })
            .collect();
        out.push_str(&format!("  {access}: replaces: [{}]\n", items.join(", ")));
    }
    out.push('\n');
}

/// `12 steps (2 cannot be undone), 3 gates`: the one way in which every command counts a plan.
pub fn size(plan: &Plan) -> String {
    let gates = plan.steps.iter().filter(|s| s.is_gate()).count();
    let never = plan.steps.iter().filter(|s| s.irreversible().is_some());
    let mut out = counted(plan.steps.len() - gates, "step", "steps");
    match never.count() {
        0 => {}
        never => out.push_str(&format!(" ({never} cannot be undone)")),
    }
    if gates > 0 {
        out.push_str(&format!(", {}", counted(gates, "gate", "gates")));
    }
    out
}

/// `Plan: 12 steps (2 cannot be undone), 3 gates, 1 held up; 4 documents unchanged.`
pub(crate) fn sum(plan: &Plan, unchanged: usize) -> String {
    let mut out = match plan.steps.is_empty() {
        true => "No changes".to_owned(),
        false => format!("Plan: {}", size(plan)),
    };
    if !plan.waiting.is_empty() {
        out.push_str(&format!(", {} held up", plan.waiting.len()));
    }
    if unchanged > 0 {
        let same = counted(unchanged, "document", "documents");
        out.push_str(&format!("; {same} unchanged"));
    }
    out.push_str(&format!(". Id {}\n", plan.short_id()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_stands_in_its_column_where_lines_are_short() {
        let step = |access: &str, phase: Phase| Step {
            id: format!("{}/{access}", phase.word()),
            phase,
            address: "apim:g/namedValue:x".parse().unwrap(),
            access: Some(access.into()),
            reason: String::new(),
            op: Op::Delete {},
            needs: BTreeSet::new(),
            undo: Undo::Delete,
            notes: vec![],
            shown: vec![],
        };
        let long = [Phase::Grant, Phase::Park, Phase::Switch].map(|p| step("a", p));
        let steps = [long.to_vec(), vec![step("orders-read", Phase::Grant)]];
        let plan = Plan {
            format: keyless_plan::FORMAT.into(),
            id: "0123".into(),
            tool: "t".into(),
            inputs: keyless_plan::Inputs::default(),
            roots: BTreeMap::new(),
            steps: steps.concat(),
            waiting: vec![],
        };
        let style = Style {
            color: false,
            width: 33,
        };
        let told = brief(&plan, 0, &style);
        let wanted = "a            1 grant, 1 park, 1\n             switch\norders-read  1 grant\n";
        assert_eq!(told, format!("{wanted}Plan: 4 steps. Id 0123\n"));
    }

    #[test]
    fn a_duration_is_told_in_its_largest_whole_unit() {
        assert_eq!(duration(604_800), "7 days");
        assert_eq!(duration(3_600), "1 hour");
        assert_eq!(duration(90), "90 seconds");
        assert_eq!(duration(0), "0 seconds");
    }
}
