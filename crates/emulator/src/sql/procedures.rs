//! Calls: procedures of the database, the system's own, and batches with parameters.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::types::Value;

use super::ast::Name;
use super::ast::{Exec, Parameter, RoleChange, Security};
use super::audit;
use super::catalogue::{ObjectType, Securable, same};
use super::database::DbState;
use super::error::SqlError;
use super::exec::Flow;
use super::lexer::Token;
use super::parse::{parse, parse_parameters, parse_procedure};
use super::rewrite::Variables;
use super::session::{Reply, Session};
use super::value::{self, ColumnType};

/// A procedure called from outside, by name.
#[derive(Clone, Debug)]
pub struct Call {
    pub procedure: String,
    pub arguments: Vec<Argument>,
}

/// One argument of a call.
#[derive(Clone, Debug)]
pub struct Argument {
    /// Without the sign, as written; empty for a positional one.
    pub name: String,
    pub ty: ColumnType,
    pub value: Value,
    pub output: bool,
}

impl Argument {
    pub(super) fn text(&self) -> String {
        value::to_text(&self.value, 0)
    }

    fn is_null(&self) -> bool {
        self.value == Value::Null
    }
}

/// The argument with this name, or the one at this place when it has none.
pub(super) fn named<'a>(arguments: &'a [Argument], name: &str, at: usize) -> Option<&'a Argument> {
    let by_name = arguments.iter().find(|a| a.name.eq_ignore_ascii_case(name));
    by_name.or_else(|| arguments.get(at).filter(|a| a.name.is_empty()))
}

impl Session {
    /// Carries out a call and answers what it leaves, the status last.
    pub async fn call(&mut self, call: Call) -> Vec<Reply> {
        let text = audit::text_of(&call);
        self.text.clone_from(&text);
        let replies = self.carry_out_call(call).await;
        self.audit_request("RPC COMPLETED", &text, &replies);
        replies
    }

    async fn carry_out_call(&mut self, call: Call) -> Vec<Reply> {
        if same(&call.procedure, "sp_reset_connection") {
            if let Err(error) = self.can_be_reset() {
                return vec![Reply::Error(error)];
            }
            let mut replies = self.reset();
            replies.push(Reply::Status(0));
            return replies;
        }
        if let Err(error) = self.wait().await {
            return vec![Reply::Error(error)];
        }
        self.variables.clear();
        self.exclusively(|session, db| {
            let outcome = session.called(db, &call.procedure, &call.arguments);
            if let Err(error) = &outcome
                && session.transactions > 0
                && (session.settings.xact_abort || session.doomed || error.class >= 17)
            {
                session.roll_back(db)?;
            }
            let status = outcome?;
            session.replies.push(Reply::Status(status));
            Ok(())
        })
    }

    /// An EXEC statement: output arguments come back in its variables.
    pub(super) fn exec(&mut self, db: &mut DbState, exec: &Exec) -> Result<(), SqlError> {
        let mut arguments = Vec::new();
        for argument in &exec.arguments {
            let name = argument.name.clone().unwrap_or_default();
            let output = argument.output.is_some();
            // A bare word is a string here.
            let bare = match argument.value.as_slice() {
                [one] => match &one.token {
                    Token::Word(word) if !one.is_word("NULL") => Some(word.clone()),
                    Token::Quoted(word) => Some(word.clone()),
                    _ => None,
                },
                _ => None,
            };
            let value = match bare {
                Some(word) => Value::Text(word),
                None => self.evaluate(db, &argument.value)?,
            };
            let ty = match &value {
                Value::Integer(_) => ColumnType::BigInt,
                Value::Real(_) => ColumnType::Float,
                Value::Blob(_) => ColumnType::Binary(None),
                Value::Text(_) | Value::Null => ColumnType::Text(None),
            };
            arguments.push(Argument {
                name,
                ty,
                value,
                output,
            });
        }
        let before = self.replies.len();
        self.called(db, &exec.procedure.dotted(), &arguments)?;
        // Values for output arguments are this batch's, not the client's.
        let replies = self.replies.split_off(before);
        let mut outputs = exec
            .arguments
            .iter()
            .filter_map(|argument| argument.output.as_ref());
        for reply in replies {
            match reply {
                Reply::Output { value, .. } => {
                    if let Some(variable) = outputs.next() {
                        self.assign(variable, value)?;
                    }
                }
                other => self.replies.push(other),
            }
        }
        Ok(())
    }

