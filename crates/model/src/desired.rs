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
use crate::sql::{FirewallRule, Permission};
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
    /// The Access documents whose target is an HTTP service.
    pub http_accesses: BTreeMap<String, HttpAccess>,
    /// Who may call the APIs of an Access, by its name.
    pub callers: BTreeMap<String, Callers>,
    pub identities: BTreeMap<String, ManagedIdentity>,
    /// ARM resources that are compared and written field by field, by address: backends, APIs,
    /// operations, products, firewall rules of a server.
    pub resources: BTreeMap<Address, Resource>,
    pub role_assignments: BTreeMap<String, RoleAssignment>,
    /// Firewall rules of one database, which only T-SQL knows (azure-facts C.2).
    pub database_rules: BTreeMap<String, DatabaseRule>,
}

/// A user-assigned identity.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedIdentity {
    pub span: Span,
    pub id: ArmId,
}

/// One ARM resource of which a document manages some fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    pub span: Span,
    /// The name of its kind's descriptor.
    pub kind: &'static str,
    /// The document's name.
    pub document: String,
    pub address: Address,
    /// The managed part of the ARM `properties`.
    pub properties: Map<String, Value>,
}

/// One role for one principal at one scope.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleAssignment {
    pub span: Span,
    /// The ARM id of a subscription, resource group, resource or child of one.
    pub scope: String,
    /// The GUID of the role definition.
    pub role: String,
    pub principal: Principal,
}

/// Who gets a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// The system-assigned identity of this Gateway document.
    Gateway(String),
    /// This ManagedIdentity document.
    Identity(String),
    Known {
        object_id: String,
        /// `ServicePrincipal`, `Group` or `User`.
        principal_type: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseRule {
    pub span: Span,
    /// The database's address.
    pub database: Address,
    pub rule: FirewallRule,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    pub span: Span,
    pub id: ArmId,
    /// The system-assigned identity is wanted by this document itself, whether or not an Access
    /// needs it.
    pub system_identity: bool,
    /// ManagedIdentity documents that the service must have.
    pub user_identities: BTreeSet<String>,
    pub owns: BTreeSet<Owned>,
    /// What is unmanaged in an owned scope becomes a planned delete.
    pub prune: bool,
}

/// A scope of a gateway or server in which an undeclared thing is a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owned {
    NamedValues,
    Backends,
    Apis,
    Policies,
    Fragments,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SqlServer {
    pub span: Span,
    pub id: ArmId,
    pub entra_admin: Option<EntraAdmin>,
    /// `Some(true)` or unmanaged; a manifest cannot ask for `false`.
    pub entra_only: Option<bool>,
    /// SqlServer documents of the failover group: administrator and Entra-only apply to them too.
    pub partners: BTreeSet<String>,
    /// The managed part of the extended auditing settings' `properties`; none is unmanaged.
    pub auditing: Option<Map<String, Value>>,
    /// An undeclared firewall rule is a finding.
    pub owns_firewall: bool,
    /// What is unmanaged in an owned scope becomes a planned delete.
    pub prune: bool,
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
    /// What a fragment is for; unmanaged when left out.
    pub description: Option<String>,
}

/// The thing that a policy belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyScope {
    Service,
    Product(String),
    /// A policy fragment: a document of its own, which policies include.
    Fragment(String),
    Api(String),
    Operation {
        api: String,
        operation: String,
    },
}

