//! What a client waits for, told to whoever watches it.
//!
//! Invariant: nothing of a body, a header or a query is in it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::ArmError;
use crate::request::Verb;

/// Whoever is told of waits. Called before each wait, from the task that waits, so it must be quick.
pub type Told = Arc<dyn Fn(Waiting) + Send + Sync>;

/// A wait that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The request that waits; for an operation, the one that started it.
    pub verb: Verb,
    /// The path without its query.
    pub path: String,
    pub cause: Cause,
    pub wait: Duration,
    /// Which try comes after the wait.
    pub next: u32,
    /// How many tries there are at most; `None` where only time ends them.
    pub tries: Option<u32>,
}

/// Why a client waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An answer that is worth another try. The code is Azure's, or empty.
    Answered { status: u16, code: String },
    /// No answer came, or none could be asked for.
    Unanswered { why: String },
    /// The long-running operation that the request started still runs.
    Running,
    /// The subscription has no request left for the moment.
    Budget,
}

impl Cause {
    pub(crate) fn of(error: &ArmError) -> Self {
        match error {
            ArmError::Refused(no) => Self::Answered {
                status: no.status,
                code: no.code.clone(),
            },
            ArmError::NotJson { status, .. } => Self::Answered {
                status: *status,
                code: String::new(),
            },
            ArmError::Unreachable { why, .. } => Self::Unanswered { why: why.clone() },
            other => Self::Unanswered {
                why: other.to_string(),
            },
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, path) = (self.verb, short(&self.path));
        // Whole seconds, and never “0 s”.
        let seconds = (self.wait.as_millis().div_ceil(1000)).max(1);
        match &self.cause {
            Cause::Answered { status, code } => {
                let gap = if code.is_empty() { "" } else { " " };
                write!(f, "ARM answered {status}{gap}{code} for {verb} {path}")?;
            }
            Cause::Unanswered { why } => write!(f, "no answer to {verb} {path} ({why})")?,
            Cause::Running => {
                return write!(f, "{verb} {path} still runs; asking again in {seconds} s");
            }
            Cause::Budget => {
                return write!(
                    f,
                    "{verb} {path} waits {seconds} s: ARM takes no more requests for now"
                );
            }
        }
        write!(f, "; trying again in {seconds} s (try {}", self.next)?;
        match self.tries {
            Some(tries) => write!(f, " of {tries})"),
            None => write!(f, ")"),
        }
    }
}

/// A path from the resource's own name on: what stands before says little and fills a line.
fn short(path: &str) -> String {
    let name = path.match_indices('/').nth(7);
    match name {
        Some((at, _)) => format!("…{}", &path[at..]),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(cause: Cause) -> Waiting {
        Waiting {
            verb: Verb::Get,
            path: "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ApiManagement/service/\
                   contoso/namedValues"
                .to_owned(),
            cause,
            wait: Duration::from_millis(7_500),
            next: 3,
            tries: Some(6),
        }
    }

    #[test]
    fn a_wait_reads_as_a_line() {
        let answered = |code: &str| Cause::Answered {
            status: 503,
            code: code.to_owned(),
        };
        let said = |cause| waiting(cause).to_string();
        assert_eq!(
            said(answered("ServiceUnavailable")),
            "ARM answered 503 ServiceUnavailable for GET …/contoso/namedValues; \
             trying again in 8 s (try 3 of 6)"
        );
        assert!(said(answered("")).starts_with("ARM answered 503 for GET"));
        let why = "the connection was reset".to_owned();
        assert_eq!(
            said(Cause::Unanswered { why }),
            "no answer to GET …/contoso/namedValues (the connection was reset); \
             trying again in 8 s (try 3 of 6)"
        );
        assert_eq!(
            said(Cause::Running),
            "GET …/contoso/namedValues still runs; asking again in 8 s"
        );
        assert_eq!(
            said(Cause::Budget),
            "GET …/contoso/namedValues waits 8 s: ARM takes no more requests for now"
        );
    }

    #[test]
    fn a_short_path_stays_whole() {
        let path = "/subscriptions/s/providers/Microsoft.Authorization/roleAssignments";
        assert_eq!(short(path), path);
    }
}
