//! Lists that only a search for credentials looks at (azure-facts B.5): what the service keeps
//! secrets for, and where text or logs may show one. Each answers without the secrets themselves;
//! the actions that tell those (`listSecrets`, `listKeys`) are not offered.
//!
//! Paths and fields are those of the REST reference of API Management, 2023-09-01-preview.

use keyless_model::ArmId;

use crate::capture::{first, from_apim};
use crate::error::ArmError;
use crate::request::Request;

/// All external caches; their connection strings are references to named values.
///
/// # Errors
/// When the id is of another type.
pub fn caches(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .cache_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// All OAuth servers.
///
/// # Errors
/// See [`caches`].
pub fn authorization_servers(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .authorization_server_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// All OpenID providers.
///
/// # Errors
/// See [`caches`].
pub fn openid_providers(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .open_id_connect_provider_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// All identity providers of the developer portal.
///
/// # Errors
/// See [`caches`].
pub fn identity_providers(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .identity_provider_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// All providers of the credential manager.
///
/// # Errors
/// See [`caches`].
pub fn authorization_providers(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .authorization_provider_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// The connections of one provider of the credential manager.
///
/// # Errors
/// When the id is of another type or the name cannot stand in a path.
pub fn authorizations(service: &ArmId, provider: &str) -> Result<Request, ArmError> {
    from_apim(service, &[provider], |g| {
        first(
            g.client
                .authorization_client()
                .list_by_authorization_provider(g.group, g.service, provider, g.subscription)
                .into_stream(),
        )
    })
}

/// All certificates, without their keys.
///
/// # Errors
/// See [`caches`].
pub fn certificates(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .certificate_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// What is logged of the calls of every API.
///
/// # Errors
/// See [`caches`].
pub fn diagnostics(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .diagnostic_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// What is logged of the calls of one API.
///
/// # Errors
/// See [`authorizations`].
pub fn api_diagnostics(service: &ArmId, api: &str) -> Result<Request, ArmError> {
    from_apim(service, &[api], |g| {
        first(
            g.client
                .api_diagnostic_client()
                .list_by_service(g.group, g.service, api, g.subscription)
                .into_stream(),
        )
    })
}

/// The texts of all wikis. The wikis of APIs and products hold only references to these.
///
/// # Errors
/// See [`caches`].
pub fn documentations(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .documentation_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// The schemas that every API may use.
///
/// # Errors
/// See [`caches`].
pub fn schemas(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .global_schema_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// The schemas of one API.
///
/// # Errors
/// See [`authorizations`].
pub fn api_schemas(service: &ArmId, api: &str) -> Result<Request, ArmError> {
    from_apim(service, &[api], |g| {
        first(
            g.client
                .api_schema_client()
                .list_by_api(g.group, g.service, api, g.subscription)
                .into_stream(),
        )
    })
}

/// Whether keys of the service's own open its management (`TenantAccess_ListByService`).
///
/// # Errors
/// See [`caches`].
pub fn tenant_access(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .tenant_access_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// The settings of the developer portal, of which delegation has a key.
///
/// # Errors
/// See [`caches`].
pub fn portal_settings(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        g.client
            .portal_settings_client()
            .list_by_service(g.group, g.service, g.subscription)
            .send()
    })
}
