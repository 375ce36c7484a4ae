//! How many requests Azure Resource Manager takes: a token bucket for each subscription and class
//! of verbs, with Azure's documented numbers (azure-facts A.5), corrected downwards by what the
//! answers say is left.
//!
//! The buckets are per principal, and one client has one credential, so the principal is no part of
//! the key. Invariant: a bucket is never fuller than the service last said plus its refill.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::time::Instant;

use crate::request::Verb;

/// What is left of a limit that a resource provider sets itself.
const RESOURCE_REQUESTS: &str = "x-ms-ratelimit-remaining-subscription-resource-requests";

/// Verbs that share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Read,
    Write,
    Delete,
}

impl Class {
    const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Delete];

    pub fn of(verb: Verb) -> Self {
        match verb {
            Verb::Get | Verb::Head => Self::Read,
            // Whether an action counts as a read is not documented; this bucket is the smaller one.
            Verb::Put | Verb::Patch | Verb::Post => Self::Write,
            Verb::Delete => Self::Delete,
        }
    }

    /// Tokens of a full bucket, and tokens that come back each second.
    fn size(self) -> (f64, f64) {
        match self {
            Self::Read => (250.0, 25.0),
            Self::Write | Self::Delete => (200.0, 10.0),
        }
    }

    fn header(self) -> &'static str {
        match self {
            Self::Read => "x-ms-ratelimit-remaining-subscription-reads",
            Self::Write => "x-ms-ratelimit-remaining-subscription-writes",
            Self::Delete => "x-ms-ratelimit-remaining-subscription-deletes",
        }
    }
}

/// Below zero is what has been promised to requests that still wait.
struct Bucket {
    burst: f64,
    each_second: f64,
    tokens: f64,
    filled: Instant,
    /// A 429 said not to come back before.
    closed: Instant,
}

impl Bucket {
    fn new(class: Class, now: Instant) -> Self {
        let (burst, each_second) = class.size();
        Self {
            burst,
            each_second,
            tokens: burst,
            filled: now,
            closed: now,
        }
    }

    fn refill(&mut self, now: Instant) {
        let seconds = now.duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + seconds * self.each_second).min(self.burst);
        self.filled = now;
    }

    /// Takes a token, and says how long to wait until it is there.
    fn take(&mut self, now: Instant) -> Duration {
        self.refill(now);
        self.tokens -= 1.0;
        let short = Duration::from_secs_f64((-self.tokens / self.each_second).max(0.0));
        short.max(self.closed.duration_since(now))
    }

    fn correct(&mut self, left: f64, now: Instant) {
        self.refill(now);
        self.tokens = self.tokens.min(left);
    }
}

/// All buckets of one client.
#[derive(Default)]
pub(crate) struct Budget(Mutex<HashMap<(String, Class), Bucket>>);

impl Budget {
    /// Takes what one request costs, and says how long it has to wait for that.
    pub fn take(&self, subscription: &str, class: Class) -> Duration {
        self.with(subscription, class, Bucket::take)
    }

    /// How long the service still does not want to be asked: a request that has waited may find
    /// that another one was refused meanwhile.
    pub fn closed(&self, subscription: &str, class: Class) -> Duration {
        self.with(subscription, class, |b, now| b.closed.duration_since(now))
    }

    /// Learns from the headers of an answer to a request of `class`.
    pub fn heard(&self, subscription: &str, class: Class, headers: &HeaderMap) {
        for each in Class::ALL {
            if let Some(left) = number(headers, each.header()) {
                self.with(subscription, each, |bucket, now| bucket.correct(left, now));
            }
        }
        if let Some(left) = number(headers, RESOURCE_REQUESTS) {
            self.with(subscription, class, |bucket, now| bucket.correct(left, now));
        }
    }

    /// A 429 asked for a wait: asking earlier is not processed and begins the wait anew.
    pub fn close(&self, subscription: &str, class: Class, wait: Duration) {
        self.with(subscription, class, |bucket, now| {
            bucket.closed = bucket.closed.max(now + wait);
        });
    }

