//! GraphQL resolvers; their policies are in `policy`.

use azure_mgmt_apimanagement::package_preview_2023_09::models::ResolverContract;
use keyless_model::ArmId;
use serde_json::Value;

use crate::capture::{first, from_apim};
use crate::error::ArmError;
use crate::request::Request;

/// The resolvers of an API or revision.
///
/// # Errors
/// When the id is of another type or a name cannot stand in a path.
pub fn resolvers(service: &ArmId, api: &str) -> Result<Request, ArmError> {
    from_apim(service, &[api], |g| {
        first(
            g.client
                .graph_ql_api_resolver_client()
                .list_by_api(g.group, g.service, api, g.subscription)
                .into_stream(),
        )
    })
}

/// One resolver, with its ETag.
///
/// # Errors
/// See [`resolvers`].
pub fn resolver(service: &ArmId, api: &str, name: &str) -> Result<Request, ArmError> {
    from_apim(service, &[api, name], |g| {
        g.client
            .graph_ql_api_resolver_client()
            .get(g.group, g.service, api, name, g.subscription)
            .send()
    })
}

/// Creates or replaces a resolver.
///
/// # Errors
/// See [`resolvers`].
pub fn put_resolver(
    service: &ArmId,
    api: &str,
    name: &str,
    body: Value,
    if_match: Option<&str>,
) -> Result<Request, ArmError> {
    let request = from_apim(service, &[api, name], |g| {
        let none = ResolverContract::default();
        g.client
            .graph_ql_api_resolver_client()
            .create_or_update(g.group, g.service, api, name, none, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body).matching(if_match))
}

/// Deletes a resolver.
///
/// # Errors
/// See [`resolvers`].
pub fn delete_resolver(
    service: &ArmId,
    api: &str,
    name: &str,
    if_match: &str,
) -> Result<Request, ArmError> {
    from_apim(service, &[api, name], |g| {
        g.client
            .graph_ql_api_resolver_client()
            .delete(g.group, g.service, api, name, if_match, g.subscription)
            .send()
    })
}
