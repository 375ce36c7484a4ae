//! Before the switch, the new path is tried on a canary or approved by a person; after it, the
//! same request is tried again.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Address, Auth, Canary, ProbeRequest};

use crate::draft::{Draft, Input, waits_for};
use crate::phase::Phase;
use crate::stages::access::Move;
use crate::stages::sources::{Source, in_revision};
use crate::stages::switch::planned;
use crate::stages::touched::of_any_revision;
use crate::step::{Gate, Splice};

/// The gates that every switch of the Access waits for: for each API the request against a canary
/// of its current revision, or, where only older ones have to be switched, against the current one,
/// which is on the identity already; for what no request shows, a person.
pub(crate) fn before(input: Input, draft: &mut Draft, one: &mut Move) {
    if one.blocked || !one.sources.iter().any(Source::needs_switch) {
        return;
    }
    let mut needs = one.granted.clone();
    needs.extend(one.parked.iter().cloned());
    let mut unproven = BTreeSet::new();
    for (api, edits) in by_api(input, one) {
        match gate(one, &api, edits) {
            Some(gate) => canary(draft, one, &api, gate, &needs),
            None => {
                unproven.insert(api);
            }
        }
    }
    if !unproven.is_empty() {
        approval(draft, one, &unproven, needs);
    }
}

/// What shows that the API answers under the identity; none where no request is declared for a
/// canary, or none of its current sources uses the identity or is to.
fn gate(one: &Move, api: &Address, edits: BTreeMap<String, Vec<Splice>>) -> Option<Gate> {
    let request = request(one).filter(|_| one.access.prove.canary != Canary::None)?;
    let on_identity = |s: &Source| s.policy.within(api) && !s.needs_switch();
    if edits.is_empty() && !one.sources.iter().any(on_identity) {
        return None;
    }
    Some(Gate::Canary {
        api: api.clone(),
        current: edits.is_empty(),
        request,
        auth: auth(one),
        edits,
    })
}

fn canary(draft: &mut Draft, one: &mut Move, api: &Address, gate: Gate, needs: &BTreeSet<String>) {
    let place = api.child("access", &one.access.name).part("canary");
    let reason = match &gate {
        Gate::Canary { current: true, .. } => {
            "the current revision, which uses the identity, must answer before older ones change"
        }
        _ => "the request is tried on a revision that already uses the identity",
    };
    let (name, notes) = (Some(one.name()), one.replacing());
    let new = waits_for(
        gate,
        Phase::Prove,
        place,
        name,
        reason,
        needs.clone(),
        notes,
    );
    one.proven.extend(draft.add(new));
}

fn approval(draft: &mut Draft, one: &mut Move, apis: &BTreeSet<Address>, needs: BTreeSet<String>) {
    let name = &one.access.name;
    let question = if request(one).is_none() || one.access.prove.canary == Canary::None {
        format!(
            "No request is declared under `prove`, so nothing shows that {name} answers under the \
             identity. Is it right to switch it?"
        )
    } else {
        let apis: Vec<&str> = apis.iter().map(|a| a.last().1).collect();
        format!(
            "Only older revisions of {} reach the database, and no request goes to those, so \
             nothing shows that {name} answers under the identity. Is it right to switch it?",
            apis.join(", ")
        )
    };
    let reason = "the new path is unproven: a person decides";
    let gate = Gate::Approve { question };
    let (name, notes) = (Some(one.name()), one.replacing());
    let new = waits_for(gate, Phase::Prove, one.place(), name, reason, needs, notes);
    one.proven.extend(draft.add(new));
}

/// The same request against the API as it is now; when it fails, the switch is undone at once.
pub(crate) fn after(input: Input, draft: &mut Draft, one: &mut Move) {
    if one.blocked || one.switched.is_empty() {
        return;
    }
    // A URL of its own is that of a canary: it says nothing of the API.
    let Some(request) = request(one).filter(|r| r.url.is_none()) else {
        return;
    };
    let mut ids = BTreeSet::new();
    for (api, edits) in by_api(input, one) {
        if edits.is_empty() {
            continue;
        }
        let inside: BTreeSet<String> = one
            .switched
            .iter()
            .filter(|id| id.starts_with(&format!("{}/{api}/", Phase::Switch.word())))
            .cloned()
            .collect();
        let place = api.child("access", &one.access.name).part("answers");
        let reason = "the request must go on answering now that the API uses the identity";
        let gate = Gate::Canary {
            api,
            current: true,
            request: request.clone(),
            auth: auth(one),
            edits: BTreeMap::new(),
        };
        let name = Some(one.name());
        ids.extend(draft.add(waits_for(
            gate,
            Phase::Switch,
            place,
            name,
            reason,
            inside,
            vec![],
        )));
    }
    one.switched.extend(ids);
}

fn request(one: &Move) -> Option<ProbeRequest> {
    one.access.prove.request.clone()
}

fn auth(one: &Move) -> Option<Auth> {
    one.access.prove.auth.clone()
}

/// The switch's edits of the current revisions, by API and by the policy's address below it. An API
/// of which only older revisions are switched has none.
fn by_api(input: Input, one: &Move) -> BTreeMap<Address, BTreeMap<String, Vec<Splice>>> {
    let mut out: BTreeMap<Address, BTreeMap<String, Vec<Splice>>> = BTreeMap::new();
    for (policy, (edits, _, _)) in planned(input, one) {
        let Some(name) = policy.name_of("api") else {
            continue;
        };
        let api = one.gateway.child("api", of_any_revision(name));
        let of_current = out.entry(api.clone()).or_default();
        if !in_revision(&policy) {
            let below = policy.as_str()[api.as_str().len() + 1..].to_owned();
            of_current.insert(below, edits);
        }
    }
    out
}
