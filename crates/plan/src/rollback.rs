//! The plan that takes back what another plan did: each of its steps inverted, the last first, up to
//! the point of no return.
//!
//! Invariant: a step is taken back only after everything that stands on it is; what stands under a
//! step that cannot be taken back stays. So the way in that is in use is never taken away.

use std::collections::{BTreeMap, BTreeSet};

use crate::file::{Inputs, Plan, Waiting};
use crate::step::{Line, Note, Op, Shown, Step, Undo};

/// Makes it from `plan`, of which the steps with the ids in `done` were carried out and stand. `state`
/// is the last record of the journal, `tool` the version of keyless.
///
/// What cannot be taken back stands in `waiting`. Steps that left nothing to take back are left out.
pub fn rollback(plan: &Plan, done: &BTreeSet<String>, tool: &str, state: u64) -> Plan {
    let standing = |s: &&Step| !s.is_gate() && done.contains(&s.id);
    let steps: Vec<&Step> = plan.steps.iter().filter(standing).collect();
    let above = above(plan);
    let never = |s: &&&Step| matches!(s.undo, Undo::Never { .. });
    let never: BTreeSet<&str> = steps.iter().filter(never).map(|s| s.id.as_str()).collect();
    let mut out: Vec<Step> = Vec::new();
    let mut waiting = Vec::new();
    for step in steps.iter().rev() {
        let on_it = above.get(step.id.as_str());
        let blocker = on_it.and_then(|all| all.iter().find(|id| never.contains(*id)));
        let why = match (&step.undo, blocker) {
            (Undo::Never { why }, _) => why.clone(),
            (Undo::Nothing { .. }, _) => continue,
            (_, Some(blocker)) => format!("{blocker} stands on it and cannot be taken back"),
            _ => {
                out.push(back(step, on_it));
                continue;
            }
        };
        waiting.push(row(step, why));
    }
    keep_to(&mut out);
    let inputs = Inputs {
        state,
        rolls_back: Some(plan.id.clone()),
        ..plan.inputs.clone()
    };
    Plan::sealed(tool, inputs, plan.roots.clone(), out, waiting)
}

/// The id under which a step is taken back.
pub fn back_id(step: &str) -> String {
    format!("back/{step}")
}

/// What stands on each step: those that need it, directly or through others.
fn above(plan: &Plan) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut out: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for step in plan.steps.iter().rev() {
        let mut all = out.get(step.id.as_str()).cloned().unwrap_or_default();
        all.insert(&step.id);
        for need in &step.needs {
            out.entry(need).or_default().extend(all.iter().copied());
        }
    }
    out
}

fn back(step: &Step, on_it: Option<&BTreeSet<&str>>) -> Step {
    let needs = on_it.into_iter().flatten().map(|id| back_id(id)).collect();
    Step {
        id: back_id(&step.id),
        phase: step.phase,
        address: step.address.clone(),
        access: step.access.clone(),
        reason: format!("takes back: {}", step.reason),
        op: Op::TakeBack {
            step: Box::new(step.clone()),
        },
        needs,
        undo: Undo::Nothing {
            why: "`keyless plan` brings it again".into(),
        },
        notes: vec![Note::TakenBack {
            notes: step.notes.clone(),
        }],
        shown: turned(step),
    }
}

/// Needs that no step answers are met: what they name left nothing to take back.
fn keep_to(steps: &mut [Step]) {
    let known: BTreeSet<String> = steps.iter().map(|s| s.id.clone()).collect();
    for step in steps {
        step.needs.retain(|need| known.contains(need));
    }
}

fn row(step: &Step, why: String) -> Waiting {
    Waiting {
        address: step.address.clone(),
        access: step.access.clone(),
        what: format!("take back: {}", step.reason),
        why,
        next: "leave it, or put it back by hand; `keyless plan` shows what is wanted".into(),
    }
}

/// What people see, the other way round.
fn turned(step: &Step) -> Vec<Shown> {
    if let Undo::Sql { statements } = &step.undo {
        let texts = statements.iter().map(|s| Shown::Sql { text: s.text() });
        return texts.collect();
    }
    step.shown.iter().filter_map(turned_piece).collect()
}

fn turned_piece(shown: &Shown) -> Option<Shown> {
    match shown.clone() {
        Shown::Field {
            path,
            before,
            after,
        } => Some(Shown::Field {
            path,
            before: after,
            after: before,
        }),
        Shown::Lines { title, lines } => Some(Shown::Lines {
            title,
            lines: turned_lines(lines),
        }),
        // A remark speaks of the way there.
        Shown::Sql { .. } | Shown::Remark { .. } => None,
    }
}

/// Added lines are removed, and stand before those that come again.
fn turned_lines(lines: Vec<Line>) -> Vec<Line> {
    let mut out = Vec::with_capacity(lines.len());
    for part in lines.chunk_by(|a, b| is_change(a) == is_change(b)) {
        let (added, rest): (Vec<&Line>, Vec<&Line>) = part.iter().partition(|l| l.mark == '+');
        out.extend(added.into_iter().chain(rest).cloned().map(|line| Line {
            mark: match line.mark {
                '+' => '-',
                '-' => '+',
                other => other,
            },
            ..line
        }));
    }
    out
}

fn is_change(line: &Line) -> bool {
    matches!(line.mark, '+' | '-')
}
