//! Logging in: a password or an Entra token against a server and one of its databases.
//!
//! The order is the service's: is there such a server and database, is this kind of login allowed,
//! who is it, may it enter this database. Refusals say no more than the service says.

use std::sync::Arc;

use super::Sql;
use super::audit::{self, AuditRecord};
use super::catalogue::{Authentication, Catalogue, DBO, GUEST, PrincipalType, Securable, State};
use super::database::Database;
use super::error::SqlError;
use super::permissions::{Subject, allowed};
use super::server::{ADMIN, Login, LoginType, SERVER_ROLES, Server, ServerState, SessionInfo};
use super::session::{Identity, Session};
use super::value::guid_to_sid;
use crate::directory::{Claims, PrincipalKind};

/// The audience that a token must be for.
const AUDIENCE: &str = "https://database.windows.net";
/// How a token's principal is named before it is known.
const TOKEN: &str = "<token-identified principal>";

/// What a client proves itself with. It has no Debug: it holds secrets.
pub enum Credentials {
    Password { login: String, password: String },
    Token(String),
}

/// A login as it came over the wire.
pub struct LoginRequest {
    /// The name that the client gave for the server, port and protocol included.
    pub server: String,
    /// Empty for `master`.
    pub database: String,
    pub credentials: Credentials,
    pub host: String,
    pub program: String,
}

/// A refused login: the messages that the client gets, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLogin(pub Vec<SqlError>);

/// Who came, and as which principals it may act in the database.
struct Known {
    name: String,
    sid: Vec<u8>,
    external: Option<PrincipalKind>,
    is_server_admin: bool,
    login: Option<i32>,
    principals: Vec<i32>,
}

impl Sql {
    /// Opens a session, or says why not.
    pub fn open(&self, request: LoginRequest) -> Result<Session, RefusedLogin> {
        let name = server_label(&request.server);
        let Some(server) = self.server(&name) else {
            let message =
                format!("Cannot open server '{name}' requested by the login. The login failed.");
            return Err(RefusedLogin(vec![SqlError::new(40532, 20, message)]));
        };
        let asked = if request.database.is_empty() {
            "master"
        } else {
            &request.database
        };
        reach(&server, asked)?;
        if let Credentials::Password { login, .. } = &request.credentials
            && server.lock().entra_only
        {
            let mut error = SqlError::login_failed(login);
            error
                .message
                .push_str(" Reason: Azure Active Directory only authentication is enabled.");
            return Err(RefusedLogin(vec![error]));
        }
        let Some(database) = server.database(asked) else {
            let shown = match &request.credentials {
                Credentials::Password { login, .. } => login.as_str(),
                Credentials::Token(_) => TOKEN,
            };
            let errors = vec![SqlError::cannot_open(asked), SqlError::login_failed(shown)];
            return Err(RefusedLogin(errors));
        };
        let catalogue = Arc::clone(&database.lock().catalogue);
        let known = match &request.credentials {
            Credentials::Password { login, password } => {
                by_password(&server, &database, &catalogue, login, password)
            }
            Credentials::Token(token) => by_token(&server, &catalogue, token),
        };
        let entered = known.and_then(|known| {
            let subject = enter(&server, &database, &catalogue, &known)?;
            Ok((known, subject))
        });
        let (known, subject) = entered.inspect_err(|_| failed(&server, &database, &request))?;
        let (host, program) = (request.host, request.program);
        let session = start(&server, database, known, subject, host, program);
        session.audit_login();
        Ok(session)
    }
}

/// Puts a password that did not open the database into the audit; tokens fail before that.
fn failed(server: &Server, database: &Database, request: &LoginRequest) {
    let Credentials::Password { login, .. } = &request.credentials else {
        return;
    };
    let record = AuditRecord {
        database: database.name.clone(),
        action: "DATABASE AUTHENTICATION FAILED",
        succeeded: audit::said(false),
        server_principal: login.clone(),
        application: request.program.clone(),
        ..AuditRecord::default()
    };
    server.record(audit::LOGIN_FAILED, record);
}

/// Whether a client gets as far as the server: privately always, else while public access is on
/// and a rule of the database or of the server admits it.
fn reach(server: &Server, database: &str) -> Result<(), RefusedLogin> {
    let (network, address) = {
        let state = server.lock();
        (state.network, state.client_address)
    };
    if network.private {
        return Ok(());
    }
    if network.public_denied {
        return Err(RefusedLogin(vec![SqlError::public_access_denied()]));
    }
    let Some(address) = address else {
        return Ok(());
    };
    let by_database = server
        .database(database)
        .is_some_and(|database| database.lock().catalogue.firewall.admits(address));
    if by_database || server.lock().firewall.admits(address) {
        return Ok(());
    }
    let error = SqlError::address_not_allowed(&server.name, address);
    Err(RefusedLogin(vec![error]))
}

