//! An emulated server with one database, some principals and an old login, for one test.

use std::sync::Arc;
use std::time::Duration;

use keyless_emulator::sql::{EntraAdmin, Sql};
use keyless_emulator::{Clock, Directory, Principal, PrincipalKind};
use keyless_model::{Secret, Sid};
use keyless_tsql::{Endpoint, Session, SqlError, connect};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

const TENANT: &str = "00000000-0000-0000-0000-00000000000a";
const HOST: &str = "orders-sql.database.localhost";
const DEADLINE: Duration = Duration::from_secs(4);

pub struct Identity {
    pub object: &'static str,
    pub client: &'static str,
}

/// The server's Entra admin.
pub const ADMIN: Identity = Identity {
    object: "00000000-0000-0000-0000-0000000000a1",
    client: "00000000-0000-0000-0000-0000000000a2",
};
/// A user of the database, without any right but to connect.
pub const READER: Identity = Identity {
    object: "00000000-0000-0000-0000-0000000000b1",
    client: "00000000-0000-0000-0000-0000000000b2",
};
/// The identity that a test grants to.
pub const GATEWAY: Identity = Identity {
    object: "00112233-4455-6677-8899-aabbccddee01",
    client: "00112233-4455-6677-8899-aabbccddeeff",
};
/// Known to the tenant, to no database.
pub const STRANGER: Identity = Identity {
    object: "00000000-0000-0000-0000-0000000000c1",
    client: "00000000-0000-0000-0000-0000000000c2",
};

pub struct Server {
    sql: Sql,
    directory: Directory,
    clock: Clock,
    port: u16,
    ca_pem: String,
    serving: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    pub async fn start() -> Self {
        let clock = Clock::default();
        // Another time than the machine's, to tell the two apart.
        clock.advance(1_000_000);
        let directory = Directory::new(TENANT, clock.clone(), [7; 32]);
        for identity in [&ADMIN, &READER, &GATEWAY, &STRANGER] {
            directory.put(principal(identity));
        }
        let sql = Sql::new(directory.clone(), clock.clone());
        sql.create_server("orders-sql", "sqladmin", "canary-Admin-1");
        sql.create_database("orders-sql", "orders");
        sql.set_entra_admin(
            "orders-sql",
            Some(EntraAdmin {
                login: "sql-admins".into(),
                sid: ADMIN.object.into(),
                is_group: false,
                tenant: TENANT.into(),
            }),
        );
        let (ca_pem, tls) = certificates();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(keyless_emulator::tds::serve(
            listener,
            tls,
            sql.clone(),
            None,
        ));
        let server = Self {
            sql,
            directory,
            clock,
            port,
            ca_pem,
            serving,
        };
        server.script(
            "master",
            "CREATE LOGIN orders_app WITH PASSWORD = 'canary-Old-1'",
        );
        server.script(
            "orders",
            "CREATE SCHEMA sales
GO
CREATE TABLE sales.Orders (Id int, Region nvarchar(20));
CREATE USER orders_app FOR LOGIN orders_app",
        );
        server.user("orders", "reader", &READER);
        server
    }

    pub fn script(&self, database: &str, script: &str) {
        self.sql.run_script("orders-sql", database, script).unwrap();
    }

    /// Creates a user for an identity, by SID.
    pub fn user(&self, database: &str, name: &str, identity: &Identity) {
        let sid = Sid::from_guid(identity.client).unwrap();
        self.script(
            database,
            &format!("CREATE USER {name} WITH SID = {sid}, TYPE = E"),
        );
    }

    pub fn set_entra_only(&self, on: bool) {
        self.sql.set_entra_only("orders-sql", on);
    }

    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            host: HOST.into(),
            port: self.port,
            ca_pem: Some(self.ca_pem.clone()),
        }
    }

    pub fn token(&self, identity: &Identity) -> Secret {
        let audience = "https://database.windows.net";
        Secret::new(self.directory.issue(&principal(identity), audience, 3_600))
    }

    pub async fn session(&self, who: &Identity, database: &str) -> Result<Session, SqlError> {
        self.session_at(&self.endpoint(), who, database).await
    }

    pub async fn session_at(
        &self,
        endpoint: &Endpoint,
        who: &Identity,
        database: &str,
    ) -> Result<Session, SqlError> {
        let never = |_| std::future::ready(false);
        connect(endpoint, database, &self.token(who), DEADLINE, never).await
    }

    /// A session of the old login, as a gateway opens it.
    pub async fn password_session(
        &self,
        database: &str,
    ) -> Result<Client<Compat<TcpStream>>, tiberius::error::Error> {
        let mut config = Config::new();
        config.host(HOST);
        config.port(self.port);
        config.database(database);
        config.application_name("apim");
        config.encryption(EncryptionLevel::Required);
        config.trust_cert_ca_bundle(self.ca_pem.as_bytes());
        config.authentication(AuthMethod::sql_server("orders_app", "canary-Old-1"));
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        Client::connect(config, stream.compat_write()).await
    }

    /// The same server behind a wire that can be cut.
    pub async fn behind_a_wire(&self) -> (Endpoint, Wire) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut endpoint = self.endpoint();
        endpoint.port = listener.local_addr().unwrap().port();
        let to = self.port;
        let carrying = tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
        (endpoint, Wire(carrying))
    }
}

pub struct Wire(JoinHandle<()>);

impl Wire {
    /// Ends both connections, and waits until they have ended.
    pub async fn cut(self) {
        self.0.abort();
        let _ = self.0.await;
    }
}

fn principal(identity: &Identity) -> Principal {
    Principal {
        object_id: identity.object.into(),
        client_id: Some(identity.client.into()),
        display_name: format!("app {}", identity.object),
        kind: PrincipalKind::Application,
        groups: vec![],
        secret: None,
        certificate: None,
    }
}

/// A CA and a leaf for the server's name.
fn certificates() -> (String, Arc<rustls::ServerConfig>) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["*.database.localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            rustls_pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    (ca.pem(), Arc::new(config))
}
