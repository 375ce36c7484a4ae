//! Running a query: making the system views that it names, checking what it reads, typing what
//! comes back.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Statement as Prepared;
use rusqlite::types::Value;

use super::catalogue::{Securable, same};
use super::database::{Access, DbState};
use super::error::SqlError;
use super::lexer::Lexed;
use super::permissions::allowed;
use super::rewrite::{Item, Rewriter, quote};
use super::session::{Reply, Session};
use super::value::{self, ColumnType};
use super::views::{self, View, ViewEnv};

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultColumn {
    pub name: String,
    pub ty: ColumnType,
}

#[derive(Clone, Debug)]
pub struct ResultSet {
    pub columns: Vec<ResultColumn>,
    pub rows: Vec<Vec<Value>>,
}

/// What a rewritten statement names.
#[derive(Debug, Default)]
pub struct Named {
    pub system: BTreeSet<(String, String)>,
    pub permission_calls: Vec<(Option<String>, String)>,
    pub tables: BTreeSet<String>,
}

/// More rows than this are not collected.
const MOST_ROWS: usize = 1_000_000;

impl Session {
    /// A SELECT: its rows become a reply, unless they go to variables.
    pub(super) fn query(&mut self, db: &mut DbState, tokens: &[Lexed]) -> Result<(), SqlError> {
        let (query, named) = self.rewritten(db, |rewriter| rewriter.query(tokens))?;
        let result = self.rows(db, &query.sql, &query.items, &named)?;
        let count = result.rows.len() as u64;
        let assigned: Vec<Option<&String>> = query
            .items
            .iter()
            .map(|item| item.assigned.as_ref())
            .collect();
        if assigned.iter().any(Option::is_some) {
            // The last row wins; no row leaves the variables as they are.
            for (name, value) in assigned
                .into_iter()
                .zip(result.rows.into_iter().last().unwrap_or_default())
            {
                if let Some(name) = name {
                    self.assign(name, value)?;
                }
            }
            self.settings.rowcount = count as i64;
            return Ok(());
        }
        self.replies.push(Reply::Rows(result));
        self.done(Some(count));
        Ok(())
    }

    /// The value of an expression.
    pub(super) fn evaluate(
        &mut self,
        db: &mut DbState,
        tokens: &[Lexed],
    ) -> Result<Value, SqlError> {
        let (expression, named) = self.rewritten(db, |rewriter| rewriter.expression(tokens))?;
        let item = Item {
            name: Some(String::new()),
            ty: expression.ty,
            assigned: None,
        };
        let sql = format!("SELECT {}", expression.text);
        let result = self.rows(db, &sql, &[item], &named)?;
        Ok(result
            .rows
            .into_iter()
            .flatten()
            .next()
            .unwrap_or(Value::Null))
    }

    pub(super) fn holds(&mut self, db: &mut DbState, tokens: &[Lexed]) -> Result<bool, SqlError> {
        let (expression, named) = self.rewritten(db, |rewriter| rewriter.expression(tokens))?;
        let sql = format!("SELECT CASE WHEN {} THEN 1 ELSE 0 END", expression.text);
        let result = self.rows(db, &sql, &[], &named)?;
        Ok(result
            .rows
            .first()
            .is_some_and(|row| row.first() == Some(&Value::Integer(1))))
    }

