//! The inventory that keyless keeps between runs: what it made or adopted, what it last applied,
//! and how far each Access has come.
//!
//! Live Azure is the truth: losing the state loses no resource and deletes nothing. It holds no
//! secret; texts stand as keyed fingerprints.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::desired::Replaced;
use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

/// The whole inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    pub format: String,
    /// The last journal record that is folded in.
    pub journal: u64,
    /// What keyless last wrote, by address.
    #[serde(default)]
    pub applied: BTreeMap<Address, Applied>,
    #[serde(default)]
    pub accesses: BTreeMap<String, AccessState>,
}

/// One resource that keyless wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Applied {
    /// Whether keyless made it, so that keyless may delete it.
    pub made: bool,
    /// The fingerprint of the managed part as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Fingerprint>,
    /// The fingerprint of the same part as the service gave it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Fingerprint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// How far one Access has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessState {
    /// What the switch made needless: after it, live no longer shows this.
    #[serde(default)]
    pub replaces: BTreeSet<Replaced>,
    /// Named values of which no more than the password was ever needed: their login stood in clear
    /// beside them, and `replaces` has it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub told: BTreeSet<Address>,
    /// Named values that keyless made to hold a parked literal.
    #[serde(default)]
    pub parked: BTreeSet<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
    /// Looks at the sessions of the old principals, newest last.
    #[serde(default)]
    pub samples: Vec<Sample>,
}

/// One look at who is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sample {
    pub at: Timestamp,
    /// Logins of an old principal newer than the switch or the disabling, as `login from host`.
    pub seen: Vec<String>,
}

impl State {
    pub const FORMAT: &'static str = "keyless.state/1";

    pub fn empty() -> Self {
        Self {
            format: Self::FORMAT.to_owned(),
            ..Self::default()
        }
    }

    /// Whether keyless made the thing at `address`.
    pub fn made(&self, address: &Address) -> bool {
        self.applied.get(address).is_some_and(|a| a.made)
    }
}
