//! Taking a step back in the run that made it: a switch that does not verify, or whose canary
//! fails.
//!
//! Invariant: the journal says that a step is being taken back before the request goes out, so a
//! run that is killed in between takes it back first when it runs again.

use keyless_plan::{Phase, Step, Undo};

use crate::error::EngineError;
use crate::event::Event;
use crate::provider::{Fault, Standing};
use crate::record::{Record, What};
use crate::run::Run;
use crate::write::by_hand;

impl Run<'_> {
    /// Takes `step` back and reads that it is. The inner error says why it still stands.
    pub(crate) async fn undo(
        &self,
        step: &Step,
        because: &str,
    ) -> Result<Result<(), String>, EngineError> {
        if let Undo::Nothing { why } | Undo::Never { why } = &step.undo {
            let why = format!("it cannot be taken back: {why}");
            self.tell(Event::NotUndone {
                step: step.id.clone(),
                why: why.clone(),
            });
            return Ok(Err(why));
        }
        let learned = self.past(&step.id).learned;
        self.journal(Record::new(&step.id, What::Undoing).saying(because))
            .await?;
        if let Err(why) = self.send_back(step).await {
            let why = format!("it could not be taken back: {why}");
            self.journal(Record::new(&step.id, What::UndoFailed).saying(&why))
                .await?;
            self.hold(step, "could not be taken back");
            self.tell(Event::NotUndone {
                step: step.id.clone(),
                why: why.clone(),
            });
            return Ok(Err(why));
        }
        let mut record = Record::new(&step.id, What::Undone).saying(because);
        if learned {
            record.notes = step.notes.clone();
        }
        self.journal(record).await?;
        self.hold(step, "was taken back");
        self.tell(Event::Undone {
            step: step.id.clone(),
            because: because.to_owned(),
        });
        Ok(Ok(()))
    }

    /// Takes back the switch steps that `gate` needs and this plan did, the last one first.
    pub(crate) async fn undo_switches(
        &self,
        gate: &Step,
        because: &str,
    ) -> Result<(), EngineError> {
        let plan = self.plan;
        for step in plan
            .steps
            .iter()
            .rev()
            .filter(|s| gate.needs.contains(&s.id))
        {
            let past = self.past(&step.id);
            if step.phase != Phase::Switch || step.is_gate() || !past.done || past.already {
                continue;
            }
            let undone = self.undo(step, because).await?;
            self.not_done(step);
            match undone {
                Ok(()) => self.shared().outcome.undone.push(step.id.clone()),
                Err(why) => self.failed(step, "KL0305", why, by_hand(step)),
            }
        }
        Ok(())
    }

    async fn send_back(&self, step: &Step) -> Result<(), String> {
        let looks = self.options.looks.max(1);
        let mut seen = String::new();
        let mut sent = false;
        for look in 1..=looks {
            // The journal says that the step is being taken back: the next run does that first.
            if look > 1 && !self.waited(look - 1).await {
                break;
            }
            if !sent {
                match self.provider.undo(step).await {
                    Ok(()) => sent = true,
                    Err(Fault::Refused { message }) => return Err(message),
                    // It is harmless where the step already is taken back, so it may be sent again.
                    Err(fault) => seen = fault.message().to_owned(),
                }
            }
            match self.provider.check(step).await {
                Ok(Standing::Ready) => return Ok(()),
                Ok(Standing::Done) if sent => seen = "it still reads as switched".to_owned(),
                Ok(Standing::Conflict { found }) => seen = format!("it reads otherwise: {found}"),
                Ok(Standing::Unreadable(why)) => seen = why,
                Ok(Standing::Done) => {}
                Err(fault) => seen = fault.message().to_owned(),
            }
        }
        Err(seen)
    }
}
