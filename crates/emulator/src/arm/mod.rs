//! `management.localhost`: Azure Resource Manager for API Management, SQL, managed identities and
//! roles.
//!
//! One store holds every entity; `hooks` says what is special about a kind. A write is checked as a
//! whole before anything changes, and either changes the store at once or becomes an operation.

mod access;
mod action;
mod activity;
mod apim;
mod authorization;
mod error;
#[cfg(test)]
mod fuzz;
mod hooks;
mod identity;
mod kind;
pub mod odata;
mod operation;
mod platform;
mod read;
mod seeding;
mod sql;
mod store;
mod target;
mod throttle;
mod write;

pub use activity::events;
pub use apim::reference::find_named_value;
pub use error::ArmError;
pub use kind::Kind;
pub use seeding::put_all;
pub use store::{Entity, Store, name_of};
pub use target::without_revision;
pub use throttle::Buckets;

use access::Who;
use target::Target;

use crate::directory::Claims;
use crate::estate::Estate;
use crate::http::{Request, Response};
use crate::ids;

/// Answers a request to Resource Manager, with the headers that every answer has.
pub fn answer(estate: &Estate, request: &Request) -> Response {
    let correlation = request
        .header("x-ms-correlation-request-id")
        .map_or_else(ids::guid, str::to_owned);
    let mut response = admit(estate, request, &correlation)
        .unwrap_or_else(|error| error.response())
        .with("x-ms-request-id", ids::guid())
        .with("x-ms-correlation-request-id", correlation.clone())
        .with(
            "x-ms-routing-request-id",
            format!("WESTEUROPE:{}:{correlation}", estate.clock.iso()),
        )
        .with("Cache-Control", "no-cache")
        .with(
            "Strict-Transport-Security",
            "max-age=31536000; includeSubDomains",
        );
    if let Some(client) = request.header("x-ms-client-request-id") {
        response = response.with("x-ms-client-request-id", client);
    }
    response
}

/// Lets in who has a token and calls left; the answer says how many.
fn admit(estate: &Estate, request: &Request, correlation: &str) -> Result<Response, ArmError> {
    if request.verb == "GET" && request.path.eq_ignore_ascii_case("/metadata/endpoints") {
        return Ok(platform::metadata(estate, request));
    }
    let claims = access::authenticate(estate, request)?;
    let (header, left) = throttle::admit(estate, &claims, request)?;
    let who = Who {
        claims: &claims,
        correlation,
    };
    let response = handle(estate, request, &who).unwrap_or_else(|error| error.response());
    Ok(response.with(&header, left.to_string()))
}

/// Whether a caller may do something to what an id stands for.
pub fn is_allowed(estate: &Estate, store: &Store, claims: &Claims, id: &str, action: &str) -> bool {
    access::authorize(estate, store, claims, id, action).is_ok()
}

/// Whether a built-in role of this name is known.
pub fn is_role(name: &str) -> bool {
    authorization::definition::by_name(name).is_some()
}

fn handle(estate: &Estate, request: &Request, who: &Who<'_>) -> Result<Response, ArmError> {
    access::api_version(request)?;
    access::content_type(request)?;
    let segments = request.segments();
    let mut store = estate.store();
    let polled = (request.verb == "GET")
        .then(|| operation::asked_for(request, &segments))
        .flatten();
    if let Some((id, by_location)) = polled {
        return operation::poll(estate, &mut store, &id, by_location);
    }
    if let Some(answer) = platform::answer(estate, &store, who, request, &segments) {
        return answer;
    }
    let target = target::parse(&store, &request.verb, &segments)?;
    let action = access::action_name(&request.verb, &target);
    let outcome = access::authorize(estate, &store, who.claims, &target.id, &action)
        .and_then(|()| carry_out(estate, &mut store, request, &target));
    activity::record(
        estate, &mut store, request, who, &action, &target.id, &outcome,
    );
    outcome
}

fn carry_out(
    estate: &Estate,
    store: &mut Store,
    request: &Request,
    target: &Target,
) -> Result<Response, ArmError> {
    apim::tier::check(store, target)?;
    authorization::lock::refuse(store, &request.verb, target)?;
    match request.verb.as_str() {
        "GET" | "HEAD" => read::answer(estate, store, request, target),
        "PUT" | "PATCH" => write::put(estate, store, request, target),
        "DELETE" => write::delete(estate, store, request, target),
        "POST" => action::answer(estate, store, request, target),
        _ => Err(ArmError::new(
            405,
            "MethodNotAllowed",
            "The method is not known here.",
        )),
    }
}
