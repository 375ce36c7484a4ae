//! The seam to the services: one step looked at, carried out, taken back or probed.

use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use keyless_model::{Session, Timestamp};
use keyless_plan::{Gate, Step};

/// Carries single steps out. In the product it talks to Azure, in tests to a simulated world.
///
/// No text that it returns holds a secret: all of them end in the journal and on the screen.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The newest time that the services told. It must be known before a run begins; the default
    /// (1970) stands for not known.
    fn now(&self) -> Timestamp;

    /// Reads live again and says how it stands to the step. Writes nothing.
    async fn check(&self, step: &Step) -> Result<Standing, Fault>;

    /// Carries the step out: one write, with its precondition.
    async fn act(&self, step: &Step) -> Result<(), Fault>;

    /// Takes the step back as its `undo` says. Does nothing, and succeeds, where live already is as
    /// it was before the step.
    async fn undo(&self, step: &Step) -> Result<(), Fault>;

    /// Looks whether a gate may open. Never asked for [`Gate::Approve`]; for [`Gate::Soak`] it
    /// answers with the sessions that are open now in the databases of its principals.
    async fn probe(&self, step: &Step, gate: &Gate) -> Result<Probe, Fault>;

    /// Waits before another look at something that may take a while to show. `look` counts from 1.
    async fn wait(&self, look: u32);

    /// From now on no wait goes on once `stop` is set, here or inside another call: a call ends with
    /// what its last try came to.
    fn heed(&self, stop: &'static AtomicBool);
}

/// How live stands to a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As the step would leave it.
    Done,
    /// As the step expects to find it.
    Ready,
    /// Neither: it has changed since the plan was made.
    Conflict { found: String },
    /// Why nothing is known.
    Unreadable(String),
}

/// What a gate's probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The evidence, in one line.
    Holds(String),
    /// Why it does not hold, and what to do.
    Fails { why: String, next: String },
    /// It does not hold yet and may soon: what it waits for.
    Waits(String),
    /// The open sessions.
    Sample(Vec<Session>),
    /// Why nothing can be found out.
    NoEvidence(String),
}

/// Why a call to the services did not end well: one sentence each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The service said no. Nothing was written.
    Refused { message: String },
    /// The precondition did not hold any more (412). Nothing was written.
    Changed { message: String },
    /// Nothing was written, and the same call may succeed in a moment.
    Transient { message: String },
    /// The request went out and no answer came: it may or may not have been carried out.
    OutcomeUnknown { message: String },
}

impl Fault {
    pub fn message(&self) -> &str {
        match self {
            Self::Refused { message }
            | Self::Changed { message }
            | Self::Transient { message }
            | Self::OutcomeUnknown { message } => message,
        }
    }
}
