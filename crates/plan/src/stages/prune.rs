//! What no document declares in the owned scopes of a gateway: a finding, and in a gateway that
//! prunes a planned delete.

use std::collections::BTreeSet;

use keyless_model::{Address, Entity, Owned};
use keyless_policy::Document;
use keyless_scan::{To, targets};

use crate::draft::{Draft, Input, NewStep};
use crate::phase::Phase;
use crate::stages::access::Move;
use crate::stages::claims::{choosing, unfinished};
use crate::stages::http;
use crate::stages::http::access::{Http, HttpMove};
use crate::stages::resources::declared_addresses;
use crate::stages::retire::{References, unread, values_of};
use crate::stages::touched::{including, of_any_revision, touched};
use crate::step::{Note, Op, Undo};

/// Plans the deletes of every gateway that prunes what it owns. An Access that is held up may still
/// need any of it, so that its gateway is left alone; nothing goes that is still referred to, that
/// runs in an API which an Access chooses, or that keyless made for an Access.
pub(crate) fn gateways(input: Input, draft: &mut Draft, moves: &[Move], http: &Http) {
    for (name, gateway) in input.desired.gateways.iter().filter(|(_, g)| g.prune) {
        let root = Address::gateway(name);
        let mut found = unmanaged(input, moves, http, &root, &gateway.owns);
        found.retain(|address| {
            draft
                .world
                .entities
                .get(address)
                .is_some_and(|e| !is_parking(address, e))
        });
        found.sort_by_key(|address| (rank(address), address.clone()));
        let held_up = held_up(input, moves, http, name);
        let references = References::of(draft);
        let switches = moves.iter().filter(|m| m.gateway == root);
        let mut switched: BTreeSet<String> = switches.flat_map(|m| m.off_the_old_path()).collect();
        let http = http.moves.iter().filter(|m| m.gateway == root);
        switched.extend(http.flat_map(|m| m.switched.iter().chain(&m.confirmed).cloned()));
        let mut planned: Vec<(u8, String)> = Vec::new();
        for address in found {
            if let Some((why, next)) = spares(input, draft, &references, &held_up, &address) {
                draft.wait(&address, None, PRUNE, &why, next);
                continue;
            }
            // What refers to another thing goes before it.
            let earlier = planned.iter().filter(|(r, _)| *r < rank(&address));
            let needs = switched
                .iter()
                .chain(earlier.map(|(_, id)| id))
                .cloned()
                .collect();
            let id = draft.add(delete(&address, needs));
            planned.extend(id.map(|id| (rank(&address), id)));
        }
    }
}

const PRUNE: &str = "delete what no document declares";

fn delete(address: &Address, needs: BTreeSet<String>) -> NewStep {
    NewStep {
        phase: Phase::Retire,
        address: address.clone(),
        access: None,
        reason: "the gateway prunes what it owns, and no document declares this".into(),
        op: Op::Delete {},
        needs,
        undo: Undo::Never {
            why: "keyless keeps no copy of it".into(),
        },
        notes: vec![Note::Forgotten {
            address: address.clone(),
        }],
        shown: vec![],
    }
}

/// The order of deletes, the reverse of that of writes (azure-facts B.4). An API goes after its
/// other revisions.
fn rank(address: &Address) -> u8 {
    match address.last() {
        ("policy", _) => 0,
        ("api", name) if name.contains(";rev=") => 1,
        ("api", _) => 2,
        ("policyFragment", _) => 3,
        ("backend", _) => 4,
        _ => 5,
    }
}

/// The Accesses of the gateway that something holds up, those to HTTP services too.
fn held_up(input: Input, moves: &[Move], http: &Http, gateway: &str) -> String {
    let here = input.desired.accesses.values();
    let mut out = unfinished(moves, here.filter(|a| a.gateway == gateway));
    let goes_on = |name: &str| {
        let mut mine = http.moves.iter().filter(|m| m.name() == name);
        mine.any(|m| !m.blocked && m.all_known)
    };
    let here = input.desired.http_accesses.values();
    let here = here.filter(|a| a.gateway == gateway && !goes_on(&a.name));
    out.extend(here.map(|a| a.name.as_str()));
    out.join(", ")
}

/// A named value that keyless made to hold a literal. The state may be lost: its mark stays.
fn is_parking(address: &Address, entity: &Entity) -> bool {
    let tags = entity
        .body
        .pointer("/properties/tags")
        .and_then(|t| t.as_array());
    let marked = tags
        .into_iter()
        .flatten()
        .any(|t| t.as_str() == Some("keyless"));
    address.last().0 == "namedValue" && address.last().1.starts_with("keyless-") && marked
}

/// Why an undeclared thing is not deleted yet, and what to do.
fn spares(
    input: Input,
    draft: &Draft,
    references: &References,
    held_up: &str,
    address: &Address,
) -> Option<(String, &'static str)> {
    if !held_up.is_empty() {
        let why = format!("the Access {held_up} is held up and may need it");
        return Some((why, "see what holds it up, then plan again"));
    }
    if address
        .parent()
        .is_some_and(|parent| parent == address.root())
        && address.last().0 == "policy"
    {
        let why = "every call runs through the policy of the whole service, which forwards it";
        return Some((
            why.to_owned(),
            "declare it, so that it is clear what it must say",
        ));
    }
    if matches!(address.last().0, "policy" | "policyFragment") {
        let apis = touched(&draft.world, address);
        let chosen = apis
            .iter()
            .flat_map(|api| choosing(input, &address.root(), api));
        let names: BTreeSet<&str> = chosen.collect();
        if !names.is_empty() {
            let names: Vec<&str> = names.into_iter().collect();
            let why = format!("its API is one of the Access {}", names.join(", "));
            return Some((why, "declare the policy, or delete it by hand"));
        }
    }
    let users = users(draft, references, address);
    let why = format!("it is still used by {}", users.join(", "));
    (!users.is_empty()).then_some((why, "declare it, or take the reference out"))
}

