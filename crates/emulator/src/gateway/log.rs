//! The gateway's log of its calls, as `ApiManagementGatewayLogs` shows it (azure-facts E.2).

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use super::context::Call;
use crate::arm::{name_of, without_revision};
use crate::http::Response;

/// How many calls are kept; the oldest go first.
const KEPT: usize = 50_000;

/// One call, under the names of the columns.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GatewayCall {
    /// The key of the service.
    #[serde(skip)]
    pub service: String,
    pub time_generated: String,
    pub correlation_id: String,
    pub api_id: String,
    pub api_revision: String,
    pub operation_id: String,
    pub product_id: String,
    pub apim_subscription_id: String,
    pub caller_ip_address: &'static str,
    /// Without the query, where keys may stand.
    pub url: String,
    pub response_code: u16,
    /// In milliseconds.
    pub total_time: u64,
}

/// The calls of all services.
#[derive(Debug, Default)]
pub struct GatewayLog {
    calls: VecDeque<GatewayCall>,
}

impl GatewayLog {
    pub fn push(&mut self, call: GatewayCall) {
        if self.calls.len() == KEPT {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    pub fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a GatewayCall> {
        self.calls
            .iter()
            .filter(move |call| call.service == service)
    }
}

/// Writes a call down that has been answered. Consumption has no such log (azure-facts E.1).
pub fn record(call: &Call<'_>, response: &Response, took: Duration) {
    let (estate, route) = (call.estate, call.route);
    let store = estate.store();
    let tier = store.get(&route.service);
    let tier = tier.and_then(|service| service.body["sku"]["name"].as_str());
    if tier.is_some_and(|tier| tier.eq_ignore_ascii_case("Consumption")) {
        return;
    }
    // Keys are in lower case, names are not.
    let name = |key: Option<&String>| {
        let entity = key.and_then(|key| store.get(key));
        entity.map_or_else(String::new, |entity| name_of(&entity.id).to_owned())
    };
    let api = store.get(&route.api);
    let revision = api.and_then(|api| api.property("apiRevision"));
    let line = GatewayCall {
        service: route.service.clone(),
        time_generated: estate.clock.iso(),
        correlation_id: call.request_id.to_owned(),
        api_id: without_revision(&name(Some(&route.api))).to_owned(),
        api_revision: revision.unwrap_or_default().to_owned(),
        operation_id: name(route.operation.as_ref()),
        product_id: name(route.product.as_ref()),
        apim_subscription_id: name(route.subscription.as_ref()),
        caller_ip_address: "127.0.0.1",
        url: format!("https://{}{}", call.original.host, call.original.path),
        response_code: response.status,
        total_time: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    };
    drop(store);
    estate.gateway_log().push(line);
}
