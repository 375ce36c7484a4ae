//! The system views of a database, as tables that a query can join.
//!
//! Each is made anew for every statement that names it, with the rows that the asking principal
//! may see: without VIEW DEFINITION or VIEW SECURITY DEFINITION that is little more than itself, as
//! on the service, so that an under-privileged reader finds nothing rather than an error.

use rusqlite::types::Value;

use super::catalogue::{Catalogue, Object, ObjectType, Permission, Principal, Securable, State, same};
use super::permissions::{self, Subject, allowed};
use super::server::Server;
use super::time;
use super::value::ColumnType;
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
    usize::try_from(-101 - id).ok().and_then(|at| SYSTEM.get(at)).copied()
}

const NAME: ColumnType = ColumnType::Text(Some(128));
const DESCRIPTION: ColumnType = ColumnType::Text(Some(60));
const SID: ColumnType = ColumnType::Binary(Some(85));
const INT: ColumnType = ColumnType::Int;
const BIT: ColumnType = ColumnType::Bit;
const TINY: ColumnType = ColumnType::TinyInt;
const DATE: ColumnType = ColumnType::DateTime;
const LONG: ColumnType = ColumnType::Text(None);

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
        allowed(self.catalogue, self.subject, permission, Securable::Database)
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

    fn objects(&self, keep: impl Fn(&Object) -> bool) -> Vec<&Object> {
        let objects = self.catalogue.objects.values();
        objects.filter(|object| keep(object) && self.sees_object(object)).collect()
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
    View { columns: columns.to_vec(), rows: Vec::new() }
}

