use aws_lc_rs::digest;
use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio_rustls::rustls;

use super::*;
use crate::test_log::Log;
use crate::test_server::{Reply, Server};
use crate::{Arm, ArmError, apim};

mod host;

const TENANT: &str = "00000000-0000-0000-0000-00000000000a";
const CLIENT: &str = "00000000-0000-0000-0000-00000000000b";

const SERVICE: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/\
                       providers/Microsoft.ApiManagement/service/contoso";

/// The chain's choice with these variables.
fn chosen(variables: &[(&str, &str)]) -> Result<Source, CredentialError> {
    let read = |name: &str| {
        variables
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| (*value).to_owned())
    };
    choose(&read)
}

/// A CA, and a server configuration of a certificate it signed for `*.localhost`.
fn authority() -> (String, rustls::ServerConfig) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = params.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(params, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec![
        "login.localhost".to_owned(),
        "management.localhost".to_owned(),
    ];
    let leaf = rcgen::CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let der = rustls_pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], der.into())
        .unwrap();
    (ca.pem(), config)
}

/// A cloud of one local port.
fn local(port: u16, ca: &str) -> Cloud {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cloud.json");
    std::fs::write(dir.path().join("ca.pem"), ca).unwrap();
    let json = json!({
        "name": "local", "ca": "ca.pem",
        "resourceManager": format!("https://management.localhost:{port}"),
        "authority": format!("https://login.localhost:{port}"),
        "sqlSuffix": "database.localhost", "gatewaySuffix": "azure-api.localhost",
    });
    std::fs::write(&file, json.to_string()).unwrap();
    Cloud::load(&file).unwrap()
}

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "AZURE_TENANT_ID" => TENANT,
        "AZURE_CLIENT_ID" => CLIENT,
        "AZURE_CLIENT_SECRET" => "s3cr3t-value",
        _ => return None,
    };
    Some(value.to_owned())
}

fn token() -> String {
    let claims = json!({ "tid": TENANT, "oid": "o-1", "appid": CLIENT });
    format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[test]
fn the_chain_takes_the_first_that_is_set() {
    let application = [("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", CLIENT)];
    let with = |more: &[(&'static str, &'static str)]| chosen(&[&application[..], more].concat());
    let secret = ("AZURE_CLIENT_SECRET", "s3cr3t-value");
    let endpoint = ("IDENTITY_ENDPOINT", "http://127.0.0.1/token");
    assert!(matches!(
        with(&[secret, endpoint]),
        Ok(Source::ClientSecret { .. })
    ));
    assert!(matches!(
        with(&[endpoint]),
        Ok(Source::ManagedIdentity { client: Some(_) })
    ));
    assert!(matches!(
        chosen(&[endpoint]),
        Ok(Source::ManagedIdentity { client: None })
    ));
    let imds = [("KEYLESS_USE_IMDS", "1")];
    assert!(matches!(chosen(&imds), Ok(Source::ManagedIdentity { .. })));
    let no_imds = [("KEYLESS_USE_IMDS", "0"), ("AZURE_CLIENT_SECRET", " ")];
    assert!(matches!(chosen(&no_imds), Ok(Source::AzureCli { .. })));
    assert!(!format!("{:?}", with(&[secret])).contains("s3cr3t-value"));
}

#[test]
fn a_choice_that_is_begun_and_incomplete_is_an_error() {
    let begun = [
        ("AZURE_CLIENT_SECRET", "s3cr3t-value"),
        ("AZURE_TENANT_ID", TENANT),
    ];
    let error = chosen(&begun).unwrap_err().to_string();
    assert!(
        error.contains("AZURE_CLIENT_ID is not") && !error.contains("s3cr3t"),
        "{error}"
    );
    let no_file = [
        ("AZURE_CLIENT_CERTIFICATE_PATH", "/nowhere/x.pem"),
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_CLIENT_ID", CLIENT),
    ];
    assert!(matches!(
        chosen(&no_file),
        Err(CredentialError::Certificate { .. })
    ));
}

#[test]
fn the_cli_is_not_asked_for_a_token_that_goes_elsewhere() {
    let (ca, _) = authority();
    let error = Tokens::from_environment(&local(4443, &ca), &|_| None).unwrap_err();
    // Nor is it named as the remedy.
    let said = error.to_string();
    assert!(
        said.contains("--cloud file") && !said.contains("az login"),
        "{said}"
    );
    assert!(Tokens::from_environment(&Cloud::named("public").unwrap(), &|_| None).is_ok());
}

#[tokio::test]
async fn a_client_secret_gets_a_token_over_our_own_ca_and_names() {
    let (ca, config) = authority();
    let server = Server::start_tls(config, |seen, _| {
        assert_eq!(seen.line(), format!("POST /{TENANT}/oauth2/v2.0/token"));
        assert!(
            seen.body.contains("client_secret=s3cr3t-value"),
            "{}",
            seen.body
        );
        let body = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": token() });
        Reply::json(200, body)
    })
    .await;
    let cloud = local(server.port, &ca);
    let tokens = Tokens::from_environment(&cloud, &environment).unwrap();
    let who = tokens.principal().await.unwrap();
    assert_eq!(
        (who.tenant.as_str(), who.object_id.as_str()),
        (TENANT, "o-1")
    );
    assert_eq!(who.client_id, CLIENT);
    tokens.token(&cloud.arm_scope()).await.unwrap();
    assert_eq!(server.seen().len(), 1, "the token is kept");
    tokens.token(&cloud.sql_scope()).await.unwrap();
    assert!(
        server.seen()[1]
            .body
            .contains("database.localhost%2F.default")
    );
    tokens.forget().await;
    tokens.token(&cloud.arm_scope()).await.unwrap();
    assert_eq!(server.seen().len(), 3, "a forgotten token is fetched anew");
}

/// The parts of a client assertion, checked as Entra does: signed by the certificate's key, and
/// naming the certificate.
fn checked(assertion: &str, certificate: &rcgen::Certificate, key: &rcgen::KeyPair) -> Value {
    let parts: Vec<&str> = assertion.split('.').collect();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let head: Value = serde_json::from_slice(&decode(parts[0])).unwrap();
    let thumbprint = digest::digest(&digest::SHA256, certificate.der());
    assert_eq!(
        head,
        json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(thumbprint) })
    );
    let public = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key.public_key_raw());
    let message = format!("{}.{}", parts[0], parts[1]);
    public
        .verify(message.as_bytes(), &decode(parts[2]))
        .unwrap();
    serde_json::from_slice(&decode(parts[1])).unwrap()
}

