//! Tokens that the gateway gets for its managed identities.

use serde_json::Value;

use super::error::PolicyError;
use crate::entra;
use crate::estate::Estate;

/// A token for `resource` as the service's system-assigned identity, or as the user-assigned one
/// with this client id if it is on the service.
pub fn token(
    estate: &Estate,
    service: &str,
    client_id: Option<&str>,
    resource: &str,
) -> Result<String, PolicyError> {
    let audience = entra::resource(estate, resource)
        .ok_or_else(|| PolicyError::Resource(resource.to_owned()))?;
    let identity = estate
        .store()
        .get(service)
        .map(|service| service.body["identity"].clone())
        .unwrap_or_default();
    let object_id = match client_id {
        None => identity["principalId"].as_str(),
        Some(client) => assigned(&identity, client),
    };
    let principal = object_id.and_then(|id| estate.directory.by_object_id(id));
    let principal = principal.ok_or_else(|| match client_id {
        None => PolicyError::NoIdentity,
        Some(client) => PolicyError::NotAssigned(client.to_owned()),
    })?;
    estate.calls().spoke_for(&principal.object_id);
    let token = estate
        .directory
        .issue(&principal, &audience, entra::LIFETIME);
    Ok(token)
}

/// The object id of the user-assigned identity with this client id.
fn assigned<'a>(identity: &'a Value, client: &str) -> Option<&'a str> {
    let mut all = identity["userAssignedIdentities"].as_object()?.values();
    let is_meant = |one: &&Value| {
        let own = one["clientId"].as_str();
        own.is_some_and(|own| own.eq_ignore_ascii_case(client))
    };
    all.find(is_meant)?["principalId"].as_str()
}
