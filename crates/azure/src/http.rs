//! The one HTTP client: who is trusted, how names under `.localhost` resolve, how long to wait, and
//! what a broken connection means.
//!
//! Invariant: redirects are not followed, and an error here carries no header and no query.

use std::error::Error as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_core::http as core;
use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls_pki_types::pem::PemObject;
use url::{Host, Url};

use crate::cloud::{Cloud, under_localhost};

/// The largest body that is read; an ARM page of policies stays far below.
pub(crate) const BODY_LIMIT: usize = 64 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// ARM answers within a minute or makes the operation long-running.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// A client for one cloud. With a CA in the cloud file only that CA is trusted, else what the
/// system trusts.
///
/// # Errors
/// Why it cannot be made: a CA that is no certificate, or a system without root certificates.
pub(crate) fn client(cloud: &Cloud) -> Result<reqwest::Client, String> {
    let builder = builder(cloud)?;
    builder.build().map_err(|e| innermost(&e))
}

/// The same without any proxy, for the identity endpoint of this host: Azure's metadata service
/// answers on the host's own link only.
///
/// # Errors
/// See [`client`].
pub(crate) fn direct(cloud: &Cloud) -> Result<reqwest::Client, String> {
    let builder = builder(cloud)?.no_proxy();
    builder.build().map_err(|e| innermost(&e))
}

fn builder(cloud: &Cloud) -> Result<reqwest::ClientBuilder, String> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("keyless/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .dns_resolver(Arc::new(Loopback));
    if cloud.is_local() {
        builder = builder.no_proxy();
    }
    if let Some(pem) = &cloud.ca {
        builder = builder.tls_certs_only(roots(pem)?);
    }
    Ok(builder)
}

/// The certificates of a PEM text.
pub(crate) fn roots(pem: &str) -> Result<Vec<reqwest::Certificate>, String> {
    rustls_pki_types::CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|der| {
            let der = der.map_err(|_| "the CA of the cloud file is not valid PEM".to_owned())?;
            reqwest::Certificate::from_der(&der).map_err(|e| innermost(&e))
        })
        .collect()
}

/// Names under `.localhost` are this machine, whatever a resolver says (RFC 6761, section 6.3).
#[derive(Debug)]
struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        Box::pin(async move {
            if under_localhost(&name) {
                let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                return Ok(Box::new(std::iter::once(here)) as Addrs);
            }
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nothing was sent.
    NotSent(String),
    /// The other side's certificate is not trusted; nothing was sent.
    Untrusted(String),
    /// It was sent, and no whole answer came.
    Lost(String),
    /// The body passed [`BODY_LIMIT`].
    TooLarge,
}

impl Trouble {
    /// For the log, where the words of a library do not belong.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotSent(_) => "not sent",
            Self::Untrusted(_) => "not trusted",
            Self::Lost(_) => "lost",
            Self::TooLarge => "too large",
        }
    }

    fn of(error: &reqwest::Error) -> Self {
        if let Some(tls) = tls_cause(error) {
            return Self::Untrusted(tls.to_string());
        }
        let why = if error.is_timeout() {
            "no answer in time".to_owned()
        } else {
            innermost(error)
        };
        if error.is_connect() || error.is_builder() {
            Self::NotSent(why)
        } else {
            Self::Lost(why)
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Bytes,
}

/// Sends one request and reads the whole answer.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Result<Reply, Trouble> {
    let mut response = request.send().await.map_err(|e| Trouble::of(&e))?;
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| Trouble::of(&e))? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(Trouble::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply {
        status: response.status().as_u16(),
        headers: std::mem::take(response.headers_mut()),
        body: body.freeze(),
    })
}

/// `host` or `host:port`, for messages.
pub(crate) fn place(url: &Url) -> String {
    match (url.host_str().unwrap_or("?"), url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    }
}

