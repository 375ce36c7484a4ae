//! What is kept and shown to no reader: each kind hides its secrets, and only some tell them when
//! they are asked.

use super::support::{SERVER, SERVICE, World, start_with};
use serde_json::{Value, json};

async fn start() -> World {
    start_with(include_str!("../seeds/estate.yaml")).await
}

/// Puts it and reads it back, alone and in its list.
async fn put_and_read(world: &World, parent: &str, path: &str, properties: Value) -> Value {
    let (url, body) = (format!("{parent}{path}"), json!({"properties": properties}));
    let made = world.put(&url, &body).await;
    assert!(made.status < 300, "{path}: {}", made.text);
    let (list, _) = url.rsplit_once('/').unwrap();
    let list = world.get(list).await;
    let one = world.get(&url).await;
    for seen in [&made.text, &list.text, &one.text] {
        assert!(!seen.contains("Mole-"), "{path} shows {seen}");
    }
    one.json()["properties"].clone()
}

#[tokio::test]
async fn a_gateway_hides_what_it_keeps() {
    let world = start().await;
    let put = |path: &'static str, properties: Value| {
        let world = &world;
        async move { put_and_read(world, SERVICE, path, properties).await }
    };
    let tenant = json!({"enabled": true, "primaryKey": "Mole-Key-1", "secondaryKey": "Mole-Key-2"});
    assert_eq!(
        put("/tenant/access", tenant).await,
        json!({"enabled": true})
    );
    let portal = json!({"url": "https://mole.example", "validationKey": "Mole-Key-3"});
    put("/portalsettings/delegation", portal).await;
    let grants =
        json!({"authorizationCode": {"clientId": "mole", "clientSecret": "Mole-Secret-4"}});
    let provider = json!({"identityProvider": "aad", "oauth2": {"grantTypes": grants}});
    let shown = put("/authorizationProviders/mole", provider).await;
    let grant = &shown["oauth2"]["grantTypes"]["authorizationCode"];
    assert_eq!(*grant, json!({"clientId": "mole"}));
    let connection =
        json!({"parameters": {"clientSecret": "Mole-Secret-5"}, "status": "Connected"});
    let shown = put("/authorizationProviders/mole/authorizations/c", connection).await;
    assert_eq!(shown, json!({"status": "Connected"}));
    let told = |path: &'static str| {
        let url = format!("{SERVICE}{path}/listSecrets");
        let world = &world;
        async move { world.arm("POST", &url, &[], &Value::Null).await }
    };
    let keys = told("/tenant/access").await.json();
    assert_eq!(keys["secondaryKey"], "Mole-Key-2");
    let key = told("/portalsettings/delegation").await.json();
    assert_eq!(key["validationKey"], "Mole-Key-3");
    assert_eq!(told("/authorizationProviders/mole").await.status, 404);
}

#[tokio::test]
async fn a_cache_refers_to_a_named_value_that_holds_its_key() {
    let world = start().await;
    let text = "mole.redis.example:6380,password=Mole-Key-6";
    let cache = json!({"connectionString": text, "useFromLocation": "default"});
    let shown = put_and_read(&world, SERVICE, "/caches/default", cache).await;
    let reference = shown["connectionString"].as_str().unwrap();
    let name = reference.trim_matches(['{', '}']);
    assert_eq!(reference, format!("{{{{{name}}}}}"));
    let url = format!("{SERVICE}/namedValues/{name}/listValue");
    let value = world.arm("POST", &url, &[], &Value::Null).await.json();
    assert_eq!(value["value"], text);
    // Sent back as it was read, it stays.
    let again = put_and_read(&world, SERVICE, "/caches/default", shown.clone()).await;
    assert_eq!(again["connectionString"], shown["connectionString"]);
}

#[tokio::test]
async fn a_server_hides_the_passwords_of_its_helpers() {
    let world = start().await;
    let storage = "https://mole.blob.example";
    for (path, properties, left) in [
        (
            "/securityAlertPolicies/Default",
            json!({"state": "Enabled", "storageEndpoint": storage, "storageAccountAccessKey": "Mole-Key-1"}),
            "storageEndpoint",
        ),
        (
            "/vulnerabilityAssessments/default",
            json!({"storageContainerPath": storage, "storageContainerSasKey": "Mole-Key-2"}),
            "storageContainerPath",
        ),
        (
            "/devOpsAuditingSettings/default",
            json!({"state": "Enabled", "storageEndpoint": storage, "storageAccountAccessKey": "Mole-Key-3"}),
            "storageEndpoint",
        ),
        ("/jobAgents/mole", json!({"databaseId": "x"}), "databaseId"),
        (
            "/jobAgents/mole/credentials/runner",
            json!({"username": "runner", "password": "Mole-Pass-4"}),
            "username",
        ),
        (
            "/databases/master/syncGroups/mole",
            json!({"hubDatabaseUserName": "hub", "hubDatabasePassword": "Mole-Pass-5"}),
            "hubDatabaseUserName",
        ),
        (
            "/databases/master/syncGroups/mole/syncMembers/south",
            json!({"userName": "south", "password": "Mole-Pass-6"}),
            "userName",
        ),
    ] {
        let sent = properties[left].clone();
        let shown = put_and_read(&world, SERVER, path, properties).await;
        assert_eq!(shown[left], sent, "{path}");
    }
}
