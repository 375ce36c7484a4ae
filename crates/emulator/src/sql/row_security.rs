//! Row-level security: what the predicates of security policies let through and what they forbid.
//!
//! A table with a FILTER predicate is shadowed by a temporary view of its rows that pass, so that
//! every query, join and view reads those; statements that change rows get the predicate as a
//! condition. BLOCK predicates are triggers. Both are made anew whenever a policy changes, within
//! the transaction that changes it.

use super::ast::{Name, Tokens};
use super::catalogue::{Catalogue, Object, ObjectType, Predicate};
use super::database::DbState;
use super::error::SqlError;
use super::expression::group_length;
use super::lexer::{Lexed, Token, lex};
use super::parser::{Parser, split};
use super::rewrite::{Rewriter, quote};
use super::session::Session;

/// The name of a filtered table inside its view.
const FILTERED: &str = "filtered";

/// When a BLOCK predicate is asked, in the order of the catalogue's numbers, and of which row.
pub(super) const OPERATIONS: [(&str, &str); 4] = [
    ("AFTER INSERT", "NEW"),
    ("AFTER UPDATE", "NEW"),
    ("BEFORE UPDATE", "OLD"),
    ("BEFORE DELETE", "OLD"),
];

impl Session {
    /// Makes the storage do what the policies say.
    pub(super) fn enforce_policies(&mut self, db: &mut DbState) -> Result<(), SqlError> {
        for statement in enforced(db)? {
            self.store(db, &statement)?;
        }
        let (statements, _) = self.rewritten(db, enforcement)?;
        for statement in statements {
            self.store(db, &statement)?;
        }
        Ok(())
    }
}

/// Statements that take away what is enforced now.
fn enforced(db: &DbState) -> Result<Vec<String>, SqlError> {
    let made = "SELECT 'DROP ' || type || ' temp.\"' || replace(name, '\"', '\"\"') || '\"' \
                FROM temp.sqlite_master WHERE type = 'trigger' OR (type = 'view' AND name IN \
                (SELECT name FROM main.sqlite_master WHERE type = 'table'))";
    let failed = |error| SqlError::from_sqlite(&error);
    let mut found = db.storage.prepare(made).map_err(failed)?;
    let rows = found.query_map([], |row| row.get(0)).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

fn enforcement(rewriter: &mut Rewriter<'_>) -> Result<Vec<String>, SqlError> {
    let catalogue = rewriter.catalogue;
    let mut statements = Vec::new();
    for table in catalogue
        .objects
        .values()
        .filter(|o| o.kind == ObjectType::Table)
    {
        let stored = quote(&catalogue.storage_name(table));
        if let Some(filter) = rewriter.filter(table, FILTERED)? {
            let columns: Vec<String> = table.columns.iter().map(|c| quote(&c.name)).collect();
            statements.push(format!(
                "CREATE TEMP VIEW {stored} AS SELECT {} FROM main.{stored} AS {FILTERED} WHERE {filter}",
                columns.join(", ")
            ));
        }
        for predicate in predicates(catalogue, table, true) {
            statements.extend(block_triggers(rewriter, table, predicate)?);
        }
    }
    Ok(statements)
}

/// The predicates of policies that are on.
fn predicates<'c>(
    catalogue: &'c Catalogue,
    table: &Object,
    block: bool,
) -> impl Iterator<Item = &'c Predicate> {
    let target = table.id;
    let policies = catalogue.objects.values().filter(|o| o.enabled);
    policies
        .filter(|o| o.kind == ObjectType::SecurityPolicy)
        .flat_map(|policy| &policy.predicates)
        .filter(move |predicate| predicate.target == target && predicate.block == block)
}

fn block_triggers(
    rewriter: &mut Rewriter<'_>,
    table: &Object,
    predicate: &Predicate,
) -> Result<Vec<String>, SqlError> {
    let shown = format!(
        "{}.{}.{}",
        rewriter.database,
        rewriter.catalogue.schema_name(table.schema),
        table.name
    );
    let error = SqlError::new(
        33504,
        16,
        format!(
            "The attempted operation failed because the target object '{shown}' has a block \
             predicate that conflicts with this operation. If the operation is performed on a view, \
             the block predicate might be enforced on the underlying table. Modify the operation to \
             target only the rows that are allowed by the block predicate."
        ),
    );
    let stored = quote(&rewriter.catalogue.storage_name(table));
    let message = error.to_string().replace('\'', "''");
    let asked = |operation: &str| {
        predicate
            .operation
            .as_deref()
            .is_none_or(|o| o == operation)
    };
    let mut triggers = Vec::new();
    for (operation, row) in OPERATIONS.iter().filter(|(operation, _)| asked(operation)) {
        let allowed = rewriter.predicate(table, predicate, row)?;
        let name = quote(&format!("{shown}/{}/{operation}", predicate.id));
        triggers.push(format!(
            "CREATE TEMP TRIGGER {name} {operation} ON main.{stored} WHEN NOT ({allowed}) \
             BEGIN SELECT RAISE(ABORT, '{message}'); END"
        ));
    }
    Ok(triggers)
}

