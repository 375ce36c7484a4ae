//! `Product`: a product of a gateway.

use crate::kind::{Arm, Field, Form, Kind, Level, Property, Shape, field, may, must};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "Product",
    level: Level::Resource,
    summary: "An existing product: who may subscribe to its APIs. Its policy is a Policy document \
              with `scope: { product }`.",
    arm: Some(Arm {
        resource_type: "Microsoft.ApiManagement/service/products",
        api_version: "2024-05-01",
        list: "products",
    }),
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: Product
metadata: { name: partners }
spec:
  gateway: contoso
  properties: { displayName: Partners, state: published, subscriptionRequired: true }
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
        "The product's own name in Azure.",
    ),
    must(
        "properties",
        Shape::Body,
        "The fields of Azure's `ProductContractProperties`.",
    ),
];

const FIELDS: &[Field] = &[
    field("/properties/displayName", Form::Exact, Severity::Info),
    field("/properties/description", Form::Exact, Severity::Info),
    // A published product can be subscribed to.
    field("/properties/state", Form::Folded, Severity::Warning),
    field(
        "/properties/subscriptionRequired",
        Form::Exact,
        Severity::High,
    ),
    field("/properties/approvalRequired", Form::Exact, Severity::High),
];
