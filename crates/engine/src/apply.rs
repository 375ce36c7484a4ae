//! The run of a plan: each step in its turn, one at a time.

use std::collections::BTreeSet;

use keyless_model::Timestamp;
use keyless_plan::{Op, Plan, Step};

use crate::error::EngineError;
use crate::event::Event;
use crate::outcome::{NotStarted, Outcome};
use crate::progress::{Progress, not_overtaken};
use crate::provider::Provider;
use crate::run::Run;
use crate::store::{StateStore, load};

/// What a run may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether steps run that cannot be undone.
    pub allow_irreversible: bool,
    /// How often live is looked at before a step counts as not done; the provider waits in between.
    pub looks: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow_irreversible: false,
            looks: 10,
        }
    }
}

/// Runs `plan` from the first step that the journal does not know as done.
///
/// A step runs when all that it needs is done. One that fails, waits or was taken back holds up
/// what needs it, and nothing else. Before something is closed, locked or removed, the done steps
/// that it stands on are looked at again. Every request is preceded by a record in the journal and
/// followed by one once live was read back, so a run may be killed anywhere and run again.
///
/// Assumes that the caller checked the plan's tenant and key against those at hand.
///
/// # Errors
/// When another process holds the lease, the store fails or is damaged, the provider knows no time,
/// the plan's steps are not in order, or another plan was applied since this one ran last. Steps that fail are rows of the outcome.
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
    not_overtaken(&plan.id, &loaded.records)?;
    store.keep_plan(plan).await?;
    if loaded.torn {
        let message = "the last run ended in the middle of a journal record; that record is cut \
                       off, and what it was about is read from live again";
        tell(Event::Remark {
            message: message.to_owned(),
        });
    }
    let mut run = Run::new(plan, provider, store, options, tell, loaded.state, progress);
    for step in &plan.steps {
        one(&mut run, step).await?;
        store.save(&run.state).await?;
    }
    Ok(run.outcome)
}

async fn one(run: &mut Run<'_>, step: &Step) -> Result<(), EngineError> {
    if run.progress.done(&step.id) {
        run.outcome.already.push(step.id.clone());
        run.tell(Event::Done {
            step: step.id.clone(),
            already: true,
        });
        return Ok(());
    }
    if let Some(because) = run.held_up(step) {
        run.hold(step, "was not started");
        run.tell(Event::Skipped {
            step: step.id.clone(),
            because: because.clone(),
        });
        run.outcome.not_started.push(NotStarted {
            step: step.id.clone(),
            because,
        });
        return Ok(());
    }
    match &step.op {
        Op::Gate { gate } => run.gate(step, gate).await,
        // Every other operation is one write, which only the provider tells apart.
        _ => run.write(step).await,
    }
}

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