impl Rewriter<'_> {
    /// The condition that the filters of a table make of its rows, called `alias`.
    pub fn filter(&mut self, table: &Object, alias: &str) -> Result<Option<String>, SqlError> {
        let mut conditions = Vec::new();
        for predicate in predicates(self.catalogue, table, false) {
            conditions.push(self.predicate(table, predicate, alias)?);
        }
        Ok(Some(conditions.join(" AND ")).filter(|text| !text.is_empty()))
    }

    /// A predicate as an expression. What its function reads, the function's owner reads.
    fn predicate(
        &mut self,
        table: &Object,
        predicate: &Predicate,
        alias: &str,
    ) -> Result<String, SqlError> {
        let (name, arguments) = call(predicate)?;
        let function = function(self.catalogue, &name)
            .and_then(|object| object.definition.as_deref())
            .ok_or_else(|| unbound(&name.dotted()))?;
        let (parameters, body) = parts(function)?;
        let mut exists = lex("EXISTS (")?;
        for token in body {
            let at = match &token.token {
                Token::Variable(name) => parameters.iter().position(|known| known == name),
                _ => None,
            };
            match at.and_then(|at| arguments.get(at)) {
                Some(argument) => exists.extend(qualified(argument, table, alias)?),
                None => exists.push(token),
            }
        }
        exists.extend(lex(")")?);
        let named = (self.tables.clone(), self.system.clone());
        let text = self.expression(&exists)?.text;
        (self.tables, self.system) = named;
        Ok(text)
    }
}

/// The name of the function that a predicate calls, and the arguments.
fn call(predicate: &Predicate) -> Result<(Name, Vec<Tokens>), SqlError> {
    let tokens = lex(&predicate.definition)?;
    let mut parser = Parser::new("", &tokens);
    parser.expect_symbol("(")?;
    Ok((parser.name()?, split(&parser.parenthesised()?, ",")))
}

fn function<'c>(catalogue: &'c Catalogue, name: &Name) -> Option<&'c Object> {
    let schema = catalogue.schema(name.schema().unwrap_or("dbo"))?;
    let found = catalogue.object(schema.id, name.last());
    found.filter(|object| object.kind == ObjectType::InlineFunction)
}

/// Whether a security policy, on or off, reads this table or calls this function.
pub(super) fn is_bound(catalogue: &Catalogue, object: &Object) -> bool {
    let calls = |predicate: &Predicate| {
        let called = call(predicate).ok();
        called
            .and_then(|(name, _)| function(catalogue, &name))
            .is_some_and(|function| function.id == object.id)
    };
    let mut predicates = catalogue.objects.values().flat_map(|o| &o.predicates);
    predicates.any(|predicate| predicate.target == object.id || calls(predicate))
}

fn unbound(name: &str) -> SqlError {
    let message = format!(
        "Cannot schema bind security policy because name '{name}' is invalid for schema binding."
    );
    SqlError::new(4512, 16, message)
}

/// The parameters of an inline function, and its query.
fn parts(definition: &str) -> Result<(Vec<String>, Vec<Lexed>), SqlError> {
    let tokens = lex(definition)?;
    let start = tokens.iter().position(|t| t.is_word("FUNCTION"));
    let start = start.ok_or_else(|| SqlError::syntax("FUNCTION"))? + 1;
    let mut parser = Parser::new(definition, &tokens[start..]);
    parser.name()?;
    let parameters = split(&parser.parenthesised()?, ",")
        .iter()
        .filter_map(|parameter| match &parameter.first()?.token {
            Token::Variable(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    let body = tokens.iter().position(|t| t.is_word("RETURN"));
    let mut body = &tokens[body.ok_or_else(|| SqlError::syntax("RETURN"))? + 1..];
    while let Some((_, rest)) = body.split_last().filter(|(last, _)| last.is(";")) {
        body = rest;
    }
    while body.first().is_some_and(|t| t.is("(")) && group_length(body)? == body.len() {
        body = &body[1..body.len() - 1];
    }
    Ok((parameters, body.to_vec()))
}

/// An argument in parentheses, its columns with the table's alias before them.
fn qualified(argument: &[Lexed], table: &Object, alias: &str) -> Result<Vec<Lexed>, SqlError> {
    let mut tokens = lex("(")?;
    for (at, token) in argument.iter().enumerate() {
        let next_to = |at: Option<usize>, symbol: &str| {
            at.and_then(|at| argument.get(at))
                .is_some_and(|t| t.is(symbol))
        };
        let alone = !next_to(at.checked_sub(1), ".") && !next_to(Some(at + 1), "(");
        let is_column = token.name().is_some_and(|name| {
            table
                .columns
                .iter()
                .any(|column| super::catalogue::same(&column.name, name))
        });
        if alone && is_column {
            tokens.extend(lex(&format!("{alias}."))?);
        }
        tokens.push(token.clone());
    }
    tokens.extend(lex(")")?);
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_taken_apart() {
        let text = "CREATE FUNCTION dbo.f(@a int, @b sysname) RETURNS TABLE WITH SCHEMABINDING AS \
                    RETURN (SELECT 1 AS ok WHERE @a = 1);";
        let (parameters, body) = parts(text).unwrap();
        assert_eq!(parameters, ["a", "b"]);
        let body = super::super::parse_ddl::to_text(&body);
        assert_eq!(body, "SELECT 1 AS ok WHERE @a = 1");
        assert!(parts("CREATE FUNCTION dbo.f()").is_err());
    }
}