    fn called(
        &mut self,
        db: &mut DbState,
        procedure: &str,
        arguments: &[Argument],
    ) -> Result<i32, SqlError> {
        let parts = super::functions::name_parts(procedure);
        let last = parts.last().cloned().unwrap_or_default();
        match last.to_ascii_lowercase().as_str() {
            "sp_executesql" => self.execute_sql(db, arguments)?,
            "sp_prepare" => {
                let handle = self.prepare_text(arguments)?;
                self.output_handle(arguments, handle);
            }
            "sp_prepexec" => {
                let handle = self.prepare_text(arguments)?;
                self.execute_prepared(db, handle, arguments.get(3..).unwrap_or_default())?;
                self.output_handle(arguments, handle);
            }
            "sp_execute" => {
                let handle = arguments.first().map(handle).unwrap_or_default();
                self.execute_prepared(db, handle, arguments.get(1..).unwrap_or_default())?;
            }
            "sp_unprepare" => {
                let handle = arguments.first().map(handle).unwrap_or_default();
                self.prepared.remove(&handle);
            }
            "sp_set_session_context" => self.set_session_context(arguments)?,
            "sp_set_database_firewall_rule" | "sp_delete_database_firewall_rule" => {
                self.database_firewall(db, &last, arguments)?;
            }
            "sp_set_firewall_rule" | "sp_delete_firewall_rule" => {
                self.server_firewall(&last, arguments)?;
            }
            "sp_audit_write" => self.audit_write(&db.catalogue, arguments),
            "sp_setapprole" => self.set_application_role(db, arguments)?,
            "sp_unsetapprole" => self.unset_application_role(arguments)?,
            "sp_addrolemember" | "sp_droprolemember" => {
                let [role, member] = arguments else {
                    return Err(SqlError::new(
                        201,
                        16,
                        "The procedure expects two parameters.",
                    ));
                };
                let change = match last.eq_ignore_ascii_case("sp_addrolemember") {
                    true => RoleChange::Add(member.text()),
                    false => RoleChange::Drop(member.text()),
                };
                self.security(
                    db,
                    &Security::AlterRole {
                        name: role.text(),
                        change,
                    },
                )?;
            }
            _ => return self.user_procedure(db, &Name(parts), procedure, arguments),
        }
        Ok(0)
    }

    /// An output parameter goes back under the name that it came with.
    pub(super) fn output(&mut self, argument: &Argument, ty: ColumnType, value: Value) {
        let name = match argument.name.as_str() {
            "" => String::new(),
            name => format!("@{name}"),
        };
        self.replies.push(Reply::Output { name, ty, value });
    }

    fn output_handle(&mut self, arguments: &[Argument], handle: i32) {
        if let Some(argument) = arguments.first() {
            self.output(argument, ColumnType::Int, Value::Integer(handle.into()));
        }
    }

    /// Statement, parameter list, values.
    fn execute_sql(&mut self, db: &mut DbState, arguments: &[Argument]) -> Result<(), SqlError> {
        let Some(statement) = arguments.first() else {
            let message =
                "Procedure expects parameter '@statement' of type 'ntext/nchar/nvarchar'.";
            return Err(SqlError::new(214, 16, message));
        };
        let declared = match arguments.get(1) {
            Some(list) if !list.is_null() => parse_parameters(&list.text())?,
            _ => Vec::new(),
        };
        let values = arguments.get(2..).unwrap_or_default();
        self.run_with(db, &statement.text(), &declared, values)
    }

