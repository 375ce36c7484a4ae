//! Those who use the estate: callers of the gateway, and clients that log in to SQL. The second is
//! tiberius alone, so that no code of the product stands in for it.

use keyless_azure::{Arm, Cloud, Probe, Tokens};
use keyless_model::Secret;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use crate::estate::Estate;

/// Calls a GraphQL API through the gateway. Gives the status and the body.
pub async fn call(estate: &Estate, service: &str, path: &str, query: &str) -> (u16, String) {
    call_with(estate, service, path, query, None).await
}

/// The same, with a token of the caller's.
pub async fn call_with(
    estate: &Estate,
    service: &str,
    path: &str,
    query: &str,
    token: Option<String>,
) -> (u16, String) {
    let cloud = Cloud::named(&estate.cloud()).unwrap();
    let tokens = Tokens::from_environment(&cloud, &|name| estate.variable(name)).unwrap();
    let url = format!("{}{path}", cloud.gateway_url(service));
    let body = serde_json::json!({ "query": query }).to_string();
    let mut headers = vec![("Content-Type".into(), Secret::new("application/json"))];
    if let Some(token) = token {
        headers.push((
            "Authorization".into(),
            Secret::new(format!("Bearer {token}")),
        ));
    }
    let probe = Probe {
        url,
        method: "POST".into(),
        headers,
        body: Some(body),
    };
    let answer = Arm::new(cloud, tokens).probe(&probe).await.unwrap();
    (answer.status, answer.body)
}

/// Asserts that the API answers with data.
pub async fn answers(estate: &Estate, service: &str, path: &str, query: &str) {
    let (status, body) = call(estate, service, path, query).await;
    assert!(
        status == 200 && !body.contains("\"errors\""),
        "{path}: {status} {body}"
    );
}

pub type Sql = Client<Compat<TcpStream>>;

/// Logs in to a database; the error is the server's number.
pub async fn log_in(
    estate: &Estate,
    server: &str,
    database: &str,
    how: AuthMethod,
) -> Result<Sql, u32> {
    let mut config = Config::new();
    config.host(format!("{server}.database.localhost"));
    config.port(estate.emulator.sql_port());
    config.database(database);
    config.encryption(EncryptionLevel::Required);
    config.authentication(how);
    config.trust_cert_ca(estate.ca());
    let stream = TcpStream::connect(("127.0.0.1", estate.emulator.sql_port()))
        .await
        .unwrap();
    match Client::connect(config, stream.compat_write()).await {
        Ok(client) => Ok(client),
        Err(error) => Err(error.code().unwrap_or_else(|| panic!("no number: {error}"))),
    }
}

/// Runs a statement; the error is the server's number.
pub async fn run(client: &mut Sql, statement: &str) -> Result<usize, u32> {
    let outcome = async { client.simple_query(statement).await?.into_results().await }.await;
    match outcome {
        Ok(sets) => Ok(sets.last().map_or(0, Vec::len)),
        Err(error) => Err(error.code().unwrap_or_else(|| panic!("no number: {error}"))),
    }
}

/// A token of the gateway's own identity for SQL, as the gateway gets it.
pub fn identity_token(estate: &Estate, service: &str) -> AuthMethod {
    AuthMethod::aad_token(token(estate, service, "https://database.windows.net"))
}

/// A token of whoever has this name in the directory.
pub fn token(estate: &Estate, name: &str, audience: &str) -> String {
    let directory = estate.emulator.directory();
    let found = directory.by_display_name(name);
    let principal = found.first().expect("the directory has the name");
    directory.issue(principal, audience, 3_600)
}
