//! What a run tells while it goes on, for progress on the terminal.

use keyless_model::Timestamp;

/// One thing that happened. `step` is the id of a step of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The request is about to be sent.
    Started {
        step: String,
    },
    /// Live is looked at again to see the step done, or a gate to see whether it holds; `look`
    /// counts from 1, and `waits_for` says what was missing at the look before.
    Verifying {
        step: String,
        look: u32,
        waits_for: Option<String>,
    },
    /// The step is done; `already` when this run had nothing to do for it.
    Done {
        step: String,
        already: bool,
    },
    Failed {
        step: String,
        message: String,
        next: String,
    },
    /// The step was not started.
    Skipped {
        step: String,
        because: String,
    },
    /// The gate stays closed, or the step needs a flag.
    GateWaits {
        step: String,
        why: String,
        until: Option<Timestamp>,
        next: String,
    },
    GateOpened {
        step: String,
        evidence: String,
    },
    /// The step was taken back.
    Undone {
        step: String,
        because: String,
    },
    /// It should have been taken back and could not be.
    NotUndone {
        step: String,
        why: String,
    },
    /// Something worth knowing that concerns the run as a whole or a gate.
    Remark {
        message: String,
    },
}
