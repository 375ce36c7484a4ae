//! The system views that show schemas and objects.

use rusqlite::types::Value;

use super::catalogue::{Object, ObjectType, Securable};
use super::permissions::allowed;
use super::row_security::OPERATIONS;
use super::time::clock_bytes;
use super::value::ColumnType;
use super::views::{
    BIT, DATE, DESCRIPTION, INT, LONG, NAME, TINY, View, ViewEnv, date, int, optional, text,
};

pub fn schemas(env: &ViewEnv<'_>) -> View {
    let all = env.catalogue.schemas.values();
    View {
        columns: vec![("name", NAME), ("schema_id", INT), ("principal_id", INT)],
        rows: all
            .map(|s| vec![text(&s.name), int(s.id), int(s.owner)])
            .collect(),
    }
}

pub fn objects(env: &ViewEnv<'_>, keep: impl Fn(&Object) -> bool) -> View {
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
    ("real", 59, 4),
    ("decimal", 106, 17),
    ("money", 60, 8),
    ("smallmoney", 122, 4),
    ("nvarchar", 231, 8000),
    ("varchar", 167, 8000),
    ("nchar", 239, 8000),
    ("varbinary", 165, 8000),
    ("binary", 173, 8000),
    ("datetime", 61, 8),
    ("smalldatetime", 58, 4),
    ("datetime2", 42, 8),
    ("datetimeoffset", 43, 10),
    ("time", 41, 5),
    ("date", 40, 3),
    ("uniqueidentifier", 36, 16),
];

pub fn type_name(id: i32) -> Option<&'static str> {
    TYPES
        .iter()
        .find(|(_, known, _)| *known == id)
        .map(|(name, ..)| *name)
}

fn type_row(ty: ColumnType) -> (i32, i32) {
    let found = TYPES.iter().find(|(name, ..)| *name == ty.name());
    let (id, size) = found.map_or((231, 8000), |(_, id, size)| (*id, *size));
    match ty {
        ColumnType::Text(None) | ColumnType::VarChar(None) | ColumnType::Binary(None) => (id, -1),
        ColumnType::Decimal { precision, .. } => (id, decimal_bytes(precision)),
        ColumnType::DateTime2(digits) => (id, 3 + i32::from(clock_bytes(digits))),
        ColumnType::DateTimeOffset(digits) => (id, 5 + i32::from(clock_bytes(digits))),
        ColumnType::Time(digits) => (id, clock_bytes(digits).into()),
        ColumnType::Text(Some(length)) | ColumnType::Char(length) => (id, i32::from(length) * 2),
        ColumnType::VarChar(Some(length))
        | ColumnType::Binary(Some(length))
        | ColumnType::FixedBinary(length) => (id, length.into()),
        _ => (id, size),
    }
}

fn decimal_bytes(precision: u8) -> i32 {
    match precision {
        0..=9 => 5,
        10..=19 => 9,
        20..=28 => 13,
        _ => 17,
    }
}

/// A precision is the length of the text, in which a fraction has a point before it.
fn with_fraction(whole: i32, digits: u8) -> (i32, i32) {
    let fraction = match digits {
        0 => 0,
        digits => 1 + i32::from(digits),
    };
    (whole + fraction, digits.into())
}

/// `precision` and `scale` in sys.columns; zero where a type has none.
fn precision(ty: ColumnType) -> (i32, i32) {
    match ty {
        ColumnType::Bit => (1, 0),
        ColumnType::TinyInt => (3, 0),
        ColumnType::SmallInt => (5, 0),
        ColumnType::Int => (10, 0),
        ColumnType::BigInt => (19, 0),
        ColumnType::Float => (53, 0),
        ColumnType::Real => (24, 0),
        ColumnType::Decimal { precision, scale } => (precision.into(), scale.into()),
        ColumnType::Money => (19, 4),
        ColumnType::SmallMoney => (10, 4),
        ColumnType::DateTime => (23, 3),
        ColumnType::SmallDateTime => (16, 0),
        ColumnType::DateTime2(digits) => with_fraction(19, digits),
        ColumnType::DateTimeOffset(digits) => with_fraction(26, digits),
        ColumnType::Time(digits) => with_fraction(8, digits),
        ColumnType::Date => (10, 0),
        _ => (0, 0),
    }
}

