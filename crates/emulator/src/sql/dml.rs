//! INSERT, UPDATE, DELETE and TRUNCATE.

use super::ast::{Name, Tokens};
use super::catalogue::Securable;
use super::clauses::chain;
use super::database::DbState;
use super::error::SqlError;
use super::expression::group_length;
use super::lexer::Lexed;
use super::parser::split;
use super::query::Named;
use super::rewrite::{Item, Rewriter, quote};
use super::session::{Reply, Session};

/// A statement for the storage; with items it gives rows back.
struct Change {
    sql: String,
    returning: Vec<Item>,
}

impl Session {
    pub(super) fn insert(&mut self, db: &mut DbState, tokens: &[Lexed]) -> Result<(), SqlError> {
        let (change, named) = self.rewritten(db, |rewriter| insert(rewriter, tokens))?;
        self.carry_out(db, &change, &named)?;
        let identity = named
            .tables
            .iter()
            .filter_map(|table| db.catalogue.object_by_storage_name(table))
            .any(|object| object.columns.iter().any(|column| column.identity));
        let temporary = named
            .tables
            .iter()
            .any(|table| self.temporary_identities.contains(table));
        if identity || temporary {
            self.settings.identity = Some(db.storage.last_insert_rowid());
        }
        Ok(())
    }

    pub(super) fn update(&mut self, db: &mut DbState, tokens: &[Lexed]) -> Result<(), SqlError> {
        let (change, named) = self.rewritten(db, |rewriter| update(rewriter, tokens))?;
        self.carry_out(db, &change, &named)
    }

    pub(super) fn delete(&mut self, db: &mut DbState, tokens: &[Lexed]) -> Result<(), SqlError> {
        let (change, named) = self.rewritten(db, |rewriter| delete(rewriter, tokens))?;
        self.carry_out(db, &change, &named)
    }

    pub(super) fn truncate(&mut self, db: &mut DbState, name: &Name) -> Result<(), SqlError> {
        let (table, named) = self.rewritten(db, |rewriter| rewriter.target(&name.0))?;
        let object = named
            .tables
            .first()
            .and_then(|t| db.catalogue.object_by_storage_name(t));
        if let Some(object) = object
            && !self.can(db, "ALTER", Securable::Object(object.id))
        {
            let message = format!(
                "Cannot find the object \"{}\" because it does not exist or you do not have \
                 permissions.",
                name.last()
            );
            return Err(SqlError::new(1088, 16, message));
        }
        let emptied = db.storage.execute_batch(&format!("DELETE FROM {table}"));
        emptied.map_err(|error| SqlError::from_sqlite(&error))?;
        self.done(None);
        Ok(())
    }

    fn carry_out(
        &mut self,
        db: &mut DbState,
        change: &Change,
        named: &Named,
    ) -> Result<(), SqlError> {
        let count = if change.returning.is_empty() {
            self.change(db, &change.sql, named)?
        } else {
            let result = self.rows(db, &change.sql, &change.returning, named)?;
            let count = result.rows.len() as u64;
            self.replies.push(Reply::Rows(result));
            count
        };
        self.done(Some(count));
        Ok(())
    }
}

/// The position of a word outside parentheses and CASE.
fn find(tokens: &[Lexed], word: &str) -> Option<usize> {
    let (mut depth, mut cases) = (0, 0);
    tokens.iter().position(|token| {
        depth += i32::from(token.is("(")) - i32::from(token.is(")"));
        cases += i32::from(token.is_word("CASE")) - i32::from(token.is_word("END"));
        depth == 0 && cases <= 0 && token.is_word(word)
    })
}

