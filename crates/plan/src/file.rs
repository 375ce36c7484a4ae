//! The plan file: canonical JSON, complete, and free of secrets.
//!
//! Invariant: `id` is the SHA-256 of everything else, so that an edited or cut-off file is known;
//! equal inputs give byte-equal files (no clock, no counter, keys sorted).

use std::collections::BTreeMap;

use keyless_model::{Address, ArmId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::step::Step;

/// A whole plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    pub format: String,
    pub id: String,
    /// The version of keyless that made it.
    pub tool: String,
    pub inputs: Inputs,
    /// The services that the addresses of the steps lie in.
    pub roots: BTreeMap<Address, Root>,
    /// In the order in which they run.
    pub steps: Vec<Step>,
    /// What should happen and cannot yet.
    pub waiting: Vec<Waiting>,
}

/// What the plan was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inputs {
    pub tenant: String,
    /// SHA-256 of the manifests and the policy files they name.
    pub manifests: String,
    /// Names the fingerprint key.
    pub key: String,
    /// The last journal record that was folded into the state the plan was made from. A plan made
    /// again after something ran is thereby another plan, even where its steps are the same.
    pub state: u64,
    /// The id of the plan that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolls_back: Option<String>,
}

/// One service: its ARM id, and for a SQL server the name that clients connect to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Root {
    pub id: ArmId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// A row that is not a step: what is held up, by what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Waiting {
    pub address: Address,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
    /// What should happen.
    pub what: String,
    /// Why it cannot yet.
    pub why: String,
    /// What to do next.
    pub next: String,
}

/// Why a file is no plan that can be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanFileError {
    #[error("the plan is cut short or is not JSON (line {line}, column {column})")]
    Malformed { line: usize, column: usize },
    #[error("this is a plan of the format “{0}”; this keyless reads “{FORMAT}”")]
    Format(String),
    #[error("the file is not a keyless plan: it has no “format”")]
    NoFormat,
    #[error("the plan does not fit its id: it was edited or damaged after keyless wrote it")]
    Edited,
    #[error("the plan has a part that this version does not know: {0}")]
    Shape(String),
}

/// As much of a plan's id as people are shown.
pub fn short_id(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// The format that this version writes and reads.
pub const FORMAT: &str = "keyless.plan/1";

impl Plan {
    /// A plan with its id.
    pub(crate) fn sealed(
        tool: &str,
        inputs: Inputs,
        roots: BTreeMap<Address, Root>,
        steps: Vec<Step>,
        waiting: Vec<Waiting>,
    ) -> Self {
        let mut plan = Self {
            format: FORMAT.to_owned(),
            id: String::new(),
            tool: tool.to_owned(),
            inputs,
            roots,
            steps,
            waiting,
        };
        plan.id = plan.digest();
        plan
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or(Value::Null);
        let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a plan file and checks that it is whole and unchanged.
    ///
    /// # Errors
    /// When the text is not JSON, of another format, or does not fit its id.
    pub fn from_json(text: &str) -> Result<Self, PlanFileError> {
        let value: Value = serde_json::from_str(text).map_err(|e| PlanFileError::Malformed {
            line: e.line(),
            column: e.column(),
        })?;
        match value.get("format").and_then(Value::as_str) {
            None => return Err(PlanFileError::NoFormat),
            Some(FORMAT) => {}
            Some(other) => return Err(PlanFileError::Format(other.chars().take(40).collect())),
        }
        let plan: Self =
            serde_json::from_value(value).map_err(|e| PlanFileError::Shape(e.to_string()))?;
        if plan.digest() == plan.id {
            Ok(plan)
        } else {
            Err(PlanFileError::Edited)
        }
    }

    /// The step with this id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|s| s.id == id)
    }

    /// Whether there is nothing to do and nothing held up.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.waiting.is_empty()
    }

    /// As much of the id as people are shown.
    pub fn short_id(&self) -> &str {
        short_id(&self.id)
    }

    fn digest(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or(Value::Null);
        if let Some(object) = value.as_object_mut() {
            object.remove("id");
        }
        let digest = Sha256::digest(value.to_string().as_bytes());
        digest.iter().map(|b| format!("{b:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan::sealed("0.1.0", Inputs::default(), BTreeMap::new(), vec![], vec![])
    }

    #[test]
    fn a_plan_reads_back_as_written() {
        assert_eq!(Plan::from_json(&plan().to_json()), Ok(plan()));
    }

    #[test]
    fn an_edited_cut_or_foreign_plan_is_refused() {
        let text = plan().to_json();
        assert_eq!(
            Plan::from_json(&text.replace("0.1.0", "0.2.0")),
            Err(PlanFileError::Edited)
        );
        let cut = Plan::from_json(&text[..text.len() / 2]);
        assert!(matches!(cut, Err(PlanFileError::Malformed { .. })));
        let later = text.replace("keyless.plan/1", "keyless.plan/9");
        assert_eq!(
            Plan::from_json(&later),
            Err(PlanFileError::Format("keyless.plan/9".into()))
        );
        assert_eq!(Plan::from_json("{}"), Err(PlanFileError::NoFormat));
    }
}
