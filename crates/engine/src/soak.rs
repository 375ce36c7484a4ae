//! A soak: time in which nobody logs in as an old principal.
//!
//! Invariant: no evidence is not clean. The soak counts from the switch (or the disabling), or from
//! the last login of an old principal that was seen after it; it ends only when the time is over
//! and a look after its end saw none. What cannot be seen, a person answers for.

use std::collections::BTreeSet;

use keyless_model::sql::same_name;
use keyless_model::{Address, Evidence, Sample, Seconds, Session, State, Timestamp};
use keyless_plan::{Gate, Mark, Step};

use crate::error::EngineError;
use crate::event::Event;
use crate::gate::approve_then_apply;
use crate::outcome::Wait;
use crate::provider::{Fault, Probe};
use crate::record::{MarkAt, SoakLook};
use crate::run::Run;

/// A soak as one run sees it.
struct Soak<'a> {
    step: &'a Step,
    seconds: Seconds,
    principals: &'a BTreeSet<(Address, String)>,
    now: Timestamp,
    since: Timestamp,
    look: SoakLook,
    /// Who logged in, when that begins the soak anew.
    intruders: Vec<String>,
    /// What only a person can answer for.
    questions: Vec<String>,
}

impl Run<'_> {
    pub(crate) async fn soak(&mut self, step: &Step, gate: &Gate) -> Result<(), EngineError> {
        let Gate::Soak {
            access,
            since,
            seconds,
            evidence,
            principals,
        } = gate
        else {
            return Err(EngineError::Plan(format!("{} is no soak", step.id)));
        };
        // Taken before the look at the sessions: a look never counts for a later time.
        let now = self.provider.now();
        let look = SoakLook {
            access: access.clone(),
            mark: None,
            sample: None,
        };
        let mut soak = Soak {
            step,
            seconds: *seconds,
            principals,
            now,
            since: now,
            look,
            intruders: vec![],
            questions: questions(evidence),
        };
        match marked(&self.state, access, *since) {
            Some(at) => soak.since = at,
            None => {
                soak.look.mark = Some(MarkAt {
                    mark: *since,
                    at: now,
                });
                let message =
                    format!("the state does not know since when {access} soaks: from now");
                self.tell(Event::Remark { message });
            }
        }
        let decides = evidence.contains(&Evidence::Sessions);
        match self.sample(step, gate).await {
            Ok(sessions) => soak.saw(&sessions, decides.then_some(*since)),
            Err(why) if decides => {
                soak.questions
                    .push(format!("the sessions could not be seen: {why}"));
            }
            Err(_) => {}
        }
        self.settle(soak).await
    }

    async fn sample(&self, step: &Step, gate: &Gate) -> Result<Vec<Session>, String> {
        let mut look = 1;
        loop {
            match self.provider.probe(step, gate).await {
                Ok(Probe::Sample(sessions)) => return Ok(sessions),
                Ok(Probe::NoEvidence(why) | Probe::Waits(why) | Probe::Fails { why, .. }) => {
                    return Err(why);
                }
                Ok(Probe::Holds(_)) => return Err("the probe brought no sessions".to_owned()),
                Err(Fault::Transient { .. }) if look < self.options.looks => {
                    self.provider.wait(look).await;
                    look += 1;
                }
                Err(fault) => return Err(fault.message().to_owned()),
            }
        }
    }

    async fn settle(&mut self, soak: Soak<'_>) -> Result<(), EngineError> {
        let until = soak.since.plus(soak.seconds);
        let restarted = !soak.intruders.is_empty();
        let approved = self
            .progress
            .step(&soak.step.id)
            .approved
            .filter(|_| !restarted);
        let unanswered = !soak.questions.is_empty() && approved.is_none();
        if soak.now >= until && !restarted && !unanswered {
            let evidence = soak.evidence(approved.as_deref());
            return self
                .open(soak.step, evidence, approved, Some(soak.look))
                .await;
        }
        let mut why = Vec::new();
        if restarted {
            let who = soak.intruders.join(", ");
            why.push(format!("{who} logged in; the soak begins anew from there"));
        }
        if soak.now < until || restarted {
            why.push(format!(
                "no login of {} may be seen until {until}",
                soak.names()
            ));
        }
        if unanswered {
            why.push(soak.questions.join("; "));
        }
        let next = if unanswered {
            approve_then_apply(soak.step)
        } else {
            format!("run `keyless apply` again after {until}")
        };
        let wait = Wait {
            step: soak.step.id.clone(),
            code: None,
            why: why.join("; "),
            until: (soak.now < until).then_some(until),
            asks: !soak.questions.is_empty(),
            next,
        };
        self.wait(wait, Some(soak.look)).await
    }
}

impl Soak<'_> {
    /// Takes in one look at the open sessions. A login begins the soak anew by moving `mark`; where
    /// a person decides instead, they are told of it. A login in the very second of the mark counts:
    /// times are whole seconds, and a session that began the soak anew counts while it is open.
    fn saw(&mut self, sessions: &[Session], mark: Option<Mark>) {
        let old = |s: &&Session| {
            s.login_time >= self.since
                && self
                    .principals
                    .iter()
                    .any(|(_, name)| same_name(name, &s.original_login))
        };
        let fresh: Vec<&Session> = sessions.iter().filter(old).collect();
        let seen: BTreeSet<String> = fresh
            .iter()
            .map(|s| format!("{} from {}", s.original_login, s.host))
            .collect();
        let seen: Vec<String> = seen.into_iter().collect();
        self.look.sample = Some(Sample {
            at: self.now,
            seen: seen.clone(),
        });
        let Some(last) = fresh.iter().map(|s| s.login_time).max() else {
            return;
        };
        match mark {
            Some(mark) => {
                self.since = last;
                self.look.mark = Some(MarkAt { mark, at: last });
                self.intruders = seen;
            }
            None => self
                .questions
                .push(format!("{} logged in", seen.join(", "))),
        }
    }

    fn names(&self) -> String {
        let names: BTreeSet<&str> = self.principals.iter().map(|(_, n)| n.as_str()).collect();
        match names.is_empty() {
            true => "the old principal".to_owned(),
            false => names.into_iter().collect::<Vec<_>>().join(", "),
        }
    }

    fn evidence(&self, approved: Option<&str>) -> String {
        let mut parts = Vec::new();
        if self.look.sample.as_ref().is_some_and(|s| s.seen.is_empty()) {
            let names = self.names();
            parts.push(format!(
                "no session of {names} since {}, last looked at {}",
                self.since, self.now
            ));
        }
        if let (Some(who), false) = (approved, self.questions.is_empty()) {
            parts.push(format!(
                "approved by {who}, as {}",
                self.questions.join("; ")
            ));
        }
        parts.join("; ")
    }
}

/// What no probe of this version answers.
fn questions(evidence: &BTreeSet<Evidence>) -> Vec<String> {
    let mut questions = Vec::new();
    if evidence.contains(&Evidence::Audit) {
        questions.push("this version cannot read the SQL audit".to_owned());
    }
    if evidence.contains(&Evidence::Approval) {
        questions.push("the Access asks for a person's approval".to_owned());
    }
    if evidence.is_empty() {
        questions.push("the Access names no evidence".to_owned());
    }
    questions
}

fn marked(state: &State, access: &str, mark: Mark) -> Option<Timestamp> {
    let access = state.accesses.get(access)?;
    match mark {
        Mark::Switched => access.switched_at,
        Mark::Disabled => access.disabled_at,
    }
}
