//! Role assignments and definitions, user-assigned identities, and what follows from a role.

use super::support::{Answer, SERVICE, World, start_with};
use serde_json::{Value, json};

const GROUP: &str = "/subscriptions/s1/resourceGroups/rg";
const VAULT: &str =
    "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/harbour-kv";
const ROLES: &str = "/providers/Microsoft.Authorization/roleDefinitions/";
const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const CRANE: &str = "a0000000-0000-0000-0000-000000000003";
const CALLS: &str = "a0000000-0000-0000-0000-0000000000b1";
const NEW: &str = "00000000-0000-0000-0000-00000000f001";

async fn start() -> World {
    start_with(include_str!("../seeds/estate.yaml")).await
}

fn id(scope: &str, name: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}")
}

fn body(role: &str, principal: &str) -> Value {
    json!({"properties": {"roleDefinitionId": format!("{ROLES}{role}"), "principalId": principal}})
}

async fn put(world: &World, path: &str, body: &Value) -> Answer {
    world.arm("PUT", path, &[], body).await
}

async fn names(world: &World, path: &str) -> Vec<String> {
    let (mut names, mut next) = (Vec::new(), path.to_owned());
    loop {
        let page = world.get(&next).await.json();
        for item in page["value"].as_array().unwrap() {
            let name = item["name"].as_str().unwrap();
            names.push(name[name.len() - 4..].to_owned());
        }
        let Some(link) = page["nextLink"].as_str() else {
            return names;
        };
        next = format!("/{}", link.splitn(4, '/').nth(3).unwrap());
    }
}

#[tokio::test]
async fn an_assignment_is_made_once_read_and_removed() {
    let world = start().await;
    let path = id(VAULT, NEW);
    let mut wanted = body(SECRETS_USER, CRANE);
    wanted["properties"]["description"] = json!("lifts secrets");
    let made = put(&world, &path, &wanted).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let properties = made.json()["properties"].clone();
    assert_eq!(properties["principalType"], "ServicePrincipal");
    assert_eq!(properties["scope"], VAULT);
    assert_eq!(properties["description"], "lifts secrets");
    assert_eq!(
        properties["roleDefinitionId"],
        format!("/subscriptions/s1{ROLES}{SECRETS_USER}")
    );
    assert!(!made.text.contains("effectiveAt"));
    assert_eq!(put(&world, &path, &wanted).await.status, 200);

    let twin = id(VAULT, "00000000-0000-0000-0000-00000000f002");
    let refused = put(&world, &twin, &wanted).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (409, "RoleAssignmentExists")
    );
    assert!(refused.text.contains(&NEW.replace('-', "")));
    let other = put(&world, &path, &body(READER, CRANE)).await;
    assert_eq!(
        (other.status, other.code().as_str()),
        (400, "RoleAssignmentUpdateNotPermitted")
    );

    let gone = world.arm("DELETE", &path, &[], &Value::Null).await;
    assert_eq!((gone.status, &gone.json()["name"]), (200, &json!(NEW)));
    let again = world.arm("DELETE", &path, &[], &Value::Null).await;
    assert_eq!(again.status, 204);
    assert_eq!(world.get(&path).await.code(), "RoleAssignmentNotFound");
}

#[tokio::test]
async fn what_cannot_be_assigned_is_refused() {
    let world = start().await;
    let cases = [
        ("not-a-guid", body(READER, CRANE), "InvalidRoleAssignmentId"),
        (
            NEW,
            body("ffffffff-0000-0000-0000-000000000000", CRANE),
            "RoleDefinitionDoesNotExist",
        ),
        (
            NEW,
            body(READER, "b0000000-0000-0000-0000-000000000000"),
            "PrincipalNotFound",
        ),
        (
            NEW,
            json!({"properties": {"roleDefinitionId": READER, "principalId": CRANE,
                "principalType": "Group"}}),
            "UnmatchedPrincipalType",
        ),
        (NEW, json!({"properties": {}}), "InvalidRequestContent"),
    ];
    for (name, body, code) in cases {
        let refused = put(&world, &id(GROUP, name), &body).await;
        assert_eq!(refused.code(), code, "{}", refused.text);
    }
    let nowhere = id(&format!("{SERVICE}x"), NEW);
    let refused = put(&world, &nowhere, &body(READER, CRANE)).await;
    assert_eq!(refused.code(), "ResourceNotFound");
}

#[tokio::test]
async fn a_new_identity_is_found_after_a_while_or_at_once_by_its_type() {
    let world = start().await;
    let identity =
        format!("{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/fresh");
    let made = put(&world, &identity, &json!({"location": "westeurope"})).await;
    assert_eq!(made.status, 201);
    let properties = made.json()["properties"].clone();
    let principal = properties["principalId"].as_str().unwrap().to_owned();
    let kept = put(
        &world,
        &identity,
        &json!({"location": "westeurope", "tags": {"a": "b"}}),
    )
    .await;
    assert_eq!(kept.json()["properties"], properties);

    let typed = json!({"properties": {"roleDefinitionId": format!("{ROLES}{READER}"),
        "principalId": principal, "principalType": "ServicePrincipal"}});
    let path = id(GROUP, NEW);
    for _ in 0..2 {
        let refused = put(&world, &path, &body(READER, &principal)).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "PrincipalNotFound")
        );
    }
    assert_eq!(
        put(&world, &id(SERVICE, NEW), &typed).await.status,
        201,
        "with its type the directory is not asked"
    );
    assert_eq!(
        put(&world, &path, &body(READER, &principal)).await.status,
        201
    );
}

