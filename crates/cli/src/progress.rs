//! What apply tells while it goes on, and its summary.

use std::io::IsTerminal;

use keyless_engine::{Event, Outcome, Wait};
use keyless_plan::Plan;

use crate::args::{Common, Format};
use crate::output;

/// Progress on stderr: a line for each step that ended, and on a terminal the one that runs.
pub struct Progress {
    quiet: bool,
    terminal: bool,
    total: usize,
    /// The plan's file, for the commands that messages name.
    file: Option<String>,
}

impl Progress {
    pub fn new(common: &Common, plan: &Plan, file: Option<String>) -> Self {
        Self {
            quiet: common.format != Format::Text,
            terminal: std::io::stderr().is_terminal(),
            total: plan.steps.len(),
            file,
        }
    }

    pub fn tell(&mut self, event: Event) {
        if self.quiet {
            return;
        }
        match event {
            Event::Started { step } => self.running(&step),
            Event::Verifying {
                step,
                look,
                waits_for,
            } if look > 1 => {
                let what = waits_for.unwrap_or_else(|| "not to be seen yet".into());
                self.running(&format!("{step}: look {look}, {what}"));
            }
            Event::Verifying { .. } | Event::Skipped { .. } => {}
            // Counted in the summary.
            Event::Done { already: true, .. } => {}
            Event::Done {
                step,
                already: false,
            } => self.line(&format!("  ✓ {step}")),
            Event::Failed {
                step,
                message,
                next,
            } => {
                let next = self.with_file(&next);
                self.line(&format!("  ✗ {step}\n    {message}\n    next: {next}"));
            }
            Event::GateWaits { step, .. } => self.line(&format!("  ⧖ {step}")),
            Event::GateOpened { step, evidence } => self.line(&format!("  ✓ {step}: {evidence}")),
            Event::Undone { step, because } => {
                self.line(&format!("  ↶ {step} was taken back: {because}"));
            }
            Event::NotUndone { step, why } => {
                self.line(&format!("  ✗ {step} could not be taken back: {why}"));
            }
            Event::Remark { message } => self.line(&format!("  {message}")),
        }
    }

    /// The step that runs now: on a terminal the next line takes its place.
    fn running(&self, text: &str) {
        if self.terminal {
            output::passing(&format!("  … {text}"));
        }
    }

    fn line(&self, text: &str) {
        if self.terminal {
            output::passing("");
        }
        output::note(text);
    }

    /// The engine does not know the plan's file, which commands need.
    fn with_file(&self, next: &str) -> String {
        let Some(file) = &self.file else {
            return next.to_owned();
        };
        next.replace("keyless approve ", &format!("keyless approve {file} "))
            .replace("`keyless apply`", &format!("`keyless apply {file}`"))
    }

    /// What waits, told once for all that wait for the same.
    fn waits(&self, outcome: &Outcome) -> String {
        let mut groups: Vec<(String, Vec<&Wait>)> = Vec::new();
        for wait in &outcome.waiting {
            let until = wait.until.map(|t| format!(", until {t}"));
            let until = until.filter(|u| !wait.why.contains(u.trim_start_matches(", ")));
            let why = format!("{}{}", wait.why, until.unwrap_or_default());
            match groups.iter_mut().find(|(known, _)| *known == why) {
                Some((_, waits)) => waits.push(wait),
                None => groups.push((why, vec![wait])),
            }
        }
        let mut out = String::new();
        for (why, waits) in groups {
            out += &format!("⧖ {why}\n");
            for wait in &waits {
                out += &format!("    {}\n", wait.step);
            }
            out += &format!("  next: {}\n", self.next_of(&waits));
        }
        out
    }

    fn next_of(&self, waits: &[&Wait]) -> String {
        match waits {
            [first, _, ..] if first.asks => {
                let file = self.file.as_deref().unwrap_or("PLAN");
                let again = self.again();
                format!("keyless approve {file} STEP… (or --all), then {again}")
            }
            [first, ..] => self.with_file(&first.next),
            [] => String::new(),
        }
    }

    fn again(&self) -> String {
        let file = self.file.as_ref();
        file.map_or("keyless apply".into(), |f| format!("keyless apply {f}"))
    }

    /// How it stands at the end, and what to do next.
    pub fn summary(&self, outcome: &Outcome) -> String {
        let done = outcome.done.len();
        let before = outcome.already.len();
        let mut out = self.waits(outcome);
        out += &format!("{done} of {} steps done now, {before} before", self.total);
        let count = |n: usize, word: &str| {
            if n == 0 {
                String::new()
            } else {
                format!(", {n} {word}")
            }
        };
        out += &count(outcome.failed.len(), "failed");
        out += &count(outcome.undone.len(), "taken back");
        out += &count(outcome.waiting.len(), "waiting");
        out += &count(outcome.not_started.len(), "not started");
        let again = self.again();
        if !outcome.failed.is_empty() {
            out += &format!("\nnext: mend what failed, then {again} goes on from there");
        } else if !outcome.waiting.is_empty() || !outcome.not_started.is_empty() {
            out += &format!("\nnext: {again} once the gates can open");
        } else if outcome.blocked > 0 {
            let rows = outcome.blocked;
            out += &format!("\n{rows} rows of the plan were held up\nnext: keyless plan");
        }
        out
    }
}
