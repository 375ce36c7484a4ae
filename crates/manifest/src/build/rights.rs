//! Who may do what, and from where: users, roles and grants of a database, roles of Azure,
//! firewall rules.

use keyless_model::sql::{FirewallRule, Permission, PermissionState};
use keyless_model::{
    Address, DatabaseRule, Principal, Resource, RoleAssignment, Sid, SqlGrant, SqlRole, SqlUser,
    UserSid, built_in_role,
};
use serde_json::Map;

use super::{database, string, texts};
use crate::document::Document;

pub(super) fn user(document: &Document<'_>) -> Option<SqlUser> {
    let id = document
        .text("clientId")
        .or_else(|| document.text("objectId"));
    let parts = (id, document.text("gateway"), document.text("identity"));
    let sid = match parts {
        (Some(id), None, None) => UserSid::Known(Sid::from_guid(id).ok()?),
        (None, Some(gateway), None) => UserSid::Gateway(gateway.to_owned()),
        (None, None, Some(identity)) => UserSid::Identity(identity.to_owned()),
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

pub(super) fn role(document: &Document<'_>) -> Option<SqlRole> {
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

pub(super) fn grant(document: &Document<'_>) -> Option<SqlGrant> {
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

pub(super) fn role_assignment(document: &Document<'_>) -> Option<RoleAssignment> {
    let spec = document.spec;
    let role = document.text("role")?;
    let principal = spec.get("principal")?;
    let parts = ["gateway", "identity", "objectId"].map(|key| string(principal, key));
    let principal = match parts {
        [Some(gateway), None, None] => Principal::Gateway(gateway),
        [None, Some(identity), None] => Principal::Identity(identity),
        [None, None, Some(object_id)] => Principal::Known {
            object_id: object_id.to_lowercase(),
            principal_type: string(principal, "principalType")?,
        },
        _ => return None,
    };
    Some(RoleAssignment {
        span: document.span(),
        scope: string(spec, "scope")?,
        role: built_in_role(role).map_or_else(|| role.to_lowercase(), str::to_owned),
        principal,
    })
}

/// A firewall rule of a server, which is a resource of ARM, or of one database.
pub(super) enum Rule {
    Server(Resource),
    Database(DatabaseRule),
}

pub(super) fn firewall_rule(document: &Document<'_>) -> Option<Rule> {
    let spec = document.spec;
    let (start, end) = (
        string(spec, "startIpAddress")?,
        string(spec, "endIpAddress")?,
    );
    let name = document.own_name();
    if spec.get("database").is_some() {
        let rule = FirewallRule {
            name: name.to_owned(),
            start,
            end,
        };
        return Some(Rule::Database(DatabaseRule {
            span: document.span(),
            database: database(document)?,
            rule,
        }));
    }
    let properties = [("startIpAddress", start), ("endIpAddress", end)];
    Some(Rule::Server(Resource {
        span: document.span(),
        kind: document.kind.name,
        document: document.name.to_owned(),
        address: Address::server(document.text("server")?).child("firewallRule", name),
        properties: properties
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.into()))
            .collect::<Map<_, _>>(),
    }))
}
