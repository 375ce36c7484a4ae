//! Policy fragments (azure-facts B.4), read and written as `rawxml` like policies.

use azure_mgmt_apimanagement::package_preview_2023_09::models::PolicyFragmentContract;
use keyless_model::ArmId;
use serde_json::Value;

use super::policy::RAW;
use crate::capture::{first, from_apim};
use crate::error::ArmError;
use crate::request::Request;

/// All fragments. Their texts come in the encoded form, so they name fragments and no more.
///
/// # Errors
/// When the id is of another type.
pub fn fragments(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .policy_fragment_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// Reads a fragment as `rawxml`, with its ETag.
///
/// # Errors
/// When the id is of another type or the name cannot stand in a path.
pub fn fragment(service: &ArmId, name: &str) -> Result<Request, ArmError> {
    from_apim(service, &[name], |g| {
        g.client
            .policy_fragment_client()
            .get(g.group, g.service, name, g.subscription)
            .format(RAW)
            .send()
    })
}

/// Creates or replaces a fragment; `body` is like a policy's, with an optional `description`.
/// Long-running.
///
/// # Errors
/// See [`fragment`].
pub fn put_fragment(
    service: &ArmId,
    name: &str,
    body: Value,
    if_match: Option<&str>,
) -> Result<Request, ArmError> {
    let request = from_apim(service, &[name], |g| {
        let none = PolicyFragmentContract::default();
        g.client
            .policy_fragment_client()
            .create_or_update(g.group, g.service, name, none, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body).matching(if_match))
}

/// Deletes a fragment; refused by the service while a policy includes it.
///
/// # Errors
/// See [`fragment`].
pub fn delete_fragment(service: &ArmId, name: &str, if_match: &str) -> Result<Request, ArmError> {
    from_apim(service, &[name], |g| {
        g.client
            .policy_fragment_client()
            .delete(g.group, g.service, name, if_match, g.subscription)
            .send()
    })
}
