//! What an Access is to change: every credential on the ways of its APIs to the target, and where
//! a token is asked for instead.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Address, Live};
use keyless_scan::{
    BackendCredential, BackendKind, Confidence, backend_credentials, url_credentials,
};

use crate::draft::{Draft, Input};
use crate::stages::http::access::{HttpMove, Work};
use crate::stages::http::asks::{asks, ends_ask, overruled, own_token};
use crate::stages::http::block::{chosen, covered, outsiders};
use crate::stages::http::edit::still_read;
use crate::stages::http::judge::PolicyWork;
use crate::stages::http::lanes::{End, Lane, Lanes, Leading, Part};
use crate::stages::http::stray;

/// Fills in the works of an Access, and tells of what cannot be done.
pub(crate) fn works(input: Input, draft: &mut Draft, lanes: &Lanes, one: &mut HttpMove) {
    let access = one.access;
    let mine = lanes.lanes.iter().filter(|l| chosen(access, l).is_some());
    let mine: Vec<(&Lane, Leading)> = mine.map(|l| (l, lanes.leads(l, &access.url))).collect();
    unread(input, draft, lanes, one, &mine);
    open_ways(input, draft, lanes, one, &mine);
    stray::tell(input, draft, lanes, one);
    let mut judged = judge(lanes, one, &mine);
    unreached(draft, one, &mine, &judged);
    leave_shared(input, draft, lanes, one, &mut judged);
    add_tokens(input, draft, lanes, one, &mine, &mut judged);
    leave_overruled(draft, lanes, one, &mine, &mut judged);
    ends(input, draft, lanes, one, &mine, &judged);
    for (address, work) in judged {
        if work.changes() {
            one.works.insert(address, Work::Policy(work));
        }
    }
}

/// What each document on the ways of an Access has to do with it.
pub(crate) type Judged = BTreeMap<Address, PolicyWork>;

/// Policies that were not read, or that are malformed.
fn unread(
    input: Input,
    draft: &mut Draft,
    lanes: &Lanes,
    one: &mut HttpMove,
    mine: &[(&Lane, Leading)],
) {
    let mut seen = BTreeSet::new();
    for (lane, _) in mine {
        let scopes = [lane.address(), lane.api.clone(), one.gateway.clone()];
        seen.extend(scopes.map(|scope| scope.part("policy")));
        seen.extend(lane.links.iter().map(|l| l.document.clone()));
        seen.extend(["operation", "resolver"].map(|word| lane.api.child(word, "")));
    }
    for address in seen {
        if let Live::Unreadable(why) = input.live.get(&address) {
            let next = "give the identity that plans the right to read it";
            one.hold_up(draft, &address, &why, next);
        } else if let Some(why) = lanes.broken(&address) {
            one.hold_up(draft, &address, why, "mend the policy in the gateway");
        }
    }
}

/// Calls that lead elsewhere too, or nobody knows where, and send a credential. Those of an API that
/// the Access names count without one as well, unless they send the token.
fn open_ways(
    input: Input,
    draft: &mut Draft,
    lanes: &Lanes,
    one: &mut HttpMove,
    mine: &[(&Lane, Leading)],
) {
    for (lane, leading) in mine {
        let (why, next) = match leading {
            Leading::Unknown => (
                "an expression or a hidden value decides where its calls go",
                "write the URL or the backend's id as plain text, or run plan --inspect-secrets",
            ),
            Leading::Mixed => (
                "some of its calls go to the service, with the same credentials as those that go \
                 elsewhere",
                "give what goes elsewhere an operation with a policy of its own, without `<base />`",
            ),
            _ => continue,
        };
        let links = lane.links.iter().filter(|l| l.inbound || l.backend);
        let documents = links.filter_map(|l| lanes.document(&l.document));
        let works: Vec<PolicyWork> = documents
            .map(|d| PolicyWork::of(lanes, &one.token, &one.access.url, d, true))
            .collect();
        let sends = |w: &PolicyWork| !w.call.is_empty() || w.has_key_in_url();
        let at_end = |end: &End| !of_end(input, lane, end).is_nothing();
        let asks = works.iter().any(|w| !w.right.is_empty());
        let named = one.access.apis.is_some() && !asks;
        if named || works.iter().any(sends) || lane.ends.iter().any(at_end) {
            one.unclear(draft, &lane.address(), why, next);
        }
    }
}

