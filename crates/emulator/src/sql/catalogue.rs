//! What one database knows of itself: principals, memberships, permissions, schemas, objects,
//! security policies.
//!
//! It is a plain value, cloned when a transaction begins and put back when it is rolled back. Names
//! compare without case and without trailing blanks, as under SQL_Latin1_General_CP1_CI_AS.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::firewall::Firewall;
use super::value::ColumnType;

pub const PUBLIC: i32 = 0;
pub const DBO: i32 = 1;
pub const GUEST: i32 = 2;
pub const DB_OWNER: i32 = 16384;

/// The fixed roles and their ids.
pub const FIXED_ROLES: &[(i32, &str)] = &[
    (DB_OWNER, "db_owner"),
    (16385, "db_accessadmin"),
    (16386, "db_securityadmin"),
    (16387, "db_ddladmin"),
    (16389, "db_backupoperator"),
    (16390, "db_datareader"),
    (16391, "db_datawriter"),
    (16392, "db_denydatareader"),
    (16393, "db_denydatawriter"),
];

/// A password, which nothing prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub fn is(&self, text: &str) -> bool {
        self.0 == text
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// `type` in sys.database_principals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalType {
    SqlUser,
    ExternalUser,
    ExternalGroup,
    Role,
    ApplicationRole,
}

impl PrincipalType {
    pub fn code(self) -> &'static str {
        match self {
            Self::SqlUser => "S",
            Self::ExternalUser => "E",
            Self::ExternalGroup => "X",
            Self::Role => "R",
            Self::ApplicationRole => "A",
        }
    }

    pub fn description(self) -> &'static str {
        match self {
            Self::SqlUser => "SQL_USER",
            Self::ExternalUser => "EXTERNAL_USER",
            Self::ExternalGroup => "EXTERNAL_GROUP",
            Self::Role => "DATABASE_ROLE",
            Self::ApplicationRole => "APPLICATION_ROLE",
        }
    }
}

/// `authentication_type` in sys.database_principals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    None,
    /// By a login of the server.
    Instance,
    /// By a password that this database keeps.
    Database,
    External,
}

impl Authentication {
    pub fn code(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Instance => 1,
            Self::Database => 2,
            Self::External => 4,
        }
    }

    pub fn description(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Instance => "INSTANCE",
            Self::Database => "DATABASE",
            Self::External => "EXTERNAL",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Principal {
    pub id: i32,
    pub name: String,
    pub kind: PrincipalType,
    pub default_schema: Option<String>,
    pub owner: Option<i32>,
    pub sid: Option<Vec<u8>>,
    pub fixed: bool,
    pub authentication: Authentication,
    pub password: Option<Password>,
    /// Seconds since 1970.
    pub created: i64,
    pub modified: i64,
}

impl Principal {
    pub fn is_role(&self) -> bool {
        self.kind == PrincipalType::Role
    }

    pub fn is_user(&self) -> bool {
        !self.is_role() && self.kind != PrincipalType::ApplicationRole
    }
}

#[derive(Clone, Debug)]
pub struct Schema {
    pub id: i32,
    pub name: String,
    pub owner: i32,
}

/// `type` in sys.objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectType {
    Table,
    View,
    Procedure,
    InlineFunction,
    ScalarFunction,
    SecurityPolicy,
}

