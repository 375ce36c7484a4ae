//! What a step that switches, closes or removes something stands on, looked at again.
//!
//! Invariant: nothing is switched, closed, locked or removed while a done step that it needs reads otherwise.
//! A plan lives for weeks, and somebody may change its work back in the meantime.

use std::collections::BTreeSet;

use keyless_plan::{Phase, Step};

use crate::error::EngineError;
use crate::provider::Standing;
use crate::record::What;
use crate::run::Run;

impl<'a> Run<'a> {
    /// Fails `step` when what it stands on is not so any more, or cannot be seen. Whether it may go
    /// on. Every step below is looked at once a run.
    pub(crate) async fn still_stands(&self, step: &Step) -> Result<bool, EngineError> {
        if step.phase < Phase::Switch {
            return Ok(true);
        }
        for below in self.below(step) {
            let (what, code, how, next) = match self.looked_at(below).await {
                Standing::Done => continue,
                Standing::Unreadable(why) => (
                    What::Unknown,
                    "KL0305",
                    format!("could not be looked at again, so nothing was written: {why}"),
                    "make it readable, then run `keyless apply` again",
                ),
                Standing::Ready => (
                    What::Failed,
                    "KL0302",
                    "was changed back since it was done".to_owned(),
                    AGAIN,
                ),
                Standing::Conflict { found } => (
                    What::Failed,
                    "KL0302",
                    format!("was changed since it was done: {found}"),
                    AGAIN,
                ),
            };
            let message = format!("{} {how}", below.id);
            self.fail(step, what, code, message, next.into()).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// How live stands to a done step: looked at once in a run.
    async fn looked_at(&self, step: &Step) -> Standing {
        let known = self.shared().looked.get(&step.id).cloned();
        if let Some(standing) = known {
            return standing;
        }
        let standing = self.standing(step).await;
        let mut shared = self.shared();
        shared.looked.insert(step.id.clone(), standing.clone());
        standing
    }

    /// The done writes that `step` needs, directly or through others, whose work must still be
    /// there: the new path, and the old one closed. What this plan has removed since is not looked
    /// for, nor what it parks: it removes that itself.
    fn below(&self, step: &Step) -> Vec<&'a Step> {
        let plan = self.plan;
        let mut needed: BTreeSet<&str> = step.needs.iter().map(String::as_str).collect();
        // No step stands before one that it needs, so one pass from the end finds all.
        let mut below = Vec::new();
        for step in plan.steps.iter().rev() {
            if needed.contains(step.id.as_str()) {
                needed.extend(step.needs.iter().map(String::as_str));
                below.push(step);
            }
        }
        let looked_for = |s: &&Step| {
            let kept = match s.phase {
                Phase::Identify | Phase::Grant | Phase::Switch => true,
                Phase::Disable => !self.removed(s),
                Phase::Observe
                | Phase::Park
                | Phase::Prove
                | Phase::Confirm
                | Phase::Lock
                | Phase::Retire => false,
            };
            kept && !s.is_gate() && self.is_done(&s.id)
        };
        below.into_iter().rev().filter(looked_for).collect()
    }

    /// Whether a done step of this plan removed what `step` changed.
    fn removed(&self, step: &Step) -> bool {
        self.plan
            .steps
            .iter()
            .any(|s| s.phase == Phase::Retire && s.address == step.address && self.is_done(&s.id))
    }
}

const AGAIN: &str = "run `keyless plan` again and look at what it shows";
