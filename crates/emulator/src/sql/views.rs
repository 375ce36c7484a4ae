//! The system views of a database, as tables that a query can join.
//!
//! Each is made anew for every statement that names it, with the rows that the asking principal
//! may see: without VIEW DEFINITION or VIEW SECURITY DEFINITION that is little more than itself, as
//! on the service, so that an under-privileged reader finds nothing rather than an error.

use rusqlite::types::Value;

use super::catalogue::{
    Catalogue, Object, ObjectType, Permission, Principal, Securable, State, same,
};
use super::permissions::{self, Subject, allowed};
use super::server::Server;
use super::time;
use super::value::ColumnType;
use super::views_objects::{
    columns, information_schema, modules, objects, policies, predicates, schemas, types,
};
use super::views_server;

/// Who asks, and of what.
pub struct ViewEnv<'a> {
    pub catalogue: &'a Catalogue,
    pub subject: &'a Subject,
    pub server: &'a Server,
    pub database: &'a str,
    pub session: i32,
    pub is_server_admin: bool,
}

/// A system view's contents.
pub struct View {
    pub columns: Vec<(&'static str, ColumnType)>,
    pub rows: Vec<Vec<Value>>,
}

/// The system views that a database has, in the order of their object ids (-101 and down).
const SYSTEM: &[&str] = &[
    "columns",
    "database_firewall_rules",
    "database_permissions",
    "database_principals",
    "database_role_members",
    "database_scoped_credentials",
    "databases",
    "dm_exec_sessions",
    "external_data_sources",
    "objects",
    "procedures",
    "schemas",
    "security_policies",
    "security_predicates",
    "sql_modules",
    "tables",
    "types",
    "views",
];

/// The name of the system object with this id.
pub fn system_object(id: i32) -> Option<&'static str> {
    usize::try_from(-101 - id)
        .ok()
        .and_then(|at| SYSTEM.get(at))
        .copied()
}

pub const NAME: ColumnType = ColumnType::Text(Some(128));
pub const DESCRIPTION: ColumnType = ColumnType::Text(Some(60));
pub const SID: ColumnType = ColumnType::Binary(Some(85));
pub const INT: ColumnType = ColumnType::Int;
pub const BIT: ColumnType = ColumnType::Bit;
pub const TINY: ColumnType = ColumnType::TinyInt;
pub const DATE: ColumnType = ColumnType::DateTime;
pub const LONG: ColumnType = ColumnType::Text(None);

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub fn int(number: impl Into<i64>) -> Value {
    Value::Integer(number.into())
}

pub fn date(seconds: i64) -> Value {
    Value::Text(time::text(seconds))
}

pub fn blob(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |bytes| Value::Blob(bytes.to_vec()))
}

pub fn optional(name: Option<&str>) -> Value {
    name.map_or(Value::Null, text)
}

impl ViewEnv<'_> {
    pub fn is_master(&self) -> bool {
        same(self.database, "master")
    }

    pub fn can(&self, permission: &'static str) -> bool {
        allowed(
            self.catalogue,
            self.subject,
            permission,
            Securable::Database,
        )
    }

    fn sees_security(&self) -> bool {
        self.can("VIEW SECURITY DEFINITION") || self.can("VIEW DEFINITION")
    }

    fn sees_principal(&self, principal: &Principal) -> bool {
        let common = principal.fixed || principal.id <= 4;
        let own = self.subject.closure(self.catalogue).contains(&principal.id);
        let on = Securable::Principal(principal.id);
        common
            || own
            || self.sees_security()
            || allowed(self.catalogue, self.subject, "VIEW DEFINITION", on)
    }

    fn sees_object(&self, object: &Object) -> bool {
        let policy = object.kind == ObjectType::SecurityPolicy;
        permissions::any_on_object(self.catalogue, self.subject, object.id)
            || (policy && self.sees_security())
    }

    pub fn objects(&self, keep: impl Fn(&Object) -> bool) -> Vec<&Object> {
        let objects = self.catalogue.objects.values();
        objects
            .filter(|object| keep(object) && self.sees_object(object))
            .collect()
    }
}

/// The view of this name, `schema` being `sys` or `INFORMATION_SCHEMA`; `None` if there is none.
pub fn view(env: &ViewEnv<'_>, schema: &str, name: &str) -> Option<View> {
    if same(schema, "INFORMATION_SCHEMA") {
        return information_schema(env, &name.to_lowercase());
    }
    Some(match name.to_lowercase().as_str() {
        "database_principals" => principals(env),
        "database_role_members" => role_members(env),
        "database_permissions" => database_permissions(env),
        "schemas" => schemas(env),
        "objects" | "all_objects" => objects(env, |_| true),
        "tables" => objects(env, |o| o.kind == ObjectType::Table),
        "views" => objects(env, |o| o.kind == ObjectType::View),
        "procedures" => objects(env, |o| o.kind == ObjectType::Procedure),
        "columns" | "all_columns" => columns(env),
        "types" => types(),
        "sql_modules" => modules(env),
        "security_policies" => policies(env),
        "security_predicates" => predicates(env),
        "database_scoped_credentials" => empty(&[
            ("credential_id", INT),
            ("name", NAME),
            ("principal_id", INT),
            ("credential_identity", LONG),
            ("create_date", DATE),
            ("modify_date", DATE),
        ]),
        "external_data_sources" => empty(&[
            ("data_source_id", INT),
            ("name", NAME),
            ("location", LONG),
            ("type_desc", DESCRIPTION),
            ("type", TINY),
            ("credential_id", INT),
            ("database_name", NAME),
        ]),
        other => return views_server::view(env, other),
    })
}

