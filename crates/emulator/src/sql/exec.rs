//! Statements: control flow, variables, transactions, errors.
//!
//! An error ends its statement; the batch goes on unless the error is one that ends it, XACT_ABORT
//! is on, or a TRY block takes it. That is the service's behaviour, and scripts that forget it go
//! wrong here as there.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use rusqlite::types::Value;

use super::ast::{Located, Statement, Tokens};
use super::catalogue::{Securable, same};
use super::database::DbState;
use super::error::SqlError;
use super::lexer::Lexed;
use super::permissions::Subject;
use super::session::{Reply, Session};
use super::value::{self, ColumnType};

/// Where to go on after a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Next,
    Break,
    Continue,
    Return(i32),
}

/// A batch whose loops turn more often than this, together, is broken off.
const LOOPS: u32 = 100_000;

/// Whether a statement can change the database.
fn writes(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Insert(_)
            | Statement::Update(_)
            | Statement::Delete(_)
            | Statement::Truncate(_)
            | Statement::Security(_)
            | Statement::Ddl(_)
    )
}

impl Session {
    pub(super) fn statements(
        &mut self,
        db: &mut DbState,
        statements: &[Located],
    ) -> Result<Flow, SqlError> {
        for statement in statements {
            match self.statement(db, statement) {
                Ok(Flow::Next) => {}
                Ok(flow) => return Ok(flow),
                Err(error) => self.after_error(error)?,
            }
        }
        Ok(Flow::Next)
    }

    /// Reports an error that the batch survives; gives back one that it does not.
    fn after_error(&mut self, error: SqlError) -> Result<(), SqlError> {
        self.settings.error = error.number;
        let control = self.tries > 0 || self.settings.xact_abort || error.ends_batch();
        if control || self.doomed {
            return Err(error);
        }
        self.replies.push(Reply::Error(error));
        Ok(())
    }

    fn statement(&mut self, db: &mut DbState, located: &Located) -> Result<Flow, SqlError> {
        self.line = located.line;
        let outcome = self.carry_out_one(db, &located.statement);
        outcome.map_err(|error| error.at(located.line, self.procedure.as_deref()))
    }

