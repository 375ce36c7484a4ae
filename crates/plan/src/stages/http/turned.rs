//! Documents of the same plan that turn calls elsewhere: an Access was judged on where its calls
//! lead now, so it waits for them, and a document that would carry its token elsewhere is not
//! written.

use std::collections::BTreeSet;

use keyless_model::{Address, Entity, Snapshot};
use serde_json::{Value, json};

use crate::compare::covers;
use crate::draft::{Draft, Input};
use crate::simulate::merged;
use crate::stages::arm::is_policy;
use crate::stages::http::access::HttpMove;
use crate::stages::http::block::chosen;
use crate::stages::http::lanes::{End, Lane, Lanes, Part};
use crate::stages::http::stray;
use crate::stages::named_values;

/// A gateway as its documents want it.
pub(crate) struct Wanted {
    lanes: Lanes,
    /// What differs from live.
    changed: BTreeSet<Address>,
    /// The gateway half way there: with the policies alone, and with all but them.
    half: [Lanes; 2],
}

/// None when live is as declared.
pub(crate) fn wanted(input: Input, gateway: &Address) -> Option<Wanted> {
    let (world, changed) = written(input, gateway, |_| true);
    let world = world?;
    let half = [true, false].map(|policies| {
        let (world, _) = written(input, gateway, |a| is_policy(a) == policies);
        Lanes::of(world.as_ref().unwrap_or(input.live), gateway)
    });
    Some(Wanted {
        lanes: Lanes::of(&world, gateway),
        changed,
        half,
    })
}

/// The world with those of the declared documents, and which of them change it. None when none does.
fn written(
    input: Input,
    gateway: &Address,
    holds: impl Fn(&Address) -> bool,
) -> (Option<Snapshot>, BTreeSet<Address>) {
    let mut world: Option<Snapshot> = None;
    let mut changed = BTreeSet::new();
    let all = declared(input, gateway).into_iter();
    for (address, body) in all.filter(|(address, _)| holds(address)) {
        let live = input.live.entities.get(&address);
        if live.is_some_and(|e| covers(&address, &e.body, &body)) {
            continue;
        }
        let body = live.map_or_else(|| body.clone(), |e| merged(&e.body, &body));
        let id = live.map(|e| e.id.clone()).unwrap_or_default();
        let entity = Entity {
            id,
            etag: None,
            body,
        };
        let world = world.get_or_insert_with(|| input.live.clone());
        world.entities.insert(address.clone(), entity);
        changed.insert(address);
    }
    (world, changed)
}

/// What the documents of a gateway say of where calls go and what they run through.
fn declared(input: Input, gateway: &Address) -> Vec<(Address, Value)> {
    let desired = input.desired;
    let resources = desired.resources.values();
    let resources = resources.map(|r| {
        let body = json!({ "properties": Value::Object(r.properties.clone()) });
        (r.address.clone(), body)
    });
    let policies = desired.policies.values().map(|p| {
        let body = json!({ "properties": { "value": p.text } });
        (p.scope.address(&p.gateway), body)
    });
    let values = desired.named_values.values().map(|v| {
        let address = Address::gateway(&v.gateway).child("namedValue", &v.name);
        let body = json!({ "properties": named_values::body_of(v) });
        (address, body)
    });
    let all = resources.chain(policies).chain(values);
    all.filter(|(address, _)| address.root() == *gateway)
        .collect()
}

/// Holds the Access back, or the documents.
pub(crate) fn hold(
    input: Input,
    draft: &mut Draft,
    lanes: &Lanes,
    wanted: &Wanted,
    one: &mut HttpMove,
) {
    if !one.works.is_empty() {
        let turned = wanted.lanes.lanes.iter();
        let turned = turned.filter(|lane| is_turned(lanes, wanted, one, lane));
        for place in turned.map(Lane::address).collect::<BTreeSet<_>>() {
            let why = "documents of the same plan change where its calls lead, or what they run \
                       through";
            let next = "apply those first, then plan again; if they lead elsewhere for good, \
                        correct the Access";
            one.hold_up(draft, &place, why, next);
        }
    }
    let in_the_end = stray::found(input, &wanted.lanes, one);
    let why = format!(
        "it would carry the token of the Access {} elsewhere: take the token out of the policies of \
         these calls first",
        one.name()
    );
    for place in in_the_end.difference(&one.strays) {
        hold_turning(draft, lanes, wanted, place, &why, |_| true);
    }
    // Of two documents only one may be written, or one fails.
    let why = format!(
        "on its own it would carry the token of the Access {} elsewhere: another document comes \
         first",
        one.name()
    );
    for (half, policies) in wanted.half.iter().zip([true, false]) {
        let astray = stray::found(input, half, one);
        let meanwhile = astray.difference(&in_the_end);
        for place in meanwhile.filter(|place| !one.strays.contains(*place)) {
            let here = |a: &Address| is_policy(a) == policies;
            hold_turning(draft, lanes, wanted, place, &why, here);
        }
    }
}

/// Holds back the documents that turn the calls of this place.
fn hold_turning(
    draft: &mut Draft,
    lanes: &Lanes,
    wanted: &Wanted,
    place: &Address,
    why: &str,
    holds: impl Fn(&Address) -> bool,
) {
    let on_way = wanted.lanes.lanes.iter().chain(&lanes.lanes);
    let near: BTreeSet<Address> = on_way
        .filter(|lane| lane.address() == *place)
        .flat_map(near)
        .collect();
    let turning = wanted
        .changed
        .iter()
        .filter(|a| turns(a, &near) && holds(a));
    for address in turning {
        draft.held.insert(address.clone(), why.to_owned());
    }
}

/// Whether a lane that runs through what the Access is to change comes to lead elsewhere, or one that
/// is not the Access's comes to run through it.
fn is_turned(lanes: &Lanes, wanted: &Wanted, one: &HttpMove, lane: &Lane) -> bool {
    let Some(before) = counterpart(lanes, lane) else {
        return false;
    };
    let mine = chosen(one.access, lane).is_some();
    let joins = |document: &Address| lane.carries(document) && !before.carries(document);
    if !mine && one.works.keys().any(joins) {
        return true;
    }
    // One of another Access may run through it too.
    let relevant = mine || one.works.keys().any(|d| lane.carries(d));
    let url = &one.access.url;
    relevant && lanes.leads(before, url) != wanted.lanes.leads(lane, url)
}

/// The lane as it is: an operation that gets a policy of its own now takes that of its API.
fn counterpart<'a>(lanes: &'a Lanes, lane: &Lane) -> Option<&'a Lane> {
    let same = lanes.lanes.iter().find(|l| l.address() == lane.address());
    same.or_else(|| {
        let mut others = lanes.lanes.iter().filter(|l| l.api == lane.api);
        others.find(|l| matches!(l.part, Part::Api(_)))
    })
}

/// What decides where a lane leads.
fn near(lane: &Lane) -> BTreeSet<Address> {
    let links = lane.links.iter().map(|l| l.document.clone());
    let ends = lane.ends.iter().filter_map(|end| match end {
        End::Backend(address) => Some(address.clone()),
        End::Service => Some(lane.api.clone()),
        End::Url(_) | End::Unknown => None,
    });
    links.chain(ends).collect()
}

/// A named value may stand in any URL, and a pool of backends at any end.
fn turns(changed: &Address, near: &BTreeSet<Address>) -> bool {
    near.contains(changed) || matches!(changed.last().0, "namedValue" | "backend")
}
