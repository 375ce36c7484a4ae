//! The Activity Log (azure-facts E.4): two events for every call that may change something or hands
//! out secrets, one when it comes and one with its outcome; a third when a long-running operation
//! ends. Bodies are never kept.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::access::{self, Who};
use super::error::ArmError;
use super::store::Store;
use super::{operation, read};
use crate::clock::Clock;
use crate::estate::Estate;
use crate::http::{Request, Response};
use crate::ids;

/// How many events are kept; the oldest go first.
const KEPT: usize = 50_000;

/// One call that the log tells of.
#[derive(Clone, Debug)]
pub struct Activity {
    caller: String,
    appid: Option<String>,
    tenant: String,
    /// The operation as role definitions name it.
    action: String,
    resource: String,
    verb: String,
    correlation: String,
    client_request: Option<String>,
    operation: String,
}

#[derive(Clone, Debug)]
struct Event {
    id: String,
    time: i64,
    activity: Activity,
    outcome: Outcome,
}

#[derive(Clone, Debug)]
enum Outcome {
    Started,
    /// The operation goes on after the answer.
    Accepted(u16),
    Succeeded(u16),
    Failed(ArmError),
}

#[derive(Clone, Debug, Default)]
pub struct ActivityLog {
    events: VecDeque<Event>,
}

impl ActivityLog {
    fn push(&mut self, time: i64, activity: &Activity, outcome: Outcome) {
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.events.push_back(Event {
            id: ids::guid(),
            time,
            activity: activity.clone(),
            outcome,
        });
    }

    /// How an accepted operation ended.
    pub fn ended(&mut self, time: i64, activity: &Activity, outcome: Result<(), ArmError>) {
        let outcome = match outcome {
            Ok(()) => Outcome::Succeeded(200),
            Err(error) => Outcome::Failed(error),
        };
        self.push(time, activity, outcome);
    }
}

/// Writes down a call with its outcome; reads leave no trace.
pub fn record(
    estate: &Estate,
    store: &mut Store,
    request: &Request,
    who: &Who<'_>,
    action: &str,
    resource: &str,
    outcome: &Result<Response, ArmError>,
) {
    if matches!(request.verb.as_str(), "GET" | "HEAD") {
        return;
    }
    let activity = Activity {
        caller: who.claims.oid.clone(),
        appid: who.claims.appid.clone(),
        tenant: who.claims.tid.clone(),
        action: action.to_owned(),
        resource: resource.to_owned(),
        verb: request.verb.clone(),
        correlation: who.correlation.to_owned(),
        client_request: request.header("x-ms-client-request-id").map(str::to_owned),
        operation: ids::guid(),
    };
    let now = estate.clock.now();
    store.activity.push(now, &activity, Outcome::Started);
    let ended = match outcome {
        Err(error) => Outcome::Failed(error.clone()),
        Ok(response) if operation::attribute(store, &resource.to_lowercase(), &activity) => {
            Outcome::Accepted(response.status)
        }
        Ok(response) => Outcome::Succeeded(response.status),
    };
    store.activity.push(now, &activity, ended);
}

/// What `$filter` asks for: a span of time, and one scope at most.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    from: String,
    to: Option<String>,
    /// The field and its value in lower case.
    scope: Option<(&'static str, String)>,
}

const SCOPES: [&str; 4] = [
    "resourceGroupName",
    "resourceProvider",
    "resourceUri",
    "correlationId",
];

