//! What can go wrong on the way: answers that are late, half, missing, or of a second request.

use std::time::{Duration, Instant};

use keyless_emulator::{Fault, FaultEffect};
use serde_json::{Value, json};

use super::support::{SERVICE, World, start};

fn ask(world: &World, effect: FaultEffect, delay: u64) {
    world.emulator.add_fault(Fault {
        path: "/tags/".into(),
        effect,
        delay,
        ..Fault::default()
    });
}

async fn put(world: &World, headers: &[(&str, &str)]) -> u16 {
    let body = json!({"properties": {"displayName": "t"}});
    let path = format!("{SERVICE}/tags/t");
    world.arm("PUT", &path, headers, &body).await.status
}

#[tokio::test]
async fn a_slow_answer_is_right_and_late() {
    let world = start().await;
    ask(&world, FaultEffect::Slow, 40);
    let begin = Instant::now();
    assert_eq!(put(&world, &[]).await, 201);
    assert!(begin.elapsed() >= Duration::from_millis(40));
}

#[tokio::test]
async fn a_request_that_arrives_twice_meets_itself() {
    let world = start().await;
    ask(&world, FaultEffect::Twice, 0);
    assert_eq!(put(&world, &[("If-None-Match", "*")]).await, 412);
    let tag = world.get(&format!("{SERVICE}/tags/t")).await;
    assert_eq!(tag.status, 200, "the first one had its effect");
}

#[tokio::test]
async fn a_truncated_answer_is_shorter_than_it_says() {
    let world = start().await;
    put(&world, &[]).await;
    ask(&world, FaultEffect::Truncate, 0);
    let cut = world.get(&format!("{SERVICE}/tags/t")).await;
    let said: usize = cut.header("content-length").unwrap().parse().unwrap();
    assert_eq!((cut.status, cut.text.len()), (200, said / 2));
    assert_eq!(cut.json(), Value::Null);
}

#[tokio::test]
async fn a_request_that_hangs_has_its_effect() {
    let world = start().await;
    ask(&world, FaultEffect::Hang, 0);
    let seen = async {
        // The tags in the list; their own paths would ask for the fault as well.
        let list = format!("{SERVICE}/tags");
        while world.get(&list).await.json()["count"] != 1 {}
    };
    tokio::select! {
        status = put(&world, &[]) => panic!("answered with {status}"),
        () = seen => {}
    }
}
