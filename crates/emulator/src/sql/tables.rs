//! Tables, their columns and constraints, and indexes.

use super::ast::{ColumnDefinition, Name, Tokens};
use super::catalogue::{Column, Object, ObjectType, same};
use super::clauses::chain;
use super::database::DbState;
use super::error::SqlError;
use super::expression::group_length;
use super::lexer::Lexed;
use super::rewrite::{Rewriter, quote, temporary_name};
use super::session::Session;

impl Session {
    pub(super) fn create_table(
        &mut self,
        db: &mut DbState,
        name: &Name,
        columns: &[ColumnDefinition],
        constraints: &[Tokens],
    ) -> Result<(), SqlError> {
        let temporary = name.last().starts_with('#');
        let schema = match temporary {
            true => 1,
            false => self.target_schema(db, name, "CREATE TABLE")?,
        };
        if !temporary && db.catalogue.object(schema, name.last()).is_some() {
            return Err(SqlError::object_exists(name.last()));
        }
        let (definition, _) =
            self.rewritten(db, |rewriter| definition(rewriter, columns, constraints))?;
        if temporary {
            let table = temporary_name(name.last(), self.id);
            self.store(
                db,
                &format!("CREATE TEMP TABLE {} ({definition})", quote(&table)),
            )?;
            self.temporary.push(name.last().to_owned());
            if columns.iter().any(|column| column.identity) {
                self.temporary_identities.insert(table);
            }
            return Ok(());
        }
        let table = format!("{}.{}", db.catalogue.schema_name(schema), name.last());
        self.store(
            db,
            &format!("CREATE TABLE {} ({definition})", quote(&table)),
        )?;
        let columns = columns
            .iter()
            .enumerate()
            .map(|(at, column)| catalogue_column(at, column));
        let columns = columns.collect();
        let session = &*self;
        db.catalogue_mut().add_object(|id| {
            let object = session.new_object(name.last(), schema, ObjectType::Table, id);
            Object { columns, ..object }
        });
        Ok(())
    }

    pub(super) fn add_column(
        &mut self,
        db: &mut DbState,
        table: &Name,
        column: &ColumnDefinition,
    ) -> Result<(), SqlError> {
        let id = self.alterable(db, table, ObjectType::Table)?;
        let (sql, _) = self.rewritten(db, |rewriter| {
            let table = rewriter.table(&table.0)?;
            let column = column_definition(rewriter, column, KEY)?;
            Ok(format!("ALTER TABLE main.{table} ADD COLUMN {column}"))
        })?;
        self.store(db, &sql)?;
        if let Some(object) = db.catalogue_mut().objects.get_mut(&id) {
            let at = object.columns.len();
            object.columns.push(catalogue_column(at, column));
        }
        self.enforce_policies(db)
    }

    pub(super) fn drop_table(
        &mut self,
        db: &mut DbState,
        name: &Name,
        if_exists: bool,
    ) -> Result<(), SqlError> {
        if name.last().starts_with('#') {
            let known = self.temporary.len();
            self.temporary.retain(|table| !same(table, name.last()));
            if self.temporary.len() < known {
                let table = temporary_name(name.last(), self.id);
                self.temporary_identities.remove(&table);
                return self.store(db, &format!("DROP TABLE temp.{}", quote(&table)));
            }
        }
        self.drop_object(db, "table", name, if_exists)
    }

    pub(super) fn create_index(
        &mut self,
        db: &mut DbState,
        unique: bool,
        name: &str,
        table: &Name,
        columns: &Tokens,
    ) -> Result<(), SqlError> {
        self.alterable(db, table, ObjectType::Table)?;
        let (sql, _) = self.rewritten(db, |rewriter| {
            let stored = rewriter.table(&table.0)?;
            let index = quote(&format!("{}/{name}", table.dotted()));
            let unique = if unique { "UNIQUE " } else { "" };
            let columns = rewriter.expressions(columns)?;
            Ok(format!(
                "CREATE {unique}INDEX main.{index} ON {stored} ({columns})"
            ))
        })?;
        self.store(db, &sql)
    }
}

fn catalogue_column(at: usize, column: &ColumnDefinition) -> Column {
    Column {
        id: at as i32 + 1,
        name: column.name.clone(),
        ty: column.ty,
        nullable: !column.not_null && !column.identity,
        identity: column.identity,
    }
}

