//! Who may do what: the permissions that exist, what implies what, and the check.
//!
//! A permission on a securable is held by a grant of it, or of one that implies it, on the
//! securable or on one above it, to the principal or to a role it is in, however deep. One deny of
//! the same kind takes it away again, except from dbo and from owners.

use std::collections::BTreeSet;

use super::catalogue::{Catalogue, DB_OWNER, DBO, PUBLIC, Securable, State};

/// One kind of permission: its name, its code in sys.database_permissions, and on what it exists.
pub struct Kind {
    pub name: &'static str,
    pub code: &'static str,
    pub schema: bool,
    pub object: bool,
    pub principal: bool,
}

const fn database(name: &'static str, code: &'static str) -> Kind {
    Kind {
        name,
        code,
        schema: false,
        object: false,
        principal: false,
    }
}

const fn anywhere(name: &'static str, code: &'static str) -> Kind {
    Kind {
        name,
        code,
        schema: true,
        object: true,
        principal: false,
    }
}

const fn everywhere(name: &'static str, code: &'static str) -> Kind {
    Kind {
        name,
        code,
        schema: true,
        object: true,
        principal: true,
    }
}

/// Every permission that a database knows here; all but IMPERSONATE exist on the database itself
/// unless noted in `on_database`.
pub const KINDS: &[Kind] = &[
    everywhere("ALTER", "AL"),
    database("ALTER ANY APPLICATION ROLE", "ALAR"),
    database("ALTER ANY ROLE", "ALRL"),
    database("ALTER ANY SCHEMA", "ALSM"),
    database("ALTER ANY SECURITY POLICY", "ALSP"),
    database("ALTER ANY USER", "ALUS"),
    database("AUTHENTICATE", "AUTH"),
    database("CONNECT", "CO"),
    everywhere("CONTROL", "CL"),
    database("CREATE FUNCTION", "CRFN"),
    database("CREATE PROCEDURE", "CRPR"),
    database("CREATE ROLE", "CRRL"),
    database("CREATE SCHEMA", "CRSM"),
    database("CREATE TABLE", "CRTB"),
    database("CREATE TYPE", "CRTY"),
    database("CREATE USER", "CUSR"),
    database("CREATE VIEW", "CRVW"),
    anywhere("DELETE", "DL"),
    anywhere("EXECUTE", "EX"),
    Kind {
        name: "IMPERSONATE",
        code: "IM",
        schema: false,
        object: false,
        principal: true,
    },
    anywhere("INSERT", "IN"),
    anywhere("REFERENCES", "RF"),
    anywhere("SELECT", "SL"),
    database("SHOWPLAN", "SPLN"),
    anywhere("TAKE OWNERSHIP", "TO"),
    database("UNMASK", "UMSK"),
    anywhere("UPDATE", "UP"),
    database("VIEW ANY COLUMN ENCRYPTION KEY DEFINITION", "VWCK"),
    database("VIEW ANY COLUMN MASTER KEY DEFINITION", "VWCM"),
    anywhere("VIEW CHANGE TRACKING", "VWCT"),
    database("VIEW DATABASE PERFORMANCE STATE", "VDP"),
    database("VIEW DATABASE SECURITY STATE", "VDS"),
    database("VIEW DATABASE STATE", "VWDS"),
    everywhere("VIEW DEFINITION", "VW"),
    database("VIEW PERFORMANCE DEFINITION", "VPD"),
    database("VIEW SECURITY DEFINITION", "VSD"),
];

/// The permission of this name, whatever its case.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS
        .iter()
        .find(|kind| kind.name.eq_ignore_ascii_case(name))
}

impl Kind {
    pub fn on_database(&self) -> bool {
        self.name != "IMPERSONATE" && self.name != "VIEW CHANGE TRACKING"
    }

