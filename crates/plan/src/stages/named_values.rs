//! Declared named values of all three sorts: plain text, a secret of the environment, and a
//! reference to a secret in Key Vault, which its identity must be able to read first.

use std::collections::BTreeSet;

use keyless_model::{Address, Entity, Live, NamedValue, ValueSource};
use serde_json::{Map, Value, json};

use crate::draft::{Draft, Input, id_of, waits_for};
use crate::phase::Phase;
use crate::stages::arm::{Wanted, put};
use crate::stages::rbac;
use crate::step::{Gate, ValueFrom};

/// Plans them. A secret's value cannot be compared: it is sent when the named value is missing or
/// another field of it differs.
pub(crate) fn named_values(input: Input, draft: &mut Draft) {
    for document in input.desired.named_values.values() {
        let address = Address::gateway(&document.gateway).child("namedValue", &document.name);
        let value = document.value_from.as_ref().map(|from| match from {
            ValueSource::Environment(name) => ValueFrom::Environment { name: name.clone() },
        });
        let Some(needs) = readable(input, draft, &address, document) else {
            continue;
        };
        let wanted = Wanted {
            phase: Phase::Switch,
            address: address.clone(),
            body: json!({ "properties": body_of(document) }),
            value,
            reason: REASON,
            needs: needs.clone(),
        };
        let written = put(input, draft, wanted);
        health(input, draft, document, &address, written, needs);
    }
}

const REASON: &str = "a document declares this named value";

pub(crate) fn body_of(document: &NamedValue) -> Map<String, Value> {
    let mut properties = document.properties.clone();
    if document.value_from.is_some() {
        properties.entry("secret").or_insert(Value::Bool(true));
    }
    properties
        .entry("displayName")
        .or_insert_with(|| document.name.clone().into());
    properties
}

/// The steps by which the identity of a Key Vault reference can read its vault: the service tries
/// the secret when the reference is written. None when one of them waits, which leaves a row.
fn readable(
    input: Input,
    draft: &mut Draft,
    address: &Address,
    document: &NamedValue,
) -> Option<BTreeSet<String>> {
    let Some(vault) = vault(document) else {
        return Some(BTreeSet::new());
    };
    let gateway = address.root();
    let identity = identity(input, &gateway, document);
    let roles = rbac::reaching(input, &identity, vault);
    let waits = |a: &Address| draft.waiting.iter().any(|row| row.address == *a);
    let held: Vec<String> = roles
        .iter()
        .filter(|a| waits(a))
        .map(Address::to_string)
        .collect();
    let there = draft.world.entities.get(address).is_some_and(healthy);
    if !held.is_empty() && !there {
        let why = format!(
            "its identity cannot read the vault before {}",
            held.join(", ")
        );
        let next = "see what holds the role assignment up, then plan again";
        draft.wait(address, None, REASON, &why, next);
        return None;
    }
    let mut needs = draft.existing(roles.iter().map(|a| id_of(Phase::Grant, a)));
    needs.extend(draft.existing([id_of(Phase::Identify, &gateway)]));
    Some(needs)
}

/// The name of the vault that the document refers to.
fn vault(document: &NamedValue) -> Option<&str> {
    let secret = document
        .properties
        .get("keyVault")?
        .get("secretIdentifier")?;
    let host = secret.as_str()?.split("://").nth(1)?;
    host.split(['.', '/']).next()
}

/// The identity with which the service reads the vault: without a client id, the gateway's own
/// (azure-facts B.2). One of a client id that no document has is its own, unknown address.
fn identity(input: Input, gateway: &Address, document: &NamedValue) -> Address {
    let key_vault = document.properties.get("keyVault");
    let id = key_vault
        .and_then(|k| k.get("identityClientId"))
        .and_then(Value::as_str);
    let Some(id) = id else {
        return gateway.clone();
    };
    let mut identities = input
        .desired
        .identities
        .keys()
        .map(|name| Address::identity(name));
    let has_id = |a: &Address| {
        let entity = input.live.entities.get(a);
        let client = entity.and_then(|e| e.text("/properties/clientId"));
        client.is_some_and(|c| c.eq_ignore_ascii_case(id))
    };
    identities
        .find(has_id)
        .unwrap_or_else(|| Address::identity(id))
}

/// A reference that was written, or that could not be read and whose identity gets a role now, must
/// show that it reads before anything uses it.
fn health(
    input: Input,
    draft: &mut Draft,
    document: &NamedValue,
    address: &Address,
    written: Option<String>,
    roles: BTreeSet<String>,
) {
    let Live::Present(entity) = draft.world.get(address) else {
        return;
    };
    let mended = !roles.is_empty() && input.live.entities.contains_key(address) && !healthy(entity);
    if vault(document).is_none() || !(written.is_some() || mended) {
        return;
    }
    let gate = Gate::KeyVault {
        named_value: address.clone(),
    };
    let reason = "the service must have read the secret before anything refers to it";
    let needs = written.into_iter().chain(roles).collect();
    let place = address.part("health");
    draft.add(waits_for(
        gate,
        Phase::Switch,
        place,
        None,
        reason,
        needs,
        vec![],
    ));
}

/// Whether the service read the secret at its last try, or never tried.
fn healthy(entity: &Entity) -> bool {
    last_status(entity).is_none_or(|code| code.eq_ignore_ascii_case("Success"))
}

/// What came of the service's last try to read the secret, where that is a failure
/// (azure-facts B.2, `keyVault.lastStatus`).
pub(crate) fn failure(entity: &Entity) -> Option<&str> {
    last_status(entity).filter(|_| !healthy(entity))
}

fn last_status(entity: &Entity) -> Option<&str> {
    entity.text("/properties/keyVault/lastStatus/code")
}
