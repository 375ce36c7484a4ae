//! Users and roles of a database.

use super::ast::{On, RoleChange, Security, Source, UserOptions};
use super::catalogue::{
    Authentication, DBO, Password, Permission, Principal, PrincipalType, Securable, State, same,
};
use super::database::DbState;
use super::error::SqlError;
use super::server::{LoginType, contained_sid};
use super::session::Session;
use super::value::guid_to_sid;
use crate::directory::{self, PrincipalKind};

/// Who a new user is: type, SID, how it logs in, password.
type Credentials = (
    PrincipalType,
    Option<Vec<u8>>,
    Authentication,
    Option<Password>,
);

impl Session {
    pub(super) fn security(&mut self, db: &mut DbState, what: &Security) -> Result<(), SqlError> {
        let outcome = self.carry_out_security(db, what);
        self.audit_change(&db.catalogue, what, outcome.is_ok());
        outcome
    }

    fn carry_out_security(&mut self, db: &mut DbState, what: &Security) -> Result<(), SqlError> {
        match what {
            Security::CreateUser {
                name,
                source,
                default_schema,
            } => self.create_user(db, name, source, default_schema.clone()),
            Security::AlterUser { name, options } => self.alter_user(db, name, options),
            Security::DropUser { name, if_exists } => self.drop_user(db, name, *if_exists),
            Security::CreateRole { name, owner } => self.create_role(db, name, owner.as_deref()),
            Security::AlterRole { name, change } => self.alter_role(db, name, change),
            Security::DropRole { name, if_exists } => self.drop_role(db, name, *if_exists),
            Security::CreateApplicationRole { name, options } => {
                self.create_application_role(db, name, options)
            }
            Security::AlterApplicationRole { name, options } => {
                self.alter_application_role(db, name, options)
            }
            Security::DropApplicationRole { name } => self.drop_application_role(db, name),
            Security::Permission(statement) => self.permission(db, statement),
            Security::AlterAuthorization { on, to } => self.alter_authorization(db, on, to),
            Security::CreateLogin { name, source, sid } => {
                self.create_login(db, name, source, sid.clone())
            }
            Security::AlterLogin { name, change } => self.alter_login(db, name, change),
            Security::DropLogin { name } => self.drop_login(db, name),
            Security::AlterServerRole { name, change } => self.alter_server_role(db, name, change),
        }
    }

    fn create_user(
        &mut self,
        db: &mut DbState,
        name: &str,
        source: &Source,
        default_schema: Option<String>,
    ) -> Result<(), SqlError> {
        if !self.can(db, "CREATE USER", Securable::Database) {
            return Err(SqlError::no_permission());
        }
        if db.catalogue.principal(name).is_some() {
            return Err(SqlError::principal_exists(name));
        }
        let (kind, sid, authentication, password) = self.credentials(name, source)?;
        if let Some(sid) = &sid
            && db.catalogue.principal_by_sid(sid).is_some()
        {
            let message = "The login already has an account under a different user name.";
            return Err(SqlError::new(15063, 16, message));
        }
        let now = self.server.clock.now();
        let database = self.database.name.clone();
        let catalogue = db.catalogue_mut();
        let id = catalogue.add_principal(|id| Principal {
            id,
            name: name.to_owned(),
            kind,
            default_schema: default_schema.or_else(|| Some("dbo".to_owned())),
            owner: None,
            sid: sid.or_else(|| Some(contained_sid(&database, name, id))),
            fixed: false,
            authentication,
            password,
            created: now,
            modified: now,
        });
        catalogue.permissions.push(Permission {
            on: Securable::Database,
            name: "CONNECT",
            grantee: id,
            grantor: DBO,
            state: State::Grant,
        });
        Ok(())
    }

