//! The public examples of Azure's specifications, where they lie beside the project: each is sent
//! (or what it shows is put there and read), and status, headers and every field are compared by
//! name and kind. What the emulator leaves out stands in `KNOWN`. Without the folder there is
//! nothing to compare with, and the test says so.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::support::{Answer, World, start_with};

const SEED: &str = "
tenant: 11111111-2222-3333-4444-555555555555
operator: keyless-apply
settings: { reformat: false }
principals:
  - name: keyless-apply
    kind: application
    objectId: a0000000-0000-0000-0000-000000000001
    clientId: a0000000-0000-0000-0000-00000000c001
    secret: operator-secret-1
roles: [{ principal: keyless-apply, role: Owner }]
";

const APIM: &str = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/\
                    Microsoft.ApiManagement/service";
const SQL: &str = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/\
                   Microsoft.Sql/servers/{serverName}";

/// File, verb, path behind the service or server (or a whole one).
const EXAMPLES: &[(&str, &str, &str)] = &[
    (
        "apimanagement/ApiManagementAllPolicies",
        "GET",
        "/allPolicies",
    ),
    (
        "apimanagement/ApiManagementAuthorizationServerListSecrets",
        "POST",
        "/authorizationServers/{authsid}/listSecrets",
    ),
    (
        "apimanagement/ApiManagementCreateAILogger",
        "PUT",
        "/loggers/{loggerId}",
    ),
    (
        "apimanagement/ApiManagementCreateApi",
        "PUT",
        "/apis/{apiId}",
    ),
    (
        "apimanagement/ApiManagementCreateApiOperationPolicy",
        "PUT",
        "/apis/{apiId}/operations/{operationId}/policies/{policyId}",
    ),
    (
        "apimanagement/ApiManagementCreateApiPolicy",
        "PUT",
        "/apis/{apiId}/policies/{policyId}",
    ),
    (
        "apimanagement/ApiManagementCreateApiRevisionFromExistingApi",
        "PUT",
        "/apis/{apiId}",
    ),
    (
        "apimanagement/ApiManagementCreateBackendProxyBackend",
        "PUT",
        "/backends/{backendId}",
    ),
    (
        "apimanagement/ApiManagementCreateBackendWithPriorityBasedLoadBalancer",
        "PUT",
        "/backends/{backendId}",
    ),
    (
        "apimanagement/ApiManagementCreateCertificateWithKeyVault",
        "PUT",
        "/certificates/{certificateId}",
    ),
    (
        "apimanagement/ApiManagementCreateGraphQLApiResolverPolicy",
        "PUT",
        "/apis/{apiId}/resolvers/{resolverId}/policies/{policyId}",
    ),
    (
        "apimanagement/ApiManagementCreateNamedValue",
        "PUT",
        "/namedValues/{namedValueId}",
    ),
    (
        "apimanagement/ApiManagementCreatePolicy",
        "PUT",
        "/policies/{policyId}",
    ),
    (
        "apimanagement/ApiManagementCreatePolicyFragment",
        "PUT",
        "/policyFragments/{id}",
    ),
    (
        "apimanagement/ApiManagementCreateProductPolicy",
        "PUT",
        "/products/{productId}/policies/{policyId}",
    ),
    (
        "apimanagement/ApiManagementCreateServiceHavingMsi",
        "PUT",
        "",
    ),
    (
        "apimanagement/ApiManagementCreateSubscription",
        "PUT",
        "/subscriptions/{sid}",
    ),
    (
        "apimanagement/ApiManagementGetApiDiagnostic",
        "GET",
        "/apis/{apiId}/diagnostics/{diagnosticId}",
    ),
    (
        "apimanagement/ApiManagementGetApiOperation",
        "GET",
        "/apis/{apiId}/operations/{operationId}",
    ),
    (
        "apimanagement/ApiManagementGetApiPolicy",
        "GET",
        "/apis/{apiId}/policies/{policyId}",
    ),
    (
        "apimanagement/ApiManagementGetApiRelease",
        "GET",
        "/apis/{apiId}/releases/{releaseId}",
    ),
    (
        "apimanagement/ApiManagementGetIdentityProvider",
        "GET",
        "/identityProviders/{identityProviderName}",
    ),
    (
        "apimanagement/ApiManagementGetNamedValueWithKeyVault",
        "GET",
        "/namedValues/{namedValueId}",
    ),
    (
        "apimanagement/ApiManagementGetPolicyFormat",
        "GET",
        "/policies/{policyId}",
    ),
    (
        "apimanagement/ApiManagementHeadApiPolicy",
        "HEAD",
        "/apis/{apiId}/policies/{policyId}",
    ),
    (
        "apimanagement/ApiManagementHeadNamedValue",
        "HEAD",
        "/namedValues/{namedValueId}",
    ),
    (
        "apimanagement/ApiManagementListApiOperationPolicies",
        "GET",
        "/apis/{apiId}/operations/{operationId}/policies",
    ),
    (
        "apimanagement/ApiManagementListApiRevisions",
        "GET",
        "/apis/{apiId}/revisions",
    ),
    ("apimanagement/ApiManagementListApis", "GET", "/apis"),
    (
        "apimanagement/ApiManagementListBackends",
        "GET",
        "/backends",
    ),
    (
        "apimanagement/ApiManagementListCertificates",
        "GET",
        "/certificates",
    ),
    (
        "apimanagement/ApiManagementListDiagnostics",
        "GET",
        "/diagnostics",
    ),
    (
        "apimanagement/ApiManagementListGateways",
        "GET",
        "/gateways",
    ),
    (
        "apimanagement/ApiManagementListGraphQLApiResolvers",
        "GET",
        "/apis/{apiId}/resolvers",
    ),
    ("apimanagement/ApiManagementListLoggers", "GET", "/loggers"),
    (
        "apimanagement/ApiManagementListNamedValues",
        "GET",
        "/namedValues",
    ),
    (
        "apimanagement/ApiManagementListPolicies",
        "GET",
        "/policies",
    ),
    (
        "apimanagement/ApiManagementListPolicyFragments",
        "GET",
        "/policyFragments",
    ),
    (
        "apimanagement/ApiManagementListProductPolicies",
        "GET",
        "/products/{productId}/policies",
    ),
    (
        "apimanagement/ApiManagementListProducts",
        "GET",
        "/products",
    ),
    (
        "apimanagement/ApiManagementListServiceBySubscriptionAndResourceGroup",
        "GET",
        "LIST",
    ),
    (
        "apimanagement/ApiManagementListSubscriptions",
        "GET",
        "/subscriptions",
    ),
    (
        "apimanagement/ApiManagementNamedValueListValue",
        "POST",
        "/namedValues/{namedValueId}/listValue",
    ),
    ("apimanagement/ApiManagementServiceGetService", "GET", ""),
    (
        "apimanagement/ApiManagementSubscriptionListSecrets",
        "POST",
        "/subscriptions/{sid}/listSecrets",
    ),
    (
        "apimanagement/ApiManagementUpdateNamedValue",
        "PATCH",
        "/namedValues/{namedValueId}",
    ),
    (
        "apimanagement/ApiManagementUpdateServicePublisherDetails",
        "PATCH",
        "",
    ),
    (
        "authorization/GetRoleDefinitionByName",
        "GET",
        "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7",
    ),
    (
        "authorization/RoleAssignments_CreateForResource",
        "PUT",
        "/{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
    ),
    (
        "authorization/RoleAssignments_Get",
        "GET",
        "/{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
    ),
    (
        "authorization/RoleAssignments_ListForScope",
        "GET",
        "/{scope}/providers/Microsoft.Authorization/roleAssignments",
    ),
    (
        "managedidentity/IdentityGet",
        "GET",
        "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{resourceName}",
    ),
    (
        "sql/AdministratorCreateOrUpdate",
        "PUT",
        "/administrators/{administratorName}",
    ),
    (
        "sql/AzureADOnlyAuthGet",
        "GET",
        "/azureADOnlyAuthentications/{authenticationName}",
    ),
    (
        "sql/CreateDatabaseDefaultMode",
        "PUT",
        "/databases/{databaseName}",
    ),
    (
        "sql/ExtendedDatabaseBlobAuditingGet",
        "GET",
        "/databases/{databaseName}/extendedAuditingSettings/default",
    ),
    (
        "sql/ExtendedServerBlobAuditingCreateMin",
        "PUT",
        "/extendedAuditingSettings/default",
    ),
    (
        "sql/FirewallRuleCreate",
        "PUT",
        "/firewallRules/{firewallRuleName}",
    ),
    ("sql/FirewallRuleList", "GET", "/firewallRules"),
    ("sql/ListVCoreDatabasesByServer", "GET", "/databases"),
    (
        "sql/ServerConnectionPoliciesGet",
        "GET",
        "/connectionPolicies/default",
    ),
    ("sql/ServerCreate", "PUT", ""),
    ("sql/ServerGet", "GET", ""),
    ("sql/ServerUpdate", "PATCH", ""),
];

