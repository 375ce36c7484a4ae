//! A plan in the making: its steps so far, what is held up, and the world as it will be after
//! them.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Address, Desired, FingerprintKey, Snapshot, State};

use crate::file::Waiting;
use crate::phase::Phase;
use crate::simulate::simulate;
use crate::stages::touched::remark;
use crate::step::{Gate, Note, Op, Shown, Step, Undo};

/// All that planning looks at.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    pub desired: &'a Desired,
    pub live: &'a Snapshot,
    pub state: &'a State,
    pub key: &'a FingerprintKey,
}

/// What the stages add to.
pub(crate) struct Draft {
    pub steps: Vec<Step>,
    /// Where each id stands in `steps`.
    places: BTreeMap<String, usize>,
    pub waiting: BTreeSet<Waiting>,
    /// Documents that an Access to an HTTP service has in hand, and why nothing else may write them.
    pub held: BTreeMap<Address, String>,
    /// The snapshot with every step so far carried out.
    pub world: Snapshot,
}

/// What a stage says of a step; the rest is filled in when it joins the plan.
pub(crate) struct NewStep {
    pub phase: Phase,
    pub address: Address,
    pub access: Option<String>,
    pub reason: String,
    pub op: Op,
    pub needs: BTreeSet<String>,
    pub undo: Undo,
    pub notes: Vec<Note>,
    pub shown: Vec<Shown>,
}

impl Draft {
    pub fn new(live: &Snapshot) -> Self {
        Self {
            steps: Vec::new(),
            places: BTreeMap::new(),
            waiting: BTreeSet::new(),
            held: BTreeMap::new(),
            world: live.clone(),
        }
    }

    /// Adds a step and carries it out in the world. Returns its id; none when the step could not
    /// run, which leaves a waiting row: nothing may then be planned on top of it.
    pub fn add(&mut self, mut new: NewStep) -> Option<String> {
        let id = id_of(new.phase, &new.address);
        if matches!(new.op, Op::Put { .. } | Op::Splice { .. }) {
            new.shown.extend(remark(&self.world, &new.address));
        }
        let step = Step {
            id: id.clone(),
            phase: new.phase,
            address: new.address,
            access: new.access,
            reason: new.reason,
            op: new.op,
            needs: new.needs,
            undo: new.undo,
            notes: new.notes,
            shown: new.shown,
        };
        let refused = if self.has(&id) {
            Some("another document asks for a step at the same place".to_owned())
        } else {
            simulate(&mut self.world, &step)
                .err()
                .map(|e| format!("the step could not run: {e}"))
        };
        if let Some(why) = refused {
            let next = "mend what stands in the way and plan again";
            self.wait(
                &step.address,
                step.access.as_deref(),
                &step.reason,
                &why,
                next,
            );
            return None;
        }
        self.places.insert(id.clone(), self.steps.len());
        self.steps.push(step);
        Some(id)
    }

    /// Makes a step that is already planned serve another Access too.
    pub fn join(&mut self, id: &str, needs: BTreeSet<String>, notes: Vec<Note>) {
        let Some(step) = self.places.get(id).map(|place| &mut self.steps[*place]) else {
            return;
        };
        step.needs.extend(needs);
        for note in notes {
            if !step.notes.contains(&note) {
                step.notes.push(note);
            }
        }
    }

    pub fn wait(
        &mut self,
        address: &Address,
        access: Option<&str>,
        what: &str,
        why: &str,
        next: &str,
    ) {
        self.waiting.insert(Waiting {
            address: address.clone(),
            access: access.map(str::to_owned),
            what: what.to_owned(),
            why: why.to_owned(),
            next: next.to_owned(),
        });
    }

    pub fn has(&self, id: &str) -> bool {
        self.places.contains_key(id)
    }

    /// Those of `ids` that are steps of this plan.
    pub fn existing(&self, ids: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        ids.into_iter().filter(|id| self.has(id)).collect()
    }
}

/// A step that waits for `gate`.
pub(crate) fn waits_for(
    gate: Gate,
    phase: Phase,
    address: Address,
    access: Option<&str>,
    reason: &str,
    needs: BTreeSet<String>,
    notes: Vec<Note>,
) -> NewStep {
    NewStep {
        phase,
        address,
        access: access.map(str::to_owned),
        reason: reason.to_owned(),
        op: Op::Gate { gate },
        needs,
        undo: Undo::Nothing {
            why: "a gate changes nothing".into(),
        },
        notes,
        shown: vec![],
    }
}

/// The id that a step of this phase at this address has.
pub(crate) fn id_of(phase: Phase, address: &Address) -> String {
    format!("{}/{address}", phase.word())
}
