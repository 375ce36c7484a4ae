//! Calls that carry the token of an Access to somebody else: the document that asks for it stays
//! where it is, and an operation, a backend or a URL was turned elsewhere by hand.

use std::collections::BTreeSet;

use keyless_model::{Address, HttpAccess};

use crate::draft::{Draft, Input};
use crate::stages::http::access::HttpMove;
use crate::stages::http::block::chosen;
use crate::stages::http::judge::{PolicyWork, is_request};
use crate::stages::http::lanes::{Lane, Lanes, Leading, Part};

/// Finds them, and leaves a row for each. A token that keyless never asked for, in an API that the
/// Access does not choose, is not its matter.
pub(crate) fn tell(input: Input, draft: &mut Draft, lanes: &Lanes, one: &mut HttpMove) {
    let found = found(input, lanes, one);
    for place in &found {
        let why = "its calls ask for the token of the Access, and lead elsewhere or also there: \
                   whoever is there can use it";
        let next = "turn it back, or give it a policy of its own without `<base />`";
        one.unclear(draft, place, why, next);
    }
    one.strays = found;
}

/// The APIs and operations whose calls carry the token elsewhere.
pub(crate) fn found(input: Input, lanes: &Lanes, one: &HttpMove) -> BTreeSet<Address> {
    let calls = lanes
        .lanes
        .iter()
        .filter(|lane| !matches!(lane.part, Part::Resolver(_)));
    calls
        .filter(|lane| !is_meant(input, lanes, one.access, lane))
        .filter(|lane| asks(input, lanes, one, lane))
        .map(Lane::address)
        .collect()
}

/// Whether the lane leads to the Access's service, or to that of another Access with the same token.
/// Where it leads may be hidden behind a named value: that alone is no sign of anything.
fn is_meant(input: Input, lanes: &Lanes, access: &HttpAccess, lane: &Lane) -> bool {
    let same = |other: &&HttpAccess| {
        other.gateway == access.gateway
            && other.audience == access.audience
            && other.identity == access.identity
    };
    let mut targets = input.desired.http_accesses.values().filter(same);
    targets.any(|other| {
        matches!(
            lanes.leads(lane, &other.url),
            Leading::Yes | Leading::Unknown
        )
    })
}

/// Whether a document that acts on the calls asks for the token, and keyless wrote it or the Access
/// names the API.
fn asks(input: Input, lanes: &Lanes, one: &HttpMove, lane: &Lane) -> bool {
    let mine = one.access.apis.is_some() && chosen(one.access, lane).is_some();
    let links = lane.links.iter().filter(|l| l.inbound || l.backend);
    let ours = links.filter(|l| mine || input.state.applied.contains_key(&l.document));
    ours.filter_map(|l| lanes.document(&l.document))
        .any(|document| {
            let work = PolicyWork::of(lanes, &one.token, &one.access.url, document, true);
            work.right.iter().any(|place| !is_request(place))
        })
}
