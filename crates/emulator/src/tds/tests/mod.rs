//! The whole server over real sockets and TLS, with a client that somebody else wrote.

mod catalogue;
mod clients;
mod fuzz;
mod login;
mod permissions;
mod statements;

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Row};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use crate::clock::Clock;
use crate::directory::{Directory, Principal, PrincipalKind};
use crate::sql::{EntraAdmin, Sql};

type Connection = Client<Compat<TcpStream>>;

const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const AUDIENCE: &str = "https://database.windows.net/";
const ADMIN: &str = "sqladmin";
const ADMIN_PASSWORD: &str = "Adm1n-pass!";
/// The port that logins are sent on to; nobody listens there.
const NODES: u16 = 11_003;
/// The client id of azure-facts C.3's test vector.
const APP: &str = "00112233-4455-6677-8899-aabbccddeeff";
const APP_SID: &str = "0x33221100554477668899AABBCCDDEEFF";
const GROUP: &str = "00000000-0000-0000-0000-0000000000aa";

/// A server `orders-sql` with a database `orders`, a table in it, and a tenant.
struct Bed {
    sql: Sql,
    directory: Directory,
    port: u16,
    folder: TempDir,
    serving: JoinHandle<()>,
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn principal(
    object_id: &str,
    client_id: Option<&str>,
    name: &str,
    kind: PrincipalKind,
) -> Principal {
    Principal {
        object_id: object_id.to_owned(),
        client_id: client_id.map(str::to_owned),
        display_name: name.to_owned(),
        kind,
        groups: Vec::new(),
        secret: None,
        certificate: None,
    }
}

fn tls(folder: &TempDir) -> Arc<ServerConfig> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "*.database.localhost".to_owned()];
    let leaf = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &ca)
        .unwrap();
    let chain = vec![CertificateDer::from(leaf.der().to_vec())];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

impl Bed {
    async fn new() -> Self {
        let clock = Clock::default();
        let directory = Directory::new(TENANT, clock.clone(), [7; 32]);
        directory.put(principal(
            "0a",
            Some(APP),
            "orders-api",
            PrincipalKind::ManagedIdentity,
        ));
        let sql = Sql::new(directory.clone(), clock);
        sql.create_server("orders-sql", ADMIN, ADMIN_PASSWORD);
        sql.create_database("orders-sql", "orders");
        sql.run_script(
            "orders-sql",
            "orders",
            "CREATE TABLE dbo.Orders (Id int IDENTITY(1,1) PRIMARY KEY, Customer nvarchar(100) NOT NULL,
                Total decimal(10,2) NOT NULL DEFAULT 0, Paid bit NOT NULL DEFAULT (0));
             INSERT INTO dbo.Orders (Customer, Total, Paid) VALUES (N'Fabrikam', 12.50, 1), (N'Tailspin', 7, 0);
             GO
             CREATE SCHEMA sales",
        )
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(super::serve(
            listener,
            tls(&folder),
            sql.clone(),
            Some(NODES),
        ));
        Self {
            sql,
            directory,
            port,
            folder,
            serving,
        }
    }

    /// With an Entra administrator, the group that nobody here is in.
    fn with_entra_admin(self) -> Self {
        let admin = EntraAdmin {
            login: "sql-admins".into(),
            sid: GROUP.into(),
            is_group: true,
            tenant: TENANT.into(),
        };
        self.sql.set_entra_admin("orders-sql", Some(admin));
        self
    }

    fn script(&self, database: &str, script: &str) {
        self.sql.run_script("orders-sql", database, script).unwrap();
    }

    fn token(&self, object_id: &str) -> String {
        let principal = self.directory.by_object_id(object_id).unwrap();
        self.directory.issue(&principal, AUDIENCE, 3600)
    }

    async fn connect(
        &self,
        database: &str,
        auth: AuthMethod,
    ) -> Result<Connection, tiberius::error::Error> {
        self.connect_with(database, auth, EncryptionLevel::Required)
            .await
    }

    async fn connect_with(
        &self,
        database: &str,
        auth: AuthMethod,
        encryption: EncryptionLevel,
    ) -> Result<Connection, tiberius::error::Error> {
        let mut config = Config::new();
        config.host("orders-sql.database.localhost");
        config.port(self.port);
        config.database(database);
        config.authentication(auth);
        config.encryption(encryption);
        config.application_name("tests");
        config.trust_cert_ca(self.folder.path().join("ca.pem").to_str().unwrap());
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        Client::connect(config, stream.compat_write()).await
    }

    async fn admin(&self, database: &str) -> Connection {
        self.connect(database, AuthMethod::sql_server(ADMIN, ADMIN_PASSWORD))
            .await
            .unwrap()
    }

    async fn password(
        &self,
        login: &str,
        password: &str,
    ) -> Result<Connection, tiberius::error::Error> {
        self.connect("orders", AuthMethod::sql_server(login, password))
            .await
    }
}

/// The number of the error that this ended with.
fn code<T>(result: Result<T, tiberius::error::Error>) -> u32 {
    match result {
        Err(error) => error.code().unwrap_or_else(|| panic!("{error}")),
        Ok(_) => panic!("it should have failed"),
    }
}

/// Runs a text that must succeed.
async fn run(client: &mut Connection, text: &str) {
    batch(client, text)
        .await
        .unwrap_or_else(|error| panic!("{text}: {error}"));
}

async fn batch(client: &mut Connection, text: &str) -> Result<(), tiberius::error::Error> {
    client
        .simple_query(text)
        .await?
        .into_results()
        .await
        .map(|_| ())
}

/// The number of the error that a text ends with.
async fn error(client: &mut Connection, text: &str) -> u32 {
    code(batch(client, text).await)
}

async fn rows(client: &mut Connection, text: &str) -> Vec<Row> {
    let stream = client
        .simple_query(text)
        .await
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    stream
        .into_first_result()
        .await
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The first column of every row, as text.
async fn texts(client: &mut Connection, text: &str) -> Vec<String> {
    let rows = rows(client, text).await;
    rows.iter()
        .map(|row| row.get::<&str, _>(0).unwrap_or("NULL").to_owned())
        .collect()
}

async fn int(client: &mut Connection, text: &str) -> Option<i32> {
    rows(client, text)
        .await
        .first()
        .and_then(|row| row.get::<i32, _>(0))
}