/// `OUTPUT inserted.a, deleted.b AS c` as RETURNING; rows of before an update are not to be had.
fn returning(
    rewriter: &mut Rewriter<'_>,
    tokens: &[Lexed],
    update: bool,
) -> Result<(String, Vec<Item>), SqlError> {
    if tokens.is_empty() {
        return Ok((String::new(), Vec::new()));
    }
    if tokens.iter().any(|token| token.is_word("INTO")) {
        return Err(SqlError::unsupported("OUTPUT INTO"));
    }
    let mut plain = Tokens::new();
    let mut at = 0;
    while at < tokens.len() {
        let dotted = tokens.get(at + 1).is_some_and(|t| t.is("."));
        if dotted && update && tokens[at].is_word("DELETED") {
            return Err(SqlError::unsupported("OUTPUT deleted"));
        }
        if dotted && (tokens[at].is_word("INSERTED") || tokens[at].is_word("DELETED")) {
            at += 2;
        }
        plain.extend(tokens.get(at).cloned());
        at += 1;
    }
    let (list, items) = rewriter.items(&plain)?;
    Ok((format!(" RETURNING {list}"), items))
}

/// Skips the statement's verb, `TOP (n)` and an optional word; answers where the target begins.
fn target_at(tokens: &[Lexed], word: &str) -> Result<usize, SqlError> {
    let mut at = 1;
    if tokens.get(at).is_some_and(|t| t.is_word("TOP")) {
        return Err(SqlError::unsupported(
            "TOP in a statement that changes rows",
        ));
    }
    at += usize::from(tokens.get(at).is_some_and(|t| t.is_word(word)));
    Ok(at)
}

fn insert(rewriter: &mut Rewriter<'_>, tokens: &[Lexed]) -> Result<Change, SqlError> {
    if tokens.get(1).is_some_and(|token| token.is_word("BULK")) {
        return Err(SqlError::unsupported("INSERT BULK"));
    }
    let mut at = target_at(tokens, "INTO")?;
    let (parts, length) = chain(tokens.get(at..).unwrap_or_default())?;
    at += length;
    let mut sql = format!("INSERT INTO {}", rewriter.target(&parts)?);
    if tokens.get(at).is_some_and(|t| t.is("(")) {
        let group = group_length(&tokens[at..])?;
        let names: Vec<String> = tokens[at + 1..at + group - 1]
            .iter()
            .filter_map(Lexed::name)
            .map(quote)
            .collect();
        sql.push_str(&format!(" ({})", names.join(", ")));
        at += group;
    }
    let rest = &tokens[at..];
    let body = ["VALUES", "SELECT", "WITH", "DEFAULT", "EXEC", "EXECUTE"]
        .iter()
        .filter_map(|word| find(rest, word))
        .min()
        .ok_or_else(|| SqlError::syntax("INSERT"))?;
    let output = rest[..body].first().map_or(&rest[..0], |_| &rest[1..body]);
    let (returned, returning) = returning(rewriter, output, false)?;
    let rest = &rest[body..];
    if rest[0].is_word("VALUES") {
        sql.push_str(&format!(" VALUES {}", rewriter.expressions(&rest[1..])?));
    } else if rest[0].is_word("DEFAULT") {
        sql.push_str(" DEFAULT VALUES");
    } else if rest[0].is_word("SELECT") || rest[0].is_word("WITH") {
        sql.push_str(&format!(" {}", rewriter.query(rest)?.sql));
    } else {
        return Err(SqlError::unsupported("INSERT … EXEC"));
    }
    sql.push_str(&returned);
    Ok(Change { sql, returning })
}

fn update(rewriter: &mut Rewriter<'_>, tokens: &[Lexed]) -> Result<Change, SqlError> {
    let at = target_at(tokens, "")?;
    let (parts, _) = chain(tokens.get(at..).unwrap_or_default())?;
    let set = find(tokens, "SET").ok_or_else(|| SqlError::syntax("UPDATE"))?;
    let (tail, from) = tail(tokens, set + 1);
    if from {
        return Err(SqlError::unsupported("UPDATE … FROM"));
    }
    let output = find(tokens, "OUTPUT").filter(|at| (set + 1..tail).contains(at));
    let end = output.unwrap_or(tail);
    let mut assignments = Vec::new();
    for assignment in split(&tokens[set + 1..end], ",") {
        assignments.push(set_column(rewriter, &assignment)?);
    }
    let alias = quote(parts.last().map_or("", String::as_str));
    let table = rewriter.target(&parts)?;
    let mut sql = format!("UPDATE {table} AS {alias} SET {}", assignments.join(", "));
    let said = tokens.get(tail + 1..);
    sql.push_str(&condition(rewriter, &parts, &alias, said)?);
    let outputs = output.map_or(&tokens[..0], |at| &tokens[at + 1..tail]);
    let (returned, returning) = returning(rewriter, outputs, true)?;
    sql.push_str(&returned);
    Ok(Change { sql, returning })
}

