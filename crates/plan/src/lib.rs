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
mod graph;
mod notes;
mod order;
mod phase;
mod planner;
mod propose;
mod rollback;
mod select;
mod simulate;
mod stages;
mod step;
mod unchanged;

pub use compare::{covers, managed, managed_fingerprint};
pub use drift::drift;
pub use file::{FORMAT, Inputs, Plan, PlanFileError, Root, Waiting, short_id};
pub use finding::{Class, Finding};
pub use graph::{Column, Graph, Node, Way, graph};
pub use notes::{learn, unlearn};
pub use phase::Phase;
pub use planner::{Options, plan};
pub use propose::{
    Database, Example, Left, Proposal, ProposedAccess, ProposedServer, Reached, Rights,
    document_name, propose,
};
pub use rollback::{Remains, back_id, left_something, rollback};
pub use select::{NoSuchTarget, Selection, select};
pub use simulate::{
    Refused, attribute_at, client_sid, edited, merged, principal_id, resolved, simulate, text_at,
};
pub use step::{Assignee, Gate, Line, Mark, Note, Op, Shown, Splice, Step, Undo, ValueFrom};
pub use unchanged::unchanged;
