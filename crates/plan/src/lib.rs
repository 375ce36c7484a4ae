//! Planning: from what is desired, what is live and what was done before to ordered steps, and the
//! same comparison as drift.
//!
//! Everything here is a pure function: no clock, environment, network or chance, and equal inputs
//! give byte-equal plans.

mod compare;
mod draft;
mod drift;
mod file;
mod finding;
mod order;
mod phase;
mod planner;
mod simulate;
mod stages;
mod step;

pub use compare::{covers, managed, managed_fingerprint};
pub use drift::drift;
pub use file::{FORMAT, Inputs, Plan, PlanFileError, Root, Waiting};
pub use finding::{Class, Finding};
pub use phase::Phase;
pub use planner::{Options, plan};
pub use simulate::{Refused, client_sid, edited, merged, resolved, simulate, text_at};
pub use step::{Gate, Line, Mark, Note, Op, Shown, Splice, Step, Undo, ValueFrom};
