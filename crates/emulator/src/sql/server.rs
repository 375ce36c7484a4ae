//! One logical server: its logins and server roles, its Entra settings, its databases and the
//! sessions that are open on it.
//!
//! Lock order: a database first, then its server; never the other way round.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::audit::Audit;
use super::catalogue::{Password, same};
use super::database::Database;
use super::firewall::Firewall;
use crate::clock::Clock;
use crate::directory::Directory;

/// The Entra administrator of a server, as ARM sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntraAdmin {
    pub login: String,
    /// Object id of the user, group or service principal.
    pub sid: String,
    pub is_group: bool,
    pub tenant: String,
}

/// How clients get to a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// `publicNetworkAccess` is off.
    pub public_denied: bool,
    /// There is a private endpoint, through which everybody comes.
    pub private: bool,
}

/// `type` in sys.server_principals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginType {
    Sql,
    External,
    ExternalGroup,
}

#[derive(Clone, Debug)]
pub struct Login {
    pub id: i32,
    pub name: String,
    pub sid: Vec<u8>,
    pub kind: LoginType,
    pub password: Option<Password>,
    pub disabled: bool,
    pub created: i64,
    pub modified: i64,
}

/// A connection that is open now.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    pub login_time: i64,
    pub login: String,
    pub host: String,
    pub program: String,
    pub database: String,
    pub sid: Vec<u8>,
}

/// The roles that Azure SQL has on the server; nobody can add one.
pub const SERVER_ROLES: &[(i32, &str)] = &[
    (-101, "##MS_DatabaseConnector##"),
    (-102, "##MS_DatabaseManager##"),
    (-103, "##MS_DefinitionReader##"),
    (-104, "##MS_LoginManager##"),
    (-105, "##MS_SecurityDefinitionReader##"),
    (-106, "##MS_ServerStateReader##"),
    (-107, "##MS_ServerStateManager##"),
];

/// The id of the administrator's login.
pub const ADMIN: i32 = 1;

#[derive(Debug, Default)]
pub struct ServerState {
    pub logins: BTreeMap<i32, Login>,
    /// (role, login).
    pub role_members: BTreeSet<(i32, i32)>,
    pub entra_admin: Option<EntraAdmin>,
    pub entra_only: bool,
    pub directory_reader: bool,
    pub network: Network,
    /// Clients are sent on to the node that holds the database.
    pub redirects: bool,
    /// The address in Azure from which everybody comes; `None` = no rule is looked at.
    pub client_address: Option<Ipv4Addr>,
    pub firewall: Firewall,
    pub databases: BTreeMap<String, Arc<Database>>,
    pub sessions: BTreeMap<i32, SessionInfo>,
    pub audit: Audit,
    next_login: i32,
    next_session: i32,
}

impl ServerState {
    pub fn login(&self, name: &str) -> Option<&Login> {
        self.logins.values().find(|login| same(&login.name, name))
    }

    pub fn has_role(&self, login: i32, role: &str) -> bool {
        SERVER_ROLES
            .iter()
            .any(|(id, name)| *name == role && self.role_members.contains(&(*id, login)))
    }

    pub fn add_login(&mut self, make: impl FnOnce(i32) -> Login) -> i32 {
        let id = self.next_login;
        self.next_login += 1;
        self.logins.insert(id, make(id));
        id
    }
}

#[derive(Debug)]
pub struct Server {
    pub name: String,
    pub directory: Directory,
    pub clock: Clock,
    state: Mutex<ServerState>,
}

impl Server {
    pub fn new(
        name: &str,
        directory: Directory,
        clock: Clock,
        admin_login: &str,
        admin_password: &str,
    ) -> Self {
        let now = clock.now();
        let admin = Login {
            id: ADMIN,
            name: admin_login.to_owned(),
            sid: login_sid(name, admin_login, ADMIN),
            kind: LoginType::Sql,
            password: Some(Password::new(admin_password)),
            disabled: false,
            created: now,
            modified: now,
        };
        let state = ServerState {
            logins: BTreeMap::from([(ADMIN, admin)]),
            next_login: 267,
            next_session: 64,
            ..ServerState::default()
        };
        let server = Self {
            name: name.to_owned(),
            directory,
            clock,
            state: Mutex::new(state),
        };
        server.create_database("master");
        server
    }

    pub fn lock(&self) -> MutexGuard<'_, ServerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_admin_password(&self, password: &str) {
        let now = self.clock.now();
        if let Some(admin) = self.lock().logins.get_mut(&ADMIN) {
            admin.password = Some(Password::new(password));
            admin.modified = now;
        }
    }

    pub fn create_database(&self, name: &str) {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.databases.contains_key(&name.to_lowercase()) {
            return;
        }
        let sid = state
            .logins
            .get(&ADMIN)
            .map(|admin| admin.sid.clone())
            .unwrap_or_default();
        // Opening a database in memory fails only when memory is short.
        if let Ok(database) = Database::new(name, now, &sid) {
            state
                .databases
                .insert(name.to_lowercase(), Arc::new(database));
        }
    }

    pub fn drop_database(&self, name: &str) {
        let dropped = self.lock().databases.remove(&name.to_lowercase());
        if let Some(database) = dropped {
            database.lock().dropped = true;
        }
    }

    pub fn drop_all(&self) {
        for name in self.database_names() {
            self.drop_database(&name);
        }
    }

    pub fn database(&self, name: &str) -> Option<Arc<Database>> {
        self.lock().databases.get(&name.to_lowercase()).cloned()
    }

    /// `master` first, then by name.
    pub fn database_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .lock()
            .databases
            .values()
            .map(|database| database.name.clone())
            .collect();
        names.sort_by_key(|name| name != "master");
        names
    }

    /// Registers a connection and answers its session id.
    pub fn open_session(&self, info: SessionInfo) -> i32 {
        let mut state = self.lock();
        let id = state.next_session;
        state.next_session = if id >= 32_000 { 64 } else { id + 1 };
        state.sessions.insert(id, info);
        id
    }

    pub fn close_session(&self, id: i32) {
        self.lock().sessions.remove(&id);
    }
}

/// A login's SID: the service's prefix and 16 bytes that differ for every login ever made.
pub fn login_sid(server: &str, name: &str, id: i32) -> Vec<u8> {
    let mut sid = vec![1, 6, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0];
    sid.extend_from_slice(&fingerprint(&format!("login/{server}/{name}/{id}")));
    sid
}

/// The SID of a user that the database itself authenticates.
pub fn contained_sid(database: &str, name: &str, id: i32) -> Vec<u8> {
    let mut sid = vec![1, 5, 0, 0, 0, 0, 0, 9, 3, 0, 0, 0];
    sid.extend_from_slice(&fingerprint(&format!("user/{database}/{name}/{id}")));
    sid
}

fn fingerprint(text: &str) -> [u8; 16] {
    let digest = Sha256::digest(text.as_bytes());
    let mut head = [0; 16];
    head.copy_from_slice(&digest[..16]);
    head
}
