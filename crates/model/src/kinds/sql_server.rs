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
    may("partners", LATER, "", "Not in this version."),
    may("auditing", LATER, "", "Not in this version."),
    may("owns", LATER, "", "Not in this version."),
    may("prune", LATER, "", "Not in this version."),
    may(
        "properties",
        Shape::Body,
        "{}",
        "Fields of Azure's `ServerProperties`; in this version `minimalTlsVersion`.",
    ),
];

const LATER: Shape = Shape::Later("it is planned for a later version");

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
];