/// Answers `eventtypes/management/values`, the newest event first.
pub fn list(
    estate: &Estate,
    store: &Store,
    who: &Who<'_>,
    request: &Request,
    subscription: &str,
) -> Result<Response, ArmError> {
    let wanted = parse(request.query("$filter").unwrap_or_default())?;
    let below = match &wanted.scope {
        Some(("resourceUri", id)) => id.clone(),
        Some(("resourceGroupName", group)) => {
            format!("/subscriptions/{subscription}/resourceGroups/{group}")
        }
        _ => format!("/subscriptions/{subscription}"),
    };
    let action = "Microsoft.Insights/eventtypes/values/read";
    access::authorize(estate, store, who.claims, &below, action)?;
    let known = estate.clock.now() - estate.settings.activity_lag;
    let select = request.query("$select").unwrap_or_default();
    let subscription = format!("/subscriptions/{subscription}/").to_lowercase();
    let events = store.activity.events.iter().rev();
    let items = events
        .filter(|event| event.time <= known)
        .filter(|event| {
            let resource = event.activity.resource.to_lowercase();
            resource.starts_with(&subscription) && wanted.holds(event, &resource)
        })
        .map(|event| selected(shown(event), select))
        .collect();
    read::page(estate, request, items, false)
}

/// The events that can be known by now, the oldest first.
pub fn events(estate: &Estate, store: &Store) -> Vec<Value> {
    let known = estate.clock.now() - estate.settings.activity_lag;
    let events = store.activity.events.iter();
    events
        .filter(|event| event.time <= known)
        .map(shown)
        .collect()
}

impl Wanted {
    fn holds(&self, event: &Event, resource: &str) -> bool {
        let time = Clock::iso_of(event.time);
        let in_time = time >= self.from && self.to.as_ref().is_none_or(|to| time <= *to);
        in_time
            && match &self.scope {
                None => true,
                Some(("resourceUri", id)) => resource == id,
                Some(("resourceGroupName", name)) => {
                    group(resource).is_some_and(|group| group == name)
                }
                Some(("resourceProvider", name)) => {
                    let provider = event.activity.action.split('/').next();
                    provider.is_some_and(|provider| provider.eq_ignore_ascii_case(name))
                }
                Some((_, id)) => event.activity.correlation.eq_ignore_ascii_case(id),
            }
    }
}

/// `field op 'value' and …`; nothing else is allowed, and a beginning has to be named.
fn parse(filter: &str) -> Result<Wanted, ArmError> {
    let refuse = || {
        let message = "The $filter has to name the beginning of a span of eventTimestamp, and at \
                       most one of resourceGroupName, resourceProvider, resourceUri and \
                       correlationId.";
        ArmError::new(400, "BadRequest", message)
    };
    let mut wanted = Wanted::default();
    for part in filter.split(" and ").map(str::trim) {
        let mut words = part.splitn(3, ' ');
        let (Some(field), Some(how), Some(value)) = (words.next(), words.next(), words.next())
        else {
            return Err(refuse());
        };
        let value = value.trim().trim_matches('\'');
        let scope = SCOPES
            .into_iter()
            .find(|scope| scope.eq_ignore_ascii_case(field));
        match (field.to_lowercase().as_str(), how, scope) {
            ("eventtimestamp", "ge", _) => {
                wanted.from = Clock::whole_seconds(value).ok_or_else(refuse)?
            }
            ("eventtimestamp", "le", _) => {
                wanted.to = Some(Clock::whole_seconds(value).ok_or_else(refuse)?);
            }
            ("eventchannels", "eq", _) => {}
            (_, "eq", Some(scope)) if wanted.scope.is_none() => {
                wanted.scope = Some((scope, value.to_lowercase()));
            }
            _ => return Err(refuse()),
        }
    }
    if wanted.from.is_empty() {
        return Err(refuse());
    }
    Ok(wanted)
}

/// The resource group in an id.
fn group(id: &str) -> Option<&str> {
    let mut segments = id.split('/').skip(3);
    let named = segments.next()?.eq_ignore_ascii_case("resourceGroups");
    segments.next().filter(|_| named)
}

/// One text twice, as the log gives names.
fn name(value: &str) -> Value {
    json!({"value": value, "localizedValue": value})
}