/// A session of the server's administrator, for scripts of a seed.
pub(super) fn administrator(server: &Arc<Server>, database: &str) -> Result<Session, SqlError> {
    let opened = server
        .database(database)
        .ok_or_else(|| SqlError::cannot_open(database))?;
    let admin = server.lock().logins.get(&ADMIN).cloned();
    let known = Known {
        name: admin
            .as_ref()
            .map(|login| login.name.clone())
            .unwrap_or_default(),
        sid: admin.map(|login| login.sid).unwrap_or_default(),
        external: None,
        is_server_admin: true,
        login: Some(ADMIN),
        principals: vec![DBO],
    };
    Ok(start(
        server,
        opened,
        known,
        Subject::user(DBO),
        String::new(),
        "seed".into(),
    ))
}

fn start(
    server: &Arc<Server>,
    database: Arc<Database>,
    known: Known,
    subject: Subject,
    host: String,
    program: String,
) -> Session {
    let server_roles = match known.login {
        Some(login) => roles(&server.lock(), login),
        None => Vec::new(),
    };
    let id = server.open_session(SessionInfo {
        login_time: server.clock.now(),
        login: known.name.clone(),
        host: host.clone(),
        program: program.clone(),
        database: database.name.clone(),
        sid: known.sid.clone(),
    });
    let identity = Identity {
        name: known.name,
        sid: known.sid,
        is_server_admin: known.is_server_admin,
        external: known.external,
        server_roles,
        host,
        program,
    };
    Session::new(Arc::clone(server), database, id, identity, subject)
}

fn roles(state: &ServerState, login: i32) -> Vec<&'static str> {
    SERVER_ROLES
        .iter()
        .filter(|(id, _)| state.role_members.contains(&(*id, login)))
        .map(|(_, name)| *name)
        .collect()
}

/// `tcp:orders-sql.database.localhost,1433` names the server `orders-sql`.
pub(super) fn server_label(name: &str) -> String {
    let name = name.trim().to_lowercase();
    let name = name.strip_prefix("tcp:").unwrap_or(&name);
    let end = name.find(['.', ',', ':', '\\']).unwrap_or(name.len());
    name[..end].to_owned()
}

fn refused(login: &str) -> RefusedLogin {
    RefusedLogin(vec![SqlError::login_failed(login)])
}

/// A user whose password the database keeps, or else a login of the server.
fn by_password(
    server: &Server,
    database: &Database,
    catalogue: &Catalogue,
    login: &str,
    password: &str,
) -> Result<Known, RefusedLogin> {
    // Old clients append the server: `ana@orders-sql`.
    let suffix = format!("@{}", server.name.to_lowercase());
    let cut = login.len().saturating_sub(suffix.len());
    let name = match login.get(cut..) {
        Some(end) if end.eq_ignore_ascii_case(&suffix) => &login[..cut],
        _ => login,
    };
    let contained = catalogue
        .principal(name)
        .filter(|p| p.authentication == Authentication::Database && !database.is_master());
    if let Some(user) = contained {
        let right = user
            .password
            .as_ref()
            .is_some_and(|known| known.is(password));
        return match right {
            true => Ok(Known {
                name: user.name.clone(),
                sid: user.sid.clone().unwrap_or_default(),
                external: None,
                is_server_admin: false,
                login: None,
                principals: vec![user.id],
            }),
            false => Err(refused(name)),
        };
    }
    let state = server.lock();
    let found = state.login(name).filter(|found| {
        !found.disabled
            && found
                .password
                .as_ref()
                .is_some_and(|known| known.is(password))
    });
    let Some(found) = found else {
        return Err(refused(name));
    };
    let is_server_admin = found.id == ADMIN;
    let user = catalogue.principal_by_sid(&found.sid).map(|user| user.id);
    Ok(Known {
        name: found.name.clone(),
        sid: found.sid.clone(),
        external: None,
        is_server_admin,
        login: Some(found.id),
        principals: if is_server_admin {
            vec![DBO]
        } else {
            user.into_iter().collect()
        },
    })
}