    fn carry_out_one(&mut self, db: &mut DbState, statement: &Statement) -> Result<Flow, SqlError> {
        if writes(statement) {
            self.own(db)?;
        }
        match statement {
            Statement::Query(tokens) => self.query(db, tokens)?,
            Statement::Insert(tokens) => self.insert(db, tokens)?,
            Statement::Update(tokens) => self.update(db, tokens)?,
            Statement::Delete(tokens) => self.delete(db, tokens)?,
            Statement::Truncate(name) => self.truncate(db, name)?,
            Statement::SetOption(tokens) => self.set_option(tokens),
            Statement::SetVariable(name, tokens) => {
                let value = self.evaluate(db, tokens)?;
                self.assign(name, value)?;
            }
            Statement::Declare(variables) => {
                for (name, ty, tokens) in variables {
                    let value = match tokens {
                        Some(tokens) => value::cast(self.evaluate(db, tokens)?, *ty, 0)?,
                        None => Value::Null,
                    };
                    self.variables.insert(name.clone(), (*ty, value));
                }
            }
            Statement::If {
                condition,
                then,
                otherwise,
            } => {
                if self.holds(db, condition)? {
                    return self.statement(db, then);
                }
                if let Some(otherwise) = otherwise {
                    return self.statement(db, otherwise);
                }
            }
            Statement::Break => return Ok(Flow::Break),
            Statement::Continue => return Ok(Flow::Continue),
            Statement::While { condition, body } => return self.repeat(db, condition, body),
            Statement::Block(statements) => return self.statements(db, statements),
            Statement::Try { body, handler } => return self.attempt(db, body, handler),
            Statement::Begin(name) => self.begin(name.clone()),
            Statement::Commit => self.commit(db)?,
            Statement::Rollback(name) => self.roll_back_statement(db, name.as_deref())?,
            Statement::Save(name) => self.save(db, name)?,
            Statement::Wait(_) => return Err(SqlError::unsupported("WAITFOR inside a block")),
            Statement::Print(tokens) => {
                let message = value::to_text(&self.evaluate(db, tokens)?, 0);
                let info = SqlError::new(0, 0, message);
                let info = info.at(self.line, self.procedure.as_deref());
                self.replies.push(Reply::Info(info));
            }
            Statement::Throw(thrown) => return Err(self.thrown(db, thrown.as_ref())?),
            Statement::RaiseError(arguments) => self.raise(db, arguments)?,
            Statement::Return(tokens) => {
                let value = match tokens {
                    Some(tokens) => self.evaluate(db, tokens)?,
                    None => Value::Integer(0),
                };
                let status = match value::cast(value, ColumnType::Int, 0)? {
                    Value::Integer(n) => n as i32,
                    _ => 0,
                };
                return Ok(Flow::Return(status));
            }
            Statement::Exec(exec) => {
                self.exec(db, exec)?;
            }
            Statement::ExecText(tokens) => {
                let text = value::to_text(&self.evaluate(db, tokens)?, 0);
                self.dynamic(db, &text, BTreeMap::new())?;
            }
            Statement::ExecuteAs(tokens) => self.execute_as(db, tokens)?,
            Statement::Revert => {
                if self.subjects.len() > 1 {
                    self.subjects.pop();
                }
            }
            Statement::Use(name) if same(name, &self.database.name) => self.done(None),
            Statement::Use(_) => {
                return Err(SqlError::new(
                    40508,
                    16,
                    "USE statement is not supported to switch between databases. Use a new \
                     connection to connect to a different database.",
                ));
            }
            Statement::Security(security) => {
                self.security(db, security)?;
                self.done(None);
            }
            Statement::Ddl(ddl) => {
                self.ddl(db, ddl)?;
                self.done(None);
            }
        }
        self.settings.error = 0;
        Ok(Flow::Next)
    }

    /// Reports a statement as done.
    pub(super) fn done(&mut self, rows: Option<u64>) {
        if let Some(rows) = rows {
            self.settings.rowcount = rows as i64;
        }
        let rows = rows.filter(|_| !self.settings.nocount);
        self.replies.push(Reply::Done(rows));
    }

    fn repeat(
        &mut self,
        db: &mut DbState,
        condition: &Tokens,
        body: &Located,
    ) -> Result<Flow, SqlError> {
        while self.loops < LOOPS {
            self.loops += 1;
            if !self.holds(db, condition)? {
                return Ok(Flow::Next);
            }
            match self.statement(db, body)? {
                Flow::Next | Flow::Continue => {}
                Flow::Break => return Ok(Flow::Next),
                flow @ Flow::Return(_) => return Ok(flow),
            }
        }
        Err(SqlError::new(50000, 16, "The loop does not end."))
    }

    fn attempt(
        &mut self,
        db: &mut DbState,
        body: &[Located],
        handler: &[Located],
    ) -> Result<Flow, SqlError> {
        self.tries += 1;
        let outcome = self.statements(db, body);
        self.tries -= 1;
        let error = match outcome {
            Ok(flow) => return Ok(flow),
            // A mistake in the text of this very batch is not for its own handler.
            Err(error) if matches!(error.number, 102 | 137 | 207 | 208) && self.depth == 0 => {
                return Err(error);
            }
            Err(error) => error,
        };
        self.doomed = self.settings.xact_abort && self.transactions > 0;
        self.caught.push(error);
        let outcome = self.statements(db, handler);
        self.caught.pop();
        outcome
    }

    fn thrown(
        &mut self,
        db: &mut DbState,
        thrown: Option<&(Tokens, Tokens, Tokens)>,
    ) -> Result<SqlError, SqlError> {
        let Some((number, message, state)) = thrown else {
            let outside =
                SqlError::new(10704, 15, "THROW without parameters outside a CATCH block.");
            return self.caught.last().cloned().ok_or(outside);
        };
        let number = self.integer(db, number)?;
        let message = value::to_text(&self.evaluate(db, message)?, 0);
        let state = self.integer(db, state)?;
        Ok(SqlError {
            state: state as u8,
            ..SqlError::new(number as i32, 16, message)
        })
    }

