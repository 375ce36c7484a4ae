//! `SqlRole`: a role of a database and its members.

use crate::kind::{Field, Form, Kind, Level, Property, Shape, field, may, must};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "SqlRole",
    level: Level::Resource,
    summary: "A database role, and who is in it.",
    arm: None,
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: SqlRole
metadata: { name: auditors }
spec:
  server: orders-sql
  database: orders
  members: [drift-reader]
",
};

const SPEC: &[Property] = &[
    must(
        "server",
        Shape::Document("SqlServer"),
        "The server's document.",
    ),
    must("database", Shape::Name, "The database's own name."),
    may(
        "name",
        Shape::Name,
        "metadata.name",
        "The role's name in the database.",
    ),
    may(
        "members",
        Shape::List(&Shape::Name),
        "",
        "Who must be in it; left out = unmanaged.",
    ),
];

const FIELDS: &[Field] = &[field("members", Form::Set, Severity::High)];