impl PolicyScope {
    /// Where the document of this scope stands in a gateway.
    pub fn address(&self, gateway: &str) -> Address {
        let root = Address::gateway(gateway);
        match self {
            Self::Service => root.part("policy"),
            Self::Product(product) => root.child("product", product).part("policy"),
            Self::Fragment(fragment) => root.child("policyFragment", fragment),
            Self::Api(api) => root.child("api", api).part("policy"),
            Self::Operation { api, operation } => root
                .child("api", api)
                .child("operation", operation)
                .part("policy"),
        }
    }
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

impl Resolver {
    pub fn address(&self) -> Address {
        Address::gateway(&self.gateway)
            .child("api", &self.api)
            .child("resolver", &self.name)
    }
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
    /// This ManagedIdentity document.
    Identity(String),
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

/// One intent: these APIs reach this HTTP service with an identity instead of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpAccess {
    pub span: Span,
    pub name: String,
    pub gateway: String,
    /// `None` is every API.
    pub apis: Option<Vec<ApiChoice>>,
    pub identity: Identity,
    /// Where the service lives: scheme, host and, if it shares the host, the beginning of the path.
    pub url: String,
    /// What a token for the service is asked for: the `resource` of
    /// `authentication-managed-identity`.
    pub audience: String,
    /// The service takes tokens (`accepts` lists `token`). Without it nothing is switched.
    pub accepts_token: bool,
    /// The service takes keys too (`accepts` lists `key`): both work while callers move.
    pub accepts_key: bool,
    pub replaces: Replaces,
    pub prove: Prove,
    pub retire: Option<Retire>,
}

/// Who may call the APIs of an Access: whoever sends an Entra token that says all of this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callers {
    pub gateway: String,
    /// The names of the APIs; `None` is every API.
    pub apis: Option<Vec<String>>,
    /// Left out, the tenant of the gateway.
    pub tenant: Option<String>,
    pub audiences: Vec<String>,
    /// Empty: every application of the tenant.
    pub client_ids: Vec<String>,
    pub claims: Vec<Claim>,
}

/// A claim that a token must make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub name: String,
    pub values: Vec<String>,
    /// It must hold one of the values, not all.
    pub any: bool,
}

/// Which identity of the gateway is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    System,
    /// This ManagedIdentity document.
    User(String),
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
    /// The credentials of a backend of the gateway, by its resource name.
    Backend(String),
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
    /// The request goes to the URL that it names, which somebody else has set up.
    Url,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbeRequest {
    pub method: String,
    /// Below the API's own path.
    pub path: String,
    /// The whole URL, for a canary of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
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
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(
    tag = "auth",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Auth {
    /// The key in this environment variable is sent in this header.
    Header { name: String, env: String },
    /// The primary key of this subscription of the gateway, read at apply and kept in memory.
    Subscription { name: String },
    /// A token of the identity that applies, for this audience.
    Audience { audience: String },
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
    /// The address of every document, an Access by that of its gates.
    pub fn addresses(&self) -> Vec<Address> {
        let access =
            |gateway: &String, name: &String| Address::gateway(gateway).child("access", name);
        let mut out: Vec<Address> = Vec::new();
        out.extend(self.gateways.keys().map(|n| Address::gateway(n)));
        out.extend(self.servers.keys().map(|n| Address::server(n)));
        out.extend(self.identities.keys().map(|n| Address::identity(n)));
        let databases = self.databases.values();
        out.extend(databases.map(|d| Address::database(&d.server, &d.name)));
        let values = self.named_values.values();
        out.extend(values.map(|v| Address::gateway(&v.gateway).child("namedValue", &v.name)));
        let policies = self.policies.values();
        out.extend(policies.map(|p| p.scope.address(&p.gateway)));
        out.extend(self.resolvers.values().map(Resolver::address));
        out.extend(self.resources.keys().cloned());
        let roles = self.role_assignments.keys();
        out.extend(roles.map(|n| Address::role_assignment(n)));
        let users = self.users.values();
        out.extend(users.map(|u| u.database.child("user", &u.name)));
        let roles = self.roles.values();
        out.extend(roles.map(|r| r.database.child("role", &r.name)));
        let grants = self.grants.iter();
        out.extend(grants.map(|(n, g)| g.database.child("grant", n)));
        let rules = self.database_rules.values();
        out.extend(rules.map(|r| r.database.child("firewallRule", &r.rule.name)));
        out.extend(self.accesses.values().map(|a| access(&a.gateway, &a.name)));
        let http = self.http_accesses.values();
        out.extend(http.map(|a| access(&a.gateway, &a.name)));
        out
    }

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
