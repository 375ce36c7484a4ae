//! `PolicyFragment`: a piece of policy that policies include.

use crate::kind::{Arm, Field, Form, Kind, Level, Property, Shape, field, may, must};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "PolicyFragment",
    level: Level::Resource,
    summary: "A policy fragment, compared by meaning. A change of it changes every API whose \
              policies include it.",
    arm: Some(Arm {
        resource_type: "Microsoft.ApiManagement/service/policyFragments",
        api_version: "2024-05-01",
        list: "policyFragments",
    }),
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: PolicyFragment
metadata: { name: correlate }
spec:
  gateway: contoso
  description: Hands the request id on
  inline: |
    <fragment>
      <set-header name=\"x-correlation-id\" exists-action=\"skip\">
        <value>@(context.RequestId.ToString())</value>
      </set-header>
    </fragment>
",
};

const SPEC: &[Property] = &[
    must(
        "gateway",
        Shape::Document("Gateway"),
        "The gateway's document.",
    ),
    may(
        "name",
        Shape::Name,
        "metadata.name",
        "The fragment's own name in Azure, as `include-fragment` names it.",
    ),
    may(
        "description",
        Shape::Text,
        "",
        "What the fragment is for; unmanaged when left out.",
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

const FIELDS: &[Field] = &[
    field("/properties/value", Form::Policy, Severity::High),
    field("/properties/description", Form::Exact, Severity::Info),
];
