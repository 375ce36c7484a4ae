//! The client that carries every call to Azure Resource Manager.
//!
//! Guarantees: a token goes only to a host of the cloud; at most one write is in flight for each
//! service or server, from its first byte to the end of its long-running operation; reads and writes
//! stay within the budget that Azure documents and the answers report; an answer is
//! final (operations are followed); a write whose answer never came is
//! [`ArmError::OutcomeUnknown`], never a failure. Errors are redacted.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyless_model::Timestamp;
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;
use url::Url;

use crate::budget::Budget;
use crate::cloud::Cloud;
use crate::credential::Tokens;
use crate::error::ArmError;
use crate::exchange::{Call, Raw};
use crate::http;
use crate::readers::Readers;
use crate::request::Request;
use crate::stop::Stop;
use crate::waiting::{Told, Waiting};

/// Pages of one list; more is a service that never ends.
const PAGES: usize = 10_000;

/// The answer to a request, after any operation that it started has ended.
#[derive(Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// The entity's ETag, from the header.
    pub etag: Option<String>,
    /// `null` when the answer has no body. It can hold credentials.
    pub body: Value,
    /// The service's clock.
    pub date: Option<Timestamp>,
    /// The key of this call in the Activity Log.
    pub correlation: Option<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({})", self.status)
    }
}

/// Access to Azure Resource Manager; cheap to clone, safe to use from many tasks.
#[derive(Clone)]
pub struct Arm {
    inner: Arc<Inner>,
    told: Option<Told>,
}

struct Inner {
    cloud: Cloud,
    tokens: Tokens,
    pace: Pace,
    requests: AtomicUsize,
    newest: AtomicI64,
    budget: Budget,
    readers: Readers,
    stop: Stop,
    writers: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// How long to wait when the service does not say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The first wait before a retry.
    pub backoff: Duration,
    /// The first wait of a poll.
    pub poll: Duration,
    /// The longest that an operation is followed.
    pub deadline: Duration,
}

impl Default for Pace {
    /// A classic API Management service takes up to 45 minutes for a change of itself.
    fn default() -> Self {
        Self {
            backoff: Duration::from_secs(1),
            poll: Duration::from_secs(1),
            deadline: Duration::from_secs(75 * 60),
        }
    }
}

impl fmt::Debug for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arm({})", self.inner.cloud.name)
    }
}

impl Arm {
    /// A client of `cloud` that authenticates with `tokens`.
    pub fn new(cloud: Cloud, tokens: Tokens) -> Self {
        Self::with_pace(cloud, tokens, Pace::default())
    }

    pub(crate) fn with_pace(cloud: Cloud, tokens: Tokens, pace: Pace) -> Self {
        let inner = Inner {
            cloud,
            tokens,
            pace,
            requests: AtomicUsize::new(0),
            newest: AtomicI64::new(i64::MIN),
            budget: Budget::default(),
            readers: Readers::default(),
            stop: Stop::default(),
            writers: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
            told: None,
        }
    }

    /// The same client, which tells of each wait that it begins.
    #[must_use]
    pub fn telling(self, told: Told) -> Self {
        Self {
            told: Some(told),
            ..self
        }
    }

    pub fn cloud(&self) -> &Cloud {
        &self.inner.cloud
    }

    pub fn tokens(&self) -> &Tokens {
        &self.inner.tokens
    }

    /// Sends a request and follows what it starts to the end. After a PUT or PATCH the entity is in
    /// the answer.
    ///
    /// # Errors
    /// [`ArmError::Refused`] and [`ArmError::OperationFailed`] when the service says no; 412 is a
    /// refusal that the caller decides about. [`ArmError::uncertain`] tells of writes that may have
    /// been done.
    pub async fn send(&self, request: Request) -> Result<Answer, ArmError> {
        let _writer = match request.verb.writes() {
            true => Some(self.writer(request.service()).await),
            false => None,
        };
        let raw = self.exchange(&self.call(&request)?).await?;
        Ok(self.settle(&request, raw).await?.into_answer())
    }