    fn raise(&mut self, db: &mut DbState, arguments: &[Tokens]) -> Result<(), SqlError> {
        let [message, severity, ..] = arguments else {
            return Err(SqlError::syntax("RAISERROR"));
        };
        let mut message = value::to_text(&self.evaluate(db, message)?, 0);
        let severity = self.integer(db, severity)?;
        for argument in arguments.iter().skip(3) {
            let text = value::to_text(&self.evaluate(db, argument)?, 0);
            let at = [message.find("%s"), message.find("%d")]
                .into_iter()
                .flatten()
                .min();
            if let Some(at) = at {
                message.replace_range(at..at + 2, &text);
            }
        }
        let error = SqlError::new(50000, severity.clamp(0, 25) as u8, message);
        let error = error.at(self.line, self.procedure.as_deref());
        if severity <= 10 {
            self.replies.push(Reply::Info(error));
            return Ok(());
        }
        // RAISERROR never ends a batch by itself.
        if self.tries > 0 {
            return Err(error);
        }
        self.replies.push(Reply::Error(error));
        Ok(())
    }

    fn integer(&mut self, db: &mut DbState, tokens: &[Lexed]) -> Result<i64, SqlError> {
        match value::cast(self.evaluate(db, tokens)?, ColumnType::BigInt, 0)? {
            Value::Integer(n) => Ok(n),
            _ => Ok(0),
        }
    }

    pub(super) fn assign(&mut self, name: &str, value: Value) -> Result<(), SqlError> {
        let Some((ty, slot)) = self.variables.get_mut(name) else {
            let message = format!("Must declare the scalar variable \"@{name}\".");
            return Err(SqlError::new(137, 15, message));
        };
        *slot = value::cast(value, *ty, 0)?;
        Ok(())
    }

    fn set_option(&mut self, tokens: &[Lexed]) {
        let on = tokens.last().is_some_and(|token| token.is_word("ON"));
        for token in tokens {
            match token.upper().as_deref() {
                Some("NOCOUNT") => self.settings.nocount = on,
                Some("XACT_ABORT") => self.settings.xact_abort = on,
                Some("IMPLICIT_TRANSACTIONS") => self.settings.implicit_transactions = on,
                _ => {}
            }
        }
    }

    fn begin(&mut self, name: Option<String>) {
        if self.transactions == 0 {
            self.transaction_name = name;
            self.replies.push(Reply::Began);
        }
        self.transactions += 1;
        self.done(None);
    }

    /// Makes sure that what is written next can be undone with the transaction. Until then others
    /// are not kept waiting: many drivers begin a transaction long before they write.
    pub(super) fn own(&mut self, db: &mut DbState) -> Result<(), SqlError> {
        if self.settings.implicit_transactions && self.transactions == 0 {
            self.replies.push(Reply::Began);
            self.transactions = 1;
        }
        if self.transactions > 0 && !db.is_owned_by(self.id) {
            db.begin(self.id)
                .map_err(|error| SqlError::from_sqlite(&error))?;
        }
        Ok(())
    }

    fn commit(&mut self, db: &mut DbState) -> Result<(), SqlError> {
        if self.doomed {
            return Err(SqlError::new(
                3930,
                16,
                "The current transaction cannot be committed and cannot support operations that \
                 write to the log file. Roll back the transaction.",
            ));
        }
        match self.transactions {
            0 => {
                let message = "The COMMIT TRANSACTION request has no corresponding BEGIN \
                               TRANSACTION.";
                return Err(SqlError::new(3902, 16, message));
            }
            1 => {
                if db.is_owned_by(self.id) {
                    db.commit().map_err(|error| SqlError::from_sqlite(&error))?;
                }
                self.replies.push(Reply::Committed);
            }
            _ => {}
        }
        self.transactions -= 1;
        self.done(None);
        Ok(())
    }

