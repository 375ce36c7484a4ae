//! The built-in roles of azure-facts D, with what they allow as far as a request to the emulator
//! can ask for it: patterns of operations with `*` for any part.

use serde_json::{Value, json};

use crate::arm::error::ArmError;
use crate::arm::store::name_of;
use crate::arm::target::Target;

/// One built-in role.
pub struct Definition {
    pub id: &'static str,
    pub name: &'static str,
    actions: &'static [&'static str],
    not_actions: &'static [&'static str],
    data_actions: &'static [&'static str],
}

const READ: &str = "*/read";
const APIM_READ: &[&str] = &[
    "Microsoft.ApiManagement/service/read",
    "Microsoft.ApiManagement/service/*/read",
    "Microsoft.Authorization/*/read",
];
const APIM_WORKSPACE: &[&str] = &["Microsoft.ApiManagement/service/workspaces/*/read"];

/// What reading a secret asks of its vault.
pub const GET_SECRET: &str = "Microsoft.KeyVault/vaults/secrets/getSecret/action";
const READ_SECRET_NAMES: &str = "Microsoft.KeyVault/vaults/secrets/readMetadata/action";

const fn role(
    id: &'static str,
    name: &'static str,
    actions: &'static [&'static str],
) -> Definition {
    Definition {
        id,
        name,
        actions,
        not_actions: &[],
        data_actions: &[],
    }
}

const fn data_role(
    id: &'static str,
    name: &'static str,
    data_actions: &'static [&'static str],
) -> Definition {
    Definition {
        data_actions,
        ..role(id, name, &[])
    }
}

const fn role_without(
    id: &'static str,
    name: &'static str,
    actions: &'static [&'static str],
    not_actions: &'static [&'static str],
) -> Definition {
    Definition {
        not_actions,
        ..role(id, name, actions)
    }
}

const ROLES: &[Definition] = &[
    role("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", &[READ]),
    role_without(
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "Contributor",
        &["*"],
        &[
            "Microsoft.Authorization/*/delete",
            "Microsoft.Authorization/*/write",
        ],
    ),
    role("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", &["*"]),
    role(
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "User Access Administrator",
        &[READ, "Microsoft.Authorization/*"],
    ),
    role(
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        "Role Based Access Control Administrator",
        &[
            READ,
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleAssignments/delete",
        ],
    ),
    data_role(
        "4633458b-17de-408a-b874-0445c86b69e6",
        "Key Vault Secrets User",
        &[GET_SECRET, READ_SECRET_NAMES],
    ),
    data_role(
        "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
        "Key Vault Certificate User",
        &[
            "Microsoft.KeyVault/vaults/certificates/read",
            GET_SECRET,
            READ_SECRET_NAMES,
            "Microsoft.KeyVault/vaults/keys/read",
        ],
    ),
    data_role(
        "3913510d-42f4-4e42-8a64-420c390055eb",
        "Monitoring Metrics Publisher",
        &[
            "Microsoft.Insights/Metrics/Write",
            "Microsoft.Insights/Telemetry/Write",
        ],
    ),
    role(
        "43d0d8ad-25c7-4714-9337-8ba259a9fe05",
        "Monitoring Reader",
        &[READ],
    ),
    role(
        "73c42c96-874c-492b-b04d-ab87d138a893",
        "Log Analytics Reader",
        &[READ],
    ),
    data_role(
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        "Storage Blob Data Contributor",
        &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"],
    ),
    data_role(
        "2b629674-e913-4c01-ae53-ef4638d8f975",
        "Azure Event Hubs Data Sender",
        &["Microsoft.EventHub/*/send/action"],
    ),
    data_role(
        "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
        "Azure Service Bus Data Sender",
        &["Microsoft.ServiceBus/*/send/action"],
    ),
    data_role(
        "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
        "Cognitive Services OpenAI User",
        &["Microsoft.CognitiveServices/accounts/OpenAI/*/action"],
    ),
    role(
        "9b7fa17d-e63e-47b0-bb0a-15c516ac86ec",
        "SQL DB Contributor",
        &[
            "Microsoft.Sql/servers/read",
            "Microsoft.Sql/servers/databases/*",
            "Microsoft.Authorization/*/read",
        ],
    ),
    // These two split the switch and the administrator between them (azure-facts C.1).
    role(
        "056cd41c-7e88-42e1-933e-88ba6a50c9c3",
        "SQL Security Manager",
        &[
            "Microsoft.Sql/servers/read",
            "Microsoft.Sql/servers/*/read",
            "Microsoft.Sql/servers/azureADOnlyAuthentications/*",
            "Microsoft.Sql/servers/extendedAuditingSettings/*",
            "Microsoft.Sql/servers/firewallRules/*",
            "Microsoft.Authorization/*/read",
        ],
    ),
    role_without(
        "6d8ee4ec-f05a-4a1d-8b00-a9b17e38b437",
        "SQL Server Contributor",
        &["Microsoft.Sql/servers/*", "Microsoft.Authorization/*/read"],
        &[
            "Microsoft.Sql/servers/azureADOnlyAuthentications/write",
            "Microsoft.Sql/servers/azureADOnlyAuthentications/delete",
            "Microsoft.Sql/servers/extendedAuditingSettings/write",
        ],
    ),
    role(
        "312a565d-c81f-4fd8-895a-4e21e48d571c",
        "API Management Service Contributor",
        &[
            "Microsoft.ApiManagement/service/*",
            "Microsoft.Authorization/*/read",
        ],
    ),
    role(
        "e022efe7-f5ba-4159-bbe4-b44f577e9b61",
        "API Management Service Operator Role",
        APIM_READ,
    ),
    role(
        "71522526-b88f-4d52-b57f-d31fc3546d0d",
        "API Management Service Reader Role",
        APIM_READ,
    ),
    role(
        "9565a273-41b9-4368-97d2-aeb0c976a9b3",
        "API Management Service Workspace API Developer",
        APIM_READ,
    ),
    role(
        "d59a3e9c-6d52-4a5a-aeed-6bf3cf0e31da",
        "API Management Service Workspace API Product Manager",
        APIM_READ,
    ),
    role(
        "0c34c906-8d99-4cb7-8bb7-33f5b0a1a799",
        "API Management Workspace Contributor",
        &["Microsoft.ApiManagement/service/workspaces/*"],
    ),
    role(
        "73c2c328-d004-4c5e-938c-35c6f5679a1f",
        "API Management Workspace API Product Manager",
        APIM_WORKSPACE,
    ),
    role(
        "ef1c2c96-4a77-49e8-b9a4-6179fe1d2fd2",
        "API Management Workspace Reader",
        APIM_WORKSPACE,
    ),
    role(
        "56328988-075d-4c6a-8766-d93edd6725b6",
        "API Management Workspace API Developer",
        APIM_WORKSPACE,
    ),
];

