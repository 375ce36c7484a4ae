//! Long-running operations (azure-facts A.4), followed to their end.
//!
//! Invariant: a write is successful only when its operation says so, whatever the first status was;
//! polls stay on hosts of the cloud.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::client::Arm;
use crate::error::{ArmError, Refusal};
use crate::exchange::{Raw, refusal};
use crate::redact::redact_known;
use crate::request::{Request, Verb};
use crate::retry::backoff;
use crate::waiting::Cause;

/// The longest wait between two polls when the service does not say.
const LONGEST_POLL: Duration = Duration::from_secs(10);
/// Reads of an entity that its operation made and that is not visible yet.
const READ_BACKS: u32 = 5;

/// Where the end of an operation shows.
#[derive(Debug, PartialEq)]
enum Watch {
    /// The URL of `Azure-AsyncOperation` or `Location`.
    Operation(Url),
    /// The entity's own `provisioningState`.
    Entity,
    /// The SQL server's Entra-only setting, whose operation can give no URL.
    EntraOnly(bool),
}

/// What a poll shows.
#[derive(Debug, PartialEq)]
enum Progress {
    Running,
    Done,
    Failed(Box<Refusal>),
}

impl Arm {
    /// Follows what the answer `first` to `request` started; after a PUT or PATCH the result is the
    /// entity.
    pub(crate) async fn settle(&self, request: &Request, first: Raw) -> Result<Raw, ArmError> {
        let Some(watch) = self.watch(request, &first)? else {
            return Ok(first);
        };
        let last = self.follow(request, &watch, first.retry_after).await?;
        match (request.verb, watch) {
            (Verb::Put | Verb::Patch, Watch::Operation(_)) => self.entity(request).await,
            (Verb::Delete, _) => Ok(Raw {
                body: Value::Null,
                etag: None,
                ..last
            }),
            _ => Ok(last),
        }
    }

    fn watch(&self, request: &Request, first: &Raw) -> Result<Option<Watch>, ArmError> {
        if matches!(request.verb, Verb::Get | Verb::Head) {
            return Ok(None);
        }
        let link = |link: &String| self.link(link, &request.path);
        if let Some(url) = first.operation.as_ref().map(link).transpose()? {
            return Ok(Some(Watch::Operation(url)));
        }
        if let Some(url) = first.location.as_ref().map(link).transpose()?
            && (first.status == 202 || names_an_operation(&url))
        {
            return Ok(Some(Watch::Operation(url)));
        }
        let entity = matches!(request.verb, Verb::Put | Verb::Patch);
        match progress(first) {
            Progress::Failed(why) if entity => Err(failed(request, *why)),
            Progress::Running if entity && state(&first.body).is_some() => Ok(Some(Watch::Entity)),
            _ if first.status != 202 => Ok(None),
            _ => match wanted_entra_only(request) {
                Some(wanted) => Ok(Some(Watch::EntraOnly(wanted))),
                None => Err(unknown(
                    request,
                    "it was accepted without a place to ask".into(),
                )),
            },
        }
    }

    async fn follow(
        &self,
        request: &Request,
        watch: &Watch,
        mut asked: Option<Duration>,
    ) -> Result<Raw, ArmError> {
        let call = self.call(request)?;
        let entity = self.call(&request.read_back())?.url;
        let until = Instant::now() + self.pace().deadline;
        for round in 1_u32.. {
            let wait = asked.unwrap_or(backoff(round, self.pace().poll).min(LONGEST_POLL));
            if Instant::now() + wait > until {
                break;
            }
            self.wait_out(call.waiting(Cause::Running, wait, round + 1, None))
                .await;
            let url = match watch {
                Watch::Operation(url) => url.clone(),
                Watch::Entity | Watch::EntraOnly(_) => entity.clone(),
            };
            let polled = match self.exchange(&call.poll(url)).await {
                Ok(polled) => polled,
                Err(ArmError::Refused(no)) if no.status == 404 && request.verb == Verb::Delete => {
                    return Ok(Raw::gone());
                }
                Err(error) => return Err(judged(request, error)),
            };
            let progress = match watch {
                Watch::EntraOnly(wanted) => entra_only(&polled, *wanted),
                _ => progress(&polled),
            };
            match progress {
                Progress::Done => return Ok(polled),
                Progress::Failed(why) => return Err(failed(request, *why)),
                Progress::Running => asked = polled.retry_after,
            }
        }
        let minutes = self.pace().deadline.as_secs() / 60;
        Err(ArmError::Unfinished {
            verb: request.verb,
            path: request.path.clone(),
            minutes,
        })
    }

