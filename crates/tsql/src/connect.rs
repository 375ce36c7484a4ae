//! Opening a session: TCP, TLS for the server's name, login with an Entra token; following
//! redirects, and trying again while the service says "not now".
//!
//! TDS 7.4 with encryption required: what Azure SQL speaks on every server (tds.md). The deadline
//! covers everything, waits between attempts included.

use std::time::Duration;

use keyless_model::Secret;
use tiberius::error::{Error, IoErrorKind};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_util::compat::TokioAsyncWriteCompatExt;

use crate::endpoint::Endpoint;
use crate::error::SqlError;
use crate::session::{Connection, Session};

/// Redirects followed in one attempt. Azure sends one.
const MAX_REDIRECTS: usize = 4;

/// The first wait after a transient error, and the longest (azure-facts C.2).
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The name that sessions and audit records show.
const APPLICATION: &str = "keyless";

/// Opens a session on a database with an Entra token for Azure SQL.
///
/// `deadline` bounds the opening as a whole, and afterwards each call on the session. A transient
/// refusal (azure-facts C.7) is tried again after 5 s, then twice as long, up to 60 s, as long as
/// the wait still ends before the deadline and `rest`, which waits, says that it did so: false is a
/// wait that was cut short, and nothing is tried after it.
///
/// # Errors
/// [`SqlError::Unreachable`], [`SqlError::Tls`], [`SqlError::TimedOut`], [`SqlError::Routing`] by
/// what failed; [`SqlError::Refused`] when the login is refused; [`SqlError::Transient`] when there
/// was no time left for another attempt.
pub async fn connect<R: Future<Output = bool>>(
    endpoint: &Endpoint,
    database: &str,
    token: &Secret,
    deadline: Duration,
    rest: impl Fn(Duration) -> R,
) -> Result<Session, SqlError> {
    let place = format!("{}/{database}", endpoint.host);
    let until = Instant::now() + deadline;
    let mut wait = FIRST_WAIT;
    loop {
        let attempt = follow(endpoint, database, token, &place);
        let error = match timeout_at(until, attempt).await {
            Ok(Ok(client)) => return Ok(Session::new(client, place, database, deadline)),
            Ok(Err(error)) => error,
            Err(_) => {
                return Err(SqlError::TimedOut {
                    place,
                    doing: "logging in".into(),
                    after: deadline,
                });
            }
        };
        let again = matches!(error, SqlError::Transient(_)) && Instant::now() + wait < until;
        if !again || !rest(wait).await {
            return Err(error);
        }
        wait = longer(wait);
    }
}

fn longer(wait: Duration) -> Duration {
    (wait * 2).min(LONGEST_WAIT)
}

/// One attempt, through the redirects that the server answers with.
async fn follow(
    endpoint: &Endpoint,
    database: &str,
    token: &Secret,
    place: &str,
) -> Result<Connection, SqlError> {
    let mut at = endpoint.clone();
    for _ in 0..=MAX_REDIRECTS {
        let stream = dial(&at).await?;
        match Client::connect(config(&at, database, token), stream.compat_write()).await {
            Ok(client) => return Ok(client),
            Err(Error::Routing { host, port }) => at = at.redirected(&host, port)?,
            Err(error) => return Err(explain(&error, &at, place)),
        }
    }
    Err(SqlError::Routing {
        place: place.to_owned(),
        target: format!("{}:{}", at.host, at.port),
        reason: format!("more than {MAX_REDIRECTS} times"),
    })
}

async fn dial(at: &Endpoint) -> Result<TcpStream, SqlError> {
    let stream = TcpStream::connect((at.dial(), at.port)).await;
    let ready = stream.and_then(|s| s.set_nodelay(true).map(|()| s));
    ready.map_err(|e| SqlError::Unreachable {
        place: format!("{}:{}", at.host, at.port),
        reason: e.to_string(),
    })
}

/// The client's own time limits are off: ours cover the same ground.
fn config(at: &Endpoint, database: &str, token: &Secret) -> Config {
    let mut config = Config::new();
    config.host(&at.host);
    config.port(at.port);
    config.database(database);
    config.application_name(APPLICATION);
    config.encryption(EncryptionLevel::Required);
    config.authentication(AuthMethod::aad_token(token.expose()));
    config.handshake_timeout(None);
    config.command_timeout(None);
    if let Some(pem) = &at.ca_pem {
        config.trust_cert_ca_bundle(pem.as_bytes());
    }
    config
}

/// An error of the login, by the layer that it comes from.
fn explain(error: &Error, at: &Endpoint, place: &str) -> SqlError {
    let reason = plain(error);
    let address = format!("{}:{}", at.host, at.port);
    match error {
        Error::Server(server) => SqlError::refused(server, place, "logging in"),
        // TLS alerts and unusable CA files come as invalid data.
        Error::Tls(_)
        | Error::Io {
            kind: IoErrorKind::InvalidData | IoErrorKind::InvalidInput,
            ..
        } => SqlError::Tls {
            place: address,
            reason,
        },
        Error::Io { .. } => SqlError::Unreachable {
            place: address,
            reason,
        },
        _ => SqlError::Answer {
            place: address,
            doing: "logging in".into(),
            reason,
        },
    }
}

/// The client's message, without its advice about its own functions.
pub(crate) fn plain(error: &Error) -> String {
    let text = match error {
        Error::Io { message, .. } | Error::Tls(message) => message.clone(),
        other => other.to_string(),
    };
    let text = text
        .split_once(" To connect anyway")
        .map_or(text.as_str(), |(head, _)| head);
    text.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let mut waits = vec![FIRST_WAIT];
        for _ in 0..5 {
            waits.push(longer(waits[waits.len() - 1]));
        }
        let seconds: Vec<u64> = waits.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn the_clients_advice_about_its_own_functions_is_left_out() {
        let error =
            Error::Tls("the certificate was rejected: X. To connect anyway you can…".into());
        assert_eq!(plain(&error), "the certificate was rejected: X");
    }

    /// Nothing here is tried again.
    fn never(_: Duration) -> std::future::Ready<bool> {
        std::future::ready(false)
    }

    #[tokio::test]
    async fn a_closed_port_is_unreachable_and_the_token_is_not_in_the_error() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let endpoint = Endpoint {
            host: "a.database.localhost".into(),
            port,
            ca_pem: None,
        };
        let token = Secret::new("canary-token");
        let error = connect(&endpoint, "orders", &token, Duration::from_secs(5), never).await;
        let error = error.unwrap_err();
        assert!(matches!(error, SqlError::Unreachable { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_runs_into_the_deadline() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint {
            host: "a.database.localhost".into(),
            port: silent.local_addr().unwrap().port(),
            ca_pem: None,
        };
        let token = Secret::new("t");
        let error = connect(
            &endpoint,
            "orders",
            &token,
            Duration::from_millis(50),
            never,
        )
        .await;
        assert!(matches!(error, Err(SqlError::TimedOut { .. })), "{error:?}");
    }
}
