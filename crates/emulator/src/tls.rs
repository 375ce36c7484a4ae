//! The certificates of one start: a CA of its own and one leaf for every name the emulator answers
//! to. Nothing outlives the process but the CA's public half.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const NAMES: [&str; 10] = [
    "localhost",
    "*.localhost",
    "management.localhost",
    "login.localhost",
    "graph.localhost",
    "api.loganalytics.localhost",
    "*.database.localhost",
    "*.worker.database.localhost",
    "*.azure-api.localhost",
    "127.0.0.1",
];

/// The CA as PEM, and the server side for HTTPS and for TDS.
pub struct Certificates {
    pub ca_pem: String,
    pub https: Arc<ServerConfig>,
    pub tds: Arc<ServerConfig>,
}

/// Why no certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("no certificate could be made")]
    Certificate(#[from] rcgen::Error),
    #[error("the certificate was refused by rustls")]
    Config(#[from] rustls::Error),
}

/// Makes a CA and a leaf signed by it.
pub fn issue() -> Result<Certificates, TlsError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params
        .distinguished_name
        .push(DnType::CommonName, "keyless emulator CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
    params
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let leaf = params.signed_by(&key, &ca)?;

    let config = |versions: &[&'static rustls::SupportedProtocolVersion]| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
    };
    let mut https = config(rustls::ALL_VERSIONS)?;
    https.alpn_protocols = vec![b"http/1.1".to_vec()];
    // TDS 7.x carries the handshake inside its own packets, which TLS 1.3's late tickets do not fit.
    let mut tds = config(&[&rustls::version::TLS12])?;
    // A strict TDS 8 client asks for this protocol; an older one asks for none.
    tds.alpn_protocols = vec![b"tds/8.0".to_vec()];
    Ok(Certificates {
        ca_pem: ca.pem(),
        https: Arc::new(https),
        tds: Arc::new(tds),
    })
}
