//! The statements that keyless sends to a database, as data.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::catalogue::{
    Authentication, Catalogue, FirewallRule, Login, Permission, PermissionState, Principal,
    PrincipalKind, same_name,
};
use super::securable::Securable;
use crate::address::Address;
use crate::sid::Sid;

/// Where the SID of a new user comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SidSource {
    Known(Sid),
    /// The client id of this gateway's system-assigned identity, which an earlier step enables, or
    /// of this managed identity (`identity:…`).
    ClientIdOf(Address),
}

/// One statement. Names are Azure's or the database's own; [`quoted`] makes them safe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "statement",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Statement {
    /// A contained user for an Entra principal, by SID: no directory lookup is needed.
    CreateUser {
        name: String,
        sid: SidSource,
        group: bool,
    },
    DropUser {
        name: String,
    },
    CreateRole {
        name: String,
    },
    DropRole {
        name: String,
    },
    AddMember {
        role: String,
        member: String,
    },
    DropMember {
        role: String,
        member: String,
    },
    /// `GRANT` or `DENY`.
    Permit {
        rule: Permission,
    },
    Revoke {
        rule: Permission,
    },
    DisableLogin {
        name: String,
    },
    EnableLogin {
        name: String,
    },
    DropLogin {
        name: String,
    },
    /// Makes or replaces a firewall rule of the database
    /// (Microsoft SQL docs, `sp_set_database_firewall_rule`).
    SetFirewallRule {
        rule: FirewallRule,
    },
    DropFirewallRule {
        rule: FirewallRule,
    },
}

/// Why a statement cannot run on a catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    #[error("the principal “{0}” exists already (15023)")]
    Exists(String),
    #[error("there is no principal “{0}” (15151)")]
    Missing(String),
    #[error("the principal “{0}” owns the schema “{1}” (15138)")]
    OwnsSchema(String, String),
    #[error("the role “{0}” still has members (15144)")]
    HasMembers(String),
    #[error("the client id of {0} is not known yet")]
    Unresolved(Address),
}