    /// Rewrites with this session's names and variables, and answers what was named besides.
    pub(super) fn rewritten<T>(
        &self,
        db: &DbState,
        rewrite: impl FnOnce(&mut Rewriter<'_>) -> Result<T, SqlError>,
    ) -> Result<(T, Named), SqlError> {
        let globals = self.globals();
        let default_schema = self.default_schema(db);
        let mut rewriter = Rewriter {
            catalogue: &db.catalogue,
            database: &self.database.name,
            default_schema: &default_schema,
            variables: &self.variables,
            globals: &globals,
            temporary: &self.temporary,
            session: self.id,
            in_window: false,
            depth: 0,
            cases: 0,
            ctes: Vec::new(),
            system: BTreeSet::new(),
            permission_calls: Vec::new(),
            tables: BTreeSet::new(),
        };
        let rewritten = rewrite(&mut rewriter)?;
        let named = Named {
            system: rewriter.system,
            permission_calls: rewriter.permission_calls,
            tables: rewriter.tables,
        };
        Ok((rewritten, named))
    }

    fn globals(&self) -> BTreeMap<&'static str, (String, ColumnType)> {
        let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let version = "Microsoft SQL Azure (RTM) - 12.0.2000.8";
        let long = ColumnType::Text(Some(300));
        let identity = self
            .settings
            .identity
            .map_or("NULL".into(), |n| n.to_string());
        BTreeMap::from([
            ("VERSION", (text(version), long)),
            ("SERVERNAME", (text(&self.server.name), long)),
            ("SERVICENAME", (text("MSSQLSERVER"), long)),
            ("LANGUAGE", (text("us_english"), long)),
            ("SPID", (self.id.to_string(), ColumnType::SmallInt)),
            (
                "ROWCOUNT",
                (self.settings.rowcount.to_string(), ColumnType::Int),
            ),
            (
                "TRANCOUNT",
                (self.transactions.to_string(), ColumnType::Int),
            ),
            ("ERROR", (self.settings.error.to_string(), ColumnType::Int)),
            ("IDENTITY", (identity, ColumnType::BigInt)),
            ("MAX_PRECISION", ("38".into(), ColumnType::TinyInt)),
            ("OPTIONS", ("5432".into(), ColumnType::Int)),
            ("MICROSOFTVERSION", ("201328592".into(), ColumnType::Int)),
        ])
    }

    /// Runs one statement of the storage's and answers its typed rows.
    pub(super) fn rows(
        &self,
        db: &DbState,
        sql: &str,
        items: &[Item],
        named: &Named,
    ) -> Result<ResultSet, SqlError> {
        let mut statement = self.prepare(db, sql, named)?;
        let mut columns = columns(&statement, items);
        let mut rows = Vec::new();
        let count = columns.len();
        let mut found = statement.raw_query();
        while let Some(row) = found
            .next()
            .map_err(|error| SqlError::from_sqlite(&error))?
        {
            let values: rusqlite::Result<Vec<Value>> = (0..count).map(|at| row.get(at)).collect();
            rows.push(values.map_err(|error| SqlError::from_sqlite(&error))?);
            if rows.len() > MOST_ROWS {
                return Err(SqlError::out_of_memory());
            }
        }
        let columns = columns
            .drain(..)
            .enumerate()
            .map(|(at, (name, ty))| ResultColumn {
                name,
                ty: settle(ty, &rows, at),
            })
            .collect::<Vec<_>>();
        for row in &mut rows {
            for (value, column) in row.iter_mut().zip(&columns) {
                *value = fit(std::mem::replace(value, Value::Null), column.ty)?;
            }
        }
        Ok(ResultSet { columns, rows })
    }

    /// Runs a statement that changes rows and answers how many.
    pub(super) fn change(&self, db: &DbState, sql: &str, named: &Named) -> Result<u64, SqlError> {
        let mut statement = self.prepare(db, sql, named)?;
        let changed = statement
            .raw_execute()
            .map_err(|error| SqlError::from_sqlite(&error))?;
        Ok(changed as u64)
    }

