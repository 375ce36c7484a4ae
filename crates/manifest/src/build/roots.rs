//! Services and identities.

use std::collections::BTreeSet;

use keyless_model::{ArmId, EntraAdmin, Gateway, ManagedIdentity, Owned, SqlDatabase, SqlServer};

use super::{body, flag, properties, string, texts};
use crate::document::Document;
use crate::node::Node;

pub(super) fn gateway(document: &Document<'_>) -> Option<Gateway> {
    let spec = document.spec;
    let identity = spec.get("identity");
    let owned = |node: &Node| match node.text()? {
        "namedValues" => Some(Owned::NamedValues),
        "backends" => Some(Owned::Backends),
        "apis" => Some(Owned::Apis),
        "policies" => Some(Owned::Policies),
        "fragments" => Some(Owned::Fragments),
        _ => None,
    };
    let owns = spec.get("owns").map_or(&[][..], Node::items);
    Some(Gateway {
        span: document.span(),
        id: id(document)?,
        system_identity: identity.is_some_and(|i| flag(i, "system", false)),
        user_identities: identity
            .and_then(|i| i.get("user"))
            .map_or(Some(BTreeSet::new()), texts)?,
        owns: owns.iter().map(owned).collect::<Option<_>>()?,
        prune: flag(spec, "prune", false),
    })
}

pub(super) fn server(document: &Document<'_>) -> Option<SqlServer> {
    let spec = document.spec;
    let admin = match spec.get("entraAdmin") {
        Some(node) => Some(EntraAdmin {
            login: string(node, "login")?,
            object_id: string(node, "sid")?.to_lowercase(),
            principal_type: string(node, "principalType").unwrap_or_else(|| "Group".to_owned()),
        }),
        None => None,
    };
    Some(SqlServer {
        span: document.span(),
        id: id(document)?,
        entra_admin: admin,
        entra_only: spec.get("entraOnly").map(|_| true),
        partners: spec.get("partners").map_or(Some(BTreeSet::new()), texts)?,
        auditing: match spec.get("auditing") {
            Some(node) => Some(body(node)?),
            None => None,
        },
        // `firewallRules` is the only word.
        owns_firewall: spec.get("owns").is_some_and(|o| !o.items().is_empty()),
        prune: flag(spec, "prune", false),
        properties: properties(spec)?,
    })
}

pub(super) fn database(document: &Document<'_>) -> Option<SqlDatabase> {
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

pub(super) fn identity(document: &Document<'_>) -> Option<ManagedIdentity> {
    Some(ManagedIdentity {
        span: document.span(),
        id: id(document)?,
    })
}

fn id(document: &Document<'_>) -> Option<ArmId> {
    ArmId::parse(document.text("id")?).ok()
}
