//! `Api`: an API of a gateway.

use crate::kind::{Arm, Field, Form, Kind, Level, Property, Shape, field, may, must, sensitive};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "Api",
    level: Level::Resource,
    summary: "An existing API or one revision of it. keyless adopts it and compares the fields \
              that the document names; it makes none.",
    arm: Some(Arm {
        resource_type: "Microsoft.ApiManagement/service/apis",
        api_version: "2024-05-01",
        list: "apis",
    }),
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: Api
metadata: { name: orders }
spec:
  gateway: contoso
  properties: { displayName: Orders, path: orders, protocols: [https], subscriptionRequired: true }
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
        "The API's own name in Azure, with `;rev=n` for a revision that is not the current one.",
    ),
    must(
        "properties",
        Shape::Body,
        "The fields of Azure's `ApiContractProperties`; a credential in `serviceUrl` is refused.",
    ),
];

const FIELDS: &[Field] = &[
    field("/properties/displayName", Form::Exact, Severity::Info),
    field("/properties/description", Form::Exact, Severity::Info),
    field("/properties/path", Form::Exact, Severity::Warning),
    // It may hold userinfo or a key in its query (azure-facts B.5, row 6).
    sensitive("/properties/serviceUrl", Form::Exact, Severity::High),
    field("/properties/protocols", Form::Set, Severity::Warning),
    // Without it a caller needs no key.
    field(
        "/properties/subscriptionRequired",
        Form::Exact,
        Severity::High,
    ),
    field("/properties/isCurrent", Form::Exact, Severity::Warning),
];
