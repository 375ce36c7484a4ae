//! Why a call ends before its answer. None of these holds a secret.

use super::expression::ExpressionError;
use super::route;
use crate::http::Response;
use crate::rawxml::RawXmlError;

/// What is wrong with a policy, or what it refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("The policy cannot be read. {0}")]
    Document(#[from] RawXmlError),
    #[error("{0} is not emulated.")]
    NotEmulated(String),
    #[error("The element '{element}' has no '{what}'.")]
    Missing { element: String, what: &'static str },
    #[error("Cannot find a property '{0}'.")]
    NamedValue(String),
    #[error("The property '{0}' has no value: its Key Vault secret was not read.")]
    VaultValue(String),
    #[error("{0}")]
    Expression(#[from] ExpressionError),
    #[error("The policy fragment '{0}' was not found.")]
    Fragment(String),
    #[error("The backend '{0}' was not found.")]
    Backend(String),
    #[error("No service URL is set for the backend.")]
    NoBackend,
    #[error("'{0}' is not a URL.")]
    Url(&'static str),
    #[error("The service has no system-assigned managed identity.")]
    NoIdentity,
    #[error("The user-assigned managed identity with client id '{0}' is not on the service.")]
    NotAssigned(String),
    #[error("AADSTS500011: The resource principal named {0} was not found in the tenant.")]
    Resource(String),
    #[error("The backend {0} could not be reached.")]
    Unreachable(String),
    #[error("{message}")]
    Refused { status: u16, message: String },
}

impl PolicyError {
    pub fn missing(element: &str, what: &'static str) -> Self {
        let element = element.to_owned();
        Self::Missing { element, what }
    }

    /// The answer without an `on-error` section. A real gateway hides the reason; here it is told,
    /// so that a test shows what is not emulated.
    pub fn response(&self) -> Response {
        let status = match self {
            Self::Refused { status, .. } => *status,
            _ => 500,
        };
        route::refusal(status, &self.to_string())
    }

    /// Whether the emulator is at fault; no `on-error` section may cover that up.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::NotEmulated(_) | Self::Expression(_))
    }
}
