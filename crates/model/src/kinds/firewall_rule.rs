//! `FirewallRule`: who may reach a SQL server, or one database of it.

use crate::kind::{Arm, Field, Form, Kind, Level, Property, Shape, field, may, must};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "FirewallRule",
    level: Level::Resource,
    summary: "A range of addresses that may connect to a server or, with `database`, to that one \
              database. The rules of a database are checked first, and only T-SQL shows them.",
    arm: Some(Arm {
        resource_type: "Microsoft.Sql/servers/firewallRules",
        api_version: "2023-08-01",
        list: "firewallRules",
    }),
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: FirewallRule
metadata: { name: gateway-egress }
spec:
  server: orders-sql
  startIpAddress: 203.0.113.10
  endIpAddress: 203.0.113.11
",
};

const SPEC: &[Property] = &[
    must(
        "server",
        Shape::Document("SqlServer"),
        "The server's document.",
    ),
    may(
        "database",
        Shape::Name,
        "",
        "The database's own name; left out, the rule is the server's.",
    ),
    may(
        "name",
        Shape::Name,
        "metadata.name",
        "The rule's own name in Azure.",
    ),
    must(
        "startIpAddress",
        Shape::Text,
        "The first IPv4 address. 0.0.0.0 is refused: it lets in everything that runs in Azure.",
    ),
    must("endIpAddress", Shape::Text, "The last IPv4 address."),
];

const FIELDS: &[Field] = &[
    field("/properties/startIpAddress", Form::Exact, Severity::High),
    field("/properties/endIpAddress", Form::Exact, Severity::High),
];
