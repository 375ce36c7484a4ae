//! A word now and then while one long wait says nothing, so that a log and a terminal show that the
//! program lives.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use keyless_engine::Event;

use crate::args::{Common, Format};
use crate::output;

const BEAT: Duration = Duration::from_secs(1);

/// Waits for `work`. While nothing is told for long, `what` is, with how long it has been so.
pub async fn while_waiting<T>(
    common: &Common,
    what: impl Fn() -> String,
    work: impl Future<Output = T>,
) -> T {
    if common.format != Format::Text {
        return work.await;
    }
    let (mut now, mut begun) = (what(), Instant::now());
    let mut beat = tokio::time::interval(BEAT);
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                output::end_passing();
                return done;
            }
            _ = beat.tick() => {
                let then = std::mem::replace(&mut now, what());
                if then != now {
                    begun = Instant::now();
                }
                output::still(&format!("{now} ({} s)", begun.elapsed().as_secs()));
            }
        }
    }
}

/// The steps of an apply that are under way, and what each of them waits for.
#[derive(Clone, Default)]
pub struct UnderWay(Arc<Mutex<BTreeMap<String, String>>>);

impl UnderWay {
    pub fn hear(&self, event: &Event) {
        let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { step } => {
                steps.insert(step.clone(), String::new());
            }
            Event::Verifying {
                step,
                look,
                waits_for,
            } => {
                steps.insert(step.clone(), looked(*look, waits_for.as_deref()));
            }
            Event::Done { step, .. }
            | Event::Failed { step, .. }
            | Event::Skipped { step, .. }
            | Event::GateWaits { step, .. }
            | Event::GateOpened { step, .. }
            | Event::Undone { step, .. }
            | Event::NotUndone { step, .. } => {
                steps.remove(step);
            }
            Event::Remark { .. } => {}
        }
    }

    /// In a few words; the first step in full.
    pub fn told(&self) -> String {
        let steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((step, waits)) = steps.iter().next() else {
            return "apply looks at what is live".to_owned();
        };
        match steps.len() - 1 {
            0 => format!("{step}{waits}"),
            others => format!("{step}{waits}, and {others} more"),
        }
    }
}

/// What is missing after the look before this one.
fn looked(look: u32, waits_for: Option<&str>) -> String {
    match (look, waits_for) {
        (..=1, _) => String::new(),
        (_, Some(what)) => format!(": look {look}, {what}"),
        (_, None) => format!(": look {look}, not to be seen yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_told_with_what_it_waits_for_until_it_ends() {
        let steps = UnderWay::default();
        let step = || "prove/x".to_owned();
        let before = steps.told();
        steps.hear(&Event::Verifying {
            step: step(),
            look: 3,
            waits_for: Some("the role is not there yet".into()),
        });
        assert_eq!(steps.told(), "prove/x: look 3, the role is not there yet");
        steps.hear(&Event::Started {
            step: "grant/y".into(),
        });
        assert_eq!(steps.told(), "grant/y, and 1 more");
        for step in [step(), "grant/y".into()] {
            steps.hear(&Event::Done {
                step,
                already: false,
            });
        }
        assert_eq!(steps.told(), before);
    }
}
