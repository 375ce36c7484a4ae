//! Backends (azure-facts B.3). Their bodies hold credentials in clear.
//!
//! Asked for in the preview version that knows `credentials.managedIdentity`: the stable one hides
//! it, and a PUT of what that one shows would drop it.

use azure_mgmt_apimanagement::package_preview_2023_09::models::BackendContract;
use keyless_model::ArmId;
use serde_json::Value;

use crate::capture::{first, from_apim};
use crate::error::ArmError;
use crate::request::Request;

/// The first version with `credentials.managedIdentity`.
const VERSION: &str = "2024-06-01-preview";

/// All backends, with their credentials and without ETags.
///
/// # Errors
/// When the id is of another type.
pub fn backends(service: &ArmId) -> Result<Request, ArmError> {
    let request = from_apim(service, &[], |g| {
        first(
            g.client
                .backend_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })?;
    Ok(request.in_version(VERSION))
}

/// One backend, with its ETag.
///
/// # Errors
/// When the id is of another type or the name cannot stand in a path.
pub fn backend(service: &ArmId, name: &str) -> Result<Request, ArmError> {
    let request = from_apim(service, &[name], |g| {
        g.client
            .backend_client()
            .get(g.group, g.service, name, g.subscription)
            .send()
    })?;
    Ok(request.in_version(VERSION))
}

/// Creates or replaces a backend.
///
/// # Errors
/// See [`backend`].
pub fn put_backend(
    service: &ArmId,
    name: &str,
    body: Value,
    if_match: Option<&str>,
) -> Result<Request, ArmError> {
    let request = from_apim(service, &[name], |g| {
        let none = BackendContract::default();
        g.client
            .backend_client()
            .create_or_update(g.group, g.service, name, none, g.subscription)
            .send()
    })?;
    let request = request.in_version(VERSION);
    Ok(request.carrying(body).matching(if_match))
}

/// Deletes a backend.
///
/// # Errors
/// See [`backend`].
pub fn delete_backend(service: &ArmId, name: &str, if_match: &str) -> Result<Request, ArmError> {
    let request = from_apim(service, &[name], |g| {
        g.client
            .backend_client()
            .delete(g.group, g.service, name, if_match, g.subscription)
            .send()
    })?;
    Ok(request.in_version(VERSION))
}