/// Whether a host is this machine or on its link, by its very address.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_link_local(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unicast_link_local(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The last cause of an error: the outer ones repeat the URL, query included.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if cause.is::<reqwest::Error>() {
        "the connection broke".to_owned()
    } else {
        cause.to_string()
    }
}

fn tls_cause(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        // `source` of an io::Error leaves out the very error that it wraps.
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        cause = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// Our client as the transport of `azure_core` 1.x, so that tokens are fetched with the same trust
/// and the same names.
#[derive(Debug)]
pub(crate) struct Transport {
    pub client: reqwest::Client,
    /// For what is on this host or its link.
    pub direct: reqwest::Client,
    /// What kept the last request from a usable answer; azure_identity's own words hide it.
    pub trouble: Broken,
}

/// The last trouble with the authority, in one sentence without its end; none after an answer.
pub(crate) type Broken = Arc<Mutex<Option<String>>>;

impl Transport {
    fn note(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

#[async_trait::async_trait]
impl core::HttpClient for Transport {
    async fn execute_request(
        &self,
        request: &core::Request,
    ) -> azure_core::Result<core::AsyncRawResponse> {
        let error = azure_core::Error::with_message::<String>;
        let other = azure_core::error::ErrorKind::Other;
        let method = reqwest::Method::from_bytes(request.method().as_ref().as_bytes())
            .map_err(|_| error(other.clone(), "an unknown method".to_owned()))?;
        let client = match is_here(request.url()) {
            true => &self.direct,
            false => &self.client,
        };
        let mut ours = client.request(method, request.url().clone());
        for (name, value) in request.headers().iter() {
            ours = ours.header(name.as_str(), value.as_str());
        }
        let core::Body::Bytes(body) = request.body() else {
            return Err(error(other, "a streamed body".to_owned()));
        };
        let host = place(request.url());
        let reply = send(ours.body(body.clone())).await.map_err(|trouble| {
            let (kind, what) = match trouble {
                Trouble::NotSent(why) => (
                    azure_core::error::ErrorKind::Connection,
                    format!("cannot reach {host}: {why}"),
                ),
                Trouble::Untrusted(why) => (
                    other,
                    format!("the connection to {host} is not trusted: {why}"),
                ),
                Trouble::Lost(why) => (
                    azure_core::error::ErrorKind::Io,
                    format!("the connection to {host} broke: {why}"),
                ),
                Trouble::TooLarge => (other, format!("the answer of {host} is too large")),
            };
            self.note(Some(what.clone()));
            error(kind, what)
        })?;
        let page = reply.body.trim_ascii_start().starts_with(b"<");
        let status = reply.status;
        self.note(page.then(|| format!("{host} answered {status} and a page instead of JSON")));
        let mut headers = core::headers::Headers::new();
        for (name, value) in &reply.headers {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        Ok(core::AsyncRawResponse::from_bytes(
            reply.status.into(),
            headers,
            reply.body,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_under_localhost_are_this_machine() {
        let name: Name = "management.localhost".parse().unwrap();
        let found: Vec<SocketAddr> = Loopback.resolve(name).await.unwrap().collect();
        assert_eq!(found, [SocketAddr::from(([127, 0, 0, 1], 0))]);
    }

    #[test]
    fn the_metadata_service_is_here_and_the_authority_is_not() {
        for here in [
            "http://169.254.169.254/metadata/identity/oauth2/token",
            "http://127.0.0.1:41741/msi/token",
            "http://localhost:42356/msi/token",
            "http://[fe80::1]/token",
        ] {
            assert!(is_here(&Url::parse(here).unwrap()), "{here}");
        }
        for there in ["https://login.microsoftonline.com/", "http://169.253.1.1/"] {
            assert!(!is_here(&Url::parse(there).unwrap()), "{there}");
        }
    }

    #[test]
    fn a_ca_that_is_no_certificate_is_refused() {
        let mut cloud = Cloud::named("public").unwrap();
        cloud.ca =
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned());
        assert!(client(&cloud).is_err());
    }
}
