//! T-SQL's built-in functions, as the storage can call them.
//!
//! Those that speak of the session or the catalogue answer from a `CallContext` that is set before
//! every statement.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Value;
use rusqlite::{Connection, Error, Result};

use super::catalogue::{Catalogue, PUBLIC, Securable, same};
use super::error::SqlError;
use super::permissions::{self, Subject};
use super::time;
use super::value::{ColumnType, cast, to_text};

/// What the functions know.
#[derive(Debug)]
pub struct CallContext {
    pub catalogue: Arc<Catalogue>,
    pub database: String,
    pub database_id: i64,
    pub server: String,
    pub subject: Subject,
    /// SUSER_SNAME() and ORIGINAL_LOGIN().
    pub login: String,
    pub login_sid: Vec<u8>,
    pub host: String,
    pub program: String,
    pub is_server_admin: bool,
    pub server_roles: Vec<&'static str>,
    pub entra_only: bool,
    /// Emulated seconds since 1970.
    pub now: i64,
    pub session_context: Arc<BTreeMap<String, Value>>,
    /// The error that a CATCH block handles.
    pub caught: Option<SqlError>,
    pub identity: Option<i64>,
    pub transaction_state: i64,
}

impl CallContext {
    pub fn new(catalogue: Arc<Catalogue>, database: &str) -> Self {
        Self {
            catalogue,
            database: database.to_owned(),
            database_id: 0,
            server: String::new(),
            subject: Subject::user(PUBLIC),
            login: String::new(),
            login_sid: Vec::new(),
            host: String::new(),
            program: String::new(),
            is_server_admin: false,
            server_roles: Vec::new(),
            entra_only: false,
            now: 0,
            session_context: Arc::default(),
            caught: None,
            identity: None,
            transaction_state: 0,
        }
    }

    fn user_name(&self, id: i32) -> Option<String> {
        self.catalogue
            .principals
            .get(&id)
            .map(|principal| principal.name.clone())
    }

    /// The id of `schema.object`, when this subject may know of it.
    fn object(&self, name: &str) -> Option<i32> {
        let parts = name_parts(name);
        let own = self.catalogue.principals.get(&self.subject.id());
        let default = own
            .and_then(|p| p.default_schema.clone())
            .unwrap_or_else(|| "dbo".into());
        let (schemas, last) = match parts.as_slice() {
            [name] => (vec![default, "dbo".to_owned()], name),
            [.., schema, name] => (vec![schema.clone()], name),
            [] => return None,
        };
        schemas
            .iter()
            .filter_map(|schema| self.catalogue.schema(schema))
            .find_map(|schema| self.catalogue.object(schema.id, last))
            .map(|object| object.id)
            .filter(|id| self.sees(*id))
    }

    fn sees(&self, object: i32) -> bool {
        permissions::any_on_object(&self.catalogue, &self.subject, object)
    }

    fn has_permission(
        &self,
        securable: Option<&str>,
        class: Option<&str>,
        name: &str,
    ) -> Option<bool> {
        let class = class.map(str::to_ascii_uppercase);
        if class.is_none() && securable.is_none() {
            return Some(self.is_server_admin || self.server_permission(name));
        }
        let kind = permissions::kind(name)?;
        let on = match class.as_deref() {
            Some("DATABASE") => match securable {
                Some(name) if !same(name, &self.database) => return None,
                _ => Securable::Database,
            },
            Some("SCHEMA") => {
                let parts = name_parts(securable?);
                Securable::Schema(self.catalogue.schema(parts.last()?)?.id)
            }
            Some("OBJECT") | None => Securable::Object(self.object(securable?)?),
            Some("USER" | "ROLE") => {
                let parts = name_parts(securable?);
                Securable::Principal(self.catalogue.principal(parts.last()?)?.id)
            }
            _ => return None,
        };
        if !kind.exists_on(on) {
            return None;
        }
        Some(permissions::allowed(
            &self.catalogue,
            &self.subject,
            kind.name,
            on,
        ))
    }

