//! APIs, their revisions and releases.

use azure_mgmt_apimanagement::package_preview_2023_09::models::{
    ApiCreateOrUpdateParameter, ApiReleaseContract, ApiUpdateContract,
};
use keyless_model::ArmId;
use serde_json::Value;

use crate::capture::{first, from_apim};
use crate::error::ArmError;
use crate::request::Request;

/// All APIs in their current revision.
///
/// # Errors
/// When the id is of another type.
pub fn apis(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .api_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// One API; `name` may carry `;rev=n`.
///
/// # Errors
/// When the id is of another type or the name cannot stand in a path.
pub fn api(service: &ArmId, name: &str) -> Result<Request, ArmError> {
    from_apim(service, &[name], |g| {
        g.client
            .api_client()
            .get(g.group, g.service, name, g.subscription)
            .send()
    })
}

/// Creates or replaces an API or, with `name;rev=n` and `properties.sourceApiId`, a revision.
/// Long-running.
///
/// # Errors
/// See [`api`].
pub fn put_api(
    service: &ArmId,
    name: &str,
    body: Value,
    if_match: Option<&str>,
) -> Result<Request, ArmError> {
    let request = from_apim(service, &[name], |g| {
        let none = ApiCreateOrUpdateParameter::default();
        g.client
            .api_client()
            .create_or_update(g.group, g.service, name, none, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body).matching(if_match))
}

/// Changes the given fields of an API or revision, such as `properties.serviceUrl`.
///
/// # Errors
/// See [`api`].
pub fn patch_api(
    service: &ArmId,
    name: &str,
    body: Value,
    if_match: &str,
) -> Result<Request, ArmError> {
    let request = from_apim(service, &[name], |g| {
        let none = ApiUpdateContract::default();
        g.client
            .api_client()
            .update(g.group, g.service, name, none, if_match, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body))
}

/// Deletes an API or, with `name;rev=n`, that revision alone.
///
/// # Errors
/// See [`api`].
pub fn delete_api(service: &ArmId, name: &str, if_match: &str) -> Result<Request, ArmError> {
    from_apim(service, &[name], |g| {
        g.client
            .api_client()
            .delete(g.group, g.service, name, if_match, g.subscription)
            .send()
    })
}

/// The revisions of an API, current or not.
///
/// # Errors
/// See [`api`].
pub fn revisions(service: &ArmId, api: &str) -> Result<Request, ArmError> {
    from_apim(service, &[api], |g| {
        first(
            g.client
                .api_revision_client()
                .list_by_service(g.group, g.service, api, g.subscription)
                .into_stream(),
        )
    })
}

/// A release: it makes the revision that `properties.apiId` names the current one.
///
/// # Errors
/// See [`api`].
pub fn put_release(
    service: &ArmId,
    api: &str,
    release: &str,
    body: Value,
) -> Result<Request, ArmError> {
    let request = from_apim(service, &[api, release], |g| {
        let none = ApiReleaseContract::default();
        g.client
            .api_release_client()
            .create_or_update(g.group, g.service, api, release, none, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body))
}
