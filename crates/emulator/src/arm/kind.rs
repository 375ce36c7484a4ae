//! The entity types that the emulated Resource Manager knows.

/// What an entity is, as far as it is treated apart from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Service,
    NamedValue,
    Backend,
    Fragment,
    Policy,
    Api,
    Operation,
    Resolver,
    Release,
    Product,
    Subscription,
    Logger,
    /// An association such as `products/{p}/apis/{a}`: no ETag, no body.
    Link,
    /// The newer form of an association: `products/{p}/apiLinks/{name}` with the API's id.
    NamedLink,
    /// An APIM entity that is only stored.
    ApimPlain,
    SqlServer,
    Database,
    Administrator,
    EntraOnly,
    FirewallRule,
    /// A SQL setting that always exists and is answered late.
    SqlSetting,
    /// The same of a database, answered at once.
    DatabaseSetting,
    SqlPlain,
    UserIdentity,
    /// What lets tokens of another issuer log in as a user-assigned identity.
    Federated,
    /// A role assignment, at any scope.
    RoleAssignment,
    /// A management lock, at any scope.
    Lock,
    /// A built-in role; never stored.
    RoleDefinition,
    /// The read-only child that tells a system-assigned identity's client id.
    SystemIdentity,
}

const TYPES: &[(&str, Kind)] = &[
    ("Microsoft.ApiManagement/service", Kind::Service),
    (
        "Microsoft.ApiManagement/service/namedValues",
        Kind::NamedValue,
    ),
    ("Microsoft.ApiManagement/service/backends", Kind::Backend),
    (
        "Microsoft.ApiManagement/service/policyFragments",
        Kind::Fragment,
    ),
    ("Microsoft.ApiManagement/service/policies", Kind::Policy),
    (
        "Microsoft.ApiManagement/service/products/policies",
        Kind::Policy,
    ),
    (
        "Microsoft.ApiManagement/service/apis/policies",
        Kind::Policy,
    ),
    (
        "Microsoft.ApiManagement/service/apis/operations/policies",
        Kind::Policy,
    ),
    (
        "Microsoft.ApiManagement/service/apis/resolvers/policies",
        Kind::Policy,
    ),
    ("Microsoft.ApiManagement/service/apis", Kind::Api),
    (
        "Microsoft.ApiManagement/service/apis/operations",
        Kind::Operation,
    ),
    (
        "Microsoft.ApiManagement/service/apis/resolvers",
        Kind::Resolver,
    ),
    (
        "Microsoft.ApiManagement/service/apis/releases",
        Kind::Release,
    ),
    ("Microsoft.ApiManagement/service/products", Kind::Product),
    ("Microsoft.ApiManagement/service/products/apis", Kind::Link),
    (
        "Microsoft.ApiManagement/service/products/groups",
        Kind::Link,
    ),
    (
        "Microsoft.ApiManagement/service/products/apiLinks",
        Kind::NamedLink,
    ),
    (
        "Microsoft.ApiManagement/service/products/groupLinks",
        Kind::NamedLink,
    ),
    (
        "Microsoft.ApiManagement/service/subscriptions",
        Kind::Subscription,
    ),
    (
        "Microsoft.ApiManagement/service/apis/diagnostics",
        Kind::ApimPlain,
    ),
    (
        "Microsoft.ApiManagement/service/apis/schemas",
        Kind::ApimPlain,
    ),
    (
        "Microsoft.ApiManagement/service/apiVersionSets",
        Kind::ApimPlain,
    ),
    (
        "Microsoft.ApiManagement/service/authorizationProviders",
        Kind::ApimPlain,
    ),
    (
        "Microsoft.ApiManagement/service/authorizationServers",
        Kind::ApimPlain,
    ),
    ("Microsoft.ApiManagement/service/caches", Kind::ApimPlain),
    (
        "Microsoft.ApiManagement/service/certificates",
        Kind::ApimPlain,
    ),
    (
        "Microsoft.ApiManagement/service/diagnostics",
        Kind::ApimPlain,
    ),
    ("Microsoft.ApiManagement/service/gateways", Kind::ApimPlain),
    ("Microsoft.ApiManagement/service/gateways/apis", Kind::Link),
    ("Microsoft.ApiManagement/service/groups", Kind::ApimPlain),
    (
        "Microsoft.ApiManagement/service/identityProviders",
        Kind::ApimPlain,
    ),
    ("Microsoft.ApiManagement/service/loggers", Kind::Logger),
    (
        "Microsoft.ApiManagement/service/openidConnectProviders",
        Kind::ApimPlain,
    ),
    (
        "Microsoft.ApiManagement/service/authorizationProviders/authorizations",
        Kind::ApimPlain,
    ),
    (
        "Microsoft.ApiManagement/service/documentations",
        Kind::ApimPlain,
    ),
    (
        "Microsoft.ApiManagement/service/portalsettings",
        Kind::ApimPlain,
    ),
    ("Microsoft.ApiManagement/service/schemas", Kind::ApimPlain),
    ("Microsoft.ApiManagement/service/tenant", Kind::ApimPlain),
    ("Microsoft.ApiManagement/service/tags", Kind::ApimPlain),
    (
        "Microsoft.ApiManagement/service/workspaces",
        Kind::ApimPlain,
    ),
    ("Microsoft.Sql/servers", Kind::SqlServer),
    ("Microsoft.Sql/servers/databases", Kind::Database),
    ("Microsoft.Sql/servers/administrators", Kind::Administrator),
    (
        "Microsoft.Sql/servers/azureADOnlyAuthentications",
        Kind::EntraOnly,
    ),
    ("Microsoft.Sql/servers/firewallRules", Kind::FirewallRule),
    (
        "Microsoft.Sql/servers/extendedAuditingSettings",
        Kind::SqlSetting,
    ),
    (
        "Microsoft.Sql/servers/databases/extendedAuditingSettings",
        Kind::DatabaseSetting,
    ),
    ("Microsoft.Sql/servers/connectionPolicies", Kind::SqlSetting),
    ("Microsoft.Sql/servers/failoverGroups", Kind::SqlPlain),
    ("Microsoft.Sql/servers/jobAgents", Kind::SqlPlain),
    ("Microsoft.Sql/servers/databases/syncGroups", Kind::SqlPlain),
    (
        "Microsoft.Sql/servers/jobAgents/credentials",
        Kind::SqlPlain,
    ),
    (
        "Microsoft.Sql/servers/devOpsAuditingSettings",
        Kind::SqlSetting,
    ),
    (
        "Microsoft.Sql/servers/securityAlertPolicies",
        Kind::SqlPlain,
    ),
    (
        "Microsoft.Sql/servers/databases/securityAlertPolicies",
        Kind::SqlPlain,
    ),
    (
        "Microsoft.Sql/servers/vulnerabilityAssessments",
        Kind::SqlPlain,
    ),
    (
        "Microsoft.Sql/servers/databases/vulnerabilityAssessments",
        Kind::SqlPlain,
    ),
    (
        "Microsoft.Sql/servers/databases/syncGroups/syncMembers",
        Kind::SqlPlain,
    ),
    ("Microsoft.Sql/servers/syncAgents", Kind::SqlPlain),
    ("Microsoft.Sql/servers/virtualNetworkRules", Kind::SqlPlain),
    (
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        Kind::UserIdentity,
    ),
    (
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        Kind::Federated,
    ),
    ("Microsoft.ManagedIdentity/identities", Kind::SystemIdentity),
    (
        "Microsoft.Authorization/roleAssignments",
        Kind::RoleAssignment,
    ),
    ("Microsoft.Authorization/locks", Kind::Lock),
    (
        "Microsoft.Authorization/roleDefinitions",
        Kind::RoleDefinition,
    ),
];

