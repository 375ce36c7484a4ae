//! What one read of a database brings back: principals, memberships, permissions, schemas,
//! security policies. Columns: Microsoft SQL docs, `sys.database_principals`,
//! `sys.database_role_members`, `sys.database_permissions`, `sys.schemas`, `sys.security_policies`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::effective::with_roles;
use super::securable::Securable;
use crate::sid::Sid;

/// `sys.database_principals.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PrincipalKind {
    /// `S`: a user with a password of its own, or of a login.
    SqlUser,
    /// `E`: an Entra user, application or managed identity.
    ExternalUser,
    /// `X`: an Entra group.
    ExternalGroup,
    /// `R`
    Role,
    /// `A`: a role that an application enters with a password.
    ApplicationRole,
    /// Certificate and key users, and whatever a later server adds.
    Other,
}

impl PrincipalKind {
    /// Reads the one-letter code.
    pub fn from_code(code: &str) -> Self {
        match code.trim() {
            "S" => Self::SqlUser,
            "E" => Self::ExternalUser,
            "X" => Self::ExternalGroup,
            "R" => Self::Role,
            "A" => Self::ApplicationRole,
            _ => Self::Other,
        }
    }
}

/// `sys.database_principals.authentication_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Authentication {
    /// 0: it cannot log in by itself.
    None,
    /// 1: through a login of the server.
    Instance,
    /// 2: with a password kept in the database.
    Database,
    /// 4: with a token of Entra.
    External,
}

impl Authentication {
    pub fn from_code(code: i64) -> Self {
        match code {
            1 => Self::Instance,
            2 => Self::Database,
            4 => Self::External,
            _ => Self::None,
        }
    }
}

/// A user or a role of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub name: String,
    pub kind: PrincipalKind,
    pub sid: Option<Sid>,
    pub authentication: Authentication,
    pub fixed: bool,
}

/// How a permission stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PermissionState {
    Grant,
    GrantWithGrantOption,
    Deny,
}

/// One row of `sys.database_permissions`, with names instead of ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Permission {
    /// In capitals, such as `SELECT` or `VIEW DEFINITION`.
    pub permission: String,
    pub on: Securable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    pub to: String,
    pub state: PermissionState,
}

/// A security policy: its filter and block predicates are read as one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityPolicy {
    pub schema: String,
    pub name: String,
    pub enabled: bool,
    pub predicates: Vec<String>,
}

/// One firewall rule: addresses from `start` to `end`, both included, as dotted quads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FirewallRule {
    pub name: String,
    pub start: String,
    pub end: String,
}

/// The security of one database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    pub principals: Vec<Principal>,
    /// `(role, member)`
    pub memberships: BTreeSet<(String, String)>,
    pub permissions: BTreeSet<Permission>,
    /// Schema to owner.
    pub schemas: BTreeMap<String, String>,
    pub policies: Vec<SecurityPolicy>,
    /// `sys.database_firewall_rules`, which no ARM list shows.
    pub firewall_rules: Vec<FirewallRule>,
    /// `sys.database_scoped_credentials`: name to identity.
    pub scoped_credentials: BTreeMap<String, String>,
    /// The database user that read this.
    pub running_as: String,
}

/// A login of the server, from `sys.sql_logins` in `master`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub name: String,
    pub sid: Option<Sid>,
    pub disabled: bool,
}

/// Names are compared without case, as under the default collation of Azure SQL.
pub fn same_name(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

impl Catalogue {
    pub fn principal(&self, name: &str) -> Option<&Principal> {
        self.principals.iter().find(|p| same_name(&p.name, name))
    }

    /// The Entra principal with this SID: the one that a token of its identity logs in as.
    pub fn external(&self, sid: &Sid) -> Option<&Principal> {
        self.principals.iter().find(|p| {
            matches!(
                p.kind,
                PrincipalKind::ExternalUser | PrincipalKind::ExternalGroup
            ) && p.sid.as_ref().is_some_and(|s| s.same(sid))
        })
    }

    /// The users that a login of the server maps to here.
    pub fn users_of_login<'a>(&'a self, login: &'a Login) -> impl Iterator<Item = &'a Principal> {
        self.principals.iter().filter(move |p| {
            p.kind == PrincipalKind::SqlUser
                && p.authentication == Authentication::Instance
                && p.sid.is_some()
                && p.sid == login.sid
        })
    }

    pub fn is_member(&self, role: &str, member: &str) -> bool {
        self.memberships
            .iter()
            .any(|(r, m)| same_name(r, role) && same_name(m, member))
    }

    /// Whether `name` may connect: by `CONNECT` or `CONTROL` of the database, its own or that of a
    /// role it is in, or as a member of db_owner, and no `DENY CONNECT` (Microsoft SQL docs,
    /// "Permissions hierarchy": `CONTROL` implies `CONNECT`).
    pub fn may_connect(&self, name: &str) -> bool {
        let mine = with_roles(self, name);
        let mut granted = mine.contains("db_owner");
        for p in &self.permissions {
            if p.on != Securable::Database || !mine.contains(&p.to.to_lowercase()) {
                continue;
            }
            let denied = p.state == PermissionState::Deny;
            match p.permission.as_str() {
                "CONNECT" if denied => return false,
                "CONNECT" | "CONTROL" => granted |= !denied,
                _ => {}
            }
        }
        granted
    }

    pub fn schemas_owned_by(&self, name: &str) -> Vec<&str> {
        let owned = self
            .schemas
            .iter()
            .filter(|(_, owner)| same_name(owner, name));
        owned.map(|(schema, _)| schema.as_str()).collect()
    }
}
