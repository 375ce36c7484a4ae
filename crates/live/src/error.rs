//! What can go wrong between keyless and the live services.

use keyless_azure::{ArmError, CredentialError};
use keyless_model::Address;
use keyless_tsql::SqlError;

/// Why something live could not be read or changed. Texts of the services come redacted.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    #[error(transparent)]
    Arm(#[from] ArmError),
    #[error(transparent)]
    Sql(#[from] SqlError),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error("{0} lies in no gateway or server of the plan; plan again")]
    Root(Address),
    #[error("{0} is no place that keyless can read or write; plan again with this version")]
    Place(Address),
    #[error("{0} is not there any more; plan again")]
    Gone(Address),
    #[error("{0} has changed since it was looked at; plan again")]
    Changed(Address),
    #[error("the policy {0} cannot be edited: {1}; plan again")]
    Policy(Address, String),
    #[error("“{0}” is not the id of a role assignment; plan again")]
    Assignment(String),
    #[error("{0} does not belong to this cloud, so nothing was sent there; plan again")]
    Foreign(String),
    #[error("the environment variable {0} is not set; set it where you run keyless apply")]
    Environment(String),
    #[error("the canary of {0}: {1}")]
    Canary(Address, String),
}

impl LiveError {
    /// Whether the run as a whole cannot go on: no login, no connection, or no Azure at the other
    /// end.
    pub fn ends_the_run(&self) -> bool {
        match self {
            Self::Credential(_) => true,
            Self::Arm(error) => {
                matches!(
                    error,
                    ArmError::Unreachable { .. }
                        | ArmError::Untrusted { .. }
                        | ArmError::NotJson { .. }
                        | ArmError::Credential(_)
                        | ArmError::Client { .. }
                        | ArmError::ForeignLink { .. }
                ) || error.status() == Some(401)
            }
            _ => false,
        }
    }
}
