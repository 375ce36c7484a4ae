//! What an Access asks for, as permissions of its role.

use std::collections::BTreeSet;

use keyless_model::sql::{Catalogue, Permission, PermissionState, Securable, right, same_name};
use keyless_model::{Access, Role};

/// The permissions that the role of `access` has, and no other, with schemas spelled as the
/// database spells them: rights are compared with what it gives back.
pub(crate) fn rules(access: &Access, catalogue: &Catalogue) -> Vec<Permission> {
    asked(access)
        .iter()
        .map(|rule| spelled(rule, catalogue))
        .collect()
}

/// The rule with its schema spelled as the database spells it.
pub(crate) fn spelled(rule: &Permission, catalogue: &Catalogue) -> Permission {
    let mut rule = rule.clone();
    if let Securable::Schema(name) | Securable::Object { schema: name, .. } = &mut rule.on
        && let Some(own) = catalogue.schemas.keys().find(|own| same_name(own, name))
    {
        own.clone_into(name);
    }
    rule
}

fn asked(access: &Access) -> Vec<Permission> {
    let words: &[&str] = match access.role {
        Role::Reader => &["SELECT"],
        Role::Writer => &["SELECT", "INSERT", "UPDATE", "DELETE"],
        Role::Executor => &["EXECUTE"],
        Role::Custom => return custom(access),
    };
    let mut out = Vec::new();
    for schema in &access.schemas {
        for word in words {
            out.push(Permission {
                permission: (*word).to_owned(),
                on: Securable::Schema(schema.clone()),
                column: None,
                to: access.role_name(),
                state: PermissionState::Grant,
            });
        }
    }
    out
}

fn custom(access: &Access) -> Vec<Permission> {
    let mut out = Vec::new();
    for grant in &access.grants {
        let columns: Vec<Option<String>> = if grant.columns.is_empty() {
            vec![None]
        } else {
            grant.columns.iter().cloned().map(Some).collect()
        };
        for column in columns {
            out.push(Permission {
                permission: grant.permission.to_uppercase(),
                on: grant.on.clone(),
                column,
                to: access.role_name(),
                state: if grant.deny {
                    PermissionState::Deny
                } else {
                    PermissionState::Grant
                },
            });
        }
    }
    out
}

/// Rights as [`keyless_model::sql::effective`] gives them.
pub(crate) type Rights = BTreeSet<(String, String, Option<String>)>;

/// What these rules allow: grants that no deny among them takes back.
pub(crate) fn allowed<'a>(rules: impl IntoIterator<Item = &'a Permission>) -> Rights {
    let mut granted = Rights::new();
    let mut denied = Rights::new();
    for rule in rules {
        match rule.state {
            PermissionState::Deny => denied.insert(right(rule)),
            _ => granted.insert(right(rule)),
        };
    }
    granted.difference(&denied).cloned().collect()
}

/// A right as people read it.
pub(crate) fn word(right: &(String, String, Option<String>)) -> String {
    let (permission, on, column) = right;
    match column {
        Some(column) => format!("{permission} on {on}({column})"),
        None => format!("{permission} on {on}"),
    }
}
