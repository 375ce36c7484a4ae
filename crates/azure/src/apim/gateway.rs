//! Self-hosted gateways and the APIs they serve (azure-facts F: such a gateway skips policies that
//! it does not know).

use keyless_model::ArmId;

use crate::capture::{first, from_apim};
use crate::error::ArmError;
use crate::request::Request;

/// All self-hosted gateways.
///
/// # Errors
/// When the id is of another type.
pub fn gateways(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .gateway_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// The APIs that a self-hosted gateway serves.
///
/// # Errors
/// When the id is of another type or the name cannot stand in a path.
pub fn gateway_apis(service: &ArmId, gateway: &str) -> Result<Request, ArmError> {
    from_apim(service, &[gateway], |g| {
        first(
            g.client
                .gateway_api_client()
                .list_by_service(g.group, g.service, gateway, g.subscription)
                .into_stream(),
        )
    })
}
