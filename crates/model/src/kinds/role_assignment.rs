//! `RoleAssignment`: a role of Azure for an identity.

use crate::kind::{Arm, Field, Form, Kind, Level, Property, Shape, field, may, must};
use crate::severity::Severity;

pub(crate) const KIND: Kind = Kind {
    name: "RoleAssignment",
    level: Level::Resource,
    summary: "One role for one principal at one scope. It is looked up by these three, never by its \
              name, and a role is given to the identity itself, never through a group.",
    arm: Some(Arm {
        resource_type: "Microsoft.Authorization/roleAssignments",
        api_version: "2022-04-01",
        list: "providers/Microsoft.Authorization/roleAssignments",
    }),
    spec: SPEC,
    fields: FIELDS,
    example: "apiVersion: keyless.dev/v1alpha1
kind: RoleAssignment
metadata: { name: contoso-reads-vault }
spec:
  scope: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/contoso-kv
  role: Key Vault Secrets User
  principal: { gateway: contoso }
",
};

const SPEC: &[Property] = &[
    must(
        "scope",
        Shape::Text,
        "The id of a subscription, resource group, resource or child of one.",
    ),
    must(
        "role",
        Shape::Text,
        "The name of a built-in role that keyless knows, or the GUID of any role definition.",
    ),
    must(
        "principal",
        Shape::Object(PRINCIPAL),
        "Who gets it: one of `gateway`, `identity` and `objectId`.",
    ),
];

const PRINCIPAL: &[Property] = &[
    may(
        "gateway",
        Shape::Document("Gateway"),
        "",
        "The system-assigned identity of a gateway.",
    ),
    may(
        "identity",
        Shape::Document("ManagedIdentity"),
        "",
        "A user-assigned identity.",
    ),
    may(
        "objectId",
        Shape::Guid,
        "",
        "The object id of another principal; needs `principalType`.",
    ),
    may(
        "principalType",
        Shape::Word(&["ServicePrincipal", "Group", "User"]),
        "",
        "What `objectId` is the id of. With it Azure looks nothing up, which a new identity needs.",
    ),
];

const FIELDS: &[Field] = &[
    field("/properties/roleDefinitionId", Form::Folded, Severity::High),
    field("/properties/principalId", Form::Folded, Severity::High),
    field("/properties/scope", Form::Folded, Severity::High),
];

/// The built-in roles that a manifest can name, with the GUIDs of their definitions (azure-facts
/// D; Azure's page “Azure built-in roles”).
pub const BUILT_IN_ROLES: &[(&str, &str)] = &[
    ("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7"),
    (
        "Key Vault Secrets User",
        "4633458b-17de-408a-b874-0445c86b69e6",
    ),
    (
        "Key Vault Certificate User",
        "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
    ),
    (
        "Monitoring Metrics Publisher",
        "3913510d-42f4-4e42-8a64-420c390055eb",
    ),
    ("Monitoring Reader", "43d0d8ad-25c7-4714-9337-8ba259a9fe05"),
    (
        "Log Analytics Reader",
        "73c42c96-874c-492b-b04d-ab87d138a893",
    ),
    (
        "Storage Blob Data Contributor",
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    ),
    (
        "Azure Event Hubs Data Sender",
        "2b629674-e913-4c01-ae53-ef4638d8f975",
    ),
    (
        "Azure Service Bus Data Sender",
        "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
    ),
    (
        "Cognitive Services OpenAI User",
        "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
    ),
    ("SQL DB Contributor", "9b7fa17d-e63e-47b0-bb0a-15c516ac86ec"),
    (
        "SQL Security Manager",
        "056cd41c-7e88-42e1-933e-88ba6a50c9c3",
    ),
    (
        "SQL Server Contributor",
        "6d8ee4ec-f05a-4a1d-8b00-a9b17e38b437",
    ),
    (
        "API Management Service Contributor",
        "312a565d-c81f-4fd8-895a-4e21e48d571c",
    ),
    (
        "API Management Service Operator Role",
        "e022efe7-f5ba-4159-bbe4-b44f577e9b61",
    ),
    (
        "API Management Service Reader Role",
        "71522526-b88f-4d52-b57f-d31fc3546d0d",
    ),
];

/// The GUID of the built-in role with this name, without case.
pub fn built_in_role(name: &str) -> Option<&'static str> {
    BUILT_IN_ROLES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, id)| *id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sid;

    #[test]
    fn every_role_has_a_guid_of_its_own() {
        for (i, (name, id)) in BUILT_IN_ROLES.iter().enumerate() {
            assert!(Sid::from_guid(id).is_ok(), "{name}");
            let before = &BUILT_IN_ROLES[..i];
            assert!(before.iter().all(|(n, g)| n != name && g != id), "{name}");
            assert_eq!(built_in_role(&name.to_uppercase()), Some(*id));
        }
        assert_eq!(built_in_role("King"), None);
    }
}
