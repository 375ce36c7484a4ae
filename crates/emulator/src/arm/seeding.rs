//! Puts a seed's resources through the checks of a request, parents first.

use serde_json::{Value, json};

use super::error::ArmError;
use super::kind::Kind;
use super::store::Store;
use super::target::{self, Shape, Target};
use super::{apim, authorization, hooks, write};
use crate::estate::Estate;
use crate::seed::{ResourceSeed, Seed, SeedError};

/// Stores every resource of the seed, then the databases and scripts of its SQL servers.
pub fn put_all(estate: &Estate, seed: &Seed) -> Result<(), SeedError> {
    let mut store = estate.store();
    let mut resources = Vec::new();
    for resource in &seed.resources {
        let target = parse(&store, &resource.id).map_err(|error| refused(&resource.id, &error))?;
        resources.push((rank(&target, &resource.body), target.key, resource));
    }
    resources.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    for (_, _, resource) in resources {
        let body = with_password(seed, resource)?;
        put(estate, &mut store, &resource.id, body)
            .map_err(|error| refused(&resource.id, &error))?;
    }
    settle(estate, &mut store);
    for server in &seed.sql {
        let id = server_id(&store, &server.server)?;
        estate
            .sql
            .set_directory_reader(&server.server, server.directory_reader);
        estate
            .sql
            .set_client_address(&server.server, server.client_address);
        for database in &server.databases {
            let id = format!("{id}/databases/{}", database.name);
            if store.get(&id.to_lowercase()).is_none() {
                put(estate, &mut store, &id, json!({})).map_err(|error| refused(&id, &error))?;
            }
            if database.script.trim().is_empty() {
                continue;
            }
            let ran = estate
                .sql
                .run_script(&server.server, &database.name, &database.script);
            ran.map_err(|error| SeedError::Script {
                server: server.server.clone(),
                database: database.name.clone(),
                message: error.to_string(),
            })?;
        }
    }
    Ok(())
}

/// What a seed assigns has been so for long, and references have been fetched under it.
fn settle(estate: &Estate, store: &mut Store) {
    authorization::assignment::settle(store);
    apim::named_value::refresh_all(estate, store);
}

fn parse(store: &Store, id: &str) -> Result<Target, ArmError> {
    let segments: Vec<String> = id
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(str::to_owned)
        .collect();
    if segments.is_empty() {
        return Err(ArmError::new(400, "InvalidResourceId", "The id is empty."));
    }
    let target = target::parse(store, "PUT", &segments)?;
    if target.shape == Shape::Item {
        return Ok(target);
    }
    Err(ArmError::new(
        400,
        "InvalidResourceId",
        "The id is not that of one resource.",
    ))
}

fn put(estate: &Estate, store: &mut Store, id: &str, body: Value) -> Result<(), ArmError> {
    let target = parse(store, id)?;
    write::require_parent(store, &target)?;
    apim::tier::check(store, &target)?;
    let change = write::prepare(estate, store, &target, body, false)?;
    hooks::commit(estate, store, change)?;
    // Whoever a seed brings along has long been known.
    estate.directory.settle();
    Ok(())
}

fn refused(id: &str, error: &ArmError) -> SeedError {
    let details: String = error
        .details
        .iter()
        .map(|(target, text)| format!(" {target}: {text}"))
        .collect();
    SeedError::Resource {
        id: id.to_owned(),
        code: error.code.clone(),
        message: format!("{}{details}", error.message),
    }
}

/// Only what a seed says about a SQL server outside of `resources` holds its password.
fn with_password(seed: &Seed, resource: &ResourceSeed) -> Result<Value, SeedError> {
    let mut body = resource.body.clone();
    let segments: Vec<&str> = resource.id.trim_matches('/').split('/').collect();
    let [.., types, name] = segments.as_slice() else {
        return Ok(body);
    };
    if segments.len() != 8 || !types.eq_ignore_ascii_case("servers") {
        return Ok(body);
    }
    let server = seed
        .sql
        .iter()
        .find(|server| server.server.eq_ignore_ascii_case(name));
    let server = server.ok_or_else(|| SeedError::UnknownServer {
        server: (*name).to_owned(),
    })?;
    if body.is_null() {
        body = json!({});
    }
    if body["properties"].is_null() {
        body["properties"] = json!({});
    }
    body["properties"]["administratorLoginPassword"] = json!(server.admin_password);
    if server.private_endpoint && body["properties"]["privateEndpointConnections"].is_null() {
        body["properties"]["privateEndpointConnections"] = json!([private_endpoint(&resource.id)]);
    }
    Ok(body)
}

/// An approved private endpoint as a server's body shows it.
fn private_endpoint(server: &str) -> Value {
    json!({
        "id": format!("{server}/privateEndpointConnections/seed"),
        "properties": {
            "privateLinkServiceConnectionState": {"status": "Approved"},
            "provisioningState": "Ready",
        },
    })
}

fn server_id(store: &Store, name: &str) -> Result<String, SeedError> {
    store
        .all()
        .find(|entity| entity.kind == Kind::SqlServer && entity.name().eq_ignore_ascii_case(name))
        .map(|entity| entity.id.clone())
        .ok_or_else(|| SeedError::UnknownServer {
            server: name.to_owned(),
        })
}

/// What has to exist first. A pool comes after the backends that it names, a revision after all
/// that it may copy.
fn rank(target: &Target, body: &Value) -> u32 {
    let base = match target.kind {
        Kind::UserIdentity => 0,
        Kind::Service | Kind::SqlServer => 1,
        Kind::NamedValue | Kind::Database => 2,
        Kind::Backend if body["properties"]["pool"].is_object() => 4,
        Kind::Backend | Kind::Administrator => 3,
        Kind::Fragment | Kind::EntraOnly => 5,
        Kind::Api | Kind::Product => 6,
        Kind::Policy => 8,
        Kind::Subscription | Kind::Link => 9,
        Kind::Release => 20,
        _ => 7,
    };
    base + if target.key.contains(";rev=") && target.kind != Kind::Release {
        10
    } else {
        0
    }
}
