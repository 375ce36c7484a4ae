//! The plain listener on loopback: the App Service managed identity endpoint, and the control API
//! by which a test or a demo moves time, asks for faults and counts requests.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::directory::{Principal, PrincipalKind};
use crate::entra;
use crate::estate::Estate;
use crate::federation;
use crate::gateway;
use crate::http::{Fault, Request, Response};

/// The path of the managed identity endpoint.
pub const IDENTITY_PATH: &str = "/msi/token";

/// Answers a request on the plain listener.
pub async fn answer(estate: &Estate, request: &Request) -> Response {
    match (request.verb.as_str(), request.path.as_str()) {
        ("GET", IDENTITY_PATH) => managed_identity(estate, request),
        ("GET", "/_emulator/identity") => identity(estate),
        ("POST", "/_emulator/assertion") => assertion(estate, request),
        ("POST", "/_emulator/advance") => advance(estate, request),
        ("GET", "/_emulator/requests") => requests(estate, request.query("reset").is_some()),
        ("GET", "/_emulator/faults") => {
            Response::json(200, &json!({"faults": estate.faults().list()}))
        }
        ("POST", "/_emulator/faults") => add_fault(estate, request),
        ("DELETE", "/_emulator/faults") => {
            estate.faults().clear();
            Response::empty(204)
        }
        ("GET", "/_emulator/audit") => audit(estate, request),
        ("POST", "/_emulator/traffic") => {
            let outcomes = gateway::call_all(estate).await;
            let failed = outcomes.iter().filter(|outcome| !outcome.ok).count();
            Response::json(200, &json!({"failed": failed, "calls": outcomes}))
        }
        ("GET", "/_emulator/services") => services(estate),
        ("POST", "/_emulator/services") => change_service(estate, request),
        _ => Response::text(404, "Not an endpoint of the emulator's control API."),
    }
}

/// The variables by which a program on this host finds the managed identity endpoint.
fn identity(estate: &Estate) -> Response {
    let endpoint = format!("http://127.0.0.1:{}{IDENTITY_PATH}", estate.ports.control);
    let body = json!({"IDENTITY_ENDPOINT": endpoint, "IDENTITY_HEADER": estate.identity_header});
    Response::json(200, &body)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Assertion {
    issuer: String,
    subject: String,
    audience: Option<String>,
}

/// A token of another issuer, for workload identity.
fn assertion(estate: &Estate, request: &Request) -> Response {
    match serde_json::from_slice::<Assertion>(&request.body) {
        Ok(Assertion {
            issuer,
            subject,
            audience,
        }) => {
            let audience = audience.as_deref().unwrap_or(federation::AUDIENCE);
            let token = federation::issue(estate, &issuer, &subject, audience);
            Response::json(200, &json!({"token": token}))
        }
        Err(error) => bad(&format!("the body names issuer and subject: {error}")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: i64,
}

fn advance(estate: &Estate, request: &Request) -> Response {
    match serde_json::from_slice::<Advance>(&request.body) {
        Ok(Advance { seconds }) if seconds >= 0 => {
            estate.clock.advance(seconds);
            Response::json(200, &json!({"now": estate.clock.iso()}))
        }
        _ => bad("the body is {\"seconds\": n} with n not negative"),
    }
}

fn add_fault(estate: &Estate, request: &Request) -> Response {
    match serde_json::from_slice::<Fault>(&request.body) {
        Ok(fault) => {
            estate.faults().add(fault);
            Response::empty(204)
        }
        Err(error) => bad(&format!("the body is not a fault: {error}")),
    }
}

/// The HTTP services, how each was called, and who got tokens that are not for them.
fn services(estate: &Estate) -> Response {
    let services = estate.services();
    let list = services.iter().map(|service| {
        let calls = estate.calls().of(&service.host);
        json!({"host": service.host, "acceptsKeys": service.accepts_keys, "calls": calls})
    });
    let list: Vec<Value> = list.collect();
    let strays = estate.calls().strays().clone();
    Response::json(200, &json!({"services": list, "strays": strays}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ServiceChange {
    host: String,
    accepts_keys: bool,
}

/// A service stops to accept its keys, or accepts them again.
fn change_service(estate: &Estate, request: &Request) -> Response {
    let Ok(change) = serde_json::from_slice::<ServiceChange>(&request.body) else {
        return bad("the body is {\"host\": …, \"acceptsKeys\": true or false}");
    };
    let mut services = estate.services();
    let found = services
        .iter_mut()
        .find(|service| service.host.eq_ignore_ascii_case(&change.host));
    let Some(service) = found else {
        return bad("the seed has no service with this host");
    };
    service.accepts_keys = change.accepts_keys;
    Response::empty(204)
}

/// The SQL audit records of a server, or of one of its databases.
fn audit(estate: &Estate, request: &Request) -> Response {
    let Some(server) = request.query("server") else {
        return bad("the query names a server, and a database if only that one is meant");
    };
    // Every server has its `master`.
    if estate.sql.databases(server).is_empty() {
        return bad("there is no server of this name");
    }
    let database = request.query("database");
    let mut records = estate.sql.audit(server);
    records.retain(|record| {
        database.is_none_or(|database| database.eq_ignore_ascii_case(&record.database))
    });
    Response::json(200, &json!({"records": records}))
}

fn requests(estate: &Estate, reset: bool) -> Response {
    let mut requests = estate.requests();
    let list = requests.list();
    if reset {
        requests.reset();
    }
    let total: u64 = list.iter().map(|line| line.count).sum();
    Response::json(200, &json!({"total": total, "requests": list}))
}

fn bad(message: &str) -> Response {
    Response::json(400, &json!({"error": message}))
}

fn managed_identity(estate: &Estate, request: &Request) -> Response {
    let refuse = |status: u16, message: &str| -> Response {
        Response::json(status, &json!({"statusCode": status, "message": message}))
    };
    if request.header("x-identity-header") != Some(estate.identity_header.as_str()) {
        return refuse(401, "The X-IDENTITY-HEADER header is missing or wrong.");
    }
    if request.query("api-version") != Some("2019-08-01") {
        return refuse(400, "The api-version must be 2019-08-01.");
    }
    let wanted = request.query("resource").unwrap_or_default();
    let Some(audience) = entra::resource(estate, wanted) else {
        return refuse(400, "The resource is missing or unknown.");
    };
    let Some(identity) = chosen_identity(estate, request) else {
        return refuse(400, "No managed identity found for the given identifier.");
    };
    let token = estate
        .directory
        .issue(&identity, &audience, entra::LIFETIME);
    let body: Value = json!({
        "access_token": token,
        "expires_on": (estate.clock.now() + entra::LIFETIME).to_string(),
        "resource": audience,
        "token_type": "Bearer",
        "client_id": identity.client_id,
    });
    Response::json(200, &body)
}

/// The identity that is asked for by client or object id, else the host's own.
fn chosen_identity(estate: &Estate, request: &Request) -> Option<Principal> {
    let directory = &estate.directory;
    let identity = match (request.query("client_id"), request.query("principal_id")) {
        (Some(client), _) => directory.by_client_id(client),
        (None, Some(object)) => directory.by_object_id(object),
        (None, None) => directory.by_client_id(estate.host_identity.as_deref()?),
    };
    identity.filter(|principal| principal.kind == PrincipalKind::ManagedIdentity)
}
