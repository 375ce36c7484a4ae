//! Loggers (azure-facts B.6).

use keyless_model::ArmId;

use crate::capture::{first, from_apim};
use crate::error::ArmError;
use crate::request::Request;

/// All loggers; their credentials are references to hidden named values.
///
/// # Errors
/// When the id is of another type.
pub fn loggers(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .logger_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}
