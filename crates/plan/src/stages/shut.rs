//! The last of a server: what shuts somebody out goes once nothing of the old path is left, and only
//! when a person says that whoever is to stay, keyless too, has another way in.

use std::collections::BTreeSet;

use keyless_model::{Address, Live, SqlServer};
use serde_json::{Value, json};

use crate::compare::managed_fingerprint;
use crate::draft::{Draft, Input, NewStep, id_of, waits_for};
use crate::phase::Phase;
use crate::stages::access::Move;
use crate::stages::live_sources::LiveSources;
use crate::stages::{firewall, show};
use crate::step::{Gate, Note, Op, Undo};

/// Plans what shuts somebody out, server by server.
pub(crate) fn servers(input: Input, draft: &mut Draft, found: &LiveSources, moves: &[Move]) {
    for (name, server) in &input.desired.servers {
        let root = Address::server(name);
        if draft.world.get(&root).present().is_none() {
            continue;
        }
        let old_path = old_path(input, draft, found, moves, server, &root);
        firewall::close(input, draft, moves, server, &root, &old_path);
        public_access(input, draft, server, &root, &old_path);
    }
}

/// The steps after which nothing of the old path is left, or what of it stays.
fn old_path(
    input: Input,
    draft: &Draft,
    found: &LiveSources,
    moves: &[Move],
    server: &SqlServer,
    root: &Address,
) -> Result<BTreeSet<String>, String> {
    let mine = moves.iter().filter(|m| m.database.root() == *root);
    let mut needs: BTreeSet<String> = mine.flat_map(Move::all_before_retire).collect();
    if server.entra_only == Some(true) {
        let address = root.part("entraOnly");
        let live = draft.world.entities.get(&address);
        if live.and_then(|e| e.flag("/properties/azureADOnlyAuthentication")) != Some(true) {
            return Err("Entra-only authentication comes first, and it waits".into());
        }
        needs.extend(draft.existing([id_of(Phase::Lock, &address)]));
    }
    let into = input.desired.accesses.values();
    let held_up = into
        .filter(|a| a.target().root() == *root)
        .filter(|access| {
            let one = moves.iter().find(|m| m.access.name == access.name);
            one.is_none_or(|m| m.blocked || !m.unclear.is_empty())
        });
    let mut left: Vec<String> = held_up
        .map(|a| format!("the Access {}, which is held up", a.name))
        .collect();
    left.extend(found.with_passwords(input, root));
    match left.is_empty() {
        true => Ok(needs),
        false => Err(format!("the old path is still used by {}", left.join(", "))),
    }
}

/// A person's word, before `place` is locked: the gate's id.
pub(crate) fn approved(
    draft: &mut Draft,
    place: &Address,
    question: String,
    reason: &str,
    needs: &BTreeSet<String>,
) -> Option<String> {
    let (gate, place) = (Gate::Approve { question }, place.part("approved"));
    let needs = needs.clone();
    let new = waits_for(gate, Phase::Lock, place, None, reason, needs, vec![]);
    draft.add(new)
}

/// Why a person is asked before a door is shut.
pub(crate) const NOBODY_SHUT_OUT: &str = "a person confirms that nobody who is to stay is shut out";

/// Whether the document shuts the server's public door.
pub(crate) fn wants_private(server: &SqlServer) -> bool {
    let wanted = server.properties.get(ACCESS).and_then(Value::as_str);
    wanted.is_some_and(|w| w.eq_ignore_ascii_case("Disabled"))
}

/// The property of a server that opens its public door (azure-facts C.2).
pub(crate) const ACCESS: &str = "publicNetworkAccess";

fn public_access(
    input: Input,
    draft: &mut Draft,
    server: &SqlServer,
    root: &Address,
    old_path: &Result<BTreeSet<String>, String>,
) {
    let Live::Present(entity) = draft.world.get(root) else {
        return;
    };
    let live = entity.body.clone();
    let before = live["properties"].get(ACCESS).cloned();
    let shut = before.as_ref().and_then(Value::as_str);
    if !wants_private(server) || shut.is_some_and(|b| b.eq_ignore_ascii_case("Disabled")) {
        return;
    }
    let mut needs = match old_path {
        Ok(needs) => needs.clone(),
        Err(why) => {
            let next = "see what holds it up, then plan again";
            draft.wait(root, None, "shut the server's public door", why, next);
            return;
        }
    };
    let here = draft.steps.iter().filter(|s| s.address.root() == *root);
    needs.extend(here.map(|s| s.id.clone()));
    let question = format!(
        "Without public network access {root} is reached through private endpoints alone. Does \
         every client that is to stay, keyless too, come in through one?"
    );
    let door = root.part(ACCESS);
    needs.extend(approved(draft, &door, question, NOBODY_SHUT_OUT, &needs));
    let body = json!({ "properties": { ACCESS: "Disabled" } });
    let old = before.unwrap_or_else(|| "Enabled".into());
    draft.add(NewStep {
        phase: Phase::Lock,
        address: root.clone(),
        access: None,
        reason: "its SqlServer document shuts the public door, and that comes last".into(),
        shown: show::fields(input.key, root, Some(&live), &body),
        op: Op::Patch {
            expect: Some(managed_fingerprint(input.key, root, &live, &body)),
            body,
        },
        needs,
        undo: Undo::Put {
            body: json!({ "properties": { ACCESS: old } }),
        },
        notes: vec![Note::Applied {
            address: root.clone(),
            made: false,
            sent: None,
        }],
    });
}
