//! One call to ARM until it has an answer: token, headers, retries, Azure's error shape.
//!
//! Invariant: every text of an answer that becomes part of an error is redacted here.

use std::time::Duration;

use bytes::Bytes;
use keyless_model::{Secret, Timestamp};
use reqwest::header::{self, HeaderMap};
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::budget::Class;
use crate::client::Arm;
use crate::error::{ArmError, Refusal};
use crate::http::{self, BODY_LIMIT, Reply, Trouble};
use crate::readers::Slot;
use crate::redact::redact_known;
use crate::request::{Request, Verb};
use crate::retry::{LONGEST_WAIT, Retry, Setback, decide};
use crate::token::guid;
use crate::waiting::{Cause, Waiting};

/// The key of a call in the Activity Log.
const CORRELATION: &str = "x-ms-correlation-request-id";

/// A shorter wait for the budget is nobody's business.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// A request on its way.
pub(crate) struct Call {
    pub verb: Verb,
    pub url: Url,
    /// For messages.
    path: String,
    if_match: Option<String>,
    body: Option<Bytes>,
    /// Whose budget it uses.
    subscription: String,
    /// What the body holds and no message may repeat.
    secrets: Vec<String>,
}

/// An answer of 200 to 299.
pub(crate) struct Raw {
    pub status: u16,
    pub etag: Option<String>,
    pub date: Option<Timestamp>,
    pub correlation: Option<String>,
    pub retry_after: Option<Duration>,
    pub operation: Option<String>,
    pub location: Option<String>,
    pub body: Value,
}

impl Call {
    pub fn new(request: &Request, url: Url) -> Self {
        Self {
            verb: request.verb,
            url,
            path: request.path.clone(),
            if_match: request.if_match.clone(),
            body: request
                .body
                .as_ref()
                .map(|body| Bytes::from(body.to_string())),
            subscription: request.subscription().to_lowercase(),
            secrets: request.secrets().into_iter().map(str::to_owned).collect(),
        }
    }

    /// A poll of what a write started.
    pub fn poll(&self, url: Url) -> Self {
        Self {
            verb: Verb::Get,
            url,
            path: self.path.clone(),
            if_match: None,
            body: None,
            subscription: self.subscription.clone(),
            secrets: self.secrets.clone(),
        }
    }

    /// A wait of this call, to tell of.
    pub fn waiting(&self, cause: Cause, wait: Duration, next: u32, tries: Option<u32>) -> Waiting {
        Waiting {
            verb: self.verb,
            path: self.path.clone(),
            cause,
            wait,
            next,
            tries,
        }
    }

    fn unknown(&self, why: String) -> ArmError {
        ArmError::OutcomeUnknown {
            verb: self.verb,
            path: self.path.clone(),
            why,
        }
    }
}

impl Raw {
    /// The answer about something that is not there any more.
    pub fn gone() -> Self {
        Self {
            status: 204,
            etag: None,
            date: None,
            correlation: None,
            retry_after: None,
            operation: None,
            location: None,
            body: Value::Null,
        }
    }
}

impl Arm {
    /// Sends a call, again where the table of `retry` says so.
    pub(crate) async fn exchange(&self, call: &Call) -> Result<Raw, ArmError> {
        let mut attempt = 0;
        let mut renewed = false;
        // Set once an attempt may have been done without our learning it.
        let mut maybe_done = false;
        loop {
            attempt += 1;
            let slot = match self.admitted(call, attempt).await {
                Ok(slot) => slot,
                Err(stopped) if maybe_done => return Err(call.unknown(stopped.to_string())),
                Err(stopped) => return Err(stopped),
            };
            let token = self.tokens().token(&self.cloud().arm_scope()).await?;
            let (setback, error) = match self.attempt(call, &token, slot).await {
                Ok(raw) => return Ok(raw),
                Err(Miss::Answer(refusal, _)) if refusal.status == 401 && !renewed => {
                    self.tokens().forget().await;
                    renewed = true;
                    continue;
                }
                Err(Miss::Answer(refusal, _)) if maybe_done && refusal.status == 412 => {
                    return Err(
                        call.unknown(format!("an earlier attempt was lost, then {refusal}"))
                    );
                }
                Err(Miss::Answer(refusal, _))
                    if maybe_done && refusal.status == 404 && call.verb == Verb::Delete =>
                {
                    return Ok(Raw::gone());
                }
                Err(Miss::Answer(refusal, wait)) => (Kind::Answered(wait), refused(call, refusal)),
                Err(Miss::Page(status, error)) => (Kind::Page(status), error),
                Err(Miss::Trouble(trouble)) => self.troubled(call, trouble),
            };
            let tries = setback.of(&error).attempts();
            let retry = decide(call.verb, setback.of(&error), attempt, self.pace().backoff);
            maybe_done |= call.verb.writes() && setback.may_have_been_done(&error);
            let again = match retry {
                Retry::After(wait) => {
                    let cause = Cause::of(&error);
                    self.wait(call.waiting(cause, wait, attempt + 1, Some(tries)))
                        .await
                }
                Retry::No => false,
            };
            if !again {
                return Err(match maybe_done && setback.says_nothing(&error) {
                    true => call.unknown(error.to_string()),
                    false => error,
                });
            }
        }
    }

