//! Who an identity is: its client id, by which databases know it, and its object id, which roles
//! are given to.

use keyless_model::{Address, Sid};
use keyless_plan::Assignee;
use serde_json::Value;

use crate::error::LiveError;
use crate::services::Services;

/// The SID by which databases know the identity at `address`: a gateway's system-assigned one, or
/// a managed identity.
pub(crate) async fn client_sid(services: &Services, address: &Address) -> Result<Sid, LiveError> {
    let id = field(services, address, "/properties/clientId").await?;
    Sid::from_guid(&id).map_err(|_| LiveError::Gone(own_address(address)))
}

/// The object id of an assignee, and what kind of principal it is.
pub(crate) async fn object_id(
    services: &Services,
    who: &Assignee,
) -> Result<(String, String), LiveError> {
    match who {
        Assignee::Known {
            object_id,
            principal_type,
        } => Ok((object_id.clone(), principal_type.clone())),
        Assignee::Identity { address } => {
            let id = field(services, address, "/properties/principalId").await?;
            Ok((id, "ServicePrincipal".to_owned()))
        }
    }
}

async fn field(services: &Services, address: &Address, pointer: &str) -> Result<String, LiveError> {
    let root = services.root(address)?;
    let request = match address.is_gateway() {
        true => keyless_azure::system_identity(&root.id),
        false => keyless_azure::user_assigned_identity(&root.id)?,
    };
    let answer = services.arm.find(request).await?;
    let found = answer.as_ref().and_then(|a| a.body.pointer(pointer));
    let found = found.and_then(Value::as_str).filter(|id| !id.is_empty());
    found
        .map(str::to_owned)
        .ok_or_else(|| LiveError::Gone(own_address(address)))
}

fn own_address(address: &Address) -> Address {
    match address.is_gateway() {
        true => address.part("identity"),
        false => address.clone(),
    }
}
