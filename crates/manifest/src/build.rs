//! Checked documents to the model, with defaults filled in.
//!
//! Every function gives `None` where a check has let something through that it should not have;
//! the caller reports that as an error, so nothing is ever guessed or left out.

mod access;
mod gateway;
mod rights;
mod roots;

use keyless_model::{Address, Desired, Resource};
use serde_json::{Map, Value as Json};

use crate::document::Document;
use crate::node::{Node, Value};
use crate::scalar::{Meaning, Scalar};
use rights::Rule;

pub(crate) use access::callers;

/// Adds one document. `policy` is the text of the policy it names.
pub(crate) fn add(
    desired: &mut Desired,
    document: &Document<'_>,
    policy: Option<String>,
) -> Option<()> {
    let d = document;
    let name = d.name.to_owned();
    match d.kind.name {
        "Gateway" => drop(desired.gateways.insert(name, roots::gateway(d)?)),
        "SqlServer" => drop(desired.servers.insert(name, roots::server(d)?)),
        "SqlDatabase" => drop(desired.databases.insert(name, roots::database(d)?)),
        "ManagedIdentity" => drop(desired.identities.insert(name, roots::identity(d)?)),
        "NamedValue" => drop(desired.named_values.insert(name, gateway::named_value(d)?)),
        "Policy" => drop(desired.policies.insert(name, gateway::policy(d, policy?)?)),
        // Fragments and policies share a map, and may share a document's name.
        "PolicyFragment" => drop(
            desired
                .policies
                .insert(format!("fragment/{name}"), gateway::fragment(d, policy?)?),
        ),
        "Resolver" => drop(
            desired
                .resolvers
                .insert(name, gateway::resolver(d, policy)?),
        ),
        "Backend" | "Api" | "Operation" | "Product" => keep(desired, gateway::resource(d)?),
        "SqlUser" => drop(desired.users.insert(name, rights::user(d)?)),
        "SqlRole" => drop(desired.roles.insert(name, rights::role(d)?)),
        "SqlGrant" => drop(desired.grants.insert(name, rights::grant(d)?)),
        "RoleAssignment" => drop(
            desired
                .role_assignments
                .insert(name, rights::role_assignment(d)?),
        ),
        "FirewallRule" => match rights::firewall_rule(d)? {
            Rule::Server(resource) => keep(desired, resource),
            Rule::Database(rule) => drop(desired.database_rules.insert(name, rule)),
        },
        "Access" => {
            if d.spec.get("callers").is_some() {
                let callers = callers(d)?;
                desired.callers.insert(name.clone(), callers);
            }
            match access::is_http(d) {
                true => drop(desired.http_accesses.insert(name, access::http(d)?)),
                false => drop(desired.accesses.insert(name, access::access(d)?)),
            }
        }
        _ => return None,
    }
    Some(())
}

fn keep(desired: &mut Desired, resource: Resource) {
    desired.resources.insert(resource.address.clone(), resource);
}

fn database(document: &Document<'_>) -> Option<Address> {
    Some(Address::database(
        document.text("server")?,
        document.text("database")?,
    ))
}

fn string(node: &Node, key: &str) -> Option<String> {
    node.get(key).and_then(Node::text).map(str::to_owned)
}

fn flag(node: &Node, key: &str, default: bool) -> bool {
    node.get(key)
        .and_then(Node::scalar)
        .and_then(Scalar::as_bool)
        .unwrap_or(default)
}

/// A list of texts, in any collection.
fn texts<C: FromIterator<String>>(node: &Node) -> Option<C> {
    node.items()
        .iter()
        .map(|item| item.text().map(str::to_owned))
        .collect()
}

/// The managed part of an ARM body: nothing where it is left out.
fn properties(spec: &Node) -> Option<Map<String, Json>> {
    spec.get("properties")
        .map_or_else(|| Some(Map::new()), body)
}

fn body(node: &Node) -> Option<Map<String, Json>> {
    match json(node)? {
        Json::Object(map) => Some(map),
        _ => None,
    }
}

pub(crate) fn json(node: &Node) -> Option<Json> {
    Some(match &node.value {
        Value::Scalar(scalar) => match scalar.meaning() {
            Meaning::Text(text) => text.into(),
            Meaning::Number(number) => number.into(),
            Meaning::Bool(value) => value.into(),
            Meaning::Null => Json::Null,
            Meaning::Unclear => return None,
        },
        Value::List(items) => Json::Array(items.iter().map(json).collect::<Option<_>>()?),
        Value::Map(entries) => {
            let pairs = entries
                .iter()
                .map(|e| Some((e.key.clone(), json(&e.node)?)));
            Json::Object(pairs.collect::<Option<_>>()?)
        }
        Value::Refused => return None,
    })
}