/// What still refers to it, and scopes where that is not known.
fn users(draft: &Draft, references: &References, address: &Address) -> Vec<String> {
    let (word, name) = address.last();
    let gateway = address.root();
    let found: BTreeSet<Address> = match word {
        "namedValue" => return references.users(draft, address),
        "policyFragment" => including(&draft.world, address),
        "backend" => speaking(draft, address, name),
        "api" => offering(draft, &gateway, name),
        _ => return Vec::new(),
    };
    let mut out: Vec<String> = found.iter().map(Address::to_string).collect();
    out.extend(unread(draft, &gateway));
    out
}

/// Policies and pools of backends in which the id stands, wherever it does: it may be part of an
/// expression.
fn speaking(draft: &Draft, backend: &Address, id: &str) -> BTreeSet<Address> {
    let gateway = backend.root();
    let all = draft.world.entities.iter();
    let may_refer = |a: &Address| matches!(a.last().0, "policy" | "policyFragment" | "backend");
    all.filter(|(a, _)| a.within(&gateway) && may_refer(a) && *a != backend)
        .filter(|(_, e)| {
            let text = e.text("/properties/value").map(str::to_owned);
            let pool = || e.body.pointer("/properties/pool").map(ToString::to_string);
            text.or_else(pool)
                .is_some_and(|text| text.contains(id) || chooses_unseen(&text))
        })
        .map(|(a, _)| a.clone())
        .collect()
}

/// Whether a policy sends calls to a backend whose id stands in a named value or is made by an
/// expression: it may be any.
fn chooses_unseen(policy: &str) -> bool {
    Document::parse(policy).is_ok_and(|document| {
        targets(&document)
            .into_iter()
            .any(|target| match target.to {
                To::Backend { id } => id.contains("{{") || id.contains('@'),
                To::Url { .. } => false,
            })
    })
}

/// Products and gateways of their own that offer the API.
fn offering(draft: &Draft, gateway: &Address, api: &str) -> BTreeSet<Address> {
    let all = draft.world.entities.keys().filter(|a| a.within(gateway));
    let offers = all.filter_map(|a| {
        let parent = a.parent()?;
        let (word, name) = a.last();
        (word == "api" && name == api && parent != *gateway).then_some(parent)
    });
    offers.collect()
}

/// Live things in owned scopes that no document declares, keyless did not make and no Access looks
/// after.
pub(crate) fn unmanaged(
    input: Input,
    moves: &[Move],
    http: &Http,
    root: &Address,
    owns: &BTreeSet<Owned>,
) -> Vec<Address> {
    let managed = managed(input, moves, http, root);
    let keeps = |address: &Address| {
        let name = |entity: &Entity| {
            let display = entity.text("/properties/displayName").unwrap_or_default();
            is_hidden(address.last().1) || is_hidden(display)
        };
        managed.contains(&current(address))
            || input.live.entities.get(address).is_some_and(name)
            || (address.last().0 == "api" && api_is_managed(input, &managed, address))
    };
    let live = input.live.entities.keys();
    live.filter(|a| a.within(root) && scope(a).is_some_and(|s| owns.contains(&s)) && !keeps(a))
        .cloned()
        .collect()
}

/// Loggers and caches keep hidden named values of their own (azure-facts B.2).
fn is_hidden(name: &str) -> bool {
    name.starts_with("Logger-Credentials-")
}

fn scope(address: &Address) -> Option<Owned> {
    let of_gateway = address.parent() == Some(address.root());
    Some(match address.last().0 {
        "namedValue" => Owned::NamedValues,
        "backend" => Owned::Backends,
        // Elsewhere it is a membership.
        "api" if of_gateway => Owned::Apis,
        "policy" => Owned::Policies,
        "policyFragment" => Owned::Fragments,
        _ => return None,
    })
}

/// The same thing in the current revision: what is declared of an API holds for its revisions.
fn current(address: &Address) -> Address {
    let Some((head, rest)) = address.as_str().split_once(";rev=") else {
        return address.clone();
    };
    let rest = rest
        .split_once('/')
        .map_or(String::new(), |(_, r)| format!("/{r}"));
    format!("{head}{rest}")
        .parse()
        .unwrap_or_else(|_| address.clone())
}

fn managed(input: Input, moves: &[Move], http: &Http, root: &Address) -> BTreeSet<Address> {
    let mut out = declared_addresses(input);
    for one in moves.iter().filter(|m| m.gateway == *root) {
        out.extend(one.sources.iter().map(|s| current(&s.policy)));
        out.extend(values_of(input, one));
    }
    for one in http.moves.iter().filter(|m| m.gateway == *root) {
        out.extend(looked_after(one).map(current));
        out.extend(http::retire::values_of(input, one));
    }
    out.extend(input.state.applied.keys().cloned());
    out
}

/// The documents on the ways of an Access, and the backends and APIs that it changes.
fn looked_after<'a>(one: &'a HttpMove) -> impl Iterator<Item = &'a Address> {
    one.ways.keys().chain(one.works.keys())
}

/// Whether a document speaks of something in the API, or an Access chooses it.
fn api_is_managed(input: Input, managed: &BTreeSet<Address>, api: &Address) -> bool {
    let api = current(api);
    let name = of_any_revision(api.last().1);
    !choosing(input, &api.root(), name).is_empty() || managed.iter().any(|a| a.within(&api))
}
