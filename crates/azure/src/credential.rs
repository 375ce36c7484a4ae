//! Who keyless is towards Azure: the credential chain and the tokens it gives.
//!
//! The chain, first match wins:
//! 1. `AZURE_CLIENT_SECRET` with `AZURE_TENANT_ID` and `AZURE_CLIENT_ID`;
//! 2. `AZURE_CLIENT_CERTIFICATE_PATH` (PEM with certificate and RSA key) with the same two;
//! 3. a managed identity, when the host offers one (`IDENTITY_ENDPOINT`) or `KEYLESS_USE_IMDS=1`
//!    asks for the instance metadata service; `AZURE_CLIENT_ID` chooses a user-assigned one;
//! 4. whoever is logged in to the Azure CLI, in built-in clouds only: a cloud file may name any
//!    host, and the CLI's tokens are meant for Azure's own.
//!
//! Invariant: a choice that is begun and incomplete is an error, never a fall to the next.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use keyless_model::Secret;
use tokio::sync::Mutex;

use crate::certificate::{Certificate, Signer};
use crate::cloud::Cloud;
use crate::http;
use crate::redact::redact;
use crate::token::{Principal, principal};

/// A token is renewed this many seconds before it ends.
const EARLY: i64 = 300;

/// Why there is no token.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CredentialError {
    #[error("{have} is set and {missing} is not; set AZURE_TENANT_ID and AZURE_CLIENT_ID too")]
    Incomplete {
        have: &'static str,
        missing: &'static str,
    },

    #[error("AZURE_CLIENT_CERTIFICATE_PATH cannot be used: {why}; give a PEM file with both")]
    Certificate { why: String },

    #[error(
        "no credential for Azure: AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH, \
         IDENTITY_ENDPOINT and KEYLESS_USE_IMDS are not set, and the Azure CLI {why}; run “az \
         login”, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
    )]
    None { why: String },

    #[error(
        "no credential for the cloud of the --cloud file: AZURE_CLIENT_SECRET, \
         AZURE_CLIENT_CERTIFICATE_PATH, IDENTITY_ENDPOINT and KEYLESS_USE_IMDS are not set, and \
         the Azure CLI is used with Azure's own clouds only; set AZURE_TENANT_ID, AZURE_CLIENT_ID \
         and AZURE_CLIENT_SECRET (keyless emulator prints them)"
    )]
    NoneForFile,

    #[error(
        "{how} got no token for {scope}: {why}; check that it is right for this tenant and cloud"
    )]
    Refused {
        how: &'static str,
        scope: String,
        why: String,
    },

    #[error(
        "no token, because {what}; check the network, the proxy, and the CA and the authority of \
         the --cloud file"
    )]
    Authority { what: String },

    #[error("the token that {how} got does not say whom it is for; log in again")]
    Opaque { how: &'static str },

    #[error("the HTTP client cannot start: {why}; check the CA of the --cloud file")]
    Client { why: String },
}

/// Which part of the chain applies.
#[derive(Clone, Debug)]
enum Source {
    ClientSecret {
        tenant: String,
        client: String,
        secret: Secret,
    },
    ClientCertificate {
        tenant: String,
        client: String,
        certificate: Arc<Certificate>,
    },
    ManagedIdentity {
        client: Option<String>,
    },
    AzureCli {
        tenant: Option<String>,
    },
    #[cfg(test)]
    Fixed(Secret),
}

/// Access tokens, fetched when first needed and kept until shortly before they end; cheap to clone.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    source: Source,
    cloud: Cloud,
    http: reqwest::Client,
    direct: reqwest::Client,
    trouble: http::Broken,
    kept: Mutex<Kept>,
}

impl Inner {
    fn transport(&self) -> Arc<http::Transport> {
        Arc::new(http::Transport {
            client: self.http.clone(),
            direct: self.direct.clone(),
            trouble: Arc::clone(&self.trouble),
        })
    }

    /// What kept the authority from answering, if that is why there is no token.
    fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The credential and its tokens by scope, with their ends in Unix seconds.
#[derive(Default)]
struct Kept {
    credential: Option<Arc<dyn TokenCredential>>,
    tokens: HashMap<String, (Secret, i64)>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({})", self.0.source.how())
    }
}