/// A text as a literal of T-SQL; with `N` before it a Unicode one. The addresses of firewall rules
/// are `varchar`, and system procedures convert nothing (Microsoft SQL docs,
/// `sp_set_database_firewall_rule`).
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name in brackets, as T-SQL quotes it.
pub fn quoted(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

impl Statement {
    /// The T-SQL text. A SID that is not known yet stands as a comment in its place, for display.
    pub fn text(&self) -> String {
        match self {
            Self::CreateUser { name, sid, group } => {
                let kind = if *group { "X" } else { "E" };
                format!(
                    "CREATE USER {} WITH SID = {sid}, TYPE = {kind}",
                    quoted(name)
                )
            }
            Self::DropUser { name } => format!("DROP USER {}", quoted(name)),
            Self::CreateRole { name } => format!("CREATE ROLE {}", quoted(name)),
            Self::DropRole { name } => format!("DROP ROLE {}", quoted(name)),
            Self::AddMember { role, member } => {
                format!("ALTER ROLE {} ADD MEMBER {}", quoted(role), quoted(member))
            }
            Self::DropMember { role, member } => {
                format!("ALTER ROLE {} DROP MEMBER {}", quoted(role), quoted(member))
            }
            Self::Permit { rule } => permit_text(rule),
            Self::Revoke { rule } => {
                // The server refuses to revoke a grantable permission without it (4611).
                let cascade = match rule.state {
                    PermissionState::GrantWithGrantOption => " CASCADE",
                    PermissionState::Grant | PermissionState::Deny => "",
                };
                format!("REVOKE {} FROM {}{cascade}", what(rule), quoted(&rule.to))
            }
            Self::DisableLogin { name } => format!("ALTER LOGIN {} DISABLE", quoted(name)),
            Self::EnableLogin { name } => format!("ALTER LOGIN {} ENABLE", quoted(name)),
            Self::DropLogin { name } => format!("DROP LOGIN {}", quoted(name)),
            Self::SetFirewallRule { rule } => format!(
                "EXEC sp_set_database_firewall_rule N{}, {}, {}",
                literal(&rule.name),
                literal(&rule.start),
                literal(&rule.end)
            ),
            Self::DropFirewallRule { rule } => format!(
                "EXEC sp_delete_database_firewall_rule N{}",
                literal(&rule.name)
            ),
        }
    }

    /// Whether it runs in `master`, where logins live.
    pub fn in_master(&self) -> bool {
        matches!(
            self,
            Self::DisableLogin { .. } | Self::EnableLogin { .. } | Self::DropLogin { .. }
        )
    }

    /// Whether the database already stands as this statement would leave it.
    pub fn done(&self, catalogue: &Catalogue) -> bool {
        match self {
            Self::CreateUser {
                name,
                sid: SidSource::Known(sid),
                group,
            } => {
                let kind = external_kind(*group);
                catalogue
                    .principal(name)
                    .is_some_and(|p| p.kind == kind && p.sid.as_ref().is_some_and(|s| s.same(sid)))
            }
            Self::CreateUser { .. } => false,
            Self::DropUser { name } | Self::DropRole { name } => {
                catalogue.principal(name).is_none()
            }
            Self::CreateRole { name } => catalogue
                .principal(name)
                .is_some_and(|p| p.kind == PrincipalKind::Role),
            Self::AddMember { role, member } => catalogue.is_member(role, member),
            Self::DropMember { role, member } => !catalogue.is_member(role, member),
            Self::Permit { rule } => catalogue.permissions.iter().any(|p| says(p, rule)),
            Self::Revoke { rule } => !catalogue.permissions.iter().any(|p| same_place(p, rule)),
            Self::SetFirewallRule { rule } => catalogue.firewall_rules.contains(rule),
            Self::DropFirewallRule { rule } => !catalogue
                .firewall_rules
                .iter()
                .any(|r| same_name(&r.name, &rule.name)),
            Self::DisableLogin { .. } | Self::EnableLogin { .. } | Self::DropLogin { .. } => false,
        }
    }

    /// As [`Statement::done`], for the statements about logins.
    pub fn done_in_master(&self, logins: &[Login]) -> bool {
        let find = |name: &str| logins.iter().find(|l| same_name(&l.name, name));
        match self {
            Self::DisableLogin { name } => find(name).is_none_or(|l| l.disabled),
            Self::EnableLogin { name } => find(name).is_some_and(|l| !l.disabled),
            Self::DropLogin { name } => find(name).is_none(),
            _ => false,
        }
    }

    /// Runs it on a catalogue in memory, with the rules of the server that keyless depends on.
    ///
    /// # Errors
    /// When the server would refuse it, with the number the server would give.
    pub fn run(&self, catalogue: &mut Catalogue) -> Result<(), StatementError> {
        let need = |catalogue: &Catalogue, name: &str| match catalogue.principal(name) {
            Some(_) => Ok(()),
            None => Err(StatementError::Missing(name.to_owned())),
        };
        match self {
            Self::CreateUser { name, sid, group } => {
                let sid = match sid {
                    SidSource::Known(sid) => sid.clone(),
                    SidSource::ClientIdOf(address) => {
                        return Err(StatementError::Unresolved(address.clone()));
                    }
                };
                let authentication = Authentication::External;
                create(
                    catalogue,
                    name,
                    external_kind(*group),
                    Some(sid),
                    authentication,
                )?;
                catalogue.permissions.insert(connect(name));
            }
            Self::CreateRole { name } => {
                create(
                    catalogue,
                    name,
                    PrincipalKind::Role,
                    None,
                    Authentication::None,
                )?;
            }
            Self::DropUser { name } => drop_principal(catalogue, name)?,
            Self::DropRole { name } => {
                need(catalogue, name)?;
                if catalogue
                    .memberships
                    .iter()
                    .any(|(role, _)| same_name(role, name))
                {
                    return Err(StatementError::HasMembers(name.clone()));
                }
                drop_principal(catalogue, name)?;
            }
            Self::AddMember { role, member } => {
                need(catalogue, role)?;
                need(catalogue, member)?;
                catalogue.memberships.insert((role.clone(), member.clone()));
            }
            Self::DropMember { role, member } => {
                need(catalogue, role)?;
                catalogue
                    .memberships
                    .retain(|(r, m)| !(same_name(r, role) && same_name(m, member)));
            }
            Self::Permit { rule } => {
                need(catalogue, &rule.to)?;
                if self.done(catalogue) {
                    return Ok(());
                }
                catalogue.permissions.retain(|p| !same_place(p, rule));
                catalogue.permissions.insert(rule.clone());
            }
            Self::Revoke { rule } => {
                need(catalogue, &rule.to)?;
                catalogue.permissions.retain(|p| !same_place(p, rule));
            }
            Self::SetFirewallRule { rule } => {
                forget_rule(catalogue, &rule.name);
                catalogue.firewall_rules.push(rule.clone());
            }
            Self::DropFirewallRule { rule } => forget_rule(catalogue, &rule.name),
            Self::DisableLogin { .. } | Self::EnableLogin { .. } | Self::DropLogin { .. } => {}
        }
        Ok(())
    }

    /// Runs a statement about a login on the logins of `master`.
    pub fn run_in_master(&self, logins: &mut Vec<Login>) {
        match self {
            Self::DisableLogin { name } => set_disabled(logins, name, true),
            Self::EnableLogin { name } => set_disabled(logins, name, false),
            Self::DropLogin { name } => logins.retain(|l| !same_name(&l.name, name)),
            _ => {}
        }
    }

    /// What takes it back, where something does without a secret.
    pub fn undo(&self) -> Option<Statement> {
        match self {
            Self::CreateUser { name, .. } => Some(Self::DropUser { name: name.clone() }),
            Self::CreateRole { name } => Some(Self::DropRole { name: name.clone() }),
            Self::AddMember { role, member } => Some(Self::DropMember {
                role: role.clone(),
                member: member.clone(),
            }),
            Self::DropMember { role, member } => Some(Self::AddMember {
                role: role.clone(),
                member: member.clone(),
            }),
            Self::Permit { rule } => Some(Self::Revoke { rule: rule.clone() }),
            Self::Revoke { rule } => Some(Self::Permit { rule: rule.clone() }),
            Self::DisableLogin { name } => Some(Self::EnableLogin { name: name.clone() }),
            Self::EnableLogin { name } => Some(Self::DisableLogin { name: name.clone() }),
            Self::SetFirewallRule { rule } => Some(Self::DropFirewallRule { rule: rule.clone() }),
            Self::DropFirewallRule { rule } => Some(Self::SetFirewallRule { rule: rule.clone() }),
            Self::DropUser { .. } | Self::DropRole { .. } | Self::DropLogin { .. } => None,
        }
    }
}

impl fmt::Display for SidSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(sid) => write!(f, "{sid}"),
            Self::ClientIdOf(address) => write!(f, "/* client id of {address} */"),
        }
    }
}

