//! Resource Manager for SQL: firewall rules, network access, auditing, failover groups; and what
//! of it shows over TDS.

use super::support::{Answer, SERVER, World, start_with};
use keyless_emulator::sql::{Credentials, LoginRequest, Reply};
use serde_json::{Value, json};

async fn start() -> World {
    start_with(include_str!("../seeds/estate.yaml")).await
}

async fn put(world: &World, path: &str, body: Value) -> Answer {
    world
        .arm("PUT", &format!("{SERVER}{path}"), &[], &body)
        .await
}

fn range(start: &str, end: &str) -> Value {
    json!({"properties": {"startIpAddress": start, "endIpAddress": end}})
}

async fn rules(world: &World) -> Vec<String> {
    let body = world.get(&format!("{SERVER}/firewallRules")).await.json();
    let items = body["value"].as_array().unwrap();
    let name = |item: &Value| item["name"].as_str().unwrap().to_owned();
    items.iter().map(name).collect()
}

fn login(server: &str, password: &str, database: &str) -> LoginRequest {
    LoginRequest {
        server: format!("{server}.database.localhost"),
        database: database.into(),
        credentials: Credentials::Password {
            login: format!("{server}_admin"),
            password: password.into(),
        },
        host: "test".into(),
        program: "test".into(),
    }
}

/// The first column of what a statement of the server's administrator answers.
fn query(world: &World, database: &str, text: &str) -> Vec<String> {
    let mut session = world
        .emulator
        .sql()
        .open(login("quay", "Admin-Pass-1!", database))
        .unwrap();
    let mut shown = Vec::new();
    for reply in session.run_now(text) {
        match reply {
            Reply::Rows(rows) => {
                shown.extend(rows.rows.iter().map(|row| format!("{:?}", row[0])));
            }
            Reply::Error(error) => shown.push(format!("error {}", error.number)),
            _ => {}
        }
    }
    shown
}

#[tokio::test]
async fn a_firewall_rule_is_made_changed_and_removed() {
    let world = start().await;
    assert_eq!(rules(&world).await, ["azure"]);
    let made = put(
        &world,
        "/firewallRules/office",
        range("10.0.0.1", "10.0.0.9"),
    )
    .await;
    assert_eq!(made.status, 201);
    let changed = put(
        &world,
        "/firewallRules/office",
        range("10.0.0.1", "10.0.0.8"),
    )
    .await;
    assert_eq!(changed.status, 200);
    for (start, end) in [("10.0.0.9", "10.0.0.1"), ("10.0.0", "10.0.0.1")] {
        let refused = put(&world, "/firewallRules/odd", range(start, end)).await;
        assert_eq!(refused.code(), "InvalidParameterValue");
    }
    let item = format!("{SERVER}/firewallRules/office");
    let read = world.get(&item).await.json();
    assert_eq!(read["properties"]["endIpAddress"], "10.0.0.8");
    assert_eq!(
        world.arm("DELETE", &item, &[], &Value::Null).await.status,
        200
    );
    assert_eq!(
        world.arm("DELETE", &item, &[], &Value::Null).await.status,
        204
    );
    assert_eq!(rules(&world).await, ["azure"]);
}

#[tokio::test]
async fn a_put_on_the_collection_replaces_every_rule() {
    let world = start().await;
    let body = json!({"values": [
        {"name": "a", "properties": {"startIpAddress": "20.50.0.7", "endIpAddress": "20.50.0.7"}},
        {"name": "b", "properties": {"startIpAddress": "10.0.0.2", "endIpAddress": "10.0.0.2"}},
    ]});
    assert_eq!(put(&world, "/firewallRules", body).await.status, 200);
    assert_eq!(rules(&world).await, ["a", "b"]);
    let names = query(
        &world,
        "master",
        "SELECT name FROM sys.firewall_rules ORDER BY name",
    );
    assert_eq!(names, ["Text(\"a\")", "Text(\"b\")"]);
}

#[tokio::test]
async fn rules_of_t_sql_and_of_resource_manager_are_one_set() {
    let world = start().await;
    let shown = query(
        &world,
        "master",
        "SELECT name FROM sys.firewall_rules WHERE start_ip_address = '0.0.0.0'",
    );
    assert_eq!(shown, ["Text(\"azure\")"]);
    query(
        &world,
        "master",
        "EXEC sp_set_firewall_rule @name = N'pier', @start_ip_address = '20.50.0.1', \
         @end_ip_address = '20.50.0.9'; EXEC sp_delete_firewall_rule N'azure'",
    );
    assert_eq!(rules(&world).await, ["pier"]);
    assert_eq!(
        query(
            &world,
            "berths",
            "EXEC sp_set_firewall_rule N'x', '1.1.1.1', '1.1.1.1'"
        ),
        ["error 2812"]
    );
}

