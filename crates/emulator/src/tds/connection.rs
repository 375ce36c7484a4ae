//! One connection: prelogin, TLS, login, then requests until the client goes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::handshake::Wrapped;
use super::login7::{Login, Offer, late_token};
use super::packet::{self, ATTENTION, FEDAUTH_TOKEN, LOGIN7, Message, PRELOGIN, RESPONSE};
use super::prelogin::Prelogin;
use super::request::Request;
use super::tokens::{Answer, COLLATION};
use super::{Tls, broken};
use crate::sql::{Credentials, LoginRequest, RefusedLogin, Reply, Session, Sql, SqlError};

/// How long a client has for its handshake and login.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);
/// The packet size before the login has agreed on one.
const FIRST_SIZE: usize = 4096;
/// The first byte of a TLS record with a handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// Runs a connection to its end.
pub async fn run(
    mut stream: TcpStream,
    tls: &Tls,
    sql: &Sql,
    nodes: Option<u16>,
) -> io::Result<()> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(());
    }
    if first[0] == TLS_HANDSHAKE {
        let accept = TlsAcceptor::from(Arc::clone(&tls.strict)).accept(stream);
        let mut stream = timed(accept).await?;
        let sni = stream.get_ref().1.server_name().map(str::to_owned);
        timed(prelogin(&mut stream)).await?;
        return serve(stream, sni, sql, nodes).await;
    }
    if !timed(prelogin(&mut stream)).await? {
        return Ok(());
    }
    let accept = TlsAcceptor::from(Arc::clone(&tls.wrapped)).accept(Wrapped::new(stream));
    let mut stream = timed(accept).await?;
    stream.get_mut().0.finish();
    let sni = stream.get_ref().1.server_name().map(str::to_owned);
    serve(stream, sni, sql, nodes).await
}

async fn timed<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(LOGIN_TIMEOUT, work)
        .await
        .map_err(|_| io::ErrorKind::TimedOut)?
}

/// Answers the prelogin; whether the client can go on from there.
async fn prelogin<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<bool> {
    let Some(message) = packet::read(stream).await? else {
        return Ok(false);
    };
    let asked = Some(message).filter(|message| message.kind == PRELOGIN);
    let asked = asked.and_then(|message| Prelogin::parse(&message.body));
    let asked = asked.ok_or_else(|| broken("the first message is no PRELOGIN"))?;
    let mut nonce = [0; 32];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| broken("no random bytes"))?;
    packet::write(stream, RESPONSE, &asked.answer(nonce), FIRST_SIZE, 0).await?;
    Ok(asked.can_encrypt())
}

/// What the client sends. A read that is broken off goes on where it was.
struct Incoming<S> {
    reading: Pin<Box<dyn Future<Output = Read<S>> + Send>>,
}

/// A message, and the stream that it came from.
type Read<S> = (io::Result<Option<Message>>, ReadHalf<S>);

async fn read_one<S: AsyncRead>(mut stream: ReadHalf<S>) -> Read<S> {
    (packet::read(&mut stream).await, stream)
}

impl<S: AsyncRead + Send + 'static> Incoming<S> {
    fn new(stream: ReadHalf<S>) -> Self {
        Self {
            reading: Box::pin(read_one(stream)),
        }
    }

    async fn next(&mut self) -> io::Result<Option<Message>> {
        let (message, stream) = (&mut self.reading).await;
        self.reading = Box::pin(read_one(stream));
        message
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    mut stream: S,
    sni: Option<String>,
    sql: &Sql,
    nodes: Option<u16>,
) -> io::Result<()> {
    let opened = timed(login(&mut stream, sni, sql, nodes)).await?;
    let Some((mut session, size, server)) = opened else {
        return stream.shutdown().await;
    };
    let (reader, mut stream) = tokio::io::split(stream);
    let mut incoming = Incoming::new(reader);
    while let Some(message) = incoming.next().await? {
        let mut answer = Answer::default();
        if message.kind == ATTENTION {
            // Whatever it was meant for is already answered in full.
            let end = Answer::attention();
            packet::write(&mut stream, RESPONSE, &end.bytes, size, session.id()).await?;
            continue;
        }
        let request = Request::parse(&message).ok_or_else(|| broken("a malformed request"))?;
        if message.reset {
            if let Err(error) = session.can_be_reset() {
                answer.batch(&server, &[Reply::Error(error)]);
                packet::write(&mut stream, RESPONSE, &answer.bytes, size, session.id()).await?;
                break;
            }
            session.reset();
            answer.was_reset();
        }
        let responded = tokio::select! {
            biased;
            fatal = respond(&mut session, &server, request, &mut answer) => Some(fatal),
            // Nothing but an attention may come before the answer; else the client has gone.
            second = incoming.next() => match second? {
                Some(message) if message.kind == ATTENTION => None,
                _ => break,
            },
        };
        let Some(fatal) = responded else {
            // The end of the answer that was broken off, then that of the attention.
            for end in [Answer::broken_off(), Answer::attention()] {
                packet::write(&mut stream, RESPONSE, &end.bytes, size, session.id()).await?;
            }
            continue;
        };
        packet::write(&mut stream, RESPONSE, &answer.bytes, size, session.id()).await?;
        if fatal {
            break;
        }
    }
    stream.shutdown().await
}

