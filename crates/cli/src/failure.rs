//! A command that failed: a code, one message, and what to do next.

use keyless_azure::{ArmError, CloudError, CredentialError};
use keyless_engine::EngineError;
use keyless_live::LiveError;
use keyless_plan::PlanFileError;
use keyless_tsql::SqlError;

/// Why a command ended with exit code 1.
#[derive(Debug)]
pub struct Failure {
    pub code: &'static str,
    pub message: String,
    /// Nothing more is printed: the command already told what is wrong.
    pub told: bool,
}

impl Failure {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            told: false,
        }
    }

    /// For a command that has already shown its diagnostics.
    pub fn told() -> Self {
        Self {
            code: "",
            message: String::new(),
            told: true,
        }
    }
}

impl From<CredentialError> for Failure {
    fn from(error: CredentialError) -> Self {
        let code = match error {
            CredentialError::Authority { .. } | CredentialError::Client { .. } => "KL0203",
            _ => "KL0201",
        };
        Self::new(code, error.to_string())
    }
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        Self::new("KL0206", error.to_string())
    }
}

impl From<ArmError> for Failure {
    fn from(error: ArmError) -> Self {
        if let ArmError::Credential(error) = error {
            return error.into();
        }
        let code = match &error {
            ArmError::Unreachable { .. }
            | ArmError::Untrusted { .. }
            | ArmError::NotJson { .. }
            | ArmError::ForeignLink { .. }
            | ArmError::Client { .. } => "KL0203",
            _ => "KL0202",
        };
        Self::new(code, error.to_string())
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        let code = if error.number().is_some() {
            "KL0204"
        } else {
            "KL0205"
        };
        Self::new(code, error.to_string())
    }
}

impl From<LiveError> for Failure {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Arm(error) => error.into(),
            LiveError::Sql(error) => error.into(),
            LiveError::Credential(error) => error.into(),
            other => Self::new("KL0302", other.to_string()),
        }
    }
}

impl From<PlanFileError> for Failure {
    fn from(error: PlanFileError) -> Self {
        let message = format!("{error}; make a new plan with keyless plan -o FILE");
        Self::new("KL0301", message)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
