//! `SqlGrant`: one permission of one principal.

use crate::kind::{Field, Form, Kind, Level, Property, Shape, field, may, must};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "SqlGrant",
    level: Level::Resource,
    summary: "One permission that a user or role has, or is denied.",
    arm: None,
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: SqlGrant
metadata: { name: auditors-see-definitions }
spec:
  server: orders-sql
  database: orders
  to: auditors
  permission: VIEW DEFINITION
  on: DATABASE
",
};

const SPEC: &[Property] = &[
    must(
        "server",
        Shape::Document("SqlServer"),
        "The server's document.",
    ),
    must("database", Shape::Name, "The database's own name."),
    must("to", Shape::Name, "The user or role."),
    must(
        "permission",
        Shape::Text,
        "Such as `SELECT` or `VIEW DEFINITION`.",
    ),
    must(
        "on",
        Shape::Text,
        "`DATABASE`, `SCHEMA::name` or `OBJECT::schema.name`.",
    ),
    may("column", Shape::Name, "", "Only this column of the object."),
    may(
        "state",
        Shape::Word(&["grant", "deny"]),
        "grant",
        "Whether it is given or denied.",
    ),
];

const FIELDS: &[Field] = &[field("state", Form::Folded, Severity::High)];