    fn prepare_text(&mut self, arguments: &[Argument]) -> Result<i32, SqlError> {
        let [_, parameters, statement, ..] = arguments else {
            return Err(SqlError::new(
                214,
                16,
                "Procedure expects a handle, parameters and a text.",
            ));
        };
        parse(&statement.text())?;
        let handle = self.prepared.keys().last().copied().unwrap_or(0) + 1;
        self.prepared
            .insert(handle, (parameters.text(), statement.text()));
        Ok(handle)
    }

    fn execute_prepared(
        &mut self,
        db: &mut DbState,
        handle: i32,
        values: &[Argument],
    ) -> Result<(), SqlError> {
        let Some((parameters, statement)) = self.prepared.get(&handle).cloned() else {
            let message = format!("Could not find prepared statement with handle {handle}.");
            return Err(SqlError::new(8179, 16, message));
        };
        let declared = parse_parameters(&parameters)?;
        self.run_with(db, &statement, &declared, values)
    }

    /// Runs a text with parameters; those that are output come back as replies.
    fn run_with(
        &mut self,
        db: &mut DbState,
        text: &str,
        declared: &[Parameter],
        values: &[Argument],
    ) -> Result<(), SqlError> {
        let variables = bind(self, db, "sp_executesql", declared, values)?;
        let variables = self.dynamic(db, text, variables)?;
        self.outputs(declared, values, &variables);
        Ok(())
    }

    fn outputs(&mut self, declared: &[Parameter], values: &[Argument], variables: &Variables) {
        for (at, argument) in values.iter().enumerate().filter(|(_, a)| a.output) {
            let name = match argument.name.trim_start_matches('@') {
                "" => declared.get(at).map(|parameter| parameter.name.clone()),
                name => Some(name.to_lowercase()),
            };
            if let Some((ty, value)) = name.and_then(|name| variables.get(&name)) {
                self.output(argument, *ty, value.clone());
            }
        }
    }

    /// Runs a text as a batch of its own, with its own variables, and gives those back. It has
    /// nobody's rights but the user's, even inside a procedure.
    pub(super) fn dynamic(
        &mut self,
        db: &mut DbState,
        text: &str,
        variables: Variables,
    ) -> Result<Variables, SqlError> {
        let statements = parse(text)?;
        let depth = std::mem::replace(&mut self.depth, 0);
        let procedure = self.procedure.take();
        let alone = std::mem::replace(&mut self.alone, statements.len() == 1);
        let outer = std::mem::replace(&mut self.variables, variables);
        let subjects = self.subjects.len();
        let outcome = self.statements(db, &statements);
        self.subjects.truncate(subjects.max(1));
        self.depth = depth;
        self.procedure = procedure;
        self.alone = alone;
        let inner = std::mem::replace(&mut self.variables, outer);
        outcome.map(|_| inner)
    }

    fn user_procedure(
        &mut self,
        db: &mut DbState,
        name: &Name,
        shown: &str,
        arguments: &[Argument],
    ) -> Result<i32, SqlError> {
        let found = self
            .find_object(db, name)
            .filter(|object| object.kind == ObjectType::Procedure)
            .cloned();
        let Some(object) = found else {
            let message = format!("Could not find stored procedure '{shown}'.");
            return Err(SqlError::new(2812, 16, message));
        };
        if self.depth == 0 && !self.can(db, "EXECUTE", Securable::Object(object.id)) {
            let schema = db.catalogue.schema_name(object.schema).to_owned();
            return Err(SqlError::denied(
                "EXECUTE",
                &object.name,
                &self.database.name,
                &schema,
            ));
        }
        if self.depth >= 32 {
            let message = "Maximum stored procedure nesting level exceeded (limit 32).";
            return Err(SqlError::new(217, 16, message));
        }
        let text = object.definition.unwrap_or_default();
        let (declared, body) = parse_procedure(&text)?;
        let variables = bind(self, db, &object.name, &declared, arguments)?;
        let outer = std::mem::replace(&mut self.variables, variables);
        let nocount = self.settings.nocount;
        let subjects = self.subjects.len();
        let caller = self.procedure.replace(object.name.clone());
        self.depth += 1;
        let outcome = self.statements(db, &body);
        self.depth -= 1;
        self.procedure = caller;
        self.subjects.truncate(subjects.max(1));
        self.settings.nocount = nocount;
        let inner = std::mem::replace(&mut self.variables, outer);
        let flow = outcome?;
        self.outputs(&declared, arguments, &inner);
        Ok(match flow {
            Flow::Return(status) => status,
            Flow::Next | Flow::Break | Flow::Continue => 0,
        })
    }