/// What the examples show and the emulator does not.
const KNOWN: &[&str] = &[
    "ApiManagementCreateAILogger.properties.resourceId",
    "ApiManagementCreateApi.properties.authenticationSettings.oAuth2AuthenticationSettings",
    "ApiManagementCreateCertificateWithKeyVault.properties.expirationDate",
    "ApiManagementCreateCertificateWithKeyVault.properties.keyVault.lastStatus",
    "ApiManagementCreateCertificateWithKeyVault.properties.subject",
    "ApiManagementCreateCertificateWithKeyVault.properties.thumbprint",
    // A fragment says its format only when asked for rawxml (azure-facts B.4).
    "ApiManagementCreatePolicyFragment.properties.format",
    "ApiManagementListPolicyFragments.value[].properties.format",
    // Of the first answer only: the identity comes to be when the operation ends.
    "ApiManagementCreateServiceHavingMsi.identity.principalId",
    "ApiManagementCreateServiceHavingMsi.identity.tenantId",
    "ApiManagementCreateServiceHavingMsi.systemData",
    "ApiManagementListApiRevisions.value[].createdDateTime",
    "ApiManagementListApiRevisions.value[].updatedDateTime",
    // Of a service or server that was there before, and had them.
    "ApiManagementUpdateServicePublisherDetails.properties.customProperties",
    "ApiManagementUpdateServicePublisherDetails.tags",
    "ServerCreate.properties.privateEndpointConnections[]",
    "ServerUpdate.properties.privateEndpointConnections[]",
    "ServerUpdate.tags",
    // Sent without a capacity, which the service derives from the name.
    "CreateDatabaseDefaultMode.properties.currentSku.capacity",
    "CreateDatabaseDefaultMode.sku.capacity",
];

