//! Starting and stopping: certificates, sockets, the seed, and the files that a client needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::control::IDENTITY_PATH;
use crate::directory::Directory;
use crate::estate::{Cells, Estate, Ports};
use crate::gateway::{self, CallOutcome, ServiceCalls, TrafficReport};
use crate::http::{self, Fault, RequestCount};
use crate::seed::{Seed, SeedError};
use crate::sql::Sql;
use crate::{arm, ids, tds, tls};

/// What to start with.
#[derive(Clone, Debug)]
pub struct Options {
    pub seed: Seed,
    /// The folder that gets `ca.pem` and `cloud.json`; made if it is not there.
    pub dir: PathBuf,
    /// 0 = any free port.
    pub https_port: u16,
    /// 0 = any free port.
    pub sql_port: u16,
}

/// Why the emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    #[error("cannot listen on 127.0.0.1:{port}; choose another port or 0 for a free one")]
    Listen { port: u16, source: std::io::Error },
    #[error("cannot write {path}; check the folder")]
    Write {
        path: String,
        source: std::io::Error,
    },
    #[error("{0}")]
    Tls(#[from] tls::TlsError),
    #[error("{0}")]
    Seed(#[from] SeedError),
}

/// A running emulator. Dropping it stops it.
pub struct Emulator {
    estate: Arc<Estate>,
    cloud_file: PathBuf,
    seed: Seed,
    tasks: Vec<JoinHandle<()>>,
}

impl Emulator {
    /// Binds its sockets on 127.0.0.1, fills the estate from the seed, writes `ca.pem` and
    /// `cloud.json`, and serves.
    ///
    /// # Errors
    /// When a port is taken, a file cannot be written, or the seed is refused.
    pub async fn start(options: Options) -> Result<Self, EmulatorError> {
        let Options {
            seed,
            dir,
            https_port,
            sql_port,
        } = options;
        let certificates = tls::issue()?;
        let https = listen(https_port).await?;
        let sql_listener = listen(sql_port).await?;
        let nodes = listen(0).await?;
        let node_port = port(&nodes)?;
        let control = listen(0).await?;
        let ports = Ports {
            https: port(&https)?,
            sql: port(&sql_listener)?,
            control: port(&control)?,
        };

        let estate = Arc::new(found(&seed, ports, &certificates.ca_pem)?);
        let sql = estate.sql.clone();
        arm::put_all(&estate, &seed)?;

        let cloud_file = write_files(&dir, ports, &certificates.ca_pem)?;
        let acceptor = TlsAcceptor::from(certificates.https);
        let tasks = vec![
            tokio::spawn(http::serve_tls(https, acceptor, estate.clone())),
            tokio::spawn(http::serve_plain(control, estate.clone())),
            tokio::spawn(tds::serve(
                sql_listener,
                certificates.tds.clone(),
                sql.clone(),
                Some(node_port),
            )),
            tokio::spawn(tds::serve(nodes, certificates.tds, sql, None)),
        ];
        Ok(Self {
            estate,
            cloud_file,
            seed,
            tasks,
        })
    }

    pub fn https_port(&self) -> u16 {
        self.estate.ports.https
    }

    pub fn sql_port(&self) -> u16 {
        self.estate.ports.sql
    }

    /// The endpoints file for `--cloud`; `ca.pem` lies beside it.
    pub fn cloud_file(&self) -> &Path {
        &self.cloud_file
    }

    /// The control API and the managed identity endpoint, without a trailing slash.
    pub fn control_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.estate.ports.control)
    }

    /// The variables by which a command line logs in as the seed's operator; empty without one.
    pub fn environment(&self) -> Vec<(String, String)> {
        let operator = self.seed.operator.as_deref();
        operator
            .map(|name| self.environment_of(name))
            .unwrap_or_default()
    }

    /// The same for any application of the seed, by its name; empty for what cannot log in so.
    pub fn environment_of(&self, name: &str) -> Vec<(String, String)> {
        let Ok(principal) = self.seed.principal("operator", name) else {
            return Vec::new();
        };
        let (Some(client), Some(secret)) = (&principal.client_id, &principal.secret) else {
            return Vec::new();
        };
        vec![
            ("AZURE_TENANT_ID".into(), self.seed.tenant.clone()),
            ("AZURE_CLIENT_ID".into(), client.clone()),
            ("AZURE_CLIENT_SECRET".into(), secret.clone()),
        ]
    }

    /// The variables by which a program finds the managed identity endpoint, as on App Service.
    pub fn identity_environment(&self) -> Vec<(String, String)> {
        vec![
            (
                "IDENTITY_ENDPOINT".into(),
                format!("{}{IDENTITY_PATH}", self.control_url()),
            ),
            (
                "IDENTITY_HEADER".into(),
                self.estate.identity_header.clone(),
            ),
        ]
    }

    pub fn clock(&self) -> &Clock {
        &self.estate.clock
    }

    pub fn directory(&self) -> &Directory {
        &self.estate.directory
    }

    pub fn sql(&self) -> &Sql {
        &self.estate.sql
    }

    /// Moves the emulated time forward; tokens given before may have expired then.
    pub fn advance(&self, seconds: i64) {
        self.estate.clock.advance(seconds);
    }

    pub fn add_fault(&self, fault: Fault) {
        self.estate.faults().add(fault);
    }

    pub fn clear_faults(&self) {
        self.estate.faults().clear();
    }

    /// The requests over HTTPS since the start or the last reset.
    pub fn requests(&self) -> Vec<RequestCount> {
        self.estate.requests().list()
    }

    pub fn reset_requests(&self) {
        self.estate.requests().reset();
    }

    /// How often the HTTP service with this host was called with which credential, and with which
    /// one last.
    pub fn calls(&self, host: &str) -> ServiceCalls {
        self.estate.calls().of(host)
    }

    /// Hosts to which the gateway sent a token of one of its identities that does not open them,
    /// and how often.
    pub fn strays(&self) -> BTreeMap<String, u64> {
        self.estate.calls().strays().clone()
    }

    /// Makes each call of the seed's `traffic` once, as its caller does, and says how it went.
    pub async fn call_all(&self) -> Vec<CallOutcome> {
        gateway::call_all(&self.estate).await
    }

    /// Makes those calls over and over until `work` ends, and once more after it: what it returned,
    /// and how many calls there were and which of them failed.
    pub async fn call_all_while<T>(&self, work: impl Future<Output = T>) -> (T, TrafficReport) {
        gateway::call_all_while(&self.estate, work).await
    }

    /// Ends every connection and frees the ports.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // Aborted on purpose: how it ended says nothing.
            let _ = task.await;
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// An estate with its directory, and nothing in it yet.
pub(crate) fn found(seed: &Seed, ports: Ports, ca_pem: &str) -> Result<Estate, SeedError> {
    let clock = Clock::default();
    let directory = Directory::new(&seed.tenant, clock.clone(), ids::random());
    for principal in seed.directory_entries()? {
        directory.put(principal);
    }
    let host_identity = match &seed.host_identity {
        Some(name) => seed.principal("hostIdentity", name)?.client_id.clone(),
        None => None,
    };
    if let Some(name) = &seed.operator {
        seed.principal("operator", name)?;
    }
    let sql = Sql::new(directory.clone(), clock.clone());
    Ok(Estate {
        clock,
        directory,
        sql,
        settings: seed.settings.clone(),
        roles: seed.roles.clone(),
        vaults: seed.vaults.clone(),
        traffic: seed.traffic.clone(),
        ports,
        ca_pem: ca_pem.to_owned(),
        host_identity,
        identity_header: ids::guid().replace('-', ""),
        cells: Cells::with_services(seed.services.iter().map(Into::into).collect()),
    })
}

