//! Client assertions signed with a certificate's key: a JWT by RFC 7523, as Entra wants it for
//! certificate credentials (PS256, `x5t#S256`).
//!
//! Invariant: the key never leaves this module, not even as `Debug`.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::{digest, signature};
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use crate::token::guid;

/// How long an assertion is valid, in seconds.
const LIFETIME: u64 = 300;

/// A certificate and its RSA key.
pub(crate) struct Certificate {
    key: KeyPair,
    /// SHA-256 of the certificate, base64url.
    thumbprint: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.thumbprint)
    }
}

impl Certificate {
    /// Reads a PEM file with a certificate and its unencrypted RSA key.
    ///
    /// # Errors
    /// What is wrong with it, without repeating any of it.
    pub fn load(path: &Path) -> Result<Self, String> {
        let pem = std::fs::read(path).map_err(|e| e.to_string())?;
        Self::parse(&pem)
    }

    fn parse(pem: &[u8]) -> Result<Self, String> {
        let certificate = CertificateDer::from_pem_slice(pem)
            .map_err(|_| "it holds no PEM certificate".to_owned())?;
        if pem.windows(9).any(|w| w == b"ENCRYPTED") {
            return Err("its key is encrypted, and keyless cannot ask for a password".to_owned());
        }
        let key = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|_| "it holds no PEM private key".to_owned())?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err("its key is not RSA, and Entra takes only RSA here".to_owned()),
        };
        Ok(Self {
            key: key.map_err(|_| "its key is not a usable RSA key".to_owned())?,
            thumbprint: URL_SAFE_NO_PAD
                .encode(digest::digest(&digest::SHA256, certificate.as_ref())),
        })
    }

    /// A signed assertion that `client` sends to `audience`.
    fn assertion(&self, client: &str, audience: &str, now: u64) -> Option<String> {
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = part(json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint }));
        let claims = part(json!({
            "aud": audience, "iss": client, "sub": client, "jti": guid(),
            "iat": now, "nbf": now, "exp": now + LIFETIME,
        }));
        let message = format!("{head}.{claims}");
        let mut signed = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key
            .sign(
                &signature::RSA_PSS_SHA256,
                &random,
                message.as_bytes(),
                &mut signed,
            )
            .ok()?;
        Some(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signed)))
    }
}

/// Signs a new assertion whenever azure_identity needs a token.
#[derive(Debug)]
pub(crate) struct Signer {
    pub certificate: Arc<Certificate>,
    pub client: String,
    /// The token endpoint of the tenant.
    pub audience: String,
}

#[async_trait::async_trait]
impl ClientAssertion for Signer {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_secs());
        self.certificate
            .assertion(&self.client, &self.audience, now)
            .ok_or_else(|| {
                let kind = azure_core::error::ErrorKind::Credential;
                azure_core::Error::with_message(kind, "the assertion could not be signed")
            })
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    fn made(algorithm: &'static rcgen::SignatureAlgorithm) -> String {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let params = rcgen::CertificateParams::new(vec!["keyless".into()]).unwrap();
        format!(
            "{}{}",
            params.self_signed(&key).unwrap().pem(),
            key.serialize_pem()
        )
    }

    #[test]
    fn an_assertion_is_signed_by_the_key_and_names_the_certificate() {
        let pem = made(&rcgen::PKCS_RSA_SHA256);
        let certificate = Certificate::parse(pem.as_bytes()).unwrap();
        let jwt = certificate.assertion("app", "https://login.example/t/oauth2/v2.0/token", 1000);
        let jwt = jwt.unwrap();
        let parts: Vec<&str> = jwt.split('.').collect();
        let json = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let (head, claims) = (json(parts[0]), json(parts[1]));
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let thumbprint = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &der));
        assert_eq!(
            head,
            json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint })
        );
        assert_eq!(claims["iss"], "app");
        assert_eq!(claims["exp"], 1300);
        let public =
            UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, certificate.key.public_key());
        let message = format!("{}.{}", parts[0], parts[1]);
        let signed = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        assert!(public.verify(message.as_bytes(), &signed).is_ok());
        assert!(public.verify(b"another", &signed).is_err());
    }

    #[test]
    fn what_cannot_sign_is_refused_without_showing_it() {
        let good = made(&rcgen::PKCS_RSA_SHA256);
        let (head, key) = good.split_at(good.find("-----BEGIN PRIVATE").unwrap());
        let locked = good.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let curve = made(&rcgen::PKCS_ECDSA_P256_SHA256);
        for bad in ["", head, key, &locked, &curve] {
            let why = Certificate::parse(bad.as_bytes()).unwrap_err();
            assert!(!why.contains("MII"), "{why}");
        }
    }

    #[test]
    fn the_key_is_not_in_debug() {
        let certificate = Certificate::parse(made(&rcgen::PKCS_RSA_SHA256).as_bytes()).unwrap();
        let shown = format!("{certificate:?}");
        assert_eq!(shown, format!("Certificate({})", certificate.thumbprint));
    }
}
