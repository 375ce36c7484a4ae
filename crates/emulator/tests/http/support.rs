//! A client of the tests' own: HTTP/1.1 by hand over rustls, so that nothing of the emulator or of
//! the product stands between a test and the wire.

use keyless_emulator::{Emulator, Options, Seed};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::secure;

pub const SERVICE: &str =
    "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.ApiManagement/service/harbour";
pub const SERVER: &str = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Sql/servers/quay";

pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

pub struct World {
    pub emulator: Emulator,
    pub token: String,
    folder: std::path::PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub async fn start() -> World {
    start_with(include_str!("../seeds/small.yaml")).await
}

/// Starts with the seed of this text.
pub async fn start_with(seed: &str) -> World {
    let seed = Seed::parse(seed).unwrap();
    let number = rand_name();
    let folder = std::env::temp_dir().join(format!("keyless-emulator-{number}"));
    let options = Options {
        seed,
        dir: folder.clone(),
        https_port: 0,
        sql_port: 0,
    };
    let emulator = Emulator::start(options).await.unwrap();
    let mut world = World {
        emulator,
        token: String::new(),
        folder,
    };
    world.token = world.token_for("keyless-apply").await;
    world
}

fn rand_name() -> String {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    format!("{}-{next}", std::process::id())
}

pub fn credentials(world: &World, name: &str) -> (String, String, String) {
    let variables = world.emulator.environment_of(name);
    let value = |at: usize| variables[at].1.clone();
    (value(0), value(1), value(2))
}

impl World {
    /// A token for Resource Manager of one of the seed's applications.
    pub async fn token_for(&self, name: &str) -> String {
        let (_, client, secret) = credentials(self, name);
        self.token_of(&client, &secret).await
    }

    pub async fn token_of(&self, client: &str, secret: &str) -> String {
        self.token_to("management.azure.com", client, secret).await
    }

    /// A token for the query endpoint of Log Analytics of one of the seed's applications.
    pub async fn log_token(&self, name: &str) -> String {
        let (_, client, secret) = credentials(self, name);
        let host = "api.loganalytics.azure.com";
        self.token_to(host, &client, &secret).await
    }

    async fn token_to(&self, host: &str, client: &str, secret: &str) -> String {
        let body = format!(
            "grant_type=client_credentials&client_id={client}&client_secret={secret}\
             &scope=https%3A%2F%2F{host}%2F.default"
        );
        let path = "/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token";
        let answer = self
            .send("POST", "login.localhost", path, &[], &body)
            .await
            .unwrap();
        answer.json()["access_token"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Asks Log Analytics about the last hour.
    pub async fn ask_log(&self, token: &str, query: &str) -> (u16, Value) {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str())];
        let body = json!({"query": query, "timespan": "PT1H"}).to_string();
        let path = "/v1/workspaces/aaaaaaaa-0000-4000-8000-000000000009/query";
        let host = "api.loganalytics.localhost";
        let answer = self.send("POST", host, path, &headers, &body).await;
        let answer = answer.unwrap();
        (answer.status, answer.json())
    }

    /// A call to Resource Manager as the operator.
    pub async fn arm(
        &self,
        verb: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        self.arm_as(&self.token, verb, path, headers, body).await
    }

    pub async fn arm_as(
        &self,
        token: &str,
        verb: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let mark = if path.contains('?') { '&' } else { '?' };
        let version = if path.contains("api-version=") {
            String::new()
        } else {
            format!("{mark}api-version=2024-05-01")
        };
        let bearer = format!("Bearer {token}");
        let mut all = vec![("Authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let path = format!("{path}{version}");
        self.send(verb, "management.localhost", &path, &all, &body)
            .await
            .unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.arm("GET", path, &[], &Value::Null).await
    }

    /// A PUT whose operation, if it began one, has ended; the first answer.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        let answer = self.arm("PUT", path, &[], body).await;
        if answer.header("Azure-AsyncOperation").is_some() {
            self.finish(&answer, "Azure-AsyncOperation").await;
        }
        answer
    }

    /// Polls the address of a header until it is no longer in progress.
    pub async fn finish(&self, accepted: &Answer, header: &str) -> Answer {
        let url = accepted.header(header).unwrap();
        let path = url.splitn(4, '/').nth(3).unwrap();
        loop {
            let answer = self.get(&format!("/{path}")).await;
            if answer.status != 202 && answer.json()["status"] != "InProgress" {
                return answer;
            }
        }
    }

    /// One request on a connection of its own; `None` when it closes without an answer.
    pub async fn send(
        &self,
        verb: &str,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Answer> {
        let port = self.emulator.https_port();
        let mut tls = secure::connect(&self.emulator, host).await;
        tls.write_all(message(verb, &format!("{host}:{port}"), path, headers, body).as_bytes())
            .await
            .unwrap();
        let mut bytes = Vec::new();
        let _ = tls.read_to_end(&mut bytes).await;
        parse(&bytes)
    }

    /// One request to the plain listener.
    pub async fn control(
        &self,
        verb: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let host = self.emulator.control_url().replace("http://", "");
        let mut tcp = TcpStream::connect(&host).await.unwrap();
        tcp.write_all(message(verb, &host, path, headers, body).as_bytes())
            .await
            .unwrap();
        let mut bytes = Vec::new();
        let _ = tcp.read_to_end(&mut bytes).await;
        parse(&bytes).unwrap()
    }
}

fn message(verb: &str, host: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{verb} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let is_named = |name: &&str| name.eq_ignore_ascii_case("content-type");
    if !headers.iter().any(|(name, _)| is_named(name)) {
        text.push_str("Content-Type: application/json\r\n");
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    text
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Some(Answer {
        status,
        headers,
        text: body.to_owned(),
    })
}
