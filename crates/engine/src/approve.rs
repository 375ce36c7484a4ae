//! A person's word for a gate that asks for one, or for a step that cannot be taken back.

use keyless_model::Timestamp;
use keyless_plan::{Gate, Op, Plan};

use crate::error::EngineError;
use crate::fold::fold;
use crate::progress::{Progress, not_overtaken};
use crate::record::{Record, What};
use crate::store::{StateStore, load};

/// Records that `who` approves the gate or the irreversible step `step` of `plan`; the next apply
/// opens it, or carries it out. Approving twice changes nothing.
///
/// A person is asked once all that it needs is done: by [`Gate::Approve`] from then on, by a step
/// that cannot be taken back once apply has stopped before it, and by a [`Gate::Soak`] once apply has found its time over and no old session, and evidence that it
/// cannot see. So nobody answers for time to come. A login that is seen later makes the approval of
/// a soak void.
///
/// # Errors
/// When the step does not wait for a person, the name is empty, another plan was applied since this
/// one ran last, or the store fails.
pub async fn approve(
    store: &dyn StateStore,
    plan: &Plan,
    step: &str,
    who: &str,
    now: Timestamp,
) -> Result<(), EngineError> {
    let who = who.trim();
    if who.is_empty() || who.chars().count() > 200 || who.chars().any(char::is_control) {
        return Err(EngineError::Nameless);
    }
    store.take_lease().await?;
    let ended = record(store, plan, step, who, now).await;
    let released = store.release_lease().await;
    ended.and(released)
}

async fn record(
    store: &dyn StateStore,
    plan: &Plan,
    step: &str,
    who: &str,
    now: Timestamp,
) -> Result<(), EngineError> {
    let mut loaded = load(store).await?;
    let progress = Progress::of(&plan.id, &loaded.records)?;
    not_overtaken(plan, &loaded.records)?;
    asked(plan, step, &progress)?;
    if progress.step(step).approved.is_some() {
        return Ok(());
    }
    store.keep_plan(plan).await?;
    let record = Record {
        seq: loaded.state.journal + 1,
        at: now,
        plan: plan.id.clone(),
        approver: Some(who.to_owned()),
        ..Record::new(step, What::Approved)
    };
    store.append(&record).await?;
    fold(&mut loaded.state, &record);
    store.save(&loaded.state).await
}

fn asked(plan: &Plan, id: &str, progress: &Progress) -> Result<(), EngineError> {
    let step = plan
        .step(id)
        .ok_or_else(|| EngineError::NoSuchStep(id.to_owned()))?;
    let no = |why: &str| {
        Err(EngineError::NotAsked {
            step: id.to_owned(),
            why: why.to_owned(),
        })
    };
    let past = progress.step(id);
    if past.done {
        return no("the step is done");
    }
    if (step.is_gate() || step.irreversible().is_some())
        && let Some(need) = progress.open_need(plan, step)
    {
        return no(&format!(
            "it stands behind {need}, which is not done; run `keyless apply`"
        ));
    }
    match &step.op {
        Op::Gate {
            gate: Gate::Approve { .. },
        } => Ok(()),
        Op::Gate {
            gate: Gate::Soak { .. },
        } if past.asks => Ok(()),
        Op::Gate {
            gate: Gate::Soak { .. },
        } => no(
            "it is a soak that apply has not found over, or that the evidence alone decides; \
             `keyless apply` says what it waits for",
        ),
        Op::Gate { .. } => no("what it waits for is tried by keyless itself; run `keyless apply`"),
        _ if past.asks => Ok(()),
        _ if step.irreversible().is_some() => {
            no("apply has not come to it, or was allowed to; run `keyless apply`")
        }
        _ => no("it is no gate"),
    }
}