impl ObjectType {
    /// char(2), with its blank.
    pub fn code(self) -> &'static str {
        match self {
            Self::Table => "U ",
            Self::View => "V ",
            Self::Procedure => "P ",
            Self::InlineFunction => "IF",
            Self::ScalarFunction => "FN",
            Self::SecurityPolicy => "SP",
        }
    }

    pub fn description(self) -> &'static str {
        match self {
            Self::Table => "USER_TABLE",
            Self::View => "VIEW",
            Self::Procedure => "SQL_STORED_PROCEDURE",
            Self::InlineFunction => "SQL_INLINE_TABLE_VALUED_FUNCTION",
            Self::ScalarFunction => "SQL_SCALAR_FUNCTION",
            Self::SecurityPolicy => "SECURITY_POLICY",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Column {
    pub id: i32,
    pub name: String,
    pub ty: ColumnType,
    pub nullable: bool,
    pub identity: bool,
}

/// A FILTER or BLOCK predicate of a security policy.
#[derive(Clone, Debug)]
pub struct Predicate {
    pub id: i32,
    pub block: bool,
    pub target: i32,
    pub definition: String,
    /// `AFTER INSERT` and the like; block predicates only.
    pub operation: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Object {
    pub id: i32,
    pub name: String,
    pub schema: i32,
    pub kind: ObjectType,
    /// Set when the owner is not the schema's.
    pub owner: Option<i32>,
    pub columns: Vec<Column>,
    /// The whole CREATE statement of a module.
    pub definition: Option<String>,
    /// Security policies only.
    pub predicates: Vec<Predicate>,
    pub enabled: bool,
    pub created: i64,
    pub modified: i64,
}

/// What a permission is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Securable {
    Database,
    Schema(i32),
    Object(i32),
    /// A column of an object.
    Column(i32, i32),
    Principal(i32),
}

impl Securable {
    /// `class`, `major_id` and `minor_id` in sys.database_permissions.
    pub fn ids(self) -> (i64, i64, i64) {
        match self {
            Self::Database => (0, 0, 0),
            Self::Object(id) => (1, id.into(), 0),
            Self::Column(id, column) => (1, id.into(), column.into()),
            Self::Schema(id) => (3, id.into(), 0),
            Self::Principal(id) => (4, id.into(), 0),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Grant,
    GrantWithOption,
    Deny,
}

/// One row of sys.database_permissions.
#[derive(Clone, Debug)]
pub struct Permission {
    pub on: Securable,
    pub name: &'static str,
    pub grantee: i32,
    pub grantor: i32,
    pub state: State,
}

#[derive(Clone, Debug)]
pub struct Catalogue {
    pub principals: BTreeMap<i32, Principal>,
    /// (role, member).
    pub members: BTreeSet<(i32, i32)>,
    pub permissions: Vec<Permission>,
    pub schemas: BTreeMap<i32, Schema>,
    pub objects: BTreeMap<i32, Object>,
    pub firewall: Firewall,
    next_principal: i32,
    next_schema: i32,
    next_object: i32,
}

/// Equal as names are.
pub fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim_end_matches(' '), b.trim_end_matches(' '));
    a.eq_ignore_ascii_case(b) || a.to_lowercase() == b.to_lowercase()
}

impl Catalogue {
    /// The catalogue of a new database, whose dbo has the SID of the server's administrator.
    pub fn new(now: i64, admin_sid: &[u8], is_master: bool) -> Self {
        let mut new = Self {
            principals: BTreeMap::new(),
            members: BTreeSet::new(),
            permissions: Vec::new(),
            schemas: BTreeMap::new(),
            objects: BTreeMap::new(),
            firewall: Firewall::default(),
            next_principal: 5,
            next_schema: 5,
            next_object: 901_578_250,
        };
        new.seed_principals(now, admin_sid, is_master);
        for (id, name) in [
            (1, "dbo"),
            (2, "guest"),
            (3, "INFORMATION_SCHEMA"),
            (4, "sys"),
        ] {
            new.schemas.insert(
                id,
                Schema {
                    id,
                    name: name.into(),
                    owner: id,
                },
            );
        }
        for (id, name) in FIXED_ROLES {
            new.schemas.insert(
                *id,
                Schema {
                    id: *id,
                    name: (*name).into(),
                    owner: *id,
                },
            );
        }
        for (grantee, name) in [
            (DBO, "CONNECT"),
            (PUBLIC, "VIEW ANY COLUMN ENCRYPTION KEY DEFINITION"),
            (PUBLIC, "VIEW ANY COLUMN MASTER KEY DEFINITION"),
        ] {
            new.permissions.push(Permission {
                on: Securable::Database,
                name,
                grantee,
                grantor: DBO,
                state: State::Grant,
            });
        }
        new
    }

    fn seed_principals(&mut self, now: i64, admin_sid: &[u8], is_master: bool) {
        let mut add = |id: i32, name: &str, kind, sid: Option<Vec<u8>>, schema: Option<&str>| {
            let role = kind == PrincipalType::Role;
            let authentication = match id {
                DBO => Authentication::Instance,
                _ => Authentication::None,
            };
            self.principals.insert(
                id,
                Principal {
                    id,
                    name: name.into(),
                    kind,
                    default_schema: schema.map(str::to_owned),
                    owner: role.then_some(DBO),
                    sid,
                    fixed: role && id != PUBLIC,
                    authentication,
                    password: None,
                    created: now,
                    modified: now,
                },
            );
        };
        let user = PrincipalType::SqlUser;
        let role = PrincipalType::Role;
        add(PUBLIC, "public", role, Some(role_sid(PUBLIC)), None);
        add(DBO, "dbo", user, Some(admin_sid.to_vec()), Some("dbo"));
        add(GUEST, "guest", user, Some(vec![0]), Some("guest"));
        add(3, "INFORMATION_SCHEMA", user, None, None);
        add(4, "sys", user, None, None);
        for (id, name) in FIXED_ROLES {
            add(*id, name, role, Some(role_sid(*id)), None);
        }
        if is_master {
            for (id, name) in [(5, "dbmanager"), (6, "loginmanager")] {
                add(id, name, role, Some(role_sid(id)), None);
            }
            self.next_principal = 7;
            for id in [5, 6] {
                if let Some(principal) = self.principals.get_mut(&id) {
                    principal.fixed = false;
                }
            }
        }
    }

    pub fn principal(&self, name: &str) -> Option<&Principal> {
        self.principals
            .values()
            .find(|principal| same(&principal.name, name))
    }

    pub fn principal_by_sid(&self, sid: &[u8]) -> Option<&Principal> {
        self.principals
            .values()
            .find(|principal| !principal.is_role() && principal.sid.as_deref() == Some(sid))
    }

    pub fn schema(&self, name: &str) -> Option<&Schema> {
        self.schemas
            .values()
            .find(|schema| same(&schema.name, name))
    }

    pub fn object(&self, schema: i32, name: &str) -> Option<&Object> {
        self.objects
            .values()
            .find(|object| object.schema == schema && same(&object.name, name))
    }

    pub fn schema_name(&self, id: i32) -> &str {
        self.schemas
            .get(&id)
            .map_or("", |schema| schema.name.as_str())
    }

    /// `schema.object`, the name of its table or view in the storage.
    pub fn storage_name(&self, object: &Object) -> String {
        format!("{}.{}", self.schema_name(object.schema), object.name)
    }

    /// The object that the storage keeps under this name.
    pub fn object_by_storage_name(&self, name: &str) -> Option<&Object> {
        self.objects
            .values()
            .find(|object| same(&self.storage_name(object), name))
    }

    pub fn owner_of(&self, object: &Object) -> i32 {
        object
            .owner
            .or_else(|| self.schemas.get(&object.schema).map(|schema| schema.owner))
            .unwrap_or(DBO)
    }

    pub fn add_principal(&mut self, make: impl FnOnce(i32) -> Principal) -> i32 {
        let id = self.next_principal;
        self.next_principal += 1;
        self.principals.insert(id, make(id));
        id
    }

    pub fn add_schema(&mut self, name: &str, owner: i32) -> i32 {
        let id = self.next_schema;
        self.next_schema += 1;
        self.schemas.insert(
            id,
            Schema {
                id,
                name: name.to_owned(),
                owner,
            },
        );
        id
    }

    /// Ids jump as the service's do, so that nothing may count on their order.
    pub fn add_object(&mut self, make: impl FnOnce(i32) -> Object) -> i32 {
        let id = self.next_object;
        self.next_object = (self.next_object + 16_000_057) % 2_100_000_000 + 1;
        self.objects.insert(id, make(id));
        id
    }

    /// Takes an object away, with the permissions on it.
    pub fn drop_object(&mut self, id: i32) {
        self.objects.remove(&id);
        self.permissions
            .retain(|p| !matches!(p.on, Securable::Object(o) | Securable::Column(o, _) if o == id));
    }

    /// Takes a principal away, with its memberships and the permissions that it has.
    pub fn drop_principal(&mut self, id: i32) {
        self.principals.remove(&id);
        self.members
            .retain(|(role, member)| *role != id && *member != id);
        self.permissions
            .retain(|p| p.grantee != id && p.on != Securable::Principal(id));
    }
}

/// The SID of a database role: a fixed prefix and the id.
pub fn role_sid(id: i32) -> Vec<u8> {
    let mut sid = vec![1, 5, 0, 0, 0, 0, 0, 9, 4, 0, 0, 0];
    sid.extend_from_slice(&[0; 12]);
    sid.extend_from_slice(&id.to_le_bytes());
    sid
}