    /// Reads an entity back; a new one can need a moment to show.
    async fn entity(&self, request: &Request) -> Result<Raw, ArmError> {
        let call = self.call(&request.read_back())?;
        for round in 1.. {
            match self.exchange(&call).await {
                Ok(raw) => return Ok(raw),
                Err(error) => {
                    let (cause, wait) = (Cause::of(&error), backoff(round, self.pace().backoff));
                    let waiting = call.waiting(cause, wait, round + 1, Some(READ_BACKS));
                    let new = error.status() == Some(404) && round < READ_BACKS;
                    if !new || !self.wait(waiting).await {
                        let why = format!("it ended well, but cannot be read back: {error}");
                        return Err(unknown(request, why));
                    }
                }
            }
        }
        Err(unknown(request, "it cannot be read back".into()))
    }
}

/// Whether a `Location` of a 200 or 201 is an operation and not the entity's own address: API
/// Management gives the entity's URL with `asyncId`.
fn names_an_operation(url: &Url) -> bool {
    let path = url.path().to_ascii_lowercase();
    url.query_pairs()
        .any(|(key, _)| key.eq_ignore_ascii_case("asyncId"))
        || path.contains("/operationresults/")
        || path.contains("/operationstatuses/")
}

/// `status` of an operation, else `provisioningState` at the root or under `properties`.
fn state(body: &Value) -> Option<&str> {
    body.get("status")
        .or_else(|| body.get("provisioningState"))
        .or_else(|| body.get("ProvisioningState"))
        .or_else(|| body.pointer("/properties/provisioningState"))
        .or_else(|| body.pointer("/properties/ProvisioningState"))
        .and_then(Value::as_str)
}

fn progress(polled: &Raw) -> Progress {
    let state = state(&polled.body).map(str::to_ascii_lowercase);
    match (state.as_deref(), polled.status) {
        (Some("succeeded"), _) => Progress::Done,
        (Some(word @ ("failed" | "canceled" | "cancelled")), _) => {
            Progress::Failed(Box::new(reason(polled, word)))
        }
        (Some(_), _) | (None, 201 | 202) => Progress::Running,
        (None, _) => Progress::Done,
    }
}

/// What a failed operation says, at the root or under `properties`.
fn reason(polled: &Raw, word: &str) -> Refusal {
    let inner = polled
        .body
        .get("properties")
        .filter(|p| p.get("error").is_some());
    let mut why = refusal(inner.unwrap_or(&polled.body), &[]);
    if why.code.is_empty() && why.message.is_empty() {
        word.clone_into(&mut why.code);
    }
    Refusal {
        status: polled.status,
        correlation: polled.correlation.clone(),
        ..why
    }
}

fn wanted_entra_only(request: &Request) -> Option<bool> {
    let body = request.body.as_ref()?;
    body.pointer("/properties/azureADOnlyAuthentication")
        .and_then(Value::as_bool)
}

fn entra_only(polled: &Raw, wanted: bool) -> Progress {
    let found = polled.body.pointer("/properties/azureADOnlyAuthentication");
    match found.and_then(Value::as_bool) {
        Some(found) if found == wanted => Progress::Done,
        _ => Progress::Running,
    }
}

/// A poll that was refused is the operation's own answer; one that could not be asked is not.
fn judged(request: &Request, error: ArmError) -> ArmError {
    match error {
        ArmError::Refused(no)
            if (400..500).contains(&no.status) && !matches!(no.status, 401 | 403 | 404 | 429) =>
        {
            failed(request, *no)
        }
        other => unknown(
            request,
            format!("its operation cannot be followed: {other}"),
        ),
    }
}

fn failed(request: &Request, mut why: Refusal) -> ArmError {
    let sent = request.secrets();
    for text in std::iter::once(&mut why.message).chain(&mut why.details) {
        *text = redact_known(text, &sent);
    }
    let (verb, path) = (Some(request.verb), request.path.clone());
    ArmError::OperationFailed(Box::new(Refusal { verb, path, ..why }))
}

fn unknown(request: &Request, why: String) -> ArmError {
    ArmError::OutcomeUnknown {
        verb: request.verb,
        path: request.path.clone(),
        why,
    }
}
