//! Before the switch the new path is tried on a canary or approved by a person; after it the same
//! request is tried again.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Address, Canary, ProbeRequest};

use crate::draft::{Draft, Input, NewStep, id_of, waits_for};
use crate::phase::Phase;
use crate::stages::http::access::{Http, HttpMove};
use crate::stages::http::block::chosen;
use crate::stages::http::declared;
use crate::stages::http::switch::is_own;
use crate::step::{Gate, Splice};

/// The gates that every switch of an Access waits for, by the number of the Access. They join the
/// plan by [`join`], once it is known that something is switched.
pub(crate) fn before(input: Input, draft: &Draft, http: &mut Http) -> Vec<(usize, NewStep)> {
    let mut out = Vec::new();
    for index in 0..http.moves.len() {
        let one = &http.moves[index];
        if one.blocked || one.works.is_empty() {
            continue;
        }
        let tries = tries(input, draft, http, index);
        let gates = match tries.is_empty() {
            true => vec![approval(&http.moves[index])],
            false => tries,
        };
        for (place, gate, reason) in gates {
            let one = &mut http.moves[index];
            one.proven.insert(id_of(Phase::Prove, &place));
            let (name, needs) = (Some(one.name()), one.parked.clone());
            let notes = one.replacing();
            let new = waits_for(gate, Phase::Prove, place, name, reason, needs, notes);
            out.push((index, new));
        }
    }
    out
}

/// Adds the gates of each Access of which something is switched.
pub(crate) fn join(draft: &mut Draft, http: &Http, gates: Vec<(usize, NewStep)>) {
    for (index, gate) in gates {
        if !http.moves[index].switched.is_empty() {
            draft.add(gate);
        }
    }
}

type NewGate = (Address, Gate, &'static str);

fn approval(one: &HttpMove) -> NewGate {
    let question = format!(
        "Nothing that is declared under `prove` can be tried before the switch, so nothing shows \
         that {} takes the token. Is it right to switch {}?",
        one.access.url, one.access.name
    );
    let reason = "the new path is unproven: a person decides";
    (one.place(), Gate::Approve { question }, reason)
}

/// The requests that show beforehand that the token is taken.
fn tries(input: Input, draft: &Draft, http: &Http, index: usize) -> Vec<NewGate> {
    let one = &http.moves[index];
    let Some(request) = one.access.prove.request.clone() else {
        return vec![];
    };
    match one.access.prove.canary {
        Canary::None => vec![],
        Canary::Url => {
            let api = apis(http, one).into_iter().next();
            let api = api.unwrap_or_else(|| one.gateway.clone());
            let reason = "the request is tried on what was set up for it";
            let place = one.place().part("canary");
            vec![(place, canary(one, api, request, BTreeMap::new()), reason)]
        }
        Canary::Revision => {
            let reason = "the request is tried on a revision that already asks for the token";
            let gate = |(api, edits): (Address, BTreeMap<String, Vec<Splice>>)| {
                let place = api.child("access", one.name()).part("canary");
                (place, canary(one, api, request.clone(), edits), reason)
            };
            by_api(input, draft, http, index)
                .into_iter()
                .map(gate)
                .collect()
        }
    }
}

fn canary(
    one: &HttpMove,
    api: Address,
    request: ProbeRequest,
    edits: BTreeMap<String, Vec<Splice>>,
) -> Gate {
    Gate::Canary {
        api,
        current: false,
        request,
        auth: one.access.prove.auth.clone(),
        edits,
    }
}

/// The switch's edits, by API and by the policy's address below it. A policy that is not there, or
/// that a document declares, has none.
fn by_api(
    input: Input,
    draft: &Draft,
    http: &Http,
    index: usize,
) -> BTreeMap<Address, BTreeMap<String, Vec<Splice>>> {
    let mut out: BTreeMap<Address, BTreeMap<String, Vec<Splice>>> = BTreeMap::new();
    let one = &http.moves[index];
    for policy in one.works.keys().filter(|a| is_own(a)) {
        let (Some(name), Some(text)) = (policy.name_of("api"), draft.world.policy_text(policy))
        else {
            continue;
        };
        if declared::text(input, policy).is_some() {
            continue;
        }
        if let Ok(edits) = http.edits(policy, &[index], text) {
            let api = one.gateway.child("api", name);
            let below = policy.as_str()[api.as_str().len() + 1..].to_owned();
            out.entry(api).or_default().insert(below, edits);
        }
    }
    out
}

/// The current revisions that an Access chooses.
fn apis(http: &Http, one: &HttpMove) -> BTreeSet<Address> {
    let lanes = http.lanes(&one.gateway).lanes.iter();
    lanes
        .filter(|l| l.is_current() && chosen(one.access, l).is_some())
        .map(|l| l.api.clone())
        .collect()
}

/// Which switches are to be tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried {
    /// Those of the policies of current revisions.
    Own,
    /// Those of everything else.
    Rest,
}

/// The same request against each API whose calls run through something that was switched; when it
/// fails, the switch is undone at once.
pub(crate) fn after(draft: &mut Draft, http: &mut Http, tried: Tried) {
    for index in 0..http.moves.len() {
        let one = &http.moves[index];
        let Some(request) = one.access.prove.request.clone() else {
            continue;
        };
        if one.blocked || one.access.prove.canary == Canary::Url {
            continue;
        }
        for api in apis(http, one) {
            let one = &http.moves[index];
            let needs = switches(draft, http, one, &api, tried);
            if needs.is_empty() {
                continue;
            }
            let part = match tried {
                Tried::Own => "answers",
                Tried::Rest => "stillAnswers",
            };
            let place = api.child("access", one.name()).part(part);
            let gate = Gate::Canary {
                api,
                current: true,
                request: request.clone(),
                auth: one.access.prove.auth.clone(),
                edits: BTreeMap::new(),
            };
            let reason = "the request must go on answering now that a token is sent";
            let name = Some(one.name());
            let new = waits_for(gate, Phase::Switch, place, name, reason, needs, vec![]);
            let id = draft.add(new);
            http.moves[index].switched.extend(id);
        }
    }
}

/// The switch steps that calls of an API run through.
fn switches(
    draft: &Draft,
    http: &Http,
    one: &HttpMove,
    api: &Address,
    tried: Tried,
) -> BTreeSet<String> {
    let lanes = http
        .lanes(&one.gateway)
        .lanes
        .iter()
        .filter(|l| l.api == *api);
    let mut out = BTreeSet::new();
    for lane in lanes {
        let here = |a: &&Address| lane.link(a).is_some() || lane.ends_at(a) || a.within(api);
        let kind = |a: &&Address| is_own(a) == (tried == Tried::Own);
        let documents = one.works.keys().filter(here).filter(kind);
        let ids = documents.map(|a| id_of(Phase::Switch, a));
        out.extend(draft.existing(ids));
    }
    out
}
