//! Products and the APIs they hold; their policies are in `policy`.

use azure_mgmt_apimanagement::package_preview_2023_09::models::{
    ProductContract, ProductUpdateParameters,
};
use keyless_model::ArmId;
use serde_json::Value;

use crate::capture::{first, from_apim};
use crate::error::ArmError;
use crate::request::Request;

/// All products.
///
/// # Errors
/// When the id is of another type.
pub fn products(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .product_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// One product, with its ETag.
///
/// # Errors
/// When the id is of another type or the name cannot stand in a path.
pub fn product(service: &ArmId, name: &str) -> Result<Request, ArmError> {
    from_apim(service, &[name], |g| {
        g.client
            .product_client()
            .get(g.group, g.service, name, g.subscription)
            .send()
    })
}

/// Creates or replaces a product.
///
/// # Errors
/// See [`product`].
pub fn put_product(
    service: &ArmId,
    name: &str,
    body: Value,
    if_match: Option<&str>,
) -> Result<Request, ArmError> {
    let request = from_apim(service, &[name], |g| {
        let none = ProductContract::default();
        g.client
            .product_client()
            .create_or_update(g.group, g.service, name, none, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body).matching(if_match))
}

/// Changes the given fields of a product.
///
/// # Errors
/// See [`product`].
pub fn patch_product(
    service: &ArmId,
    name: &str,
    body: Value,
    if_match: &str,
) -> Result<Request, ArmError> {
    let request = from_apim(service, &[name], |g| {
        let none = ProductUpdateParameters::default();
        g.client
            .product_client()
            .update(g.group, g.service, name, none, if_match, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body))
}

/// Deletes a product; refused by the service while somebody is subscribed to it.
///
/// # Errors
/// See [`product`].
pub fn delete_product(service: &ArmId, name: &str, if_match: &str) -> Result<Request, ArmError> {
    from_apim(service, &[name], |g| {
        g.client
            .product_client()
            .delete(g.group, g.service, name, if_match, g.subscription)
            .send()
    })
}

/// The APIs that a product holds.
///
/// # Errors
/// See [`product`].
pub fn product_apis(service: &ArmId, product: &str) -> Result<Request, ArmError> {
    from_apim(service, &[product], |g| {
        first(
            g.client
                .product_api_client()
                .list_by_product(g.group, g.service, product, g.subscription)
                .into_stream(),
        )
    })
}
