//! Checked documents to the model, with defaults filled in.
//!
//! Every function gives `None` where a check has let something through that it should not have;
//! the caller reports that as an error, so nothing is ever guessed or left out.

mod access;

use std::collections::BTreeSet;

use keyless_model::sql::{Permission, PermissionState};
use keyless_model::{
    Address, ArmId, Desired, EntraAdmin, Gateway, NamedValue, Owned, Policy, PolicyScope, Resolver,
    Sid, SqlDatabase, SqlGrant, SqlRole, SqlServer, SqlUser, UserSid, ValueSource,
};
use serde_json::{Map, Value as Json};

use crate::document::Document;
use crate::node::{Node, Value};
use crate::scalar::{Meaning, Scalar};

/// Adds one document. `policy` is the text of the policy it names.
pub(crate) fn add(
    desired: &mut Desired,
    document: &Document<'_>,
    policy: Option<String>,
) -> Option<()> {
    let name = document.name.to_owned();
    match document.kind.name {
        "Gateway" => drop(desired.gateways.insert(name, gateway(document)?)),
        "SqlServer" => drop(desired.servers.insert(name, server(document)?)),
        "SqlDatabase" => drop(desired.databases.insert(name, sql_database(document)?)),
        "NamedValue" => drop(desired.named_values.insert(name, named_value(document)?)),
        "Policy" => drop(
            desired
                .policies
                .insert(name, self::policy(document, policy?)?),
        ),
        "Resolver" => drop(desired.resolvers.insert(name, resolver(document, policy)?)),
        "SqlUser" => drop(desired.users.insert(name, user(document)?)),
        "SqlRole" => drop(desired.roles.insert(name, role(document)?)),
        "SqlGrant" => drop(desired.grants.insert(name, grant(document)?)),
        "Access" => drop(desired.accesses.insert(name, access::access(document)?)),
        _ => return None,
    }
    Some(())
}

fn gateway(document: &Document<'_>) -> Option<Gateway> {
    let spec = document.spec;
    let owned = |node: &Node| match node.text()? {
        "namedValues" => Some(Owned::NamedValues),
        "policies" => Some(Owned::Policies),
        _ => None,
    };
    Some(Gateway {
        span: document.span(),
        id: ArmId::parse(document.text("id")?).ok()?,
        system_identity: spec
            .get("identity")
            .is_some_and(|i| flag(i, "system", false)),
        owns: spec
            .get("owns")
            .map_or(&[][..], Node::items)
            .iter()
            .map(owned)
            .collect::<Option<_>>()?,
        prune: flag(spec, "prune", false),
    })
}

fn server(document: &Document<'_>) -> Option<SqlServer> {
    let admin = match document.spec.get("entraAdmin") {
        Some(node) => Some(EntraAdmin {
            login: string(node, "login")?,
            object_id: string(node, "sid")?.to_lowercase(),
            principal_type: string(node, "principalType").unwrap_or_else(|| "Group".to_owned()),
        }),
        None => None,
    };
    Some(SqlServer {
        span: document.span(),
        id: ArmId::parse(document.text("id")?).ok()?,
        entra_admin: admin,
        entra_only: document.spec.get("entraOnly").map(|_| true),
        properties: document
            .spec
            .get("properties")
            .map_or_else(|| Some(Map::new()), body)?,
    })
}

fn sql_database(document: &Document<'_>) -> Option<SqlDatabase> {
    let spec = document.spec;
    let exclusive = flag(spec, "exclusive", false);
    Some(SqlDatabase {
        span: document.span(),
        server: string(spec, "server")?,
        name: document.own_name().to_owned(),
        owns: exclusive || flag(spec, "owns", false),
        exclusive,
        keep: spec.get("keep").map_or(Some(BTreeSet::new()), texts)?,
    })
}

fn named_value(document: &Document<'_>) -> Option<NamedValue> {
    let spec = document.spec;
    let value_from = match spec.get("valueFrom") {
        Some(node) => Some(ValueSource::Environment(string(node, "env")?)),
        None => None,
    };
    Some(NamedValue {
        span: document.span(),
        gateway: string(spec, "gateway")?,
        name: document.own_name().to_owned(),
        properties: body(spec.get("properties")?)?,
        value_from,
    })
}

fn policy(document: &Document<'_>, text: String) -> Option<Policy> {
    let spec = document.spec;
    let scope = spec.get("scope")?;
    let scope = match (string(scope, "api"), string(scope, "operation")) {
        (None, None) => PolicyScope::Service,
        (Some(api), None) => PolicyScope::Api(api),
        (Some(api), Some(operation)) => PolicyScope::Operation { api, operation },
        (None, Some(_)) => return None,
    };
    Some(Policy {
        span: document.span(),
        gateway: string(spec, "gateway")?,
        scope,
        text,
    })
}

fn resolver(document: &Document<'_>, policy: Option<String>) -> Option<Resolver> {
    let spec = document.spec;
    if spec.get("policy").is_some() && policy.is_none() {
        return None;
    }
    Some(Resolver {
        span: document.span(),
        gateway: string(spec, "gateway")?,
        api: string(spec, "api")?,
        name: document.own_name().to_owned(),
        properties: spec
            .get("properties")
            .map_or_else(|| Some(Map::new()), body)?,
        policy,
    })
}

fn user(document: &Document<'_>) -> Option<SqlUser> {
    let id = document
        .text("clientId")
        .or_else(|| document.text("objectId"));
    let sid = match (id, document.text("gateway")) {
        (Some(id), None) => UserSid::Known(Sid::from_guid(id).ok()?),
        (None, Some(gateway)) => UserSid::Gateway(gateway.to_owned()),
        _ => return None,
    };
    Some(SqlUser {
        span: document.span(),
        database: database(document)?,
        name: document.own_name().to_owned(),
        sid,
        group: document.text("type") == Some("group"),
    })
}

fn role(document: &Document<'_>) -> Option<SqlRole> {
    let members = match document.spec.get("members") {
        Some(node) => Some(texts(node)?),
        None => None,
    };
    Some(SqlRole {
        span: document.span(),
        database: database(document)?,
        name: document.own_name().to_owned(),
        members,
    })
}

fn grant(document: &Document<'_>) -> Option<SqlGrant> {
    let spec = document.spec;
    let deny = string(spec, "state").as_deref() == Some("deny");
    let rule = Permission {
        permission: string(spec, "permission")?.to_uppercase(),
        on: string(spec, "on")?.parse().ok()?,
        column: string(spec, "column"),
        to: string(spec, "to")?,
        state: if deny {
            PermissionState::Deny
        } else {
            PermissionState::Grant
        },
    };
    Some(SqlGrant {
        span: document.span(),
        database: database(document)?,
        rule,
    })
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
