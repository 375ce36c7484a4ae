//! Logical servers, their databases and firewall rules.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{server_key, server_name};
use crate::arm::error::ArmError;
use crate::arm::kind::{self, Kind};
use crate::arm::store::{Entity, Store, name_of};
use crate::arm::target::Target;
use crate::arm::{hooks, identity};
use crate::estate::Estate;
use crate::ids;
use crate::sql::Network;

/// Fields of a server with a closed set of values (azure-facts C.2).
const ENUMS: &[(&str, &[&str])] = &[
    (
        "publicNetworkAccess",
        &["Enabled", "Disabled", "SecuredByPerimeter"],
    ),
    ("restrictOutboundNetworkAccess", &["Enabled", "Disabled"]),
    ("minimalTlsVersion", &["None", "1.0", "1.1", "1.2", "1.3"]),
];

pub fn check(
    store: &Store,
    target: &Target,
    current: Option<&Entity>,
    next: &mut Value,
) -> Result<(), ArmError> {
    identity::check(store, next)?;
    if !next["location"].is_string() {
        next["location"] = json!("westeurope");
    }
    next["kind"] = json!("v12.0");
    let properties = &mut next["properties"];
    if current.is_none() {
        for field in ["administratorLogin", "administratorLoginPassword"] {
            if !properties[field].is_string() {
                let message = format!("Invalid value given for parameter {field}.");
                return Err(ArmError::new(400, "InvalidParameterValue", message));
            }
        }
    }
    hooks::complete(
        properties,
        [
            ("version", json!("12.0")),
            ("state", json!("Ready")),
            ("publicNetworkAccess", json!("Enabled")),
            ("restrictOutboundNetworkAccess", json!("Disabled")),
            ("minimalTlsVersion", json!("1.2")),
            ("privateEndpointConnections", json!([])),
        ],
    );
    for (field, values) in ENUMS {
        if !values.iter().any(|value| properties[*field] == *value) {
            let message = format!("Invalid value given for parameter {field}.");
            return Err(ArmError::new(400, "InvalidParameterValue", message));
        }
    }
    let host = format!("{}.database.localhost", target.name.to_lowercase());
    properties["fullyQualifiedDomainName"] = json!(host);
    Ok(())
}

/// A new server begins with `master` and the settings that every server has.
pub fn commit(estate: &Estate, store: &mut Store, mut entity: Entity) -> Result<(), ArmError> {
    identity::commit(estate, store, &mut entity);
    let key = entity.key();
    let password = entity.body["properties"]
        .as_object_mut()
        .and_then(|properties| properties.remove("administratorLoginPassword"));
    let is_new = store.get(&key).is_none();
    let (id, login) = (
        entity.id.clone(),
        entity.property("administratorLogin").map(str::to_owned),
    );
    let network = network(&entity);
    store.put(entity);
    if !is_new {
        estate.sql.set_network(server_name(&key), network);
        return Ok(());
    }
    let password = password
        .as_ref()
        .and_then(Value::as_str)
        .unwrap_or_default();
    estate
        .sql
        .create_server(server_name(&key), &login.unwrap_or_default(), password);
    estate.sql.set_network(server_name(&key), network);
    put_children(store, &id, &SERVER_CHILDREN);
    if let Some(master) = store.get_mut(&format!("{key}/databases/master")) {
        master.body["kind"] = json!("v12.0,system");
        check_database(estate, None, &mut master.body)?;
    }
    Ok(())
}

/// Type, name and properties of an entity that comes with its parent.
type Child = (&'static str, &'static str, &'static str);

/// What every server has from its beginning.
const SERVER_CHILDREN: [Child; 4] = [
    (
        "Microsoft.Sql/servers/databases",
        "master",
        r#"{"status": "Online"}"#,
    ),
    (
        "Microsoft.Sql/servers/azureADOnlyAuthentications",
        "Default",
        r#"{"azureADOnlyAuthentication": false}"#,
    ),
    (
        "Microsoft.Sql/servers/extendedAuditingSettings",
        "default",
        NO_AUDIT,
    ),
    (
        "Microsoft.Sql/servers/connectionPolicies",
        "default",
        r#"{"connectionType": "Default"}"#,
    ),
];
/// What every database has.
const DATABASE_CHILDREN: [Child; 1] = [(
    "Microsoft.Sql/servers/databases/extendedAuditingSettings",
    "default",
    NO_AUDIT,
)];
const NO_AUDIT: &str = r#"{"state": "Disabled", "storageEndpoint": "", "retentionDays": 0,
    "auditActionsAndGroups": [], "isStorageSecondaryKeyInUse": false,
    "isAzureMonitorTargetEnabled": false, "isManagedIdentityInUse": false,
    "storageAccountSubscriptionId": "00000000-0000-0000-0000-000000000000"}"#;