/// What the storage calls a primary key, and one that numbers the rows.
const KEY: &str = "PRIMARY KEY";
const NUMBERED_KEY: &str = "PRIMARY KEY AUTOINCREMENT";

/// Columns and constraints. The storage numbers only a primary key, so the identity column becomes
/// it, and another key is a unique one.
fn definition(
    rewriter: &mut Rewriter<'_>,
    columns: &[ColumnDefinition],
    constraints: &[Tokens],
) -> Result<String, SqlError> {
    let numbered = columns.iter().any(|column| column.identity);
    let key = if numbered { "UNIQUE" } else { KEY };
    let mut parts = Vec::new();
    for column in columns {
        parts.push(match column.identity {
            true => column_definition(rewriter, column, NUMBERED_KEY)?,
            false => column_definition(rewriter, column, key)?,
        });
    }
    for tokens in constraints {
        parts.push(constraint(rewriter, tokens, key)?);
    }
    Ok(parts.join(", "))
}

/// A column for the storage. An identity column must be `INTEGER` there to count by itself.
fn column_definition(
    rewriter: &mut Rewriter<'_>,
    column: &ColumnDefinition,
    key: &str,
) -> Result<String, SqlError> {
    let ty = match column.identity {
        true => "INTEGER".to_owned(),
        false => column.ty.declaration(),
    };
    let collation = if column.ty.needs_collation() {
        " COLLATE TSQL"
    } else {
        ""
    };
    let mut rest = constraint(rewriter, &column.constraints, key)?;
    let is_key = column.constraints.iter().any(|t| t.is_word("PRIMARY"));
    if key == NUMBERED_KEY && !is_key {
        rest = format!("{rest} {key}");
    }
    Ok(format!("{} {ty}{collation} {rest}", quote(&column.name)))
}

/// A column's or a table's constraints, with `key` for a primary key.
fn constraint(
    rewriter: &mut Rewriter<'_>,
    tokens: &[Lexed],
    key: &str,
) -> Result<String, SqlError> {
    let mut parts: Vec<String> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        match rest[0].upper().as_deref() {
            Some("CLUSTERED" | "NONCLUSTERED") => at += 1,
            Some("CONSTRAINT") => {
                let name = rest.get(1).and_then(Lexed::name).unwrap_or_default();
                parts.push(format!("CONSTRAINT {}", quote(name)));
                at += 2;
            }
            Some("WITH") => {
                at += 1 + group_length(&rest[1..])?;
            }
            Some("DEFAULT") => {
                let length = 1 + default_length(&rest[1..])?;
                let value = rewriter.expression(&rest[1..length])?;
                parts.push(format!("DEFAULT ({})", value.text));
                at += length;
            }
            Some("CHECK") => {
                let length = 1 + group_length(&rest[1..])?;
                let value = rewriter.expression(&rest[1..length])?;
                parts.push(format!("CHECK {}", value.text));
                at += length;
            }
            Some("REFERENCES") => {
                let (name, length) = chain(&rest[1..])?;
                parts.push(format!("REFERENCES {}", rewriter.table(&name)?));
                at += 1 + length;
            }
            Some("PRIMARY") if rest.get(1).is_some_and(|t| t.is_word("KEY")) => {
                parts.push(key.to_owned());
                at += 2;
            }
            Some(word) => {
                parts.push(word.to_owned());
                at += 1;
            }
            // The columns of a key.
            None if rest[0].is("(") => {
                let length = group_length(rest)?;
                parts.push(format!("({})", rewriter.expressions(&rest[1..length - 1])?));
                at += length;
            }
            None => return Err(SqlError::syntax("CREATE TABLE")),
        }
    }
    Ok(parts.join(" "))
}

/// The tokens of a default: a parenthesis, a literal, a signed number or a call.
fn default_length(tokens: &[Lexed]) -> Result<usize, SqlError> {
    let Some(first) = tokens.first() else {
        return Err(SqlError::syntax("DEFAULT"));
    };
    if first.is("(") {
        return group_length(tokens);
    }
    if first.is("-") || first.is("+") {
        return Ok(2.min(tokens.len()));
    }
    if first.name().is_some() && tokens.get(1).is_some_and(|token| token.is("(")) {
        return Ok(1 + group_length(&tokens[1..])?);
    }
    Ok(1)
}
