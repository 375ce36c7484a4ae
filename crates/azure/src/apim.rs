//! Requests for API Management: the service itself, and one file for each kind inside it.

mod api;
mod backend;
mod fragment;
mod gateway;
mod kept;
mod logger;
mod named_value;
mod operation;
mod policy;
mod product;
mod resolver;
mod subscription;
mod workspace;

use azure_mgmt_apimanagement::package_preview_2023_09::models;
use keyless_model::ArmId;
use serde_json::Value;

use crate::capture::from_apim;
use crate::error::ArmError;
use crate::request::Request;

pub use api::{api, apis, delete_api, patch_api, put_api, put_release, revisions};
pub use backend::{backend, backends, delete_backend, put_backend};
pub use fragment::{delete_fragment, fragment, fragments, put_fragment};
pub use gateway::{gateway_apis, gateways};
pub use kept::{
    api_diagnostics, api_schemas, authorization_providers, authorization_servers, authorizations,
    caches, certificates, diagnostics, documentations, identity_providers, openid_providers,
    portal_settings, schemas, tenant_access,
};
pub use logger::loggers;
pub use named_value::{
    delete_named_value, named_value, named_value_secret, named_values, put_named_value,
    refresh_named_value,
};
pub use operation::{operation, operations, patch_operation, put_operation};
pub use policy::{PolicyAt, all_policies, delete_policy, policy, put_policy};
pub use product::{delete_product, patch_product, product, product_apis, products, put_product};
pub use resolver::{delete_resolver, put_resolver, resolver, resolvers};
pub use subscription::{subscription_secrets, subscriptions};
pub use workspace::workspaces;

/// Reads the service: SKU, host names, `identity`, the body's own `etag`.
///
/// # Errors
/// As every request here: when the id is of another type or a name cannot stand in a path.
pub fn service(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        g.client
            .api_management_service_client()
            .get(g.group, g.service, g.subscription)
            .send()
    })
}

/// Changes the service; long-running, minutes. For the identity send the union of what is there
/// and what is wanted (azure-facts B.1): a left-out identity may be removed.
///
/// # Errors
/// See [`service`].
pub fn patch_service(service: &ArmId, body: Value) -> Result<Request, ArmError> {
    let request = from_apim(service, &[], |g| {
        let none = models::ApiManagementServiceUpdateParameters::default();
        g.client
            .api_management_service_client()
            .update(g.group, g.service, none, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body))
}

#[cfg(test)]
mod tests;
