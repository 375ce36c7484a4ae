//! Steps: what apply does, one after another, without deciding anything.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::sql::Statement;
use keyless_model::{Address, Auth, Evidence, Fingerprint, ProbeRequest, Replaced, Seconds};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::phase::Phase;

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// Phase and address: readable, unique in the plan, and in the order of the plan when sorted
    /// by phase.
    pub id: String,
    pub phase: Phase,
    pub address: Address,
    /// The Access that asks for it; none when a resource document does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
    /// One sentence: why this step is in the plan.
    pub reason: String,
    pub op: Op,
    /// Ids of steps that must be done first.
    #[serde(default)]
    pub needs: BTreeSet<String>,
    pub undo: Undo,
    /// What the state learns when the step is done.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// What people see of the change; secrets stand as fingerprints.
    #[serde(default)]
    pub shown: Vec<Shown>,
}

/// What a step does. None of them holds a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "verb",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Op {
    /// Writes a whole ARM resource at the step's address: the live body with `body` merged over
    /// it, so that unknown fields survive.
    Put {
        body: Value,
        /// A secret that is put into `properties.value` at apply, in memory only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<ValueFrom>,
        /// The fingerprint of the fields of `body` as they are live; none: it is absent.
        expect: Option<Fingerprint>,
    },
    /// Changes fields of an ARM resource.
    Patch {
        body: Value,
        expect: Option<Fingerprint>,
    },
    /// Changes places of a policy document and leaves every other byte.
    Splice {
        edits: Vec<Splice>,
        /// The fingerprint of the canonical live text that the edits belong to.
        expect: Fingerprint,
        /// The fingerprint of the canonical text that they lead to.
        leads_to: Fingerprint,
    },
    /// Runs statements in one transaction in the database at `database`, those about logins in
    /// its server's `master`.
    Sql {
        database: Address,
        statements: Vec<Statement>,
        /// The users, on the whole server, of a login that the statements close or drop, as the
        /// plan saw them. Apply refuses when the login has another user by then.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        users: BTreeSet<Address>,
    },
    /// Gives a principal a role at a scope, under the name that follows from the three. An equal
    /// assignment under any name counts as done.
    Assign {
        /// The ARM id of the scope.
        scope: String,
        /// The GUID of the role definition.
        role: String,
        principal: Assignee,
        /// Marks the assignment as the document's own.
        description: String,
    },
    /// Takes away the role assignment with this ARM id.
    Unassign { id: String },
    /// Removes an ARM resource, whatever it says by then: a reference to it makes the service refuse.
    Delete {},
    /// Takes a step of an earlier plan back, as its `undo` says; what has changed since is left alone.
    TakeBack { step: Box<Step> },
    /// Changes nothing: waits until something holds.
    Gate { gate: Gate },
}

/// One edit of a policy document; paths are those of `keyless_policy::ElementPath`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "edit",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Splice {
    /// The text of a text-only element.
    Text {
        path: String,
        text: String,
    },
    Attribute {
        path: String,
        name: String,
        value: String,
    },
    RemoveAttribute {
        path: String,
        name: String,
    },
    /// Takes the element away.
    Remove {
        path: String,
    },
    /// Puts an element in its place. No XML of an edit holds a secret.
    Replace {
        path: String,
        xml: String,
    },
    /// Puts an element into it, before everything else.
    InsertFirst {
        path: String,
        xml: String,
    },
    /// Puts an element into it, behind everything else.
    InsertLast {
        path: String,
        xml: String,
    },
    /// Puts an element behind it.
    InsertAfter {
        path: String,
        xml: String,
    },
}

impl Splice {
    /// The path of the element that it is about.
    pub fn path(&self) -> &str {
        match self {
            Self::Text { path, .. }
            | Self::Attribute { path, .. }
            | Self::RemoveAttribute { path, .. }
            | Self::Remove { path }
            | Self::Replace { path, .. }
            | Self::InsertFirst { path, .. }
            | Self::InsertLast { path, .. }
            | Self::InsertAfter { path, .. } => path,
        }
    }
}

/// Who gets a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Assignee {
    /// The identity at this address: a gateway's system-assigned one, or a managed identity.
    Identity { address: Address },
    Known {
        object_id: String,
        principal_type: String,
    },
}

/// Where apply finds a value that no plan may hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "from",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum ValueFrom {
    /// The text of this element of this live policy.
    PolicyText { policy: Address, path: String },
    /// An attribute of this element of this live policy.
    PolicyAttribute {
        policy: Address,
        path: String,
        name: String,
    },
    /// The text at this JSON pointer of the live body at `address`, such as a header of a backend.
    Field { address: Address, pointer: String },
    /// An environment variable of the process that applies.
    Environment { name: String },
}

