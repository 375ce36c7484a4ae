//! What keeps an Access to an HTTP service from going on, and who else uses what it is to change.

use std::collections::BTreeSet;

use keyless_model::{Address, ApiChoice, HttpAccess, Identity, Live, Principal, Selection};

use crate::draft::{Draft, Input};
use crate::stages::http::access::{Http, HttpMove};
use crate::stages::http::identity;
use crate::stages::http::lanes::{Lane, Lanes, Leading, Part};
use crate::stages::touched::{of_any_revision, serving};

/// Reasons that concern the whole Access.
pub(crate) fn whole(input: Input, draft: &mut Draft, lanes: &Lanes, one: &mut HttpMove) {
    let place = one.place();
    if !one.access.accepts_token {
        let why = "nothing says that the service takes tokens";
        let next = "make it take tokens of this audience, then add `token` to `accepts`";
        one.hold_up(draft, &place, why, next);
    }
    if let Some((why, next)) = identity::missing(input, one.access) {
        one.hold_up(draft, &place, &why, next);
    }
    unread_lists(input, draft, one);
    missing_choices(input, draft, one);
    other_gateways(input, draft, lanes, one);
    rivals(input, draft, lanes, one);
}

/// A role that a document gives to the identity, and that cannot be given yet: the service would
/// refuse the token. Known once the assignments are planned.
pub(crate) fn missing_roles(input: Input, draft: &mut Draft, http: &mut Http) {
    let mut moves = http.moves.iter_mut();
    while let Some(one) = moves.find(|m| !m.blocked && !m.works.is_empty()) {
        let wanted = match &one.access.identity {
            Identity::System => Principal::Gateway(one.access.gateway.clone()),
            Identity::User(name) => Principal::Identity(name.clone()),
        };
        let roles = input.desired.role_assignments.iter();
        let own = roles.filter(|(_, document)| document.principal == wanted);
        let places = own.map(|(name, _)| Address::role_assignment(name));
        let held: Vec<Address> = places
            .filter(|place| draft.waiting.iter().any(|row| row.address == *place))
            .collect();
        for place in &held {
            let why = "the identity has not the role yet that a document gives it";
            let next = "see what holds the role up, then plan again";
            one.hold_up(draft, place, why, next);
        }
    }
}

/// Who else uses a document is known only where all of these were listed.
fn unread_lists(input: Input, draft: &mut Draft, one: &mut HttpMove) {
    for word in ["api", "product", "policyFragment", "backend", "gateway"] {
        let list = one.gateway.child(word, "");
        if let Live::Unreadable(why) = input.live.get(&list) {
            let why = format!("the list of each {word} could not be read: {why}");
            let next = "give the identity that plans the Reader role on the gateway";
            one.hold_up(draft, &one.gateway.clone(), &why, next);
        }
    }
}

/// What an Access names must be there; a name that is not is a mistake that would look clean.
fn missing_choices(input: Input, draft: &mut Draft, one: &mut HttpMove) {
    let access = one.access;
    for choice in access.apis.iter().flatten() {
        let api = one.gateway.child("api", &choice.name);
        let mut absent = Vec::new();
        if input.live.get(&api).present().is_none() {
            absent.push(api.clone());
        } else {
            for (word, chosen) in [
                ("operation", &choice.operations),
                ("resolver", &choice.resolvers),
            ] {
                if let Selection::Named(names) = chosen {
                    let named = names.iter().map(|n| api.child(word, n));
                    absent.extend(named.filter(|a| input.live.get(a).present().is_none()));
                }
            }
        }
        for address in absent {
            let why = "it is not in the gateway (nor is what a workspace holds), or could not be \
                       read";
            let next = "correct the name in `from.apis` of the Access";
            one.hold_up(draft, &address, why, next);
        }
    }
}

/// A self-hosted gateway skips policies that it does not know, and has no identity of the service
/// (azure-facts B.4, "Silent downgrade"); a workspace's has none for its policies.
fn other_gateways(input: Input, draft: &mut Draft, lanes: &Lanes, one: &mut HttpMove) {
    let access = one.access;
    let mine = lanes.lanes.iter().filter(|l| chosen(access, l).is_some());
    let names: BTreeSet<&str> = mine.map(Lane::api_name).collect();
    let served = |word| {
        let all = serving(input.live, &one.gateway, word);
        all.filter(|a| names.contains(of_any_revision(a.last().1)))
    };
    let self_hosted = served("gateway").map(|place| (place.clone(), SELF_HOSTED));
    let workspaces = served("workspace").map(|place| (place.clone(), WORKSPACE));
    let found: Vec<_> = self_hosted.chain(workspaces).collect();
    for (address, (why, next)) in found {
        one.hold_up(draft, &address, why, next);
    }
}