    fn server_permission(&self, name: &str) -> bool {
        let name = name.to_ascii_uppercase();
        self.server_roles.iter().any(|role| {
            matches!(
                (*role, name.as_str()),
                (
                    "##MS_SecurityDefinitionReader##",
                    "VIEW ANY SECURITY DEFINITION"
                ) | ("##MS_DefinitionReader##", "VIEW ANY DEFINITION")
                    | ("##MS_DatabaseConnector##", "CONNECT ANY DATABASE")
                    | ("##MS_ServerStateReader##", "VIEW SERVER STATE")
            )
        })
    }

    fn is_member(&self, role: &str, of: &Subject) -> Option<bool> {
        let role = self.catalogue.principal(role).filter(|p| p.is_role())?;
        let dbo = of.is_dbo() && matches!(role.name.as_str(), "db_owner" | "public");
        Some(dbo || of.closure(&self.catalogue).contains(&role.id))
    }
}

/// The parts of a name in text, brackets taken off.
pub fn name_parts(text: &str) -> Vec<String> {
    super::lexer::lex(text)
        .map(|tokens| {
            tokens
                .iter()
                .filter_map(|t| t.name().map(str::to_owned))
                .collect()
        })
        .unwrap_or_default()
}

/// Case-insensitive, trailing blanks ignored: SQL_Latin1_General_CP1_CI_AS as far as names go.
pub fn collate(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_end_matches(' '), b.trim_end_matches(' '));
    a.chars()
        .flat_map(char::to_lowercase)
        .cmp(b.chars().flat_map(char::to_lowercase))
}

type Shared = Arc<Mutex<CallContext>>;

fn lock(shared: &Shared) -> MutexGuard<'_, CallContext> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn failed(error: SqlError) -> Error {
    Error::UserFunctionError(Box::new(error))
}

/// An argument; NULL when it is not there.
pub fn value(context: &Context<'_>, at: usize) -> Value {
    if at < context.len() {
        context.get(at).unwrap_or(Value::Null)
    } else {
        Value::Null
    }
}

pub fn text(context: &Context<'_>, at: usize) -> Option<String> {
    match value(context, at) {
        Value::Null => None,
        other => Some(to_text(&other, 0)),
    }
}

pub fn integer(context: &Context<'_>, at: usize) -> Option<i64> {
    match value(context, at) {
        Value::Null => None,
        other => match cast(other, ColumnType::BigInt, 0) {
            Ok(Value::Integer(n)) => Some(n),
            _ => None,
        },
    }
}

pub fn maybe_text(text: Option<String>) -> Value {
    text.map_or(Value::Null, Value::Text)
}

pub fn maybe_int(number: Option<i64>) -> Value {
    number.map_or(Value::Null, Value::Integer)
}

fn maybe_bool(flag: Option<bool>) -> Value {
    maybe_int(flag.map(i64::from))
}

/// Adds everything to a connection.
pub fn register(storage: &Connection, call: &Shared) -> Result<()> {
    storage.create_collation("TSQL", collate)?;
    session_functions(storage, call)?;
    catalogue_functions(storage, call)?;
    super::functions_text::register(storage)?;
    date_functions(storage, call)
}

