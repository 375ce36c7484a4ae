//! `Gateway`: an API Management service.

use crate::kind::{Arm, Field, Form, Kind, Level, Property, Shape, field, may, must};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "Gateway",
    level: Level::Root,
    summary: "An existing API Management service. keyless adopts it: its identity is enabled where \
              an Access needs it, and no identity is ever taken away.",
    arm: Some(Arm {
        resource_type: "Microsoft.ApiManagement/service",
        api_version: "2024-05-01",
        list: "",
    }),
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: Gateway
metadata: { name: contoso }
spec:
  id: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.ApiManagement/service/contoso
  identity: { system: true }
",
};

const SPEC: &[Property] = &[
    must(
        "id",
        Shape::Id("Microsoft.ApiManagement/service"),
        "The resource id of the service.",
    ),
    may(
        "identity",
        Shape::Object(IDENTITY),
        "",
        "Identities to add to those that are there.",
    ),
    may(
        "owns",
        Shape::List(&Shape::Word(&[
            "namedValues",
            "backends",
            "apis",
            "policies",
            "fragments",
        ])),
        "[]",
        "Scopes in which whatever no document declares is a finding.",
    ),
    may(
        "prune",
        Shape::Bool,
        "false",
        "Turn such a finding into a planned delete.",
    ),
];

const IDENTITY: &[Property] = &[
    may(
        "system",
        Shape::Word(&["true"]),
        "",
        "`true` enables the system-assigned identity.",
    ),
    may(
        "user",
        Shape::List(&Shape::Document("ManagedIdentity")),
        "[]",
        "ManagedIdentity documents that the service has too.",
    ),
];

const FIELDS: &[Field] = &[field("/identity/type", Form::Words, Severity::Critical)];
