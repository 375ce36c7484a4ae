//! A request to a gateway as one of its callers would send it: the canary of `prove`.
//!
//! Invariant: only the headers that it is given go along, the resource manager's token never, and
//! nothing is sent twice: a probe can be a mutation.

use std::fmt;
use std::time::Duration;

use keyless_model::Secret;
use tokio::time::Instant;
use url::Url;

use crate::client::Arm;
use crate::error::ArmError;
use crate::http::{self, BODY_LIMIT, Reply, Trouble};
use crate::redact::redact_known;

/// One request of a caller.
#[derive(Clone, Debug)]
pub struct Probe {
    /// An https URL.
    pub url: String,
    /// Such as `POST`.
    pub method: String,
    /// A header can be a subscription key or a token of [`crate::Tokens::token`].
    pub headers: Vec<(String, Secret)>,
    pub body: Option<String>,
}

/// What the gateway answered. The body can hold anything, so it does not show itself.
#[derive(Clone)]
pub struct ProbeAnswer {
    pub status: u16,
    pub body: String,
    /// The values of the headers that were sent: a gateway may repeat them.
    sent: Vec<Secret>,
}

impl ProbeAnswer {
    /// The body's first characters with what looks like a credential masked, for a message.
    pub fn excerpt(&self) -> String {
        let sent = self.sent.iter().map(Secret::expose);
        let known: Vec<&str> = sent.flat_map(|v| [v, credential(v)]).collect();
        redact_known(&self.body, &known).chars().take(300).collect()
    }
}

/// What follows the scheme of an `Authorization` header.
fn credential(value: &str) -> &str {
    value.split_once(' ').map_or(value, |(_, rest)| rest)
}

impl fmt::Debug for ProbeAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProbeAnswer({})", self.status)
    }
}

impl Arm {
    /// Sends a probe, once. Every status is an answer.
    ///
    /// # Errors
    /// When the URL is not https, or no answer came: [`ArmError::Probe`], [`ArmError::Unreachable`],
    /// [`ArmError::Untrusted`].
    pub async fn probe(&self, probe: &Probe) -> Result<ProbeAnswer, ArmError> {
        let bad = |why: &str| ArmError::Probe {
            why: why.to_owned(),
        };
        let url = Url::parse(&probe.url).map_err(|_| bad("its URL is not a URL"))?;
        if url.scheme() != self.cloud().resource_manager.scheme() {
            return Err(bad("its URL is not https"));
        }
        let method = reqwest::Method::from_bytes(probe.method.as_bytes())
            .map_err(|_| bad("its method is not an HTTP method"))?;
        let mut request = self.tokens().http().request(method, url.clone());
        for (name, value) in &probe.headers {
            request = request.header(name, value.expose());
        }
        if let Some(body) = &probe.body {
            request = request.body(body.clone());
        }
        let host = http::place(&url);
        let began = Instant::now();
        let reply = http::send(request).await;
        trace(probe, &host, began.elapsed(), &reply);
        match reply {
            Ok(reply) => Ok(ProbeAnswer {
                status: reply.status,
                body: String::from_utf8_lossy(&reply.body).into_owned(),
                sent: probe.headers.iter().map(|(_, v)| v.clone()).collect(),
            }),
            Err(Trouble::Untrusted(why)) => Err(ArmError::Untrusted { host, why }),
            Err(Trouble::NotSent(why) | Trouble::Lost(why)) => {
                Err(ArmError::Unreachable { host, why })
            }
            Err(Trouble::TooLarge) => Err(bad(&format!(
                "its answer is larger than {BODY_LIMIT} bytes"
            ))),
        }
    }
}

/// One event for each probe. Of the URL only the host: its path is the caller's own.
fn trace(probe: &Probe, host: &str, took: Duration, reply: &Result<Reply, Trouble>) {
    let method = probe.method.as_str();
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match reply {
        Ok(Reply { status, .. }) => tracing::debug!(method, host, status, ms, "probed"),
        Err(trouble) => {
            let why = trouble.word();
            tracing::debug!(method, host, why, ms, "probe not answered");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Cloud;
    use crate::credential::Tokens;
    use crate::test_log::Log;
    use crate::test_server::{Reply, Server};

    fn arm(port: u16) -> Arm {
        let cloud = Cloud::plain_http(port);
        let tokens = Tokens::fixed(&cloud, "token-tiger-7");
        Arm::new(cloud, tokens)
    }

    fn probe(url: String) -> Probe {
        let headers = vec![("X-Key".to_owned(), Secret::new("k-7"))];
        Probe {
            url,
            method: "POST".to_owned(),
            headers,
            body: Some("{}".to_owned()),
        }
    }

    #[tokio::test]
    async fn a_probe_carries_its_own_headers_and_no_token() {
        let server = Server::start(|seen, _| {
            assert_eq!(
                (seen.header("x-key"), seen.header("authorization")),
                ("k-7", "")
            );
            Reply::text(500, "Password=hunter2;")
        })
        .await;
        let probe = probe(format!("http://127.0.0.1:{}/graphql", server.port));
        let answer = arm(server.port).probe(&probe).await.unwrap();
        assert_eq!(
            (answer.status, server.lines()),
            (500, vec!["POST /graphql".to_owned()])
        );
        assert!(!format!("{probe:?} {answer:?} {}", answer.excerpt()).contains("hunter2"));
    }

    #[tokio::test]
    async fn an_excerpt_does_not_repeat_what_was_sent() {
        let server = Server::start(|seen, _| {
            let said = format!(
                "no {} and no {}",
                seen.header("x-key"),
                &seen.header("authorization")["Bearer ".len()..]
            );
            Reply::text(403, said)
        })
        .await;
        let mut probe = probe(format!("http://127.0.0.1:{}/", server.port));
        probe.headers = vec![
            ("X-Key".to_owned(), Secret::new("tiger-7")),
            ("Authorization".to_owned(), Secret::new("Bearer lion-8")),
        ];
        let answer = arm(server.port).probe(&probe).await.unwrap();
        assert_eq!(answer.body, "no tiger-7 and no lion-8");
        assert_eq!(answer.excerpt(), "no *** and no ***");
    }

    #[tokio::test]
    async fn a_probe_leaves_an_event_without_anything_of_its_own() {
        let server = Server::start(|_, n| match n {
            0 => Reply::text(403, "tiger-1"),
            _ => Reply::broken(),
        })
        .await;
        let url = format!("http://127.0.0.1:{}/tiger-2?key=tiger-3", server.port);
        let probe = Probe {
            headers: vec![("X-Key".to_owned(), Secret::new("tiger-4"))],
            body: Some("tiger-5".to_owned()),
            ..probe(url)
        };
        let (log, _guard) = Log::listen();
        let arm = arm(server.port);
        arm.probe(&probe).await.unwrap();
        arm.probe(&probe).await.unwrap_err();
        let host = format!("host=\"127.0.0.1:{}\"", server.port);
        let ours = log.ours();
        assert!(ours.iter().all(|line| line.contains(&host)), "{ours:?}");
        assert!(ours[0].contains("status=403") && ours[1].contains("why=\"lost\""));
        let seen = format!("{:?}", log.lines());
        assert!(!seen.contains("tiger"), "{seen}");
    }

    #[tokio::test]
    async fn a_probe_is_sent_once() {
        let server = Server::start(|_, _| Reply::broken()).await;
        let probe = probe(format!("http://127.0.0.1:{}/", server.port));
        assert!(arm(server.port).probe(&probe).await.is_err());
        assert_eq!(server.seen().len(), 1);
    }
}
