//! The callers of an estate: one call for each line of the seed's `traffic`, as a caller makes it,
//! so that a test or a demo can run all of them while something else happens.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{answer, graphql};
use crate::arm::{Kind, Store, name_of};
use crate::estate::Estate;
use crate::http::{Request, Response};

/// Between two rounds of calls.
const BREATH: Duration = Duration::from_millis(20);

/// One call that has to succeed.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrafficSeed {
    /// What it is called in the outcome; `METHOD api path` (or the field of a query) if left out.
    #[serde(default)]
    pub name: Option<String>,
    /// The API Management service; the first of the seed if left out.
    #[serde(default)]
    pub service: Option<String>,
    /// The API's id (the last part of its ARM id); `orders;rev=2` calls a revision.
    pub api: String,
    #[serde(default = "get")]
    pub method: String,
    /// The path behind the API's own, with its query.
    #[serde(default)]
    pub path: String,
    /// The id of a subscription; its primary key is sent.
    #[serde(default)]
    pub subscription: Option<String>,
    #[serde(default)]
    pub headers: std::collections::BTreeMap<String, String>,
    /// A principal of the seed that the caller has a token as, and what the token is for.
    #[serde(default)]
    pub token: Option<TrafficToken>,
    /// A text, or anything else as JSON.
    #[serde(default)]
    pub body: Value,
    /// The status of an answer that is right.
    #[serde(default = "ok")]
    pub expect: u16,
}

/// Whose token a caller sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrafficToken {
    /// A display name.
    pub principal: String,
    pub audience: String,
}

impl std::fmt::Debug for TrafficSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.label();
        f.debug_struct("TrafficSeed")
            .field("name", &name)
            .finish_non_exhaustive()
    }
}

impl TrafficSeed {
    fn label(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let query = self.body["query"].as_str().unwrap_or_default();
        let asked = graphql::parse(query, &self.body["variables"], &Value::Null);
        let field = asked
            .ok()
            .and_then(|asked| Some(asked.fields.first()?.name.clone()));
        let target = field.unwrap_or_else(|| self.path.clone());
        format!("{} {} {target}", self.method, self.api)
            .trim_end()
            .to_owned()
    }
}

fn get() -> String {
    "GET".into()
}

fn ok() -> u16 {
    200
}

/// How one call of the traffic went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallOutcome {
    pub name: String,
    pub ok: bool,
    /// 0 when the call could not be made.
    pub status: u16,
    /// Empty when it went well; else what came back.
    pub reason: String,
}

/// How the traffic went while something else happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrafficReport {
    /// All calls, right and wrong.
    pub calls: usize,
    /// The calls that went wrong, in the order in which they did.
    pub failed: Vec<CallOutcome>,
}

impl TrafficReport {
    fn add(&mut self, outcome: CallOutcome) {
        self.calls += 1;
        if !outcome.ok {
            self.failed.push(outcome);
        }
    }
}

/// Makes round after round of calls until `work` ends, and a whole round after it. A call that is
/// under way when `work` ends is not counted.
pub async fn call_all_while<T>(
    estate: &Estate,
    work: impl Future<Output = T>,
) -> (T, TrafficReport) {
    let mut report = TrafficReport::default();
    let rounds = async {
        loop {
            for line in &estate.traffic {
                report.add(call(estate, line).await);
            }
            // Callers take a breath, so that the work gets on.
            tokio::time::sleep(BREATH).await;
        }
    };
    let output = tokio::select! {
        output = work => output,
        never = rounds => never,
    };
    for outcome in call_all(estate).await {
        report.add(outcome);
    }
    (output, report)
}

/// Makes every call of the traffic once, in the seed's order.
pub async fn call_all(estate: &Estate) -> Vec<CallOutcome> {
    let mut outcomes = Vec::new();
    for line in &estate.traffic {
        outcomes.push(call(estate, line).await);
    }
    outcomes
}

async fn call(estate: &Estate, line: &TrafficSeed) -> CallOutcome {
    let outcome = |status: u16, reason: String| CallOutcome {
        name: line.label(),
        ok: reason.is_empty(),
        status,
        reason,
    };
    let (service, request) = match prepare(estate, line) {
        Ok(prepared) => prepared,
        Err(what) => return outcome(0, what),
    };
    let response = answer(estate, &service, &request).await;
    let reason = wrong(line, &response).unwrap_or_default();
    outcome(response.status, reason)
}

