//! The operations of an API; their policies are in `policy`.

use azure_mgmt_apimanagement::package_preview_2023_09::models::{
    OperationContract, OperationUpdateContract,
};
use keyless_model::ArmId;
use serde_json::Value;

use crate::capture::{first, from_apim};
use crate::error::ArmError;
use crate::request::Request;

/// The operations of an API or revision.
///
/// # Errors
/// When the id is of another type or a name cannot stand in a path.
pub fn operations(service: &ArmId, api: &str) -> Result<Request, ArmError> {
    from_apim(service, &[api], |g| {
        first(
            g.client
                .api_operation_client()
                .list_by_api(g.group, g.service, api, g.subscription)
                .into_stream(),
        )
    })
}

/// One operation, with its ETag.
///
/// # Errors
/// See [`operations`].
pub fn operation(service: &ArmId, api: &str, name: &str) -> Result<Request, ArmError> {
    from_apim(service, &[api, name], |g| {
        g.client
            .api_operation_client()
            .get(g.group, g.service, api, name, g.subscription)
            .send()
    })
}

/// Creates or replaces an operation.
///
/// # Errors
/// See [`operations`].
pub fn put_operation(
    service: &ArmId,
    api: &str,
    name: &str,
    body: Value,
    if_match: Option<&str>,
) -> Result<Request, ArmError> {
    let request = from_apim(service, &[api, name], |g| {
        let none = OperationContract::default();
        g.client
            .api_operation_client()
            .create_or_update(g.group, g.service, api, name, none, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body).matching(if_match))
}

/// Changes the given fields of an operation.
///
/// # Errors
/// See [`operations`].
pub fn patch_operation(
    service: &ArmId,
    api: &str,
    name: &str,
    body: Value,
    if_match: &str,
) -> Result<Request, ArmError> {
    let request = from_apim(service, &[api, name], |g| {
        let none = OperationUpdateContract::default();
        g.client
            .api_operation_client()
            .update(
                g.group,
                g.service,
                api,
                name,
                none,
                if_match,
                g.subscription,
            )
            .send()
    })?;
    Ok(request.carrying(body))
}
