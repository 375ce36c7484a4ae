//! What apply tells while it goes on, and its summary.

use std::collections::BTreeSet;
use std::io::IsTerminal;

use keyless_engine::{Event, Outcome, Wait};
use keyless_plan::Plan;
use keyless_report::counted;

use crate::again;
use crate::args::{Common, Format};
use crate::heartbeat::UnderWay;
use crate::output;

/// Progress on stderr: a line for each step that ended, and on a terminal the one that runs.
pub struct Progress {
    quiet: bool,
    terminal: bool,
    under_way: UnderWay,
    steps: usize,
    gates: BTreeSet<String>,
    apply: String,
    approve: String,
    plan: String,
}

impl Progress {
    /// `file` is where the plan is kept.
    pub fn new(common: &Common, plan: &Plan, file: &str) -> Self {
        let gates = plan.steps.iter().filter(|s| s.is_gate());
        let gates: BTreeSet<String> = gates.map(|s| s.id.clone()).collect();
        Self {
            quiet: common.format != Format::Text,
            terminal: std::io::stderr().is_terminal(),
            under_way: UnderWay::default(),
            steps: plan.steps.len() - gates.len(),
            gates,
            apply: again::command(common, "apply", file),
            approve: again::command(common, "approve", file),
            plan: again::command(common, "plan", ""),
        }
    }

    /// What is under way, for whoever waits.
    pub fn under_way(&self) -> UnderWay {
        self.under_way.clone()
    }

    pub fn tell(&mut self, event: Event) {
        if self.quiet {
            return;
        }
        self.under_way.hear(&event);
        match event {
            Event::Started { .. } | Event::Verifying { .. } => {
                if self.terminal {
                    output::passing(&format!("  … {}", self.under_way.told()));
                }
            }
            // Counted in the summary.
            Event::Skipped { .. } | Event::Done { already: true, .. } => {}
            Event::Done {
                step,
                already: false,
            } => output::note(&format!("  ✓ {step}")),
            Event::Failed {
                step,
                message,
                next,
            } => {
                let next = self.with_file(&next);
                output::note(&format!("  ✗ {step}\n    {message}\n    next: {next}"));
            }
            Event::GateWaits { step, .. } => output::note(&format!("  ⧖ {step}")),
            Event::GateOpened { step, evidence } => {
                output::note(&format!("  ✓ {step}: {evidence}"));
            }
            Event::Undone { step, because } => {
                output::note(&format!("  ↶ {step} was taken back: {because}"));
            }
            Event::NotUndone { step, why } => {
                output::note(&format!("  ✗ {step} could not be taken back: {why}"));
            }
            Event::Remark { message } => output::note(&format!("  {message}")),
        }
    }

    /// The engine does not know the plan's file, which commands need.
    fn with_file(&self, next: &str) -> String {
        next.replace("`keyless apply`", &format!("`{}`", self.apply))
            .replace("`keyless plan`", &format!("`{}`", self.plan))
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
            [first, ..] if first.code == Some("KL0304") => format!(
                "{} --allow-irreversible, or {} STEP…, then {}",
                self.apply, self.approve, self.apply
            ),
            [first, _, ..] if first.asks => {
                format!("{} STEP… (or --all), then {}", self.approve, self.apply)
            }
            [first] if first.asks => format!(
                "{} {}, then {}",
                self.approve,
                again::word(&first.step),
                self.apply
            ),
            [first, ..] => self.with_file(&first.next),
            [] => String::new(),
        }
    }

    /// How it stands at the end, and what to do next. Steps and gates are counted as `plan` does.
    pub fn summary(&self, outcome: &Outcome, stopped: bool) -> String {
        let mut out = self.waits(outcome);
        out += &self.counts(outcome);
        let again = &self.apply;
        if stopped && outcome.exit_code() != 0 {
            out += &format!("\nstopped, as you asked; next: {again} goes on from here");
        } else if !outcome.failed.is_empty() {
            out += &format!("\nnext: mend what failed, then {again} goes on from there");
        } else if !outcome.waiting.is_empty() || !outcome.not_started.is_empty() {
            out += &format!("\nnext: {again} {}", when(outcome));
        } else if outcome.blocked > 0 {
            let rows = counted(
                outcome.blocked,
                "row of the plan is",
                "rows of the plan are",
            );
            out += &format!("\n{rows} held up still\nnext: {}", self.plan);
        }
        out
    }

    /// `60 of 74 steps and 18 of 44 gates done, 70 of them in this run; 14 waiting`
    fn counts(&self, outcome: &Outcome) -> String {
        let ended = outcome.done.iter().chain(&outcome.already);
        let (gates, steps): (Vec<&String>, Vec<&String>) =
            ended.partition(|id| self.gates.contains(*id));
        let mut out = format!(
            "{} of {}",
            steps.len(),
            counted(self.steps, "step", "steps")
        );
        if !self.gates.is_empty() {
            let all = counted(self.gates.len(), "gate", "gates");
            out += &format!(" and {} of {all}", gates.len());
        }
        out += " done";
        if !outcome.already.is_empty() {
            out += &format!(", {} of them in this run", outcome.done.len());
        }
        let rest = [
            (outcome.failed.len(), "failed"),
            (outcome.undone.len(), "taken back"),
            (outcome.waiting.len(), "waiting"),
            (outcome.not_started.len(), "not started"),
        ];
        let rest = rest.into_iter().filter(|(n, _)| *n > 0);
        let rest: Vec<String> = rest.map(|(n, word)| format!("{n} {word}")).collect();
        if !rest.is_empty() {
            out += &format!("; {}", rest.join(", "));
        }
        out
    }
}