    fn credentials(&self, name: &str, source: &Source) -> Result<Credentials, SqlError> {
        Ok(match source {
            Source::WithoutLogin => (PrincipalType::SqlUser, None, Authentication::None, None),
            Source::Password(password) => {
                let password = Some(Password::new(password));
                (
                    PrincipalType::SqlUser,
                    None,
                    Authentication::Database,
                    password,
                )
            }
            Source::Sid { sid, group } => {
                let kind = if *group {
                    PrincipalType::ExternalGroup
                } else {
                    PrincipalType::ExternalUser
                };
                if sid.len() < 16 || sid.len() > 85 {
                    let message = "The SID is not valid for an external principal.";
                    return Err(SqlError::new(15419, 16, message));
                }
                (kind, Some(sid.clone()), Authentication::External, None)
            }
            Source::External { object_id } => {
                let found = self.external(name, object_id.as_deref())?;
                let group = found.kind == PrincipalKind::Group;
                let kind = if group {
                    PrincipalType::ExternalGroup
                } else {
                    PrincipalType::ExternalUser
                };
                let sid = found_sid(&found);
                (kind, sid, Authentication::External, None)
            }
            Source::Default => self.login_credentials(name)?,
            Source::Login(login) => self.login_credentials(login)?,
        })
    }

    /// A user of a login has the login's SID.
    fn login_credentials(&self, login: &str) -> Result<Credentials, SqlError> {
        let state = self.server.lock();
        let Some(login) = state.login(login) else {
            let message = format!("'{login}' is not a valid login or you do not have permission.");
            return Err(SqlError::new(15007, 16, message));
        };
        let (kind, authentication) = match login.kind {
            LoginType::Sql => (PrincipalType::SqlUser, Authentication::Instance),
            LoginType::External => (PrincipalType::ExternalUser, Authentication::External),
            LoginType::ExternalGroup => (PrincipalType::ExternalGroup, Authentication::External),
        };
        Ok((kind, Some(login.sid.clone()), authentication, None))
    }

    /// Looks a principal up in the directory, as `FROM EXTERNAL PROVIDER` does: by display name,
    /// and only for a session that came with a token; an application's session needs the server's
    /// identity to be a directory reader (azure-facts C.1, C.3).
    pub(super) fn external(
        &self,
        name: &str,
        object_id: Option<&str>,
    ) -> Result<directory::Principal, SqlError> {
        let Some(kind) = self.identity.external else {
            let message = format!(
                "Principal '{name}' could not be created. Only connections established with Active \
                 Directory accounts can create other Active Directory users."
            );
            return Err(SqlError::new(33159, 16, message));
        };
        if kind != PrincipalKind::User && !self.server.lock().directory_reader {
            let message = format!(
                "Principal '{name}' could not be resolved. Error message: 'Server identity is not \
                 configured. Assign an identity to the server and give it the Directory Readers \
                 role.'"
            );
            return Err(SqlError::new(33134, 16, message));
        }
        let directory = &self.server.directory;
        if let Some(object_id) = object_id {
            return directory.by_object_id(object_id).ok_or_else(|| {
                let message = format!(
                    "'{object_id}' is not a valid object id for '{name}' or you do not have \
                     permission."
                );
                SqlError::new(37545, 16, message)
            });
        }
        let mut found = directory.by_display_name(name);
        match found.len() {
            0 => {
                let message = format!(
                    "Principal '{name}' could not be found or this principal type is not supported."
                );
                Err(SqlError::new(33130, 16, message))
            }
            1 => Ok(found.remove(0)),
            _ => {
                let message = format!(
                    "Principal '{name}' has a duplicate display name. Make the display name unique \
                     in Azure Active Directory and execute this statement again."
                );
                Err(SqlError::new(33131, 16, message))
            }
        }
    }

    fn alter_user(
        &mut self,
        db: &mut DbState,
        name: &str,
        options: &UserOptions,
    ) -> Result<(), SqlError> {
        let cannot = || SqlError::cannot("alter", "user", name);
        let id = db
            .catalogue
            .principal(name)
            .filter(|p| p.is_user())
            .map(|p| p.id);
        let id = id.filter(|id| *id > 4).ok_or_else(cannot)?;
        let own_password = options.password.is_some() && self.subject().id() == id;
        if !own_password && !self.can(db, "ALTER", Securable::Principal(id)) {
            return Err(cannot());
        }
        if let Some(new) = options.name.as_deref().filter(|new| !same(new, name))
            && db.catalogue.principal(new).is_some()
        {
            return Err(SqlError::principal_exists(new));
        }
        let login = match &options.login {
            Some(login) => Some(self.login_credentials(login)?),
            None => None,
        };
        let now = self.server.clock.now();
        let Some(user) = db.catalogue_mut().principals.get_mut(&id) else {
            return Err(cannot());
        };
        if let Some(password) = &options.password {
            if user.authentication != Authentication::Database {
                let message = "The user was not created with a password.";
                return Err(SqlError::new(33234, 16, message));
            }
            user.password = Some(Password::new(password));
        }
        if let Some((kind, sid, authentication, _)) = login {
            user.kind = kind;
            user.sid = sid;
            user.authentication = authentication;
        }
        if let Some(new) = &options.name {
            user.name = new.clone();
        }
        if let Some(schema) = &options.default_schema {
            user.default_schema = Some(schema.clone());
        }
        user.modified = now;
        Ok(())
    }

