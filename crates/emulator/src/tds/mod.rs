//! The Tabular Data Stream server in front of the emulated SQL servers: TDS 7.4 with TLS inside
//! its packets, and TDS 8 ("strict") with TLS first.
//!
//! One task for each connection; it owns its session and answers one request after another.

mod connection;
mod handshake;
mod input;
mod login7;
mod output;
mod packet;
mod prelogin;
mod request;
mod tokens;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::version::TLS12;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::sql::Sql;

/// The TLS settings of the two ways in.
pub(crate) struct Tls {
    /// For 7.x: TLS 1.2, whose handshake has a clear end inside the TDS packets.
    wrapped: Arc<ServerConfig>,
    /// For TDS 8, which names itself in ALPN.
    strict: Arc<ServerConfig>,
}

impl Tls {
    fn new(config: &ServerConfig) -> Result<Self, rustls::Error> {
        let provider = Arc::clone(config.crypto_provider());
        let wrapped = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&config.cert_resolver));
        let mut strict = config.clone();
        strict.alpn_protocols = vec![b"tds/8.0".to_vec()];
        Ok(Self {
            wrapped: Arc::new(wrapped),
            strict: Arc::new(strict),
        })
    }
}

/// Serves connections until the future is dropped, which also ends them.
///
/// `tls` gives the certificate; its ALPN is replaced. With `nodes`, the port of another listener,
/// logins to servers whose connection policy is `Redirect` are sent there. A connection that breaks
/// the protocol is closed; the others do not notice.
pub async fn serve(listener: TcpListener, tls: Arc<ServerConfig>, sql: Sql, nodes: Option<u16>) {
    // A provider without TLS 1.2 cannot serve 7.x clients at all.
    let Ok(tls) = Tls::new(&tls) else { return };
    let tls = Arc::new(tls);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                let (tls, sql) = (Arc::clone(&tls), sql.clone());
                connections.spawn(async move {
                    // What went wrong on a connection is for its client to see.
                    let _: io::Result<()> = connection::run(stream, &tls, &sql, nodes).await;
                });
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

pub(crate) fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