/// Every document on the ways, and what of it is this Access's.
fn judge(lanes: &Lanes, one: &mut HttpMove, mine: &[(&Lane, Leading)]) -> Judged {
    let mut ways: BTreeMap<Address, bool> = BTreeMap::new();
    for (lane, leading) in mine {
        let perhaps = matches!(leading, Leading::Mixed | Leading::Unknown);
        let acting = lane
            .links
            .iter()
            .filter(|l| perhaps && (l.inbound || l.backend));
        one.perhaps.extend(acting.map(|l| l.document.clone()));
        for link in &lane.links {
            let call = *leading == Leading::Yes && (link.inbound || link.backend);
            *ways.entry(link.document.clone()).or_default() |= call;
        }
    }
    one.ways = ways;
    let mut out = Judged::new();
    for (address, call) in &one.ways {
        if let Some(document) = lanes.document(address) {
            let work = PolicyWork::of(lanes, &one.token, &one.access.url, document, *call);
            out.insert(address.clone(), work);
        }
    }
    out
}

/// An API none of whose ways leads to the target is a mistake that would look clean.
fn unreached(draft: &mut Draft, one: &mut HttpMove, mine: &[(&Lane, Leading)], judged: &Judged) {
    let mut found: BTreeMap<&str, bool> = BTreeMap::new();
    for (lane, leading) in mine {
        let asks = |document: &Address| {
            judged.get(document).is_some_and(|w| {
                !w.requests.is_empty() || !w.right.is_empty() || !w.urls.is_empty()
            })
        };
        let there = *leading != Leading::No || lane.links.iter().any(|l| asks(&l.document));
        let entry = found.entry(lane.api_name()).or_default();
        *entry |= there;
    }
    let any = found.values().any(|there| *there);
    let why = format!("none of its ways leads to {}", one.access.url);
    let next = "correct `to.url` or `from.apis` of the Access";
    if one.access.apis.is_none() {
        if !any {
            one.unclear(draft, &one.gateway.clone(), &why, next);
        }
        return;
    }
    let gateway = one.gateway.clone();
    for (name, _) in found.iter().filter(|(_, there)| !**there) {
        one.unclear(draft, &gateway.child("api", name), &why, next);
    }
}

/// A document that calls outside of the Accesses run through stays as it is, as does one that does
/// not tell where it leads.
fn leave_shared(
    input: Input,
    draft: &mut Draft,
    lanes: &Lanes,
    one: &mut HttpMove,
    judged: &mut Judged,
) {
    for (address, work) in judged {
        let mut stays = work.unclear.clone();
        stays.dedup();
        for why in &stays {
            let next = "write it as plain text, or run plan --inspect-secrets";
            one.unclear(draft, address, why, next);
        }
        if work.changes() {
            let others = strangers(input, lanes, one, address, work);
            if !others.is_empty() {
                one.unclear(draft, address, &used_by(&others), SHARED);
                stays.push(SHARED);
            }
            if outside_inbound(lanes, address, work) {
                let why =
                    "it is also included outside of `inbound`, where no token can be asked for";
                let next = "include the fragment in `inbound` only";
                one.unclear(draft, address, why, next);
                stays.push(next);
            }
            let variable = lanes.document(address);
            let variable = variable.and_then(|d| still_read(d, work, &lanes.beside(address)));
            if let Some(name) = variable {
                let why =
                    format!("the variable {name} would go with the key, and is read elsewhere");
                let next = "take that reader out, or give it a variable of its own";
                one.unclear(draft, address, &why, next);
                stays.push(next);
            }
        }
        if !stays.is_empty() {
            work.give_up();
        }
    }
}