const SELF_HOSTED: (&str, &str) = (
    "a self-hosted gateway serves the API, and has no identity of the service",
    "take the API off that gateway, or leave it out of the Access",
);

const WORKSPACE: (&str, &str) = (
    "a workspace serves the API, and its policies cannot ask for a token",
    "move the API out of the workspace, or leave it out of the Access",
);

/// One call can carry one token only.
fn rivals(input: Input, draft: &mut Draft, lanes: &Lanes, one: &mut HttpMove) {
    let access = one.access;
    let others = input.desired.http_accesses.values();
    let others = others.filter(|o| o.gateway == access.gateway && !same_token(o, access));
    for other in others {
        let both = |l: &&Lane| chosen(access, l).is_some() && chosen(other, l).is_some();
        let meet = |l: &&Lane| {
            lanes.leads(l, &access.url) == Leading::Yes
                && lanes.leads(l, &other.url) == Leading::Yes
        };
        let mut shared = lanes.lanes.iter().filter(both);
        if let Some(lane) = shared.find(meet) {
            let why = format!(
                "the Access {} asks for another token for the same calls",
                other.name
            );
            let next = "let one Access only choose them";
            one.hold_up(draft, &lane.address(), &why, next);
        }
    }
}

/// Whether two Accesses ask for the same token for the same service.
fn same_token(a: &HttpAccess, b: &HttpAccess) -> bool {
    let url = |access: &HttpAccess| access.url.trim_end_matches('/').to_lowercase();
    a.audience == b.audience && a.identity == b.identity && url(a) == url(b)
}

/// Whether the Access chooses calls of a lane: all of them, or some. None when it chooses none.
pub(crate) fn chosen(access: &HttpAccess, lane: &Lane) -> Option<bool> {
    let Some(choices) = &access.apis else {
        return Some(true);
    };
    let mine = choices.iter().filter(|c| c.name == lane.api_name());
    let found: Vec<bool> = mine.filter_map(|c| in_choice(c, lane)).collect();
    (!found.is_empty()).then(|| found.contains(&true))
}

fn in_choice(choice: &ApiChoice, lane: &Lane) -> Option<bool> {
    match (&lane.part, &choice.operations) {
        (Part::Resolver(name), _) => choice.resolvers.holds(name).then_some(true),
        (Part::Operation(name), operations) => operations.holds(name).then_some(true),
        (Part::Api(_), Selection::All) => Some(true),
        (Part::Api(plain), Selection::Named(names)) => {
            let some = plain.iter().any(|name| names.contains(name));
            some.then(|| plain.iter().all(|name| names.contains(name)))
        }
    }
}

/// Whether every call of a lane is chosen by Accesses that ask for the same token as this one.
pub(crate) fn covered(input: Input, access: &HttpAccess, lane: &Lane) -> bool {
    let all = input.desired.http_accesses.values();
    let mut same: Vec<&HttpAccess> = all
        .filter(|o| o.gateway == access.gateway && same_token(o, access))
        .collect();
    same.retain(|o| o.accepts_token || o.name == access.name);
    same.retain(|o| chosen(o, lane).is_some());
    let Part::Api(plain) = &lane.part else {
        return !same.is_empty();
    };
    let by_name = |name: &String| {
        same.iter().any(|o| {
            let choices = o.apis.iter().flatten();
            let mut mine = choices.filter(|c| c.name == lane.api_name());
            o.apis.is_none() || mine.any(|c| c.operations.holds(name))
        })
    };
    same.iter().any(|o| chosen(o, lane) == Some(true))
        || (!plain.is_empty() && plain.iter().all(by_name))
}

/// The lanes among `users` whose calls no Access moves to the same token, or that lead elsewhere
/// too, as people read them.
pub(crate) fn outsiders<'a>(
    input: Input,
    lanes: &Lanes,
    access: &HttpAccess,
    users: impl Iterator<Item = (&'a Lane, bool)>,
) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for (lane, call) in users {
        let address = lane.address();
        if !covered(input, access, lane) {
            let what = match lane.part {
                Part::Api(_) if chosen(access, lane).is_some() => {
                    ", operations that are not chosen"
                }
                _ => "",
            };
            out.insert(format!("{address}{what}"));
        } else if call && lanes.leads(lane, &access.url) != Leading::Yes {
            out.insert(format!("{address}, which leads elsewhere, or may"));
        }
    }
    out
}
