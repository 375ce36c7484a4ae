//! Workspaces, whose gateways know no managed identity (azure-facts F).

use keyless_model::ArmId;

use crate::capture::{first, from_apim};
use crate::error::ArmError;
use crate::request::Request;

/// All workspaces.
///
/// # Errors
/// When the id is of another type.
pub fn workspaces(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .workspace_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}