    fn with<T>(
        &self,
        subscription: &str,
        class: Class,
        act: impl FnOnce(&mut Bucket, Instant) -> T,
    ) -> T {
        let now = Instant::now();
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry((subscription.to_owned(), class));
        act(bucket.or_insert_with(|| Bucket::new(class, now)), now)
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    let text = headers.get(name)?.to_str().ok()?;
    text.trim().parse::<u32>().ok().map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn take(budget: &Budget, class: Class, times: u32) -> Duration {
        (0..times)
            .map(|_| budget.take("s", class))
            .last()
            .unwrap_or_default()
    }

    fn headers(name: &'static str, left: &str) -> HeaderMap {
        HeaderMap::from_iter([(
            reqwest::header::HeaderName::from_static(name),
            left.parse().unwrap(),
        )])
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_free_and_then_each_request_waits_for_its_token() {
        let budget = Budget::default();
        assert_eq!(take(&budget, Class::Read, 250), Duration::ZERO);
        assert_eq!(take(&budget, Class::Read, 1), Duration::from_millis(40));
        assert_eq!(take(&budget, Class::Read, 24), SECOND);
        assert_eq!(take(&budget, Class::Write, 200), Duration::ZERO);
        assert_eq!(take(&budget, Class::Write, 10), SECOND);
        assert_eq!(take(&budget, Class::Delete, 200), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn time_fills_a_bucket_up_to_its_burst() {
        let budget = Budget::default();
        take(&budget, Class::Read, 275);
        tokio::time::advance(2 * SECOND).await;
        assert_eq!(take(&budget, Class::Read, 25), Duration::ZERO);
        assert_eq!(take(&budget, Class::Read, 25), SECOND);
        tokio::time::advance(3_600 * SECOND).await;
        assert_eq!(take(&budget, Class::Read, 250), Duration::ZERO);
        assert_eq!(take(&budget, Class::Read, 25), SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn the_service_corrects_downwards_and_never_upwards() {
        let budget = Budget::default();
        let reads = Class::Read.header();
        budget.heard("s", Class::Read, &headers(reads, "10"));
        assert_eq!(take(&budget, Class::Read, 10), Duration::ZERO);
        assert_eq!(take(&budget, Class::Read, 25), SECOND);
        budget.heard("s", Class::Read, &headers(reads, "11999"));
        assert!(take(&budget, Class::Read, 1) > SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn each_header_is_for_its_class_and_a_providers_for_the_one_that_asked() {
        let budget = Budget::default();
        budget.heard("s", Class::Read, &headers(Class::Write.header(), "0"));
        assert_eq!(take(&budget, Class::Read, 1), Duration::ZERO);
        assert_eq!(take(&budget, Class::Write, 10), SECOND);
        budget.heard("s", Class::Delete, &headers(RESOURCE_REQUESTS, "0"));
        assert_eq!(take(&budget, Class::Delete, 10), SECOND);
        budget.heard("s", Class::Read, &headers(Class::Read.header(), "many"));
        assert_eq!(take(&budget, Class::Read, 1), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_was_asked_for_is_for_all_of_the_class_and_subscription() {
        let budget = Budget::default();
        budget.close("s", Class::Read, 17 * SECOND);
        budget.close("s", Class::Read, 3 * SECOND);
        assert_eq!(take(&budget, Class::Read, 1), 17 * SECOND);
        assert_eq!(take(&budget, Class::Write, 1), Duration::ZERO);
        assert_eq!(budget.take("other", Class::Read), Duration::ZERO);
        tokio::time::advance(16 * SECOND).await;
        assert_eq!(budget.closed("s", Class::Read), SECOND);
        tokio::time::advance(SECOND).await;
        assert_eq!(budget.closed("s", Class::Read), Duration::ZERO);
    }
}