    /// `@key, @value, @read_only`: at most 128 bytes of key, 8,000 of value.
    fn set_session_context(&mut self, arguments: &[Argument]) -> Result<(), SqlError> {
        let named = |name: &str, at: usize| named(arguments, name, at);
        let key = named("key", 0).map(Argument::text).unwrap_or_default();
        let value = named("value", 1).map_or(Value::Null, |argument| argument.value.clone());
        let read_only = named("read_only", 2).is_some_and(|a| a.value == Value::Integer(1));
        if key.is_empty() || key.encode_utf16().count() * 2 > 256 {
            let message = "The key of the session context is missing or too long.";
            return Err(SqlError::new(15667, 16, message));
        }
        if value::to_text(&value, 0).encode_utf16().count() * 2 > 8000 {
            let message = "The value of the session context is longer than 8000 bytes.";
            return Err(SqlError::new(15666, 16, message));
        }
        if self.read_only_keys.contains(&key) {
            let message = format!(
                "Cannot set key '{key}' in the session context. The key has been set as read_only \
                 for this session."
            );
            return Err(SqlError::new(15664, 16, message));
        }
        Arc::make_mut(&mut self.context).insert(key.clone(), value);
        if read_only {
            self.read_only_keys.push(key);
        }
        Ok(())
    }
}

fn handle(argument: &Argument) -> i32 {
    match argument.value {
        Value::Integer(n) => n as i32,
        _ => 0,
    }
}

/// Matches values with declared parameters, by name or by position.
fn bind(
    session: &mut Session,
    db: &mut DbState,
    procedure: &str,
    declared: &[Parameter],
    values: &[Argument],
) -> Result<Variables, SqlError> {
    let mut bound: BTreeMap<String, (ColumnType, Value)> = BTreeMap::new();
    if values.len() > declared.len() {
        let message =
            format!("Procedure or function {procedure} has too many arguments specified.");
        return Err(SqlError::new(8144, 16, message));
    }
    for (at, argument) in values.iter().enumerate() {
        let name = argument.name.trim_start_matches('@').to_lowercase();
        let found = declared.iter().find(|parameter| parameter.name == name);
        let parameter = if name.is_empty() {
            declared.get(at)
        } else {
            found
        };
        let Some(parameter) = parameter else {
            let message = format!("@{name} is not a parameter for procedure {procedure}.");
            return Err(SqlError::new(8145, 16, message));
        };
        let value = value::cast(argument.value.clone(), parameter.ty, 0)?;
        bound.insert(parameter.name.clone(), (parameter.ty, value));
    }
    for parameter in declared {
        if bound.contains_key(&parameter.name) {
            continue;
        }
        let value = match &parameter.default {
            Some(tokens) => value::cast(session.evaluate(db, tokens)?, parameter.ty, 0)?,
            None if parameter.output => Value::Null,
            None => {
                let message = format!(
                    "Procedure or function '{procedure}' expects parameter '@{}', which was not \
                     supplied.",
                    parameter.name
                );
                return Err(SqlError::new(201, 16, message));
            }
        };
        bound.insert(parameter.name.clone(), (parameter.ty, value));
    }
    Ok(bound)
}