const SHARED: &str = "choose them in an Access with the same url, audience and identity, or give \
                      them a credential of their own";

fn used_by(others: &BTreeSet<String>) -> String {
    let names: Vec<&str> = others.iter().map(String::as_str).collect();
    format!("it is also used by {}", names.join(", "))
}

fn strangers(
    input: Input,
    lanes: &Lanes,
    one: &HttpMove,
    address: &Address,
    work: &PolicyWork,
) -> BTreeSet<String> {
    let call = !work.call.is_empty() || !work.wrong.is_empty() || work.has_key_in_url();
    let requests = !work.requests.is_empty() || work.urls.iter().any(|u| u.0.is_some());
    let users = lanes.lanes.iter().filter(|l| l.link(address).is_some());
    let users = users.map(|l| (l, call && l.carries(address)));
    let mut out = outsiders(input, lanes, one.access, users.filter(|u| requests || u.1));
    if *address == one.gateway.part("policy") {
        out.extend(workspaces(input, &one.gateway));
    }
    out
}

/// The workspaces of a gateway: their APIs run through its policy too (azure-facts B.4), and are not
/// read.
fn workspaces(input: Input, gateway: &Address) -> Vec<String> {
    match input.live.get(&gateway.child("workspace", "")) {
        Live::Unreadable(_) => vec!["workspaces, which could not be listed".into()],
        _ => {
            let all = input.live.children(gateway, "workspace");
            all.map(|(address, _)| format!("the APIs of {address}"))
                .collect()
        }
    }
}

fn outside_inbound(lanes: &Lanes, address: &Address, work: &PolicyWork) -> bool {
    let links = lanes.lanes.iter().filter_map(|l| l.link(address));
    let fragment = address.last().0 == "policyFragment";
    fragment && !work.call.is_empty() && links.into_iter().any(|l| l.backend || l.outbound)
}

/// Every lane to the target asks for a token somewhere: where no credential in a policy makes room
/// for it, it is added.
fn add_tokens(
    input: Input,
    draft: &mut Draft,
    lanes: &Lanes,
    one: &mut HttpMove,
    mine: &[(&Lane, Leading)],
    judged: &mut Judged,
) {
    for (lane, leading) in mine {
        if *leading != Leading::Yes || !covered(input, one.access, lane) {
            continue;
        }
        let each = lane
            .ends
            .iter()
            .any(|e| !of_end(input, lane, e).is_nothing())
            || lane.links.iter().any(|l| {
                judged
                    .get(&l.document)
                    .is_some_and(PolicyWork::has_key_in_url)
            });
        if asks(lanes, lane, judged, each) || ends_ask(input.live, one, lane) {
            continue;
        }
        match place_for(input, lanes, one, lane) {
            Some(address) if judged.get(&address).is_some_and(|w| w.given_up) => {}
            Some(address) => judged.entry(address).or_default().add = true,
            None => {
                let why = "its policy is also used by operations that lead elsewhere, so it can \
                           ask for no token";
                let next = "give those operations a policy of their own, without `<base />`";
                one.unclear(draft, &lane.address(), why, next);
            }
        }
    }
}

/// The policy in which a lane may ask for a token: the API's, if all that run through it go to the
/// target as well, else the operation's.
fn place_for(input: Input, lanes: &Lanes, one: &HttpMove, lane: &Lane) -> Option<Address> {
    let own = lane.address().part("policy");
    let operation = matches!(lane.part, Part::Operation(_));
    if operation && !lanes.runs_through_api(lane) {
        return Some(own);
    }
    let users = lanes.lanes.iter().filter(|l| l.api == lane.api);
    let users = users
        .filter(|l| lanes.runs_through_api(l))
        .map(|l| (l, true));
    if outsiders(input, lanes, one.access, users).is_empty() {
        return Some(lane.api.part("policy"));
    }
    operation.then_some(own)
}

