//! A run under way: the plan, what is done of it, and the one way into the journal.
//!
//! Invariant: state and progress change only by folding a record that the store has acknowledged.

use std::collections::BTreeMap;

use keyless_model::State;
use keyless_plan::{Note, Plan, Step};

use crate::apply::Options;
use crate::error::EngineError;
use crate::event::Event;
use crate::fold::fold;
use crate::outcome::{Failure, Outcome, Wait};
use crate::progress::Progress;
use crate::provider::{Provider, Standing};
use crate::record::{Record, SoakLook, What};
use crate::store::StateStore;

pub(crate) struct Run<'a> {
    pub plan: &'a Plan,
    pub provider: &'a dyn Provider,
    store: &'a dyn StateStore,
    pub options: &'a Options,
    tell: &'a mut (dyn FnMut(Event) + Send),
    pub state: State,
    pub progress: Progress,
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
        let held = BTreeMap::new();
        Self {
            plan,
            provider,
            store,
            options,
            tell,
            state,
            progress,
            outcome,
            held,
            looked: BTreeMap::new(),
        }
    }

    pub fn tell(&mut self, event: Event) {
        (self.tell)(event);
    }

    /// Writes a record and, once it is durable, learns from it.
    pub async fn journal(&mut self, record: Record) -> Result<(), EngineError> {
        let record = Record {
            seq: self.state.journal + 1,
            at: self.provider.now(),
            plan: self.plan.id.clone(),
            ..record
        };
        self.store.append(&record).await?;
        self.progress.fold(&record)?;
        fold(&mut self.state, &record);
        Ok(())
    }

    /// Why `step` cannot have its turn yet.
    pub fn held_up(&self, step: &Step) -> Option<String> {
        let need = self.progress.open_need(self.plan, step)?;
        let how = self.held.get(need).copied().unwrap_or("is not done");
        Some(format!("{need} {how}"))
    }

    pub fn hold(&mut self, step: &Step, how: &'static str) {
        self.held.insert(step.id.clone(), how);
    }

    /// The step is done, by this run or by an earlier one that could not say so.
    pub async fn finish(&mut self, step: &Step, message: Option<&str>) -> Result<(), EngineError> {
        let mut record = Record::new(&step.id, What::Done);
        record.notes = step.notes.clone();
        record.message = message.map(str::to_owned);
        self.journal(record).await?;
        self.looked.insert(step.id.clone(), Standing::Done);
        self.outcome.done.push(step.id.clone());
        self.tell(Event::Done {
            step: step.id.clone(),
            already: false,
        });
        Ok(())
    }

    /// The step was done before keyless came to it. What somebody else made is not ours to delete.
    pub async fn found(&mut self, step: &Step) -> Result<(), EngineError> {
        let mut record = Record::new(&step.id, What::Already);
        record.notes = step.notes.iter().cloned().map(not_made).collect();
        self.journal(record).await?;
        self.looked.insert(step.id.clone(), Standing::Done);
        self.outcome.already.push(step.id.clone());
        self.tell(Event::Done {
            step: step.id.clone(),
            already: true,
        });
        Ok(())
    }

    /// The gate opens.
    pub async fn open(
        &mut self,
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
        self.outcome.done.push(step.id.clone());
        self.tell(Event::GateOpened {
            step: step.id.clone(),
            evidence,
        });
        Ok(())
    }

    /// The step failed; `what` is [`What::Failed`] or [`What::Unknown`].
    pub async fn fail(
        &mut self,
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
    pub fn failed(&mut self, step: &Step, code: &'static str, message: String, next: String) {
        self.hold(step, "failed");
        let id = step.id.clone();
        self.tell(Event::Failed {
            step: id.clone(),
            message: message.clone(),
            next: next.clone(),
        });
        self.outcome.failed.push(Failure {
            step: id,
            code,
            message,
            next,
        });
    }

    /// The step waits.
    pub async fn wait(&mut self, wait: Wait, soak: Option<SoakLook>) -> Result<(), EngineError> {
        let mut record = Record::new(&wait.step, What::Waits).saying(&wait.why);
        record.asks = wait.asks;
        record.soak = soak;
        self.journal(record).await?;
        self.held.insert(wait.step.clone(), "waits");
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
        self.outcome.waiting.push(wait);
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
