//! Subscriptions of API Management: the keys that callers send.

use keyless_model::ArmId;

use crate::capture::{first, from_apim};
use crate::error::ArmError;
use crate::request::Request;

/// All subscriptions, without their keys.
///
/// # Errors
/// When the id is of another type.
pub fn subscriptions(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .subscription_client()
                .list(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// Asks for the `primaryKey` and `secondaryKey` of one; needs
/// `…/subscriptions/listSecrets/action`.
///
/// # Errors
/// When the id is of another type or the name cannot stand in a path.
pub fn subscription_secrets(service: &ArmId, name: &str) -> Result<Request, ArmError> {
    from_apim(service, &[name], |g| {
        g.client
            .subscription_client()
            .list_secrets(g.group, g.service, name, g.subscription)
            .send()
    })
}