pub fn types() -> View {
    let rows = TYPES.iter().map(|(name, id, size)| {
        vec![
            text(name),
            int(*id),
            int(*id),
            int(4),
            int(*size),
            int(false),
        ]
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

pub fn columns(env: &ViewEnv<'_>) -> View {
    let mut rows = Vec::new();
    for object in env.objects(|_| true) {
        for column in &object.columns {
            let (ty, length) = type_row(column.ty);
            let (precision, scale) = precision(column.ty);
            rows.push(vec![
                int(object.id),
                text(&column.name),
                int(column.id),
                int(ty),
                int(ty),
                int(length),
                int(precision),
                int(scale),
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
            ("precision", TINY),
            ("scale", TINY),
            ("is_nullable", BIT),
            ("is_identity", BIT),
            ("is_computed", BIT),
        ],
        rows,
    }
}

pub fn modules(env: &ViewEnv<'_>) -> View {
    let rows = env
        .objects(|o| o.definition.is_some())
        .into_iter()
        .map(|o| {
            let shown = allowed(
                env.catalogue,
                env.subject,
                "VIEW DEFINITION",
                Securable::Object(o.id),
            );
            let definition = o.definition.as_deref().filter(|_| shown);
            vec![
                int(o.id),
                optional(definition),
                int(true),
                int(true),
                int(false),
            ]
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

pub fn policies(env: &ViewEnv<'_>) -> View {
    let rows = env
        .objects(|o| o.kind == ObjectType::SecurityPolicy)
        .into_iter()
        .map(|o| {
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

pub fn predicates(env: &ViewEnv<'_>) -> View {
    let mut rows = Vec::new();
    for policy in env.objects(|o| o.kind == ObjectType::SecurityPolicy) {
        for predicate in &policy.predicates {
            let operation = predicate.operation.as_deref();
            let code = OPERATIONS.iter().position(|(o, _)| Some(*o) == operation);
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

/// The longest value in characters or bytes, -1 for `max`.
fn characters(ty: ColumnType) -> Value {
    match ty {
        ColumnType::Text(length) | ColumnType::VarChar(length) | ColumnType::Binary(length) => {
            int(length.map_or(-1, i64::from))
        }
        ColumnType::Char(length) | ColumnType::FixedBinary(length) => int(length),
        _ => Value::Null,
    }
}

fn numeric(value: i32, ty: ColumnType) -> Value {
    use ColumnType::{BigInt, Decimal, Float, Int, Money, Real, SmallInt, SmallMoney, TinyInt};
    match ty {
        TinyInt | SmallInt | Int | BigInt | Decimal { .. } | Money | SmallMoney | Float | Real => {
            int(value)
        }
        _ => Value::Null,
    }
}

pub fn information_schema(env: &ViewEnv<'_>, name: &str) -> Option<View> {
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
                ("CHARACTER_MAXIMUM_LENGTH", INT),
                ("NUMERIC_PRECISION", TINY),
                ("NUMERIC_SCALE", INT),
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
                        characters(column.ty),
                        numeric(precision(column.ty).0, column.ty),
                        numeric(precision(column.ty).1, column.ty),
                    ]
                })
                .collect(),
        },
        "schemata" => View {
            columns: vec![("CATALOG_NAME", NAME), ("SCHEMA_NAME", NAME)],
            rows: env
                .catalogue
                .schemas
                .values()
                .map(|s| vec![catalog(), text(&s.name)])
                .collect(),
        },
        _ => return None,
    })
}
