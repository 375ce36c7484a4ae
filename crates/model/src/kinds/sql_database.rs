//! `SqlDatabase`: one database of a server.

use crate::kind::{Arm, Kind, Level, Property, Shape, may, must};

pub(crate) const KIND: Kind = Kind {
    name: "SqlDatabase",
    level: Level::Root,
    summary: "An existing database, and how strictly its principals, memberships and permissions \
              are held to what documents declare.",
    arm: Some(Arm {
        resource_type: "Microsoft.Sql/servers/databases",
        api_version: "2023-08-01",
        list: "databases",
    }),
    spec: SPEC,
    fields: &[],
    example: "apiVersion: keyless.dev/v1alpha1
kind: SqlDatabase
metadata: { name: orders }
spec:
  server: orders-sql
  name: orders
  owns: true
  keep: [dba-team]
",
};

const SPEC: &[Property] = &[
    must(
        "server",
        Shape::Document("SqlServer"),
        "The server's document.",
    ),
    may(
        "name",
        Shape::Name,
        "metadata.name",
        "The database's own name.",
    ),
    may(
        "owns",
        Shape::Bool,
        "false",
        "Undeclared principals, memberships and permissions are findings.",
    ),
    may(
        "exclusive",
        Shape::Bool,
        "false",
        "Implies `owns`; those findings become planned revocations.",
    ),
    may(
        "keep",
        Shape::List(&Shape::Text),
        "[]",
        "Principals that are never revoked or reported.",
    ),
];