#[tokio::test]
async fn a_databases_own_rules_are_t_sqls_alone() {
    let world = start().await;
    let names = "SELECT name FROM sys.database_firewall_rules";
    assert_eq!(query(&world, "berths", names), ["Text(\"office\")"]);
    assert_eq!(
        query(&world, "berths", "SELECT name FROM sys.firewall_rules"),
        ["error 208"]
    );
    query(
        &world,
        "berths",
        "BEGIN TRANSACTION; EXEC sp_delete_database_firewall_rule N'office'; ROLLBACK",
    );
    assert_eq!(query(&world, "berths", names), ["Text(\"office\")"]);
    query(
        &world,
        "berths",
        "EXEC sp_delete_database_firewall_rule N'office'",
    );
    assert!(query(&world, "berths", names).is_empty());
    let backwards = "EXEC sp_set_database_firewall_rule N'x', '10.0.0.9', '10.0.0.1'";
    assert_eq!(query(&world, "berths", backwards), ["error 40614"]);
    query(
        &world,
        "berths",
        "CREATE USER ana WITH PASSWORD = 'Deck-Hand-12'; EXECUTE AS USER = 'ana'",
    );
    let as_ana = "EXECUTE AS USER = 'ana'; EXEC sp_delete_database_firewall_rule N'office'";
    assert_eq!(query(&world, "berths", as_ana), ["error 15247"]);
    assert_eq!(rules(&world).await, ["azure"]);
}

#[tokio::test]
async fn a_server_closed_to_the_public_lets_in_who_comes_privately() {
    let world = start().await;
    let sql = world.emulator.sql();
    let body = world.get(&SERVER.replace("quay", "mole")).await.json();
    assert_eq!(body["properties"]["publicNetworkAccess"], "Disabled");
    assert!(body["properties"]["privateEndpointConnections"].is_array());
    assert!(sql.open(login("mole", "Admin-Pass-2!", "")).is_ok());
    assert!(sql.open(login("quay", "Admin-Pass-1!", "")).is_ok());
    let close = json!({"properties": {"publicNetworkAccess": "Disabled"}});
    let accepted = world.arm("PATCH", SERVER, &[], &close).await;
    assert_eq!(accepted.status, 202);
    assert_eq!(world.finish(&accepted, "Location").await.status, 200);
    let refused = sql.open(login("quay", "Admin-Pass-1!", "")).err().unwrap();
    assert_eq!(refused.0[0].number, 47073);
    let odd = json!({"properties": {"publicNetworkAccess": "Sometimes"}});
    let refused = world.arm("PATCH", SERVER, &[], &odd).await;
    assert_eq!(refused.code(), "InvalidParameterValue");
}

#[tokio::test]
async fn a_client_comes_in_as_long_as_some_rule_admits_it() {
    let world = start().await;
    let sql = world.emulator.sql();
    let open = |database: &str| sql.open(login("quay", "Admin-Pass-1!", database));
    let number = |database: &str| open(database).err().map(|refused| refused.0[0].number);
    assert_eq!(number("berths"), None, "by 0.0.0.0");
    query(
        &world,
        "berths",
        "EXEC sp_set_database_firewall_rule N'office', '20.50.0.1', '20.50.0.9'",
    );
    let azure = format!("{SERVER}/firewallRules/azure");
    let removed = world.arm("DELETE", &azure, &[], &Value::Null).await;
    assert_eq!(removed.status, 200);
    assert_eq!(number("berths"), None, "by the database's own rule");
    assert_eq!(number("master"), Some(40615));
    put(
        &world,
        "/firewallRules/pier",
        range("20.50.0.7", "20.50.0.7"),
    )
    .await;
    assert_eq!(number("master"), None);
}

#[tokio::test]
async fn auditing_is_switched_on_late_and_keeps_its_key_to_itself() {
    let world = start().await;
    let path = "/extendedAuditingSettings/default";
    let nowhere = json!({"properties": {"state": "Enabled"}});
    assert_eq!(put(&world, path, nowhere).await.status, 400);
    let body = json!({"properties": {"state": "Enabled", "isAzureMonitorTargetEnabled": true,
        "storageEndpoint": "https://logs.localhost", "storageAccountAccessKey": "Log-Key-8"}});
    let accepted = put(&world, path, body).await;
    assert_eq!(accepted.status, 202);
    let before = world
        .get(&format!("{SERVER}/connectionPolicies/default"))
        .await;
    assert_eq!(before.json()["properties"]["connectionType"], "Default");
    assert_eq!(world.finish(&accepted, "Location").await.status, 200);
    let read = world.get(&format!("{SERVER}{path}")).await;
    assert!(!read.text.contains("Log-Key-8"));
    let properties = &read.json()["properties"];
    assert_eq!(properties["state"], "Enabled");
    assert_eq!(
        properties["auditActionsAndGroups"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[tokio::test]
async fn failover_groups_and_job_agents_are_listed() {
    let world = start().await;
    let groups = world.get(&format!("{SERVER}/failoverGroups")).await.json();
    let partner = &groups["value"][0]["properties"]["partnerServers"][0]["id"];
    assert!(partner.as_str().unwrap().ends_with("/servers/quay-b"));
    let agents = world.get(&format!("{SERVER}/jobAgents")).await.json();
    assert_eq!(agents["value"], json!([]));
}