/// What a gate waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "gate",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Gate {
    /// `user` is the identity that `gateway` has by then, known by its SID, and its rights, read
    /// back and computed from the catalogue, are exactly these: permission, securable, column.
    Effective {
        /// The gateway whose system-assigned identity the user must be.
        gateway: Address,
        database: Address,
        user: String,
        rights: BTreeSet<(String, String, Option<String>)>,
    },
    /// `request` succeeds: on a non-current revision of `api` that already uses the identity,
    /// which the provider makes, tries and takes away again (not for a request with a URL of its
    /// own, which is sent as it is); or, with `current`, on the API as it is after its switch. When the latter fails, the switch steps that this gate needs are
    /// undone at once.
    Canary {
        api: Address,
        current: bool,
        request: ProbeRequest,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        auth: Option<Auth>,
        /// The edits of each policy of the API, by the policy's address below the API.
        edits: BTreeMap<String, Vec<Splice>>,
    },
    /// A person ran `keyless approve`.
    Approve { question: String },
    /// Nobody logged in as an old principal for `seconds`, shown by each kind of evidence.
    Soak {
        access: String,
        since: Mark,
        seconds: Seconds,
        evidence: BTreeSet<Evidence>,
        /// Whose logins count: the database and the login or user.
        principals: BTreeSet<(Address, String)>,
    },
    /// Our own token login works on the server, and nothing on it needs a password: no job agent,
    /// no sync group, no change data capture.
    Lockable {
        server: Address,
        databases: BTreeSet<Address>,
    },
    /// API Management has read the Key Vault secret behind this named value (its
    /// `keyVault.lastStatus` is `Success`).
    KeyVault { named_value: Address },
}

/// From when a soak counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mark {
    Switched,
    Disabled,
}

/// How a step is taken back. All that it takes is here, and none of it is secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Undo {
    /// By deleting what the step made.
    Delete,
    /// By writing these fields back.
    Put { body: Value },
    /// By these edits of the policy document.
    Splice { edits: Vec<Splice> },
    /// By these statements.
    Sql { statements: Vec<Statement> },
    /// There is nothing to take back, or taking it back would help nobody.
    Nothing { why: String },
    /// It cannot be taken back.
    Never { why: String },
}

impl Undo {
    /// The statements that take these back, last first.
    pub(crate) fn of(statements: &[Statement]) -> Self {
        Self::Sql {
            statements: statements
                .iter()
                .rev()
                .filter_map(Statement::undo)
                .collect(),
        }
    }
}

/// What the state learns from a finished step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "note",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Note {
    /// keyless wrote the thing at `address`; `made` when it did not exist before.
    Applied {
        address: Address,
        made: bool,
        sent: Option<Fingerprint>,
    },
    /// The thing is gone.
    Forgotten {
        address: Address,
    },
    Replaces {
        access: String,
        item: Replaced,
    },
    Parked {
        access: String,
        address: Address,
    },
    /// The login that goes with this named value stood in clear beside it, and is in `Replaces`.
    Told {
        access: String,
        address: Address,
    },
    Switched {
        access: String,
    },
    Confirmed {
        access: String,
    },
    Disabled {
        access: String,
    },
    Settled {
        access: String,
    },
    Retired {
        access: String,
    },
    /// What these say is so no more.
    TakenBack {
        notes: Vec<Note>,
    },
}

/// A piece of what people see of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "show",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Shown {
    /// A field of a JSON body; none is absent.
    Field {
        path: String,
        before: Option<String>,
        after: Option<String>,
    },
    /// Lines of a text, in order.
    Lines { title: String, lines: Vec<Line> },
    /// A line of T-SQL.
    Sql { text: String },
    /// A remark.
    Remark { text: String },
}

/// One line of a shown text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Line {
    /// `' '` kept, `'-'` removed, `'+'` added, `'…'` lines left out.
    pub mark: char,
    /// `(changed, text)`
    pub pieces: Vec<(bool, String)>,
}

impl Note {
    /// The Access of which it tells.
    fn access(&self) -> Option<&str> {
        match self {
            Self::Applied { .. } | Self::Forgotten { .. } | Self::TakenBack { .. } => None,
            Self::Replaces { access, .. }
            | Self::Parked { access, .. }
            | Self::Told { access, .. }
            | Self::Switched { access }
            | Self::Confirmed { access }
            | Self::Disabled { access }
            | Self::Settled { access }
            | Self::Retired { access } => Some(access),
        }
    }
}

impl Step {
    pub fn is_gate(&self) -> bool {
        matches!(self.op, Op::Gate { .. })
    }

    /// The Accesses that it serves: the one that asks for it, and those that learn from it. Several
    /// may share a step.
    pub(crate) fn accesses(&self) -> BTreeSet<&str> {
        let noted = self.notes.iter().filter_map(Note::access);
        self.access.as_deref().into_iter().chain(noted).collect()
    }

    /// Why it cannot be undone, when it cannot.
    pub fn irreversible(&self) -> Option<&str> {
        match &self.undo {
            Undo::Never { why } => Some(why),
            _ => None,
        }
    }
}