/// Why an answer is not right. A GraphQL answer can hold errors under a status of 200.
fn wrong(line: &TrafficSeed, response: &Response) -> Option<String> {
    let text = String::from_utf8_lossy(&response.body);
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let told = &body["errors"][0]["message"];
    if response.status != line.expect {
        let told = body["message"].as_str().or(told.as_str());
        return Some(told.map_or_else(
            || format!("status {} instead of {}", response.status, line.expect),
            str::to_owned,
        ));
    }
    if line.expect == 200 && response.body.is_empty() {
        // What a gateway answers whose policies forward nothing.
        return Some("the answer is empty".into());
    }
    (line.expect < 300)
        .then(|| told.as_str().map(str::to_owned))
        .flatten()
}

/// The service's name and the request, with keys and tokens as they are now.
fn prepare(estate: &Estate, line: &TrafficSeed) -> Result<(String, Request), String> {
    let store = estate.store();
    let service = service(&store, line)?;
    let (name, revision) = match line.api.split_once(";rev=") {
        Some((name, number)) => (name, format!(";rev={number}")),
        None => (line.api.as_str(), String::new()),
    };
    let key = format!("{service}/apis/{}", name.to_lowercase());
    let api = store.get(&key).ok_or_else(|| format!("no API {name}"))?;
    let own = api.property("path").unwrap_or_default().trim_matches('/');
    let (path, query) = line.path.split_once('?').unwrap_or((&line.path, ""));
    let mut headers = hyper::HeaderMap::new();
    for (name, value) in sent_headers(estate, &store, &service, &key, line)? {
        let name = hyper::header::HeaderName::try_from(name).map_err(|e| e.to_string())?;
        let value = hyper::header::HeaderValue::try_from(value).map_err(|e| e.to_string())?;
        headers.insert(name, value);
    }
    let request = Request {
        verb: line.method.to_uppercase(),
        host: format!("{}.azure-api.localhost", name_of(&service)),
        path: format!("/{own}{revision}{path}"),
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers,
        body: match &line.body {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
        .into(),
    };
    Ok((name_of(&service).to_owned(), request))
}

/// The key of the service that is meant.
fn service(store: &Store, line: &TrafficSeed) -> Result<String, String> {
    let wanted = line.service.as_deref();
    let found = store.all().find(|entity| {
        let is_meant = wanted.is_none_or(|wanted| entity.name().eq_ignore_ascii_case(wanted));
        entity.kind == Kind::Service && is_meant
    });
    let found = found.map(crate::arm::Entity::key);
    found.ok_or_else(|| "no such API Management service".to_owned())
}

fn sent_headers(
    estate: &Estate,
    store: &Store,
    service: &str,
    api: &str,
    line: &TrafficSeed,
) -> Result<Vec<(String, String)>, String> {
    let mut headers: Vec<(String, String)> = line.headers.clone().into_iter().collect();
    if !line.body.is_null()
        && !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        headers.push(("Content-Type".into(), "application/json".into()));
    }
    if let Some(id) = &line.subscription {
        let key = format!("{service}/subscriptions/{}", id.to_lowercase());
        let subscription = store.get(&key);
        let sent = subscription.and_then(|one| one.property("primaryKey"));
        let sent = sent.ok_or_else(|| format!("no subscription {id}"))?;
        let names = store.get(api).map(|api| &api.body["properties"]);
        let name = names.and_then(|all| all["subscriptionKeyParameterNames"]["header"].as_str());
        let name = name.unwrap_or("Ocp-Apim-Subscription-Key");
        headers.push((name.to_owned(), sent.to_owned()));
    }
    if let Some(token) = &line.token {
        let all = estate.directory.by_display_name(&token.principal);
        let principal = all.first();
        let principal = principal.ok_or_else(|| format!("no principal {}", token.principal))?;
        let token = estate
            .directory
            .issue(principal, &token.audience, crate::entra::LIFETIME);
        headers.push(("Authorization".into(), format!("Bearer {token}")));
    }
    Ok(headers)
}
