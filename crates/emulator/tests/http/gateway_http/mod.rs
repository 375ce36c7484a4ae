//! A call of an HTTP API succeeds exactly while its path to the service holds: routing, policies,
//! credentials, and the service's own decision.

mod callers;
mod credentials;
mod policies;
mod routing;

use super::support::{Answer, SERVICE, World, start_with};
use keyless_emulator::CredentialKind;
use serde_json::{Value, json};

const HOST: &str = "harbour.azure-api.localhost";
const TUG: &str = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/tug";

async fn start() -> World {
    start_with(include_str!("../../seeds/gateway.yaml")).await
}

async fn call(world: &World, verb: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    world.send(verb, HOST, path, headers, "").await.unwrap()
}

async fn get(world: &World, path: &str) -> Answer {
    call(world, "GET", path, &[]).await
}

/// Writes an entity of the service and waits for the end of its operation.
async fn put(world: &World, path: &str, body: Value) {
    let path = format!("{SERVICE}{path}");
    let answer = world.arm("PUT", &path, &[], &body).await;
    assert!(answer.status < 300, "{path}: {}", answer.text);
    if answer.header("Location").is_some() {
        world.finish(&answer, "Location").await;
    }
}

/// Puts a whole policy document at a scope.
async fn document(world: &World, scope: &str, value: &str) {
    let body = json!({"properties": {"format": "rawxml", "value": value}});
    put(world, &format!("{scope}/policies/policy"), body).await;
}

/// Puts a policy whose inbound section inherits and then does this.
async fn inbound(world: &World, scope: &str, elements: &str) {
    let value = format!("<policies><inbound><base />{elements}</inbound></policies>");
    document(world, scope, &value).await;
}

async fn identity(world: &World, body: Value) {
    let accepted = world
        .arm("PATCH", SERVICE, &[], &json!({"identity": body}))
        .await;
    world.finish(&accepted, "Location").await;
}

fn last(world: &World) -> Vec<CredentialKind> {
    world.emulator.calls("tides.localhost").last
}

fn set_header(name: &str, value: &str) -> String {
    format!("<set-header name=\"{name}\"><value>{value}</value></set-header>")
}

const BY_IDENTITY: &str = "<authentication-managed-identity resource=\"api://tides\" />";