/// Carries a request out; whether an error was so grave that the connection ends.
async fn respond(
    session: &mut Session,
    server: &str,
    request: Request,
    answer: &mut Answer,
) -> bool {
    let is_fatal = |replies: &[Reply]| {
        replies
            .iter()
            .any(|reply| matches!(reply, Reply::Error(error) if error.class >= 20))
    };
    match request {
        Request::Batch(text) => {
            let replies = session.run(&text).await;
            answer.batch(server, &replies);
            is_fatal(&replies)
        }
        Request::Transaction(request) => {
            let replies = session.transaction(&request).await;
            answer.batch(server, &replies);
            is_fatal(&replies)
        }
        Request::Calls(calls) => {
            let count = calls.len();
            let mut fatal = false;
            for (at, call) in calls.into_iter().enumerate() {
                let replies = session.call(call).await;
                answer.call(server, &replies, at + 1 < count);
                fatal |= is_fatal(&replies);
            }
            fatal
        }
        Request::Unsupported(what) => {
            answer.batch(server, &[Reply::Error(SqlError::unsupported(what))]);
            false
        }
    }
}

/// Reads the login and answers it: the session, the packet size and the server's name.
async fn login<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    sni: Option<String>,
    sql: &Sql,
    nodes: Option<u16>,
) -> io::Result<Option<(Session, usize, String)>> {
    let Some(message) = packet::read(stream).await? else {
        return Ok(None);
    };
    let login = Some(message).filter(|message| message.kind == LOGIN7);
    let login = login.and_then(|message| Login::parse(&message.body));
    let mut login = login.ok_or_else(|| broken("a malformed login"))?;
    let server = match (login.server.is_empty(), sni) {
        (true, Some(sni)) => sni,
        _ => login.server.clone(),
    };
    if let Some(port) = nodes
        && let Some(node) = sql.node(&server)
    {
        let mut answer = Answer::default();
        answer.routed(&node, port);
        answer.finished(false);
        packet::write(stream, RESPONSE, &answer.bytes, FIRST_SIZE, 0).await?;
        return Ok(None);
    }
    let offer = std::mem::replace(&mut login.offer, Offer::Integrated);
    let credentials = match offer {
        Offer::Ready(credentials) => Ok(credentials),
        Offer::TokenWanted => late_credentials(stream, sql).await?,
        Offer::Integrated => Err(RefusedLogin(vec![SqlError::login_failed("")])),
    };
    let opened = credentials.and_then(|credentials| {
        sql.open(LoginRequest {
            server: server.clone(),
            database: login.database.clone(),
            credentials,
            host: login.host.clone(),
            program: login.program.clone(),
        })
    });
    let mut answer = Answer::default();
    match opened {
        Ok(session) => {
            welcome(&mut answer, &server, session.database(), &login);
            let id = session.id();
            packet::write(stream, RESPONSE, &answer.bytes, FIRST_SIZE, id).await?;
            Ok(Some((session, login.packet_size, server)))
        }
        Err(RefusedLogin(errors)) => {
            for error in &errors {
                answer.message(&server, error, false);
            }
            answer.finished(true);
            packet::write(stream, RESPONSE, &answer.bytes, FIRST_SIZE, 0).await?;
            Ok(None)
        }
    }
}

/// Tells the client where to get a token, and reads the one that it comes back with.
async fn late_credentials<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    sql: &Sql,
) -> io::Result<Result<Credentials, RefusedLogin>> {
    let mut answer = Answer::default();
    let authority = format!("https://login.windows.net/{}", sql.tenant());
    answer.token_wanted(&authority, "https://database.windows.net/");
    packet::write(stream, RESPONSE, &answer.bytes, FIRST_SIZE, 0).await?;
    let message = packet::read(stream).await?;
    let token = message.filter(|message| message.kind == FEDAUTH_TOKEN);
    let token = token.and_then(|message| late_token(&message.body));
    token
        .map(Ok)
        .ok_or_else(|| broken("a malformed token message"))
}

/// The answer to a login that succeeded, in the order that clients expect.
fn welcome(answer: &mut Answer, server: &str, database: &str, login: &Login) {
    let info = |number, message: String| SqlError {
        state: 2,
        ..SqlError::new(number, 0, message)
    };
    answer.changed(1, database, "master");
    let message = format!("Changed database context to '{database}'.");
    answer.message(server, &info(5701, message), true);
    answer.changed_bytes(7, &COLLATION, &[]);
    answer.changed(2, "us_english", "");
    let message = "Changed language setting to us_english.".to_owned();
    answer.message(server, &info(5703, message), true);
    answer.login_acknowledged(login.version);
    answer.changed(4, &login.packet_size.to_string(), &FIRST_SIZE.to_string());
    answer.features_acknowledged(&login.acknowledged);
    answer.finished(false);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tds::packet::BATCH;

    #[tokio::test]
    async fn a_read_that_is_broken_off_goes_on_where_it_was() {
        let (mut client, server) = tokio::io::duplex(64);
        let (reader, _writer) = tokio::io::split(server);
        let mut incoming = Incoming::new(reader);
        let mut wire = Vec::new();
        let written = packet::write(&mut wire, BATCH, b"abcd", FIRST_SIZE, 0).await;
        written.unwrap();
        client.write_all(&wire[..10]).await.unwrap();
        tokio::select! {
            biased;
            _ = incoming.next() => panic!("only a part is there"),
            () = std::future::ready(()) => {}
        }
        client.write_all(&wire[10..]).await.unwrap();
        let message = incoming.next().await.unwrap().unwrap();
        assert_eq!(message.body, b"abcd");
    }
}
