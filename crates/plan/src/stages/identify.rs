//! Identities and Entra administrators: what everything after them stands on.

use std::collections::BTreeSet;

use keyless_model::{Address, Entity, Identity, Live};
use serde_json::{Value, json};

use crate::compare::{covers, managed_fingerprint};
use crate::draft::{Draft, Input, NewStep};
use crate::phase::Phase;
use crate::simulate::has_system;
use crate::stages::show;
use crate::step::{Note, Op, Shown, Undo};

/// A service that a root document names and that is not there, or not readable, is no empty estate:
/// whether or not anything else asks for it, it leaves a row.
pub(crate) fn roots(input: Input, draft: &mut Draft) {
    let desired = input.desired;
    let gateways = desired
        .gateways
        .keys()
        .map(|n| (Address::gateway(n), "Gateway"));
    let servers = desired
        .servers
        .keys()
        .map(|n| (Address::server(n), "SqlServer"));
    let identities = desired.identities.keys();
    let identities = identities.map(|n| (Address::identity(n), "ManagedIdentity"));
    for (root, kind) in gateways.chain(servers).chain(identities) {
        let (why, next) = match input.live.get(&root) {
            Live::Present(_) => continue,
            Live::Absent => (
                "it does not exist".to_owned(),
                format!(
                    "correct `spec.id` in the {kind} document {}",
                    root.root_name()
                ),
            ),
            Live::Unreadable(why) => (
                why,
                "give the identity that plans the Reader role on it".to_owned(),
            ),
        };
        draft.wait(&root, None, "adopt what the document names", &why, &next);
    }
}

/// Gives each gateway the identities that its document or an Access needs: a union with what is
/// there in one PATCH, never a replacement.
pub(crate) fn identities(input: Input, draft: &mut Draft) {
    for (name, gateway) in &input.desired.gateways {
        let address = Address::gateway(name);
        let asks = gateway.system_identity || !gateway.user_identities.is_empty();
        let Some(entity) = there(input, draft, &address, asks) else {
            continue;
        };
        let before = entity.text("/identity/type").unwrap_or("None").to_owned();
        let system = !has_system(&before) && (gateway.system_identity || uses_own(input, name));
        let attached = attached(&entity.body);
        let wanted = user_identities(input, draft, &address, &gateway.user_identities);
        let missing: Vec<&String> = wanted
            .iter()
            .filter(|id| !attached.iter().any(|own| own.eq_ignore_ascii_case(id)))
            .collect();
        if !system && missing.is_empty() {
            continue;
        }
        // The service may take a PATCH of identities as the whole set, so those there are sent too
        // (azure-facts B.1).
        let users: Vec<&String> = attached.iter().chain(missing.iter().copied()).collect();
        let after = type_of(system || has_system(&before), !users.is_empty());
        let path = "identity.userAssignedIdentities";
        let mut shown: Vec<Shown> = missing.iter().map(|id| changed(path, None, id)).collect();
        if system || attached.is_empty() {
            shown.insert(0, changed("identity.type", Some(&before), after));
        }
        let mut body = json!({ "identity": { "type": after } });
        if !users.is_empty() {
            let users = users.into_iter().map(|id| (id.clone(), json!({})));
            body["identity"]["userAssignedIdentities"] = Value::Object(users.collect());
        }
        draft.add(attach(input, &address, &entity.body, body, shown));
    }
}

/// The gateway as it is. One that is not there or not readable leaves a row if its own document asks
/// for an identity; an Access has one of its own.
fn there<'a>(
    input: Input<'a>,
    draft: &mut Draft,
    gateway: &Address,
    asks: bool,
) -> Option<&'a Entity> {
    let (why, next) = match input.live.get(gateway) {
        Live::Present(entity) => return Some(entity),
        Live::Absent => (
            "the gateway does not exist".to_owned(),
            "correct the id in its Gateway document",
        ),
        Live::Unreadable(why) => (
            why,
            "give the identity that plans the Reader role on the gateway",
        ),
    };
    if asks {
        draft.wait(gateway, None, "give it its identities", &why, next);
    }
    None
}

/// Whether an Access of the gateway goes out as its system-assigned identity.
fn uses_own(input: Input, gateway: &str) -> bool {
    let desired = input.desired;
    desired.accesses.values().any(|a| a.gateway == gateway)
        || desired
            .http_accesses
            .values()
            .any(|a| a.gateway == gateway && a.identity == Identity::System)
}

/// The ids of the user-assigned identities that a gateway has.
fn attached(body: &Value) -> Vec<String> {
    let users = body.pointer("/identity/userAssignedIdentities");
    let ids = users.and_then(Value::as_object).into_iter().flatten();
    ids.map(|(id, _)| id.clone()).collect()
}

/// The ids of the wanted ones that exist; the others leave a row each.
fn user_identities(
    input: Input,
    draft: &mut Draft,
    gateway: &Address,
    names: &BTreeSet<String>,
) -> Vec<String> {
    let mut out = Vec::new();
    for name in names {
        let address = Address::identity(name);
        let (why, next) = match (input.live.get(&address), input.desired.identities.get(name)) {
            (Live::Present(_), Some(document)) => {
                out.push(document.id.to_string());
                continue;
            }
            (Live::Unreadable(why), _) => (
                why,
                "give the identity that plans Microsoft.ManagedIdentity/userAssignedIdentities/read",
            ),
            _ => (
                "the identity does not exist".to_owned(),
                "correct the id in its ManagedIdentity document, or make the identity",
            ),
        };
        let what = format!("give {gateway} this identity");
        draft.wait(&address, None, &what, &why, next);
    }
    out
}

fn type_of(system: bool, users: bool) -> &'static str {
    match (system, users) {
        (true, true) => "SystemAssigned, UserAssigned",
        (true, false) => "SystemAssigned",
        (false, true) => "UserAssigned",
        (false, false) => "None",
    }
}

fn changed(path: &str, before: Option<&str>, after: &str) -> Shown {
    Shown::Field {
        path: path.to_owned(),
        before: before.map(str::to_owned),
        after: Some(after.to_owned()),
    }
}

fn attach(
    input: Input,
    address: &Address,
    live: &Value,
    body: Value,
    shown: Vec<Shown>,
) -> NewStep {
    NewStep {
        phase: Phase::Identify,
        address: address.clone(),
        access: None,
        reason: "the gateway needs its identities to reach what it calls without a password".into(),
        shown,
        op: Op::Patch {
            expect: Some(managed_fingerprint(input.key, address, live, &body)),
            body,
        },
        needs: BTreeSet::new(),
        undo: Undo::Nothing {
            why: "an identity that nothing uses is harmless, and a new one would have another id"
                .into(),
        },
        notes: vec![Note::Applied {
            address: address.clone(),
            made: false,
            sent: None,
        }],
    }
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
            None => Undo::Nothing {
                why: "without an administrator the server takes no token of anybody".into(),
            },
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
