//! `Policy`: a policy document of a service, a product, an API or an operation.

use crate::kind::{Arm, Field, Form, Kind, Level, Property, Shape, field, may, must};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "Policy",
    level: Level::Resource,
    summary: "A policy document, compared by meaning: indentation, attribute order and comments \
              are no change.",
    arm: Some(Arm {
        resource_type: "Microsoft.ApiManagement/service/apis/policies",
        api_version: "2024-05-01",
        list: "allPolicies",
    }),
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: Policy
metadata: { name: orders-api }
spec:
  gateway: contoso
  scope: { api: orders }
  inline: |
    <policies>
      <inbound><base /></inbound>
      <backend><base /></backend>
      <outbound><base /></outbound>
      <on-error><base /></on-error>
    </policies>
",
};

const SPEC: &[Property] = &[
    must(
        "gateway",
        Shape::Document("Gateway"),
        "The gateway's document.",
    ),
    must(
        "scope",
        Shape::Object(SCOPE),
        "`{}` is the whole service; `{ product }`, `{ api }` and `{ api, operation }` are narrower.",
    ),
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

const SCOPE: &[Property] = &[
    may(
        "api",
        Shape::Name,
        "",
        "The API's name in Azure, with `;rev=n` for a revision.",
    ),
    may(
        "operation",
        Shape::Name,
        "",
        "The operation's name in Azure; needs `api`.",
    ),
    may(
        "product",
        Shape::Name,
        "",
        "The product's name in Azure; stands alone.",
    ),
];

const FIELDS: &[Field] = &[field("/properties/value", Form::Policy, Severity::High)];