    /// SAVE TRANSACTION: a place that a ROLLBACK can go back to.
    fn save(&mut self, db: &mut DbState, name: &str) -> Result<(), SqlError> {
        if self.transactions == 0 {
            let message = "Cannot issue SAVE TRANSACTION when there is no active transaction.";
            return Err(SqlError::new(628, 16, message));
        }
        self.own(db)?;
        db.save(name)
            .map_err(|error| SqlError::from_sqlite(&error))?;
        self.done(None);
        Ok(())
    }

    fn roll_back_statement(&mut self, db: &mut DbState, to: Option<&str>) -> Result<(), SqlError> {
        if let Some(name) = to
            && self.transactions > 0
            && !self
                .transaction_name
                .as_deref()
                .is_some_and(|own| same(own, name))
        {
            let found = db.roll_back_to(name);
            if !found.map_err(|error| SqlError::from_sqlite(&error))? {
                let message = format!(
                    "Cannot roll back {name}. No transaction or savepoint of that name was found."
                );
                return Err(SqlError::new(6401, 16, message));
            }
            self.done(None);
            return Ok(());
        }
        if self.transactions == 0 {
            let message = "The ROLLBACK TRANSACTION request has no corresponding BEGIN \
                           TRANSACTION.";
            return Err(SqlError::new(3903, 16, message));
        }
        self.roll_back(db)?;
        self.done(None);
        Ok(())
    }

    pub(super) fn roll_back(&mut self, db: &mut DbState) -> Result<(), SqlError> {
        self.transactions = 0;
        self.doomed = false;
        db.rollback()
            .map_err(|error| SqlError::from_sqlite(&error))?;
        self.replies.push(Reply::RolledBack);
        Ok(())
    }

    /// EXECUTE AS USER; groups and roles cannot be put on.
    fn execute_as(&mut self, db: &mut DbState, tokens: &[Lexed]) -> Result<(), SqlError> {
        let tokens: Tokens = match tokens.iter().position(|token| token.is_word("WITH")) {
            Some(at) => tokens[..at].to_vec(),
            None => tokens.to_vec(),
        };
        let name = value::to_text(&self.evaluate(db, &tokens)?, 0);
        use super::catalogue::PrincipalType::{ExternalUser, SqlUser};
        let found = db
            .catalogue
            .principal(&name)
            .filter(|p| matches!(p.kind, SqlUser | ExternalUser))
            .map(|p| p.id)
            .filter(|id| self.can(db, "IMPERSONATE", Securable::Principal(*id)));
        let Some(id) = found else {
            let message = format!(
                "Cannot execute as the database principal because the principal \"{name}\" does \
                 not exist, this type of principal cannot be impersonated, or you do not have \
                 permission."
            );
            return Err(SqlError::new(15517, 16, message));
        };
        self.subjects.push(Subject::user(id));
        Ok(())
    }

    /// Sets what the built-in functions answer from.
    pub(super) fn set_call(&self, db: &DbState) {
        let names = self.server.database_names();
        let entra_only = self.server.lock().entra_only;
        let mut call = db.call.lock().unwrap_or_else(PoisonError::into_inner);
        call.catalogue = std::sync::Arc::clone(&db.catalogue);
        call.database = self.database.name.clone();
        call.database_id = super::views_server::database_id(&names, &self.database.name);
        call.server = self.server.name.clone();
        call.subject = self.subject();
        call.login = self.identity.name.clone();
        call.login_sid = self.identity.sid.clone();
        call.host = self.identity.host.clone();
        call.program = self.identity.program.clone();
        call.is_server_admin = self.acts_as_server_admin();
        call.server_roles = self.identity.server_roles.clone();
        call.entra_only = entra_only;
        call.now = self.server.clock.now();
        call.session_context = std::sync::Arc::clone(&self.context);
        call.caught = self.caught.last().cloned();
        call.identity = self.settings.identity;
        call.transaction_state = match (self.transactions, self.doomed) {
            (0, _) => 0,
            (_, true) => -1,
            (_, false) => 1,
        };
    }
}
