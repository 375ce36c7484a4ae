//! A run under way: the plan, what is done of it, and the one way into the journal.
//!
//! Invariant: state and progress change only by folding a record that the store has acknowledged,
//! one record at a time. Steps of several lanes share a run, so nothing that they share is held
//! while one of them waits for a service.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keyless_model::State;
use keyless_plan::{Note, Plan, Step};

use crate::apply::Options;
use crate::error::EngineError;
use crate::event::Event;
use crate::fold::fold;
use crate::outcome::{Failure, NotStarted, Outcome, Wait};
use crate::progress::{Past, Progress};
use crate::provider::{Provider, Standing};
use crate::record::{Record, SoakLook, What};
use crate::store::StateStore;

pub(crate) struct Run<'a> {
    pub plan: &'a Plan,
    pub provider: &'a dyn Provider,
    store: &'a dyn StateStore,
    pub options: &'a Options,
    /// Whose turn it is to write to the store, and why an append failed, if one did: nobody knows
    /// how much of it is on the disk, so that nothing may follow it.
    turn: futures::lock::Mutex<Option<String>>,
    shared: Mutex<Shared<'a>>,
}

/// What the lanes of a run share.
pub(crate) struct Shared<'a> {
    tell: &'a mut (dyn FnMut(Event) + Send),
    pub state: State,
    progress: Progress,
    pub outcome: Outcome,
    /// Steps that hold up what needs them, and how.
    held: BTreeMap<String, &'static str>,
    /// How live stood to done steps when this run last looked at them.
    pub looked: BTreeMap<String, Standing>,
}

impl<'a> Run<'a> {
    pub fn new(
        plan: &'a Plan,
        provider: &'a dyn Provider,
        store: &'a dyn StateStore,
        options: &'a Options,
        tell: &'a mut (dyn FnMut(Event) + Send),
        state: State,
        progress: Progress,
    ) -> Self {
        let outcome = Outcome {
            blocked: plan.waiting.len(),
            ..Outcome::default()
        };
        let shared = Shared {
            tell,
            state,
            progress,
            outcome,
            held: BTreeMap::new(),
            looked: BTreeMap::new(),
        };
        Self {
            plan,
            provider,
            store,
            options,
            turn: futures::lock::Mutex::new(None),
            shared: Mutex::new(shared),
        }
    }

    /// For a moment; never across an await. A panic of another lane ends the run anyway.
    pub fn shared(&self) -> MutexGuard<'_, Shared<'a>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn tell(&self, event: Event) {
        (self.shared().tell)(event);
    }

    /// What the journal knows of a step.
    pub fn past(&self, id: &str) -> Past {
        self.shared().progress.step(id)
    }

    pub fn is_done(&self, id: &str) -> bool {
        self.shared().progress.done(id)
    }

    /// Keeps the state as it is by now.
    pub async fn save(&self) -> Result<(), EngineError> {
        let _turn = self.turn.lock().await;
        let state = self.shared().state.clone();
        self.store.save(&state).await
    }

    /// What the run came to, each list in the order of the plan.
    pub fn outcome(self) -> Outcome {
        let shared = self
            .shared
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        shared.outcome.in_order_of(self.plan)
    }

    /// Waits before another try at something. False when the run is asked to stop: then none follows.
    pub async fn waited(&self, look: u32) -> bool {
        if !self.options.stopping() {
            self.provider.wait(look).await;
        }
        !self.options.stopping()
    }

    /// A step that was done is not any more.
    pub fn not_done(&self, step: &Step) {
        let mut shared = self.shared();
        shared.outcome.done.retain(|id| *id != step.id);
        shared.outcome.already.retain(|id| *id != step.id);
    }

    /// Writes a record and, once it is durable, learns from it.
    pub async fn journal(&self, record: Record) -> Result<(), EngineError> {
        let mut turn = self.turn.lock().await;
        if let Some(why) = &*turn {
            return Err(EngineError::Store {
                doing: "writing to the journal after a record that failed".to_owned(),
                source: std::io::Error::other(why.clone()),
            });
        }
        let record = Record {
            seq: self.shared().state.journal + 1,
            at: self.provider.now(),
            plan: self.plan.id.clone(),
            ..record
        };
        if let Err(error) = self.store.append(&record).await {
            *turn = Some(error.to_string());
            return Err(error);
        }
        let shared = &mut *self.shared();
        shared.progress.fold(&record)?;
        fold(&mut shared.state, &record);
        Ok(())
    }

