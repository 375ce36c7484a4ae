//! The HTTP side's own request and answer, and who answers which host.

mod faults;
mod message;
mod requests;
mod serve;

pub use faults::{Fault, FaultEffect, Faults};
pub use message::{Answer, Request, Response};
pub use requests::{RequestCount, Requests};
pub use serve::{serve_plain, serve_tls};

use crate::estate::Estate;
use crate::{arm, entra, gateway, graph};

/// Answers a request that came over HTTPS: the host tells which service is meant.
pub async fn answer(estate: &Estate, request: &Request) -> Answer {
    let host = request.host.clone();
    estate.requests().count(&request.verb, &host, &request.path);
    let fault = estate.faults().take(request, false);
    match fault.as_ref().map(|fault| fault.effect) {
        Some(FaultEffect::DropBefore) => return Answer::Drop,
        Some(FaultEffect::DropAfter) => {
            serve(estate, &host, request).await;
            return Answer::Drop;
        }
        _ => {}
    }
    let mut response = match &fault {
        Some(fault) => fault.response(),
        None => serve(estate, &host, request).await,
    };
    response
        .headers
        .push(("Date".into(), estate.clock.http_date()));
    Answer::Reply(response)
}

async fn serve(estate: &Estate, host: &str, request: &Request) -> Response {
    if host == "management.localhost" {
        arm::answer(estate, request)
    } else if host == "login.localhost" {
        entra::answer(estate, request)
    } else if host == "graph.localhost" {
        graph::answer(estate, request)
    } else if let Some(service) = host.strip_suffix(".azure-api.localhost") {
        gateway::answer(estate, service, request).await
    } else {
        Response::text(404, "No service of the emulator has this host name.")
    }
}
