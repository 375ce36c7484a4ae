//! `ManagedIdentity`: a user-assigned identity.

use crate::kind::{Arm, Field, Form, Kind, Level, Property, Shape, field, must};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "ManagedIdentity",
    level: Level::Root,
    summary: "An existing user-assigned identity. A Gateway has it with `identity.user`; an Access \
              to an HTTP service, a SqlUser and a RoleAssignment can name it.",
    arm: Some(Arm {
        resource_type: "Microsoft.ManagedIdentity/userAssignedIdentities",
        api_version: "2024-11-30",
        list: "",
    }),
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: ManagedIdentity
metadata: { name: ops-mi }
spec:
  id: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ops-mi
",
};

const SPEC: &[Property] = &[must(
    "id",
    Shape::Id("Microsoft.ManagedIdentity/userAssignedIdentities"),
    "The resource id of the identity.",
)];

/// Both are Azure's to give; another value means that the identity was made anew, and that every
/// user and role of the old one is dead.
const FIELDS: &[Field] = &[
    field("/properties/clientId", Form::Folded, Severity::Critical),
    field("/properties/principalId", Form::Folded, Severity::Critical),
];
