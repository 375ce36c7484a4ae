//! Access to the services of one run: ARM, the databases, and the gateway as a caller reaches it.

use std::collections::BTreeMap;
use std::time::Duration;

use keyless_azure::Arm;
use keyless_model::{Address, Timestamp};
use keyless_plan::Root;
use keyless_tsql::{Endpoint, Session, SqlError};

use crate::error::LiveError;

/// How long opening a session or one call on it may take (azure-facts C.2: at least 30 s).
const SQL_DEADLINE: Duration = Duration::from_secs(60);

/// The services of one run, and where the roots of its addresses are.
#[derive(Clone)]
pub struct Services {
    pub arm: Arm,
    pub roots: BTreeMap<Address, Root>,
}

impl Services {
    pub fn new(arm: Arm, roots: BTreeMap<Address, Root>) -> Self {
        Self { arm, roots }
    }

    /// The newest time that a service told.
    pub fn now(&self) -> Timestamp {
        self.arm.last_date().unwrap_or_default()
    }

    /// Asks one service for something small, so that [`Services::now`] is known.
    ///
    /// # Errors
    /// When nobody is logged in, or no service answers.
    pub async fn hear_the_clock(&self) -> Result<(), LiveError> {
        let Some((address, root)) = self.roots.iter().next() else {
            return Ok(());
        };
        let request = crate::requests::get(&root.id, &crate::place::place(address)?)?;
        self.arm.find(request).await?;
        Ok(())
    }

    /// The root that `address` lies in.
    pub(crate) fn root(&self, address: &Address) -> Result<&Root, LiveError> {
        self.roots
            .get(&address.root())
            .ok_or_else(|| LiveError::Root(address.clone()))
    }

    /// The name that clients connect to. One that a plan file gives must lie in this cloud: a token
    /// goes nowhere else.
    pub(crate) fn host(&self, server: &Address) -> Result<String, LiveError> {
        let root = self.root(server)?;
        let cloud = self.arm.cloud();
        match &root.host {
            Some(host) if within(host, &cloud.sql_suffix) => Ok(host.clone()),
            Some(host) => Err(LiveError::Foreign(host.clone())),
            None => Ok(cloud.sql_host(&root.id.name)),
        }
    }

    /// Where callers reach the gateway; as for servers, only in this cloud.
    pub(crate) fn gateway_url(&self, gateway: &Address) -> Result<String, LiveError> {
        let root = self.root(gateway)?;
        let cloud = self.arm.cloud();
        let Some(url) = &root.host else {
            return Ok(cloud.gateway_url(&root.id.name));
        };
        let host = url.strip_prefix("https://").unwrap_or_default();
        let host = host.split('/').next().unwrap_or_default();
        if within(host, &cloud.gateway_suffix) {
            Ok(format!("https://{host}/"))
        } else {
            Err(LiveError::Foreign(url.clone()))
        }
    }

    /// A session on a database of a server, as whoever runs keyless.
    pub(crate) async fn session(
        &self,
        server: &Address,
        database: &str,
    ) -> Result<Session, LiveError> {
        let cloud = self.arm.cloud();
        let endpoint = Endpoint {
            host: self.host(server)?,
            port: cloud.sql_port,
            ca_pem: cloud.ca.clone(),
        };
        let token = self.arm.tokens().token(&cloud.sql_scope()).await?;
        let rest = |wait| self.arm.rest(wait);
        let session = keyless_tsql::connect(&endpoint, database, &token, SQL_DEADLINE, rest).await;
        session.map_err(|error: SqlError| LiveError::Sql(error))
    }
}

/// Whether a host is one label or more before the suffix.
fn within(host: &str, suffix: &str) -> bool {
    let host = host.to_lowercase();
    let plain = host
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-.:".contains(c));
    plain
        && host
            .strip_suffix(&suffix.to_lowercase())
            .is_some_and(|h| h.len() > 1 && h.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn a_host_of_another_domain_gets_nothing() {
        assert!(within(
            "orders-sql.database.windows.net",
            "database.windows.net"
        ));
        for bad in [
            "evil.example",
            "database.windows.net",
            "xdatabase.windows.net",
            "a@evil.example/.database.windows.net",
            "evil.example/database.windows.net",
        ] {
            assert!(!within(bad, "database.windows.net"), "{bad}");
        }
    }
}
