//! Whether the calls of a lane send the token, and what overrules that.

use keyless_model::{Address, Snapshot};

use crate::stages::http::access::HttpMove;
use crate::stages::http::caller;
use crate::stages::http::find::Judged;
use crate::stages::http::judge::PolicyWork;
use crate::stages::http::lanes::{End, Lane, Lanes, Leading, Link};
use crate::stages::http::switch::is_own;

/// Whether every end of a lane is a backend that asks for the token itself
/// (`credentials.managedIdentity`, azure-facts B.3).
pub(crate) fn ends_ask(world: &Snapshot, one: &HttpMove, lane: &Lane) -> bool {
    let right = |end: &End| match end {
        End::Backend(address) => own_token(world, one, address) == Some(true),
        _ => false,
    };
    !lane.ends.is_empty() && lane.ends.iter().all(right)
}

/// Whether the token that a backend asks for itself is the Access's. None when it asks for none.
pub(crate) fn own_token(world: &Snapshot, one: &HttpMove, backend: &Address) -> Option<bool> {
    let entity = world.entities.get(backend)?;
    let field =
        |name: &str| entity.text(&format!("/properties/credentials/managedIdentity/{name}"));
    let client_id = field("clientId").unwrap_or_default();
    let wanted = one.token.client_id.as_deref().unwrap_or_default();
    let resource = field("resource")?;
    Some(resource == one.token.audience && client_id.eq_ignore_ascii_case(wanted))
}

/// Whether calls of a lane send the token as the documents are.
pub(crate) fn asks_now(world: &Snapshot, lanes: &Lanes, one: &HttpMove, lane: &Lane) -> bool {
    let mut judged = Judged::new();
    for link in &lane.links {
        if let Some(document) = lanes.document(&link.document) {
            let (token, url) = (&one.token, &one.access.url);
            let mut work = PolicyWork::of(lanes, token, url, document, true);
            work.give_up();
            judged.insert(link.document.clone(), work);
        }
    }
    asks(lanes, lane, &judged, true) || ends_ask(world, one, lane)
}

/// Whether calls of a lane send the token once its documents have changed; with `each`, all calls.
pub(crate) fn asks(lanes: &Lanes, lane: &Lane, judged: &Judged, each: bool) -> bool {
    let by_link = lane.links.iter().any(|link| {
        let work = judged.get(&link.document);
        let asks = |w: &PolicyWork| {
            w.sends_token(each) && overruled_by(lanes, lane, judged, &link.document, w).is_none()
        };
        link.inbound && (link.always || !each) && work.is_some_and(asks)
    });
    // A policy that is yet to be made is no link.
    let policy = lane.api.part("policy");
    let made = |w: &PolicyWork| w.add && overruled_by(lanes, lane, judged, &policy, w).is_none();
    by_link || (lanes.runs_through_api(lane) && judged.get(&policy).is_some_and(made))
}

/// A document that is to ask for a token in vain, and the one that overrules it.
pub(crate) fn overruled(
    lanes: &Lanes,
    mine: &[(&Lane, Leading)],
    judged: &Judged,
) -> Option<(Address, Address)> {
    let mut to_target = mine.iter().filter(|(_, leading)| *leading == Leading::Yes);
    to_target.find_map(|(lane, _)| {
        let mut anew = judged.iter().filter(|(_, work)| work.asks_anew());
        anew.find_map(|(address, work)| {
            let by = overruled_by(lanes, lane, judged, address, work)?;
            Some((address.clone(), by))
        })
    })
}

/// The document that acts on the `Authorization` of a lane's calls after the one at `address`, and
/// still does when that one is switched.
fn overruled_by(
    lanes: &Lanes,
    lane: &Lane,
    judged: &Judged,
    address: &Address,
    work: &PolicyWork,
) -> Option<Address> {
    let nothing = PolicyWork::default();
    let touches = |(link, sections): &(&Link, Vec<&str>)| {
        let work = match &link.document {
            own if own == address => work,
            // It is switched later.
            other if is_own(address) && !is_own(other) => &nothing,
            other => judged.get(other).unwrap_or(&nothing),
        };
        let document = lanes.document(&link.document);
        document.is_some_and(|d| caller::within(d, work, sections))
    };
    let mut after = lanes.after(lane, address).into_iter();
    after.find(touches).map(|(l, _)| l.document.clone())
}
