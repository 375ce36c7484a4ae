//! What can end a run before its plan is through.
//!
//! A step that fails is no error here: it is a row of the [`Outcome`](crate::Outcome).

use std::io;

use keyless_plan::short_id;

/// Why the engine or a store could not go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(
        "another keyless is at work on this state ({holder}); wait until it has finished, then run \
         again"
    )]
    Held { holder: String },
    #[error("{place} is damaged: {what}; {next}")]
    Damaged {
        place: String,
        what: String,
        next: String,
    },
    #[error("{doing} failed; see that the place can be read and written, then run again")]
    Store { doing: String, source: io::Error },
    #[error(
        "the time of the services is not known, and soaks count by it; see that Azure Resource \
         Manager can be reached, then run again"
    )]
    NoClock,
    #[error("the plan is not in order: {0}; make the plan again")]
    Plan(String),
    #[error(
        "the plan {} was overtaken: since it ran last, the plan {} has been applied; run \
         `keyless plan` again",
        short_id(.plan), short_id(.by)
    )]
    Overtaken { plan: String, by: String },
    #[error("the plan has no step “{0}”; `keyless apply` prints the gates that wait for a person")]
    NoSuchStep(String),
    #[error("“{step}” does not wait for a person: {why}")]
    NotAsked { step: String, why: String },
    #[error("an approval needs the name of who gives it, in one line of at most 200 characters")]
    Nameless,
}

impl EngineError {
    /// The permanent code that `keyless explain` describes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Held { .. } | Self::Damaged { .. } | Self::Store { .. } => "KL0306",
            Self::NoClock => "KL0203",
            Self::Plan(_) => "KL0301",
            Self::Overtaken { .. } => "KL0302",
            Self::NoSuchStep(_) | Self::NotAsked { .. } | Self::Nameless => "KL0307",
        }
    }

    /// The journal holds a record that no run of keyless writes.
    pub(crate) fn journal(line: u64, what: impl Into<String>) -> Self {
        Self::Damaged {
            place: format!("line {line} of the journal"),
            what: what.into(),
            next:
                "put back the journal and the state from one copy, or move both away: live Azure \
                   is the truth, and the next plan starts from it"
                    .to_owned(),
        }
    }
}
