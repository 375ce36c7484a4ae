//! What is asked of the emulator, measured (docs/emulator.md, Measured): how long 10,000 entities take to seed, how much
//! memory they hold, how many GETs a second it answers, and how late the slowest answers come at 500
//! requests a second. The client runs in the same process, so it takes its share of the processor.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement stops where it stands, and prints"
)]

#[path = "../tests/http/secure.rs"]
mod secure;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use keyless_emulator::{Emulator, Options, Seed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

const SERVICE: &str =
    "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.ApiManagement/service/harbour";
const CLIENT: &str = "00000000-0000-4000-8000-00000000c1c1";
/// APIs of the seed, and operations of each; with a policy on each of both, a named value and a
/// backend for each API, and the service itself, 10,001 entities.
const APIS: usize = 100;
const OPERATIONS: usize = 48;
/// Connections that are kept open, and requests that are made in all.
const CONNECTIONS: usize = 8;
const REQUESTS: usize = 40_000;
/// The steady rate: requests a second, and for how many seconds.
const RATE: usize = 500;
const SECONDS: usize = 10;

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let before = resident();
    let text = seed();
    let begin = Instant::now();
    let seed = Seed::parse(&text).unwrap();
    let parsed = begin.elapsed();
    let dir = std::env::temp_dir().join(format!("keyless-measure-{}", std::process::id()));
    let options = Options {
        seed,
        dir: dir.clone(),
        https_port: 0,
        sql_port: 0,
    };
    let emulator = Emulator::start(options).await.unwrap();
    let seeded = begin.elapsed();
    drop(text);
    let count = 1 + APIS * (4 + 2 * OPERATIONS);
    println!("{count} entities seeded in {seeded:.2?}, of which reading the YAML {parsed:.2?}");
    println!(
        "memory: {} MiB more than before",
        resident().saturating_sub(before)
    );

    let (rate, slowest) = as_fast_as_it_goes(&emulator).await;
    println!("{rate:.0} GETs a second over {CONNECTIONS} connections, p99 {slowest:.2?}");
    let (median, slowest) = steadily(&emulator).await;
    println!("at {RATE} GETs a second: median {median:.2?}, p99 {slowest:.2?}");
    println!(
        "memory at the end: {} MiB more",
        resident().saturating_sub(before)
    );
    emulator.stop().await;
    std::fs::remove_dir_all(dir).unwrap();
}

/// The resident memory of this process in MiB; 0 where the system does not tell it so.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or_default() / 1024
}

fn seed() -> String {
    let mut text = format!(
        "tenant: 11111111-2222-3333-4444-555555555555\n\
         principals:\n  - {{ name: measure, kind: application, \
         objectId: 00000000-0000-4000-8000-00000000d1d1, clientId: {CLIENT}, secret: none }}\n\
         roles:\n  - {{ principal: measure, role: Reader }}\nresources:\n  - id: {SERVICE}\n"
    );
    let mut put = |id: &str, properties: &str| {
        let _ = write!(
            text,
            "  - id: {SERVICE}/{id}\n    body: {{ properties: {properties} }}\n"
        );
    };
    let policy = |api: usize| {
        let set = format!(
            "<set-header name=\\\"x-key\\\" exists-action=\\\"override\\\"><value>{{{{key-{api}}}}}</value></set-header>"
        );
        format!(
            "{{ format: rawxml, value: \"<policies><inbound><base />{set}</inbound></policies>\" }}"
        )
    };
    for api in 0..APIS {
        put(
            &format!("namedValues/key-{api}"),
            &format!("{{ displayName: key-{api}, secret: true, value: plainly-fake-{api} }}"),
        );
        put(
            &format!("backends/b-{api}"),
            &format!("{{ url: \"https://b-{api}.contoso.example\", protocol: http }}"),
        );
        put(
            &format!("apis/a-{api}"),
            &format!("{{ displayName: A {api}, path: a/{api}, protocols: [https] }}"),
        );
        put(&format!("apis/a-{api}/policies/policy"), &policy(api));
        for operation in 0..OPERATIONS {
            let id = format!("apis/a-{api}/operations/o-{operation}");
            put(
                &id,
                &format!(
                    "{{ displayName: O {operation}, method: GET, urlTemplate: \"/o/{operation}\" }}"
                ),
            );
            put(&format!("{id}/policies/policy"), &policy(api));
        }
    }
    text
}

/// Every connection asks as soon as it has its answer: GETs a second, and the slowest but 1 %.
async fn as_fast_as_it_goes(emulator: &Emulator) -> (f64, Duration) {
    let begin = Instant::now();
    let each = REQUESTS / CONNECTIONS;
    let late = all(emulator, each, |_, _| Instant::now()).await;
    let rate = REQUESTS as f64 / begin.elapsed().as_secs_f64();
    (rate, at(&late, 99))
}

/// Requests at set times, whether or not the ones before have been answered; a latency counts from
/// when its request was due. Median and slowest but 1 %.
async fn steadily(emulator: &Emulator) -> (Duration, Duration) {
    let begin = Instant::now() + Duration::from_millis(200);
    let each = RATE * SECONDS / CONNECTIONS;
    let late = all(emulator, each, move |connection, turn| {
        let number = turn * CONNECTIONS + connection;
        begin + Duration::from_secs_f64(number as f64 / RATE as f64)
    })
    .await;
    (at(&late, 50), at(&late, 99))
}

/// The value that so many percent of a sorted list stay below.
fn at(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// Makes `each` requests on every connection, when `due` says; the latencies, sorted.
async fn all(
    emulator: &Emulator,
    each: usize,
    due: impl Fn(usize, usize) -> Instant + Copy + Send + 'static,
) -> Vec<Duration> {
    let principal = emulator.directory().by_client_id(CLIENT).unwrap();
    let audience = "https://management.azure.com";
    let token = emulator.directory().issue(&principal, audience, 3_600);
    let mut tasks = tokio::task::JoinSet::new();
    for connection in 0..CONNECTIONS {
        let mut stream = secure::connect(emulator, "management.localhost").await;
        let token = token.clone();
        tasks.spawn(async move {
            let mut late = Vec::with_capacity(each);
            for turn in 0..each {
                let due = due(connection, turn);
                // Even a sleep that is over already may last until the timer's next millisecond.
                if due > Instant::now() {
                    tokio::time::sleep_until(due.into()).await;
                }
                get(&mut stream, &path(connection + turn * CONNECTIONS), &token).await;
                late.push(due.elapsed());
            }
            late
        });
    }
    let mut late: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    late.sort_unstable();
    late
}

/// An entity of the seed: operations, policies, named values and backends by turns.
fn path(number: usize) -> String {
    let (api, operation) = (number * 7 % APIS, number * 11 % OPERATIONS);
    match number % 4 {
        0 => format!("{SERVICE}/apis/a-{api}/operations/o-{operation}"),
        1 => format!("{SERVICE}/apis/a-{api}/operations/o-{operation}/policies/policy"),
        2 => format!("{SERVICE}/namedValues/key-{api}"),
        _ => format!("{SERVICE}/backends/b-{api}"),
    }
}

/// One GET on a connection that stays open; anything but 200 ends the measurement.
async fn get(stream: &mut TlsStream<TcpStream>, path: &str, token: &str) {
    let request = format!(
        "GET {path}?api-version=2024-05-01 HTTP/1.1\r\nHost: management.localhost\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::with_capacity(2_048);
    let body = loop {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "cut off");
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..body]).to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let end = body + length.unwrap().trim().parse::<usize>().unwrap();
    while bytes.len() < end {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "cut off");
    }
}
