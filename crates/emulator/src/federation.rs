//! Workload identity: a user-assigned identity whose federated credentials name the issuer, subject
//! and audience of another's tokens logs in with such a token.
//!
//! In Azure the other issuer signs with keys that it publishes. Here the emulator stands in for
//! every issuer: its control interface hands their tokens out, signed with its own key.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arm::Kind;
use crate::directory::TokenError;
use crate::estate::Estate;

/// What such tokens are for unless somebody says otherwise.
pub const AUDIENCE: &str = "api://AzureADTokenExchange";
/// Seconds that a token is valid.
const LIFETIME: i64 = 3_600;

/// What the token of another issuer says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Outside {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
}

/// Why a token does not log in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FederationError {
    #[error("Client assertion failed signature validation.")]
    Signature,
    #[error("Client assertion is not within its valid time range.")]
    Time,
    #[error("No matching federated identity record found for presented assertion issuer '{0}'.")]
    Issuer(String),
    #[error("No matching federated identity record found for presented assertion audience '{0}'.")]
    Audience(String),
    #[error("No matching federated identity record found for presented assertion subject '{0}'.")]
    Subject(String),
}

impl FederationError {
    /// Entra's number for it.
    pub fn number(&self) -> u32 {
        match self {
            Self::Signature => 50_013,
            Self::Time => 700_024,
            Self::Issuer(_) => 700_211,
            Self::Audience(_) => 700_212,
            Self::Subject(_) => 700_213,
        }
    }
}

/// A token as the issuer would give it for the subject.
pub fn issue(estate: &Estate, issuer: &str, subject: &str, audience: &str) -> String {
    estate.directory.sign(&Outside {
        iss: issuer.to_owned(),
        sub: subject.to_owned(),
        aud: audience.to_owned(),
        exp: estate.clock.now() + LIFETIME,
    })
}

/// Holds a token to the federated credentials of the identity with this client id.
pub fn verify(estate: &Estate, client_id: &str, token: &str) -> Result<(), FederationError> {
    let read: Result<Outside, TokenError> = estate.directory.open(token);
    let outside = read.map_err(|_| FederationError::Signature)?;
    if estate.clock.now() >= outside.exp {
        return Err(FederationError::Time);
    }
    matches(&credentials(estate, client_id), outside)
}

/// The properties of the identity's federated credentials.
fn credentials(estate: &Estate, client_id: &str) -> Vec<Value> {
    let store = estate.store();
    let identity = store.all().find(|entity| {
        let client = entity.property("clientId").unwrap_or_default();
        entity.kind == Kind::UserIdentity && client.eq_ignore_ascii_case(client_id)
    });
    let Some(identity) = identity else {
        return Vec::new();
    };
    let all = store.list(&format!("{}/federatedidentitycredentials", identity.key()));
    all.iter()
        .map(|credential| credential.body["properties"].clone())
        .collect()
}

fn matches(credentials: &[Value], outside: Outside) -> Result<(), FederationError> {
    let Outside { iss, sub, aud, .. } = outside;
    let mut left: Vec<&Value> = credentials.iter().collect();
    left.retain(|one| one["issuer"] == iss);
    if left.is_empty() {
        return Err(FederationError::Issuer(iss));
    }
    left.retain(|one| one["subject"] == sub);
    if left.is_empty() {
        return Err(FederationError::Subject(sub));
    }
    let for_it = |one: &&Value| {
        let audiences = one["audiences"].as_array();
        audiences.is_some_and(|list| list.iter().any(|known| *known == aud))
    };
    if left.iter().any(for_it) {
        Ok(())
    } else {
        Err(FederationError::Audience(aud))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn issuer_subject_and_audience_have_to_be_those_of_one_credential() {
        let known = [
            json!({"issuer": "https://a", "subject": "x", "audiences": [AUDIENCE]}),
            json!({"issuer": "https://b", "subject": "y", "audiences": [AUDIENCE]}),
        ];
        let asked = |iss: &str, sub: &str, aud: &str| {
            let (iss, sub, aud) = (iss.into(), sub.into(), aud.into());
            matches(
                &known,
                Outside {
                    iss,
                    sub,
                    aud,
                    exp: 0,
                },
            )
            .map_err(|error| error.number())
        };
        assert_eq!(asked("https://a", "x", AUDIENCE), Ok(()));
        assert_eq!(asked("https://c", "x", AUDIENCE), Err(700_211));
        assert_eq!(asked("https://a", "y", AUDIENCE), Err(700_213));
        assert_eq!(asked("https://b", "y", "other"), Err(700_212));
    }
}