    /// Makes the views, prepares, checks what is touched, binds the variables.
    fn prepare<'db>(
        &self,
        db: &'db DbState,
        sql: &str,
        named: &Named,
    ) -> Result<Prepared<'db>, SqlError> {
        self.set_call(db);
        self.make_views(db, named)?;
        db.take_accesses();
        db.allow_steps();
        let mut statement = db
            .storage
            .prepare(sql)
            .map_err(|error| SqlError::from_sqlite(&error))?;
        self.check(db, &db.take_accesses(), named)?;
        for at in 1..=statement.parameter_count() {
            let name = statement
                .parameter_name(at)
                .unwrap_or_default()
                .trim_start_matches('@');
            let value = self
                .variables
                .get(name)
                .map_or(Value::Null, |(_, value)| value.clone());
            statement
                .raw_bind_parameter(at, value)
                .map_err(|error| SqlError::from_sqlite(&error))?;
        }
        Ok(statement)
    }

    fn make_views(&self, db: &DbState, named: &Named) -> Result<(), SqlError> {
        let subject = self.subject();
        let env = ViewEnv {
            catalogue: &db.catalogue,
            subject: &subject,
            server: &self.server,
            database: &self.database.name,
            session: self.id,
            is_server_admin: self.acts_as_server_admin(),
        };
        for (schema, name) in &named.system {
            let full = format!("{schema}.{name}");
            let view =
                views::view(&env, schema, name).ok_or_else(|| SqlError::invalid_object(&full))?;
            make(db, &full, &view).map_err(|error| SqlError::from_sqlite(&error))?;
        }
        for (at, (securable, class)) in named.permission_calls.iter().enumerate() {
            let view = views::my_permissions(&env, securable.as_deref(), class)
                .or_else(|| views::my_permissions(&env, None, "DATABASE").map(without_rows));
            if let Some(view) = view {
                let name = format!("fn_my_permissions.{}", at + 1);
                make(db, &name, &view).map_err(|error| SqlError::from_sqlite(&error))?;
            }
        }
        Ok(())
    }

    /// Refuses what the user may not do. Inside a procedure the owner's rights count, and views
    /// show their tables: both belong to the same owner here.
    fn check(&self, db: &DbState, accesses: &[Access], named: &Named) -> Result<(), SqlError> {
        let subject = self.subject();
        if subject.is_dbo() || self.depth > 0 {
            return Ok(());
        }
        let catalogue = &db.catalogue;
        for access in accesses {
            let in_view = access
                .within
                .as_deref()
                .is_some_and(|within| catalogue.object_by_storage_name(within).is_some());
            // What the text does not name is read by the storage itself, for foreign keys.
            let meant = named.tables.iter().any(|table| same(table, &access.table));
            let Some(object) = catalogue.object_by_storage_name(&access.table) else {
                continue;
            };
            if in_view || !meant {
                continue;
            }
            let permission = access.permission;
            let on = object
                .columns
                .iter()
                .find(|column| same(&column.name, &access.column))
                .map_or(Securable::Object(object.id), |c| {
                    Securable::Column(object.id, c.id)
                });
            let whole = allowed(
                catalogue,
                &subject,
                permission,
                Securable::Object(object.id),
            );
            let partly = || {
                object.columns.iter().any(|c| {
                    let on = Securable::Column(object.id, c.id);
                    allowed(catalogue, &subject, permission, on)
                })
            };
            let may = match (permission, on) {
                ("SELECT" | "UPDATE", Securable::Column(..)) => {
                    allowed(catalogue, &subject, permission, on)
                }
                // Rows that are only counted need one column that may be read.
                ("SELECT", _) => whole || partly(),
                _ => whole,
            };
            if !may {
                let schema = catalogue.schema_name(object.schema);
                let database = &self.database.name;
                // Whoever may read some columns hears which one he may not.
                if whole || (on != Securable::Object(object.id) && partly()) {
                    let message = format!(
                        "The {permission} permission was denied on the column '{}' of the object \
                         '{}', database '{database}', schema '{schema}'.",
                        access.column, object.name
                    );
                    return Err(SqlError::new(230, 14, message));
                }
                return Err(SqlError::denied(permission, &object.name, database, schema));
            }
        }
        Ok(())
    }
}

fn without_rows(view: View) -> View {
    View {
        rows: Vec::new(),
        ..view
    }
}