/// Where a document further in touches the `Authorization` of a call, no token is asked for further
/// out: it would be overruled, or overrule the caller's own. A document that stays as it is for that
/// reason may overrule another.
fn leave_overruled(
    draft: &mut Draft,
    lanes: &Lanes,
    one: &mut HttpMove,
    mine: &[(&Lane, Leading)],
    judged: &mut Judged,
) {
    while let Some((address, by)) = overruled(lanes, mine, judged) {
        let why = format!("{by} uses the Authorization header of the same calls");
        let next = "leave the header to one of the two, or move the credential there";
        one.unclear(draft, &address, &why, next);
        if let Some(work) = judged.get_mut(&address) {
            work.give_up();
        }
    }
}

/// Credentials of a backend, or in an API's URL.
enum AtEnd {
    Nothing,
    Backend(Vec<BackendCredential>),
    Service(keyless_scan::UrlCredential),
}

impl AtEnd {
    fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

/// The credentials at the end of a lane. A proxy's is none for the target.
fn of_end(input: Input, lane: &Lane, end: &End) -> AtEnd {
    match end {
        End::Service => {
            let api = input.live.entities.get(&lane.api);
            let url = api.and_then(|e| e.text("/properties/serviceUrl"));
            url.and_then(url_credentials)
                .map_or(AtEnd::Nothing, AtEnd::Service)
        }
        End::Backend(address) => {
            let body = input.live.entities.get(address).map(|e| &e.body);
            let mut found = body.map(backend_credentials).unwrap_or_default();
            found.retain(|c| c.kind != BackendKind::Proxy && c.confidence != Confidence::Possible);
            match found.is_empty() {
                true => AtEnd::Nothing,
                false => AtEnd::Backend(found),
            }
        }
        End::Url(_) | End::Unknown => AtEnd::Nothing,
    }
}

/// Which of two tokens a call carries is not documented.
fn other_token(input: Input, draft: &mut Draft, one: &mut HttpMove, end: &End) {
    if let End::Backend(address) = end
        && own_token(input.live, one, address) == Some(false)
    {
        let why = "the backend asks for another token itself (`credentials.managedIdentity`)";
        let next = "correct it there, or take it out";
        one.unclear(draft, address, why, next);
    }
}

/// What backends and APIs lose, once all calls that go there send tokens.
fn ends(
    input: Input,
    draft: &mut Draft,
    lanes: &Lanes,
    one: &mut HttpMove,
    mine: &[(&Lane, Leading)],
    judged: &Judged,
) {
    for (lane, leading) in mine.iter().filter(|(_, leading)| *leading != Leading::No) {
        for end in &lane.ends {
            if *leading == Leading::Yes {
                other_token(input, draft, one, end);
            }
            let (address, work) = match (end, of_end(input, lane, end)) {
                (End::Backend(address), AtEnd::Backend(fields)) => {
                    (address.clone(), Work::Backend(fields))
                }
                (_, AtEnd::Service(url)) => (lane.api.clone(), Work::Service(url)),
                _ => continue,
            };
            if one.works.contains_key(&address) {
                continue;
            }
            if *leading != Leading::Yes {
                one.left.insert(address, work);
                continue;
            }
            let may = |l: &&Lane| l.ends_at(&address) || l.ends.contains(&End::Unknown);
            let users = lanes.lanes.iter().filter(may).map(|l| (l, true));
            let others = outsiders(input, lanes, one.access, users);
            let ends_here = mine.iter().filter(|(l, _)| l.ends_at(&address));
            let mut silent = ends_here
                .filter(|(l, _)| !asks(lanes, l, judged, true) && !ends_ask(input.live, one, l));
            if !others.is_empty() {
                one.unclear(draft, &address, &used_by(&others), SHARED);
                one.left.insert(address, work);
            } else if let Some((lane, _)) = silent.next() {
                let why = format!("{} can ask for no token yet", lane.address());
                let next = "see what holds that up, then plan again";
                one.unclear(draft, &address, &why, next);
                one.left.insert(address, work);
            } else {
                one.works.insert(address, work);
            }
        }
    }
}
