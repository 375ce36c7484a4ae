//! A request to a gateway as one of its callers would send it: the canary of `prove`.
//!
//! Invariant: no token of ours goes along, and nothing is sent twice: a probe can be a mutation.

use std::fmt;

use keyless_model::Secret;
use url::Url;

use crate::client::Arm;
use crate::error::ArmError;
use crate::http::{self, BODY_LIMIT, Trouble};
use crate::redact::redact;

/// One request of a caller.
#[derive(Clone, Debug)]
pub struct Probe {
    /// An https URL.
    pub url: String,
    /// Such as `POST`.
    pub method: String,
    /// A header can be a subscription key.
    pub headers: Vec<(String, Secret)>,
    pub body: Option<String>,
}

/// What the gateway answered. The body can hold anything, so it does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct ProbeAnswer {
    pub status: u16,
    pub body: String,
}

impl ProbeAnswer {
    /// The body's first characters with what looks like a credential masked, for a message.
    pub fn excerpt(&self) -> String {
        redact(&self.body).chars().take(300).collect()
    }
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
        match http::send(request).await {
            Ok(reply) => Ok(ProbeAnswer {
                status: reply.status,
                body: String::from_utf8_lossy(&reply.body).into_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Cloud;
    use crate::credential::Tokens;
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
    async fn a_probe_is_sent_once() {
        let server = Server::start(|_, _| Reply::broken()).await;
        let probe = probe(format!("http://127.0.0.1:{}/", server.port));
        assert!(arm(server.port).probe(&probe).await.is_err());
        assert_eq!(server.seen().len(), 1);
    }
}