/// When it is worth to run again: something that does not wait for time alone may open before.
fn when(outcome: &Outcome) -> String {
    let irreversible = |w: &Wait| w.code == Some("KL0304");
    if outcome.waiting.iter().any(|w| w.asks && !irreversible(w)) {
        return "once what asks is approved".to_owned();
    }
    if outcome.waiting.iter().any(irreversible) {
        return "--allow-irreversible, if what cannot be undone is right".to_owned();
    }
    let first = outcome.waiting.iter().map(|w| w.until).min().flatten();
    first.map_or("once the gates can open".into(), |first| {
        format!("after {first}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(steps: usize, gates: &[&str]) -> Progress {
        Progress {
            quiet: false,
            terminal: false,
            under_way: UnderWay::default(),
            steps,
            gates: gates.iter().map(|g| (*g).to_owned()).collect(),
            apply: "keyless apply plan.json".into(),
            approve: "keyless approve plan.json".into(),
            plan: "keyless plan".into(),
        }
    }

    fn ids(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn steps_and_gates_are_counted_apart_as_the_plan_counts_them() {
        let outcome = Outcome {
            done: ids(&["grant", "prove"]),
            already: ids(&["identify"]),
            ..Outcome::default()
        };
        assert_eq!(
            progress(3, &["prove", "confirm"]).summary(&outcome, false),
            "2 of 3 steps and 1 of 2 gates done, 2 of them in this run"
        );
        let outcome = Outcome {
            done: ids(&["grant"]),
            ..Outcome::default()
        };
        assert_eq!(
            progress(1, &[]).summary(&outcome, false),
            "1 of 1 step done"
        );
    }

    #[test]
    fn the_last_line_says_when_to_go_on() {
        let wait = |code, until: Option<i64>, asks| Wait {
            step: "confirm".into(),
            code,
            why: "it soaks".into(),
            until: until.map(keyless_model::Timestamp::from_unix),
            asks,
            next: String::new(),
        };
        let told = |waiting: &[Wait]| {
            let outcome = Outcome {
                waiting: waiting.to_vec(),
                ..Outcome::default()
            };
            when(&outcome)
        };
        let soak = wait(None, Some(86_400), false);
        assert_eq!(
            told(std::slice::from_ref(&soak)),
            "after 1970-01-02T00:00:00Z"
        );
        let vault = wait(None, None, false);
        assert_eq!(told(&[soak.clone(), vault]), "once the gates can open");
        let dropping = wait(Some("KL0304"), None, false);
        assert!(told(&[soak.clone(), dropping]).starts_with("--allow-irreversible"));
        assert_eq!(
            told(&[soak, wait(None, None, true)]),
            "once what asks is approved"
        );
    }

    #[test]
    fn a_run_that_was_stopped_says_how_to_go_on() {
        let left = Outcome {
            blocked: 1,
            ..Outcome::default()
        };
        let said = progress(1, &[]).summary(&left, true);
        assert!(
            said.ends_with("next: keyless apply plan.json goes on from here"),
            "{said}"
        );
        let too_late = progress(1, &[]).summary(&Outcome::default(), true);
        assert!(!too_late.contains("next:"), "{too_late}");
    }
}