impl Tokens {
    /// Chooses from the chain by the environment, which `variable` reads. Nothing is sent yet.
    ///
    /// # Errors
    /// When a choice is begun and incomplete, a certificate cannot be used, or there is no choice.
    pub fn from_environment(
        cloud: &Cloud,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, CredentialError> {
        let source = choose(variable)?;
        if matches!(source, Source::AzureCli { .. }) && !cloud.is_built_in() {
            return Err(CredentialError::NoneForFile);
        }
        Self::new(cloud, source)
    }

    fn new(cloud: &Cloud, source: Source) -> Result<Self, CredentialError> {
        let direct = http::direct(cloud).map_err(|why| CredentialError::Client { why })?;
        Self::with_direct(cloud, source, direct)
    }

    /// With a client for what is on this host.
    fn with_direct(
        cloud: &Cloud,
        source: Source,
        direct: reqwest::Client,
    ) -> Result<Self, CredentialError> {
        let http = http::client(cloud).map_err(|why| CredentialError::Client { why })?;
        Ok(Self(Arc::new(Inner {
            source,
            cloud: cloud.clone(),
            http,
            direct,
            trouble: http::Broken::default(),
            kept: Mutex::default(),
        })))
    }

    /// A token for a scope such as [`Cloud::arm_scope`] or [`Cloud::sql_scope`].
    ///
    /// # Errors
    /// When the authority, the host or the CLI gives none.
    pub async fn token(&self, scope: &str) -> Result<Secret, CredentialError> {
        // Held while a token is fetched, so that many tasks fetch it once.
        let mut kept = self.0.kept.lock().await;
        if let Some((token, ends)) = kept.tokens.get(scope)
            && *ends > now() + EARLY
        {
            return Ok(token.clone());
        }
        let credential = match &kept.credential {
            Some(credential) => Arc::clone(credential),
            None => self
                .0
                .source
                .credential(&self.0.cloud, &self.0.transport())?,
        };
        kept.credential = Some(Arc::clone(&credential));
        let got = credential.get_token(&[scope], None).await;
        let got = got.map_err(|e| match self.0.trouble() {
            Some(what) => CredentialError::Authority { what },
            None => self.0.source.refused(scope, &e.to_string()),
        })?;
        let token = Secret::new(got.token.secret());
        kept.tokens.insert(
            scope.to_owned(),
            (token.clone(), got.expires_on.unix_timestamp()),
        );
        Ok(token)
    }

    /// Who runs, from the claims of the resource manager's token.
    ///
    /// # Errors
    /// As [`Tokens::token`], and when the token cannot be read.
    pub async fn principal(&self) -> Result<Principal, CredentialError> {
        let token = self.token(&self.0.cloud.arm_scope()).await?;
        principal(token.expose()).ok_or(CredentialError::Opaque {
            how: self.0.source.how(),
        })
    }

    /// The Entra tenant of who runs.
    ///
    /// # Errors
    /// As [`Tokens::principal`].
    pub async fn tenant(&self) -> Result<String, CredentialError> {
        Ok(self.principal().await?.tenant)
    }

    /// Drops every token and the credential that made them: a service has refused one.
    pub(crate) async fn forget(&self) {
        *self.0.kept.lock().await = Kept::default();
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.0.http
    }

    /// Always the same token.
    #[cfg(test)]
    pub(crate) fn fixed(cloud: &Cloud, token: &str) -> Self {
        Self::new(cloud, Source::Fixed(Secret::new(token))).unwrap()
    }
}

fn choose(variable: &dyn Fn(&str) -> Option<String>) -> Result<Source, CredentialError> {
    let get = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let application = |have: &'static str| {
        let need = |missing: &'static str| {
            get(missing).ok_or(CredentialError::Incomplete { have, missing })
        };
        Ok::<_, CredentialError>((need("AZURE_TENANT_ID")?, need("AZURE_CLIENT_ID")?))
    };
    if let Some(secret) = get("AZURE_CLIENT_SECRET") {
        let (tenant, client) = application("AZURE_CLIENT_SECRET")?;
        return Ok(Source::ClientSecret {
            tenant,
            client,
            secret: Secret::new(secret),
        });
    }
    if let Some(path) = get("AZURE_CLIENT_CERTIFICATE_PATH") {
        let (tenant, client) = application("AZURE_CLIENT_CERTIFICATE_PATH")?;
        let certificate = Certificate::load(Path::new(&path))
            .map_err(|why| CredentialError::Certificate { why })?;
        return Ok(Source::ClientCertificate {
            tenant,
            client,
            certificate: Arc::new(certificate),
        });
    }
    let imds = get("KEYLESS_USE_IMDS").is_some_and(|v| matches!(v.trim(), "1" | "true" | "yes"));
    if imds || get("IDENTITY_ENDPOINT").is_some() {
        return Ok(Source::ManagedIdentity {
            client: get("AZURE_CLIENT_ID"),
        });
    }
    Ok(Source::AzureCli {
        tenant: get("AZURE_TENANT_ID"),
    })
}