const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";

struct Example {
    name: &'static str,
    verb: &'static str,
    path: String,
    version: String,
    body: Value,
    responses: Value,
}

fn folder() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/arm-examples");
    beside.is_dir().then_some(beside)
}

/// The examples name roles that somebody made; here only built-in ones exist.
fn known_roles(text: &str) -> String {
    let mut parts = text.split("roleDefinitions/");
    let mut known = parts.next().unwrap().to_owned();
    for part in parts {
        known.push_str(&format!("roleDefinitions/{READER}{}", &part[36..]));
    }
    known
}

fn load(folder: &std::path::Path, entry: &(&'static str, &'static str, &str)) -> Example {
    let (name, verb, template) = *entry;
    let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    let file: Value = serde_json::from_str(&known_roles(&text)).unwrap();
    let parameters = file["parameters"].as_object().unwrap();
    let own = match name.split('/').next() {
        Some("apimanagement") if template != "LIST" => format!("{APIM}/{{serviceName}}"),
        Some("apimanagement") => APIM.to_owned(),
        Some("sql") => SQL.to_owned(),
        _ => String::new(),
    };
    let mut path = own + template.trim_start_matches("LIST");
    for (key, value) in parameters {
        let text = value.as_str().unwrap_or_default().trim_matches('/');
        path = path.replace(&format!("{{{key}}}"), text);
    }
    if let Some(format) = file["parameters"]["format"].as_str() {
        path.push_str(&format!("?format={format}"));
    }
    Example {
        name,
        verb,
        path,
        version: file["parameters"]["api-version"]
            .as_str()
            .unwrap()
            .to_owned(),
        body: file["parameters"]["parameters"].clone(),
        responses: file["responses"].clone(),
    }
}

async fn send(world: &World, verb: &str, path: &str, version: &str, body: &Value) -> Answer {
    let mark = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{mark}api-version={version}").replace(' ', "%20");
    world.arm(verb, &path, &[("If-Match", "*")], body).await
}

/// A write and what follows from it.
async fn settle(world: &World, path: &str, version: &str, body: &Value) -> Answer {
    let mut first = send(world, "PUT", path, version, body).await;
    if first.header("Azure-AsyncOperation").is_some() {
        let status = first.status;
        let done = world.finish(&first, "Azure-AsyncOperation").await;
        assert_eq!(done.json()["status"], "Succeeded", "{path}: {}", done.text);
        first.status = status;
    }
    first
}

