//! The phases of a plan: additive before destructive, reversible before irreversible.

use serde::{Deserialize, Serialize};

/// In the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// What is to come leaves a trace: auditing is on where a document says so.
    Observe,
    /// The managed identity and the Entra administrator exist.
    Identify,
    /// The identity may do in the database what its Access says.
    Grant,
    /// Literals that a later step removes move into secret named values.
    Park,
    /// The new path is tried, or a person approves it.
    Prove,
    /// Policies and resolvers change to the identity.
    Switch,
    /// A soak: nobody uses the old principal.
    Confirm,
    /// The old way in is closed, reversibly, and soaks again.
    Disable,
    /// Passwords are refused by the whole server.
    Lock,
    /// The point of no return: what is left of the old credential goes.
    Retire,
}

impl Phase {
    pub const ALL: [Self; 10] = [
        Self::Observe,
        Self::Identify,
        Self::Grant,
        Self::Park,
        Self::Prove,
        Self::Switch,
        Self::Confirm,
        Self::Disable,
        Self::Lock,
        Self::Retire,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Identify => "identify",
            Self::Grant => "grant",
            Self::Park => "park",
            Self::Prove => "prove",
            Self::Switch => "switch",
            Self::Confirm => "confirm",
            Self::Disable => "disable",
            Self::Lock => "lock",
            Self::Retire => "retire",
        }
    }
}