    /// Why `step` cannot have its turn yet.
    pub fn held_up(&self, step: &Step) -> Option<String> {
        let shared = self.shared();
        let need = shared.progress.open_need(self.plan, step)?;
        let how = shared.held.get(need).copied().unwrap_or("is not done");
        Some(format!("{need} {how}"))
    }

    pub fn hold(&self, step: &Step, how: &'static str) {
        self.shared().held.insert(step.id.clone(), how);
    }

    /// The step does not get its turn.
    pub fn not_started(&self, step: &Step, because: String) {
        self.hold(step, "was not started");
        let id = step.id.clone();
        self.tell(Event::Skipped {
            step: id.clone(),
            because: because.clone(),
        });
        let row = NotStarted { step: id, because };
        self.shared().outcome.not_started.push(row);
    }

    /// The step is done, by this run or by an earlier one that could not say so.
    pub async fn finish(&self, step: &Step, message: Option<&str>) -> Result<(), EngineError> {
        let mut record = Record::new(&step.id, What::Done);
        record.notes = step.notes.clone();
        record.message = message.map(str::to_owned);
        self.journal(record).await?;
        self.shared().looked.insert(step.id.clone(), Standing::Done);
        self.shared().outcome.done.push(step.id.clone());
        self.tell(Event::Done {
            step: step.id.clone(),
            already: false,
        });
        Ok(())
    }

    /// The step was done before keyless came to it. What somebody else made is not ours to delete.
    pub async fn found(&self, step: &Step) -> Result<(), EngineError> {
        let mut record = Record::new(&step.id, What::Already);
        record.notes = step.notes.iter().cloned().map(not_made).collect();
        self.journal(record).await?;
        self.shared().looked.insert(step.id.clone(), Standing::Done);
        self.shared().outcome.already.push(step.id.clone());
        self.tell(Event::Done {
            step: step.id.clone(),
            already: true,
        });
        Ok(())
    }

    /// The gate opens.
    pub async fn open(
        &self,
        step: &Step,
        evidence: String,
        approver: Option<String>,
        soak: Option<SoakLook>,
    ) -> Result<(), EngineError> {
        let mut record = Record::new(&step.id, What::Done);
        record.notes = step.notes.clone();
        record.evidence = Some(evidence.clone());
        record.approver = approver;
        record.soak = soak;
        self.journal(record).await?;
        self.shared().outcome.done.push(step.id.clone());
        self.tell(Event::GateOpened {
            step: step.id.clone(),
            evidence,
        });
        Ok(())
    }

    /// The step failed; `what` is [`What::Failed`] or [`What::Unknown`].
    pub async fn fail(
        &self,
        step: &Step,
        what: What,
        code: &'static str,
        message: String,
        next: String,
    ) -> Result<(), EngineError> {
        self.journal(Record::new(&step.id, what).saying(&message))
            .await?;
        self.failed(step, code, message, next);
        Ok(())
    }

    /// As [`Run::fail`], where the journal already says so.
    pub fn failed(&self, step: &Step, code: &'static str, message: String, next: String) {
        self.hold(step, "failed");
        let id = step.id.clone();
        self.tell(Event::Failed {
            step: id.clone(),
            message: message.clone(),
            next: next.clone(),
        });
        self.shared().outcome.failed.push(Failure {
            step: id,
            code,
            message,
            next,
        });
    }

    /// The step waits.
    pub async fn wait(&self, wait: Wait, soak: Option<SoakLook>) -> Result<(), EngineError> {
        let mut record = Record::new(&wait.step, What::Waits).saying(&wait.why);
        record.asks = wait.asks;
        record.soak = soak;
        self.journal(record).await?;
        self.shared().held.insert(wait.step.clone(), "waits");
        let Wait {
            step,
            why,
            until,
            next,
            ..
        } = wait.clone();
        self.tell(Event::GateWaits {
            step,
            why,
            until,
            next,
        });
        self.shared().outcome.waiting.push(wait);
        Ok(())
    }
}

fn not_made(note: Note) -> Note {
    match note {
        Note::Applied {
            address,
            sent,
            made: _,
        } => Note::Applied {
            address,
            made: false,
            sent,
        },
        other => other,
    }
}
