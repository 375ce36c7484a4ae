//! The soak after the switch, and the end of the named values that held keys.

use std::collections::BTreeSet;

use keyless_model::{Address, Evidence, Replaced};

use crate::draft::{Draft, Input, waits_for};
use crate::phase::Phase;
use crate::stages::http::access::{Http, HttpMove};
use crate::stages::retire::{Holder, Holders};
use crate::step::{Gate, Mark, Note};

/// Waits until a person says that nobody uses the old key: nothing else tells yet.
pub(crate) fn confirm(input: Input, draft: &mut Draft, http: &mut Http) {
    for one in &mut http.moves {
        let Some(retire) = &one.access.retire else {
            continue;
        };
        if one.blocked || !left_over(input, draft, one) {
            continue;
        }
        let known = input.state.accesses.get(one.name());
        if one.switched.is_empty() && known.is_some_and(|s| s.confirmed_at.is_some()) {
            continue;
        }
        let gate = Gate::Soak {
            access: one.access.name.clone(),
            since: Mark::Switched,
            seconds: retire.after,
            evidence: BTreeSet::from([Evidence::Approval]),
            principals: BTreeSet::new(),
        };
        let reason = "nobody may still need the old key before it goes";
        let notes = vec![Note::Confirmed {
            access: one.access.name.clone(),
        }];
        let needs = one.switched.clone();
        let (place, name) = (one.place(), Some(one.name()));
        let new = waits_for(gate, Phase::Confirm, place, name, reason, needs, notes);
        let id = draft.add(new);
        one.confirmed.extend(id);
    }
}

/// Whether a named value that an Access makes needless is still there.
pub(crate) fn left_over(input: Input, draft: &Draft, one: &HttpMove) -> bool {
    let values = values_of(input, one);
    values.iter().any(|a| draft.world.entities.contains_key(a))
}

/// The named values that an Access makes needless.
pub(crate) fn values_of(input: Input, one: &HttpMove) -> BTreeSet<Address> {
    let replaced = one.replaces.iter().filter_map(|item| match item {
        Replaced::NamedValue(name) => Some(one.gateway.child("namedValue", name)),
        _ => None,
    });
    let state = input.state.accesses.get(one.name());
    let recorded = state.into_iter().flat_map(|s| s.parked.iter().cloned());
    let parked = one
        .parked
        .iter()
        .filter_map(|id| id.split_once('/')?.1.parse().ok());
    let parked = parked.filter(|a: &Address| a.last().0 == "namedValue");
    replaced.chain(recorded).chain(parked).collect()
}

/// The Accesses that make named values needless: those that held keys, and those that keyless parked
/// literals in.
pub(crate) fn holders(input: Input, http: &Http) -> Holders {
    let mut out = Holders::new();
    for one in &http.moves {
        for address in values_of(input, one) {
            out.entry(address).or_default().push(Holder {
                access: one.name().to_owned(),
                drops: one.drops(),
                needs: one.all_before_retire().collect(),
            });
        }
    }
    out
}

/// The steps of this plan that write a document which refers to the named value now.
pub(crate) fn switched_off(input: Input, draft: &Draft, address: &Address) -> BTreeSet<String> {
    let entity = input.live.entities.get(address);
    let display = entity.and_then(|e| e.text("/properties/displayName"));
    let Some(display) = display else {
        return BTreeSet::new();
    };
    let refers = |place: &Address| {
        let entity = input.live.entities.get(place);
        let text = entity.map(|e| e.body.to_string()).unwrap_or_default();
        keyless_policy::references(&text)
            .iter()
            .any(|r| r.name == display)
    };
    let steps = draft.steps.iter().filter(|s| s.phase == Phase::Switch);
    let steps = steps.filter(|s| s.address.within(&address.root()) && refers(&s.address));
    steps.map(|s| s.id.clone()).collect()
}