/// What the clients of a service put there before anything below it: every parent of a path.
async fn make_parents(world: &World, path: &str) {
    let segments: Vec<&str> = path.split('?').next().unwrap().split('/').collect();
    // Roles may stand at scopes that nobody keeps.
    let last = if path.contains("/Microsoft.Authorization/") {
        0
    } else {
        segments.len()
    };
    for end in (9..last).step_by(2) {
        let parent = segments[..end].join("/");
        let body = match segments[end - 2] {
            "service" => {
                json!({"location": "westeurope", "sku": {"name": "Premium", "capacity": 1}})
            }
            "servers" => json!({"location": "westeurope", "properties": {
                "administratorLogin": "dummylogin", "administratorLoginPassword": "Made-Up-1!"}}),
            "apis" => {
                json!({"properties": {"displayName": segments[end - 1], "path": segments[end - 1], "type": "graphql"}})
            }
            "operations" => {
                json!({"properties": {"displayName": "o", "method": "GET", "urlTemplate": "/o"}})
            }
            "resolvers" => json!({"properties": {"displayName": "r", "path": "Query/r"}}),
            "namedValues" => json!({"properties": {"displayName": "n", "value": "v"}}),
            "policies" => json!({"properties": {"format": "rawxml", "value": "<policies />"}}),
            "subscriptions" => json!({"properties": {"displayName": "s", "scope": "/apis"}}),
            "authorizationServers" => {
                json!({"properties": {"displayName": "a", "clientSecret": "a",
                "resourceOwnerUsername": "b", "resourceOwnerPassword": "c"}})
            }
            "databases" => json!({"location": "westeurope"}),
            _ => json!({"properties": {"displayName": segments[end - 1]}}),
        };
        if world.get(&parent).await.status == 404 {
            let made = settle(world, &parent, "2024-05-01", &body).await;
            assert!(made.status < 300, "{parent}: {}", made.text);
        }
    }
}

/// Puts there what an example shows, with what a reader is not shown made up.
async fn put_shown(world: &World, example: &Example, shown: &Value, at: &str) {
    let mut body = shown.clone();
    let properties = &mut body["properties"];
    if properties["secret"] == json!(true) && properties["keyVault"].is_null() {
        properties["value"] = json!("Made-Up-Value");
    }
    if at.contains("/loggers/") {
        for value in properties["credentials"]
            .as_object_mut()
            .into_iter()
            .flatten()
        {
            *value.1 = json!("made-up");
        }
    }
    if at.contains("/servers/") && at.split('/').count() == 9 {
        properties["administratorLoginPassword"] = json!("Made-Up-1!");
    }
    if at.rsplit('/').nth(1) == Some("subscriptions") && properties["displayName"].is_null() {
        properties["displayName"] = json!("made up");
    }
    if properties["azureADOnlyAuthentication"].is_boolean() {
        properties["azureADOnlyAuthentication"] = json!(false);
    }
    if at.contains("/releases/") {
        properties["apiId"] = json!(at.split("/releases/").next());
    }
    let assigned = body["identity"]["userAssignedIdentities"].as_object();
    for id in assigned.into_iter().flat_map(serde_json::Map::keys) {
        settle(world, id, "2024-11-30", &json!({"location": "westeurope"})).await;
    }
    let put = settle(world, at, &example.version, &body).await;
    assert!(put.status < 300, "{}: {}", example.name, put.text);
}

/// What has to be there before the example's own request.
async fn prepare(world: &World, example: &Example) {
    let path = example.path.split('?').next().unwrap();
    make_parents(world, path).await;
    if let Some(source) = example.body["properties"]["sourceApiId"].as_str() {
        make_parents(world, &format!("{source}/x")).await;
    }
    for member in example.body["properties"]["pool"]["services"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let body = json!({"properties": {"url": "https://b.localhost", "protocol": "http"}});
        settle(world, member["id"].as_str().unwrap(), "2024-05-01", &body).await;
    }
    if let Some((name, _)) = example.body["properties"]["value"]
        .as_str()
        .and_then(|text| text.split_once("{{")?.1.split_once("}}"))
    {
        let service = path.split('/').take(9).collect::<Vec<_>>().join("/");
        let body = json!({"properties": {"displayName": name, "value": "1"}});
        settle(
            world,
            &format!("{service}/namedValues/{name}"),
            "2024-05-01",
            &body,
        )
        .await;
    }
    let shown = &example.responses["200"]["body"];
    match (example.verb, &shown["value"]) {
        ("GET", Value::Array(items)) => {
            for one in items {
                let name = one["id"]
                    .as_str()
                    .unwrap_or_default()
                    .rsplit('/')
                    .next()
                    .unwrap();
                if !name.is_empty() && !path.ends_with("allPolicies") {
                    put_shown(world, example, one, &format!("{path}/{name}")).await;
                }
            }
        }
        ("GET", _) if !example.name.contains("RoleDefinition") => {
            put_shown(world, example, shown, path).await
        }
        // The thing itself is a parent of what is asked of it.
        ("HEAD" | "PATCH" | "POST", _) => make_parents(world, &format!("{path}/x")).await,
        _ => {}
    }
}

