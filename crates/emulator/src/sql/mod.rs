//! Emulated Azure SQL logical servers: logins, databases, a catalogue that T-SQL can query, and
//! user tables behind the permissions that the catalogue holds.
//!
//! User data lives in SQLite, one connection in memory for each database; T-SQL is rewritten into
//! its dialect (`rewrite`). Principals and permissions are plain values (`catalogue`), shown as
//! tables when a query names them (`views`), and every access to a user table is checked against
//! them. What goes over the wire is `tds`'s business.

mod application_roles;
mod ast;
mod audit;
mod catalogue;
mod clauses;
mod database;
mod ddl;
mod dml;
mod error;
mod exec;
mod expression;
mod firewall;
mod functions;
mod functions_text;
#[cfg(test)]
pub(crate) mod fuzz;
mod grants;
mod lexer;
mod login;
mod logins;
mod parse;
mod parse_ddl;
mod parse_security;
mod parser;
mod permissions;
mod policies;
mod principals;
mod procedures;
mod query;
mod rewrite;
mod row_security;
mod server;
mod session;
mod tables;
mod time;
mod value;
mod views;
mod views_objects;
mod views_server;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;
use crate::directory::Directory;

pub use audit::AuditRecord;
pub use error::SqlError;
pub use firewall::FirewallRule;
pub use login::{Credentials, LoginRequest, RefusedLogin};
pub use procedures::{Argument, Call};
pub use server::{EntraAdmin, Network};
pub use session::{Reply, Session, TransactionRequest};
pub use time::{DATETIME_DAYS, Moment, TICKS, clock_bytes};
pub use value::{ColumnType, guid_to_sid, sid_to_guid};

pub(crate) use query::ResultSet;
use server::Server;

/// The SQL servers of one emulator; clones share them.
#[derive(Clone)]
pub struct Sql {
    directory: Directory,
    clock: Clock,
    servers: Arc<Mutex<BTreeMap<String, Arc<Server>>>>,
}

impl Sql {
    pub fn new(directory: Directory, clock: Clock) -> Self {
        Self {
            directory,
            clock,
            servers: Arc::default(),
        }
    }

    /// Adds a logical server with its `master` database and its administrator's login. A server
    /// that exists gets the password as a reset of it.
    pub fn create_server(&self, name: &str, admin_login: &str, admin_password: &str) {
        let mut servers = self.lock();
        match servers.get(&name.to_lowercase()) {
            Some(server) => server.set_admin_password(admin_password),
            None => {
                let (directory, clock) = (self.directory.clone(), self.clock.clone());
                let server = Server::new(name, directory, clock, admin_login, admin_password);
                servers.insert(name.to_lowercase(), Arc::new(server));
            }
        }
    }

    /// Takes a server away with everything in it.
    pub fn drop_server(&self, name: &str) {
        if let Some(server) = self.lock().remove(&name.to_lowercase()) {
            server.drop_all();
        }
    }

    /// Adds an empty database; one that exists stays as it is. Without such a server, nothing.
    pub fn create_database(&self, server: &str, database: &str) {
        if let Some(server) = self.server(server) {
            server.create_database(database);
        }
    }

    pub fn drop_database(&self, server: &str, database: &str) {
        if let Some(server) = self.server(server) {
            server.drop_database(database);
        }
    }

    /// The databases of a server, `master` first.
    pub fn databases(&self, server: &str) -> Vec<String> {
        self.server(server)
            .map(|server| server.database_names())
            .unwrap_or_default()
    }

    /// Sets or removes the Entra administrator. Without one no token is accepted.
    pub fn set_entra_admin(&self, server: &str, admin: Option<EntraAdmin>) {
        if let Some(server) = self.server(server) {
            server.lock().entra_admin = admin;
        }
    }

    /// Entra-only authentication: password logins stay, and are refused.
    pub fn set_entra_only(&self, server: &str, on: bool) {
        if let Some(server) = self.server(server) {
            server.lock().entra_only = on;
        }
    }

    /// Whether and how clients reach a server.
    pub fn set_network(&self, server: &str, network: Network) {
        if let Some(server) = self.server(server) {
            server.lock().network = network;
        }
    }

    /// Whether logins are sent on to the node that holds the database (`Redirect`).
    pub fn set_redirect(&self, server: &str, on: bool) {
        if let Some(server) = self.server(server) {
            server.lock().redirects = on;
        }
    }

    /// The host of the node that a login to this server is sent on to, if it is.
    pub(crate) fn node(&self, server: &str) -> Option<String> {
        let server = self.server(&login::server_label(server))?;
        let redirects = server.lock().redirects;
        redirects.then(|| format!("{}.worker.database.localhost", server.name))
    }

    /// From which address in Azure everybody reaches a server; `None` = its rules refuse nobody.
    pub fn set_client_address(&self, server: &str, address: Option<Ipv4Addr>) {
        if let Some(server) = self.server(server) {
            server.lock().client_address = address;
        }
    }

    /// The firewall rules of a server, as `sys.firewall_rules` shows them in `master`.
    pub fn firewall_rules(&self, server: &str) -> Vec<FirewallRule> {
        let server = self.server(server);
        server.map_or_else(Vec::new, |server| server.lock().firewall.rules().to_vec())
    }

    /// Makes a firewall rule of a server, or changes the one of this name.
    pub fn set_firewall_rule(
        &self,
        server: &str,
        name: &str,
        start: Ipv4Addr,
        end: Ipv4Addr,
    ) -> Result<(), SqlError> {
        let now = self.clock.now();
        match self.server(server) {
            Some(server) => server.lock().firewall.set(name, start, end, now),
            None => Ok(()),
        }
    }

    pub fn delete_firewall_rule(&self, server: &str, name: &str) {
        if let Some(server) = self.server(server) {
            server.lock().firewall.delete(name);
        }
    }

    /// Whether the server's own identity may read the directory, which an application or managed
    /// identity needs before its `FROM EXTERNAL PROVIDER` can work (azure-facts C.1).
    pub fn set_directory_reader(&self, server: &str, on: bool) {
        if let Some(server) = self.server(server) {
            server.lock().directory_reader = on;
        }
    }

    /// Runs a script as the server's administrator: batches between lines that say `GO`. The first
    /// error ends it.
    pub fn run_script(&self, server: &str, database: &str, script: &str) -> Result<(), SqlError> {
        let server = self
            .server(server)
            .ok_or_else(|| SqlError::cannot_open(database))?;
        let mut session = login::administrator(&server, database)?;
        for batch in batches(script) {
            for reply in session.run_now(&batch) {
                if let Reply::Error(error) = reply {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// The tenant whose tokens are accepted.
    pub(crate) fn tenant(&self) -> &str {
        self.directory.tenant()
    }

    fn server(&self, name: &str) -> Option<Arc<Server>> {
        self.lock().get(&name.to_lowercase()).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Server>>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parts of a script between lines that say `GO`.
fn batches(script: &str) -> Vec<String> {
    let mut batches = vec![String::new()];
    for line in script.lines() {
        if line.trim().eq_ignore_ascii_case("go") {
            batches.push(String::new());
        } else if let Some(batch) = batches.last_mut() {
            batch.push_str(line);
            batch.push('\n');
        }
    }
    batches.retain(|batch| !batch.trim().is_empty());
    batches
}
