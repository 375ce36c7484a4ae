//! Ctrl-C in the middle of an apply: what is under way is recorded, and the same command goes on.

use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};

use crate::estate::Estate;

/// Sends SIGINT, as a terminal does.
fn interrupt(process: u32) {
    let sent = Command::new("kill")
        .args(["-INT", &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_apply_records_explains_and_goes_on() {
    let estate = Estate::direct().await;
    estate.keyless(&["plan", "-o", "plan.json"]).await.exits(2);
    let mut child = estate.spawn(&["apply", "plan.json"]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut told = String::new();
    let mut sent = false;
    // The pipe ends when the program does; the limit only keeps a hung one from hanging the test.
    let listening = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            told.push_str(&line);
            told.push('\n');
            if !sent && line.contains("✓ grant/") {
                interrupt(child.id().unwrap());
                sent = true;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), listening)
        .await
        .unwrap();
    let status = child.wait().await.unwrap();
    assert!(sent, "{told}");
    assert!(told.contains("stopping"), "{told}");
    assert_eq!(status.code(), Some(3), "{told}");

    // Nothing is lost: the second run ends where an undisturbed one would.
    let again = estate.keyless(&["apply", "plan.json"]).await.exits(3);
    again.says("confirm/apim:contoso/access:orders-read");
    let state = estate.keyless(&["state"]).await.exits(0);
    state.says("orders-read");
    estate.keeps_secrets();
}
