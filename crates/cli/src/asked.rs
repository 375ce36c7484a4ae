//! The gates and the irreversible steps of a plan that ask a person, and how each stands by the
//! journal.

use std::collections::{BTreeMap, BTreeSet};

use keyless_engine::{Record, What};
use keyless_model::Timestamp;
use keyless_plan::{Gate, Op, Plan, Step};
use serde_json::{Value, json};

/// A gate that asks, or may ask, a person, or an irreversible step that apply stopped before.
pub struct Asked {
    pub step: String,
    pub question: String,
    pub standing: Standing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It asks now.
    Waits,
    /// Apply has not come that far, or finds out by itself that it need not ask.
    Later,
    Approved {
        by: String,
        at: Timestamp,
    },
    /// It is open; by whose word, where a person gave one.
    Open {
        by: Option<String>,
        at: Timestamp,
    },
}

/// Every gate that may ask a person, and every irreversible step that does. A soak asks when its
/// evidence cannot be read, which only apply finds out.
pub fn asked(plan: &Plan, records: &[Record]) -> Vec<Asked> {
    let past = past(plan, records);
    let of = |step: &Step| {
        Some(Asked {
            step: step.id.clone(),
            question: question(step)?,
            standing: standing(plan, step, &past),
        })
    };
    let asks = |a: &Asked, step: &Step| step.is_gate() || a.standing.asks();
    let all = plan.steps.iter();
    all.filter_map(|step| of(step).filter(|a| asks(a, step)))
        .collect()
}

/// Whether the journal has every step of the plan as done.
pub fn finished(plan: &Plan, records: &[Record]) -> bool {
    let past = past(plan, records);
    let done = |step: &Step| past.get(step.id.as_str()).is_some_and(|p| p.done.is_some());
    plan.steps.iter().all(done)
}

impl Standing {
    /// Whether a person is asked now or has answered.
    fn asks(&self) -> bool {
        matches!(self, Self::Waits | Self::Approved { .. })
    }
}

impl Asked {
    pub fn json(&self) -> Value {
        let (standing, by, at) = match &self.standing {
            Standing::Waits => ("waits", None, None),
            Standing::Later => ("later", None, None),
            Standing::Approved { by, at } => ("approved", Some(by), Some(at)),
            Standing::Open { by, at } => ("open", by.as_ref(), Some(at)),
        };
        json!({
            "step": self.step,
            "question": self.question,
            "standing": standing,
            "by": by,
            "at": at,
        })
    }
}

/// The list for people: what waits for them first.
pub fn list(all: &[Asked]) -> String {
    let mut out = String::new();
    let mut part = |title: &str, mark: &str, wanted: &dyn Fn(&Standing) -> bool| {
        let mut these = all.iter().filter(|a| wanted(&a.standing)).peekable();
        if these.peek().is_some() {
            out += &format!("{title}\n");
        }
        for one in these {
            out += &format!("  {mark} {}\n      {}\n", one.step, told(one));
        }
    };
    part("wait for a person now", "⧖", &|s| *s == Standing::Waits);
    part("approved, for the next apply", "✓", &|s| {
        matches!(s, Standing::Approved { .. })
    });
    part("open", "✓", &|s| matches!(s, Standing::Open { .. }));
    part("may ask later, when apply comes to them", "·", &|s| {
        *s == Standing::Later
    });
    out
}

fn told(one: &Asked) -> String {
    match &one.standing {
        Standing::Waits | Standing::Later => one.question.clone(),
        Standing::Approved { by, at } | Standing::Open { by: Some(by), at } => {
            format!("approved by {by} at {at}")
        }
        Standing::Open { by: None, at } => format!("found open at {at}"),
    }
}

fn question(step: &Step) -> Option<String> {
    match &step.op {
        Op::Gate {
            gate: Gate::Approve { question },
        } => Some(question.clone()),
        Op::Gate {
            gate: Gate::Soak { principals, .. },
        } => {
            let names: Vec<&str> = principals.iter().map(|(_, name)| name.as_str()).collect();
            let who = match names.is_empty() {
                true => "the old credential".into(),
                false => names.join(", "),
            };
            Some(format!("Has nobody used {who} for the whole soak?"))
        }
        _ => step
            .irreversible()
            .map(|why| format!("May it be done for good? {why}")),
    }
}

/// What the journal says last of a step.
#[derive(Default)]
struct Past<'a> {
    done: Option<&'a Record>,
    approved: Option<&'a Record>,
    asks: bool,
}

fn past<'a>(plan: &Plan, records: &'a [Record]) -> BTreeMap<&'a str, Past<'a>> {
    let mut out: BTreeMap<&str, Past> = BTreeMap::new();
    for record in records.iter().filter(|r| r.plan == plan.id) {
        let past = out.entry(&record.step).or_default();
        match record.what {
            What::Done | What::Already => past.done = Some(record),
            What::Undoing | What::Undone => past.done = None,
            What::Approved => past.approved = Some(record),
            What::Waits => {
                past.asks = record.asks;
                if record.voids_approval() {
                    past.approved = None;
                }
            }
            _ => {}
        }
    }
    out
}

fn standing(plan: &Plan, step: &Step, past: &BTreeMap<&str, Past<'_>>) -> Standing {
    let mine = past.get(step.id.as_str());
    let approved = mine.and_then(|p| p.approved);
    if let Some(done) = mine.and_then(|p| p.done) {
        let (by, at) = (done.approver.clone(), approved.unwrap_or(done).at);
        return Standing::Open { by, at };
    }
    if let Some(record) = approved {
        let by = record.approver.clone().unwrap_or_default();
        return Standing::Approved { by, at: record.at };
    }
    let done: BTreeSet<&str> = past
        .iter()
        .filter(|(_, p)| p.done.is_some())
        .map(|(step, _)| *step)
        .collect();
    let needs_are_done = step
        .needs
        .iter()
        .all(|n| plan.step(n).is_none() || done.contains(n.as_str()));
    let asks = match &step.op {
        Op::Gate {
            gate: Gate::Approve { .. },
        } => needs_are_done,
        _ => needs_are_done && mine.is_some_and(|p| p.asks),
    };
    match asks {
        true => Standing::Waits,
        false => Standing::Later,
    }
}
