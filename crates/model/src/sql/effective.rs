//! What a principal can do in a database, computed from the catalogue: its own permissions, those
//! of every role it is in (nested), those of `public`, less what is denied.
//!
//! Rights of fixed roles do not appear in `sys.database_permissions`; membership in one is reported
//! as such instead of being taken apart (Microsoft SQL docs, "Database-level roles").

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{Catalogue, Permission, PermissionState, same_name};

/// `(permission, securable, column)` as T-SQL writes them, the permission in capitals and names in
/// lower case: two that the database takes for one are equal.
pub type Right = (String, String, Option<String>);

/// What a rule speaks of. Rights are compared only in this form, on the side of what is asked for
/// and of what is found alike.
pub fn right(rule: &Permission) -> Right {
    let column = rule.column.as_ref().map(|c| c.to_lowercase());
    (
        rule.permission.to_uppercase(),
        rule.on.folded().to_string(),
        column,
    )
}

/// The outcome: what is allowed beyond connecting, and the fixed roles that allow more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effective {
    pub allowed: BTreeSet<Right>,
    pub fixed_roles: BTreeSet<String>,
}

/// The effective rights of `principal`, `CONNECT` left out. What `public` holds counts only where
/// the database gave `public` more than a new database does: on schemas, the database and user
/// objects that this catalogue lists.
pub fn effective(catalogue: &Catalogue, principal: &str) -> Effective {
    let mine = with_roles(catalogue, principal);
    let mut states: BTreeMap<Right, bool> = BTreeMap::new();
    for p in &catalogue.permissions {
        if p.permission == "CONNECT" || !mine.contains(&p.to.to_lowercase()) {
            continue;
        }
        let denied = p.state == PermissionState::Deny;
        let entry = states.entry(right(p)).or_insert(denied);
        *entry |= denied;
    }
    let fixed = catalogue
        .principals
        .iter()
        .filter(|p| p.fixed && !same_name(&p.name, "public"));
    Effective {
        allowed: states
            .into_iter()
            .filter(|(_, denied)| !denied)
            .map(|(key, _)| key)
            .collect(),
        fixed_roles: fixed
            .filter(|p| mine.contains(&p.name.to_lowercase()))
            .map(|p| p.name.clone())
            .collect(),
    }
}

/// The principal, `public` and every role that it is in, directly or not, in lower case.
pub(crate) fn with_roles(catalogue: &Catalogue, principal: &str) -> BTreeSet<String> {
    let mut mine = BTreeSet::from([principal.to_lowercase(), "public".to_owned()]);
    loop {
        let before = mine.len();
        for (role, member) in &catalogue.memberships {
            if mine.contains(&member.to_lowercase()) {
                mine.insert(role.to_lowercase());
            }
        }
        if mine.len() == before {
            return mine;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Securable;

    fn rule(permission: &str, to: &str, state: PermissionState) -> Permission {
        let on = Securable::Schema("dbo".into());
        Permission {
            permission: permission.into(),
            on,
            column: None,
            to: to.into(),
            state,
        }
    }

    #[test]
    fn rights_come_through_nested_roles_and_a_deny_wins() {
        let mut catalogue = Catalogue::default();
        catalogue.memberships.insert(("inner".into(), "me".into()));
        catalogue
            .memberships
            .insert(("Outer".into(), "INNER".into()));
        catalogue
            .permissions
            .insert(rule("SELECT", "outer", PermissionState::Grant));
        catalogue
            .permissions
            .insert(rule("DELETE", "outer", PermissionState::Grant));
        catalogue
            .permissions
            .insert(rule("DELETE", "public", PermissionState::Deny));
        catalogue
            .permissions
            .insert(rule("INSERT", "other", PermissionState::Grant));
        let found = effective(&catalogue, "Me");
        let words: Vec<&str> = found.allowed.iter().map(|(p, _, _)| p.as_str()).collect();
        assert_eq!(words, ["SELECT"]);
    }

    #[test]
    fn an_owner_connects_without_a_grant_until_it_is_denied() {
        let connect = |to: &str, state| Permission {
            on: Securable::Database,
            ..rule("CONNECT", to, state)
        };
        let mut catalogue = Catalogue::default();
        assert!(!catalogue.may_connect("me"));
        catalogue
            .memberships
            .insert(("db_owner".into(), "team".into()));
        catalogue.memberships.insert(("team".into(), "Me".into()));
        assert!(catalogue.may_connect("me"));
        catalogue
            .permissions
            .insert(connect("ME", PermissionState::Deny));
        assert!(!catalogue.may_connect("me"));
        assert!(catalogue.may_connect("team"));
        let control = Permission {
            permission: "CONTROL".into(),
            ..connect("other", PermissionState::Grant)
        };
        catalogue.permissions.insert(control);
        assert!(catalogue.may_connect("other"));
    }

    #[test]
    fn names_in_another_case_are_the_same_right() {
        let on = |name: &str, column: &str| {
            let on = Securable::Object {
                schema: "Dbo".into(),
                name: name.into(),
            };
            let column = Some(column.to_owned());
            let permission = "select".into();
            Permission {
                permission,
                on,
                column,
                ..rule("", "me", PermissionState::Grant)
            }
        };
        assert_eq!(right(&on("Größe", "ID")), right(&on("GRÖßE", "id")));
        let mut catalogue = Catalogue::default();
        catalogue.permissions.insert(on("Orders", "Id"));
        let asked = BTreeSet::from([right(&on("orders", "id"))]);
        assert_eq!(effective(&catalogue, "me").allowed, asked);
    }
}
