//! Running a plan on the estate: each step on what is really there, and its notes into the state,
//! as the engine does.

use keyless_model::{State, Timestamp};
use keyless_plan::{Note, Op, Plan, Step, simulate};
use std::collections::BTreeSet;

use super::Estate;

impl Estate {
    /// Runs one step.
    pub fn run(&mut self, step: &Step) {
        simulate(&mut self.truth, step).unwrap_or_else(|e| panic!("{}: {e}", step.id));
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

fn learn(state: &mut State, note: &Note, now: Timestamp) {
    let applied = |state: &mut State, address: &keyless_model::Address, made: bool| {
        let entry = state.applied.entry(address.clone()).or_default();
        entry.made |= made;
        entry.at = Some(now);
    };
    match note {
        Note::Applied { address, made, .. } => applied(state, address, *made),
        Note::Forgotten { address } => {
            state.applied.remove(address);
            for access in state.accesses.values_mut() {
                access.parked.remove(address);
            }
        }
        Note::Replaces { access, item } => {
            state
                .accesses
                .entry(access.clone())
                .or_default()
                .replaces
                .insert(item.clone());
        }
        Note::Parked { access, address } => {
            state
                .accesses
                .entry(access.clone())
                .or_default()
                .parked
                .insert(address.clone());
        }
        Note::Told { access, address } => {
            let one = state.accesses.entry(access.clone()).or_default();
            one.told.insert(address.clone());
        }
        Note::Switched { access } => {
            let one = state.accesses.entry(access.clone()).or_default();
            (one.switched_at, one.confirmed_at) = (Some(now), None);
        }
        Note::Confirmed { access } => {
            state
                .accesses
                .entry(access.clone())
                .or_default()
                .confirmed_at = Some(now);
        }
        Note::Disabled { access } => {
            let one = state.accesses.entry(access.clone()).or_default();
            (one.disabled_at, one.settled_at) = (Some(now), None);
        }
        Note::Settled { access } => {
            state.accesses.entry(access.clone()).or_default().settled_at = Some(now);
        }
        Note::Retired { access } => {
            state.accesses.entry(access.clone()).or_default().retired_at = Some(now);
        }
    }
}
