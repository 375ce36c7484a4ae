//! Gates: steps that change nothing and open when something holds.

use keyless_plan::{Gate, Step};

use crate::error::EngineError;
use crate::event::Event;
use crate::outcome::Wait;
use crate::provider::{Fault, Probe};
use crate::record::What;
use crate::run::Run;

/// What the looks at a gate came to.
enum Found {
    Holds(String),
    Fails { why: String, next: String },
    Waits { why: String, next: String },
}

impl Run<'_> {
    pub(crate) async fn gate(&self, step: &Step, gate: &Gate) -> Result<(), EngineError> {
        match gate {
            Gate::Approve { question } => self.approval(step, question).await,
            Gate::Soak { .. } => self.soak(step, gate).await,
            Gate::Effective { .. } | Gate::Lockable { .. } | Gate::KeyVault { .. } => {
                self.probed(step, gate, false).await
            }
            Gate::Canary { current, .. } => self.probed(step, gate, *current).await,
        }
    }

    async fn approval(&self, step: &Step, question: &str) -> Result<(), EngineError> {
        if let Some(who) = self.past(&step.id).approved {
            return self
                .open(step, format!("approved by {who}"), Some(who), None)
                .await;
        }
        let wait = Wait {
            step: step.id.clone(),
            code: None,
            why: question.to_owned(),
            until: None,
            asks: true,
            next: approve_then_apply(step),
        };
        self.wait(wait, None).await
    }

    /// A gate that the provider can find out about. With `after_switch`, what the gate stands behind
    /// is taken back when it fails.
    async fn probed(
        &self,
        step: &Step,
        gate: &Gate,
        after_switch: bool,
    ) -> Result<(), EngineError> {
        match self.look(step, gate).await {
            Found::Holds(evidence) => self.open(step, evidence, None, None).await,
            Found::Fails { why, next } => {
                self.fail(step, What::Failed, "KL0305", why.clone(), next)
                    .await?;
                if after_switch {
                    self.undo_switches(step, &format!("{} failed: {why}", step.id))
                        .await?;
                }
                Ok(())
            }
            Found::Waits { why, next } => {
                let (id, until) = (step.id.clone(), None);
                let wait = Wait {
                    step: id,
                    code: None,
                    why,
                    until,
                    asks: false,
                    next,
                };
                self.wait(wait, None).await
            }
        }
    }

    /// Probes until the gate holds or fails. A probe that could not be made proves nothing, and
    /// counts as failed: behind a switch, the path that is known to work is the safe one.
    async fn look(&self, step: &Step, gate: &Gate) -> Found {
        let again = || "run `keyless apply` again".to_owned();
        let mut waits_for = None;
        let looks = self.options.looks.max(1);
        for look in 1..=looks {
            if look > 1 && !self.waited(look - 1).await {
                break;
            }
            let told = waits_for.take();
            self.tell(Event::Verifying {
                step: step.id.clone(),
                look,
                waits_for: told,
            });
            match self.provider.probe(step, gate).await {
                Ok(Probe::Holds(evidence)) => return Found::Holds(evidence),
                Ok(Probe::Fails { why, next }) => return Found::Fails { why, next },
                Ok(Probe::Waits(why)) => waits_for = Some(why),
                Ok(Probe::NoEvidence(why)) => return Found::Waits { why, next: again() },
                Ok(Probe::Sample(_)) => {
                    let why =
                        "the probe brought sessions, which say nothing about this gate".into();
                    return Found::Waits { why, next: again() };
                }
                Err(Fault::Transient { message }) if look < looks => waits_for = Some(message),
                Err(fault) => {
                    let why = format!("it could not be tried: {}", fault.message());
                    return Found::Fails { why, next: again() };
                }
            }
        }
        Found::Waits {
            why: waits_for.unwrap_or_default(),
            next: again(),
        }
    }
}

/// The two commands that open a gate that asks a person.
pub(crate) fn approve_then_apply(step: &Step) -> String {
    format!(
        "run `keyless approve {}`, then `keyless apply` again",
        step.id
    )
}
