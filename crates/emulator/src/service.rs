//! HTTP services behind the gateway: what each accepts as a proof, whom it lets in, and what it
//! answers. It is plain data; the gateway asks it.

use serde_json::Value;

/// One HTTP service, by its host name. No `Debug`: it holds secrets.
#[derive(Clone)]
pub struct HttpService {
    /// Lower case, without scheme and port.
    pub host: String,
    /// Each of these keys opens the service while `accepts_keys`.
    pub keys: Vec<ServiceKey>,
    /// `(user, password)` of HTTP basic authentication; they count as keys.
    pub basic: Vec<(String, String)>,
    /// The audience that a bearer token must be for; `None` = tokens are not accepted.
    pub audience: Option<String>,
    /// Who may come with a token: client ids or display names; empty = anybody of the tenant.
    pub principals: Vec<String>,
    /// Off: only tokens open the service from now on.
    pub accepts_keys: bool,
    pub responses: Vec<ServiceResponse>,
}

/// A key as it has to stand in a request.
#[derive(Clone)]
pub struct ServiceKey {
    pub kind: KeyKind,
    pub name: String,
    pub value: String,
}

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    Header,
    Query,
}

/// A canned answer.
#[derive(Clone)]
pub struct ServiceResponse {
    /// Upper case.
    pub method: String,
    /// From the first slash on, without a query.
    pub path: String,
    pub status: u16,
    pub body: Value,
}

impl HttpService {
    /// Whether it answers anybody, because the seed names nothing that it wants to see.
    pub fn is_open(&self) -> bool {
        self.keys.is_empty() && self.basic.is_empty() && self.audience.is_none()
    }
}
