//! Logins that the host gives: the metadata service, an identity endpoint, the Azure CLI.
//!
//! azure_identity reads the process's own environment and starts `az` from the process's own PATH,
//! so those tests run this very program again, with an environment of their own.

use std::path::Path;
use std::process::Stdio;

use super::*;

/// Names the file into which [`child`] writes what it got.
const OUTCOME: &str = "KEYLESS_TEST_OUTCOME";
const ENDS: i64 = 4_102_444_800;

/// Asks for a token as any run does, and writes down whom it names or why there is none.
#[tokio::test]
#[ignore = "the other side of the tests below, which start it"]
async fn child() {
    let variable = |name: &str| std::env::var(name).ok();
    let Some(outcome) = variable(OUTCOME) else {
        return;
    };
    let cloud = Cloud::named("public").unwrap();
    let tokens = Tokens::from_environment(&cloud, &variable).unwrap();
    let got = match tokens.principal().await {
        Ok(who) => format!("{} of {}", who.object_id, who.tenant),
        Err(error) => format!("{error} {error:?}"),
    };
    std::fs::write(outcome, got).unwrap();
}

/// What the child got with this environment and no other.
async fn outcome(environment: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("outcome");
    let program = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new(program);
    command
        .args(["credential::tests::host::child", "--exact", "--ignored"])
        .env_clear()
        .envs(environment.iter().copied())
        .env(OUTCOME, &file)
        .stdout(Stdio::null());
    let run = tokio::task::spawn_blocking(move || command.status().unwrap());
    assert!(run.await.unwrap().success());
    std::fs::read_to_string(file).unwrap()
}

fn token_of_the_host() -> Reply {
    let body = json!({ "access_token": token(), "expires_on": ENDS.to_string(),
        "resource": "https://management.azure.com", "token_type": "Bearer" });
    Reply::json(200, body)
}

#[tokio::test]
async fn an_identity_endpoint_is_asked_past_every_proxy() {
    let server = Server::start(|_, _| token_of_the_host()).await;
    let endpoint = format!("http://127.0.0.1:{}/msi/token", server.port);
    let got = outcome(&[
        ("IDENTITY_ENDPOINT", &endpoint),
        ("IDENTITY_HEADER", "header-tiger-7"),
        ("AZURE_CLIENT_ID", CLIENT),
        ("HTTP_PROXY", "http://proxy.invalid:3128"),
    ])
    .await;
    assert_eq!(got, format!("o-1 of {TENANT}"));
    let seen = &server.seen()[0];
    assert_eq!(seen.header("x-identity-header"), "header-tiger-7");
    assert!(seen.target.starts_with("/msi/token?"), "{}", seen.target);
    let resource = "resource=https%3A%2F%2Fmanagement.azure.com";
    assert!(seen.target.contains(resource), "{}", seen.target);
    assert!(seen.target.contains(CLIENT), "{}", seen.target);
}

#[tokio::test]
async fn an_identity_endpoint_that_says_no_is_named() {
    let server = Server::start(|seen, _| {
        let said = format!("no identity for {}", seen.header("x-identity-header"));
        Reply::json(400, json!({ "statusCode": 400, "message": said }))
    })
    .await;
    let endpoint = format!("http://127.0.0.1:{}/msi/token", server.port);
    let got = outcome(&[
        ("IDENTITY_ENDPOINT", &endpoint),
        ("IDENTITY_HEADER", "secret=tiger-7"),
    ])
    .await;
    assert!(got.contains("the managed identity of this host"), "{got}");
    assert!(!got.contains("tiger-7"), "{got}");
}

/// The address of the metadata service is fixed in azure_identity and cannot be listened on, so a
/// proxy of our own stands in the way: the whole login is real but for the last hop.
#[tokio::test]
async fn the_metadata_service_gives_a_token() {
    let server = Server::start(|_, _| token_of_the_host()).await;
    let cloud = Cloud::named("public").unwrap();
    let variable = |name: &str| match name {
        "KEYLESS_USE_IMDS" => Some("1".to_owned()),
        _ => None,
    };
    let proxy = reqwest::Proxy::http(format!("http://127.0.0.1:{}", server.port)).unwrap();
    let detour = reqwest::Client::builder().proxy(proxy).build().unwrap();
    let source = choose(&variable).unwrap();
    let tokens = Tokens::with_direct(&cloud, source, detour).unwrap();
    let who = tokens.principal().await.unwrap();
    assert_eq!(
        (who.object_id.as_str(), who.tenant.as_str()),
        ("o-1", TENANT)
    );
    let seen = &server.seen()[0];
    assert_eq!(seen.header("host"), "169.254.169.254");
    assert_eq!(seen.header("metadata"), "true");
    let path = "/metadata/identity/oauth2/token?";
    assert!(seen.target.starts_with(path), "{}", seen.target);
    assert_eq!(seen.method, "GET");
}

/// A program `az` in a folder of its own.
#[cfg(unix)]
fn az(script: &str) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("az");
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

#[cfg(unix)]
async fn with_az(folder: &Path, more: &[(&str, &str)]) -> String {
    let path = folder.display().to_string();
    outcome(&[&[("PATH", path.as_str())], more].concat()).await
}

#[cfg(unix)]
#[tokio::test]
async fn the_azure_cli_gives_a_token_of_the_tenant() {
    let answer = json!({ "accessToken": token(), "expires_on": ENDS, "tokenType": "Bearer" });
    let folder = az(&format!(
        "echo \"$*\" >\"${{0%/*}}/asked\"\necho '{answer}'"
    ));
    let got = with_az(folder.path(), &[("AZURE_TENANT_ID", TENANT)]).await;
    assert_eq!(got, format!("o-1 of {TENANT}"));
    let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
    assert_eq!(
        asked.trim_end(),
        format!(
            "account get-access-token -o json --scope https://management.azure.com/.default \
             --tenant {TENANT}"
        )
    );
}

#[cfg(unix)]
#[tokio::test]
async fn what_the_azure_cli_says_is_passed_on_without_a_secret() {
    let folder = az("echo 'ERROR: Please run az login. refresh_token=tiger-7' >&2\nexit 1");
    let got = with_az(folder.path(), &[]).await;
    assert!(got.contains("Please run az login"), "{got}");
    assert!(!got.contains("tiger-7"), "{got}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_host_without_the_azure_cli_is_told_so() {
    let empty = tempfile::tempdir().unwrap();
    let got = with_az(empty.path(), &[]).await;
    assert!(got.contains("az not found on PATH"), "{got}");
}
