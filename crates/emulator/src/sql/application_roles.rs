//! Application roles: principals with a password that a session can become, and stays until it
//! ends or shows the cookie that it got.

use rusqlite::types::Value;

use super::ast::UserOptions;
use super::catalogue::{Authentication, Password, Principal, PrincipalType, Securable, role_sid};
use super::database::DbState;
use super::error::SqlError;
use super::permissions::Subject;
use super::procedures::{Argument, named};
use super::session::Session;

/// What a session was before it became an application role.
pub struct Assumed {
    before: Subject,
    cookie: Option<Vec<u8>>,
}

impl Session {
    pub(super) fn create_application_role(
        &mut self,
        db: &mut DbState,
        name: &str,
        options: &UserOptions,
    ) -> Result<(), SqlError> {
        self.may_alter_application_roles(db)?;
        if db.catalogue.principal(name).is_some() {
            return Err(SqlError::principal_exists(name));
        }
        let password = options.password.as_deref();
        let password = password.ok_or_else(|| SqlError::syntax("APPLICATION ROLE"))?;
        let now = self.server.clock.now();
        let schema = options.default_schema.clone();
        db.catalogue_mut().add_principal(|id| Principal {
            id,
            name: name.to_owned(),
            kind: PrincipalType::ApplicationRole,
            default_schema: schema.or_else(|| Some("dbo".to_owned())),
            owner: None,
            sid: Some(role_sid(id)),
            fixed: false,
            authentication: Authentication::None,
            password: Some(Password::new(password)),
            created: now,
            modified: now,
        });
        Ok(())
    }

    pub(super) fn alter_application_role(
        &mut self,
        db: &mut DbState,
        name: &str,
        options: &UserOptions,
    ) -> Result<(), SqlError> {
        self.may_alter_application_roles(db)?;
        let id = application_role(db, name)
            .map(|role| role.id)
            .ok_or_else(|| SqlError::cannot("alter", "application role", name))?;
        if let Some(new) = &options.name
            && db
                .catalogue
                .principal(new)
                .is_some_and(|known| known.id != id)
        {
            return Err(SqlError::principal_exists(new));
        }
        let now = self.server.clock.now();
        if let Some(role) = db.catalogue_mut().principals.get_mut(&id) {
            if let Some(password) = &options.password {
                role.password = Some(Password::new(password));
            }
            if let Some(schema) = &options.default_schema {
                role.default_schema = Some(schema.clone());
            }
            if let Some(new) = &options.name {
                role.name.clone_from(new);
            }
            role.modified = now;
        }
        Ok(())
    }

    pub(super) fn drop_application_role(
        &mut self,
        db: &mut DbState,
        name: &str,
    ) -> Result<(), SqlError> {
        self.may_alter_application_roles(db)?;
        let id = application_role(db, name).map(|role| role.id);
        let id = id.ok_or_else(|| SqlError::cannot("drop", "application role", name))?;
        super::principals::owns_nothing(db, id)?;
        db.catalogue_mut().drop_principal(id);
        Ok(())
    }

    fn may_alter_application_roles(&self, db: &DbState) -> Result<(), SqlError> {
        match self.can(db, "ALTER ANY APPLICATION ROLE", Securable::Database) {
            true => Ok(()),
            false => Err(SqlError::no_permission()),
        }
    }

    /// sp_setapprole: `@rolename, @password, @encrypt, @fCreateCookie, @cookie OUTPUT`.
    pub(super) fn set_application_role(
        &mut self,
        db: &DbState,
        arguments: &[Argument],
    ) -> Result<(), SqlError> {
        let named = |name: &str, at: usize| named(arguments, name, at);
        let name = named("rolename", 0).map(Argument::text).unwrap_or_default();
        let password = named("password", 1).map(Argument::text).unwrap_or_default();
        let role = application_role(db, &name).filter(|role| {
            role.password
                .as_ref()
                .is_some_and(|known| known.is(&password))
        });
        let Some(role) = role.filter(|_| self.assumed.is_none() && self.subjects.len() == 1) else {
            let message = format!(
                "Cannot set application role '{name}' because it does not exist or the password is \
                 incorrect."
            );
            return Err(SqlError::new(15161, 16, message));
        };
        let wants = named("fCreateCookie", 3)
            .map(Argument::text)
            .unwrap_or_default();
        let cookie = match wants == "1" || wants.eq_ignore_ascii_case("true") {
            true => Some(cookie()?),
            false => None,
        };
        let before = std::mem::replace(&mut self.subjects[0], Subject::user(role.id));
        if let (Some(cookie), Some(argument)) = (&cookie, named("cookie", 4)) {
            let ty = super::value::ColumnType::Binary(Some(8000));
            self.output(argument, ty, Value::Blob(cookie.clone()));
        }
        self.assumed = Some(Assumed { before, cookie });
        Ok(())
    }

    /// sp_unsetapprole: `@cookie`.
    pub(super) fn unset_application_role(
        &mut self,
        arguments: &[Argument],
    ) -> Result<(), SqlError> {
        let shown = named(arguments, "cookie", 0).map(|argument| argument.value.clone());
        let right = |assumed: &Assumed| match (&assumed.cookie, &shown) {
            (Some(cookie), Some(Value::Blob(shown))) => cookie == shown,
            _ => false,
        };
        let Some(assumed) = self.assumed.take_if(|assumed| right(assumed)) else {
            let message = "Cannot unset application role because none was set or the cookie is \
                           invalid.";
            return Err(SqlError::new(15592, 16, message));
        };
        self.subjects[0] = assumed.before;
        Ok(())
    }

    /// Whether a pool may have this connection again: not after it has become an application role.
    pub fn can_be_reset(&self) -> Result<(), SqlError> {
        if self.assumed.is_none() {
            return Ok(());
        }
        let message = "The connection has been dropped because the principal that opened it \
                       subsequently assumed a new security context, and then tried to reset the \
                       connection under its impersonated security context. This scenario is not \
                       supported.";
        Err(SqlError::new(18059, 20, message))
    }

    /// The database's view of the server's administrator ends where another context begins.
    pub(super) fn acts_as_server_admin(&self) -> bool {
        self.identity.is_server_admin && self.subjects.len() == 1 && self.assumed.is_none()
    }
}

fn application_role<'a>(db: &'a DbState, name: &str) -> Option<&'a Principal> {
    let found = db.catalogue.principal(name);
    found.filter(|principal| principal.kind == PrincipalType::ApplicationRole)
}

fn cookie() -> Result<Vec<u8>, SqlError> {
    let mut bytes = vec![0; 50];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SqlError::out_of_memory())?;
    Ok(bytes)
}