    /// Waits until the budget and the other reads leave room for the call.
    async fn admitted(&self, call: &Call, attempt: u32) -> Result<Option<Slot<'_>>, ArmError> {
        let class = Class::of(call.verb);
        let slot = match class {
            Class::Read => Some(self.readers().enter().await),
            // A write has its service for itself already.
            Class::Write | Class::Delete => None,
        };
        let mut wait = self.budget().take(&call.subscription, class);
        while !wait.is_zero() {
            let waited = match wait < WORTH_TELLING {
                // A full budget makes each of many requests wait a little.
                true => self.rest(wait).await,
                false => {
                    let waiting = call.waiting(Cause::Budget, wait, attempt, None);
                    self.wait(waiting).await
                }
            };
            if !waited {
                let (verb, path) = (call.verb, call.path.clone());
                return Err(ArmError::Stopped { verb, path });
            }
            wait = self.budget().closed(&call.subscription, class);
        }
        Ok(slot)
    }

    /// Learns from an answer how much the service takes.
    fn heard(&self, call: &Call, slot: Option<&Slot<'_>>, reply: &Reply) {
        let class = Class::of(call.verb);
        self.budget()
            .heard(&call.subscription, class, &reply.headers);
        if reply.status == 429
            && let Some(wait) = retry_after(&reply.headers).filter(|wait| *wait <= LONGEST_WAIT)
        {
            self.budget().close(&call.subscription, class, wait);
        }
        if let Some(slot) = slot {
            slot.answered(reply.status);
        }
        self.noted(date(&reply.headers));
    }

    async fn attempt(
        &self,
        call: &Call,
        token: &Secret,
        slot: Option<Slot<'_>>,
    ) -> Result<Raw, Miss> {
        let method = reqwest::Method::from_bytes(call.verb.word().as_bytes())
            .map_err(|e| Miss::Trouble(Trouble::NotSent(e.to_string())))?;
        let mut request = self
            .tokens()
            .http()
            .request(method, call.url.clone())
            .bearer_auth(token.expose())
            .header(header::ACCEPT, "application/json")
            .header("x-ms-client-request-id", guid());
        if let Some(etag) = &call.if_match {
            request = request.header(header::IF_MATCH, etag);
        }
        if let Some(body) = &call.body {
            request = request
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        self.counted();
        let began = Instant::now();
        let reply = http::send(request).await;
        trace(call, began.elapsed(), &reply);
        let reply = reply.map_err(Miss::Trouble)?;
        self.heard(call, slot.as_ref(), &reply);
        read(call, &reply)
    }

    fn troubled(&self, call: &Call, trouble: Trouble) -> (Kind, ArmError) {
        let host = http::place(&call.url);
        match trouble {
            Trouble::NotSent(why) => (Kind::NotSent, ArmError::Unreachable { host, why }),
            Trouble::Untrusted(why) => (Kind::Final, ArmError::Untrusted { host, why }),
            Trouble::Lost(why) => (Kind::Lost, ArmError::Unreachable { host, why }),
            Trouble::TooLarge => {
                let (verb, path) = (call.verb, call.path.clone());
                (
                    Kind::Final,
                    ArmError::TooLarge {
                        verb,
                        path,
                        limit: BODY_LIMIT,
                    },
                )
            }
        }
    }
}

/// One event for each request that went out. Never a header, a body or a query: they hold tokens,
/// credentials and signatures.
fn trace(call: &Call, took: Duration, reply: &Result<Reply, Trouble>) {
    let (verb, path) = (call.verb.word(), call.path.as_str());
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match reply {
        Ok(Reply {
            status, headers, ..
        }) => {
            let correlation = text(headers, CORRELATION).unwrap_or_default();
            tracing::debug!(verb, path, status, ms, correlation, "answered");
        }
        Err(trouble) => {
            let why = trouble.word();
            tracing::debug!(verb, path, why, ms, "not answered");
        }
    }
}

/// Why one attempt gave nothing.
enum Miss {
    Answer(Box<Refusal>, Option<Duration>),
    /// An answer that is not JSON.
    Page(u16, ArmError),
    Trouble(Trouble),
}

/// The part of a miss that the retry table looks at.
#[derive(Clone, Copy)]
enum Kind {
    Answered(Option<Duration>),
    Page(u16),
    NotSent,
    Lost,
    Final,
}

