//! Client assertions: a JWT that an application signs with the key of its certificate (RS256 or
//! PS256) instead of sending a secret.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::server::ParsedCertificate;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::directory::Principal;

/// Seconds that clocks may differ.
const SKEW: i64 = 300;

/// Why an assertion is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    #[error("Client assertion is malformed or is not signed with RS256 or PS256.")]
    Malformed,
    #[error("Client assertion failed signature validation: the key was not found or is another's.")]
    Signature,
    #[error("Client assertion is not within its valid time range.")]
    Time,
    #[error("Client assertion audience claim does not match the token endpoint.")]
    Audience,
    #[error("Client assertion issuer and subject must both be the application's client id.")]
    Subject,
}

impl AssertionError {
    /// Entra's number for it.
    pub fn number(self) -> u32 {
        match self {
            Self::Malformed => 50_027,
            Self::Signature => 700_027,
            Self::Time => 700_024,
            Self::Audience => 700_023,
            Self::Subject => 700_021,
        }
    }
}

/// Holds `jwt` to the certificate of `application`; `now` is in Unix seconds.
pub fn verify(
    jwt: &str,
    application: &Principal,
    login_url: &str,
    tenant: &str,
    now: i64,
) -> Result<(), AssertionError> {
    let (signed, signature) = jwt.rsplit_once('.').ok_or(AssertionError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(AssertionError::Malformed)?;
    let (header, claims) = (decode(header)?, decode(claims)?);
    let signature = URL_SAFE_NO_PAD
        .decode(signature)
        .map_err(|_| AssertionError::Malformed)?;

    let pem = application
        .certificate
        .as_deref()
        .ok_or(AssertionError::Signature)?;
    let certificate =
        CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| AssertionError::Signature)?;
    names_certificate(&header, &certificate)?;
    let algorithm: &'static RsaParameters = match header["alg"].as_str() {
        Some("RS256") => &RSA_PKCS1_2048_8192_SHA256,
        Some("PS256") => &RSA_PSS_2048_8192_SHA256,
        _ => return Err(AssertionError::Malformed),
    };
    let key = ParsedCertificate::try_from(&certificate)
        .map_err(|_| AssertionError::Signature)?
        .subject_public_key_info();
    UnparsedPublicKey::new(algorithm, key.as_ref())
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| AssertionError::Signature)?;

    let (expires, begins) = (
        seconds(&claims["exp"]),
        seconds(&claims["nbf"]).unwrap_or(now),
    );
    if expires.is_none_or(|expires| expires.saturating_add(SKEW) < now)
        || begins.saturating_sub(SKEW) > now
    {
        return Err(AssertionError::Time);
    }
    let base = format!("{login_url}/{tenant}").to_lowercase();
    let audience = claims["aud"].as_str().unwrap_or_default().to_lowercase();
    let tail = audience
        .strip_prefix(&base)
        .map(|tail| tail.trim_end_matches('/'));
    if !matches!(
        tail,
        Some("" | "/oauth2/v2.0/token" | "/v2.0" | "/oauth2/token")
    ) {
        return Err(AssertionError::Audience);
    }
    let client = application.client_id.as_deref().unwrap_or_default();
    let is_client = |claim: &str| claims[claim].as_str() == Some(client);
    if is_client("iss") && is_client("sub") {
        Ok(())
    } else {
        Err(AssertionError::Subject)
    }
}

/// A JWT's time may have a fraction (RFC 7519, `NumericDate`); MSAL's for Python has one.
fn seconds(claim: &Value) -> Option<i64> {
    claim
        .as_i64()
        .or_else(|| claim.as_f64().map(|seconds| seconds as i64))
}

/// The header has to say which certificate signed, by SHA-256 or SHA-1 thumbprint.
fn names_certificate(header: &Value, der: &[u8]) -> Result<(), AssertionError> {
    let (claimed, algorithm) = match (header["x5t#S256"].as_str(), header["x5t"].as_str()) {
        (Some(claimed), _) => (claimed, &digest::SHA256),
        (None, Some(claimed)) => (claimed, &digest::SHA1_FOR_LEGACY_USE_ONLY),
        (None, None) => return Err(AssertionError::Malformed),
    };
    let actual = URL_SAFE_NO_PAD.encode(digest::digest(algorithm, der).as_ref());
    let same = claimed.trim_end_matches('=') == actual;
    if same {
        Ok(())
    } else {
        Err(AssertionError::Signature)
    }
}

fn decode(part: &str) -> Result<Value, AssertionError> {
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| AssertionError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| AssertionError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::PrincipalKind;
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding};

    const LOGIN: &str = "https://login.localhost:1";
    const CLIENT: &str = "00000000-0000-0000-0000-00000000c0de";

    struct Signer {
        key: KeyPair,
        principal: Principal,
        der: Vec<u8>,
    }

    fn signer() -> Signer {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8: Pkcs8V1Der<'_> = key.as_der().unwrap();
        let pkcs8 = rustls_pki_types::PrivatePkcs8KeyDer::from(pkcs8.as_ref().to_vec());
        let pair =
            rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let certificate = certificate.self_signed(&pair).unwrap();
        let principal = Principal {
            object_id: "o".into(),
            client_id: Some(CLIENT.into()),
            display_name: "app".into(),
            kind: PrincipalKind::Application,
            groups: Vec::new(),
            secret: None,
            certificate: Some(certificate.pem()),
        };
        Signer {
            key,
            principal,
            der: certificate.der().to_vec(),
        }
    }

    fn sign(by: &Signer, der: &[u8], pss: bool, expires: i64) -> String {
        let thumbprint = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, der).as_ref());
        let algorithm = if pss { "PS256" } else { "RS256" };
        let header = format!(r#"{{"alg":"{algorithm}","x5t#S256":"{thumbprint}"}}"#);
        let claims = format!(
            r#"{{"aud":"{LOGIN}/t/oauth2/v2.0/token","iss":"{CLIENT}","sub":"{CLIENT}","exp":{expires}}}"#
        );
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let encoding: &'static dyn RsaEncoding = if pss {
            &RSA_PSS_SHA256
        } else {
            &RSA_PKCS1_SHA256
        };
        let mut signature = vec![0; by.key.public_modulus_len()];
        by.key
            .sign(
                encoding,
                &aws_lc_rs::rand::SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn a_time_may_have_a_fraction() {
        assert_eq!(seconds(&serde_json::json!(100)), Some(100));
        assert_eq!(seconds(&serde_json::json!(100.75)), Some(100));
        assert_eq!(seconds(&serde_json::json!("100")), None);
    }

    #[test]
    fn both_signatures_of_the_applications_key_hold_and_anothers_do_not() {
        let (ours, theirs) = (signer(), signer());
        for pss in [false, true] {
            let jwt = sign(&ours, &ours.der, pss, 100);
            assert_eq!(verify(&jwt, &ours.principal, LOGIN, "t", 50), Ok(()));
            let late = verify(&jwt, &ours.principal, LOGIN, "t", 500);
            assert_eq!(late, Err(AssertionError::Time));
            let forged = sign(&theirs, &ours.der, pss, 100);
            let refused = verify(&forged, &ours.principal, LOGIN, "t", 50);
            assert_eq!(refused, Err(AssertionError::Signature));
            let elsewhere = verify(&jwt, &ours.principal, LOGIN, "other", 50);
            assert_eq!(elsewhere, Err(AssertionError::Audience));
        }
    }
}
