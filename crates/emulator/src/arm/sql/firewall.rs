//! Firewall rules of a server. T-SQL in `master` sees and changes the same set
//! (`sys.firewall_rules`), so the emulated SQL holds them, and the entities here follow it.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{server_key, server_name};
use crate::arm::error::ArmError;
use crate::arm::hooks;
use crate::arm::kind::{self, Kind};
use crate::arm::store::{Entity, Store};
use crate::arm::target::Target;
use crate::estate::Estate;
use crate::http::Response;
use crate::sql::FirewallRule;

pub fn check(next: &Value) -> Result<(), ArmError> {
    range(&next["properties"]).map(|_| ())
}

fn range(properties: &Value) -> Result<(Ipv4Addr, Ipv4Addr), ArmError> {
    let address = |field: &str| {
        let text = properties[field].as_str().unwrap_or_default();
        let parsed = text.parse::<Ipv4Addr>();
        parsed.map_err(|_| refused(format!("Invalid value given for parameter {field}.")))
    };
    let (start, end) = (address("startIpAddress")?, address("endIpAddress")?);
    if start > end {
        return Err(refused(
            "The start IP address is greater than the end IP address.",
        ));
    }
    Ok((start, end))
}

fn refused(message: impl Into<String>) -> ArmError {
    ArmError::new(400, "InvalidParameterValue", message)
}

pub fn commit(estate: &Estate, store: &mut Store, entity: Entity) -> Result<(), ArmError> {
    let key = entity.key();
    let (start, end) = range(&entity.body["properties"])?;
    estate
        .sql
        .set_firewall_rule(server_name(&key), entity.name(), start, end)
        .map_err(|error| refused(error.message))?;
    store.put(entity);
    Ok(())
}

pub fn remove(estate: &Estate, store: &Store, key: &str) {
    if let Some(entity) = store.get(key) {
        let server = server_name(key);
        estate.sql.delete_firewall_rule(server, entity.name());
    }
}

/// Makes the entities of a server what T-SQL has made of its rules.
pub fn catch_up(estate: &Estate, store: &mut Store, key: &str) {
    let server = server_key(key);
    let Some(id) = store.get(&server).map(|entity| entity.id.clone()) else {
        return;
    };
    let rules = estate.sql.firewall_rules(server_name(key));
    let gone: Vec<String> = store
        .list(&format!("{server}/firewallrules"))
        .into_iter()
        .filter(|entity| !rules.iter().any(|rule| same(&rule.name, entity.name())))
        .map(Entity::key)
        .collect();
    for key in gone {
        store.remove(&key);
    }
    for rule in &rules {
        let entity = entity(store, &id, rule);
        let known = store.get(&entity.key());
        if known.is_none_or(|known| known.body["properties"] != entity.body["properties"]) {
            store.put(entity);
        }
    }
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

fn entity(store: &mut Store, server: &str, rule: &FirewallRule) -> Entity {
    let found = kind::lookup("Microsoft.Sql/servers/firewallRules");
    let (kind, type_name) = found.unwrap_or((Kind::FirewallRule, "firewallRules"));
    let start = rule.start.to_string();
    let end = rule.end.to_string();
    Entity {
        id: format!("{server}/firewallRules/{}", rule.name),
        kind,
        type_name,
        body: json!({"properties": {"startIpAddress": start, "endIpAddress": end}}),
        etag: store.next_etag(),
    }
}

/// PUT on the collection: the rules of the body are all that stay (azure-facts A.4).
pub fn replace_all(
    estate: &Estate,
    store: &mut Store,
    target: &Target,
    body: &Value,
) -> Result<Response, ArmError> {
    crate::arm::write::require_parent(store, target)?;
    let values = body["values"].as_array();
    let values = values.ok_or_else(|| refused("Invalid value given for parameter values."))?;
    let mut rules = Vec::new();
    for value in values {
        let name = value["name"].as_str().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| refused("Invalid value given for parameter name."))?;
        rules.push((name, range(&value["properties"])?));
    }
    let server = server_name(&target.key).to_owned();
    for rule in estate.sql.firewall_rules(&server) {
        estate.sql.delete_firewall_rule(&server, &rule.name);
    }
    for (name, (start, end)) in rules {
        estate
            .sql
            .set_firewall_rule(&server, name, start, end)
            .map_err(|error| refused(error.message))?;
    }
    catch_up(estate, store, &target.key);
    let items: Vec<Value> = store
        .list(&target.key)
        .into_iter()
        .map(|entity| hooks::view(estate, store, entity, None))
        .collect();
    Ok(Response::json(200, &json!({"value": items})))
}
