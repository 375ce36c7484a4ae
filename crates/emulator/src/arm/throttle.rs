//! Token buckets (azure-facts A.5): one for every subscription, principal and sort of operation, and
//! one for the whole subscription that holds fifteen times as much. A caller that has emptied one is
//! sent away until it has waited.
//!
//! Buckets fill by the emulated time, which counts whole seconds. They are kept only where the seed
//! asks for `throttle`; otherwise the headers say what a full bucket says.

use std::collections::BTreeMap;

use super::error::ArmError;
use crate::directory::Claims;
use crate::estate::Estate;
use crate::http::Request;
use crate::seed::{Bucket, Throttle};

/// How much more than one principal all of them together may ask for.
const TOGETHER: u32 = 15;

/// How full each bucket is, by scope, principal (empty: all together) and sort of operation.
#[derive(Debug, Default)]
pub struct Buckets {
    levels: BTreeMap<(String, String, &'static str), Level>,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    tokens: u32,
    /// Since when it has been filling.
    since: i64,
}

impl Buckets {
    /// Takes one token, or says how many seconds to wait.
    fn take(
        &mut self,
        scope: &str,
        who: &str,
        sort: &'static str,
        size: Bucket,
        now: i64,
    ) -> Result<u32, i64> {
        let key = (scope.to_owned(), who.to_owned(), sort);
        let level = self.levels.entry(key).or_insert(Level {
            tokens: size.burst,
            since: now,
        });
        let filled = i64::from(size.per_second).saturating_mul((now - level.since).max(0));
        let filled = u32::try_from(filled).unwrap_or(u32::MAX);
        level.tokens = level.tokens.saturating_add(filled).min(size.burst);
        level.since = now;
        // A bucket that never fills asks for a minute.
        let wait = if size.per_second == 0 { 60 } else { 1 };
        level.tokens = level.tokens.checked_sub(1).ok_or(wait)?;
        Ok(level.tokens)
    }
}

/// The header that says how many calls are left, or the refusal of this one.
pub fn admit(
    estate: &Estate,
    claims: &Claims,
    request: &Request,
) -> Result<(String, u32), ArmError> {
    let (sort, one) = sort(&request.verb);
    let segments = request.segments();
    let subscription = match segments.as_slice() {
        [first, id, ..] if first.eq_ignore_ascii_case("subscriptions") => Some(id.to_lowercase()),
        _ => None,
    };
    // Deletes outside of a subscription have no header of their own.
    let header = match (&subscription, sort) {
        (Some(_), sort) => format!("x-ms-ratelimit-remaining-subscription-{sort}"),
        (None, "reads") => "x-ms-ratelimit-remaining-tenant-reads".to_owned(),
        (None, _) => "x-ms-ratelimit-remaining-tenant-writes".to_owned(),
    };
    let sizes = estate.settings.throttle.as_ref();
    let size = size(sizes.unwrap_or(&Throttle::default()), sort);
    if sizes.is_none() {
        return Ok((header, size.burst.saturating_sub(1)));
    }
    let together = Bucket {
        burst: size.burst.saturating_mul(TOGETHER),
        per_second: size.per_second.saturating_mul(TOGETHER),
    };
    let scope = subscription.clone().unwrap_or_default();
    let (now, mut buckets) = (estate.clock.now(), estate.buckets());
    let own = buckets.take(&scope, &claims.oid, sort, size, now);
    let left = own.and_then(|left| {
        let all = buckets.take(&scope, "", sort, together, now)?;
        Ok(left.min(all))
    });
    left.map(|left| (header.clone(), left))
        .map_err(|wait| refusal(subscription.as_deref(), &claims.oid, one, wait).with(&header, "0"))
}

/// The sort of an operation, as headers and as messages name it.
fn sort(verb: &str) -> (&'static str, &'static str) {
    match verb {
        "GET" | "HEAD" => ("reads", "read"),
        "DELETE" => ("deletes", "delete"),
        _ => ("writes", "write"),
    }
}

fn size(sizes: &Throttle, sort: &str) -> Bucket {
    match sort {
        "reads" => sizes.reads,
        "deletes" => sizes.deletes,
        _ => sizes.writes,
    }
}

fn refusal(subscription: Option<&str>, who: &str, one: &str, wait: i64) -> ArmError {
    let (code, what) = match subscription {
        Some(id) => (
            "SubscriptionRequestsThrottled",
            format!("subscription '{id}'"),
        ),
        None => ("TenantRequestsThrottled", "the tenant".to_owned()),
    };
    let message = format!(
        "Number of '{one}' requests for {what} actor '{who}' exceeded. Please try again after \
         '{wait}' seconds after additional tokens are available."
    );
    ArmError::new(429, code, message).with("Retry-After", wait.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Bucket = Bucket {
        burst: 2,
        per_second: 1,
    };

    fn take(buckets: &mut Buckets, who: &str, now: i64) -> Result<u32, i64> {
        buckets.take("s1", who, "reads", SMALL, now)
    }

    #[test]
    fn a_bucket_empties_and_fills_with_time() {
        let mut buckets = Buckets::default();
        assert_eq!(take(&mut buckets, "a", 10), Ok(1));
        assert_eq!(take(&mut buckets, "a", 10), Ok(0));
        assert_eq!(take(&mut buckets, "a", 10), Err(1));
        assert_eq!(take(&mut buckets, "b", 10), Ok(1));
        assert_eq!(take(&mut buckets, "a", 11), Ok(0));
        assert_eq!(take(&mut buckets, "a", 99), Ok(1));
    }
}
