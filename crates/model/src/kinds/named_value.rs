//! `NamedValue`: a named value of a gateway.

use crate::kind::{Arm, Field, Form, Kind, Level, Property, Shape, field, may, must, sensitive};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "NamedValue",
    level: Level::Resource,
    summary: "A named value: plain text, a Key Vault reference, or a secret whose value is read \
              from the environment when it is applied.",
    arm: Some(Arm {
        resource_type: "Microsoft.ApiManagement/service/namedValues",
        api_version: "2024-05-01",
        list: "namedValues",
    }),
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: NamedValue
metadata: { name: region }
spec:
  gateway: contoso
  properties: { displayName: region, value: westeurope, secret: false }
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
        "The named value's own name in Azure.",
    ),
    must(
        "properties",
        Shape::Body,
        "The fields of Azure's `NamedValueCreateContractProperties`; a secret's literal value is \
         refused.",
    ),
    may(
        "valueFrom",
        Shape::Object(VALUE_FROM),
        "",
        "Where the value is read at apply, instead of `keyVault`.",
    ),
];

const VALUE_FROM: &[Property] = &[must(
    "env",
    Shape::Text,
    "An environment variable of the process that applies.",
)];

const FIELDS: &[Field] = &[
    field("/properties/displayName", Form::Exact, Severity::Warning),
    sensitive("/properties/value", Form::Exact, Severity::Warning),
    field("/properties/secret", Form::Exact, Severity::High),
    field("/properties/tags", Form::Set, Severity::Info),
    field(
        "/properties/keyVault/secretIdentifier",
        Form::Folded,
        Severity::High,
    ),
    field(
        "/properties/keyVault/identityClientId",
        Form::Folded,
        Severity::High,
    ),
];
