//! `management.localhost`: Azure Resource Manager for API Management, SQL, managed identities and
//! roles.
//!
//! One store holds every entity; `hooks` says what is special about a kind. A write is checked as a
//! whole before anything changes, and either changes the store at once or becomes an operation.

mod access;
mod action;
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
mod write;

pub use apim::reference::find_named_value;
pub use error::ArmError;
pub use kind::Kind;
pub use seeding::put_all;
pub use store::{Entity, Store, name_of};
pub use target::without_revision;

use crate::estate::Estate;
use crate::http::{Request, Response};
use crate::ids;

/// Answers a request to Resource Manager, with the headers that every answer has.
pub fn answer(estate: &Estate, request: &Request) -> Response {
    let mut response = handle(estate, request).unwrap_or_else(|error| error.response());
    let correlation = request
        .header("x-ms-correlation-request-id")
        .map_or_else(ids::guid, str::to_owned);
    let id = ids::guid();
    let kind = match request.verb.as_str() {
        "GET" | "HEAD" => "reads",
        "DELETE" => "deletes",
        _ => "writes",
    };
    // Burst sizes of azure-facts A.5. The emulator does not throttle unless a fault says so.
    let left = if kind == "reads" { "249" } else { "199" };
    response = response
        .with("x-ms-request-id", id)
        .with("x-ms-correlation-request-id", correlation.clone())
        .with(
            "x-ms-routing-request-id",
            format!("WESTEUROPE:{}:{correlation}", estate.clock.iso()),
        )
        .with(
            &format!("x-ms-ratelimit-remaining-subscription-{kind}"),
            left,
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

/// Whether a built-in role of this name is known.
pub fn is_role(name: &str) -> bool {
    authorization::definition::by_name(name).is_some()
}

fn handle(estate: &Estate, request: &Request) -> Result<Response, ArmError> {
    if request.verb == "GET" && request.path.eq_ignore_ascii_case("/metadata/endpoints") {
        return Ok(platform::metadata(estate, request));
    }
    let claims = access::authenticate(estate, request)?;
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
    if let Some(answer) = platform::answer(estate, &store, &claims, request, &segments) {
        return answer;
    }
    let target = target::parse(&store, &request.verb, &segments)?;
    let action = access::action_name(&request.verb, &target);
    access::authorize(estate, &store, &claims, &target.id, &action)?;
    match request.verb.as_str() {
        "GET" | "HEAD" => read::answer(estate, &mut store, request, &target),
        "PUT" | "PATCH" => write::put(estate, &mut store, request, &target),
        "DELETE" => write::delete(estate, &mut store, request, &target),
        "POST" => action::answer(estate, &mut store, request, &target),
        _ => Err(ArmError::new(
            405,
            "MethodNotAllowed",
            "The method is not known here.",
        )),
    }
}
