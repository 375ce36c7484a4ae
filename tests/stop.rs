//! Ctrl-C in the middle of an apply: what is under way is recorded, and the same command goes on.

use std::process::Command;
use std::time::Duration;

use keyless_emulator::Fault;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::estate::Estate;

/// The program must end long before this; it only keeps a hung one from hanging the test.
const LIMIT: Duration = Duration::from_secs(60);

/// Sends SIGINT, as a terminal does.
fn interrupt(process: u32) {
    let sent = Command::new("kill")
        .args(["-INT", &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Runs apply, interrupts it at the first line on stderr with this text, and lets it end: its exit
/// code and what it said.
async fn interrupted_at(estate: &Estate, text: &str) -> (Option<i32>, String) {
    let mut child = estate.spawn(&["apply", "plan.json", "--verbose"]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut told = String::new();
    let mut sent = false;
    // The pipe ends when the program does.
    let listening = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            told.push_str(&line);
            told.push('\n');
            if !sent && line.contains(text) {
                interrupt(child.id().unwrap());
                sent = true;
            }
        }
    };
    tokio::time::timeout(LIMIT, listening).await.unwrap();
    let status = child.wait().await.unwrap();
    estate.keep("stderr of an interrupted apply", &told);
    assert!(sent && told.contains("stopping"), "{told}");
    (status.code(), told)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_a_wait_of_minutes_and_nothing_is_tried_after_it() {
    let estate = Estate::direct().await;
    estate.keyless(&["plan", "-o", "plan.json"]).await.exits(2);
    estate.emulator.add_fault(Fault {
        verb: Some("PUT".into()),
        path: "/namedValues/keyless-orders-read".into(),
        status: 429,
        code: "TooManyRequests".into(),
        retry_after: Some(240),
        times: 0,
        ..Fault::default()
    });
    let (code, told) = interrupted_at(&estate, "trying again in 240 s").await;
    assert_eq!(code, Some(1), "{told}");
    let (before, _) = told.split_once("stopping").unwrap();
    assert_eq!(
        told.matches("status=429").count(),
        before.matches("status=429").count()
    );
    estate.emulator.clear_faults();
    estate.keyless(&["apply", "plan.json"]).await.exits(3);
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_apply_records_explains_and_goes_on() {
    let estate = Estate::direct().await;
    estate.keyless(&["plan", "-o", "plan.json"]).await.exits(2);
    let (code, told) = interrupted_at(&estate, "✓ grant/").await;
    assert_eq!(code, Some(3), "{told}");

    // Nothing is lost: the second run ends where an undisturbed one would.
    let again = estate.keyless(&["apply", "plan.json"]).await.exits(3);
    again.says("confirm/apim:contoso/access:orders-read");
    let state = estate.keyless(&["state"]).await.exits(0);
    state.says("orders-read");
    estate.keeps_secrets();
}