    pub fn exists_on(&self, securable: Securable) -> bool {
        match securable {
            Securable::Database => self.on_database(),
            Securable::Schema(_) => self.schema,
            Securable::Object(_) => self.object,
            Securable::Column(..) => matches!(self.name, "SELECT" | "UPDATE" | "REFERENCES"),
            Securable::Principal(_) => self.principal,
        }
    }
}

/// Who asks: one database principal, or several when a token's groups have users of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub ids: Vec<i32>,
    /// Through `##MS_SecurityDefinitionReader##` on the server.
    pub security_reader: bool,
    /// Through `##MS_ServerStateReader##` on the server.
    pub state_reader: bool,
}

impl Subject {
    pub fn user(id: i32) -> Self {
        Self {
            ids: vec![id],
            security_reader: false,
            state_reader: false,
        }
    }

    /// The user that USER_NAME() names.
    pub fn id(&self) -> i32 {
        self.ids.first().copied().unwrap_or(PUBLIC)
    }

    pub fn is_dbo(&self) -> bool {
        self.ids.contains(&DBO)
    }

    /// The principals, every role that they are in, and public.
    pub fn closure(&self, catalogue: &Catalogue) -> BTreeSet<i32> {
        let mut found: BTreeSet<i32> = self.ids.iter().copied().collect();
        found.insert(PUBLIC);
        loop {
            let before = found.len();
            let roles = catalogue
                .members
                .iter()
                .filter(|(_, member)| found.contains(member));
            let roles: Vec<i32> = roles.map(|(role, _)| *role).collect();
            found.extend(roles);
            if found.len() == before {
                return found;
            }
        }
    }
}

/// What a fixed role is granted on the database; none of it shows in sys.database_permissions.
fn fixed_grants(role: i32) -> &'static [&'static str] {
    match role {
        DB_OWNER => &["CONTROL"],
        16385 => &["ALTER ANY USER", "CREATE SCHEMA", "CONNECT", "CREATE USER"],
        16386 => &[
            "ALTER ANY APPLICATION ROLE",
            "ALTER ANY ROLE",
            "CREATE ROLE",
            "CREATE SCHEMA",
            "VIEW DEFINITION",
        ],
        16387 => &[
            "ALTER ANY SCHEMA",
            "CREATE FUNCTION",
            "CREATE PROCEDURE",
            "CREATE SCHEMA",
            "CREATE TABLE",
            "CREATE TYPE",
            "CREATE VIEW",
            "REFERENCES",
        ],
        16390 => &["SELECT"],
        16391 => &["INSERT", "UPDATE", "DELETE"],
        _ => &[],
    }
}

fn fixed_denies(role: i32) -> &'static [&'static str] {
    match role {
        16392 => &["SELECT"],
        16393 => &["INSERT", "UPDATE", "DELETE"],
        _ => &[],
    }
}

/// The permissions that imply `name` on the same securable, besides CONTROL.
fn implied_by(name: &str) -> &'static [&'static str] {
    match name {
        "ALTER ANY APPLICATION ROLE"
        | "ALTER ANY ROLE"
        | "ALTER ANY SCHEMA"
        | "ALTER ANY SECURITY POLICY"
        | "CREATE FUNCTION"
        | "CREATE PROCEDURE"
        | "CREATE TABLE"
        | "CREATE TYPE"
        | "CREATE VIEW" => &["ALTER"],
        "ALTER ANY USER" => &["ALTER"],
        "CREATE ROLE" => &["ALTER ANY ROLE", "ALTER"],
        "CREATE SCHEMA" => &["ALTER ANY SCHEMA", "ALTER"],
        "CREATE USER" => &["ALTER ANY USER", "ALTER"],
        "VIEW SECURITY DEFINITION" | "VIEW PERFORMANCE DEFINITION" => &["VIEW DEFINITION"],
        "VIEW DATABASE PERFORMANCE STATE" | "VIEW DATABASE SECURITY STATE" => {
            &["VIEW DATABASE STATE"]
        }
        _ => &[],
    }
}