fn put_children(store: &mut Store, parent: &str, children: &[Child]) {
    for (type_name, name, properties) in children {
        let Some((kind, type_name)) = kind::lookup(type_name) else {
            continue;
        };
        let collection = name_of(type_name);
        let properties: Value = serde_json::from_str(properties).unwrap_or_default();
        let etag = store.next_etag();
        let body = json!({"properties": properties});
        store.put(Entity {
            id: format!("{parent}/{collection}/{name}"),
            kind,
            type_name,
            body,
            etag,
        });
    }
}

/// How clients get to the server.
fn network(server: &Entity) -> Network {
    let private = server.body["properties"]["privateEndpointConnections"].as_array();
    let approved = private.into_iter().flatten().any(|connection| {
        connection["properties"]["privateLinkServiceConnectionState"]["status"] == "Approved"
    });
    Network {
        public_denied: server.property("publicNetworkAccess") != Some("Enabled"),
        private: approved,
    }
}

pub fn remove(estate: &Estate, store: &Store, key: &str) {
    identity::remove(estate, store, key);
    estate.sql.drop_server(server_name(key));
}

/// What a database has that its body does not say (`CreateDatabaseDefaultMode`).
pub fn check_database(
    estate: &Estate,
    current: Option<&Entity>,
    next: &mut Value,
) -> Result<(), ArmError> {
    hooks::complete(
        next,
        [
            ("location", json!("westeurope")),
            ("kind", json!("v12.0,user")),
            (
                "sku",
                json!({"name": "GP_S_Gen5", "tier": "GeneralPurpose", "family": "Gen5", "capacity": 1}),
            ),
        ],
    );
    let objective = next["sku"]["name"].clone();
    let sku = next["sku"].clone();
    let kept = |field: &str| current.and_then(|database| database.property(field));
    let id = kept("databaseId").map_or_else(ids::guid, str::to_owned);
    let created = kept("creationDate").map_or_else(|| estate.clock.iso(), str::to_owned);
    let properties = &mut next["properties"];
    for (field, value) in [
        ("earliestRestoreDate", json!(created)),
        ("status", json!("Online")),
        ("databaseId", json!(id)),
        ("creationDate", json!(created)),
        ("currentSku", sku),
        ("currentServiceObjectiveName", objective.clone()),
        ("requestedServiceObjectiveName", objective),
    ] {
        properties[field] = value;
    }
    hooks::complete(
        properties,
        [
            ("collation", json!("SQL_Latin1_General_CP1_CI_AS")),
            ("catalogCollation", json!("SQL_Latin1_General_CP1_CI_AS")),
            ("maxSizeBytes", json!(34_359_738_368_u64)),
            ("zoneRedundant", json!(false)),
            ("readScale", json!("Disabled")),
            ("isLedgerOn", json!(false)),
            ("isInfraEncryptionEnabled", json!(false)),
            ("defaultSecondaryLocation", json!("North Europe")),
            ("currentBackupStorageRedundancy", json!("Geo")),
            ("requestedBackupStorageRedundancy", json!("Geo")),
        ],
    );
    Ok(())
}

pub fn commit_database(estate: &Estate, store: &mut Store, entity: Entity) -> Result<(), ArmError> {
    let key = entity.key();
    estate.sql.create_database(server_name(&key), entity.name());
    let (id, is_new) = (entity.id.clone(), store.get(&key).is_none());
    store.put(entity);
    if is_new {
        put_children(store, &id, &DATABASE_CHILDREN);
    }
    Ok(())
}

/// A database of the same name begins without an audit, so this one's goes with it.
pub fn remove_database(estate: &Estate, key: &str) {
    let (server, name) = (server_name(key), name_of(key));
    estate.sql.drop_database(server, name);
    estate.sql.set_audit(server, Some(name), BTreeSet::new());
}

/// Whether the server's Entra-only flag is on.
pub fn entra_only(store: &Store, key: &str) -> bool {
    let flag = format!("{}/azureadonlyauthentications/default", server_key(key));
    store.get(&flag).is_some_and(|entity| {
        entity.kind == Kind::EntraOnly
            && entity.body["properties"]["azureADOnlyAuthentication"] == json!(true)
    })
}