/// Registers one function of any number of arguments that reads the context.
fn with_context(
    storage: &Connection,
    call: &Shared,
    name: &str,
    answer: impl Fn(&CallContext, &Context<'_>) -> Value + Send + 'static,
) -> Result<()> {
    let call = Arc::clone(call);
    storage.create_scalar_function(name, -1, FunctionFlags::SQLITE_UTF8, move |context| {
        Ok(answer(&lock(&call), context))
    })
}

fn session_functions(storage: &Connection, call: &Shared) -> Result<()> {
    let add = |name: &str, answer: fn(&CallContext, &Context<'_>) -> Value| {
        with_context(storage, call, name, answer)
    };
    add("db_name", |c, _| Value::Text(c.database.clone()))?;
    add("db_id", |c, f| {
        let known = text(f, 0).is_none_or(|name| same(&name, &c.database));
        maybe_int(known.then_some(c.database_id))
    })?;
    add("suser_sname", |c, f| match value(f, 0) {
        Value::Blob(sid) if sid != c.login_sid => Value::Null,
        _ => Value::Text(c.login.clone()),
    })?;
    add("original_login", |c, _| Value::Text(c.login.clone()))?;
    add("suser_sid", |c, _| Value::Blob(c.login_sid.clone()))?;
    add("host_name", |c, _| Value::Text(c.host.clone()))?;
    add("app_name", |c, _| Value::Text(c.program.clone()))?;
    add("session_context", |c, f| {
        let key = text(f, 0).unwrap_or_default();
        c.session_context.get(&key).cloned().unwrap_or(Value::Null)
    })?;
    add("serverproperty", |c, f| {
        match text(f, 0).unwrap_or_default().to_lowercase().as_str() {
            "isexternalauthenticationonly" => Value::Integer(c.entra_only.into()),
            "servername" => Value::Text(c.server.clone()),
            "edition" => Value::Text("SQL Azure".into()),
            "engineedition" => Value::Integer(5),
            "productversion" => Value::Text("12.0.2000.8".into()),
            "collation" => Value::Text("SQL_Latin1_General_CP1_CI_AS".into()),
            _ => Value::Null,
        }
    })?;
    add("databasepropertyex", |_, f| {
        match text(f, 1).unwrap_or_default().to_lowercase().as_str() {
            "collation" => Value::Text("SQL_Latin1_General_CP1_CI_AS".into()),
            "status" => Value::Text("ONLINE".into()),
            "updateability" => Value::Text("READ_WRITE".into()),
            _ => Value::Null,
        }
    })?;
    add("error_number", |c, _| {
        maybe_int(c.caught.as_ref().map(|e| e.number.into()))
    })?;
    add("error_severity", |c, _| {
        maybe_int(c.caught.as_ref().map(|e| e.class.into()))
    })?;
    add("error_state", |c, _| {
        maybe_int(c.caught.as_ref().map(|e| e.state.into()))
    })?;
    add("error_line", |c, _| {
        maybe_int(c.caught.as_ref().map(|e| e.line.max(1).into()))
    })?;
    add("error_procedure", |c, _| {
        maybe_text(c.caught.as_ref().and_then(|e| e.procedure.clone()))
    })?;
    add("error_message", |c, _| {
        maybe_text(c.caught.as_ref().map(|e| e.message.clone()))
    })?;
    add("scope_identity", |c, _| maybe_int(c.identity))?;
    add("xact_state", |c, _| Value::Integer(c.transaction_state))
}

fn catalogue_functions(storage: &Connection, call: &Shared) -> Result<()> {
    let add = |name: &str, answer: fn(&CallContext, &Context<'_>) -> Value| {
        with_context(storage, call, name, answer)
    };
    add("user_name", |c, f| {
        let id = if f.is_empty() {
            Some(c.subject.id().into())
        } else {
            integer(f, 0)
        };
        maybe_text(id.and_then(|id| c.user_name(id as i32)))
    })?;
    let principal_id: fn(&CallContext, &Context<'_>) -> Value = |c, f| match text(f, 0) {
        None if f.is_empty() => Value::Integer(c.subject.id().into()),
        None => Value::Null,
        Some(name) => maybe_int(c.catalogue.principal(&name).map(|p| p.id.into())),
    };
    add("database_principal_id", principal_id)?;
    add("user_id", principal_id)?;
    add("schema_name", |c, f| {
        let id = if f.is_empty() { Some(1) } else { integer(f, 0) };
        maybe_text(
            id.and_then(|id| c.catalogue.schemas.get(&(id as i32)))
                .map(|s| s.name.clone()),
        )
    })?;
    add("schema_id", |c, f| {
        let name = text(f, 0).unwrap_or_else(|| "dbo".into());
        maybe_int(c.catalogue.schema(&name).map(|schema| schema.id.into()))
    })?;
    add("object_id", |c, f| {
        maybe_int(text(f, 0).and_then(|n| c.object(&n)).map(i64::from))
    })?;
    add("object_name", |c, f| {
        let id = integer(f, 0).map(|id| id as i32);
        let system = id.and_then(super::views::system_object);
        let object = id
            .filter(|id| c.sees(*id))
            .and_then(|id| c.catalogue.objects.get(&id));
        maybe_text(
            object
                .map(|o| o.name.clone())
                .or_else(|| system.map(str::to_owned)),
        )
    })?;
    add("object_schema_name", |c, f| {
        let id = integer(f, 0).map(|id| id as i32);
        let system = id
            .and_then(super::views::system_object)
            .map(|_| "sys".to_owned());
        let object = id
            .filter(|id| c.sees(*id))
            .and_then(|id| c.catalogue.objects.get(&id));
        maybe_text(
            object
                .map(|o| c.catalogue.schema_name(o.schema).to_owned())
                .or(system),
        )
    })?;
    add("col_name", |c, f| {
        let object = integer(f, 0).and_then(|id| c.catalogue.objects.get(&(id as i32)));
        let column = object.and_then(|o| {
            o.columns
                .iter()
                .find(|column| Some(i64::from(column.id)) == integer(f, 1))
        });
        maybe_text(column.map(|column| column.name.clone()))
    })?;
    add("type_name", |_, f| {
        let ty = integer(f, 0).and_then(|id| super::views_objects::type_name(id as i32));
        maybe_text(ty.map(str::to_owned))
    })?;
    add("has_perms_by_name", |c, f| {
        let (securable, class) = (text(f, 0), text(f, 1));
        let name = text(f, 2).unwrap_or_default();
        maybe_bool(c.has_permission(securable.as_deref(), class.as_deref(), &name))
    })?;
    add("is_member", |c, f| {
        maybe_bool(text(f, 0).and_then(|role| c.is_member(&role, &c.subject)))
    })?;
    add("is_rolemember", |c, f| {
        let of = match text(f, 1) {
            None => Some(c.subject.clone()),
            Some(name) => c.catalogue.principal(&name).map(|p| Subject::user(p.id)),
        };
        maybe_bool(of.and_then(|of| c.is_member(&text(f, 0).unwrap_or_default(), &of)))
    })?;
    add("is_srvrolemember", |c, f| {
        let role = text(f, 0).unwrap_or_default();
        let known = super::server::SERVER_ROLES
            .iter()
            .any(|(_, name)| same(name, &role));
        maybe_bool(known.then(|| c.server_roles.iter().any(|name| same(name, &role))))
    })?;
    add("has_dbaccess", |c, f| {
        Value::Integer(
            text(f, 0)
                .is_some_and(|name| same(&name, &c.database))
                .into(),
        )
    })
}

fn date_functions(storage: &Connection, call: &Shared) -> Result<()> {
    let add = |name: &str, answer: fn(&CallContext, &Context<'_>) -> Value| {
        with_context(storage, call, name, answer)
    };
    for name in [
        "getdate",
        "getutcdate",
        "sysutcdatetime",
        "sysdatetime",
        "sysdatetimeoffset",
    ] {
        add(name, |c, _| Value::Text(time::text(c.now)))?;
    }
    add("dateadd", |_, f| {
        let moment = text(f, 2).and_then(|t| time::Moment::parse(&t));
        let unit = unit_seconds(&text(f, 0).unwrap_or_default());
        let shifted = moment
            .zip(unit)
            .zip(integer(f, 1))
            .and_then(|((m, unit), n)| m.plus_seconds(unit.checked_mul(n)?))
            .map(|shifted| shifted.to_text(0));
        maybe_text(shifted)
    })?;
    add("datediff", |_, f| {
        let moment = |at| text(f, at).and_then(|t| time::Moment::parse(&t));
        let unit = unit_seconds(&text(f, 0).unwrap_or_default());
        // Boundaries crossed are counted, not time elapsed.
        let count = moment(1)
            .zip(moment(2))
            .zip(unit)
            .map(|((from, to), unit)| {
                to.seconds().div_euclid(unit) - from.seconds().div_euclid(unit)
            });
        maybe_int(count)
    })?;
    for (name, part) in [("year", 0), ("month", 1), ("day", 2)] {
        with_context(storage, call, name, move |_, f| {
            let civil = text(f, 0)
                .and_then(|t| time::Moment::parse(&t))
                .map(time::Moment::civil);
            maybe_int(civil.map(|(y, m, d)| [y, m, d][part]))
        })?;
    }
    Ok(())
}

fn unit_seconds(unit: &str) -> Option<i64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "second" | "ss" | "s" => 1,
        "minute" | "mi" | "n" => 60,
        "hour" | "hh" => 3600,
        "day" | "dd" | "d" | "dayofyear" | "dy" | "y" => 86_400,
        "week" | "wk" | "ww" => 604_800,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_and_trailing_blanks() {
        assert_eq!(collate("U ", "u"), Ordering::Equal);
        assert_ne!(collate(" U", "U"), Ordering::Equal);
    }
}
