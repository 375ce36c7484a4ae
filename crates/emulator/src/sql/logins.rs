//! Logins and server roles: changed from `master` only, one statement in a batch, as on the
//! service. They are not part of a database's transaction.
//!
//! Dropping a login leaves its users in the databases, with a SID that nobody has any more.

use super::ast::{LoginChange, RoleChange, Source};
use super::catalogue::{Password, same};
use super::database::DbState;
use super::error::SqlError;
use super::principals::found_sid;
use super::server::{ADMIN, Login, LoginType, SERVER_ROLES, login_sid};
use super::session::Session;
use crate::directory::PrincipalKind;

impl Session {
    fn in_master(&self, statement: &str) -> Result<(), SqlError> {
        if !self.database.is_master() {
            return Err(SqlError::new(
                5001,
                16,
                "User must be in the master database.",
            ));
        }
        if !self.alone {
            let message =
                format!("The {statement} statement must be the only statement in the batch.");
            return Err(SqlError::new(40530, 16, message));
        }
        Ok(())
    }

    fn manages_logins(&self, db: &DbState) -> bool {
        let role = db.catalogue.principal("loginmanager").map(|role| role.id);
        self.subject().is_dbo()
            || self.identity.server_roles.contains(&"##MS_LoginManager##")
            || role.is_some_and(|role| self.subject().closure(&db.catalogue).contains(&role))
    }

    pub(super) fn create_login(
        &mut self,
        db: &DbState,
        name: &str,
        source: &Source,
        sid: Option<Vec<u8>>,
    ) -> Result<(), SqlError> {
        self.in_master("CREATE LOGIN")?;
        if !self.manages_logins(db) {
            return Err(SqlError::no_permission());
        }
        let exists = |name: &str| {
            let message = format!("The server principal '{name}' already exists.");
            Err(SqlError::new(15025, 16, message))
        };
        if self.server.lock().login(name).is_some() {
            return exists(name);
        }
        let now = self.server.clock.now();
        let (kind, sid, password) = match source {
            Source::Password(password) => (LoginType::Sql, sid, Some(Password::new(password))),
            Source::Sid { sid, group } => {
                let kind = if *group {
                    LoginType::ExternalGroup
                } else {
                    LoginType::External
                };
                (kind, Some(sid.clone()), None)
            }
            Source::External { object_id } => {
                let found = self.external(name, object_id.as_deref())?;
                let group = found.kind == PrincipalKind::Group;
                let kind = if group {
                    LoginType::ExternalGroup
                } else {
                    LoginType::External
                };
                let sid =
                    found_sid(&found).ok_or_else(|| SqlError::cannot("find", "login", name))?;
                (kind, Some(sid), None)
            }
            _ => return Err(SqlError::syntax("LOGIN")),
        };
        let mut state = self.server.lock();
        if sid.is_some()
            && state
                .logins
                .values()
                .any(|login| Some(&login.sid) == sid.as_ref())
        {
            return exists(name);
        }
        state.add_login(|id| Login {
            id,
            name: name.to_owned(),
            sid: sid.unwrap_or_else(|| login_sid(&self.server.name, name, id)),
            kind,
            password,
            disabled: false,
            created: now,
            modified: now,
        });
        Ok(())
    }

    pub(super) fn alter_login(
        &mut self,
        db: &DbState,
        name: &str,
        change: &LoginChange,
    ) -> Result<(), SqlError> {
        self.in_master("ALTER LOGIN")?;
        let now = self.server.clock.now();
        let manages = self.manages_logins(db);
        let own = same(name, &self.identity.name);
        let mut state = self.server.lock();
        let cannot = || SqlError::cannot("alter", "login", name);
        let id = state.login(name).map(|login| login.id).ok_or_else(cannot)?;
        let own_password = own && matches!(change, LoginChange::Password(_));
        let guarded = id == ADMIN && matches!(change, LoginChange::Enable(false));
        if (!manages && !own_password) || guarded {
            return Err(cannot());
        }
        if let LoginChange::Name(new) = change
            && state.login(new).is_some_and(|login| login.id != id)
        {
            let message = format!("The server principal '{new}' already exists.");
            return Err(SqlError::new(15025, 16, message));
        }
        let Some(login) = state.logins.get_mut(&id) else {
            return Err(cannot());
        };
        match change {
            LoginChange::Enable(on) => login.disabled = !on,
            LoginChange::Password(password) => login.password = Some(Password::new(password)),
            LoginChange::Name(new) => login.name = new.clone(),
            LoginChange::Other => {}
        }
        login.modified = now;
        Ok(())
    }

    pub(super) fn drop_login(&mut self, db: &DbState, name: &str) -> Result<(), SqlError> {
        self.in_master("DROP LOGIN")?;
        let manages = self.manages_logins(db);
        let mut state = self.server.lock();
        let cannot = || SqlError::cannot("drop", "login", name);
        let login = state.login(name).map(|login| (login.id, login.sid.clone()));
        let (id, sid) = login
            .filter(|(id, _)| manages && *id != ADMIN)
            .ok_or_else(cannot)?;
        if state.sessions.values().any(|session| session.sid == sid) {
            let message =
                format!("Could not drop login '{name}' as the user is currently logged in.");
            return Err(SqlError::new(15434, 16, message));
        }
        state.logins.remove(&id);
        state.role_members.retain(|(_, member)| *member != id);
        Ok(())
    }

    pub(super) fn alter_server_role(
        &mut self,
        _db: &DbState,
        name: &str,
        change: &RoleChange,
    ) -> Result<(), SqlError> {
        self.in_master("ALTER SERVER ROLE")?;
        let cannot = || SqlError::cannot("alter", "server role", name);
        let role = SERVER_ROLES.iter().find(|(_, known)| same(known, name));
        let role = role
            .filter(|_| self.subject().is_dbo())
            .ok_or_else(cannot)?
            .0;
        let mut state = self.server.lock();
        let member = |verb: &str, member: &str, state: &super::server::ServerState| {
            let found = state.login(member).map(|login| login.id);
            found.ok_or_else(|| SqlError::cannot(verb, "principal", member))
        };
        match change {
            RoleChange::Add(login) => {
                let id = member("add", login, &state)?;
                state.role_members.insert((role, id));
            }
            RoleChange::Drop(login) => {
                let id = member("drop", login, &state)?;
                state.role_members.remove(&(role, id));
            }
            RoleChange::Rename(_) => return Err(cannot()),
        }
        Ok(())
    }
}