impl Kind {
    fn of<'a>(&self, error: &'a ArmError) -> Setback<'a> {
        let answered = |status, retry_after, code, message| Setback::Answered {
            status,
            code,
            message,
            retry_after,
        };
        match (self, error) {
            (Self::Answered(wait), ArmError::Refused(r)) => {
                answered(r.status, *wait, &r.code, &r.message)
            }
            (Self::Page(status), _) => answered(*status, None, "", ""),
            (Self::NotSent, _) => Setback::NotSent,
            (Self::Lost, _) => Setback::Lost,
            // A status that no row of the table retries.
            _ => answered(0, None, "", ""),
        }
    }

    /// Whether a write may have been done in spite of it: the answer was lost, or came from
    /// something in front of the service.
    fn may_have_been_done(&self, error: &ArmError) -> bool {
        match self {
            Self::Lost => true,
            Self::Page(status) => *status < 400 || *status >= 500,
            Self::Answered(_) => matches!(error.status(), Some(408 | 500 | 502 | 504)),
            Self::NotSent => false,
            Self::Final => matches!(error, ArmError::TooLarge { .. }),
        }
    }

    /// Whether it leaves open what became of an earlier attempt.
    fn says_nothing(&self, error: &ArmError) -> bool {
        match self {
            Self::Answered(_) => {
                matches!(error.status(), Some(401 | 403 | 408 | 429 | 502..=504))
            }
            _ => true,
        }
    }
}

fn refused(call: &Call, mut refusal: Box<Refusal>) -> ArmError {
    refusal.verb = Some(call.verb);
    refusal.path.clone_from(&call.path);
    ArmError::Refused(refusal)
}

/// Reads an answer: JSON or nothing, with Azure's error shape when it says no.
fn read(call: &Call, reply: &Reply) -> Result<Raw, Miss> {
    let status = reply.status;
    let body = match reply.body.iter().all(u8::is_ascii_whitespace) {
        true => Some(Value::Null),
        false => serde_json::from_slice::<Value>(&reply.body).ok(),
    };
    let (true, Some(body)) = (!(300..400).contains(&status), body) else {
        return Err(Miss::Page(status, not_json(call, reply)));
    };
    let text = |name: &str| text(&reply.headers, name).map(str::to_owned);
    let correlation = text(CORRELATION).or_else(|| text("x-ms-request-id"));
    let retry_after = retry_after(&reply.headers);
    if !(200..300).contains(&status) {
        let secrets: Vec<&str> = call.secrets.iter().map(String::as_str).collect();
        let refusal = Refusal {
            status,
            correlation,
            ..refusal(&body, &secrets)
        };
        return Err(Miss::Answer(Box::new(refusal), retry_after));
    }
    Ok(Raw {
        status,
        etag: text("etag"),
        date: date(&reply.headers),
        correlation,
        retry_after,
        operation: text("azure-asyncoperation"),
        location: text("location"),
        body,
    })
}

fn not_json(call: &Call, reply: &Reply) -> ArmError {
    let kind = text(&reply.headers, header::CONTENT_TYPE.as_str());
    let what = match (kind, reply.status) {
        (_, 300..400) => "a redirection".to_owned(),
        (Some(kind), _) => kind.split(';').next().unwrap_or(kind).trim().to_owned(),
        (None, _) => "something".to_owned(),
    };
    ArmError::NotJson {
        host: http::place(&call.url),
        verb: call.verb,
        path: call.path.clone(),
        status: reply.status,
        what,
    }
}

/// `{"error":{"code","message","details"}}`, or the same without the envelope.
pub(crate) fn refusal(body: &Value, secrets: &[&str]) -> Refusal {
    let error = body.get("error").filter(|e| e.is_object()).unwrap_or(body);
    let text = |value: &Value, key: &str| {
        redact_known(
            value.get(key).and_then(Value::as_str).unwrap_or_default(),
            secrets,
        )
    };
    let detail = |item: &Value| {
        let parts = [
            text(item, "code"),
            text(item, "target"),
            text(item, "message"),
        ];
        parts
            .into_iter()
            .filter(|p| !p.is_empty())
            .collect::<Vec<_>>()
            .join(": ")
    };
    let details = error.get("details").and_then(Value::as_array);
    Refusal {
        code: text(error, "code"),
        message: text(error, "message"),
        details: details
            .into_iter()
            .flatten()
            .map(detail)
            .filter(|d| !d.is_empty())
            .collect(),
        ..Refusal::default()
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    text(headers, header::DATE.as_str()).and_then(Timestamp::from_http_date)
}

/// Seconds, or an HTTP date by the service's own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, header::RETRY_AFTER.as_str())?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = Timestamp::from_http_date(text)?.unix() - date(headers)?.unix();
    Some(Duration::from_secs(u64::try_from(until).unwrap_or(0)))
}

#[cfg(test)]
mod tests;
