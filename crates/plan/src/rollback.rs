//! The plan that takes back what another plan did: each of its steps inverted, the last first, up to
//! the point of no return.
//!
//! Invariant: a step is taken back only after everything that stands on it is; what stands under a
//! step that cannot be taken back stays. So the way in that is in use is never taken away.

use std::collections::{BTreeMap, BTreeSet};

use crate::file::{Inputs, Plan, Waiting};
use crate::phase::Phase;
use crate::step::{Line, Note, Op, Shown, Step, Undo};

/// What of a plan's steps stands, by the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Carried out by keyless and read back.
    pub ours: BTreeSet<String>,
    /// As wanted before keyless came.
    pub before: BTreeSet<String>,
    /// Nobody knows: sent and not read back, or half taken back.
    pub doubtful: BTreeSet<String>,
}

impl Remains {
    /// All of them, whoever carried them out.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.ours.iter().chain(&self.before).chain(&self.doubtful)
    }
}

/// Makes it from `plan`, of which so much stands. `state` is the last record of the journal, `tool`
/// the version of keyless.
///
/// What cannot be taken back stands in `waiting`. Steps that left nothing to take back are left out.
pub fn rollback(plan: &Plan, stands: &Remains, tool: &str, state: u64) -> Plan {
    let above = above(plan);
    let stays = stays(plan, stands);
    let mut out: Vec<Step> = Vec::new();
    let mut waiting = Vec::new();
    for step in plan.steps.iter().rev() {
        let on_it = on(step, &above, &out, &stays);
        match why_not(step, stands, &on_it, &stays) {
            Some(why) => waiting.push(row(step, why)),
            None if stands.ours.contains(&step.id) && left_something(step) => {
                out.push(back(step, &on_it));
            }
            None => {}
        }
    }
    keep_to(&mut out);
    let inputs = Inputs {
        state,
        rolls_back: Some(plan.id.clone()),
        ..plan.inputs.clone()
    };
    Plan::sealed(tool, inputs, plan.roots.clone(), out, waiting)
}

/// Whether a step leaves something that could be taken back, or not any more.
pub fn left_something(step: &Step) -> bool {
    !step.is_gate() && !matches!(step.undo, Undo::Nothing { .. })
}

/// The steps that stay: what cannot be taken back, what was so before, and what nobody knows.
fn stays<'a>(plan: &'a Plan, stands: &Remains) -> BTreeMap<&'a str, Phase> {
    let stays = |step: &&Step| {
        let never = stands.ours.contains(&step.id) && step.irreversible().is_some();
        let elsewhere = stands.before.contains(&step.id) || stands.doubtful.contains(&step.id);
        !step.is_gate() && (never || elsewhere)
    };
    let all = plan.steps.iter().filter(stays);
    all.map(|s| (s.id.as_str(), s.phase)).collect()
}

/// What stands on a step: what needs it. On what prepares a switch stands everything from the switch
/// on, for needs do not tell which calls use a user, a right or an opened firewall.
fn on(
    step: &Step,
    above: &BTreeMap<&str, BTreeSet<&str>>,
    out: &[Step],
    stays: &BTreeMap<&str, Phase>,
) -> BTreeSet<String> {
    let needing = above.get(step.id.as_str()).into_iter().flatten();
    let mut all: BTreeSet<String> = needing.map(|id| (*id).to_owned()).collect();
    if step.phase < Phase::Switch {
        let later = out.iter().filter(|s| s.phase >= Phase::Switch);
        all.extend(later.filter_map(|s| s.id.strip_prefix(BACK).map(str::to_owned)));
        let staying = stays.iter().filter(|(_, phase)| **phase >= Phase::Switch);
        all.extend(staying.map(|(id, _)| (*id).to_owned()));
    }
    all
}

/// Why a step that stands is not taken back, if people are to know.
fn why_not(
    step: &Step,
    stands: &Remains,
    on_it: &BTreeSet<String>,
    stays: &BTreeMap<&str, Phase>,
) -> Option<String> {
    if stands.doubtful.contains(&step.id) && !step.is_gate() {
        return Some("nobody knows how it ended: apply its plan again first".to_owned());
    }
    if !stands.ours.contains(&step.id) || !left_something(step) {
        return None;
    }
    if let Some(why) = step.irreversible() {
        return Some(why.to_owned());
    }
    let blocker = on_it.iter().find(|id| stays.contains_key(id.as_str()))?;
    Some(format!("{blocker} stands on it, and stays"))
}

const BACK: &str = "back/";

/// The id under which a step is taken back.
pub fn back_id(step: &str) -> String {
    format!("{BACK}{step}")
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

fn back(step: &Step, on_it: &BTreeSet<String>) -> Step {
    let needs = on_it.iter().map(|id| back_id(id)).collect();
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
    let mut out = inverse(step);
    if step.phase == Phase::Switch {
        let text = "nothing tries whether the old credential still works: one that was changed \
                    since serves nobody";
        out.push(Shown::Remark { text: text.into() });
    }
    out
}

fn inverse(step: &Step) -> Vec<Shown> {
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
