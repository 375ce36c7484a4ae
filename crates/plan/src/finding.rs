//! Findings of drift: where live and declared differ, and how bad that is.

use keyless_model::{Address, Severity};
use serde::Serialize;

use crate::step::Shown;

/// What sort of difference it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// A declared thing is other than declared.
    Drifted,
    /// A declared thing is not there.
    Missing,
    /// An undeclared thing is in an owned scope.
    Unmanaged,
    /// It could not be read: nothing is known.
    Unreadable,
    /// The manifests ask for it and apply has not come to it yet.
    Pending,
}

impl Class {
    pub fn word(self) -> &'static str {
        match self {
            Self::Drifted => "drifted",
            Self::Missing => "missing",
            Self::Unmanaged => "unmanaged",
            Self::Unreadable => "unreadable",
            Self::Pending => "pending",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Stable from run to run: from code, address and what differs.
    pub id: String,
    pub class: Class,
    pub severity: Severity,
    /// A code of the `KL05..` group.
    pub code: &'static str,
    pub address: Address,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
    /// One sentence.
    pub what: String,
    pub next: String,
    pub shown: Vec<Shown>,
}
