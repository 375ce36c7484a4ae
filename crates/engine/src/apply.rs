//! The run of a plan: each step in its turn.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use keyless_model::Timestamp;
use keyless_plan::{Op, Plan, Step};

use crate::error::EngineError;
use crate::event::Event;
use crate::lanes::lanes;
use crate::outcome::Outcome;
use crate::progress::{Progress, not_overtaken};
use crate::provider::Provider;
use crate::run::Run;
use crate::store::{StateStore, load};

/// What a run may do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether steps run that cannot be undone.
    pub allow_irreversible: bool,
    /// How often live is looked at before a step counts as not done; the provider waits in between.
    pub looks: u32,
    /// Set from outside, such as by Ctrl-C: the request under way is ended and recorded, and no
    /// other is begun.
    pub stop: Option<&'static AtomicBool>,
}

impl Options {
    pub(crate) fn stopping(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow_irreversible: false,
            looks: 10,
            stop: None,
        }
    }
}

/// Runs `plan` from the first step that the journal does not know as done.
///
/// Steps of one phase run side by side where they write to different services, and one after the
/// other where they write to the same. A step runs when all that it needs is done. One that fails,
/// waits or was taken back holds up what needs it, and nothing else. Before something is switched,
/// closed, locked or removed, the done steps that it stands on are looked at again. Every request is preceded by a record in the journal and
/// followed by one once live was read back, so a run may be killed anywhere and run again.
///
/// Assumes that the caller checked the plan's tenant and key against those at hand.
///
/// # Errors
/// When another process holds the lease, the store fails or is damaged, the provider knows no time,
/// the plan's steps are not in order, or another plan was applied since this one ran last. Steps
/// that fail are rows of the outcome.
pub async fn apply(
    plan: &Plan,
    provider: &dyn Provider,
    store: &dyn StateStore,
    options: &Options,
    tell: &mut (dyn FnMut(Event) + Send),
) -> Result<Outcome, EngineError> {
    in_order(plan)?;
    if provider.now() == Timestamp::default() {
        return Err(EngineError::NoClock);
    }
    if let Some(stop) = options.stop {
        provider.heed(stop);
    }
    store.take_lease().await?;
    let ended = all_steps(plan, provider, store, options, tell).await;
    let released = store.release_lease().await;
    let outcome = ended?;
    released?;
    Ok(outcome)
}

async fn all_steps(
    plan: &Plan,
    provider: &dyn Provider,
    store: &dyn StateStore,
    options: &Options,
    tell: &mut (dyn FnMut(Event) + Send),
) -> Result<Outcome, EngineError> {
    let loaded = load(store).await?;
    let progress = Progress::of(&plan.id, &loaded.records)?;
    not_overtaken(plan, &loaded.records)?;
    store.keep_plan(plan).await?;
    if loaded.torn {
        let message = "the last run ended in the middle of a journal record; that record is cut \
                       off, and what it was about is read from live again";
        tell(Event::Remark {
            message: message.to_owned(),
        });
    }
    let run = Run::new(plan, provider, store, options, tell, loaded.state, progress);
    for steps in plan.steps.chunk_by(|a, b| a.phase == b.phase) {
        lanes(&run, steps).await?;
    }
    Ok(run.outcome())
}

pub(crate) async fn one(run: &Run<'_>, step: &Step) -> Result<(), EngineError> {
    begin(run, step).await?;
    run.save().await
}

async fn begin(run: &Run<'_>, step: &Step) -> Result<(), EngineError> {
    if run.is_done(&step.id) {
        run.shared().outcome.already.push(step.id.clone());
        run.tell(Event::Done {
            step: step.id.clone(),
            already: true,
        });
        return Ok(());
    }
    let stopped = || STOPPED.to_owned();
    let because = run.options.stopping().then(stopped);
    if let Some(because) = because.or_else(|| run.held_up(step)) {
        run.not_started(step, because);
        return Ok(());
    }
    match &step.op {
        Op::Gate { gate } => run.gate(step, gate).await,
        // Every other operation is one write, which only the provider tells apart.
        _ => run.write(step).await,
    }
}

/// Why steps are not started once somebody asked the run to stop.
pub(crate) const STOPPED: &str = "the run was asked to stop";

/// Ids are unique, and no step stands before one that it needs.
fn in_order(plan: &Plan) -> Result<(), EngineError> {
    let all: BTreeSet<&str> = plan.steps.iter().map(|s| s.id.as_str()).collect();
    let mut before = BTreeSet::new();
    for step in &plan.steps {
        let early = step
            .needs
            .iter()
            .find(|n| all.contains(n.as_str()) && !before.contains(*n));
        if let Some(need) = early {
            return Err(EngineError::Plan(format!(
                "{} stands before {need}, which it needs",
                step.id
            )));
        }
        if !before.insert(&step.id) {
            return Err(EngineError::Plan(format!("it has two steps {}", step.id)));
        }
    }
    Ok(())
}
