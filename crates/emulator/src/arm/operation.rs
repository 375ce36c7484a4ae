//! Long-running operations: a write that was accepted and whose effect comes when it has been
//! polled often enough. Reading the entity, or being refused because of it, counts as a poll, so
//! that a client which never polls still gets past it.

use serde_json::{Value, json};

use super::activity::Activity;
use super::error::ArmError;
use super::hooks::{self, Change};
use super::kind::Kind;
use super::store::Store;
use crate::estate::Estate;
use crate::http::{Request, Response};
use crate::ids;

/// One accepted write.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: String,
    change: Change,
    /// The key that other writes have to keep away from until the end.
    lock: String,
    polls_left: u32,
    /// The failure that was asked for by a fault.
    planned: Option<ArmError>,
    state: State,
    /// The call that began it.
    activity: Option<Activity>,
    started: String,
    /// Where the operation is polled, without the host.
    status_path: String,
    location_path: String,
}

#[derive(Clone, Debug)]
enum State {
    Running,
    Succeeded,
    Failed(ArmError),
}

/// Keeps a change for later and answers where to ask for it. `code` is what the address of an APIM
/// entity carries along; the last poll is a 200 in any case.
pub fn start(
    estate: &Estate,
    store: &mut Store,
    request: &Request,
    change: Change,
    code: u16,
) -> Vec<(String, String)> {
    let id = ids::guid().replace('-', "");
    let planned = estate
        .faults()
        .take(request, true)
        .map(|fault| ArmError::new(fault.status, &fault.code, fault.message));
    let version = request.query("api-version").unwrap_or_default();
    let (status_path, location_path) = paths(&change, &id, version, code);
    let url = |path: &str| format!("{}{path}", estate.arm_url());
    let headers = vec![
        ("Location".to_owned(), url(&location_path)),
        ("Azure-AsyncOperation".to_owned(), url(&status_path)),
        (
            "Retry-After".to_owned(),
            estate.settings.retry_after.to_string(),
        ),
    ];
    let operation = Operation {
        id: id.clone(),
        lock: lock(&change.key),
        polls_left: estate.settings.lro_polls,
        planned,
        state: State::Running,
        activity: None,
        started: estate.clock.iso(),
        status_path,
        location_path,
        change,
    };
    store.operations.insert(id, operation);
    headers
}

fn paths(change: &Change, id: &str, version: &str, code: u16) -> (String, String) {
    let subscription = change.id.split('/').nth(2).unwrap_or_default();
    let version = format!("api-version={version}");
    if change.kind.is_apim() {
        let service = change.id.split('/').take(9).collect::<Vec<_>>().join("/");
        let entity = change.id.replace(';', "%3B");
        return (
            format!("{service}/tenant/operationResults/{id}?{version}"),
            format!("{entity}?{version}&asyncId={id}&asyncCode={code}"),
        );
    }
    let provider = if change.kind == Kind::Service {
        "Microsoft.ApiManagement"
    } else {
        "Microsoft.Sql"
    };
    let base = format!("/subscriptions/{subscription}/providers/{provider}/locations/westeurope");
    (
        format!("{base}/operationStatuses/{id}?{version}"),
        format!("{base}/operationResults/{id}?{version}"),
    )
}

/// What a write locks: an API with all of its revisions and children, else the entity itself.
fn lock(key: &str) -> String {
    let Some(at) = key.find("/apis/") else {
        return key.to_owned();
    };
    let name = &key[at + 6..];
    let end = name.find(['/', ';']).unwrap_or(name.len());
    key[..at + 6 + end].to_owned()
}

/// Refuses a write to what another write is still busy with.
pub fn refuse_if_busy(estate: &Estate, store: &mut Store, key: &str) -> Result<(), ArmError> {
    let lock = lock(key);
    let busy = store
        .operations
        .values()
        .find(|operation| matches!(operation.state, State::Running) && operation.lock == lock);
    let Some(operation) = busy else { return Ok(()) };
    let (id, kind) = (operation.id.clone(), operation.change.kind);
    advance(estate, store, &id);
    let (code, message) = match kind {
        Kind::Service => (
            "ServiceLocked",
            "The API Service is transitioning at this time. Please try the request again later.",
        ),
        Kind::Api => (
            "PessimisticConcurrencyConflict",
            "Operation on the API is in progress. Please try the request again later.",
        ),
        kind if kind.is_apim() => (
            "PessimisticConcurrencyConflict",
            "Another operation on the entity is in progress.",
        ),
        _ => (
            "ConflictingServerOperation",
            "An operation on the server is already in progress.",
        ),
    };
    Err(ArmError::new(409, code, message))
}

