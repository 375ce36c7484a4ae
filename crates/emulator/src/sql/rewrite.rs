//! Queries in the storage's dialect.
//!
//! Every table name is resolved here, against the catalogue and the session's default schema: a
//! user table is stored as `"schema.table"`, a system view is made as a temporary table of its
//! name. What a query names is kept, so that the caller can make the views and check permissions.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::Value;

use super::ast::Tokens;
use super::catalogue::{Catalogue, Object, ObjectType, same};
use super::clauses::{
    AFTER_SOURCE, chain, clauses, column_names, condition_length, hints_length, is_alias, is_hint,
    item_name, set_parts,
};
use super::error::SqlError;
use super::expression::group_length;
use super::lexer::{Lexed, Token};
use super::parser::split;
use super::value::ColumnType;

/// A column of a result, as far as the text tells.
#[derive(Clone, Debug)]
pub struct Item {
    /// `None` for `*`, which the storage expands.
    pub name: Option<String>,
    pub ty: Option<ColumnType>,
    /// The variable that takes the value, in `SELECT @x = …`.
    pub assigned: Option<String>,
}

pub struct Query {
    pub sql: String,
    pub items: Vec<Item>,
}

/// The variables of a batch.
pub type Variables = BTreeMap<String, (ColumnType, Value)>;

pub struct Rewriter<'a> {
    pub catalogue: &'a Catalogue,
    pub database: &'a str,
    pub default_schema: &'a str,
    pub variables: &'a Variables,
    /// The values of `@@…` by upper-case name.
    pub globals: &'a BTreeMap<&'static str, (String, ColumnType)>,
    /// Names of the session's `#` tables.
    pub temporary: &'a [String],
    pub session: i32,
    pub in_window: bool,
    /// How deep in parentheses and subqueries, and in CASE.
    pub depth: u32,
    pub cases: u32,
    pub ctes: Vec<String>,
    /// System views that the text names: schema and name.
    pub system: BTreeSet<(String, String)>,
    /// Arguments of `fn_my_permissions`, by number.
    pub permission_calls: Vec<(Option<String>, String)>,
    /// User tables and views that the text names, as stored.
    pub tables: BTreeSet<String>,
}

/// An identifier for the storage.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The storage's name of a session's `#` table.
pub fn temporary_name(name: &str, session: i32) -> String {
    format!("{}:{session}", name.to_lowercase())
}

/// The storage's name of a common table expression, which no view can have.
fn cte_name(name: &str) -> String {
    quote(&format!("with:{}", name.to_lowercase()))
}

/// How deep a query may be nested.
const DEEPEST: u32 = 100;

impl<'a> Rewriter<'a> {
    /// Does `work` one level further down, when there is room.
    pub fn deeper<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        if self.depth >= DEEPEST {
            return Err(SqlError::too_deep());
        }
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    /// A whole query: CTEs, set operators, ORDER BY.
    pub fn query(&mut self, tokens: &[Lexed]) -> Result<Query, SqlError> {
        self.deeper(|rewriter| rewriter.whole_query(tokens))
    }

