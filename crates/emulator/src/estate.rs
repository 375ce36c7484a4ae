//! What all services of one emulator share: the directory, the time, the store of ARM entities, the
//! SQL servers, and where everything is listening.
//!
//! Lock order: the store first, then whatever a write touches in the directory or in SQL.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::arm::{Buckets, Store};
use crate::clock::Clock;
use crate::directory::Directory;
use crate::gateway::{Calls, GatewayLog, TrafficSeed};
use crate::http::{Faults, Requests};
use crate::seed::{RoleSeed, Settings};
use crate::seed_services::VaultSeed;
use crate::sql::Sql;

pub use crate::service::{HttpService, KeyKind, ServiceKey};

/// Where the emulator listens.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub https: u16,
    pub sql: u16,
    pub control: u16,
}

/// The shared state; one for each running emulator.
pub struct Estate {
    pub clock: Clock,
    pub directory: Directory,
    pub sql: Sql,
    pub settings: Settings,
    pub roles: Vec<RoleSeed>,
    pub vaults: Vec<VaultSeed>,
    pub traffic: Vec<TrafficSeed>,
    pub ports: Ports,
    pub ca_pem: String,
    /// The client id that the managed identity endpoint speaks for when none is named.
    pub host_identity: Option<String>,
    /// What `X-IDENTITY-HEADER` must say.
    pub identity_header: String,
    pub cells: Cells,
}

/// What changes while the emulator runs.
#[derive(Default)]
pub struct Cells {
    store: Mutex<Store>,
    buckets: Mutex<Buckets>,
    faults: Mutex<Faults>,
    requests: Mutex<Requests>,
    services: Mutex<Vec<HttpService>>,
    calls: Mutex<Calls>,
    gateway_log: Mutex<GatewayLog>,
}

impl Cells {
    pub fn with_services(services: Vec<HttpService>) -> Self {
        Self {
            services: Mutex::new(services),
            ..Self::default()
        }
    }
}

impl Estate {
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.cells
            .store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What callers of Resource Manager have left.
    pub fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.cells
            .buckets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.cells
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub fn requests(&self) -> MutexGuard<'_, Requests> {
        self.cells
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The HTTP services behind the gateway.
    pub fn services(&self) -> MutexGuard<'_, Vec<HttpService>> {
        self.cells
            .services
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The service with this host name, as it is now.
    pub fn service(&self, host: &str) -> Option<HttpService> {
        let services = self.services();
        services
            .iter()
            .find(|service| service.host.eq_ignore_ascii_case(host))
            .cloned()
    }

    /// How the HTTP services were called.
    pub fn calls(&self) -> MutexGuard<'_, Calls> {
        self.cells
            .calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What the gateway answered to its callers.
    pub fn gateway_log(&self) -> MutexGuard<'_, GatewayLog> {
        self.cells
            .gateway_log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub fn arm_url(&self) -> String {
        format!("https://management.localhost:{}", self.ports.https)
    }

    pub fn graph_url(&self) -> String {
        format!("https://graph.localhost:{}", self.ports.https)
    }

    pub fn login_url(&self) -> String {
        format!("https://login.localhost:{}", self.ports.https)
    }
}
