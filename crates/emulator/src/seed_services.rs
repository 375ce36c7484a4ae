//! The seed's `services` and `vaults`: what lies behind the gateway and is not SQL.

use serde::Deserialize;
use serde_json::Value;

use crate::service::{HttpService, KeyKind, ServiceKey, ServiceResponse};

/// One HTTP service.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceSeed {
    /// The host name that backends and policies call it by, without scheme and port.
    pub host: String,
    /// The proofs it accepts, any one of which is enough; none = it answers anybody.
    #[serde(default)]
    pub accepts: Vec<AcceptSeed>,
    /// Who may come with a token: client ids, or display names such as the gateway's. Left out =
    /// anybody of the tenant.
    #[serde(default)]
    pub principals: Vec<String>,
    #[serde(default)]
    pub responses: Vec<ResponseSeed>,
}

impl std::fmt::Debug for ServiceSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceSeed")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// One proof. No `Debug`: it holds a secret.
#[derive(Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum AcceptSeed {
    /// A key in a header.
    Header { header: String, value: String },
    /// A key in the query.
    Query { query: String, value: String },
    /// HTTP basic authentication.
    Basic { user: String, password: String },
    /// An Entra token for this audience.
    Token { audience: String },
}

/// A canned answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponseSeed {
    #[serde(default = "get")]
    pub method: String,
    /// From the first slash on, without a query.
    pub path: String,
    #[serde(default = "ok")]
    pub status: u16,
    #[serde(default)]
    pub body: Value,
}

/// A Key Vault, as far as a gateway reads secrets from it. It is no ARM entity here; roles are
/// assigned on its id all the same.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VaultSeed {
    /// Its secrets are `https://{name}.{any suffix}/secrets/{secret}`.
    pub name: String,
    /// Its ARM id; left out = in the resource group of the gateway that asks.
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub secrets: Vec<SecretSeed>,
}

/// A secret: its name alone, which is then its value too, or both.
#[derive(Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum SecretSeed {
    Name(String),
    Value { name: String, value: String },
}

impl std::fmt::Debug for SecretSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SecretSeed").field(&self.parts().0).finish()
    }
}

impl SecretSeed {
    /// Name and value.
    fn parts(&self) -> (&str, &str) {
        match self {
            Self::Name(name) => (name, name),
            Self::Value { name, value } => (name, value),
        }
    }
}

impl VaultSeed {
    /// The value of a secret.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.secrets
            .iter()
            .map(SecretSeed::parts)
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

fn get() -> String {
    "GET".into()
}

fn ok() -> u16 {
    200
}

impl From<&ServiceSeed> for HttpService {
    fn from(seed: &ServiceSeed) -> Self {
        let mut service = Self {
            host: seed.host.to_lowercase(),
            keys: Vec::new(),
            basic: Vec::new(),
            audience: None,
            principals: seed.principals.clone(),
            accepts_keys: true,
            responses: seed.responses.iter().map(Into::into).collect(),
        };
        for accept in seed.accepts.iter().cloned() {
            match accept {
                AcceptSeed::Header { header, value } => {
                    service.keys.push(key(KeyKind::Header, header, value));
                }
                AcceptSeed::Query { query, value } => {
                    service.keys.push(key(KeyKind::Query, query, value));
                }
                AcceptSeed::Basic { user, password } => service.basic.push((user, password)),
                AcceptSeed::Token { audience } => service.audience = Some(audience),
            }
        }
        service
    }
}

fn key(kind: KeyKind, name: String, value: String) -> ServiceKey {
    ServiceKey { kind, name, value }
}

impl From<&ResponseSeed> for ServiceResponse {
    fn from(seed: &ResponseSeed) -> Self {
        Self {
            method: seed.method.to_uppercase(),
            path: seed.path.clone(),
            status: seed.status,
            body: seed.body.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    const TEXT: &str = "tenant: t
services:
  - host: Rates.Localhost
    accepts:
      - { header: x-key, value: hunter2 }
      - { query: code, value: hunter3 }
      - { user: ana, password: hunter4 }
      - { audience: 'api://rates' }
    principals: [harbour]
    responses: [{ path: /now, body: { rate: 2 } }]
vaults:
  - { name: kv-a, secrets: [plain, { name: db, value: hunter5 }] }
";

    #[test]
    fn every_proof_finds_its_place() {
        let seed = Seed::parse(TEXT).unwrap();
        let service = HttpService::from(&seed.services[0]);
        assert_eq!(service.host, "rates.localhost");
        let kinds: Vec<_> = service
            .keys
            .iter()
            .map(|key| (key.kind, key.name.as_str()))
            .collect();
        assert_eq!(
            kinds,
            [(KeyKind::Header, "x-key"), (KeyKind::Query, "code")]
        );
        assert_eq!(service.basic, [("ana".into(), "hunter4".into())]);
        assert_eq!(service.audience.as_deref(), Some("api://rates"));
        let answer = &service.responses[0];
        assert_eq!((answer.method.as_str(), answer.status), ("GET", 200));
        assert_eq!(seed.vaults[0].value("DB"), Some("hunter5"));
        assert_eq!(seed.vaults[0].value("plain"), Some("plain"));
        assert_eq!(seed.vaults[0].value("none"), None);
    }

    #[test]
    fn a_proof_that_is_none_of_the_four_is_refused() {
        assert!(Seed::parse(&TEXT.replace("header: x-key", "cookie: x-key")).is_err());
    }

    #[test]
    fn secrets_do_not_show_in_debug() {
        assert!(!format!("{:?}", Seed::parse(TEXT).unwrap()).contains("hunter"));
    }
}