    fn whole_query(&mut self, tokens: &[Lexed]) -> Result<Query, SqlError> {
        let known = self.ctes.len();
        let (prefix, rest) = if tokens.first().is_some_and(|t| t.is_word("WITH")) {
            self.common_tables(tokens)?
        } else {
            (String::new(), tokens)
        };
        let mut sql = prefix;
        let mut items = Vec::new();
        let (parts, operators) = set_parts(rest);
        let many = parts.len() > 1;
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                sql.push_str(&format!(" {} ", operators[at - 1]));
            }
            let last = at + 1 == parts.len();
            let query = self.select(part, many && !last)?;
            sql.push_str(&query.sql);
            if at == 0 {
                items = query.items;
            }
        }
        self.ctes.truncate(known);
        Ok(Query { sql, items })
    }

    fn common_tables<'t>(
        &mut self,
        tokens: &'t [Lexed],
    ) -> Result<(String, &'t [Lexed]), SqlError> {
        let mut texts = Vec::new();
        let mut at = 1;
        loop {
            let name = tokens
                .get(at)
                .and_then(Lexed::name)
                .ok_or_else(|| SqlError::syntax("WITH"))?;
            self.ctes.push(name.to_owned());
            at += 1;
            let mut columns = String::new();
            if tokens.get(at).is_some_and(|t| t.is("(")) {
                let length = group_length(&tokens[at..])?;
                columns = column_names(&tokens[at + 1..at + length - 1]);
                at += length;
            }
            if !tokens.get(at).is_some_and(|t| t.is_word("AS")) {
                return Err(SqlError::syntax(name));
            }
            let length = group_length(&tokens[at + 1..])?;
            let inner = self.query(&tokens[at + 2..at + length])?;
            texts.push(format!("{}{columns} AS ({})", cte_name(name), inner.sql));
            at += 1 + length;
            if tokens.get(at).is_some_and(|t| t.is(",")) {
                at += 1;
            } else {
                return Ok((format!("WITH {} ", texts.join(", ")), &tokens[at..]));
            }
        }
    }

    fn select(&mut self, tokens: &[Lexed], inner: bool) -> Result<Query, SqlError> {
        if tokens.first().is_some_and(|t| t.is("(")) && group_length(tokens)? == tokens.len() {
            let query = self.query(&tokens[1..tokens.len() - 1])?;
            return Ok(Query {
                sql: format!("SELECT * FROM ({})", query.sql),
                items: query.items,
            });
        }
        let clauses = clauses(tokens)?;
        let empty = Tokens::new();
        let clause = |name: &str| clauses.by_name.get(name).unwrap_or(&empty);
        // FROM first: nothing in the list depends on it, but its errors come first on the server.
        let from = match clauses.by_name.get("FROM") {
            Some(tokens) => format!(" FROM {}", self.sources(tokens)?),
            None => String::new(),
        };
        let (list, items) = self.items(clause("SELECT"))?;
        let mut sql = format!(
            "SELECT {}{list}{from}",
            if clauses.distinct { "DISTINCT " } else { "" }
        );
        for (name, words) in [
            ("WHERE", "WHERE"),
            ("GROUP", "GROUP BY"),
            ("HAVING", "HAVING"),
        ] {
            if let Some(tokens) = clauses.by_name.get(name) {
                sql.push_str(&format!(" {words} {}", self.expressions(tokens)?));
            }
        }
        if let Some(tokens) = clauses.by_name.get("ORDER") {
            sql.push_str(&format!(" ORDER BY {}", self.expressions(tokens)?));
        }
        if let Some(top) = &clauses.top {
            sql.push_str(&format!(" LIMIT {}", self.expression(top)?.text));
        } else if let Some(tokens) = clauses.by_name.get("OFFSET") {
            sql.push_str(&self.offset(tokens)?);
        }
        if inner && clauses.top.is_some() {
            sql = format!("SELECT * FROM ({sql})");
        }
        Ok(Query { sql, items })
    }

    /// `n ROWS [FETCH NEXT m ROWS ONLY]`.
    fn offset(&mut self, tokens: &[Lexed]) -> Result<String, SqlError> {
        let skip = |t: &&Lexed| {
            !["ROW", "ROWS", "FETCH", "NEXT", "FIRST", "ONLY"]
                .iter()
                .any(|w| t.is_word(w))
        };
        let fetch = tokens
            .iter()
            .position(|t| t.is_word("FETCH"))
            .unwrap_or(tokens.len());
        let number = |tokens: &[Lexed]| tokens.iter().filter(skip).cloned().collect::<Tokens>();
        let offset = self.expression(&number(&tokens[..fetch]))?.text;
        let limit = match number(&tokens[fetch..]) {
            limit if limit.is_empty() => "-1".to_owned(),
            limit => self.expression(&limit)?.text,
        };
        Ok(format!(" LIMIT {limit} OFFSET {offset}"))
    }

    /// A select list, every item with a name of its own.
    pub fn items(&mut self, tokens: &[Lexed]) -> Result<(String, Vec<Item>), SqlError> {
        let (mut texts, mut items) = (Vec::new(), Vec::new());
        for part in split(tokens, ",") {
            if part.is_empty() {
                return Err(SqlError::syntax(","));
            }
            if part.last().is_some_and(|t| t.is("*")) && (part.len() == 1 || part.len() % 2 == 1) {
                texts.push(self.expression(&part)?.text);
                items.push(Item {
                    name: None,
                    ty: None,
                    assigned: None,
                });
                continue;
            }
            let (name, assigned, value) = item_name(&part);
            let expression = self.expression(value)?;
            texts.push(format!("{} AS {}", expression.text, quote(&name)));
            items.push(Item {
                name: Some(name),
                ty: expression.ty,
                assigned,
            });
        }
        Ok((texts.join(", "), items))
    }

    /// A FROM clause.
    pub fn sources(&mut self, tokens: &[Lexed]) -> Result<String, SqlError> {
        self.deeper(|rewriter| rewriter.all_sources(tokens))
    }

    fn all_sources(&mut self, tokens: &[Lexed]) -> Result<String, SqlError> {
        let mut sql = String::new();
        let mut at = 0;
        let mut expects_source = true;
        while at < tokens.len() {
            if expects_source {
                let (text, length) = self.source(&tokens[at..])?;
                sql.push_str(&text);
                at += length;
                expects_source = false;
            } else if tokens[at].is(",") {
                sql.push_str(", ");
                at += 1;
                expects_source = true;
            } else if tokens[at].is_word("ON") {
                let length = 1 + condition_length(&tokens[at + 1..]);
                let condition = self.expression(&tokens[at + 1..at + length])?;
                sql.push_str(&format!(" ON {}", condition.text));
                at += length;
            } else {
                let word = tokens[at].upper().unwrap_or_default();
                if !AFTER_SOURCE.contains(&word.as_str()) {
                    return Err(SqlError::syntax(&word));
                }
                // `CROSS APPLY f(…)` joins every row; OUTER APPLY of a constant source is the same.
                sql.push_str(&format!(
                    " {}",
                    if word == "APPLY" { "JOIN" } else { &word }
                ));
                expects_source = matches!(word.as_str(), "JOIN" | "APPLY");
                if expects_source {
                    sql.push(' ');
                }
                at += 1;
            }
        }
        Ok(sql)
    }

    /// One table, view, function or derived table, with its alias and hints.
    fn source(&mut self, tokens: &[Lexed]) -> Result<(String, usize), SqlError> {
        let first = tokens.first().ok_or_else(|| SqlError::syntax("FROM"))?;
        let (mut text, mut length, mut alias);
        if first.is("(") {
            length = group_length(tokens)?;
            let inside = &tokens[1..length - 1];
            let derived = inside.first().is_some_and(|t| {
                ["SELECT", "WITH", "VALUES", "("]
                    .iter()
                    .any(|w| t.is_word(w) || t.is(w))
            });
            if !derived {
                return Ok((format!("({})", self.sources(inside)?), length));
            }
            text = if inside[0].is_word("VALUES") {
                format!("VALUES {}", self.expressions(&inside[1..])?)
            } else {
                self.query(inside)?.sql
            };
            text = format!("({text})");
            alias = None;
        } else {
            let (parts, taken) = chain(tokens)?;
            length = taken;
            if tokens.get(length).is_some_and(|t| t.is("(")) && !is_hint(&tokens[length..]) {
                let group = group_length(&tokens[length..])?;
                text = self.table_function(&parts, &tokens[length + 1..length + group - 1])?;
                length += group;
            } else {
                text = self.table(&parts)?;
            }
            alias = parts.last().cloned();
        }
        length += hints_length(&tokens[length..])?;
        if tokens.get(length).is_some_and(|t| t.is_word("AS")) {
            length += 1;
        }
        if let Some(name) = tokens
            .get(length)
            .filter(|t| is_alias(t))
            .and_then(Lexed::name)
        {
            alias = Some(name.to_owned());
            length += 1;
            if tokens.get(length).is_some_and(|t| t.is("(")) && !is_hint(&tokens[length..]) {
                let group = group_length(&tokens[length..])?;
                let columns = column_names(&tokens[length + 1..length + group - 1]);
                let inner = text.strip_prefix('(').unwrap_or(&text).to_owned();
                text = format!("(WITH \"derived\"{columns} AS ({inner} SELECT * FROM \"derived\")");
                length += group;
            }
        }
        length += hints_length(&tokens[length..])?;
        if let Some(alias) = alias {
            text = format!("{text} AS {}", quote(&alias));
        }
        Ok((text, length))
    }

    /// The storage's name of a table or view, quoted.
    pub fn table(&mut self, parts: &[String]) -> Result<String, SqlError> {
        let shown = || parts.join(".");
        let last = parts.last().map_or("", String::as_str);
        if parts.len() > 3 || (parts.len() == 3 && !same(&parts[0], self.database)) {
            let message = format!(
                "Reference to database and/or server name in '{}' is not supported in this version \
                 of SQL Server.",
                shown()
            );
            return Err(SqlError::new(40515, 16, message));
        }
        if parts.len() == 1 {
            if let Some(cte) = self.ctes.iter().find(|cte| same(cte, last)) {
                return Ok(cte_name(cte));
            }
            if last.starts_with('#') {
                let known = self.temporary.iter().any(|name| same(name, last));
                let name = temporary_name(last, self.session);
                return if known {
                    self.tables.insert(name.clone());
                    Ok(quote(&name))
                } else {
                    Err(SqlError::invalid_object(last))
                };
            }
        }
        let schemas: Vec<&str> = match parts {
            [_] => vec![self.default_schema, "dbo"],
            [.., schema, _] => vec![schema],
            [] => Vec::new(),
        };
        for schema in schemas {
            if same(schema, "sys") || same(schema, "INFORMATION_SCHEMA") {
                let key = (schema.to_lowercase(), last.to_lowercase());
                let name = format!("{}.{}", key.0, key.1);
                self.system.insert(key);
                return Ok(quote(&name));
            }
            let object = self
                .catalogue
                .schema(schema)
                .and_then(|s| self.catalogue.object(s.id, last));
            if let Some(object) = object {
                let name = self.catalogue.storage_name(object);
                self.tables.insert(name.clone());
                return Ok(quote(&name));
            }
        }
        Err(SqlError::invalid_object(&shown()))
    }

    /// The table itself that a statement changes, whatever filter lies before it.
    pub fn target(&mut self, parts: &[String]) -> Result<String, SqlError> {
        let name = self.table(parts)?;
        Ok(match self.target_object(parts) {
            Some(object) if object.kind == ObjectType::Table => format!("main.{name}"),
            _ => name,
        })
    }

    /// The condition that security policies put on rows to be changed, called `alias`.
    pub fn target_filter(
        &mut self,
        parts: &[String],
        alias: &str,
    ) -> Result<Option<String>, SqlError> {
        match self.target_object(parts) {
            Some(object) => self.filter(object, alias),
            None => Ok(None),
        }
    }

    fn target_object(&self, parts: &[String]) -> Option<&'a Object> {
        let (last, schema) = (parts.last()?, parts.iter().rev().nth(1));
        let schemas = match schema {
            Some(schema) => vec![schema.as_str()],
            None => vec![self.default_schema, "dbo"],
        };
        schemas
            .into_iter()
            .filter_map(|schema| self.catalogue.schema(schema))
            .find_map(|schema| self.catalogue.object(schema.id, last))
    }

    fn table_function(&mut self, parts: &[String], args: &[Lexed]) -> Result<String, SqlError> {
        let name = parts.last().map_or("", String::as_str);
        if !same(name, "fn_my_permissions") {
            return Err(SqlError::invalid_object(&parts.join(".")));
        }
        let values: Vec<Option<String>> = split(args, ",")
            .iter()
            .map(|arg| match arg.first().map(|t| &t.token) {
                Some(Token::Text(text)) => Some(text.clone()),
                Some(Token::Variable(name)) => match self.variables.get(name) {
                    Some((_, Value::Text(text))) => Some(text.clone()),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        let securable = values.first().cloned().flatten();
        let class = values.get(1).cloned().flatten().unwrap_or_default();
        self.permission_calls.push((securable, class));
        Ok(quote(&format!(
            "fn_my_permissions.{}",
            self.permission_calls.len()
        )))
    }

    pub fn variable(&self, name: &str) -> Result<ColumnType, SqlError> {
        self.variables.get(name).map(|(ty, _)| *ty).ok_or_else(|| {
            SqlError::new(
                137,
                15,
                format!("Must declare the scalar variable \"@{name}\"."),
            )
        })
    }

    pub fn global(&self, name: &str) -> Result<(String, ColumnType), SqlError> {
        self.globals.get(name).cloned().ok_or_else(|| {
            SqlError::new(
                137,
                15,
                format!("Must declare the scalar variable \"@@{name}\"."),
            )
        })
    }

    /// Whether a column of this name is text wherever it exists, so that `+` joins it.
    pub fn is_text_column(&self, name: &str) -> bool {
        is_system_text(name) || self.column_type(name).is_some_and(ColumnType::is_text)
    }

    /// The type of the columns of this name, when all of them have the same.
    pub fn column_type(&self, name: &str) -> Option<ColumnType> {
        if is_system_text(name) {
            return None;
        }
        let mut types = self
            .catalogue
            .objects
            .values()
            .flat_map(|object| &object.columns)
            .filter(|column| same(&column.name, name))
            .map(|column| column.ty);
        let first = types.next()?;
        types
            .all(|ty| ty == first || (ty.is_text() && first.is_text()))
            .then_some(first)
    }
}

/// Whether a system view has a text column of this name.
fn is_system_text(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "default_schema_name",
        "definition",
        "host_name",
        "login_name",
        "name",
        "original_login_name",
        "permission_name",
        "program_name",
        "state",
        "status",
        "type",
    ];
    let lower = name.to_lowercase();
    NAMES.contains(&lower.as_str()) || lower.ends_with("_desc")
}
