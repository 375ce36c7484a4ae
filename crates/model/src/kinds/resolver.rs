//! `Resolver`: a GraphQL resolver and its policy.

use crate::kind::{Arm, Field, Form, Kind, Level, Property, Shape, field, may, must};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "Resolver",
    level: Level::Resource,
    summary: "A resolver of a GraphQL API. Its policy names the data source, for Azure SQL with \
              `sql-data-source`.",
    arm: Some(Arm {
        resource_type: "Microsoft.ApiManagement/service/apis/resolvers",
        api_version: "2024-05-01",
        list: "resolvers",
    }),
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: Resolver
metadata: { name: query-order }
spec:
  gateway: contoso
  api: orders
  properties: { displayName: Query order, path: Query/order }
",
};

const SPEC: &[Property] = &[
    must(
        "gateway",
        Shape::Document("Gateway"),
        "The gateway's document.",
    ),
    must("api", Shape::Name, "The API's name in Azure."),
    may(
        "name",
        Shape::Name,
        "metadata.name",
        "The resolver's own name in Azure.",
    ),
    may(
        "properties",
        Shape::Body,
        "{}",
        "The fields of Azure's `ResolverEntityBaseContract`: `displayName`, `path`, `description`.",
    ),
    may(
        "policy",
        Shape::Object(POLICY),
        "",
        "The resolver's policy; unmanaged when left out.",
    ),
];

const POLICY: &[Property] = &[
    may(
        "file",
        Shape::File,
        "",
        "The document, relative to this manifest. This or `inline`.",
    ),
    may(
        "inline",
        Shape::Text,
        "",
        "The document itself. This or `file`.",
    ),
    may(
        "format",
        Shape::Word(&["rawxml", "xml"]),
        "rawxml",
        "Whether expressions stand as they are or with XML entities.",
    ),
];

const FIELDS: &[Field] = &[
    field("/properties/displayName", Form::Exact, Severity::Info),
    field("/properties/path", Form::Exact, Severity::Warning),
    field("/properties/description", Form::Exact, Severity::Info),
];