/// The fields that `shown` has and `answer` has not, or has as another kind of value.
fn missing(shown: &Value, answer: &Value, at: &str, found: &mut BTreeSet<String>) {
    match (shown, answer) {
        (Value::Null, _) => {}
        (Value::Object(fields), Value::Object(_)) => {
            for (name, value) in fields {
                missing(value, &answer[name], &format!("{at}.{name}"), found);
            }
        }
        (Value::Array(items), Value::Array(own)) => {
            // A list of texts may be empty; things have to be there to be looked at.
            if let (Some(first @ Value::Object(_)), true) = (items.first(), own.is_empty()) {
                missing(first, &Value::Null, &format!("{at}[]"), found);
            }
            for (place, item) in items.iter().enumerate() {
                let named = own
                    .iter()
                    .find(|own| last(item).is_some() && last(own) == last(item));
                let own = named.or(own.get(place)).or(own.first());
                if let Some(own) = own {
                    missing(item, own, &format!("{at}[]"), found);
                }
            }
        }
        _ if std::mem::discriminant(shown) == std::mem::discriminant(answer) => {}
        _ => {
            found.insert(at.to_owned());
        }
    }
}

/// What an item is known by within its list; the examples' own names are not always those of ids.
fn last(item: &Value) -> Option<String> {
    let id = item["id"].as_str()?;
    id.rsplit('/').next().map(str::to_lowercase)
}

fn compare(example: &Example, answer: &Answer, found: &mut BTreeSet<String>) {
    let name = example.name.rsplit('/').next().unwrap();
    let status = answer.status.to_string();
    let Some(shown) = example.responses.get(&status) else {
        found.insert(format!("{name}: status {status} {}", answer.text));
        return;
    };
    for (header, _) in shown["headers"].as_object().into_iter().flatten() {
        if answer.header(header).is_none() {
            found.insert(format!("{name}: header {header}"));
        }
    }
    if shown["body"].is_object() {
        missing(&shown["body"], &answer.json(), name, found);
    }
}

/// The example's request, with what follows from it.
async fn ask(world: &World, example: &Example, verb: &str) -> Answer {
    let body = if verb == "GET" {
        &Value::Null
    } else {
        &example.body
    };
    let answer = send(world, verb, &example.path, &example.version, body).await;
    if answer.header("Azure-AsyncOperation").is_some() {
        world.finish(&answer, "Azure-AsyncOperation").await;
    }
    answer
}

#[tokio::test]
async fn answers_have_what_the_public_examples_show() {
    let Some(folder) = folder() else {
        // Written past the harness, which keeps what a passing test prints to itself.
        let line =
            "SKIPPED: the public examples do not lie beside the project (shared/arm-examples)";
        writeln!(std::io::stderr(), "{line}").unwrap();
        return;
    };
    let mut found = BTreeSet::new();
    for entry in EXAMPLES {
        let example = load(&folder, entry);
        let world = start_with(SEED).await;
        prepare(&world, &example).await;
        let answer = ask(&world, &example, example.verb).await;
        compare(&example, &answer, &mut found);
        if example.verb == "PUT" {
            let again = ask(&world, &example, "PUT").await;
            compare(&example, &again, &mut found);
        }
        if answer.status == 202 {
            compare(&example, &ask(&world, &example, "GET").await, &mut found);
        }
    }
    let known: BTreeSet<String> = KNOWN.iter().map(|one| (*one).to_owned()).collect();
    let (new, gone) = (&found - &known, &known - &found);
    assert!(new.is_empty(), "not as the examples show: {new:#?}");
    assert!(gone.is_empty(), "as the examples show by now: {gone:#?}");
}
