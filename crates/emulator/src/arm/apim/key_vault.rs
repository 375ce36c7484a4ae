//! Named values that refer to a secret in Key Vault: fetched when written, when asked, and every
//! four hours where the reference names no version (azure-facts B.2). The identity that fetches
//! needs a role that lets it get secrets, on the vault or above, and needs it in effect.

use serde_json::{Value, json};

use super::service_key;
use crate::arm::authorization::{self, Ask, definition};
use crate::arm::error::ArmError;
use crate::arm::store::{Entity, Store};
use crate::estate::Estate;
use crate::seed_services::VaultSeed;

/// Seconds after which a reference is fetched anew.
pub const REFRESH: i64 = 4 * 3_600;

/// Why a secret was not fetched. Azure's own codes for it are not documented (unconfirmed).
struct Refused {
    code: &'static str,
    message: String,
}

fn refused(code: &'static str, message: String) -> Refused {
    Refused { code, message }
}

/// `https://{vault}.{suffix}/secrets/{name}[/{version}]`.
struct SecretId<'a> {
    vault: &'a str,
    name: &'a str,
    versioned: bool,
}

fn parse(identifier: &str) -> Option<SecretId<'_>> {
    let (host, path) = identifier.strip_prefix("https://")?.split_once('/')?;
    let (vault, _) = host.split_once('.')?;
    let mut segments = path.trim_end_matches('/').split('/');
    let is_secret = segments.next() == Some("secrets");
    let name = segments.next().filter(|name| !name.is_empty())?;
    let versioned = segments.next().is_some();
    (is_secret && segments.next().is_none()).then_some(SecretId {
        vault,
        name,
        versioned,
    })
}

/// Checks the `keyVault` of a body; what the client says of its status does not count.
pub fn check(properties: &mut Value) -> Result<(), ArmError> {
    let reference = &properties["keyVault"];
    let identifier = reference["secretIdentifier"].as_str().unwrap_or_default();
    if parse(identifier).is_none() {
        let message = "The secret identifier is not that of a Key Vault secret.";
        return Err(ArmError::validation("keyVault.secretIdentifier", message));
    }
    properties["secret"] = json!(true);
    if let Some(fields) = properties["keyVault"].as_object_mut() {
        fields.remove("lastStatus");
    }
    if let Some(fields) = properties.as_object_mut() {
        fields.remove("value");
    }
    Ok(())
}

/// Fetches the secret and notes how that went. A value that was fetched before stays when it
/// cannot be fetched again.
pub fn refresh(estate: &Estate, store: &Store, entity: &mut Entity) {
    let outcome = fetch(estate, store, entity);
    let properties = &mut entity.body["properties"];
    let (code, message) = match outcome {
        Ok(value) => {
            properties["value"] = json!(value);
            ("Success", Value::Null)
        }
        Err(refused) => (refused.code, json!(refused.message)),
    };
    let mut status = json!({"code": code, "timeStampUtc": estate.clock.iso()});
    if !message.is_null() {
        status["message"] = message;
    }
    properties["keyVault"]["lastStatus"] = status;
}

/// Whether the reference follows the newest version of its secret.
pub fn follows(entity: &Entity) -> bool {
    let identifier = &entity.body["properties"]["keyVault"]["secretIdentifier"];
    let parsed = identifier.as_str().and_then(parse);
    parsed.is_some_and(|secret| !secret.versioned)
}

fn fetch(estate: &Estate, store: &Store, entity: &Entity) -> Result<String, Refused> {
    let reference = &entity.body["properties"]["keyVault"];
    let identifier = reference["secretIdentifier"].as_str().unwrap_or_default();
    let secret = parse(identifier).ok_or_else(|| {
        let message = "The secret identifier is not that of a Key Vault secret.";
        refused("InvalidSecretIdentifier", message.into())
    })?;
    let key = entity.key();
    let principal = identity(store, &key, reference["identityClientId"].as_str())?;
    let vault = estate
        .vaults
        .iter()
        .find(|vault| vault.name.eq_ignore_ascii_case(secret.vault))
        .ok_or_else(|| {
            let message = format!("The key vault '{}' was not found.", secret.vault);
            refused("VaultNotFound", message)
        })?;
    let ask = Ask {
        object_id: &principal,
        groups: &[],
        operation: definition::GET_SECRET,
        on_data: true,
        to: &vault_id(vault, &entity.id),
    };
    if !authorization::allows(estate, store, &ask) {
        let message = format!(
            "The principal '{principal}' is not allowed to get secrets of the key vault '{}'.",
            vault.name
        );
        return Err(refused("Forbidden", message));
    }
    vault.value(secret.name).map(str::to_owned).ok_or_else(|| {
        let (vault, name) = (&vault.name, secret.name);
        let message = format!("The secret '{name}' was not found in the key vault '{vault}'.");
        refused("SecretNotFound", message)
    })
}

/// The object id of the identity that fetches: the one with this client id, else the service's own.
fn identity(store: &Store, key: &str, client_id: Option<&str>) -> Result<String, Refused> {
    let service = store.get(service_key(key));
    let identity = service.map_or(&Value::Null, |service| &service.body["identity"]);
    let found = match client_id {
        None => &identity["principalId"],
        Some(wanted) => identity["userAssignedIdentities"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, ids)| ids)
            .find(|ids| {
                let id = ids["clientId"].as_str().unwrap_or_default();
                id.eq_ignore_ascii_case(wanted)
            })
            .map_or(&Value::Null, |ids| &ids["principalId"]),
    };
    found.as_str().map(str::to_owned).ok_or_else(|| {
        let message = "The service does not have the managed identity of the reference.";
        refused("IdentityNotFound", message.into())
    })
}

/// Where the vault lies; without an id in the seed, in the resource group of who asks.
fn vault_id(vault: &VaultSeed, asking: &str) -> String {
    if let Some(id) = &vault.id {
        return id.clone();
    }
    let group = asking.split('/').take(5).collect::<Vec<_>>().join("/");
    format!("{group}/providers/Microsoft.KeyVault/vaults/{}", vault.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_names_vault_secret_and_perhaps_a_version() {
        let secret = parse("https://kv-a.vault.azure.net/secrets/db").unwrap();
        assert_eq!(
            (secret.vault, secret.name, secret.versioned),
            ("kv-a", "db", false)
        );
        assert!(
            parse("https://kv-a.vault.azure.net/secrets/db/1f")
                .unwrap()
                .versioned
        );
        for wrong in [
            "kv-a/secrets/db",
            "https://kv-a.vault.azure.net/keys/db",
            "https://kv-a.vault.azure.net/secrets/",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