fn principals(env: &ViewEnv<'_>) -> View {
    let visible = env.catalogue.principals.values().filter(|p| env.sees_principal(p));
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
    let visible = env.catalogue.members.iter().filter(|(_, member)| all || own.contains(member));
    View {
        columns: vec![("role_principal_id", INT), ("member_principal_id", INT)],
        rows: visible.map(|(role, member)| vec![int(*role), int(*member)]).collect(),
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

fn schemas(env: &ViewEnv<'_>) -> View {
    let all = env.catalogue.schemas.values();
    View {
        columns: vec![("name", NAME), ("schema_id", INT), ("principal_id", INT)],
        rows: all.map(|s| vec![text(&s.name), int(s.id), int(s.owner)]).collect(),
    }
}

fn objects(env: &ViewEnv<'_>, keep: impl Fn(&Object) -> bool) -> View {
    let rows = env.objects(keep).into_iter().map(|o| {
        vec![
            text(&o.name),
            int(o.id),
            o.owner.map_or(Value::Null, int),
            int(o.schema),
            int(0),
            text(o.kind.code()),
            text(o.kind.description()),
            date(o.created),
            date(o.modified),
            int(false),
        ]
    });
    View {
        columns: vec![
            ("name", NAME),
            ("object_id", INT),
            ("principal_id", INT),
            ("schema_id", INT),
            ("parent_object_id", INT),
            ("type", ColumnType::Char(2)),
            ("type_desc", DESCRIPTION),
            ("create_date", DATE),
            ("modify_date", DATE),
            ("is_ms_shipped", BIT),
        ],
        rows: rows.collect(),
    }
}

/// Name, id and bytes of the types, as sys.types has them.
const TYPES: &[(&str, i32, i32)] = &[
    ("bit", 104, 1),
    ("tinyint", 48, 1),
    ("smallint", 52, 2),
    ("int", 56, 4),
    ("bigint", 127, 8),
    ("float", 62, 8),
    ("decimal", 106, 17),
    ("nvarchar", 231, 8000),
    ("nchar", 239, 8000),
    ("varbinary", 165, 8000),
    ("datetime", 61, 8),
    ("datetime2", 42, 8),
    ("date", 40, 3),
    ("uniqueidentifier", 36, 16),
];

pub fn type_name(id: i32) -> Option<&'static str> {
    TYPES.iter().find(|(_, known, _)| *known == id).map(|(name, ..)| *name)
}

fn type_row(ty: ColumnType) -> (i32, i32) {
    let found = TYPES.iter().find(|(name, ..)| *name == ty.name());
    let (id, size) = found.map_or((231, 8000), |(_, id, size)| (*id, *size));
    match ty {
        ColumnType::Text(None) | ColumnType::Binary(None) => (id, -1),
        ColumnType::Text(Some(length)) | ColumnType::Char(length) => (id, i32::from(length) * 2),
        ColumnType::Binary(Some(length)) => (id, length.into()),
        _ => (id, size),
    }
}

fn types() -> View {
    let rows = TYPES.iter().map(|(name, id, size)| {
        vec![text(name), int(*id), int(*id), int(4), int(*size), int(false)]
    });
    View {
        columns: vec![
            ("name", NAME),
            ("system_type_id", TINY),
            ("user_type_id", INT),
            ("schema_id", INT),
            ("max_length", ColumnType::SmallInt),
            ("is_user_defined", BIT),
        ],
        rows: rows.collect(),
    }
}

fn columns(env: &ViewEnv<'_>) -> View {
    let mut rows = Vec::new();
    for object in env.objects(|_| true) {
        for column in &object.columns {
            let (ty, length) = type_row(column.ty);
            rows.push(vec![
                int(object.id),
                text(&column.name),
                int(column.id),
                int(ty),
                int(ty),
                int(length),
                int(column.nullable),
                int(column.identity),
                int(false),
            ]);
        }
    }
    View {
        columns: vec![
            ("object_id", INT),
            ("name", NAME),
            ("column_id", INT),
            ("system_type_id", TINY),
            ("user_type_id", INT),
            ("max_length", ColumnType::SmallInt),
            ("is_nullable", BIT),
            ("is_identity", BIT),
            ("is_computed", BIT),
        ],
        rows,
    }
}

fn modules(env: &ViewEnv<'_>) -> View {
    let rows = env.objects(|o| o.definition.is_some()).into_iter().map(|o| {
        let shown = allowed(
            env.catalogue,
            env.subject,
            "VIEW DEFINITION",
            Securable::Object(o.id),
        );
        let definition = o.definition.as_deref().filter(|_| shown);
        vec![int(o.id), optional(definition), int(true), int(true), int(false)]
    });
    View {
        columns: vec![
            ("object_id", INT),
            ("definition", LONG),
            ("uses_ansi_nulls", BIT),
            ("uses_quoted_identifier", BIT),
            ("is_schema_bound", BIT),
        ],
        rows: rows.collect(),
    }
}

fn policies(env: &ViewEnv<'_>) -> View {
    let rows = env.objects(|o| o.kind == ObjectType::SecurityPolicy).into_iter().map(|o| {
        vec![
            text(&o.name),
            int(o.id),
            o.owner.map_or(Value::Null, int),
            int(o.schema),
            int(0),
            text("SP"),
            text(o.kind.description()),
            date(o.created),
            date(o.modified),
            int(false),
            int(o.enabled),
            int(false),
            int(true),
        ]
    });
    View {
        columns: vec![
            ("name", NAME),
            ("object_id", INT),
            ("principal_id", INT),
            ("schema_id", INT),
            ("parent_object_id", INT),
            ("type", ColumnType::Text(Some(2))),
            ("type_desc", DESCRIPTION),
            ("create_date", DATE),
            ("modify_date", DATE),
            ("is_ms_shipped", BIT),
            ("is_enabled", BIT),
            ("is_not_for_replication", BIT),
            ("is_schema_bound", BIT),
        ],
        rows: rows.collect(),
    }
}

fn predicates(env: &ViewEnv<'_>) -> View {
    let mut rows = Vec::new();
    for policy in env.objects(|o| o.kind == ObjectType::SecurityPolicy) {
        for predicate in &policy.predicates {
            let operations = ["AFTER INSERT", "AFTER UPDATE", "BEFORE UPDATE", "BEFORE DELETE"];
            let operation = predicate.operation.as_deref();
            let code = operations.iter().position(|o| Some(*o) == operation);
            rows.push(vec![
                int(policy.id),
                int(predicate.id),
                int(predicate.target),
                text(&predicate.definition),
                int(predicate.block),
                text(if predicate.block { "BLOCK" } else { "FILTER" }),
                code.map_or(Value::Null, |code| int(code as i64 + 1)),
                optional(operation),
            ]);
        }
    }
    View {
        columns: vec![
            ("object_id", INT),
            ("security_predicate_id", INT),
            ("target_object_id", INT),
            ("predicate_definition", LONG),
            ("predicate_type", INT),
            ("predicate_type_desc", DESCRIPTION),
            ("operation", INT),
            ("operation_desc", DESCRIPTION),
        ],
        rows,
    }
}

fn information_schema(env: &ViewEnv<'_>, name: &str) -> Option<View> {
    let shown = env.objects(|o| matches!(o.kind, ObjectType::Table | ObjectType::View));
    let schema = |o: &Object| text(env.catalogue.schema_name(o.schema));
    let catalog = || text(env.database);
    Some(match name {
        "tables" => View {
            columns: vec![
                ("TABLE_CATALOG", NAME),
                ("TABLE_SCHEMA", NAME),
                ("TABLE_NAME", NAME),
                ("TABLE_TYPE", DESCRIPTION),
            ],
            rows: shown
                .iter()
                .map(|o| {
                    let table = o.kind == ObjectType::Table;
                    let kind = if table { "BASE TABLE" } else { "VIEW" };
                    vec![catalog(), schema(o), text(&o.name), text(kind)]
                })
                .collect(),
        },
        "columns" => View {
            columns: vec![
                ("TABLE_CATALOG", NAME),
                ("TABLE_SCHEMA", NAME),
                ("TABLE_NAME", NAME),
                ("COLUMN_NAME", NAME),
                ("ORDINAL_POSITION", INT),
                ("IS_NULLABLE", NAME),
                ("DATA_TYPE", NAME),
            ],
            rows: shown
                .iter()
                .flat_map(|o| o.columns.iter().map(move |column| (o, column)))
                .map(|(o, column)| {
                    vec![
                        catalog(),
                        schema(o),
                        text(&o.name),
                        text(&column.name),
                        int(column.id),
                        text(if column.nullable { "YES" } else { "NO" }),
                        text(column.ty.name()),
                    ]
                })
                .collect(),
        },
        "schemata" => View {
            columns: vec![("CATALOG_NAME", NAME), ("SCHEMA_NAME", NAME)],
            rows: env.catalogue.schemas.values().map(|s| vec![catalog(), text(&s.name)]).collect(),
        },
        _ => return None,
    })
}

/// The rows of `sys.fn_my_permissions(securable, class)`.
pub fn my_permissions(env: &ViewEnv<'_>, securable: Option<&str>, class: &str) -> Option<View> {
    let parts = securable.map(super::functions::name_parts).unwrap_or_default();
    let last = parts.last().cloned().unwrap_or_default();
    let (on, entity) = match class.to_ascii_uppercase().as_str() {
        "DATABASE" => (Securable::Database, "database".to_owned()),
        "SCHEMA" => (Securable::Schema(env.catalogue.schema(&last)?.id), last),
        "OBJECT" => {
            let schema = parts.len().checked_sub(2).map_or("dbo", |at| parts[at].as_str());
            let schema = env.catalogue.schema(schema)?;
            (Securable::Object(env.catalogue.object(schema.id, &last)?.id), parts.join("."))
        }
        "USER" | "ROLE" => (Securable::Principal(env.catalogue.principal(&last)?.id), last),
        _ => return None,
    };
    let held = permissions::KINDS.iter().filter(|kind| {
        kind.exists_on(on) && allowed(env.catalogue, env.subject, kind.name, on)
    });
    Some(View {
        columns: vec![("entity_name", NAME), ("subentity_name", NAME), ("permission_name", DESCRIPTION)],
        rows: held.map(|kind| vec![text(&entity), text(""), text(kind.name)]).collect(),
    })
}
