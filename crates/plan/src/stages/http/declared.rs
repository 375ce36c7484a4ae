//! Documents that declare what an Access is to change: the declared text is the wanted one, and
//! must itself ask for the token.

use keyless_model::Address;
use keyless_policy::Document;
use keyless_scan::{BackendCredential, backend_credentials, url_credentials};
use serde_json::{Value, json};

use crate::draft::{Draft, Input};
use crate::simulate::merged;
use crate::stages::http::access::{HttpMove, Work};
use crate::stages::http::judge::PolicyWork;
use crate::stages::http::lanes::Lanes;

/// The text that a Policy, PolicyFragment or Resolver document declares for this policy.
pub(crate) fn text<'a>(input: Input<'a>, address: &Address) -> Option<&'a str> {
    let policies = input.desired.policies.values();
    let mut found = policies.filter(|p| p.scope.address(&p.gateway) == *address);
    let policy = found.next().map(|p| p.text.as_str());
    policy.or_else(|| {
        crate::stages::switch::document(input, address)?
            .policy
            .as_deref()
    })
}

/// Whether a declared text does what an Access asks for.
pub(crate) fn is_ready(lanes: &Lanes, one: &HttpMove, address: &Address, text: &str) -> bool {
    let call = one.ways.get(address).copied().unwrap_or_default();
    let Ok(document) = Document::parse(text) else {
        return false;
    };
    let work = |document| PolicyWork::of(lanes, &one.token, &one.access.url, document, call);
    let wanted = work(&document);
    let asks_now = lanes.document(address).is_some_and(|live| {
        let mut live = work(live);
        live.give_up();
        live.sends_token(false)
    });
    let asked = match one.works.get(address) {
        Some(Work::Policy(work)) => work.sends_token(false),
        _ => asks_now,
    };
    !wanted.changes() && (!asked || wanted.sends_token(false))
}

/// Whether a declared text sends a key to the target.
pub(crate) fn sends_keys(lanes: &Lanes, one: &HttpMove, address: &Address, text: &str) -> bool {
    let call = one.ways.get(address).copied().unwrap_or_default();
    sends(lanes, one, text, call)
}

/// The same, and whether it does where calls may lead to the target.
fn may_send_keys(lanes: &Lanes, one: &HttpMove, address: &Address, text: &str) -> bool {
    let perhaps = one.perhaps.contains(address);
    sends_keys(lanes, one, address, text) || (perhaps && sends(lanes, one, text, true))
}

/// Whether a text sends a key to the target, with `call` also in the calls that run through it.
fn sends(lanes: &Lanes, one: &HttpMove, text: &str, call: bool) -> bool {
    let (token, url) = (&one.token, &one.access.url);
    Document::parse(text)
        .is_ok_and(|document| PolicyWork::of(lanes, token, url, &document, call).sends_keys())
}

const NOT_READY: &str = "the declared policy file still sends a key, or asks for no token";

/// Tells of a declared text that is not ready, with what is to be in it.
pub(crate) fn not_ready(draft: &mut Draft, one: &mut HttpMove, address: &Address) {
    let next = format!(
        "put {} into the file in place of the key, or leave the policy to the Access",
        one.token.xml()
    );
    one.unclear(draft, address, NOT_READY, &next);
}

/// Declared texts on the ways of an Access that nothing writes: those that would bring a key back,
/// and those that would take one away which the Access has to leave for now.
pub(crate) fn hold_back(input: Input, draft: &mut Draft, lanes: &Lanes, one: &mut HttpMove) {
    hold_ends(input, draft, one);
    let ways = one.ways.keys().filter(|a| !one.works.contains_key(*a));
    for address in ways.cloned().collect::<Vec<_>>() {
        let Some(text) = text(input, &address) else {
            continue;
        };
        let live = input.live.policy_text(&address).unwrap_or_default();
        let why = match may_send_keys(lanes, one, &address, live) {
            true if may_send_keys(lanes, one, &address, text) => continue,
            true => format!("the Access {} has to leave its key for now", one.name()),
            false if is_ready(lanes, one, &address, text) => continue,
            false => {
                not_ready(draft, one, &address);
                format!(
                    "it would bring a key back that the Access {} replaces",
                    one.name()
                )
            }
        };
        draft.held.insert(address, why);
    }
}

/// Declared backends and URLs of APIs that would lose a credential which the Access has to leave for now.
fn hold_ends(input: Input, draft: &mut Draft, one: &HttpMove) {
    let left = one.left.iter();
    for (address, work) in left.filter(|(a, _)| !one.works.contains_key(*a)) {
        if drops(input, address, work) {
            let why = format!("the Access {} has to leave its key for now", one.name());
            draft.held.insert(address.clone(), why);
        }
    }
}

/// Whether a document takes away a credential of a backend or of an API's URL.
pub(crate) fn drops(input: Input, address: &Address, end: &Work) -> bool {
    let Some(resource) = input.desired.resources.get(address) else {
        return false;
    };
    let Some(live) = input.live.entities.get(address) else {
        return false;
    };
    let body = json!({ "properties": Value::Object(resource.properties.clone()) });
    let after = merged(&live.body, &body);
    match end {
        Work::Backend(fields) => {
            let left = backend_credentials(&after);
            fields
                .iter()
                .any(|f| !left.iter().any(|c| c.pointer == f.pointer))
        }
        Work::Service(_) => {
            let url = after
                .pointer("/properties/serviceUrl")
                .and_then(Value::as_str);
            url.and_then(url_credentials).is_none()
        }
        Work::Policy(_) => false,
    }
}

/// Whether a Backend document declares one of the credentials that are to go.
pub(crate) fn keeps(input: Input, address: &Address, fields: &[BackendCredential]) -> bool {
    let Some(resource) = input.desired.resources.get(address) else {
        return false;
    };
    let body = json!({ "properties": resource.properties });
    fields
        .iter()
        .any(|f| body.pointer(&f.pointer).is_some_and(|v| !v.is_null()))
}
