//! A step that writes: look, send, read back.
//!
//! Invariant: a request is sent only when live is as the step expects, and only after the journal
//! says so; one that closes or removes something, only while what it stands on still reads as done;
//! the step counts as done only when live reads back as wanted.

use keyless_plan::{Phase, Step};

use crate::apply::STOPPED;
use crate::error::EngineError;
use crate::event::Event;
use crate::outcome::Wait;
use crate::provider::{Fault, Standing};
use crate::record::{Record, What};
use crate::run::Run;

/// How a request ended.
enum Sent {
    /// Answered, or with no answer that came back: why.
    Out(Option<String>),
    /// Live moved between the look and the request.
    Changed(String),
    No(String),
}

impl Run<'_> {
    pub(crate) async fn write(&self, step: &Step) -> Result<(), EngineError> {
        if self.past(&step.id).undoing {
            let because = "the run before ended while the step was being taken back";
            if let Err(why) = self.undo(step, because).await? {
                self.failed(step, "KL0305", why, by_hand(step));
                return Ok(());
            }
        }
        let mut changed = String::new();
        for _ in 0..self.options.looks.max(1) {
            match self.standing(step).await {
                Standing::Ready => {}
                Standing::Done if self.past(&step.id).ours => {
                    let message = "the run before sent it and ended before it could read it back";
                    return self.finish(step, Some(message)).await;
                }
                Standing::Done => return self.found(step).await,
                Standing::Conflict { found } => return self.conflict(step, &found).await,
                Standing::Unreadable(why) => return self.unreadable(step, &why).await,
            }
            if !self.still_stands(step).await? {
                return Ok(());
            }
            let may = self.options.allow_irreversible || self.past(&step.id).approved.is_some();
            if let Some(why) = step.irreversible().filter(|_| !may) {
                return self.wait(needs_a_word(step, why), None).await;
            }
            if self.options.stopping() {
                self.not_started(step, STOPPED.to_owned());
                return Ok(());
            }
            match self.send(step).await? {
                Sent::Out(unanswered) => return self.verify(step, unanswered).await,
                Sent::No(message) | Sent::Changed(message) if self.options.stopping() => {
                    let next = "the run was asked to stop before another try: run `keyless apply` \
                                again";
                    return self
                        .fail(step, What::Failed, "KL0305", message, next.into())
                        .await;
                }
                Sent::No(message) => {
                    let next = "mend what the message names, then run `keyless apply` again";
                    return self
                        .fail(step, What::Failed, "KL0305", message, next.into())
                        .await;
                }
                Sent::Changed(message) => changed = message,
            }
        }
        let message = format!("{} kept changing under the step: {changed}", step.address);
        let next = "find out who else writes there, then run `keyless apply` again".to_owned();
        self.fail(step, What::Failed, "KL0302", message, next).await
    }

    /// Looks at live, again where a look may succeed in a moment. Ignorance is a value.
    pub(crate) async fn standing(&self, step: &Step) -> Standing {
        let mut look = 1;
        loop {
            match self.provider.check(step).await {
                Ok(standing) => return standing,
                Err(fault) => {
                    let again = matches!(fault, Fault::Transient { .. });
                    if !again || look >= self.options.looks || !self.waited(look).await {
                        return Standing::Unreadable(fault.message().to_owned());
                    }
                    look += 1;
                }
            }
        }
    }

    async fn send(&self, step: &Step) -> Result<Sent, EngineError> {
        self.journal(Record::new(&step.id, What::Started)).await?;
        self.tell(Event::Started {
            step: step.id.clone(),
        });
        let mut look = 1;
        loop {
            return Ok(match self.provider.act(step).await {
                Ok(()) => Sent::Out(None),
                Err(Fault::OutcomeUnknown { message }) => Sent::Out(Some(message)),
                Err(Fault::Changed { message }) => Sent::Changed(message),
                Err(Fault::Refused { message }) => Sent::No(message),
                Err(Fault::Transient { message }) => {
                    if look < self.options.looks && self.waited(look).await {
                        look += 1;
                        continue;
                    }
                    Sent::No(message)
                }
            });
        }
    }

    /// Reads back until the step shows as done. `unanswered` tells why the request has no answer.
    async fn verify(&self, step: &Step, unanswered: Option<String>) -> Result<(), EngineError> {
        let mut seen = None;
        for look in 1..=self.options.looks.max(1) {
            if look > 1 {
                self.provider.wait(look - 1).await;
            }
            let waits_for = seen.take();
            self.tell(Event::Verifying {
                step: step.id.clone(),
                look,
                waits_for,
            });
            seen = Some(match self.provider.check(step).await {
                Ok(Standing::Done) => return self.finish(step, unanswered.as_deref()).await,
                Ok(Standing::Ready) => "it still reads as before".to_owned(),
                Ok(Standing::Conflict { found }) => format!("it reads back otherwise: {found}"),
                Ok(Standing::Unreadable(why)) => format!("it could not be read back: {why}"),
                Err(fault) => format!("it could not be read back: {}", fault.message()),
            });
            if self.options.stopping() {
                return self.stopped(step, seen.unwrap_or_default()).await;
            }
        }
        let seen = seen.unwrap_or_default();
        let message = match unanswered {
            Some(unanswered) => format!("{unanswered}; {seen}"),
            None => format!("the request was accepted, but {seen}"),
        };
        if step.phase == Phase::Switch {
            return self.back_out(step, message).await;
        }
        let next = "run `keyless apply` again: it reads first and goes on from what it finds";
        self.fail(step, What::Unknown, "KL0305", message, next.into())
            .await
    }

    /// Somebody wants the run to end: that the step does not show yet proves nothing, so even a
    /// switch is left for the next run, which looks first.
    async fn stopped(&self, step: &Step, seen: String) -> Result<(), EngineError> {
        let message = format!("the request was sent, and the run was asked to stop: {seen}");
        let next = "run `keyless apply` again: it reads first and goes on from what it finds";
        self.fail(step, What::Unknown, "KL0305", message, next.into())
            .await
    }

    /// A switch that does not read back is not left standing.
    async fn back_out(&self, step: &Step, message: String) -> Result<(), EngineError> {
        match self.undo(step, &message).await? {
            Ok(()) => {
                let message = format!("{message}; the switch was taken back");
                let next = "callers use the old path again; find out why the new text does not \
                            hold, then run `keyless apply` again";
                self.fail(step, What::Failed, "KL0305", message, next.into())
                    .await
            }
            Err(why) => {
                let message = format!("{message}; {why}");
                self.fail(step, What::Unknown, "KL0305", message, by_hand(step))
                    .await
            }
        }
    }

    /// Live is neither as the step expects it nor as it would leave it. A switch that an earlier
    /// run sent and never read back is then one that does not verify: the old path still works, so
    /// going back to it is safe whoever changed what.
    async fn conflict(&self, step: &Step, found: &str) -> Result<(), EngineError> {
        if step.phase == Phase::Switch && self.past(&step.id).ours {
            let message = format!("an earlier run sent it, and it reads back otherwise: {found}");
            return self.back_out(step, message).await;
        }
        let message = format!(
            "{} has changed since the plan was made: {found}",
            step.address
        );
        let next = "run `keyless plan` again and look at what it shows".to_owned();
        self.fail(step, What::Failed, "KL0302", message, next).await
    }

    async fn unreadable(&self, step: &Step, why: &str) -> Result<(), EngineError> {
        let message = format!(
            "{} could not be read, so nothing was written: {why}",
            step.address
        );
        let next = "make it readable, then run `keyless apply` again".to_owned();
        self.fail(step, What::Unknown, "KL0305", message, next)
            .await
    }
}

/// What is left when a switch can neither be verified nor taken back.
pub(crate) fn by_hand(step: &Step) -> String {
    format!(
        "look at {} and at the calls that go through it now; then run `keyless apply` again, which \
         first takes the step back",
        step.address
    )
}

fn needs_a_word(step: &Step, why: &str) -> Wait {
    Wait {
        step: step.id.clone(),
        code: Some("KL0304"),
        why: format!("it cannot be undone: {why}"),
        until: None,
        asks: true,
        next: "run `keyless apply` again with --allow-irreversible, or have somebody approve it \
               with `keyless approve`"
            .to_owned(),
    }
}
