//! Running a plan on the estate: each step on what is really there, and its notes into the state,
//! as the engine does.

use keyless_model::Timestamp;
use keyless_plan::{Op, Plan, Step, learn, simulate};
use std::collections::BTreeSet;

use super::Estate;

impl Estate {
    /// Runs one step.
    pub fn run(&mut self, step: &Step) {
        simulate(&mut self.truth, step).unwrap_or_else(|e| panic!("{}: {e}", step.id));
        self.reads_as_before(step);
        // What keyless makes of a literal is secret from then on.
        if matches!(&step.op, Op::Put { value: Some(_), .. }) {
            self.hidden.insert(step.address.clone());
        }
        self.state.journal += 1;
        let now = Timestamp::from_unix(i64::try_from(self.state.journal).unwrap());
        step.notes
            .iter()
            .for_each(|note| learn(&mut self.state, note, now));
    }

    /// An edit that was taken back reads as it did: apply counts it as taken back by that alone.
    fn reads_as_before(&self, step: &Step) {
        if let Op::TakeBack { step } = &step.op
            && let Op::Splice { expect, .. } = &step.op
        {
            let text = self.truth.policy_text(&step.address).unwrap();
            let canonical = keyless_policy::canonical(text).unwrap();
            assert_eq!(super::key().of(&canonical), *expect, "{}: {text}", step.id);
        }
    }

    /// Runs the whole plan in its order.
    pub fn run_all(&mut self, plan: &Plan) {
        plan.steps.iter().for_each(|step| self.run(step));
    }

    /// Plans and runs until there is nothing to run. Returns the last plan.
    pub fn converge(&mut self) -> Plan {
        for _ in 0..5 {
            let plan = self.plan();
            if plan.steps.is_empty() {
                return plan;
            }
            self.run_all(&plan);
        }
        let left: Vec<String> = self.plan().steps.iter().map(|s| s.id.clone()).collect();
        panic!("five plans one after the other lead nowhere: {left:#?}");
    }
}

/// Runs the steps in order, but for those that `held` holds up and what needs them. `after` looks
/// at the world after each.
pub fn run_some(
    estate: &mut Estate,
    plan: &Plan,
    mut held: impl FnMut(&Step) -> bool,
    mut after: impl FnMut(&Estate, &Step),
) {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for step in &plan.steps {
        let ready = step.needs.iter().all(|n| done.contains(n.as_str()));
        if ready && !held(step) {
            estate.run(step);
            done.insert(&step.id);
            after(estate, step);
        }
    }
}

/// Runs what fortune lets run: a step whose turn it is fails where `luck` has a 0. The ids of those
/// that ran.
pub fn run_with_luck(estate: &mut Estate, plan: &Plan, luck: &[u8]) -> BTreeSet<String> {
    let (mut turn, mut done) = (0, BTreeSet::new());
    run_some(
        estate,
        plan,
        |_| {
            turn += 1;
            luck[turn % luck.len()] == 0
        },
        |_, step| {
            done.insert(step.id.clone());
        },
    );
    done
}