/// Makes a system view as a temporary table.
fn make(db: &DbState, name: &str, view: &View) -> rusqlite::Result<()> {
    let table = format!("temp.{}", quote(name));
    let columns: Vec<String> = view
        .columns
        .iter()
        .map(|(name, ty)| {
            let collation = if ty.needs_collation() {
                " COLLATE TSQL"
            } else {
                ""
            };
            format!("{} {}{collation}", quote(name), ty.declaration())
        })
        .collect();
    db.storage.execute_batch(&format!(
        "DROP TABLE IF EXISTS {table}; CREATE TEMP TABLE {} ({})",
        quote(name),
        columns.join(", ")
    ))?;
    let marks = vec!["?"; view.columns.len()].join(", ");
    let mut insert = db
        .storage
        .prepare(&format!("INSERT INTO {table} VALUES ({marks})"))?;
    for row in &view.rows {
        insert.execute(rusqlite::params_from_iter(row))?;
    }
    Ok(())
}

/// Names and, where known, types of a statement's columns. `*` stands for as many columns as the
/// storage makes of it.
fn columns(statement: &Prepared<'_>, items: &[Item]) -> Vec<(String, Option<ColumnType>)> {
    let found: Vec<(String, Option<ColumnType>)> = statement
        .columns()
        .map(|column| {
            let declared = column.decl_type().and_then(ColumnType::from_declaration);
            (column.name().to_owned(), declared)
        })
        .collect();
    let star = items.iter().position(|item| item.name.is_none());
    let count = found.len();
    let inferred = |at: usize| match star {
        None => items.get(at).and_then(|item| item.ty),
        Some(star) if at < star => items[at].ty,
        // From the end, for what stands behind the last star.
        Some(_) => items.len().checked_sub(count - at).and_then(|at| {
            items[at..]
                .iter()
                .all(|item| item.name.is_some())
                .then(|| items[at].ty)?
        }),
    };
    found
        .into_iter()
        .enumerate()
        .map(|(at, (name, declared))| (name, declared.or_else(|| inferred(at))))
        .collect()
}

/// The type of a column whose text did not tell, or whose numbers are larger than it said.
fn settle(ty: Option<ColumnType>, rows: &[Vec<Value>], at: usize) -> ColumnType {
    let values = || rows.iter().filter_map(|row| row.get(at));
    let large = || values().any(|v| matches!(v, Value::Integer(n) if i32::try_from(*n).is_err()));
    let integer = || {
        if large() {
            ColumnType::BigInt
        } else {
            ColumnType::Int
        }
    };
    match ty {
        Some(ColumnType::Int) => integer(),
        Some(ty) => ty,
        None => match values().find(|value| **value != Value::Null) {
            Some(Value::Integer(_)) if values().any(|v| matches!(v, Value::Real(_))) => {
                ColumnType::Float
            }
            Some(Value::Integer(_)) => integer(),
            Some(Value::Real(_)) => ColumnType::Float,
            Some(Value::Blob(_)) => ColumnType::Binary(None),
            Some(Value::Text(_)) | None => ColumnType::Text(Some(4000)),
            Some(Value::Null) => ColumnType::Int,
        },
    }
}

/// A value as its column's type wants it; text is not cut to an inferred length.
fn fit(value: Value, ty: ColumnType) -> Result<Value, SqlError> {
    match (&value, ty) {
        (Value::Null, _) | (Value::Text(_), ColumnType::Text(_) | ColumnType::VarChar(_)) => {
            Ok(value)
        }
        (Value::Blob(_), ColumnType::Binary(_)) => Ok(value),
        (Value::Integer(_), ColumnType::Int | ColumnType::BigInt) => Ok(value),
        (Value::Real(r), ColumnType::Int | ColumnType::BigInt) if r.fract() != 0.0 => {
            Ok(Value::Integer(r.trunc() as i64))
        }
        _ => value::cast(value, ty, 0),
    }
}