async fn listen(port: u16) -> Result<TcpListener, EmulatorError> {
    TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|source| EmulatorError::Listen { port, source })
}

fn port(listener: &TcpListener) -> Result<u16, EmulatorError> {
    let address = listener.local_addr();
    address
        .map(|address| address.port())
        .map_err(|source| EmulatorError::Listen { port: 0, source })
}

fn write_files(dir: &Path, ports: Ports, ca_pem: &str) -> Result<PathBuf, EmulatorError> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| EmulatorError::Write { path, source }
    };
    std::fs::create_dir_all(dir).map_err(failed(dir))?;
    let ca = dir.join("ca.pem");
    std::fs::write(&ca, ca_pem).map_err(failed(&ca))?;
    let https = ports.https;
    let cloud = json!({
        "name": "emulator",
        "resourceManager": format!("https://management.localhost:{https}"),
        "resourceManagerAudience": "https://management.azure.com",
        "authority": format!("https://login.localhost:{https}"),
        "sqlSuffix": "database.localhost",
        "sqlPort": ports.sql,
        "sqlAudience": "https://database.windows.net",
        "gatewaySuffix": format!("azure-api.localhost:{https}"),
        "ca": "ca.pem",
    });
    let file = dir.join("cloud.json");
    let text = format!("{cloud:#}\n");
    std::fs::write(&file, text).map_err(failed(&file))?;
    Ok(file)
}
