//! One record of the journal. Its JSON form is a format that others may read: `docs/formats.md`.
//!
//! A record holds ids, notes, evidence and messages, and never a secret.

use keyless_model::{Sample, Timestamp};
use keyless_plan::{Mark, Note};
use serde::{Deserialize, Serialize};

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// 1, 2, 3 and so on, without a gap.
    pub seq: u64,
    pub at: Timestamp,
    /// The id of the plan.
    pub plan: String,
    /// The id of the step in it.
    pub step: String,
    pub what: What,
    /// What the state learns, or for `undone` unlearns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// What opened a gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
    /// Whether the gate that waits asks a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<SoakLook>,
}

/// What happened to the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// Written before the request.
    Started,
    /// Read back as wanted; for a gate, it opened.
    Done,
    /// It was as wanted before keyless did anything.
    Already,
    /// It did not happen.
    Failed,
    /// It may have happened: nothing is known.
    Unknown,
    /// Written before the request that takes the step back.
    Undoing,
    Undone,
    /// It should have been taken back and is not.
    UndoFailed,
    /// A gate stays closed.
    Waits,
    /// A person approved a gate.
    Approved,
}

impl What {
    /// Whether something was sent for the step, or it was found done.
    pub(crate) fn acts(self) -> bool {
        matches!(
            self,
            Self::Started | Self::Done | Self::Already | Self::Undoing
        )
    }
}

/// What one look at a soak brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SoakLook {
    pub access: String,
    /// From when the soak counts from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<MarkAt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
}

/// A mark of a soak that is set anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MarkAt {
    pub mark: Mark,
    pub at: Timestamp,
}

impl Record {
    /// A record about `step` that has no place in a journal yet.
    pub(crate) fn new(step: &str, what: What) -> Self {
        Self {
            seq: 0,
            at: Timestamp::default(),
            plan: String::new(),
            step: step.to_owned(),
            what,
            notes: Vec::new(),
            evidence: None,
            message: None,
            approver: None,
            asks: false,
            soak: None,
        }
    }

    /// Whether it makes an approval of its step void. An approval speaks for a soak whose time was
    /// over and that was clean but for the question. It has begun anew since, or is not so any more.
    pub fn voids_approval(&self) -> bool {
        let anew = |s: &SoakLook| s.mark.is_some() || !self.asks;
        self.what == What::Waits && self.soak.as_ref().is_some_and(anew)
    }

    #[must_use]
    pub(crate) fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }
}
