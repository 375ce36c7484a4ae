//! `Backend`: a service that a gateway sends to.

use crate::kind::{Arm, Field, Form, Kind, Level, Property, Shape, field, may, must, sensitive};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "Backend",
    level: Level::Resource,
    summary: "A backend of a gateway: where it sends to, and with which credentials. A credential \
              is a `{{named value}}`; that of an Access goes.",
    arm: Some(Arm {
        resource_type: "Microsoft.ApiManagement/service/backends",
        // The stable version hides `credentials.managedIdentity` (azure-facts B.3).
        api_version: "2024-06-01-preview",
        list: "backends",
    }),
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: Backend
metadata: { name: stock }
spec:
  gateway: contoso
  properties:
    url: https://stock.contoso.example
    protocol: http
    credentials: { header: { x-functions-key: [\"{{stock-key}}\"] } }
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
        "The backend's own name in Azure.",
    ),
    must(
        "properties",
        Shape::Body,
        "The fields of Azure's `BackendContractProperties`; a literal credential is refused.",
    ),
];

const FIELDS: &[Field] = &[
    // It may hold a key in its query (azure-facts B.5, row 6).
    sensitive("/properties/url", Form::Exact, Severity::High),
    field("/properties/protocol", Form::Folded, Severity::Warning),
    field("/properties/title", Form::Exact, Severity::Info),
    field("/properties/description", Form::Exact, Severity::Info),
    sensitive(
        "/properties/credentials/header",
        Form::Exact,
        Severity::Critical,
    ),
    sensitive(
        "/properties/credentials/query",
        Form::Exact,
        Severity::Critical,
    ),
    field(
        "/properties/credentials/authorization/scheme",
        Form::Folded,
        Severity::Critical,
    ),
    sensitive(
        "/properties/credentials/authorization/parameter",
        Form::Exact,
        Severity::Critical,
    ),
    field(
        "/properties/credentials/managedIdentity/resource",
        Form::Exact,
        Severity::Critical,
    ),
    field(
        "/properties/credentials/managedIdentity/clientId",
        Form::Folded,
        Severity::Critical,
    ),
    field(
        "/properties/tls/validateCertificateChain",
        Form::Exact,
        Severity::High,
    ),
    field(
        "/properties/tls/validateCertificateName",
        Form::Exact,
        Severity::High,
    ),
];
