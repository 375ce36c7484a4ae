//! `SqlUser`: a contained user of an Entra principal.

use crate::kind::{Field, Form, Kind, Level, Property, Shape, field, may, must};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "SqlUser",
    level: Level::Resource,
    summary: "A database user for an Entra principal, known by its SID. An Access makes its own; \
              this is for the others, such as the reader that drift logs in as.",
    arm: None,
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: SqlUser
metadata: { name: drift-reader }
spec:
  server: orders-sql
  database: orders
  name: drift-reader
  clientId: 00000000-0000-0000-0000-0000000000bb
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
        "The user's name in the database.",
    ),
    may(
        "clientId",
        Shape::Guid,
        "",
        "The application (client) id of an application or managed identity.",
    ),
    may(
        "objectId",
        Shape::Guid,
        "",
        "The object id of an Entra user or group.",
    ),
    may(
        "type",
        Shape::Word(&["user", "group"]),
        "user",
        "What `objectId` is the id of.",
    ),
    may(
        "gateway",
        Shape::Document("Gateway"),
        "",
        "The system-assigned identity of a gateway.",
    ),
    may(
        "identity",
        Shape::Document("ManagedIdentity"),
        "",
        "A user-assigned identity.",
    ),
];

const FIELDS: &[Field] = &[field("sid", Form::Folded, Severity::Critical)];
