//! The runs that the journal tells of, and what of each still stands.

use keyless_model::Timestamp;
use keyless_plan::{Plan, Remains, back_id, left_something};

use crate::error::EngineError;
use crate::progress::Progress;
use crate::record::Record;

/// What the journal says of one plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its id.
    pub plan: String,
    /// When something happened for it, first and last.
    pub first: Timestamp,
    pub last: Timestamp,
}

/// Every plan for which something was sent or found done, in the order in which that happened last.
pub fn runs(records: &[Record]) -> Vec<Ran> {
    let mut out: Vec<Ran> = Vec::new();
    for record in records.iter().filter(|r| r.what.acts()) {
        let known = out.iter().position(|ran| ran.plan == record.plan);
        let first = known.map_or(record.at, |at| out.remove(at).first);
        out.push(Ran {
            plan: record.plan.clone(),
            first,
            last: record.at,
        });
    }
    out
}

/// What of `plan` stands by the journal, but for what `others` took back. Gates are no part of it.
///
/// # Errors
/// When the journal contradicts itself.
pub fn remains(plan: &Plan, records: &[Record], others: &[Plan]) -> Result<Remains, EngineError> {
    let progress = Progress::of(&plan.id, records)?;
    let mut out = Remains::default();
    for id in plan.steps.iter().filter(|s| !s.is_gate()).map(|s| &s.id) {
        let past = progress.step(id);
        if past.done && !past.already {
            out.ours.insert(id.clone());
        } else if past.done {
            out.before.insert(id.clone());
        } else if past.ours || past.undoing {
            out.doubtful.insert(id.clone());
        }
    }
    let backs = others.iter();
    for back in backs.filter(|p| p.inputs.rolls_back.as_ref() == Some(&plan.id)) {
        let taken = Progress::of(&back.id, records)?;
        out.ours.retain(|id| !taken.done(&back_id(id)));
    }
    Ok(out)
}

/// The first run after that of `plan` which may stand on what `plan` did: something of it stands, or
/// nobody knows, for its plan is not kept. Runs that take others back are
/// none.
///
/// # Errors
/// When the journal contradicts itself.
pub fn ran_since(
    plan: &Plan,
    records: &[Record],
    others: &[Plan],
) -> Result<Option<String>, EngineError> {
    let ran = runs(records);
    let after = ran.iter().skip_while(|r| r.plan != plan.id).skip(1);
    for id in after.map(|r| &r.plan) {
        let Some(other) = others.iter().find(|p| p.id == *id) else {
            return Ok(Some(id.clone()));
        };
        if other.inputs.rolls_back.is_some() {
            continue;
        }
        let stands = remains(other, records, others)?;
        // What was so before it came stands on something, too.
        let mut all = stands.all();
        if all.any(|id| other.step(id).is_some_and(left_something)) {
            return Ok(Some(other.id.clone()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::What;

    fn record(plan: &str, at: i64, what: What) -> Record {
        Record {
            plan: plan.into(),
            at: Timestamp::from_unix(at),
            ..Record::new("s", what)
        }
    }

    #[test]
    fn runs_stand_in_the_order_of_their_last_act() {
        let records = [
            record("a", 1, What::Started),
            record("b", 2, What::Done),
            record("a", 3, What::Done),
            record("c", 4, What::Waits),
        ];
        let found = runs(&records);
        let names: Vec<&str> = found.iter().map(|r| r.plan.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(found[1].first, Timestamp::from_unix(1));
        assert_eq!(found[1].last, Timestamp::from_unix(3));
    }
}
