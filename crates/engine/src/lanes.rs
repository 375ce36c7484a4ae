//! Steps of one phase, side by side: one lane for each service.
//!
//! Invariant: at most one step is under way for each gateway, server or role assignment, and in a
//! lane the steps keep the order of the plan. A step begins when those of its phase that it needs
//! have ended, however they ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use keyless_model::Address;
use keyless_plan::Step;

use crate::apply::one;
use crate::error::EngineError;
use crate::run::Run;

/// Steps under way at once.
const AT_ONCE: usize = 8;

/// Runs every step of `steps`, which stand in the order of the plan.
///
/// After an error no step begins, and those under way end: their requests are out already.
pub(crate) async fn lanes(run: &Run<'_>, steps: &[Step]) -> Result<(), EngineError> {
    let mut lanes = Lanes::of(steps);
    let mut under_way = FuturesUnordered::new();
    let mut ended = Ok(());
    loop {
        while ended.is_ok()
            && under_way.len() < AT_ONCE
            && let Some(step) = lanes.begin()
        {
            under_way.push(async move { (step, one(run, step).await) });
        }
        let Some((step, outcome)) = under_way.next().await else {
            return ended;
        };
        lanes.end(step);
        ended = ended.and(outcome);
    }
}

/// What has not ended yet.
struct Lanes<'a> {
    /// The steps of each service that have not begun.
    waiting: BTreeMap<Address, VecDeque<&'a Step>>,
    /// Services with a step under way.
    busy: BTreeSet<Address>,
    /// Steps that have not ended.
    open: BTreeSet<&'a str>,
}

impl<'a> Lanes<'a> {
    fn of(steps: &'a [Step]) -> Self {
        let mut waiting: BTreeMap<Address, VecDeque<&Step>> = BTreeMap::new();
        for step in steps {
            let lane = waiting.entry(step.address.root()).or_default();
            lane.push_back(step);
        }
        Self {
            waiting,
            busy: BTreeSet::new(),
            open: steps.iter().map(|s| s.id.as_str()).collect(),
        }
    }

    /// The next step that may begin. The first of the plan that has not ended always may, for what
    /// it needs stands before it: so there is one whenever nothing is under way.
    fn begin(&mut self) -> Option<&'a Step> {
        let free = |step: &Step| !step.needs.iter().any(|n| self.open.contains(n.as_str()));
        let lane = self.waiting.iter().find(|(lane, queue)| {
            !self.busy.contains(*lane) && queue.front().is_some_and(|step| free(step))
        });
        let lane = lane.map(|(lane, _)| lane.clone())?;
        let step = self.waiting.get_mut(&lane)?.pop_front()?;
        self.busy.insert(lane);
        Some(step)
    }

    fn end(&mut self, step: &Step) {
        self.busy.remove(&step.address.root());
        self.open.remove(step.id.as_str());
    }
}

#[cfg(test)]
mod tests {
    use keyless_plan::{Op, Phase, Undo};

    use super::*;

    fn step(address: &str, needs: &[&str]) -> Step {
        Step {
            id: address.to_owned(),
            phase: Phase::Grant,
            address: address.parse().unwrap(),
            access: None,
            reason: String::new(),
            op: Op::Delete {},
            needs: needs.iter().map(|n| (*n).to_owned()).collect(),
            undo: Undo::Delete,
            notes: vec![],
            shown: vec![],
        }
    }

    #[test]
    fn services_run_side_by_side_and_each_keeps_its_order() {
        let steps = [
            step("sql:a/db:x", &[]),
            step("sql:a/db:y", &[]),
            step("sql:b/db:x", &[]),
        ];
        let mut lanes = Lanes::of(&steps);
        let first = lanes.begin().unwrap();
        let second = lanes.begin().unwrap();
        assert_eq!([&first.id, &second.id], ["sql:a/db:x", "sql:b/db:x"]);
        assert!(lanes.begin().is_none());
        lanes.end(first);
        assert_eq!(lanes.begin().unwrap().id, "sql:a/db:y");
    }

    #[test]
    fn a_step_waits_for_one_of_another_lane_that_it_needs() {
        let steps = [
            step("sql:b/db:x", &[]),
            step("apim:g", &["sql:b/db:x"]),
            step("apim:g/policy", &[]),
        ];
        let mut lanes = Lanes::of(&steps);
        let first = lanes.begin().unwrap();
        assert_eq!(first.id, "sql:b/db:x");
        assert!(lanes.begin().is_none());
        lanes.end(first);
        assert_eq!(lanes.begin().unwrap().id, "apim:g");
    }
}