#[tokio::test]
async fn lists_are_cut_by_scope_and_principal() {
    let world = start().await;
    put(&world, &id(VAULT, NEW), &body(SECRETS_USER, CRANE)).await;
    let list = |scope: &str, filter: &str| {
        format!(
            "{scope}/providers/Microsoft.Authorization/roleAssignments?$filter={}",
            filter.replace(' ', "%20").replace('\'', "%27")
        )
    };
    assert_eq!(
        names(&world, &list(GROUP, "")).await,
        ["e002", "e001", "f001"].map(str::to_owned).as_slice(),
        "above, at and below"
    );
    assert_eq!(names(&world, &list(GROUP, "atScope()")).await, ["e002"]);
    let own = list("/subscriptions/s1", &format!("principalId eq '{CRANE}'"));
    assert_eq!(names(&world, &own).await, ["f001"]);
    let transitive = list("/subscriptions/s1", &format!("assignedTo('{CRANE}')"));
    assert_eq!(names(&world, &transitive).await, ["e002", "f001"]);
    let unknown = world.get(&list(GROUP, "roleName eq 'Reader'")).await;
    assert_eq!(unknown.status, 400);
}

#[tokio::test]
async fn a_list_of_assignments_comes_in_pages() {
    let world = start().await;
    for number in 0..4 {
        let scope = format!("{GROUP}/providers/Microsoft.KeyVault/vaults/kv{number}");
        let name = format!("00000000-0000-0000-0000-00000000f00{number}");
        let made = put(&world, &id(&scope, &name), &body(SECRETS_USER, CRANE)).await;
        assert_eq!(made.status, 201);
    }
    let path = "/subscriptions/s1/providers/Microsoft.Authorization/roleAssignments";
    assert!(world.get(path).await.json()["nextLink"].is_string());
    let mut all = names(&world, path).await;
    all.sort();
    assert_eq!(all, ["e001", "e002", "f000", "f001", "f002", "f003"]);
}

#[tokio::test]
async fn definitions_are_found_by_name_and_by_id() {
    let world = start().await;
    let list = "/subscriptions/s1/providers/Microsoft.Authorization/roleDefinitions";
    let filter = "roleName%20eq%20%27Key%20Vault%20Secrets%20User%27";
    let found = world.get(&format!("{list}?$filter={filter}")).await.json();
    assert_eq!(found["value"].as_array().unwrap().len(), 1);
    assert_eq!(found["value"][0]["name"], SECRETS_USER);
    let one = world.get(&format!("{list}/{READER}")).await.json();
    assert_eq!(one["properties"]["roleName"], "Reader");
    let write = put(
        &world,
        &format!("{list}/{READER}"),
        &json!({"properties": {}}),
    )
    .await;
    assert_eq!(write.status, 405);
}

#[tokio::test]
async fn a_role_gives_its_rights_once_it_has_taken_effect() {
    let world = start().await;
    let contributor = world.token_for("contributor").await;
    let path = id(GROUP, NEW);
    let refused = world
        .arm_as(&contributor, "PUT", &path, &[], &body(READER, CRANE))
        .await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (403, "AuthorizationFailed"),
        "a Contributor assigns no roles"
    );
    let administrator = "f58310d9-a9f6-439a-9e8d-f62e7b41a168";
    let grant = body(administrator, "a0000000-0000-0000-0000-000000000002");
    let name = "00000000-0000-0000-0000-00000000f009";
    assert_eq!(put(&world, &id(GROUP, name), &grant).await.status, 201);
    let early = world
        .arm_as(&contributor, "PUT", &path, &[], &body(READER, CRANE))
        .await;
    assert_eq!(early.status, 403);
    world.emulator.advance(300);
    let later = world
        .arm_as(&contributor, "PUT", &path, &[], &body(READER, CRANE))
        .await;
    assert_eq!(later.status, 201);
}

async fn status_of(world: &World, name: &str) -> Value {
    let value = world.get(&format!("{SERVICE}/namedValues/{name}")).await;
    assert!(!value.text.contains("Ebb-And-Flow-9") && !value.text.contains("refreshedAt"));
    value.json()["properties"]["keyVault"]["lastStatus"]["code"].clone()
}

async fn refresh(world: &World, name: &str) {
    let path = format!("{SERVICE}/namedValues/{name}/refreshSecret");
    let accepted = world.arm("POST", &path, &[], &Value::Null).await;
    assert_eq!(accepted.status, 202);
    assert_eq!(world.finish(&accepted, "Location").await.status, 200);
}

