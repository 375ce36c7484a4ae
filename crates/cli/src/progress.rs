//! What apply tells while it goes on, and its summary.

use keyless_engine::{Event, Outcome};
use keyless_plan::Plan;

use crate::args::{Common, Format};
use crate::output;

/// Progress on stderr: a line for each step.
pub struct Progress {
    quiet: bool,
    total: usize,
}

impl Progress {
    pub fn new(common: &Common, plan: &Plan) -> Self {
        Self { quiet: common.format == Format::Json, total: plan.steps.len() }
    }

    pub fn tell(&mut self, event: Event) {
        if self.quiet {
            return;
        }
        let line = match event {
            Event::Started { step } => format!("  … {step}"),
            Event::Verifying { step, look, waits_for } if look > 1 => {
                let what = waits_for.unwrap_or_else(|| "not to be seen yet".into());
                format!("    {step}: look {look}, {what}")
            }
            Event::Verifying { .. } => return,
            Event::Done { step, already: true } => format!("  = {step}"),
            Event::Done { step, already: false } => format!("  ✓ {step}"),
            Event::Failed { step, message, next } => {
                format!("  ✗ {step}\n    {message}\n    next: {next}")
            }
            Event::Skipped { .. } => return,
            Event::GateWaits { step, why, until, next } => {
                let until = until.map(|t| format!(", until {t}")).unwrap_or_default();
                format!("  ⧖ {step}\n    {why}{until}\n    next: {next}")
            }
            Event::GateOpened { step, evidence } => format!("  ✓ {step}: {evidence}"),
            Event::Undone { step, because } => format!("  ↶ {step} was taken back: {because}"),
            Event::NotUndone { step, why } => {
                format!("  ✗ {step} could not be taken back: {why}")
            }
            Event::Remark { message } => format!("  {message}"),
        };
        output::note(&line);
    }

    /// How it stands at the end, and what to do next.
    pub fn summary(&self, outcome: &Outcome, plan_file: Option<&str>) -> String {
        let done = outcome.done.len();
        let before = outcome.already.len();
        let mut out = format!("{done} of {} steps done now, {before} before", self.total);
        let count = |n: usize, word: &str| if n == 0 { String::new() } else { format!(", {n} {word}") };
        out += &count(outcome.failed.len(), "failed");
        out += &count(outcome.undone.len(), "taken back");
        out += &count(outcome.waiting.len(), "waiting");
        out += &count(outcome.not_started.len(), "not started");
        let again = plan_file.map_or("keyless apply".to_owned(), |p| format!("keyless apply {p}"));
        if !outcome.failed.is_empty() {
            out += &format!("\nnext: mend what failed, then {again} goes on from there");
        } else if !outcome.waiting.is_empty() || !outcome.not_started.is_empty() {
            out += &format!("\nnext: {again} once the gates can open");
        } else if outcome.blocked > 0 {
            out += &format!("\n{} rows of the plan were held up\nnext: keyless plan", outcome.blocked);
        }
        out
    }
}
