//! How far a plan has come, from the journal alone.
//!
//! Invariant: a record that cannot follow those before it is an error, not a guess.

use std::collections::BTreeMap;

use keyless_plan::{Plan, Step};

use crate::error::EngineError;
use crate::record::{Record, What};

/// Refuses a plan that has begun and that another one has overtaken: what its records say of live
/// may not be so any more. A plan without a record looks at everything itself; but one that takes a
/// run back was made of what the journal said by then, and nothing may have happened since.
pub(crate) fn not_overtaken(plan: &Plan, records: &[Record]) -> Result<(), EngineError> {
    let last = records.iter().rposition(|r| r.plan == plan.id);
    let since = match last {
        Some(last) => &records[last + 1..],
        None if plan.inputs.rolls_back.is_some() => {
            let known = records.partition_point(|r| r.seq <= plan.inputs.state);
            &records[known..]
        }
        None => return Ok(()),
    };
    // What another plan found done changes nothing for a plan that looks at live itself.
    let back = plan.inputs.rolls_back.is_some();
    let acted = |r: &&Record| r.what.acts() && (back || r.what != What::Already);
    match since.iter().rfind(acted) {
        None => Ok(()),
        Some(other) => Err(EngineError::Overtaken {
            plan: plan.id.clone(),
            by: other.plan.clone(),
        }),
    }
}

/// What the journal knows of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    pub done: bool,
    /// Done before keyless did anything.
    pub already: bool,
    /// The state holds its notes.
    pub learned: bool,
    /// A write of this plan may stand in live, though it was never read back.
    pub ours: bool,
    /// A request may be under way that takes the step back.
    pub undoing: bool,
    /// The gate waits for a person.
    pub asks: bool,
    pub approved: Option<String>,
}

/// The steps of one plan that the journal speaks of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    plan: String,
    steps: BTreeMap<String, Past>,
}

impl Progress {
    pub fn of(plan: &str, records: &[Record]) -> Result<Self, EngineError> {
        let mut progress = Self {
            plan: plan.to_owned(),
            steps: BTreeMap::new(),
        };
        for record in records {
            progress.fold(record)?;
        }
        Ok(progress)
    }

    pub fn step(&self, id: &str) -> Past {
        self.steps.get(id).cloned().unwrap_or_default()
    }

    pub fn done(&self, id: &str) -> bool {
        self.steps.get(id).is_some_and(|p| p.done)
    }

    /// A step of `plan` that `step` needs and that is not done.
    pub fn open_need<'a>(&self, plan: &Plan, step: &'a Step) -> Option<&'a str> {
        let open = |need: &&String| plan.step(need).is_some() && !self.done(need);
        step.needs.iter().find(open).map(String::as_str)
    }

    pub fn fold(&mut self, record: &Record) -> Result<(), EngineError> {
        if record.plan != self.plan {
            return Ok(());
        }
        let past = self.steps.entry(record.step.clone()).or_default();
        if !past.allows(record.what) {
            let what = format!("“{:?}” cannot follow what it says of the step", record.what);
            return Err(EngineError::journal(record.seq, what));
        }
        past.fold(record);
        Ok(())
    }
}

impl Past {
    fn allows(&self, what: What) -> bool {
        match what {
            What::Undoing => !self.already,
            What::Undone | What::UndoFailed => self.undoing,
            What::Started | What::Done | What::Already => !self.done && !self.undoing,
            What::Failed | What::Unknown | What::Waits | What::Approved => !self.done,
        }
    }

    fn fold(&mut self, record: &Record) {
        match record.what {
            What::Started => self.ours = true,
            What::Done => (self.done, self.learned) = (true, true),
            What::Already => {
                (self.done, self.already, self.learned) = (true, true, true);
            }
            What::Failed => self.ours = false,
            What::Unknown | What::UndoFailed => {}
            What::Undoing => (self.undoing, self.done) = (true, false),
            What::Undone => {
                (self.undoing, self.ours, self.learned) = (false, false, false);
            }
            What::Waits => {
                self.asks = record.asks;
                if record.voids_approval() {
                    self.approved = None;
                }
            }
            What::Approved => self.approved = record.approver.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(whats: &[What]) -> Result<Past, EngineError> {
        let record = |what| Record {
            plan: "p".into(),
            ..Record::new("s", what)
        };
        let records: Vec<Record> = whats.iter().map(|w| record(*w)).collect();
        Progress::of("p", &records).map(|p| p.step("s"))
    }

    #[test]
    fn a_write_without_an_outcome_counts_as_ours_and_a_refused_one_does_not() {
        assert!(after(&[What::Started]).unwrap().ours);
        assert!(after(&[What::Started, What::Unknown]).unwrap().ours);
        assert!(!after(&[What::Started, What::Failed]).unwrap().ours);
    }

    #[test]
    fn an_undone_step_is_open_again() {
        let past = after(&[What::Started, What::Done, What::Undoing]).unwrap();
        assert!(past.undoing && !past.done);
        let undone = [What::Started, What::Done, What::Undoing, What::Undone];
        assert_eq!(after(&undone).unwrap(), Past::default());
    }

    #[test]
    fn a_record_that_cannot_follow_is_an_error() {
        for bad in [
            &[What::Started, What::Done, What::Started][..],
            &[What::Undone],
            &[What::Already, What::Undoing],
            &[What::Started, What::Undoing, What::Done],
        ] {
            assert_eq!(after(bad).unwrap_err().code(), "KL0306", "{bad:?}");
        }
    }

    #[test]
    fn other_plans_do_not_count() {
        let record = Record {
            plan: "q".into(),
            ..Record::new("s", What::Done)
        };
        assert!(!Progress::of("p", &[record]).unwrap().done("s"));
    }
}
