//! Logical servers, their databases and firewall rules.

use serde_json::{Value, json};

use super::{server_key, server_name};
use crate::arm::error::ArmError;
use crate::arm::kind::{self, Kind};
use crate::arm::store::{Entity, Store, name_of};
use crate::arm::target::Target;
use crate::arm::{hooks, identity};
use crate::estate::Estate;
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
    put_children(store, &id);
    Ok(())
}

/// What every server has from its beginning.
fn put_children(store: &mut Store, server: &str) {
    for (child, properties) in [
        ("databases/master", json!({"status": "Online"})),
        (
            "azureADOnlyAuthentications/Default",
            json!({"azureADOnlyAuthentication": false}),
        ),
        (
            "extendedAuditingSettings/default",
            json!({"state": "Disabled", "isAzureMonitorTargetEnabled": false}),
        ),
        (
            "connectionPolicies/default",
            json!({"connectionType": "Default"}),
        ),
    ] {
        let collection = child.split('/').next().unwrap_or_default();
        let Some((kind, type_name)) = kind::lookup(&format!("Microsoft.Sql/servers/{collection}"))
        else {
            continue;
        };
        let etag = store.next_etag();
        let body = json!({"properties": properties});
        store.put(Entity {
            id: format!("{server}/{child}"),
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

pub fn check_database(next: &mut Value) -> Result<(), ArmError> {
    if !next["location"].is_string() {
        next["location"] = json!("westeurope");
    }
    next["properties"]["status"] = json!("Online");
    if next["properties"]["collation"].is_null() {
        next["properties"]["collation"] = json!("SQL_Latin1_General_CP1_CI_AS");
    }
    Ok(())
}

pub fn commit_database(estate: &Estate, store: &mut Store, entity: Entity) -> Result<(), ArmError> {
    estate
        .sql
        .create_database(server_name(&entity.key()), entity.name());
    store.put(entity);
    Ok(())
}

pub fn remove_database(estate: &Estate, key: &str) {
    estate.sql.drop_database(server_name(key), name_of(key));
}

/// Whether the server's Entra-only flag is on.
pub fn entra_only(store: &Store, key: &str) -> bool {
    let flag = format!("{}/azureadonlyauthentications/default", server_key(key));
    store.get(&flag).is_some_and(|entity| {
        entity.kind == Kind::EntraOnly
            && entity.body["properties"]["azureADOnlyAuthentication"] == json!(true)
    })
}
