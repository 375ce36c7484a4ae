//! How much a difference matters.

use serde::{Deserialize, Serialize};

/// Ordered from harmless to urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No caller and no permission is affected.
    Info,
    /// Behaviour differs from what is declared.
    Warning,
    /// Who may do what, or how it is proven, differs from what is declared.
    High,
    /// A credential is back, or password authentication is open again.
    Critical,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}
