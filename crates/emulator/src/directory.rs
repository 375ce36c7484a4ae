//! The tenant: its principals, and the tokens that Entra signs for them.
//!
//! A token is a real JWT, signed with a key of this process (HS256), so that a client which takes
//! one apart finds the claims that Entra would put there, and a forged one is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::clock::Clock;

/// What a principal is in Entra.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    User,
    Group,
    /// An app registration's service principal.
    Application,
    /// A managed identity's service principal; it gets tokens from its resource only.
    ManagedIdentity,
}

/// One principal of the tenant.
#[derive(Clone)]
pub struct Principal {
    pub object_id: String,
    /// The application (client) id; users and groups have none.
    pub client_id: Option<String>,
    pub display_name: String,
    pub kind: PrincipalKind,
    /// Object ids of the groups that this principal is in.
    pub groups: Vec<String>,
    /// The client secret of an application that logs in with one.
    pub secret: Option<String>,
    /// The PEM certificate whose key may sign this application's client assertions.
    pub certificate: Option<String>,
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("object_id", &self.object_id)
            .field("display_name", &self.display_name)
            .finish_non_exhaustive()
    }
}

/// What a valid token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The audience: the resource that the token is for, without a trailing slash.
    pub aud: String,
    pub iss: String,
    pub tid: String,
    /// The object id of who it speaks for.
    pub oid: String,
    /// The application (client) id; absent for a user's own token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appid: Option<String>,
    #[serde(default)]
    pub groups: Vec<String>,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token is malformed")]
    Malformed,
    #[error("the token's signature does not hold")]
    Signature,
    #[error("the token has expired or is not valid yet")]
    Expired,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token is from another tenant")]
    Tenant,
}

/// The tenant's directory and its signing key.
#[derive(Clone)]
pub struct Directory {
    tenant: String,
    clock: Clock,
    key: Arc<[u8; 32]>,
    principals: Arc<Mutex<BTreeMap<String, Principal>>>,
    /// New principals, and how many look-ups for a role will still miss them.
    unseen: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

impl Directory {
    pub fn new(tenant: &str, clock: Clock, key: [u8; 32]) -> Self {
        Self {
            tenant: tenant.to_lowercase(),
            clock,
            key: Arc::new(key),
            principals: Arc::default(),
            unseen: Arc::default(),
        }
    }

    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Adds a principal, or replaces the one with the same object id.
    pub fn put(&self, principal: Principal) {
        self.lock()
            .insert(principal.object_id.to_lowercase(), principal);
    }

    /// Adds a principal that the next `misses` calls of `by_replicated_id` do not find: where roles
    /// are assigned, a new one is known only after a while (azure-facts D).
    pub fn put_new(&self, principal: Principal, misses: u32) {
        let id = principal.object_id.to_lowercase();
        self.unseen().insert(id, misses);
        self.put(principal);
    }

    /// Makes every principal known everywhere.
    pub fn settle(&self) {
        self.unseen().clear();
    }

    /// Like `by_object_id`, where a new principal is not known at first.
    pub fn by_replicated_id(&self, object_id: &str) -> Option<Principal> {
        if let Some(left) = self.unseen().get_mut(&object_id.to_lowercase())
            && *left > 0
        {
            *left -= 1;
            return None;
        }
        self.by_object_id(object_id)
    }

    pub fn remove(&self, object_id: &str) {
        self.lock().remove(&object_id.to_lowercase());
    }

    /// Everybody, by object id.
    pub fn all(&self) -> Vec<Principal> {
        self.lock().values().cloned().collect()
    }

    pub fn by_object_id(&self, object_id: &str) -> Option<Principal> {
        self.lock().get(&object_id.to_lowercase()).cloned()
    }

    pub fn by_client_id(&self, client_id: &str) -> Option<Principal> {
        self.lock()
            .values()
            .find(|p| {
                p.client_id
                    .as_deref()
                    .is_some_and(|id| id.eq_ignore_ascii_case(client_id))
            })
            .cloned()
    }

    /// Every principal with this display name, compared without case as Entra does.
    pub fn by_display_name(&self, name: &str) -> Vec<Principal> {
        self.lock()
            .values()
            .filter(|p| p.display_name.eq_ignore_ascii_case(name))
            .cloned()
            .collect()
    }

    /// Signs a token for `principal` and `audience`, valid for `lifetime` seconds.
    pub fn issue(&self, principal: &Principal, audience: &str, lifetime: i64) -> String {
        let now = self.clock.now();
        let claims = Claims {
            aud: audience.trim_end_matches('/').to_owned(),
            iss: format!("https://sts.windows.net/{}/", self.tenant),
            tid: self.tenant.clone(),
            oid: principal.object_id.clone(),
            appid: principal.client_id.clone(),
            groups: principal.groups.clone(),
            iat: now,
            nbf: now - 300,
            exp: now + lifetime,
        };
        self.sign(&claims)
    }

    /// Signs anything as a token.
    pub fn sign<T: Serialize>(&self, claims: &T) -> String {
        let body = serde_json::to_vec(claims).unwrap_or_default();
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#),
            URL_SAFE_NO_PAD.encode(body)
        );
        format!(
            "{signed}.{}",
            URL_SAFE_NO_PAD.encode(self.mac(&signed).finalize().into_bytes())
        )
    }

    /// Reads a token that was signed here, whoever it is for and however old it is.
    pub fn read(&self, token: &str) -> Result<Claims, TokenError> {
        self.open(token)
    }

    /// Reads what a token says that was signed here.
    pub fn open<T: DeserializeOwned>(&self, token: &str) -> Result<T, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (_, body) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| TokenError::Malformed)?;
        self.mac(signed)
            .verify_slice(&signature)
            .map_err(|_| TokenError::Signature)?;
        let body = URL_SAFE_NO_PAD
            .decode(body)
            .map_err(|_| TokenError::Malformed)?;
        serde_json::from_slice(&body).map_err(|_| TokenError::Malformed)
    }

    /// Reads a token and checks its signature, lifetime, tenant and audience.
    pub fn verify(&self, token: &str, audiences: &[&str]) -> Result<Claims, TokenError> {
        let claims = self.read(token)?;
        let now = self.clock.now();
        if now >= claims.exp || now < claims.nbf {
            return Err(TokenError::Expired);
        }
        if claims.tid != self.tenant {
            return Err(TokenError::Tenant);
        }
        if !audiences
            .iter()
            .any(|a| a.trim_end_matches('/') == claims.aud)
        {
            return Err(TokenError::Audience);
        }
        Ok(claims)
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        let mut mac = match Hmac::<Sha256>::new_from_slice(self.key.as_slice()) {
            Ok(mac) => mac,
            Err(_) => unreachable!("HMAC takes a key of any length"),
        };
        mac.update(text.as_bytes());
        mac
    }

    fn unseen(&self) -> MutexGuard<'_, BTreeMap<String, u32>> {
        self.unseen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Principal>> {
        self.principals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