fn shown(event: &Event) -> Value {
    let activity = &event.activity;
    let (status, code, level) = match &event.outcome {
        Outcome::Started => ("Started", None, "Informational"),
        Outcome::Accepted(code) => ("Accepted", Some(*code), "Informational"),
        Outcome::Succeeded(code) => ("Succeeded", Some(*code), "Informational"),
        Outcome::Failed(error) => ("Failed", Some(error.status), "Error"),
    };
    let time = Clock::iso_of(event.time);
    let begins = matches!(event.outcome, Outcome::Started);
    let (operation, _) = activity.action.rsplit_once('/').unwrap_or_default();
    let mut claims = json!({
        "aud": access::AUDIENCES[0],
        "http://schemas.microsoft.com/identity/claims/objectidentifier": activity.caller,
        "http://schemas.microsoft.com/identity/claims/tenantid": activity.tenant,
    });
    if let Some(appid) = &activity.appid {
        claims["appid"] = json!(appid);
    }
    let mut properties = json!({"entity": activity.resource, "message": activity.action});
    if let Some(code) = code {
        properties["statusCode"] = json!(reason(code));
    }
    if let Outcome::Failed(error) = &event.outcome {
        properties["statusMessage"] = json!(json!({"error": error.object()}).to_string());
    }
    json!({
        "authorization": {"action": activity.action, "scope": activity.resource},
        "caller": activity.caller,
        "category": name("Administrative"),
        "channels": "Operation",
        "claims": claims,
        "correlationId": activity.correlation,
        "description": "",
        "eventDataId": event.id,
        "eventName": name(if begins { "BeginRequest" } else { "EndRequest" }),
        "eventTimestamp": time,
        "httpRequest": {
            "clientRequestId": activity.client_request,
            "clientIpAddress": "127.0.0.1",
            "method": activity.verb,
        },
        "id": format!("{}/events/{}/ticks/{}", activity.resource, event.id, event.time),
        "level": level,
        "operationId": activity.operation,
        "operationName": name(&activity.action),
        "properties": properties,
        "resourceGroupName": group(&activity.resource).unwrap_or_default(),
        "resourceId": activity.resource,
        "resourceProviderName": name(activity.action.split('/').next().unwrap_or_default()),
        "resourceType": name(operation),
        "status": name(status),
        "subStatus": sub_status(code),
        "submissionTimestamp": time,
        "subscriptionId": activity.resource.split('/').nth(2),
        "tenantId": activity.tenant,
    })
}

fn sub_status(code: Option<u16>) -> Value {
    match code {
        None => name(""),
        Some(code) => {
            let reason = reason(code);
            let text = format!("{reason} (HTTP Status Code: {code})");
            json!({"value": reason, "localizedValue": text})
        }
    }
}

/// `NotFound` for 404.
fn reason(code: u16) -> String {
    let status = hyper::StatusCode::from_u16(code).ok();
    let reason = status.and_then(|status| status.canonical_reason());
    reason.unwrap_or_default().replace(' ', "")
}

/// The fields that `$select` names; all of them without it.
fn selected(mut event: Value, select: &str) -> Value {
    let names: Vec<&str> = select.split(',').map(str::trim).collect();
    if let (Some(fields), false) = (event.as_object_mut(), select.trim().is_empty()) {
        fields.retain(|field, _| names.iter().any(|name| name.eq_ignore_ascii_case(field)));
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_span_and_one_scope() {
        let filter = "eventTimestamp ge '2026-01-31T08:00:00.123Z' and eventTimestamp le \
                      '2026-01-31T09:00:00Z' and resourceGroupName eq 'Rg'";
        let wanted = Wanted {
            from: "2026-01-31T08:00:00Z".into(),
            to: Some("2026-01-31T09:00:00Z".into()),
            scope: Some(("resourceGroupName", "rg".into())),
        };
        assert_eq!(parse(filter).unwrap(), wanted);
        for bad in [
            "",
            "resourceGroupName eq 'rg'",
            "eventTimestamp ge 'yesterday'",
            "eventTimestamp ge '2026-01-31T08:00:00+01:00'",
            "eventTimestamp ge '2026-01-31T08:00:00Z' and caller eq 'me'",
            "eventTimestamp ge '2026-01-31T08:00:00Z' and resourceUri eq 'a' and resourceUri eq 'b'",
        ] {
            assert_eq!(parse(bad).unwrap_err().code, "BadRequest", "{bad}");
        }
    }
}
