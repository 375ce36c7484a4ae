//! `SqlServer`: a logical server of Azure SQL.

use crate::kind::{Arm, Field, Form, Kind, Level, Property, Shape, field, may, must};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "SqlServer",
    level: Level::Root,
    summary: "An existing logical server of Azure SQL: who administers it through Entra, and \
              whether passwords still work on it.",
    arm: Some(Arm {
        resource_type: "Microsoft.Sql/servers",
        api_version: "2023-08-01",
        list: "",
    }),
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: SqlServer
metadata: { name: orders-sql }
spec:
  id: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Sql/servers/orders-sql
  entraAdmin:
    login: sql-admins
    sid: 00000000-0000-0000-0000-0000000000aa
    principalType: Group
  entraOnly: true
",
};

const SPEC: &[Property] = &[
    must(
        "id",
        Shape::Id("Microsoft.Sql/servers"),
        "The resource id of the server.",
    ),
    may(
        "entraAdmin",
        Shape::Object(ADMIN),
        "",
        "The one Entra administrator; a group is the best choice.",
    ),
    may(
        "entraOnly",
        Shape::Word(&["true"]),
        "",
        "`true` refuses passwords, once no declared path needs one.",
    ),
    may(
        "partners",
        Shape::List(&Shape::Document("SqlServer")),
        "[]",
        "The other servers of the failover group: `entraAdmin` and `entraOnly` are theirs too.",
    ),
    may(
        "auditing",
        Shape::Object(AUDITING),
        "",
        "Fields of Azure's `ServerBlobAuditingPolicyProperties` for the whole server.",
    ),
    may(
        "owns",
        Shape::List(&Shape::Word(&["firewallRules"])),
        "[]",
        "Scopes in which whatever no document declares is a finding.",
    ),
    may(
        "prune",
        Shape::Bool,
        "false",
        "Turn such a finding into a planned delete.",
    ),
    may(
        "properties",
        Shape::Body,
        "{}",
        "Fields of Azure's `ServerProperties`.",
    ),
];

/// As azure-facts C.5 has them, without the one that holds a key.
const AUDITING: &[Property] = &[
    may(
        "state",
        Shape::Word(&["Enabled", "Disabled"]),
        "",
        "Whether statements and logins are recorded.",
    ),
    may(
        "isAzureMonitorTargetEnabled",
        Shape::Bool,
        "",
        "Records go to Azure Monitor; a diagnostic setting says where to.",
    ),
    may(
        "auditActionsAndGroups",
        Shape::List(&Shape::Text),
        "",
        "Such as `BATCH_COMPLETED_GROUP`.",
    ),
    may(
        "storageEndpoint",
        Shape::Text,
        "",
        "The blob endpoint of a storage account; needs `isManagedIdentityInUse: true`.",
    ),
    may(
        "retentionDays",
        Shape::Integer { min: 0, max: 3285 },
        "",
        "How long the storage account keeps records; 0 is for ever.",
    ),
    may(
        "isManagedIdentityInUse",
        Shape::Bool,
        "",
        "The server writes to the storage account with its identity.",
    ),
];

const ADMIN: &[Property] = &[
    must(
        "login",
        Shape::Text,
        "The display name of the user, group or application.",
    ),
    must("sid", Shape::Guid, "Its object id."),
    may(
        "principalType",
        Shape::Word(&["Group", "User", "Application"]),
        "Group",
        "What kind of principal it is.",
    ),
];

const FIELDS: &[Field] = &[
    field("entraAdmin.sid", Form::Folded, Severity::Critical),
    field("entraOnly", Form::Exact, Severity::Critical),
    field(
        "/properties/minimalTlsVersion",
        Form::Exact,
        Severity::Warning,
    ),
    field(
        "/properties/publicNetworkAccess",
        Form::Folded,
        Severity::High,
    ),
    field(
        "/properties/restrictOutboundNetworkAccess",
        Form::Folded,
        Severity::Warning,
    ),
];

/// The live fields of a server's extended auditing settings, which are a resource of their own
/// (azure-facts C.5).
pub const AUDITING_FIELDS: &[Field] = &[
    field("/properties/state", Form::Folded, Severity::High),
    field(
        "/properties/isAzureMonitorTargetEnabled",
        Form::Exact,
        Severity::High,
    ),
    field(
        "/properties/auditActionsAndGroups",
        Form::Set,
        Severity::High,
    ),
    field(
        "/properties/storageEndpoint",
        Form::Folded,
        Severity::Warning,
    ),
    field("/properties/retentionDays", Form::Exact, Severity::Warning),
    field(
        "/properties/isManagedIdentityInUse",
        Form::Exact,
        Severity::High,
    ),
];
