//! Which refused or lost requests are sent again, and when: one pure table.
//!
//! Invariant: a request that may have been done is sent again only if doing it twice ends as doing
//! it once. 412 is the caller's to decide, 409 `ScopeLocked` is a person's.

use std::time::Duration;

use crate::request::Verb;

/// Attempts at one request, the first one included.
const ATTEMPTS: u32 = 8;
/// Attempts at a request that was never answered.
const UNANSWERED_ATTEMPTS: u32 = 4;
/// A service that asks for a longer wait is reported instead.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// The longest wait of our own.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// What to do about a request that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    No,
    After(Duration),
}

/// How a request did not succeed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Setback<'a> {
    /// No connection was made, so nothing was sent.
    NotSent,
    /// It was sent and no whole answer came.
    Lost,
    /// It was answered.
    Answered {
        status: u16,
        code: &'a str,
        message: &'a str,
        retry_after: Option<Duration>,
    },
}

impl Setback<'_> {
    /// Attempts at a request that ends like this each time, the first one included.
    pub fn attempts(&self) -> u32 {
        match self {
            Self::NotSent | Self::Lost => UNANSWERED_ATTEMPTS,
            Self::Answered { .. } => ATTEMPTS,
        }
    }
}

/// The table. `attempt` counts from 1; `base` is the first backoff.
pub(crate) fn decide(verb: Verb, setback: Setback<'_>, attempt: u32, base: Duration) -> Retry {
    if attempt >= setback.attempts() {
        return Retry::No;
    }
    let backoff = backoff(attempt, base);
    let (again, asked) = match setback {
        Setback::NotSent => (true, None),
        Setback::Lost => (verb.idempotent(), None),
        Setback::Answered {
            status,
            code,
            message,
            retry_after,
        } => (again(verb, status, code, message), retry_after),
    };
    match asked {
        _ if !again => Retry::No,
        Some(wait) if wait > LONGEST_WAIT => Retry::No,
        Some(wait) => Retry::After(wait),
        None => Retry::After(backoff),
    }
}

/// azure-facts A.4, “transient APIM errors worth retrying”, and A.5.
fn again(verb: Verb, status: u16, code: &str, message: &str) -> bool {
    match (status, code) {
        (_, "ScopeLocked") => false,
        (429, _) => true,
        // The service says that it did nothing because another write runs.
        (409, "PessimisticConcurrencyConflict") => true,
        (409, "Conflict") => message.contains("Operation on the API is in progress"),
        (409 | 422, "ManagementApiRequestFailed") => verb.idempotent(),
        (408 | 500 | 502 | 503 | 504, _) => verb.idempotent(),
        _ => false,
    }
}

/// Doubles from `base`, without jitter: one process, one writer for each service.
pub(crate) fn backoff(attempt: u32, base: Duration) -> Duration {
    base.saturating_mul(1 << attempt.saturating_sub(1).min(10))
        .min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn answered(verb: Verb, status: u16, code: &str, message: &str) -> Retry {
        let setback = Setback::Answered {
            status,
            code,
            message,
            retry_after: None,
        };
        decide(verb, setback, 1, SECOND)
    }

    #[test]
    fn throttling_is_waited_out_for_every_verb() {
        for verb in [Verb::Get, Verb::Put, Verb::Patch, Verb::Post, Verb::Delete] {
            assert_eq!(
                answered(verb, 429, "TooManyRequests", ""),
                Retry::After(SECOND)
            );
        }
        let asked = Some(Duration::from_secs(17));
        let setback = Setback::Answered {
            status: 429,
            code: "",
            message: "",
            retry_after: asked,
        };
        assert_eq!(
            decide(Verb::Put, setback, 3, SECOND),
            Retry::After(Duration::from_secs(17))
        );
    }

    #[test]
    fn a_wait_of_an_hour_is_reported_not_slept() {
        let asked = Some(Duration::from_secs(3_600));
        let setback = Setback::Answered {
            status: 429,
            code: "",
            message: "",
            retry_after: asked,
        };
        assert_eq!(decide(Verb::Get, setback, 1, SECOND), Retry::No);
    }

    #[test]
    fn server_errors_are_retried_only_where_twice_is_once() {
        for status in [408, 500, 502, 503, 504] {
            for verb in [Verb::Get, Verb::Head, Verb::Put, Verb::Delete] {
                assert_ne!(answered(verb, status, "", ""), Retry::No, "{verb} {status}");
            }
            for verb in [Verb::Post, Verb::Patch] {
                assert_eq!(answered(verb, status, "", ""), Retry::No, "{verb} {status}");
            }
        }
    }

    #[test]
    fn conflicts_are_told_apart_by_code() {
        let busy = "Operation on the API is in progress";
        assert_ne!(
            answered(Verb::Put, 409, "PessimisticConcurrencyConflict", ""),
            Retry::No
        );
        assert_ne!(answered(Verb::Patch, 409, "Conflict", busy), Retry::No);
        assert_eq!(answered(Verb::Put, 409, "Conflict", "it exists"), Retry::No);
        assert_ne!(
            answered(Verb::Put, 422, "ManagementApiRequestFailed", ""),
            Retry::No
        );
        assert_eq!(answered(Verb::Put, 409, "ScopeLocked", ""), Retry::No);
        assert_eq!(
            answered(Verb::Put, 412, "PreconditionFailed", ""),
            Retry::No
        );
        assert_eq!(answered(Verb::Get, 404, "ResourceNotFound", ""), Retry::No);
        assert_eq!(answered(Verb::Put, 400, "ValidationError", ""), Retry::No);
    }

    #[test]
    fn what_was_not_sent_may_be_sent_and_what_was_lost_only_if_idempotent() {
        assert_ne!(decide(Verb::Post, Setback::NotSent, 1, SECOND), Retry::No);
        assert_eq!(decide(Verb::Post, Setback::Lost, 1, SECOND), Retry::No);
        assert_ne!(decide(Verb::Put, Setback::Lost, 1, SECOND), Retry::No);
    }

    #[test]
    fn waits_grow_and_attempts_end() {
        let waits: Vec<u64> = (1..8).map(|n| backoff(n, SECOND).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        let setback = Setback::Answered {
            status: 503,
            code: "",
            message: "",
            retry_after: None,
        };
        assert_eq!(decide(Verb::Get, setback, ATTEMPTS, SECOND), Retry::No);
        assert_ne!(decide(Verb::Get, Setback::Lost, 3, SECOND), Retry::No);
        assert_eq!(decide(Verb::Get, Setback::Lost, 4, SECOND), Retry::No);
    }
}