#[tokio::test]
async fn a_key_vault_reference_is_healthy_once_its_identity_may_read_the_secret() {
    let world = start().await;
    assert_eq!(status_of(&world, "tide-key").await, "Success");
    let path = format!("{SERVICE}/namedValues/calls");
    let reference = json!({"properties": {"displayName": "calls", "keyVault": {
        "secretIdentifier": "https://harbour-kv.vault.azure.net/secrets/tide-key",
        "identityClientId": "a0000000-0000-0000-0000-0000000000c1"}}});
    let accepted = put(&world, &path, &reference).await;
    assert_eq!(world.finish(&accepted, "Location").await.status, 200);
    assert_eq!(status_of(&world, "calls").await, "Forbidden");
    let failed = format!("{SERVICE}/namedValues?isKeyVaultRefreshFailed=true");
    let failed = world.get(&failed).await.json();
    assert_eq!(failed["value"].as_array().unwrap().len(), 1);
    assert_eq!(failed["value"][0]["name"], "calls");

    let made = put(&world, &id(GROUP, NEW), &body(SECRETS_USER, CALLS)).await;
    assert_eq!(made.status, 201, "a scope above the vault counts");
    refresh(&world, "calls").await;
    assert_eq!(status_of(&world, "calls").await, "Forbidden", "not yet");
    world.emulator.advance(300);
    refresh(&world, "calls").await;
    assert_eq!(status_of(&world, "calls").await, "Success");
    let list = format!("{path}/listValue");
    let value = world.arm("POST", &list, &[], &Value::Null).await;
    assert_eq!(value.json()["value"], "Ebb-And-Flow-9");
}

#[tokio::test]
async fn a_reference_without_a_version_is_fetched_again_after_four_hours() {
    let mut world = start().await;
    let assigned = id(VAULT, "00000000-0000-0000-0000-00000000e001");
    let gone = world.arm("DELETE", &assigned, &[], &Value::Null).await;
    assert_eq!(gone.status, 200);
    assert_eq!(status_of(&world, "tide-key").await, "Success");
    world.emulator.advance(4 * 3_600);
    world.token = world.token_for("keyless-apply").await;
    assert_eq!(status_of(&world, "tide-key").await, "Forbidden");
    let list = format!("{SERVICE}/namedValues/tide-key/listValue");
    let value = world.arm("POST", &list, &[], &Value::Null).await;
    assert_eq!(
        value.json()["value"],
        "Ebb-And-Flow-9",
        "the last one stays"
    );
}

#[tokio::test]
async fn a_reference_to_what_is_not_there_says_so() {
    let world = start().await;
    for (name, secret, code) in [
        (
            "a",
            "https://harbour-kv.vault.azure.net/secrets/none",
            "SecretNotFound",
        ),
        (
            "b",
            "https://other-kv.vault.azure.net/secrets/x",
            "VaultNotFound",
        ),
    ] {
        let body = json!({"properties": {"displayName": name,
            "keyVault": {"secretIdentifier": secret}}});
        let accepted = put(&world, &format!("{SERVICE}/namedValues/{name}"), &body).await;
        world.finish(&accepted, "Location").await;
        assert_eq!(status_of(&world, name).await, code);
    }
    let body = json!({"properties": {"displayName": "c",
        "keyVault": {"secretIdentifier": "https://harbour-kv.vault.azure.net/keys/x"}}});
    let refused = put(&world, &format!("{SERVICE}/namedValues/c"), &body).await;
    assert_eq!(refused.code(), "ValidationError");
}

#[tokio::test]
async fn a_service_has_at_most_ten_identities_and_only_such_as_exist() {
    let world = start().await;
    let identity = |name: &str| {
        format!("{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}")
    };
    let with = |ids: Vec<String>| {
        let assigned: serde_json::Map<String, Value> =
            ids.into_iter().map(|id| (id, json!({}))).collect();
        json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": assigned}})
    };
    let none = world
        .arm("PATCH", SERVICE, &[], &with(vec![identity("none")]))
        .await;
    assert_eq!(
        (none.status, none.code().as_str()),
        (400, "InvalidIdentity")
    );
    let many: Vec<String> = (0..11).map(|n| identity(&format!("many-{n}"))).collect();
    for id in &many {
        assert_eq!(put(&world, id, &json!({"location": "w"})).await.status, 201);
    }
    let refused = world.arm("PATCH", SERVICE, &[], &with(many.clone())).await;
    assert_eq!(refused.code(), "InvalidIdentity");
    let accepted = world
        .arm("PATCH", SERVICE, &[], &with(many[1..].to_vec()))
        .await;
    assert_eq!(accepted.status, 202);
    world.finish(&accepted, "Location").await;
    let identity = world.get(SERVICE).await.json()["identity"].clone();
    let assigned = identity["userAssignedIdentities"].as_object().unwrap();
    assert_eq!(assigned.len(), 10, "what is not sent again is gone");
    assert!(assigned.values().all(|ids| ids["clientId"].is_string()));
    let list = format!("{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities");
    let first = world.get(&list).await.json();
    assert_eq!(first["value"][0]["name"], "harbour-calls");
    assert_eq!(
        first["value"][0]["properties"]["tenantId"],
        "11111111-2222-3333-4444-555555555555"
    );
}