    /// A read that may find nothing: `None` when the service itself says that the entity does not
    /// exist. A 404 without Azure's error code, or for a subscription that this identity cannot
    /// see, is an error: it does not prove absence.
    ///
    /// # Errors
    /// As [`Arm::send`].
    pub async fn find(&self, request: Request) -> Result<Option<Answer>, ArmError> {
        match self.send(request).await {
            Err(ArmError::Refused(r)) if r.status == 404 && proves_absence(&r.code) => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Every item of a list, over all its pages.
    ///
    /// # Errors
    /// As [`Arm::send`], and when a page leads to another host or back to an earlier page.
    pub async fn list(&self, request: Request) -> Result<Vec<Value>, ArmError> {
        let mut call = self.call(&request)?;
        let mut items = Vec::new();
        let mut seen = BTreeSet::new();
        let broken = |why: &str| ArmError::Paging {
            path: request.path.clone(),
            why: why.into(),
        };
        for _ in 0..PAGES {
            if !seen.insert(call.url.to_string()) {
                return Err(broken("a page leads back to an earlier one"));
            }
            let mut body = self.exchange(&call).await?.body;
            let Some(Value::Array(page)) = body.get_mut("value").map(Value::take) else {
                return Err(broken("a page has no “value”"));
            };
            items.extend(page);
            // API Management ends its lists with an empty nextLink.
            match body
                .get("nextLink")
                .and_then(Value::as_str)
                .filter(|link| !link.is_empty())
            {
                Some(link) => call.url = self.link(link, &request.path)?,
                None => return Ok(items),
            }
        }
        Err(broken("it has too many pages"))
    }

    /// HTTP requests sent so far, retries and polls included.
    pub fn requests(&self) -> usize {
        self.inner.requests.load(Ordering::Relaxed)
    }

    /// The newest `Date` seen: the service's clock, by which soaks are timed.
    pub fn last_date(&self) -> Option<Timestamp> {
        match self.inner.newest.load(Ordering::Relaxed) {
            i64::MIN => None,
            seconds => Some(Timestamp::from_unix(seconds)),
        }
    }

    pub(crate) fn pace(&self) -> Pace {
        self.inner.pace
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.inner.budget
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.inner.readers
    }

    /// Cuts waits between tries short once `stop` is set, and begins no try after it. What is under
    /// way by then is followed to its end.
    pub fn heed(&self, stop: &'static AtomicBool) {
        self.inner.stop.heed(stop);
    }

    /// Waits. False when the wait was cut short, after which nothing may be tried again.
    pub async fn rest(&self, wait: Duration) -> bool {
        self.inner.stop.wait(wait).await
    }

    /// Tells of a wait and waits, as [`Arm::rest`].
    pub(crate) async fn wait(&self, waiting: Waiting) -> bool {
        let wait = waiting.wait;
        self.tell(waiting);
        self.rest(wait).await
    }

    /// Tells of a wait for something that is under way, and waits it out.
    pub(crate) async fn wait_out(&self, waiting: Waiting) {
        let wait = waiting.wait;
        self.tell(waiting);
        tokio::time::sleep(wait).await;
    }

    fn tell(&self, waiting: Waiting) {
        if let Some(told) = &self.told {
            told(waiting);
        }
    }

    /// Counts a request that goes out.
    pub(crate) fn counted(&self) {
        self.inner.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes the service's clock.
    pub(crate) fn noted(&self, date: Option<Timestamp>) {
        if let Some(date) = date {
            self.inner.newest.fetch_max(date.unix(), Ordering::Relaxed);
        }
    }

    pub(crate) fn call(&self, request: &Request) -> Result<Call, ArmError> {
        let mut url = self.inner.cloud.resource_manager.clone();
        url.set_path(&request.path);
        if url.path() != request.path {
            let why = "the path is not in its plain form".to_owned();
            return Err(ArmError::Name {
                name: request.path.clone(),
                why,
            });
        }
        url.query_pairs_mut().extend_pairs(&request.query);
        Ok(Call::new(request, url))
    }

    /// A link that an answer gave: absolute or relative, and of this cloud.
    pub(crate) fn link(&self, link: &str, path: &str) -> Result<Url, ArmError> {
        let foreign = |host: String| ArmError::ForeignLink {
            path: path.to_owned(),
            host,
        };
        let url = self
            .inner
            .cloud
            .resource_manager
            .join(link)
            .map_err(|_| foreign("a link that is no URL".to_owned()))?;
        match self.inner.cloud.host_allowed(&url) {
            true => Ok(url),
            false => Err(foreign(http::place(&url))),
        }
    }

    async fn writer(&self, service: String) -> OwnedMutexGuard<()> {
        let lock = {
            let mut writers = self
                .inner
                .writers
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(writers.entry(service).or_default())
        };
        lock.lock_owned().await
    }
}

/// ARM answers 404 for a subscription that the identity may not see.
fn proves_absence(code: &str) -> bool {
    !code.is_empty() && !code.contains("Subscription") && !code.contains("Tenant")
}

impl Raw {
    fn into_answer(self) -> Answer {
        Answer {
            status: self.status,
            etag: self.etag,
            body: self.body,
            date: self.date,
            correlation: self.correlation,
        }
    }
}

#[cfg(test)]
mod tests;