impl Source {
    /// For messages.
    fn how(&self) -> &'static str {
        match self {
            Self::ClientSecret { .. } => "the client secret of AZURE_CLIENT_SECRET",
            Self::ClientCertificate { .. } => "the certificate of AZURE_CLIENT_CERTIFICATE_PATH",
            Self::ManagedIdentity { .. } => "the managed identity of this host",
            Self::AzureCli { .. } => "the Azure CLI",
            #[cfg(test)]
            Self::Fixed(_) => "a fixed token",
        }
    }

    fn refused(&self, scope: &str, said: &str) -> CredentialError {
        let why = plain(said);
        match self {
            Self::AzureCli { .. } => CredentialError::None {
                why: format!("gave no token ({why})"),
            },
            _ => CredentialError::Refused {
                how: self.how(),
                scope: scope.to_owned(),
                why,
            },
        }
    }

    fn credential(
        &self,
        cloud: &Cloud,
        http: &Arc<http::Transport>,
    ) -> Result<Arc<dyn TokenCredential>, CredentialError> {
        let made = match self {
            Self::ClientSecret {
                tenant,
                client,
                secret,
            } => {
                let options = ClientSecretCredentialOptions {
                    client_options: options(cloud, http),
                };
                let secret = azure_core::credentials::Secret::new(secret.expose().to_owned());
                ClientSecretCredential::new(tenant, client.clone(), secret, Some(options))
                    .map(|c| c as Arc<dyn TokenCredential>)
            }
            Self::ClientCertificate {
                tenant,
                client,
                certificate,
            } => {
                let signer = Signer {
                    certificate: Arc::clone(certificate),
                    client: client.clone(),
                    audience: token_endpoint(cloud, tenant),
                };
                let options = ClientAssertionCredentialOptions {
                    client_options: options(cloud, http),
                };
                let (tenant, client) = (tenant.clone(), client.clone());
                ClientAssertionCredential::new(tenant, client, signer, Some(options))
                    .map(|c| c as Arc<dyn TokenCredential>)
            }
            Self::ManagedIdentity { client } => {
                let options = ManagedIdentityCredentialOptions {
                    user_assigned_id: client.clone().map(UserAssignedId::ClientId),
                    client_options: options(cloud, http),
                };
                ManagedIdentityCredential::new(Some(options)).map(|c| c as Arc<dyn TokenCredential>)
            }
            Self::AzureCli { tenant } => {
                let options = AzureCliCredentialOptions {
                    tenant_id: tenant.clone(),
                    ..Default::default()
                };
                AzureCliCredential::new(Some(options)).map(|c| c as Arc<dyn TokenCredential>)
            }
            #[cfg(test)]
            Self::Fixed(token) => Ok(Arc::new(Fixed(token.clone())) as Arc<dyn TokenCredential>),
        };
        made.map_err(|e| self.refused(&cloud.arm_scope(), &e.to_string()))
    }
}

fn token_endpoint(cloud: &Cloud, tenant: &str) -> String {
    format!("{}{tenant}/oauth2/v2.0/token", cloud.authority)
}

/// Our transport and authority for azure_identity, and a retry that ends within seconds.
fn options(cloud: &Cloud, http: &Arc<http::Transport>) -> ClientOptions {
    let mut custom = CustomConfiguration::default();
    custom.authority_host = cloud.authority.to_string();
    ClientOptions {
        transport: Some(Transport::new(http.clone())),
        cloud: Some(Arc::new(custom.into())),
        retry: RetryOptions::exponential(ExponentialRetryOptions {
            max_retries: 2,
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// What azure_identity or the CLI said: one line, without the pointer to a help page, redacted.
fn plain(said: &str) -> String {
    let said = said.split("To troubleshoot, visit").next().unwrap_or(said);
    let said = said
        .split_once("authentication failed.")
        .map_or(said, |(_, why)| why);
    let words: Vec<&str> = said.split_whitespace().collect();
    redact(words.join(" ").trim_end_matches('.'))
}

fn now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    i64::try_from(now).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[derive(Debug)]
struct Fixed(Secret);

#[cfg(test)]
#[async_trait::async_trait]
impl TokenCredential for Fixed {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<azure_core::credentials::TokenRequestOptions<'_>>,
    ) -> azure_core::Result<azure_core::credentials::AccessToken> {
        let ends = azure_core::time::OffsetDateTime::now_utc()
            + azure_core::time::Duration::seconds(3_600);
        let token = self.0.expose().to_owned();
        Ok(azure_core::credentials::AccessToken::new(token, ends))
    }
}

#[cfg(test)]
mod tests;
