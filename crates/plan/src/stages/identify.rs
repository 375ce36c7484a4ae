//! Identities and Entra administrators: what everything after them stands on.

use std::collections::BTreeSet;

use keyless_model::{Address, Live};
use serde_json::{Value, json};

use crate::compare::{covers, managed_fingerprint};
use crate::draft::{Draft, Input, NewStep};
use crate::phase::Phase;
use crate::simulate::has_system;
use crate::stages::show;
use crate::step::{Note, Op, Shown, Undo};

/// Enables the system-assigned identity where a document or an Access needs it: a union with what
/// is there, never a replacement.
pub(crate) fn identities(input: Input, draft: &mut Draft) {
    let used: BTreeSet<&str> = input
        .desired
        .accesses
        .values()
        .map(|a| a.gateway.as_str())
        .collect();
    for (name, gateway) in &input.desired.gateways {
        let address = Address::gateway(name);
        if !gateway.system_identity && !used.contains(name.as_str()) {
            continue;
        }
        let Live::Present(entity) = input.live.get(&address) else {
            continue;
        };
        let before = entity.text("/identity/type").unwrap_or("None").to_owned();
        if has_system(&before) {
            continue;
        }
        let after = if before.eq_ignore_ascii_case("none") {
            "SystemAssigned".to_owned()
        } else {
            format!("SystemAssigned, {before}")
        };
        let mut body = json!({ "identity": { "type": after } });
        // The service may take a PATCH of identities as the whole set, so those there are sent too.
        if let Some(users) = entity.body.pointer("/identity/userAssignedIdentities") {
            body["identity"]["userAssignedIdentities"] = emptied(users);
        }
        draft.add(NewStep {
            phase: Phase::Identify,
            address: address.clone(),
            access: None,
            reason: "the gateway needs an identity of its own to reach the database without a \
                     password"
                .into(),
            op: Op::Patch {
                expect: Some(managed_fingerprint(
                    input.key,
                    &address,
                    &entity.body,
                    &body,
                )),
                body,
            },
            needs: BTreeSet::new(),
            undo: Undo::Nothing {
                why: "an identity that nothing uses is harmless, and a new one would have another \
                      id"
                .into(),
            },
            notes: vec![Note::Applied {
                address: address.clone(),
                made: false,
                sent: None,
            }],
            shown: vec![Shown::Field {
                path: "identity.type".into(),
                before: Some(before),
                after: Some(after),
            }],
        });
    }
}

/// Each id with an empty object: the read-only ids inside are not sent back.
fn emptied(users: &Value) -> Value {
    let ids = users.as_object().into_iter().flatten();
    Value::Object(ids.map(|(id, _)| (id.clone(), json!({}))).collect())
}

/// Sets the Entra administrator that a server document declares.
pub(crate) fn entra_admins(input: Input, draft: &mut Draft) {
    for (name, server) in &input.desired.servers {
        let Some(admin) = &server.entra_admin else {
            continue;
        };
        let root = Address::server(name);
        if input.live.get(&root).present().is_none() {
            let why = match input.live.get(&root) {
                Live::Unreadable(why) => why,
                _ => "the server does not exist".into(),
            };
            let next = "correct the id in its SqlServer document, or give the Reader role";
            draft.wait(&root, None, "set the Entra administrator", &why, next);
            continue;
        }
        let address = root.part("entraAdmin");
        let body = json!({ "properties": {
            "administratorType": "ActiveDirectory",
            "login": admin.login,
            "sid": admin.object_id,
            "tenantId": input.live.tenant,
        }});
        let wanted = json!({ "properties": { "sid": admin.object_id } });
        let (expect, before) = match input.live.get(&address) {
            Live::Present(e) if covers(&address, &e.body, &wanted) => continue,
            Live::Present(e) => (
                Some(managed_fingerprint(input.key, &address, &e.body, &body)),
                Some(e.body.clone()),
            ),
            Live::Absent => (None, None),
            Live::Unreadable(why) => {
                let next = "give the identity that plans the Reader role on the server";
                draft.wait(&address, None, "set the Entra administrator", &why, next);
                continue;
            }
        };
        let undo = match &before {
            Some(old) => Undo::Put { body: old.clone() },
            None => Undo::Delete,
        };
        draft.add(NewStep {
            phase: Phase::Identify,
            address: address.clone(),
            access: None,
            reason: "without an Entra administrator the server takes no token and nobody can make \
                     users for identities"
                .into(),
            shown: show::fields(input.key, &address, before.as_ref(), &body),
            op: Op::Put {
                body,
                value: None,
                expect,
            },
            needs: BTreeSet::new(),
            undo,
            notes: vec![Note::Applied {
                address: address.clone(),
                made: before.is_none(),
                sent: None,
            }],
        });
    }
}
