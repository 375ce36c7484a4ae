//! A plan in the making: its steps so far, what is held up, and the world as it will be after
//! them.

use std::collections::BTreeSet;

use keyless_model::{Address, Desired, FingerprintKey, Snapshot, State};

use crate::file::Waiting;
use crate::phase::Phase;
use crate::simulate::simulate;
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
    pub waiting: BTreeSet<Waiting>,
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
        Self { steps: Vec::new(), waiting: BTreeSet::new(), world: live.clone() }
    }

    /// Adds a step and carries it out in the world. Returns its id.
    pub fn add(&mut self, new: NewStep) -> String {
        let id = format!("{}/{}", new.phase.word(), new.address);
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
        if let Err(refused) = simulate(&mut self.world, &step) {
            self.wait(
                &step.address,
                step.access.as_deref(),
                &step.reason,
                &format!("the step could not run: {refused}"),
                "mend what stands in the way and plan again",
            );
            return id;
        }
        self.steps.push(step);
        id
    }

    /// Adds a gate at `address`.
    pub fn gate(
        &mut self,
        phase: Phase,
        address: Address,
        access: Option<&str>,
        reason: String,
        gate: Gate,
        needs: BTreeSet<String>,
    ) -> String {
        self.add(NewStep {
            phase,
            address,
            access: access.map(str::to_owned),
            reason,
            op: Op::Gate { gate },
            needs,
            undo: Undo::Nothing { why: "a gate changes nothing".into() },
            notes: vec![],
            shown: vec![],
        })
    }

    /// The last step's notes, to add to.
    pub fn note_on(&mut self, id: &str, note: Note) {
        if let Some(step) = self.steps.iter_mut().find(|s| s.id == id) {
            step.notes.push(note);
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
        self.steps.iter().any(|s| s.id == id)
    }

    /// Those of `ids` that are steps of this plan.
    pub fn existing(&self, ids: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        ids.into_iter().filter(|id| self.has(id)).collect()
    }
}

/// The id that a step of this phase at this address has.
pub(crate) fn id_of(phase: Phase, address: &Address) -> String {
    format!("{}/{address}", phase.word())
}