/// The role that an id ends with; every scope may stand before it.
pub fn find(id: &str) -> Option<&'static Definition> {
    let name = name_of(id);
    ROLES.iter().find(|role| role.id.eq_ignore_ascii_case(name))
}

/// The role of this name.
pub fn by_name(name: &str) -> Option<&'static Definition> {
    ROLES
        .iter()
        .find(|role| role.name.eq_ignore_ascii_case(name))
}

impl Definition {
    /// Whether the role allows an operation of management.
    pub fn allows(&self, operation: &str) -> bool {
        any(self.actions, operation) && !any(self.not_actions, operation)
    }

    /// Whether it allows one on data; not even an Owner's `*` does.
    pub fn allows_on_data(&self, operation: &str) -> bool {
        any(self.data_actions, operation)
    }

    /// The id as it stands in a subscription.
    pub fn id_at(&self, scope: &str) -> String {
        let mut parts = scope.split('/').skip(1);
        let root = match (parts.next(), parts.next()) {
            (Some(first), Some(id)) if first.eq_ignore_ascii_case("subscriptions") => {
                format!("/subscriptions/{id}")
            }
            _ => String::new(),
        };
        let id = self.id;
        format!("{root}/providers/Microsoft.Authorization/roleDefinitions/{id}")
    }

    fn body(&self, scope: &str) -> Value {
        json!({
            "id": self.id_at(scope),
            "type": "Microsoft.Authorization/roleDefinitions",
            "name": self.id,
            "properties": {
                "roleName": self.name,
                "type": "BuiltInRole",
                "description": "",
                "assignableScopes": ["/"],
                "permissions": [{
                    "actions": self.actions,
                    "notActions": self.not_actions,
                    "dataActions": self.data_actions,
                    "notDataActions": [],
                }],
            },
        })
    }
}

fn any(patterns: &[&str], operation: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, operation))
}

/// `*` stands for any run of characters; the case does not matter.
fn matches(pattern: &str, operation: &str) -> bool {
    let (pattern, operation) = (pattern.to_lowercase(), operation.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = operation.strip_prefix(first) else {
        return false;
    };
    let Some(last) = pattern.contains('*').then(|| parts.next_back()).flatten() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// One role.
pub fn item(target: &Target) -> Result<Value, ArmError> {
    let scope = super::scope_of(&target.id);
    find(&target.name)
        .map(|role| role.body(scope))
        .ok_or_else(|| unknown(&target.name))
}

/// All roles, or those of one name (`$filter=roleName eq '…'`).
pub fn list(target: &Target, filter: &str) -> Vec<Value> {
    let scope = super::scope_of(&target.id);
    let wanted = filter
        .split_once("roleName eq ")
        .map(|(_, name)| name.trim().trim_matches('\''));
    let roles = ROLES
        .iter()
        .filter(|role| wanted.is_none_or(|name| role.name.eq_ignore_ascii_case(name)));
    roles.map(|role| role.body(scope)).collect()
}

/// The refusal of a role that does not exist.
pub fn unknown(id: &str) -> ArmError {
    let message = format!("The specified role definition with ID '{id}' does not exist.");
    ArmError::new(404, "RoleDefinitionDoesNotExist", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_operations() {
        assert!(matches("*", "a/b"));
        assert!(matches("*/read", "Microsoft.Sql/servers/read"));
        assert!(!matches("*/read", "Microsoft.Sql/servers/write"));
        assert!(matches("a/*/send/action", "a/b/c/send/action"));
        assert!(!matches("a/b", "a/b/c"));
        assert!(!matches("a/*/b", "a/b"));
    }

    #[test]
    fn a_contributor_hands_out_secrets_but_no_roles() {
        let contributor = by_name("Contributor").unwrap();
        assert!(contributor.allows("Microsoft.ApiManagement/service/namedValues/listvalue/action"));
        assert!(!contributor.allows("Microsoft.Authorization/roleAssignments/write"));
        assert!(contributor.allows("Microsoft.Authorization/roleAssignments/read"));
        assert!(!contributor.allows_on_data(GET_SECRET));
        assert!(!by_name("Owner").unwrap().allows_on_data(GET_SECRET));
    }

    #[test]
    fn every_role_has_an_id_of_its_own() {
        let mut ids: Vec<&str> = ROLES.iter().map(|role| role.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ROLES.len());
        assert!(ids.iter().all(|id| id.len() == 36));
    }
}