/// The kind of a type, and its name as Azure writes it; the case asked in does not matter.
pub fn lookup(type_name: &str) -> Option<(Kind, &'static str)> {
    TYPES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(type_name))
        .map(|(known, kind)| (*kind, *known))
}

impl Kind {
    /// Whether entities carry an ETag, and PATCH and DELETE need `If-Match`.
    pub fn has_etag(self) -> bool {
        use Kind::{Api, ApimPlain, Backend, Fragment, NamedValue, Operation, Policy, Product};
        matches!(
            self,
            NamedValue
                | Backend
                | Fragment
                | Policy
                | Api
                | Operation
                | Kind::Resolver
                | Kind::Release
                | Product
                | Kind::Subscription
                | Kind::Logger
                | ApimPlain
        )
    }

    /// Whether lists look like APIM's (`count`, `$top`, `$skip`) rather than plain ARM's.
    pub fn is_apim(self) -> bool {
        self.has_etag() || matches!(self, Self::Link | Self::NamedLink)
    }

    /// How a write with this verb ends: at once, or in an operation that the client polls.
    pub fn is_late(self, verb: &str) -> bool {
        match self {
            Self::Service
            | Self::SqlServer
            | Self::Database
            | Self::Administrator
            | Self::EntraOnly => true,
            Self::SqlSetting => verb != "DELETE",
            Self::NamedValue | Self::Fragment => verb != "DELETE",
            // PATCH of an API answers 200 (`Api_Update`).
            Self::Api => verb != "PATCH",
            _ => false,
        }
    }

    /// How APIM calls it in "… not found."
    pub fn noun(self) -> &'static str {
        match self {
            Self::NamedValue => "Property",
            Self::Backend => "Backend",
            Self::Fragment => "Policy fragment",
            Self::Policy => "Policy",
            Self::Api => "API",
            Self::Operation => "Operation",
            Self::Resolver => "Resolver",
            Self::Release => "Release",
            Self::Product => "Product",
            Self::Subscription => "Subscription",
            Self::Logger => "Logger",
            _ => "Resource",
        }
    }
}