#[tokio::test]
async fn a_certificate_gets_a_token_with_an_assertion_and_the_token_goes_to_arm() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let params = rcgen::CertificateParams::new(vec![]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let pem = dir.path().join("app.pem");
    std::fs::write(
        &pem,
        format!("{}{}", certificate.pem(), key.serialize_pem()),
    )
    .unwrap();
    let (ca, config) = authority();
    let server = Server::start_tls(config, |seen, _| match seen.method.as_str() {
        "POST" => Reply::json(
            200,
            json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": token() }),
        ),
        _ => {
            assert_eq!(seen.header("authorization"), format!("Bearer {}", token()));
            Reply::json(200, json!({ "name": "contoso" }))
        }
    })
    .await;
    let cloud = local(server.port, &ca);
    let read = |name: &str| match name {
        "AZURE_CLIENT_SECRET" => None,
        "AZURE_CLIENT_CERTIFICATE_PATH" => Some(pem.display().to_string()),
        _ => environment(name),
    };
    let tokens = Tokens::from_environment(&cloud, &read).unwrap();
    let (log, _guard) = Log::listen();
    let request = apim::service(&keyless_model::ArmId::parse(SERVICE).unwrap()).unwrap();
    let answer = Arm::new(cloud, tokens).send(request).await.unwrap();
    assert_eq!(answer.body["name"], "contoso");

    let asked = &server.seen()[0];
    let form: HashMap<String, String> = url::form_urlencoded::parse(asked.body.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(form["grant_type"], "client_credentials");
    assert_eq!(form["client_id"], CLIENT);
    assert_eq!(
        form["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    let assertion = &form["client_assertion"];
    let claims = checked(assertion, &certificate, &key);
    let host = format!("https://login.localhost:{}", server.port);
    assert_eq!(
        (&claims["aud"], &claims["iss"], &claims["sub"]),
        (
            &json!(format!("{host}/{TENANT}/oauth2/v2.0/token")),
            &json!(CLIENT),
            &json!(CLIENT)
        )
    );
    let said = format!("{:?}", log.lines());
    assert!(said.contains("contoso"), "{said}");
    assert!(
        !said.contains(assertion.as_str()) && !said.contains(&token()),
        "{said}"
    );
}

#[tokio::test]
async fn a_refusal_says_what_entra_said_and_no_secret() {
    let (ca, config) = authority();
    let server = Server::start_tls(config, |seen, _| {
        let said = format!(
            "AADSTS7000215: Invalid client secret provided. {}",
            seen.body
        );
        Reply::json(
            401,
            json!({ "error": "invalid_client", "error_description": said,
                    "error_codes": [7_000_215] }),
        )
    })
    .await;
    let tokens = Tokens::from_environment(&local(server.port, &ca), &environment).unwrap();
    let error = tokens.principal().await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("AADSTS7000215") && text.contains("AZURE_CLIENT_SECRET"),
        "{text}"
    );
    assert!(!text.contains("s3cr3t-value"), "{text}");
}

#[tokio::test]
async fn a_server_of_another_ca_is_not_trusted() {
    let (_, config) = authority();
    let (other, _) = authority();
    let server = Server::start_tls(config, |_, _| Reply::json(200, json!({}))).await;
    let cloud = local(server.port, &other);
    let arm = Arm::new(cloud.clone(), Tokens::fixed(&cloud, "t"));
    let request = apim::service(&keyless_model::ArmId::parse(SERVICE).unwrap()).unwrap();
    let error = arm.send(request).await.unwrap_err();
    assert!(matches!(error, ArmError::Untrusted { .. }), "{error}");
    assert!(server.seen().is_empty());
}