    fn drop_user(&mut self, db: &mut DbState, name: &str, if_exists: bool) -> Result<(), SqlError> {
        let found = db
            .catalogue
            .principal(name)
            .filter(|p| p.is_user())
            .cloned();
        let Some(user) = found else {
            return if if_exists {
                Ok(())
            } else {
                Err(SqlError::cannot("drop", "user", name))
            };
        };
        if user.id <= 4 {
            return Err(SqlError::new(
                15150,
                16,
                format!("Cannot drop the user '{name}'."),
            ));
        }
        if !self.can(db, "ALTER", Securable::Principal(user.id)) {
            return Err(SqlError::cannot("drop", "user", name));
        }
        owns_nothing(db, user.id)?;
        db.catalogue_mut().drop_principal(user.id);
        Ok(())
    }

    fn create_role(
        &mut self,
        db: &mut DbState,
        name: &str,
        owner: Option<&str>,
    ) -> Result<(), SqlError> {
        if !self.can(db, "CREATE ROLE", Securable::Database) {
            return Err(SqlError::no_permission());
        }
        if db.catalogue.principal(name).is_some() {
            return Err(SqlError::principal_exists(name));
        }
        let owner = match owner {
            Some(owner) => self.grantee(db, owner)?,
            None => self.subject().id(),
        };
        let now = self.server.clock.now();
        db.catalogue_mut().add_principal(|id| Principal {
            id,
            name: name.to_owned(),
            kind: PrincipalType::Role,
            default_schema: None,
            owner: Some(owner),
            sid: Some(super::catalogue::role_sid(id)),
            fixed: false,
            authentication: Authentication::None,
            password: None,
            created: now,
            modified: now,
        });
        Ok(())
    }

    fn alter_role(
        &mut self,
        db: &mut DbState,
        name: &str,
        change: &RoleChange,
    ) -> Result<(), SqlError> {
        let cannot = || SqlError::cannot("alter", "role", name);
        let role = db
            .catalogue
            .principal(name)
            .filter(|p| p.is_role())
            .cloned();
        let role = role.ok_or_else(cannot)?;
        // Membership of a fixed role is for those who control the database.
        let may = match role.fixed {
            true => self.can(db, "CONTROL", Securable::Database),
            false => self.can(db, "ALTER", Securable::Principal(role.id)),
        };
        if !may {
            return Err(cannot());
        }
        match change {
            RoleChange::Add(member) => self.add_member(db, &role, member),
            RoleChange::Drop(member) => {
                let found = db.catalogue.principal(member).map(|p| p.id);
                let member_id =
                    found.ok_or_else(|| SqlError::cannot("drop", "principal", member))?;
                db.catalogue_mut().members.remove(&(role.id, member_id));
                Ok(())
            }
            RoleChange::Rename(new) => {
                if role.fixed || role.id == 0 {
                    return Err(cannot());
                }
                if db.catalogue.principal(new).is_some_and(|p| p.id != role.id) {
                    return Err(SqlError::principal_exists(new));
                }
                if let Some(role) = db.catalogue_mut().principals.get_mut(&role.id) {
                    role.name = new.clone();
                }
                Ok(())
            }
        }
    }