/// The securables at and above `on`, each with the permissions there that imply `name` on `on`.
fn covers(
    catalogue: &Catalogue,
    name: &'static str,
    on: Securable,
) -> Vec<(Securable, Vec<&'static str>)> {
    let mut here = vec![name, "CONTROL"];
    here.extend(implied_by(name));
    let mut levels = vec![(on, here)];
    match on {
        Securable::Database => {}
        Securable::Column(object, _) => {
            levels.extend(covers(catalogue, name, Securable::Object(object)));
        }
        Securable::Object(id) => {
            let Some(object) = catalogue.objects.get(&id) else {
                return levels;
            };
            levels.extend(covers(catalogue, name, Securable::Schema(object.schema)));
        }
        Securable::Schema(_) => {
            let mut above = vec![name, "CONTROL"];
            if name == "ALTER" {
                above.push("ALTER ANY SCHEMA");
            }
            levels.push((Securable::Database, above));
        }
        Securable::Principal(id) => {
            let role = catalogue.principals.get(&id).is_some_and(|p| p.is_role());
            let mut above = vec!["CONTROL"];
            match name {
                "ALTER" => above.extend([
                    "ALTER",
                    if role {
                        "ALTER ANY ROLE"
                    } else {
                        "ALTER ANY USER"
                    },
                ]),
                "VIEW DEFINITION" => above.extend([
                    "VIEW DEFINITION",
                    "VIEW SECURITY DEFINITION",
                    if role {
                        "ALTER ANY ROLE"
                    } else {
                        "ALTER ANY USER"
                    },
                ]),
                _ => {}
            }
            levels.push((Securable::Database, above));
        }
    }
    levels
}

/// Whether `subject` effectively holds the permission `name` on `on`.
pub fn allowed(
    catalogue: &Catalogue,
    subject: &Subject,
    name: &'static str,
    on: Securable,
) -> bool {
    if subject.is_dbo() {
        return true;
    }
    if subject.security_reader && name == "VIEW SECURITY DEFINITION" {
        return true;
    }
    if subject.state_reader && name.starts_with("VIEW DATABASE") && name.ends_with("STATE") {
        return true;
    }
    let who = subject.closure(catalogue);
    let levels = covers(catalogue, name, on);
    if levels
        .iter()
        .any(|(securable, _)| owns(catalogue, &who, *securable))
    {
        return true;
    }
    // A grant on a column stands against a denial on its table, and only that.
    let on_column = matches!(on, Securable::Column(..))
        && catalogue.permissions.iter().any(|p| {
            p.on == on && p.state != State::Deny && p.name == name && who.contains(&p.grantee)
        });
    let mut granted = false;
    for (securable, names) in &levels {
        for permission in &catalogue.permissions {
            if permission.on != *securable || !who.contains(&permission.grantee) {
                continue;
            }
            if !names.contains(&permission.name) {
                continue;
            }
            match permission.state {
                State::Deny if on_column && matches!(securable, Securable::Object(_)) => {}
                State::Deny => return false,
                State::Grant | State::GrantWithOption => granted = true,
            }
        }
        if *securable == Securable::Database {
            if who
                .iter()
                .any(|id| fixed_denies(*id).iter().any(|n| names.contains(n)))
            {
                return false;
            }
            granted |= who
                .iter()
                .any(|id| fixed_grants(*id).iter().any(|n| names.contains(n)));
        }
    }
    granted
}

fn owns(catalogue: &Catalogue, who: &BTreeSet<i32>, on: Securable) -> bool {
    let owner = match on {
        Securable::Database => None,
        Securable::Schema(id) => catalogue.schemas.get(&id).map(|schema| schema.owner),
        Securable::Object(id) | Securable::Column(id, _) => catalogue
            .objects
            .get(&id)
            .map(|object| catalogue.owner_of(object)),
        Securable::Principal(id) => catalogue
            .principals
            .get(&id)
            .filter(|p| !p.fixed)
            .and_then(|p| p.owner),
    };
    owner.is_some_and(|owner| who.contains(&owner))
}