/// The Entra administrator becomes dbo; others need a user with their SID, or one for a group that
/// the token names.
fn by_token(server: &Server, catalogue: &Catalogue, token: &str) -> Result<Known, RefusedLogin> {
    let claims = server
        .directory
        .verify(token, &[AUDIENCE])
        .map_err(|_| refused(TOKEN))?;
    let state = server.lock();
    let Some(admin) = &state.entra_admin else {
        let mut error = SqlError::login_failed(TOKEN);
        error
            .message
            .push_str(" The server is not currently configured to accept this token.");
        return Err(RefusedLogin(vec![error]));
    };
    let in_group = |id: &str| {
        claims
            .groups
            .iter()
            .any(|group| group.eq_ignore_ascii_case(id))
    };
    let is_server_admin =
        admin.sid.eq_ignore_ascii_case(&claims.oid) || (admin.is_group && in_group(&admin.sid));
    let own = guid_to_sid(claims.appid.as_deref().unwrap_or(&claims.oid))
        .ok_or_else(|| refused(TOKEN))?;
    let groups: Vec<[u8; 16]> = claims
        .groups
        .iter()
        .filter_map(|id| guid_to_sid(id))
        .collect();
    let mut principals = Vec::new();
    if is_server_admin {
        principals.push(DBO);
    } else {
        let users = catalogue
            .principals
            .values()
            .filter(|p| p.kind == PrincipalType::ExternalUser && has_sid(p.sid.as_deref(), &own));
        principals.extend(users.map(|user| user.id));
        let by_group = catalogue.principals.values().filter(|p| {
            p.kind == PrincipalType::ExternalGroup
                && groups.iter().any(|group| has_sid(p.sid.as_deref(), group))
        });
        principals.extend(by_group.map(|user| user.id));
    }
    let login = state
        .logins
        .values()
        .find(|login| login_matches(login, &own, &groups));
    if login.is_some_and(|login| login.disabled) {
        return Err(refused(TOKEN));
    }
    let (name, kind) = token_name(server, &claims);
    Ok(Known {
        name,
        sid: own.to_vec(),
        external: Some(kind),
        is_server_admin,
        login: login.map(|login| login.id),
        principals,
    })
}

fn login_matches(login: &Login, own: &[u8; 16], groups: &[[u8; 16]]) -> bool {
    match login.kind {
        LoginType::Sql => false,
        LoginType::External => has_sid(Some(&login.sid), own),
        LoginType::ExternalGroup => groups.iter().any(|group| has_sid(Some(&login.sid), group)),
    }
}

/// Whether a stored SID is this one; the service adds a suffix to some.
fn has_sid(stored: Option<&[u8]>, sid: &[u8; 16]) -> bool {
    stored.is_some_and(|stored| stored.starts_with(sid))
}

/// `client@tenant` for applications, the name for users.
fn token_name(server: &Server, claims: &Claims) -> (String, PrincipalKind) {
    let found = server.directory.by_object_id(&claims.oid);
    match &claims.appid {
        Some(client) => {
            let kind = found.map_or(PrincipalKind::Application, |principal| principal.kind);
            (format!("{}@{}", client.to_lowercase(), claims.tid), kind)
        }
        None => {
            let name = found.map_or_else(|| claims.oid.clone(), |user| user.display_name);
            (name, PrincipalKind::User)
        }
    }
}

/// Whether the database lets it in, and as whom.
fn enter(
    server: &Server,
    database: &Database,
    catalogue: &Catalogue,
    known: &Known,
) -> Result<Subject, RefusedLogin> {
    let state = server.lock();
    let has = |role: &str| known.login.is_some_and(|login| state.has_role(login, role));
    let mut principals = known.principals.clone();
    if principals.is_empty() && has("##MS_DatabaseConnector##") {
        principals.push(GUEST);
    }
    let guest = principals == [GUEST];
    let subject = Subject {
        ids: principals,
        security_reader: has("##MS_SecurityDefinitionReader##") || has("##MS_DefinitionReader##"),
        state_reader: has("##MS_ServerStateReader##"),
    };
    let may_connect = guest || allowed(catalogue, &subject, "CONNECT", Securable::Database);
    let denied = catalogue
        .permissions
        .iter()
        .any(|p| p.state == State::Deny && p.name == "CONNECT" && subject.ids.contains(&p.grantee));
    if !subject.ids.is_empty() && may_connect && !denied {
        return Ok(subject);
    }
    // Only a login of the server has got as far as the database's door.
    Err(match known.external {
        Some(_) => refused(TOKEN),
        None if known.login.is_some() => RefusedLogin(vec![
            SqlError::cannot_open(&database.name),
            SqlError::login_failed(&known.name),
        ]),
        None => refused(&known.name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_by_the_first_label() {
        assert_eq!(
            server_label("tcp:Orders-sql.database.localhost,1433"),
            "orders-sql"
        );
        assert_eq!(server_label("orders-sql"), "orders-sql");
    }
}
