//! A soak: time in which nobody logs in as an old principal.
//!
//! Invariant: no evidence is not clean. The soak counts from the switch (or the disabling), or from
//! the last login of an old principal that was seen after it; it ends only when the time is over
//! and a look after its end saw no session of one, however old. What cannot be seen, a person
//! answers for, and is asked only then: nobody can answer for time to come.

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
    /// Who has been logged in since before the soak began.
    lingering: Vec<String>,
    /// Whether a look saw no session of an old principal.
    saw_none: bool,
    /// What only a person can answer for.
    questions: Vec<String>,
}

impl Run<'_> {
    pub(crate) async fn soak(&self, step: &Step, gate: &Gate) -> Result<(), EngineError> {
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
            lingering: vec![],
            saw_none: false,
            questions: questions(evidence),
        };
        let marked = marked(&self.shared().state, access, *since);
        match marked {
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
        if principals.is_empty() {
            // Nobody to look for: no session of nobody proves nothing.
            if decides {
                soak.questions.push(NOBODY_KNOWN.to_owned());
            }
            return self.settle(soak).await;
        }
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
                Err(fault) => {
                    let again = matches!(fault, Fault::Transient { .. });
                    if !again || look >= self.options.looks || !self.waited(look).await {
                        return Err(fault.message().to_owned());
                    }
                    look += 1;
                }
            }
        }
    }

    async fn settle(&self, soak: Soak<'_>) -> Result<(), EngineError> {
        if !soak.clean() {
            let wait = soak.waits();
            return self.wait(wait, Some(soak.look)).await;
        }
        let approved = self.past(&soak.step.id).approved;
        if !soak.questions.is_empty() && approved.is_none() {
            let wait = soak.asks();
            return self.wait(wait, Some(soak.look)).await;
        }
        let evidence = soak.evidence(approved.as_deref());
        self.open(soak.step, evidence, approved, Some(soak.look))
            .await
    }
}

impl Soak<'_> {
    /// Takes in one look at the open sessions. A login after the mark begins the soak anew by moving
    /// it; an older one holds the soak while its session is open. Where a person decides instead,
    /// they are told of both.
    fn saw(&mut self, sessions: &[Session], mark: Option<Mark>) {
        let old = |s: &&Session| {
            self.principals
                .iter()
                .any(|(_, name)| same_name(name, &s.original_login))
        };
        let (fresh, before): (Vec<&Session>, Vec<&Session>) = sessions
            .iter()
            .filter(old)
            .partition(|s| s.login_time > self.since);
        let (seen, before) = (who(&fresh), who(&before));
        self.look.sample = Some(Sample {
            at: self.now,
            seen: seen.clone(),
        });
        self.saw_none = seen.is_empty() && before.is_empty();
        let last = fresh.iter().map(|s| s.login_time).max();
        match (mark, last) {
            (Some(mark), last) => {
                if let Some(last) = last {
                    self.since = last;
                    self.look.mark = Some(MarkAt { mark, at: last });
                }
                (self.intruders, self.lingering) = (seen, before);
            }
            (None, _) => {
                let told = [(seen, "logged in"), (before, "is still logged in")];
                let told = told.iter().filter(|(who, _)| !who.is_empty());
                self.questions
                    .extend(told.map(|(who, what)| format!("{} {what}", who.join(", "))));
            }
        }
    }

    fn until(&self) -> Timestamp {
        self.since.plus(self.seconds)
    }

    /// Whether nothing but a person's answer may be missing.
    fn clean(&self) -> bool {
        self.now >= self.until() && self.intruders.is_empty() && self.lingering.is_empty()
    }

    /// For time to pass, or for sessions to end. Nobody is asked yet.
    fn waits(&self) -> Wait {
        let until = self.until();
        let early = self.now < until;
        let mut why = Vec::new();
        if !self.intruders.is_empty() {
            let who = self.intruders.join(", ");
            why.push(format!("{who} logged in; the soak begins anew from there"));
        }
        if !self.lingering.is_empty() {
            let who = self.lingering.join(", ");
            why.push(format!("still logged in from before the soak began: {who}"));
        }
        if early && self.principals.is_empty() {
            why.push(format!("the soak lasts until {until}"));
        } else if early {
            why.push(format!(
                "no login of {} may be seen until {until}",
                self.names()
            ));
        }
        if !self.questions.is_empty() {
            let questions = self.questions.join("; ");
            why.push(format!("then a person is asked, as {questions}"));
        }
        let next = if early {
            format!("run `keyless apply` again after {until}")
        } else {
            "end those sessions, or find out who holds them; then run `keyless apply` again"
                .to_owned()
        };
        Wait {
            step: self.step.id.clone(),
            code: None,
            why: why.join("; "),
            until: early.then_some(until),
            asks: false,
            next,
        }
    }

    /// For a person: the time is over.
    fn asks(&self) -> Wait {
        Wait {
            step: self.step.id.clone(),
            code: None,
            why: self.questions.join("; "),
            until: None,
            asks: true,
            next: approve_then_apply(self.step),
        }
    }

    fn names(&self) -> String {
        let names: BTreeSet<String> = self.principals.iter().map(|(_, n)| printable(n)).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    }

    fn evidence(&self, approved: Option<&str>) -> String {
        let mut parts = Vec::new();
        if self.saw_none {
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

const NOBODY_KNOWN: &str =
    "no old login or user is known, so there are no sessions that could show anything";

/// Who is logged in and from where, each once.
fn who(sessions: &[&Session]) -> Vec<String> {
    let who: BTreeSet<String> = sessions
        .iter()
        .map(|s| {
            format!(
                "{} from {}",
                printable(&s.original_login),
                printable(&s.host)
            )
        })
        .collect();
    who.into_iter().collect()
}

/// A text that a client chose, for terminals: without control characters, and without those that
/// turn the direction of what follows.
fn printable(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .filter(|c| !c.is_control() && !turns(*c))
        .collect()
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
