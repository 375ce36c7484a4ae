//! Before the switch, the new path is tried on a canary or approved by a person; after it, the
//! same request is tried again.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Address, Auth, Canary, ProbeRequest};

use crate::draft::{Draft, Input, waits_for};
use crate::phase::Phase;
use crate::stages::access::Move;
use crate::stages::switch::planned;
use crate::step::{Gate, Splice};

/// The gate that every switch of the Access waits for.
pub(crate) fn before(input: Input, draft: &mut Draft, one: &mut Move) {
    if one.blocked || !one.sources.iter().any(|s| s.needs_switch()) {
        return;
    }
    let mut needs = one.granted.clone();
    needs.extend(one.parked.iter().cloned());
    if let (Canary::Revision, Some(request)) = (one.access.prove.canary, request(one)) {
        for (api, edits) in by_api(input, one) {
            let place = api.child("access", &one.access.name).part("canary");
            let reason = "the request is tried on a revision that already uses the identity";
            let gate = Gate::Canary {
                api,
                current: false,
                request: request.clone(),
                auth: auth(one),
                edits,
            };
            let (name, needs) = (Some(one.name()), needs.clone());
            let id = draft.add(waits_for(
                gate,
                Phase::Prove,
                place,
                name,
                reason,
                needs,
                one.replacing(),
            ));
            one.proven.extend(id);
        }
        return;
    }
    let question = format!(
        "No request is declared under `prove`, so nothing shows that {} answers under the \
         identity. Is it right to switch it?",
        one.access.name
    );
    let reason = "the new path is unproven: a person decides";
    let gate = Gate::Approve { question };
    let name = Some(one.name());
    let id = draft.add(waits_for(
        gate,
        Phase::Prove,
        one.place(),
        name,
        reason,
        needs,
        one.replacing(),
    ));
    one.proven.extend(id);
}

/// The same request against the API as it is now; when it fails, the switch is undone at once.
pub(crate) fn after(input: Input, draft: &mut Draft, one: &mut Move) {
    if one.blocked || one.switched.is_empty() {
        return;
    }
    let Some(request) = request(one) else { return };
    let mut ids = BTreeSet::new();
    for (api, _) in by_api(input, one) {
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

fn auth(one: &Move) -> Option<(String, String)> {
    one.access
        .prove
        .auth
        .as_ref()
        .map(|Auth::Header { name, env }| (name.clone(), env.clone()))
}

/// The switch's edits, by API and by the policy's address below it.
fn by_api(input: Input, one: &Move) -> BTreeMap<Address, BTreeMap<String, Vec<Splice>>> {
    let mut out: BTreeMap<Address, BTreeMap<String, Vec<Splice>>> = BTreeMap::new();
    for (policy, (edits, _, _)) in planned(input, one) {
        let Some(name) = policy.name_of("api") else {
            continue;
        };
        let api = one.gateway.child("api", name);
        let below = policy.as_str()[api.as_str().len() + 1..].to_owned();
        out.entry(api).or_default().insert(below, edits);
    }
    out
}