/// The right to connect, which a new user gets with its creation.
pub(crate) fn connect(name: &str) -> Permission {
    Permission {
        permission: "CONNECT".into(),
        on: Securable::Database,
        column: None,
        to: name.to_owned(),
        state: PermissionState::Grant,
    }
}

fn external_kind(group: bool) -> PrincipalKind {
    if group {
        PrincipalKind::ExternalGroup
    } else {
        PrincipalKind::ExternalUser
    }
}

fn what(rule: &Permission) -> String {
    let columns = rule
        .column
        .as_deref()
        .map(|c| format!(" ({})", quoted(c)))
        .unwrap_or_default();
    format!("{}{columns}{}", rule.permission, rule.on.clause())
}

fn permit_text(rule: &Permission) -> String {
    let (verb, option) = match rule.state {
        PermissionState::Grant => ("GRANT", ""),
        PermissionState::GrantWithGrantOption => ("GRANT", " WITH GRANT OPTION"),
        PermissionState::Deny => ("DENY", ""),
    };
    format!("{verb} {} TO {}{option}", what(rule), quoted(&rule.to))
}

fn same_place(a: &Permission, b: &Permission) -> bool {
    let column = |p: &Permission| p.column.as_deref().map(str::to_lowercase);
    a.permission.eq_ignore_ascii_case(&b.permission)
        && a.on.same(&b.on)
        && column(a) == column(b)
        && same_name(&a.to, &b.to)
}

/// Whether the live rule says what `wanted` does: a `GRANT` takes no grant option away.
fn says(live: &Permission, wanted: &Permission) -> bool {
    let with_option = live.state == PermissionState::GrantWithGrantOption;
    let enough = with_option && wanted.state == PermissionState::Grant;
    same_place(live, wanted) && (live.state == wanted.state || enough)
}

fn create(
    catalogue: &mut Catalogue,
    name: &str,
    kind: PrincipalKind,
    sid: Option<Sid>,
    authentication: Authentication,
) -> Result<(), StatementError> {
    if catalogue.principal(name).is_some() {
        return Err(StatementError::Exists(name.to_owned()));
    }
    let name = name.to_owned();
    catalogue.principals.push(Principal {
        name,
        kind,
        sid,
        authentication,
        fixed: false,
    });
    Ok(())
}

fn drop_principal(catalogue: &mut Catalogue, name: &str) -> Result<(), StatementError> {
    if catalogue.principal(name).is_none() {
        return Err(StatementError::Missing(name.to_owned()));
    }
    if let Some(schema) = catalogue.schemas_owned_by(name).first() {
        return Err(StatementError::OwnsSchema(
            name.to_owned(),
            (*schema).to_owned(),
        ));
    }
    catalogue.principals.retain(|p| !same_name(&p.name, name));
    catalogue
        .memberships
        .retain(|(r, m)| !same_name(r, name) && !same_name(m, name));
    catalogue.permissions.retain(|p| !same_name(&p.to, name));
    Ok(())
}

