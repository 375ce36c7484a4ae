//! `Operation`: an operation of an API.

use crate::kind::{Arm, Field, Form, Kind, Level, Property, Shape, field, may, must, sensitive};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "Operation",
    level: Level::Resource,
    summary: "An operation of an API. The default value of a header or query parameter is shown to \
              every reader of the API, so a literal credential there is refused.",
    arm: Some(Arm {
        resource_type: "Microsoft.ApiManagement/service/apis/operations",
        api_version: "2024-05-01",
        list: "operations",
    }),
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: Operation
metadata: { name: get-order }
spec:
  gateway: contoso
  api: orders
  properties: { displayName: Get order, method: GET, urlTemplate: \"/orders/{id}\" }
",
};

const SPEC: &[Property] = &[
    must(
        "gateway",
        Shape::Document("Gateway"),
        "The gateway's document.",
    ),
    must(
        "api",
        Shape::Name,
        "The API's name in Azure, with `;rev=n` for a revision.",
    ),
    may(
        "name",
        Shape::Name,
        "metadata.name",
        "The operation's own name in Azure.",
    ),
    must(
        "properties",
        Shape::Body,
        "The fields of Azure's `OperationContractProperties`.",
    ),
];

const FIELDS: &[Field] = &[
    field("/properties/displayName", Form::Exact, Severity::Info),
    field("/properties/description", Form::Exact, Severity::Info),
    field("/properties/method", Form::Folded, Severity::Warning),
    field("/properties/urlTemplate", Form::Exact, Severity::Warning),
    // Their default values and examples may be credentials (azure-facts B.5, row 31).
    sensitive(
        "/properties/request/headers",
        Form::Exact,
        Severity::Warning,
    ),
    sensitive(
        "/properties/request/queryParameters",
        Form::Exact,
        Severity::Warning,
    ),
];
