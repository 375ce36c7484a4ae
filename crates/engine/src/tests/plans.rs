//! Plans for the stories.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Address, Evidence, Expected, ProbeRequest};
use keyless_plan::{FORMAT, Gate, Inputs, Mark, Note, Op, Phase, Plan, Step, Undo};
use serde_json::json;

pub(super) fn plan(steps: Vec<Step>) -> Plan {
    Plan {
        format: FORMAT.into(),
        id: "0a".repeat(32),
        tool: "0.1.0".into(),
        inputs: Inputs::default(),
        roots: BTreeMap::new(),
        steps,
        waiting: vec![],
    }
}

pub(super) fn address(name: &str) -> Address {
    Address::gateway("g").child("namedValue", name)
}

fn step(phase: Phase, name: &str, op: Op, undo: Undo) -> Step {
    Step {
        id: format!("{}/{name}", phase.word()),
        phase,
        address: address(name),
        access: Some("a".into()),
        reason: "the story wants it".into(),
        op,
        needs: BTreeSet::new(),
        undo,
        notes: vec![],
        shown: vec![],
    }
}

/// A step that makes `name`, which was not there.
pub(super) fn make(phase: Phase, name: &str) -> Step {
    let note = Note::Applied {
        address: address(name),
        made: true,
        sent: None,
    };
    let op = Op::Put {
        body: json!("new"),
        value: None,
        expect: None,
    };
    step(phase, name, op, Undo::Delete).noting(note)
}

/// A step that turns `name` from `old` to `new`.
pub(super) fn change(phase: Phase, name: &str) -> Step {
    let op = Op::Put {
        body: json!("new"),
        value: None,
        expect: None,
    };
    step(phase, name, op, Undo::Put { body: json!("old") })
}

pub(super) fn remove(phase: Phase, name: &str) -> Step {
    let undo = Undo::Never {
        why: "its value is known to nobody".into(),
    };
    let mut step = step(phase, name, Op::Delete {}, undo);
    step.id = format!("{}/{name}", phase.word());
    step.noting(Note::Forgotten {
        address: address(name),
    })
}

fn gate(phase: Phase, name: &str, gate: Gate) -> Step {
    step(
        phase,
        name,
        Op::Gate { gate },
        Undo::Nothing {
            why: "a gate changes nothing".into(),
        },
    )
}

pub(super) fn person(name: &str) -> Step {
    gate(
        Phase::Prove,
        name,
        Gate::Approve {
            question: "is it right?".into(),
        },
    )
}

pub(super) fn effective(name: &str) -> Step {
    let rights = BTreeSet::new();
    let database = Address::database("s", "d");
    gate(
        Phase::Grant,
        name,
        Gate::Effective {
            gateway: Address::gateway("g"),
            database,
            user: "g".into(),
            rights,
        },
    )
}

pub(super) fn canary(name: &str) -> Step {
    let request = ProbeRequest {
        url: None,
        method: "GET".into(),
        path: "/".into(),
        body: None,
        expect: Expected {
            status: 200,
            no_graphql_errors: true,
        },
    };
    let canary = Gate::Canary {
        api: Address::gateway("g").child("api", "orders"),
        current: true,
        request,
        auth: None,
        edits: BTreeMap::new(),
    };
    gate(Phase::Switch, name, canary)
}

pub(super) fn soak(name: &str, since: Mark, seconds: i64, evidence: &[Evidence]) -> Step {
    let phase = match since {
        Mark::Switched => Phase::Confirm,
        Mark::Disabled => Phase::Disable,
    };
    let principals = [(Address::database("s", "d"), "Orders_App".to_owned())].into();
    let evidence = evidence.iter().copied().collect();
    gate(
        phase,
        name,
        Gate::Soak {
            access: "a".into(),
            since,
            seconds,
            evidence,
            principals,
        },
    )
}

/// Small words to finish a step with.
pub(super) trait Finish {
    fn needing(self, ids: &[&str]) -> Self;
    fn noting(self, note: Note) -> Self;
}

impl Finish for Step {
    fn needing(mut self, ids: &[&str]) -> Self {
        self.needs.extend(ids.iter().map(|id| (*id).to_owned()));
        self
    }

    fn noting(mut self, note: Note) -> Self {
        self.notes.push(note);
        self
    }
}

pub(super) fn switched() -> Note {
    Note::Switched { access: "a".into() }
}