fn forget_rule(catalogue: &mut Catalogue, name: &str) {
    catalogue
        .firewall_rules
        .retain(|r| !same_name(&r.name, name));
}

fn set_disabled(logins: &mut [Login], name: &str, disabled: bool) {
    for login in logins.iter_mut().filter(|l| same_name(&l.name, name)) {
        login.disabled = disabled;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sid() -> Sid {
        Sid::from_guid("00112233-4455-6677-8899-aabbccddeeff").unwrap()
    }

    fn select(to: &str) -> Permission {
        Permission {
            permission: "SELECT".into(),
            on: Securable::Schema("dbo".into()),
            column: None,
            to: to.into(),
            state: PermissionState::Grant,
        }
    }

    fn all() -> Vec<Statement> {
        let name = "it's]me".to_owned();
        vec![
            Statement::CreateUser {
                name: name.clone(),
                sid: SidSource::Known(sid()),
                group: false,
            },
            Statement::CreateRole { name: "r".into() },
            Statement::AddMember {
                role: "r".into(),
                member: name,
            },
            Statement::Permit { rule: select("r") },
        ]
    }

    #[test]
    fn identifiers_are_quoted() {
        let texts: Vec<String> = all().iter().map(Statement::text).collect();
        assert_eq!(
            texts,
            [
                "CREATE USER [it's]]me] WITH SID = 0x33221100554477668899AABBCCDDEEFF, TYPE = E",
                "CREATE ROLE [r]",
                "ALTER ROLE [r] ADD MEMBER [it's]]me]",
                "GRANT SELECT ON SCHEMA::[dbo] TO [r]",
            ]
        );
    }

    #[test]
    fn what_ran_is_done_and_its_undo_leads_home() {
        let mut catalogue = Catalogue::default();
        let home = catalogue.clone();
        for statement in all() {
            assert!(!statement.done(&catalogue), "{}", statement.text());
            statement.run(&mut catalogue).unwrap();
            assert!(statement.done(&catalogue), "{}", statement.text());
        }
        for statement in all().iter().rev() {
            statement.undo().unwrap().run(&mut catalogue).unwrap();
        }
        assert_eq!(catalogue, home);
    }

    #[test]
    fn a_taken_name_is_refused_and_another_sid_is_not_done() {
        let mut catalogue = Catalogue::default();
        let first = &all()[0];
        first.run(&mut catalogue).unwrap();
        assert_eq!(
            first.run(&mut catalogue),
            Err(StatementError::Exists("it's]me".into()))
        );
        let other = Sid::from_guid("10112233-4455-6677-8899-aabbccddeeff").unwrap();
        let recreated = Statement::CreateUser {
            name: "IT'S]ME".into(),
            sid: SidSource::Known(other),
            group: false,
        };
        assert!(!recreated.done(&catalogue));
    }

    #[test]
    fn an_owner_of_schemas_is_not_dropped() {
        let mut catalogue = Catalogue::default();
        Statement::CreateRole { name: "r".into() }
            .run(&mut catalogue)
            .unwrap();
        catalogue.schemas.insert("sales".into(), "R".into());
        let dropped = Statement::DropRole { name: "r".into() }.run(&mut catalogue);
        assert_eq!(
            dropped,
            Err(StatementError::OwnsSchema("r".into(), "sales".into()))
        );
    }

    #[test]
    fn a_grant_option_is_more_than_a_grant_and_is_revoked_with_what_was_passed_on() {
        let mut with_option = select("r");
        with_option.state = PermissionState::GrantWithGrantOption;
        let mut catalogue = Catalogue::default();
        Statement::CreateRole { name: "r".into() }
            .run(&mut catalogue)
            .unwrap();
        let grant = Statement::Permit { rule: select("r") };
        let more = Statement::Permit {
            rule: with_option.clone(),
        };
        grant.run(&mut catalogue).unwrap();
        assert!(!more.done(&catalogue));
        more.run(&mut catalogue).unwrap();
        assert!(grant.done(&catalogue));
        grant.run(&mut catalogue).unwrap();
        assert!(more.done(&catalogue), "a GRANT takes no grant option away");
        let revoke = Statement::Revoke { rule: with_option };
        assert_eq!(
            revoke.text(),
            "REVOKE SELECT ON SCHEMA::[dbo] FROM [r] CASCADE"
        );
        revoke.run(&mut catalogue).unwrap();
        assert!(!grant.done(&catalogue));
    }
}