pub fn empty(columns: &[(&'static str, ColumnType)]) -> View {
    View {
        columns: columns.to_vec(),
        rows: Vec::new(),
    }
}

fn principals(env: &ViewEnv<'_>) -> View {
    let visible = env
        .catalogue
        .principals
        .values()
        .filter(|p| env.sees_principal(p));
    let rows = visible.map(|p| {
        vec![
            text(&p.name),
            int(p.id),
            text(p.kind.code()),
            text(p.kind.description()),
            optional(p.default_schema.as_deref()),
            date(p.created),
            date(p.modified),
            p.owner.map_or(Value::Null, int),
            blob(p.sid.as_deref()),
            int(p.fixed),
            int(p.authentication.code()),
            text(p.authentication.description()),
            Value::Null,
            Value::Null,
            int(false),
        ]
    });
    View {
        columns: vec![
            ("name", NAME),
            ("principal_id", INT),
            ("type", ColumnType::Char(1)),
            ("type_desc", DESCRIPTION),
            ("default_schema_name", NAME),
            ("create_date", DATE),
            ("modify_date", DATE),
            ("owning_principal_id", INT),
            ("sid", SID),
            ("is_fixed_role", BIT),
            ("authentication_type", INT),
            ("authentication_type_desc", DESCRIPTION),
            ("default_language_name", NAME),
            ("default_language_lcid", INT),
            ("allow_encrypted_value_modifications", BIT),
        ],
        rows: rows.collect(),
    }
}

fn role_members(env: &ViewEnv<'_>) -> View {
    let own = env.subject.closure(env.catalogue);
    let all = env.sees_security();
    let visible = env
        .catalogue
        .members
        .iter()
        .filter(|(_, member)| all || own.contains(member));
    View {
        columns: vec![("role_principal_id", INT), ("member_principal_id", INT)],
        rows: visible
            .map(|(role, member)| vec![int(*role), int(*member)])
            .collect(),
    }
}

fn database_permissions(env: &ViewEnv<'_>) -> View {
    let own = env.subject.closure(env.catalogue);
    let all = env.sees_security();
    let visible = env
        .catalogue
        .permissions
        .iter()
        .filter(|p| all || own.contains(&p.grantee) || own.contains(&p.grantor));
    let mut rows: Vec<Vec<Value>> = visible.map(permission_row).collect();
    // Everybody may read the system views, and the catalogue says so.
    for at in 0..SYSTEM.len() {
        rows.push(vec![
            int(1),
            text("OBJECT_OR_COLUMN"),
            int(-101 - at as i64),
            int(0),
            int(0),
            int(1),
            text("SL  "),
            text("SELECT"),
            text("G"),
            text("GRANT"),
        ]);
    }
    View {
        columns: vec![
            ("class", TINY),
            ("class_desc", DESCRIPTION),
            ("major_id", INT),
            ("minor_id", INT),
            ("grantee_principal_id", INT),
            ("grantor_principal_id", INT),
            ("type", ColumnType::Char(4)),
            ("permission_name", NAME),
            ("state", ColumnType::Char(1)),
            ("state_desc", DESCRIPTION),
        ],
        rows,
    }
}

fn permission_row(permission: &Permission) -> Vec<Value> {
    let (class, major, minor) = permission.on.ids();
    let class_description = match class {
        0 => "DATABASE",
        1 => "OBJECT_OR_COLUMN",
        3 => "SCHEMA",
        _ => "DATABASE_PRINCIPAL",
    };
    let (state, state_description) = match permission.state {
        State::Grant => ("G", "GRANT"),
        State::GrantWithOption => ("W", "GRANT_WITH_GRANT_OPTION"),
        State::Deny => ("D", "DENY"),
    };
    let code = permissions::kind(permission.name).map_or("", |kind| kind.code);
    vec![
        int(class),
        text(class_description),
        int(major),
        int(minor),
        int(permission.grantee),
        int(permission.grantor),
        Value::Text(format!("{code:<4}")),
        text(permission.name),
        text(state),
        text(state_description),
    ]
}

/// The rows of `sys.fn_my_permissions(securable, class)`.
pub fn my_permissions(env: &ViewEnv<'_>, securable: Option<&str>, class: &str) -> Option<View> {
    let parts = securable
        .map(super::functions::name_parts)
        .unwrap_or_default();
    let last = parts.last().cloned().unwrap_or_default();
    let (on, entity) = match class.to_ascii_uppercase().as_str() {
        "DATABASE" => (Securable::Database, "database".to_owned()),
        "SCHEMA" => (Securable::Schema(env.catalogue.schema(&last)?.id), last),
        "OBJECT" => {
            let schema = parts
                .len()
                .checked_sub(2)
                .map_or("dbo", |at| parts[at].as_str());
            let schema = env.catalogue.schema(schema)?;
            (
                Securable::Object(env.catalogue.object(schema.id, &last)?.id),
                parts.join("."),
            )
        }
        "USER" | "ROLE" => (
            Securable::Principal(env.catalogue.principal(&last)?.id),
            last,
        ),
        _ => return None,
    };
    let held = permissions::KINDS
        .iter()
        .filter(|kind| kind.exists_on(on) && allowed(env.catalogue, env.subject, kind.name, on));
    Some(View {
        columns: vec![
            ("entity_name", NAME),
            ("subentity_name", NAME),
            ("permission_name", DESCRIPTION),
        ],
        rows: held
            .map(|kind| vec![text(&entity), text(""), text(kind.name)])
            .collect(),
    })
}