/// Counts reading an entity as a poll of the operation on it; tells whether one still runs.
pub fn touch(estate: &Estate, store: &mut Store, key: &str) -> bool {
    let running = |store: &Store| {
        store
            .operations
            .values()
            .find(|operation| {
                matches!(operation.state, State::Running) && operation.change.key == key
            })
            .map(|operation| operation.id.clone())
    };
    let Some(id) = running(store) else {
        return false;
    };
    advance(estate, store, &id);
    running(store).is_some()
}

/// One poll: counts down, and at the end makes the change or fails.
fn advance(estate: &Estate, store: &mut Store, id: &str) {
    let Some(operation) = store.operations.get_mut(id) else {
        return;
    };
    if !matches!(operation.state, State::Running) {
        return;
    }
    if operation.polls_left > 0 {
        operation.polls_left -= 1;
        return;
    }
    let (planned, change) = (operation.planned.clone(), operation.change.clone());
    let outcome = match planned {
        Some(error) => Err(error),
        None => hooks::commit(estate, store, change),
    };
    if let Some(operation) = store.operations.get_mut(id) {
        if let Some(activity) = &operation.activity {
            let now = estate.clock.now();
            store.activity.ended(now, activity, outcome.clone());
        }
        operation.state = match outcome {
            Ok(()) => State::Succeeded,
            Err(error) => State::Failed(error),
        };
    }
}

/// Says which call began the operation that runs on an entity; whether there is one of which that
/// was not said yet.
pub fn attribute(store: &mut Store, key: &str, activity: &Activity) -> bool {
    let running = store.operations.values_mut().find(|operation| {
        matches!(operation.state, State::Running)
            && operation.change.key == key
            && operation.activity.is_none()
    });
    let Some(operation) = running else {
        return false;
    };
    operation.activity = Some(activity.clone());
    true
}

/// The id of the operation that a path or a query asks after, and whether by `Location`.
pub fn asked_for(request: &Request, segments: &[String]) -> Option<(String, bool)> {
    if let Some(id) = request.query("asyncId") {
        return Some((id.to_owned(), true));
    }
    let [.., collection, id] = segments else {
        return None;
    };
    let apim_child = segments
        .iter()
        .any(|segment| segment.eq_ignore_ascii_case("tenant"));
    match collection.to_lowercase().as_str() {
        "operationstatuses" => Some((id.clone(), false)),
        "operationresults" => Some((id.clone(), !apim_child)),
        _ => None,
    }
}

/// Answers a poll.
pub fn poll(
    estate: &Estate,
    store: &mut Store,
    id: &str,
    by_location: bool,
) -> Result<Response, ArmError> {
    advance(estate, store, id);
    let Some(operation) = store.operations.get(id) else {
        return Err(ArmError::not_found("Operation"));
    };
    let retry = estate.settings.retry_after.to_string();
    if !by_location {
        let (status, error) = match &operation.state {
            State::Running => ("InProgress", None),
            State::Succeeded => ("Succeeded", None),
            State::Failed(error) => ("Failed", Some(error.object())),
        };
        let path = operation.status_path.split('?').next().unwrap_or_default();
        let mut body = json!({
            "id": path,
            "name": operation.id,
            "status": status,
            "startTime": operation.started,
        });
        if let Some(error) = error {
            body["error"] = error;
        }
        let response = Response::json(200, &body);
        let running = status == "InProgress";
        return Ok(if running {
            response.with("Retry-After", retry)
        } else {
            response
        });
    }
    match &operation.state {
        State::Running => Ok(Response::empty(202)
            .with(
                "Location",
                format!("{}{}", estate.arm_url(), operation.location_path),
            )
            .with("Retry-After", retry)),
        State::Failed(error) => Err(error.clone()),
        State::Succeeded => Ok(match store.get(&operation.change.key) {
            Some(entity) => {
                let body: Value = hooks::view(estate, store, entity, None);
                let response = Response::json(200, &body);
                if entity.kind.has_etag() {
                    response.with("ETag", entity.etag.clone())
                } else {
                    response
                }
            }
            None => Response::empty(204),
        }),
    }
}