/// Whether `subject` may grant, deny and revoke `name` on `on`.
pub fn may_grant(
    catalogue: &Catalogue,
    subject: &Subject,
    name: &'static str,
    on: Securable,
) -> bool {
    let who = subject.closure(catalogue);
    let with_option = || {
        covers(catalogue, name, on)
            .iter()
            .any(|(securable, names)| {
                catalogue.permissions.iter().any(|p| {
                    p.on == *securable
                        && p.state == State::GrantWithOption
                        && names.contains(&p.name)
                        && who.contains(&p.grantee)
                })
            })
    };
    allowed(catalogue, subject, "CONTROL", on) || who.contains(&16386) || with_option()
}

/// Whether `subject` holds any permission on the object, which makes it visible.
pub fn any_on_object(catalogue: &Catalogue, subject: &Subject, object: i32) -> bool {
    KINDS
        .iter()
        .filter(|kind| kind.object)
        .any(|kind| allowed(catalogue, subject, kind.name, Securable::Object(object)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::catalogue::{Authentication, Permission, Principal, PrincipalType};

    fn principal(id: i32, name: &str, kind: PrincipalType) -> Principal {
        Principal {
            id,
            name: name.into(),
            kind,
            default_schema: None,
            owner: None,
            sid: None,
            fixed: false,
            authentication: Authentication::None,
            password: None,
            created: 0,
            modified: 0,
        }
    }

    /// One user (5) in role 6, which is in role 7.
    fn nested() -> Catalogue {
        let mut catalogue = Catalogue::new(0, &[1], false);
        catalogue.add_principal(|id| principal(id, "ana", PrincipalType::SqlUser));
        catalogue.add_principal(|id| principal(id, "inner", PrincipalType::Role));
        catalogue.add_principal(|id| principal(id, "outer", PrincipalType::Role));
        catalogue.members.extend([(6, 5), (7, 6)]);
        catalogue
    }

    fn add(catalogue: &mut Catalogue, grantee: i32, on: Securable, state: State) {
        let permission = Permission {
            on,
            name: "SELECT",
            grantee,
            grantor: DBO,
            state,
        };
        catalogue.permissions.push(permission);
    }

    #[test]
    fn a_grant_to_a_nested_role_on_the_schema_reaches_the_user() {
        let mut catalogue = nested();
        let ana = Subject::user(5);
        assert!(!allowed(&catalogue, &ana, "SELECT", Securable::Schema(1)));
        add(&mut catalogue, 7, Securable::Schema(1), State::Grant);
        assert!(allowed(&catalogue, &ana, "SELECT", Securable::Schema(1)));
        assert!(!allowed(&catalogue, &ana, "INSERT", Securable::Schema(1)));
    }

    #[test]
    fn a_deny_through_public_beats_a_grant() {
        let mut catalogue = nested();
        add(&mut catalogue, 5, Securable::Database, State::Grant);
        add(&mut catalogue, PUBLIC, Securable::Schema(1), State::Deny);
        assert!(!allowed(
            &catalogue,
            &Subject::user(5),
            "SELECT",
            Securable::Schema(1)
        ));
        assert!(allowed(
            &catalogue,
            &Subject::user(DBO),
            "SELECT",
            Securable::Schema(1)
        ));
    }

    #[test]
    fn datareader_reads_and_does_not_write() {
        let mut catalogue = nested();
        catalogue.members.insert((16390, 7));
        let ana = Subject::user(5);
        assert!(allowed(&catalogue, &ana, "SELECT", Securable::Schema(1)));
        assert!(!allowed(&catalogue, &ana, "DELETE", Securable::Schema(1)));
    }
}
