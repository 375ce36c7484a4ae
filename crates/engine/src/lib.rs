//! Runs a plan: step by step, with a journal record before and after every request, so that a run
//! killed anywhere goes on where it stopped, with nothing lost and nothing done twice.
//!
//! The engine makes no decisions and does no input or output of its own. What a step means is in
//! the plan; the services stand behind [`Provider`], the files behind [`StateStore`].

mod apply;
mod approve;
mod error;
mod event;
mod fold;
mod gate;
mod journal;
mod lanes;
mod outcome;
mod progress;
mod provider;
mod recheck;
mod record;
mod run;
mod runs;
mod soak;
mod store;
mod undo;
mod write;

#[cfg(test)]
mod tests;

pub use apply::{Options, apply};
pub use approve::approve;
pub use error::EngineError;
pub use event::Event;
pub use fold::{MAX_SAMPLES, fold};
pub use journal::{Journal, read_journal, to_line};
pub use outcome::{Failure, NotStarted, Outcome, Wait};
pub use provider::{Fault, Probe, Provider, Standing};
pub use record::{MarkAt, Record, SoakLook, What};
pub use runs::{Ran, ran_since, remains, runs};
pub use store::{Loaded, StateStore, load};
