//! Entra-only authentication: the server stops taking passwords, once nothing declared or found
//! needs one.

use std::collections::BTreeSet;

use keyless_model::sql::{Authentication, same_name};
use keyless_model::{Address, Live};
use serde_json::json;

use crate::compare::managed_fingerprint;
use crate::draft::{Draft, Input, NewStep, waits_for};
use crate::phase::Phase;
use crate::stages::access::Move;
use crate::stages::live_sources::LiveSources;
use crate::stages::show;
use crate::stages::shut::approved;
use crate::step::{Gate, Note, Op, Undo};

/// Plans the lock of every server whose document asks for it.
pub(crate) fn servers(input: Input, draft: &mut Draft, found: &LiveSources, moves: &[Move]) {
    for (name, server) in &input.desired.servers {
        if server.entra_only != Some(true) {
            continue;
        }
        let root = Address::server(name);
        let address = root.part("entraOnly");
        let entity = match input.live.get(&address) {
            Live::Present(entity) => entity,
            Live::Absent => continue,
            Live::Unreadable(why) => {
                let next = "give the identity that plans the Reader role on the server";
                draft.wait(&address, None, WHAT, &why, next);
                continue;
            }
        };
        if entity.flag("/properties/azureADOnlyAuthentication") == Some(true) {
            continue;
        }
        let mut held_up = in_the_way(input, draft, moves, &root);
        held_up.extend(found.with_passwords(input, &root));
        if !held_up.is_empty() {
            let why = format!("passwords are still needed by {}", held_up.join(", "));
            let next = "declare an Access with `retire` for each, or move them by hand";
            draft.wait(&address, None, WHAT, &why, next);
            continue;
        }
        lock(input, draft, moves, &root, &entity.body);
    }
}

const WHAT: &str = "refuse passwords on the whole server";

fn lock(input: Input, draft: &mut Draft, moves: &[Move], root: &Address, live: &serde_json::Value) {
    let address = root.part("entraOnly");
    let mine = moves.iter().filter(|m| m.database.root() == *root);
    let mut needs: BTreeSet<String> = mine.flat_map(Move::all_before_retire).collect();
    needs.insert(crate::draft::id_of(
        Phase::Identify,
        &root.part("entraAdmin"),
    ));
    let databases = draft
        .world
        .databases
        .keys()
        .filter(|d| d.root() == *root)
        .cloned()
        .collect();
    let gate = Gate::Lockable {
        server: root.clone(),
        databases,
    };
    let reason = "our own token login must work, and nothing on the server may need a password";
    let place = address.part("ready");
    let ready = draft.add(waits_for(
        gate,
        Phase::Lock,
        place,
        None,
        reason,
        needs.clone(),
        vec![],
    ));
    let question = format!(
        "Entra-only authentication turns off every password of {root}, the server administrator's \
         too. Can somebody still get in through Entra if all else fails?"
    );
    let reason = "a person confirms the way in for emergencies";
    let approved = approved(draft, &address, question, reason, &needs);
    needs.extend(ready.into_iter().chain(approved));
    let body = json!({ "properties": { "azureADOnlyAuthentication": true } });
    draft.add(NewStep {
        phase: Phase::Lock,
        address: address.clone(),
        access: None,
        reason: "every declared path uses an identity: a password opens nothing any more".into(),
        shown: show::fields(input.key, &address, Some(live), &body),
        op: Op::Put {
            expect: Some(managed_fingerprint(input.key, &address, live, &body)),
            body,
            value: None,
        },
        needs,
        undo: Undo::Put {
            body: json!({ "properties": { "azureADOnlyAuthentication": false } }),
        },
        notes: vec![Note::Applied {
            address,
            made: false,
            sent: None,
        }],
    });
}

/// Everything on the server that will still log in with a password: the world is the one after
/// the old ways in are closed.
fn in_the_way(input: Input, draft: &Draft, moves: &[Move], root: &Address) -> Vec<String> {
    let mut out = Vec::new();
    for access in input
        .desired
        .accesses
        .values()
        .filter(|a| a.target().root() == *root)
    {
        let planned = moves.iter().find(|m| m.access.name == access.name);
        if planned.is_none_or(|m| m.blocked || !m.all_known) {
            out.push(format!("the Access {}, which is held up", access.name));
        } else if access.retire.is_none() {
            out.push(format!("the Access {}, which has no `retire`", access.name));
        }
    }
    let server = input.live.entities.get(root);
    let admin = server
        .and_then(|s| s.text("/properties/administratorLogin"))
        .unwrap_or_default();
    match draft.world.logins(root) {
        Live::Present(logins) => {
            // Logins in `##` are the service's own.
            let open = logins
                .iter()
                .filter(|l| !l.disabled && !same_name(&l.name, admin) && !l.name.starts_with("##"));
            out.extend(open.map(|l| format!("the login {}", l.name)));
        }
        Live::Unreadable(_) => out.push("logins that could not be read".to_owned()),
        Live::Absent => {}
    }
    for (database, live) in &draft.world.databases {
        if database.root() != *root {
            continue;
        }
        match live {
            Live::Present(catalogue) => {
                let users = catalogue.principals.iter().filter(|p| {
                    p.authentication == Authentication::Database && catalogue.may_connect(&p.name)
                });
                out.extend(users.map(|p| format!("the user {} in {database}", p.name)));
            }
            Live::Unreadable(_) => out.push(format!("{database}, which could not be read")),
            Live::Absent => {}
        }
    }
    out
}