/// `column = value`, `column += value`, whatever stands before the column.
fn set_column(rewriter: &mut Rewriter<'_>, tokens: &[Lexed]) -> Result<String, SqlError> {
    let operators = ["=", "+=", "-=", "*=", "/=", "%="];
    let at = tokens
        .iter()
        .position(|token| operators.iter().any(|symbol| token.is(symbol)))
        .filter(|at| *at > 0)
        .ok_or_else(|| SqlError::syntax("SET"))?;
    let column = tokens[at - 1]
        .name()
        .map(quote)
        .ok_or_else(|| SqlError::syntax("SET"))?;
    let value = rewriter.expression(&tokens[at + 1..])?;
    let operator = operators
        .iter()
        .find(|symbol| tokens[at].is(symbol))
        .copied()
        .unwrap_or("=");
    Ok(match operator {
        "=" => format!("{column} = {}", value.text),
        operator => {
            let textual = value.ty.is_some_and(super::value::ColumnType::is_text);
            let sign = if operator == "+=" && textual {
                "||"
            } else {
                &operator[..1]
            };
            match sign {
                "/" | "%" => format!("{column} = {column} {sign} tsql_divisor({})", value.text),
                _ => format!("{column} = {column} {sign} ({})", value.text),
            }
        }
    })
}

/// Where WHERE stands, or the end; and whether a FROM comes before it.
fn tail(tokens: &[Lexed], from: usize) -> (usize, bool) {
    let rest = &tokens[from..];
    let at = find(rest, "WHERE").unwrap_or(rest.len());
    (from + at, find(&rest[..at], "FROM").is_some())
}

/// The WHERE of a change: what the statement says, and what security policies do.
fn condition(
    rewriter: &mut Rewriter<'_>,
    parts: &[String],
    alias: &str,
    said: Option<&[Lexed]>,
) -> Result<String, SqlError> {
    let filter = rewriter.target_filter(parts, alias)?;
    // A WHERE with nothing behind it is a mistake, not every row.
    if said.is_some_and(<[Lexed]>::is_empty) {
        return Err(SqlError::syntax("WHERE"));
    }
    let said = said.map(|tokens| rewriter.expression(tokens)).transpose()?;
    let both = [said.map(|expression| expression.text), filter];
    let both: Vec<String> = both
        .into_iter()
        .flatten()
        .map(|text| format!("({text})"))
        .collect();
    Ok(match both.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", both.join(" AND ")),
    })
}

fn delete(rewriter: &mut Rewriter<'_>, tokens: &[Lexed]) -> Result<Change, SqlError> {
    let at = target_at(tokens, "FROM")?;
    let (parts, length) = chain(tokens.get(at..).unwrap_or_default())?;
    let (tail, from) = tail(tokens, at + length);
    if from {
        return Err(SqlError::unsupported("DELETE … FROM"));
    }
    let alias = quote(parts.last().map_or("", String::as_str));
    let mut sql = format!("DELETE FROM {} AS {alias}", rewriter.target(&parts)?);
    let said = tokens.get(tail + 1..);
    sql.push_str(&condition(rewriter, &parts, &alias, said)?);
    let output = find(tokens, "OUTPUT").filter(|at| *at < tail);
    let outputs = output.map_or(&tokens[..0], |at| &tokens[at + 1..tail]);
    let (returned, returning) = returning(rewriter, outputs, false)?;
    sql.push_str(&returned);
    Ok(Change { sql, returning })
}
