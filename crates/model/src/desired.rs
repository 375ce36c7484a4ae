//! What the manifests ask for, checked and with defaults filled in.
//!
//! Invariant: names are valid, references lead somewhere, fields of later versions are not here. A
//! field that a manifest leaves out is `None` (or not in a `properties` body): unmanaged.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::address::Address;
use crate::arm_id::ArmId;
use crate::sid::Sid;
use crate::span::Span;
use crate::sql::Permission;
use crate::timestamp::Seconds;

/// All documents, by name within their kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    pub gateways: BTreeMap<String, Gateway>,
    pub servers: BTreeMap<String, SqlServer>,
    pub databases: BTreeMap<String, SqlDatabase>,
    pub named_values: BTreeMap<String, NamedValue>,
    pub policies: BTreeMap<String, Policy>,
    pub resolvers: BTreeMap<String, Resolver>,
    pub users: BTreeMap<String, SqlUser>,
    pub roles: BTreeMap<String, SqlRole>,
    pub grants: BTreeMap<String, SqlGrant>,
    pub accesses: BTreeMap<String, Access>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    pub span: Span,
    pub id: ArmId,
    /// The system-assigned identity is wanted by this document itself, whether or not an Access
    /// needs it.
    pub system_identity: bool,
    pub owns: BTreeSet<Owned>,
    /// What is unmanaged in an owned scope becomes a planned delete.
    pub prune: bool,
}

/// A scope of a gateway or server in which an undeclared thing is a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owned {
    NamedValues,
    Policies,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SqlServer {
    pub span: Span,
    pub id: ArmId,
    pub entra_admin: Option<EntraAdmin>,
    /// `Some(true)` or unmanaged; a manifest cannot ask for `false`.
    pub entra_only: Option<bool>,
    /// The managed part of the ARM `properties`.
    pub properties: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntraAdmin {
    pub login: String,
    /// The object id.
    pub object_id: String,
    /// `Group`, `User` or `Application`.
    pub principal_type: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SqlDatabase {
    pub span: Span,
    /// The SqlServer document.
    pub server: String,
    /// The database's own name.
    pub name: String,
    pub owns: bool,
    pub exclusive: bool,
    pub keep: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NamedValue {
    pub span: Span,
    pub gateway: String,
    pub name: String,
    /// The managed part of the ARM `properties`.
    pub properties: Map<String, Value>,
    pub value_from: Option<ValueSource>,
}

/// Where the value of a secret named value is read at apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// An environment variable of the process that applies.
    Environment(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub span: Span,
    pub gateway: String,
    pub scope: PolicyScope,
    /// The wanted document, as `rawxml`.
    pub text: String,
}

/// The thing that a policy belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyScope {
    Service,
    Api(String),
    Operation { api: String, operation: String },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Resolver {
    pub span: Span,
    pub gateway: String,
    pub api: String,
    pub name: String,
    pub properties: Map<String, Value>,
    /// The wanted policy document; unmanaged when left out.
    pub policy: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SqlUser {
    pub span: Span,
    /// The database's address.
    pub database: Address,
    pub name: String,
    pub sid: UserSid,
    pub group: bool,
}

/// Who a database user is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserSid {
    Known(Sid),
    /// The system-assigned identity of this Gateway document.
    Gateway(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct SqlRole {
    pub span: Span,
    pub database: Address,
    pub name: String,
    /// `None` leaves the members unmanaged.
    pub members: Option<BTreeSet<String>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SqlGrant {
    pub span: Span,
    pub database: Address,
    pub rule: Permission,
}

/// One intent: these APIs reach this database as this gateway's identity, with this role.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    pub span: Span,
    pub name: String,
    pub gateway: String,
    /// `None` is every API.
    pub apis: Option<Vec<ApiChoice>>,
    /// The SqlServer document.
    pub server: String,
    /// The database's own name.
    pub database: String,
    pub role: Role,
    pub schemas: Vec<String>,
    pub grants: Vec<GrantSpec>,
    pub replaces: Replaces,
    pub prove: Prove,
    pub retire: Option<Retire>,
}

impl Access {
    /// The database that it reaches.
    pub fn target(&self) -> Address {
        Address::database(&self.server, &self.database)
    }

    /// The database role that keyless keeps for it.
    pub fn role_name(&self) -> String {
        format!("keyless_{}", self.name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiChoice {
    pub name: String,
    pub resolvers: Selection,
    pub operations: Selection,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    All,
    Named(BTreeSet<String>),
}

impl Selection {
    pub fn holds(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(name),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `SELECT` on the schemas.
    Reader,
    /// `SELECT`, `INSERT`, `UPDATE`, `DELETE` on the schemas.
    Writer,
    /// `EXECUTE` on the schemas and nothing else.
    Executor,
    /// What `grants` lists.
    Custom,
}

/// One entry of `grants`: the rule without its grantee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantSpec {
    pub permission: String,
    pub on: crate::sql::Securable,
    pub columns: Vec<String>,
    pub deny: bool,
}

/// Which credentials the identity replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaces {
    /// From what is live.
    Derive,
    /// Only these.
    Listed(BTreeSet<Replaced>),
}

/// One credential that an Access makes needless.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Replaced {
    /// A named value of the gateway, by its resource name.
    NamedValue(String),
    SqlLogin(String),
    SqlUser(String),
}

/// How the new path is proven before the switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prove {
    pub canary: Canary,
    pub request: Option<ProbeRequest>,
    pub auth: Option<Auth>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// Nothing is sent; a person approves instead.
    None,
    /// The request runs against a non-current revision of the API that already uses the identity.
    Revision,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbeRequest {
    pub method: String,
    /// Below the API's own path.
    pub path: String,
    pub body: Option<String>,
    pub expect: Expected,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expected {
    pub status: u16,
    pub no_graphql_errors: bool,
}

/// How the probe authenticates as a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// The key in this environment variable is sent in this header.
    Header { name: String, env: String },
}

/// The end of the old credential. Soaks are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retire {
    pub after: Seconds,
    pub disabled_for: Seconds,
    pub evidence: BTreeSet<Evidence>,
    /// Whether users, logins and named values go in the end.
    pub drop: bool,
}

/// What shows that nobody uses the old credential.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    /// SQL auditing in Log Analytics.
    Audit,
    /// Samples of `sys.dm_exec_sessions`, taken at each apply and drift.
    Sessions,
    /// A person.
    Approval,
}

impl Desired {
    /// The database document for `database` on `server`, if one declares it.
    pub fn database(&self, server: &str, database: &str) -> Option<&SqlDatabase> {
        let same =
            |d: &&SqlDatabase| d.server == server && crate::sql::same_name(&d.name, database);
        self.databases.values().find(same)
    }

    /// Every database that a document or an Access names.
    pub fn database_addresses(&self) -> BTreeSet<Address> {
        let declared = self
            .databases
            .values()
            .map(|d| Address::database(&d.server, &d.name));
        let reached = self.accesses.values().map(Access::target);
        declared.chain(reached).collect()
    }
}
