//! From desired, live and state to a plan: the script of stages.

use std::collections::BTreeMap;

use keyless_model::{Address, Desired, FingerprintKey, Snapshot, State};

use crate::draft::{Draft, Input};
use crate::file::{Inputs, Plan, Root};
use crate::order::ordered;
use crate::stages::access::Move;
use crate::stages::http::access::Http;
use crate::stages::live_sources::LiveSources;
use crate::stages::{
    access, arm, callers, disable, exclusive, grant, http, identify, lock, named_values, network,
    observe, prove, prune, rbac, resources, retire, shut, switch,
};

/// What a plan is made under.
#[derive(Clone, Debug)]
pub struct Options {
    /// The version of keyless.
    pub tool: String,
    /// SHA-256 of the manifests and the policy files they name.
    pub manifests: String,
    pub key: FingerprintKey,
}

/// Makes the plan that leads from `live` to `desired`.
///
/// Every prefix of it leaves each caller with a working credential; what cannot be done on what is
/// known stands in `waiting`, with the reason and the next step.
pub fn plan(desired: &Desired, live: &Snapshot, state: &State, options: &Options) -> Plan {
    let input = Input {
        desired,
        live,
        state,
        key: &options.key,
    };
    let (draft, ..) = drafted(input);
    let inputs = Inputs {
        tenant: live.tenant.clone(),
        manifests: options.manifests.clone(),
        key: options.key.id(),
        state: state.journal,
        rolls_back: None,
    };
    let waiting = draft.waiting.into_iter().collect();
    Plan::sealed(
        &options.tool,
        inputs,
        roots(desired, live),
        ordered(draft.steps),
        waiting,
    )
}

/// Every stage, in the order in which the world changes. Returns what it came to, and the Accesses
/// as they were found.
pub(crate) fn drafted<'a>(input: Input<'a>) -> (Draft, Vec<Move<'a>>, Http<'a>) {
    let mut draft = Draft::new(input.live);
    observe::auditing(input, &mut draft);
    identify::roots(input, &mut draft);
    identify::identities(input, &mut draft);
    identify::entra_admins(input, &mut draft);
    network::open(input, &mut draft);
    resources::users(input, &mut draft);
    let mut moves = access::moves(input, &mut draft);
    let mut http = http::access::moves(input, &mut draft);
    grant::users(input, &mut draft, &mut moves);
    resources::roles(input, &mut draft);
    grant::roles(&mut draft, &mut moves);
    grant::proofs(input, &mut draft, &mut moves);
    rbac::assignments(input, &mut draft);
    named_values::named_values(input, &mut draft);
    // What an Access takes a key out of is written once that is done.
    let in_hand = http.documents(|_| true);
    arm::resources(input, &mut draft, |a| !in_hand.contains_key(a));
    resources::servers(input, &mut draft);
    for one in &mut moves {
        switch::park(input, &mut draft, one);
    }
    for one in &mut moves {
        prove::before(input, &mut draft, one);
        switch::switch(input, &mut draft, one);
        prove::after(input, &mut draft, one);
    }
    for one in &mut moves {
        switch::revisions(input, &mut draft, one);
    }
    http::plan(input, &mut draft, &mut http);
    arm::resources(input, &mut draft, |a| in_hand.contains_key(a));
    resources::policies(input, &mut draft, &moves);
    let found = LiveSources::of(input, &draft);
    for one in &mut moves {
        disable::confirm(input, &mut draft, one);
    }
    disable::disable(input, &mut draft, &found, &mut moves);
    for one in &mut moves {
        disable::settle(input, &mut draft, one);
    }
    exclusive::databases(input, &mut draft, &moves);
    callers::apis(input, &mut draft);
    lock::servers(input, &mut draft, &found, &moves);
    shut::servers(input, &mut draft, &found, &moves);
    retire::principals(input, &mut draft, &found, &moves);
    let holders = http::retire::holders(input, &http);
    retire::named_values(input, &mut draft, &moves, holders);
    prune::gateways(input, &mut draft, &moves, &http);
    rbac::retire(input, &mut draft);
    (draft, moves, http)
}

/// The services that manifests name, as apply finds them.
fn roots(desired: &Desired, live: &Snapshot) -> BTreeMap<Address, Root> {
    let mut roots = BTreeMap::new();
    for (name, gateway) in &desired.gateways {
        let address = Address::gateway(name);
        let host = live
            .entities
            .get(&address)
            .and_then(|e| e.text("/properties/gatewayUrl"));
        let host = host.map(str::to_owned);
        roots.insert(
            address,
            Root {
                id: gateway.id.clone(),
                host,
            },
        );
    }
    for (name, server) in &desired.servers {
        let address = Address::server(name);
        let host = live
            .entities
            .get(&address)
            .and_then(|e| e.text("/properties/fullyQualifiedDomainName"));
        let host = host.map(str::to_owned);
        roots.insert(
            address,
            Root {
                id: server.id.clone(),
                host,
            },
        );
    }
    for (name, identity) in &desired.identities {
        let id = identity.id.clone();
        roots.insert(Address::identity(name), Root { id, host: None });
    }
    roots
}
