//! The HTTP side's own request and answer, and who answers which host.

mod faults;
mod message;
mod requests;
mod serve;

pub use faults::{Fault, FaultEffect, Faults};
pub use message::{Answer, Request, Response};
pub use requests::{RequestCount, Requests};
pub use serve::{serve_plain, serve_tls};

use std::time::Duration;

use crate::estate::Estate;
use crate::{arm, entra, gateway, graph, monitor};

/// Answers a request that came over HTTPS: the host tells which service is meant.
pub async fn answer(estate: &Estate, request: &Request) -> Answer {
    let host = request.host.clone();
    estate.requests().count(&request.verb, &host, &request.path);
    let fault = estate.faults().take(request, false);
    let effect = fault.as_ref().map(|fault| fault.effect);
    match (effect, &fault) {
        (Some(FaultEffect::DropBefore), _) => return Answer::Drop,
        (Some(FaultEffect::Slow), Some(fault)) => {
            tokio::time::sleep(Duration::from_millis(fault.delay)).await;
        }
        (Some(FaultEffect::Twice), _) => drop(serve(estate, &host, request).await),
        _ => {}
    }
    let mut response = match (effect, &fault) {
        (Some(FaultEffect::Refuse | FaultEffect::Html), Some(fault)) => fault.response(),
        _ => serve(estate, &host, request).await,
    };
    response
        .headers
        .push(("Date".into(), estate.clock.http_date()));
    match effect {
        Some(FaultEffect::DropAfter) => Answer::Drop,
        Some(FaultEffect::Hang) => std::future::pending().await,
        Some(FaultEffect::Truncate) => Answer::CutOff(response),
        _ => Answer::Reply(response),
    }
}

async fn serve(estate: &Estate, host: &str, request: &Request) -> Response {
    if host == "management.localhost" {
        arm::answer(estate, request)
    } else if host == "login.localhost" {
        entra::answer(estate, request)
    } else if host == "graph.localhost" {
        graph::answer(estate, request)
    } else if host == "api.loganalytics.localhost" {
        monitor::answer(estate, request)
    } else if let Some(service) = host.strip_suffix(".azure-api.localhost") {
        gateway::answer(estate, service, request).await
    } else {
        Response::text(404, "No service of the emulator has this host name.")
    }
}
