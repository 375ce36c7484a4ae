//! Named values (azure-facts B.2).

use azure_mgmt_apimanagement::package_preview_2023_09::models::NamedValueCreateContract;
use keyless_model::ArmId;
use serde_json::Value;

use crate::capture::{first, from_apim};
use crate::error::ArmError;
use crate::request::Request;

/// All named values; the value itself only where `secret` is false.
///
/// # Errors
/// When the id is of another type.
pub fn named_values(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .named_value_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// One named value, with its ETag.
///
/// # Errors
/// When the id is of another type or the name cannot stand in a path.
pub fn named_value(service: &ArmId, name: &str) -> Result<Request, ArmError> {
    from_apim(service, &[name], |g| {
        g.client
            .named_value_client()
            .get(g.group, g.service, name, g.subscription)
            .send()
    })
}

/// Creates or replaces a named value. Long-running, and it can fail after a 201.
///
/// # Errors
/// See [`named_value`].
pub fn put_named_value(
    service: &ArmId,
    name: &str,
    body: Value,
    if_match: Option<&str>,
) -> Result<Request, ArmError> {
    let request = from_apim(service, &[name], |g| {
        let none = NamedValueCreateContract::default();
        g.client
            .named_value_client()
            .create_or_update(g.group, g.service, name, none, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body).matching(if_match))
}

/// Deletes a named value; refused by the service while a policy or backend refers to it.
///
/// # Errors
/// See [`named_value`].
pub fn delete_named_value(
    service: &ArmId,
    name: &str,
    if_match: &str,
) -> Result<Request, ArmError> {
    from_apim(service, &[name], |g| {
        g.client
            .named_value_client()
            .delete(g.group, g.service, name, if_match, g.subscription)
            .send()
    })
}

/// Asks the service to read the Key Vault secret behind one now: a long-running operation
/// (azure-facts A.4, B.2).
///
/// # Errors
/// See [`named_value`].
pub fn refresh_named_value(service: &ArmId, name: &str) -> Result<Request, ArmError> {
    from_apim(service, &[name], |g| {
        g.client
            .named_value_client()
            .refresh_secret(g.group, g.service, name, g.subscription)
            .send()
    })
}

/// Asks for the value of a secret one; needs `…/namedValues/listValue/action`.
///
/// # Errors
/// See [`named_value`].
pub fn named_value_secret(service: &ArmId, name: &str) -> Result<Request, ArmError> {
    from_apim(service, &[name], |g| {
        g.client
            .named_value_client()
            .list_value(g.group, g.service, name, g.subscription)
            .send()
    })
}