    fn add_member(
        &mut self,
        db: &mut DbState,
        role: &Principal,
        member: &str,
    ) -> Result<(), SqlError> {
        if role.id == 0 {
            let message = "Membership of the public role cannot be changed.";
            return Err(SqlError::new(15081, 16, message));
        }
        let found = db.catalogue.principal(member).cloned();
        let member = found
            .filter(|p| p.id != 0 && !p.fixed)
            .ok_or_else(|| SqlError::cannot("add", "principal", member))?;
        if member.id == DBO {
            let message = "Cannot use the special principal 'dbo'.";
            return Err(SqlError::new(15405, 16, message));
        }
        let above = super::permissions::Subject::user(role.id).closure(&db.catalogue);
        if member.id == role.id || (member.is_role() && above.contains(&member.id)) {
            let message = "Cannot make a role a member of itself.";
            return Err(SqlError::new(15413, 11, message));
        }
        db.catalogue_mut().members.insert((role.id, member.id));
        Ok(())
    }

    fn drop_role(&mut self, db: &mut DbState, name: &str, if_exists: bool) -> Result<(), SqlError> {
        let found = db
            .catalogue
            .principal(name)
            .filter(|p| p.is_role())
            .cloned();
        let Some(role) = found else {
            return if if_exists {
                Ok(())
            } else {
                Err(SqlError::cannot("drop", "role", name))
            };
        };
        if role.fixed || role.id == 0 {
            return Err(SqlError::new(
                15150,
                16,
                format!("Cannot drop the role '{name}'."),
            ));
        }
        if !self.can(db, "ALTER", Securable::Principal(role.id)) {
            return Err(SqlError::cannot("drop", "role", name));
        }
        if db.catalogue.members.iter().any(|(of, _)| *of == role.id) {
            let message = "The role has members. It must be empty before it can be dropped.";
            return Err(SqlError::new(15144, 16, message));
        }
        owns_nothing(db, role.id)?;
        db.catalogue_mut().drop_principal(role.id);
        Ok(())
    }

    fn alter_authorization(&mut self, db: &mut DbState, on: &On, to: &str) -> Result<(), SqlError> {
        let owner = self.grantee(db, to)?;
        let securable = self.securable(db, on)?;
        let own = self.can(db, "CONTROL", securable);
        if !own || securable == Securable::Database {
            return Err(SqlError::no_permission());
        }
        let catalogue = db.catalogue_mut();
        match securable {
            Securable::Schema(id) => {
                if let Some(schema) = catalogue.schemas.get_mut(&id) {
                    schema.owner = owner;
                }
            }
            Securable::Principal(id) => {
                if let Some(role) = catalogue.principals.get_mut(&id) {
                    role.owner = Some(owner);
                }
            }
            Securable::Object(id) => {
                if let Some(object) = catalogue.objects.get_mut(&id) {
                    object.owner = Some(owner);
                }
            }
            Securable::Column(..) | Securable::Database => {}
        }
        // A change of owner takes the permissions on it along.
        catalogue.permissions.retain(|p| p.on != securable);
        Ok(())
    }
}

/// The SID of a principal of the directory: applications by client id, the others by object id.
pub fn found_sid(principal: &directory::Principal) -> Option<Vec<u8>> {
    let id = principal
        .client_id
        .as_deref()
        .unwrap_or(&principal.object_id);
    guid_to_sid(id).map(|sid| sid.to_vec())
}

/// Refuses to drop a principal that owns something or has granted something.
pub(super) fn owns_nothing(db: &DbState, id: i32) -> Result<(), SqlError> {
    let catalogue = &db.catalogue;
    let refuse = |number, what: &str| {
        let message = format!("The database principal {what}, and cannot be dropped.");
        Err(SqlError::new(number, 16, message))
    };
    if catalogue.schemas.values().any(|schema| schema.owner == id) {
        return refuse(15138, "owns a schema in the database");
    }
    if catalogue
        .principals
        .values()
        .any(|p| p.id != id && p.owner == Some(id))
    {
        return refuse(15421, "owns a database role");
    }
    if catalogue
        .objects
        .values()
        .any(|object| object.owner == Some(id))
    {
        return refuse(15183, "owns objects in the database");
    }
    if catalogue
        .permissions
        .iter()
        .any(|p| p.grantor == id && p.grantee != id)
    {
        let what = "has granted or denied permissions to objects in the database";
        return refuse(15284, what);
    }
    Ok(())
}
