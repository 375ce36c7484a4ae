//! The services at their most awkward, and a process that dies: nothing is lost, nothing is done
//! twice, and every message says what happened.

use keyless_emulator::{Fault, FaultEffect};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::estate::Estate;

fn fault(verb: &str, path: &str) -> Fault {
    Fault {
        verb: Some(verb.into()),
        path: path.into(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_is_waited_out_as_long_as_it_says() {
    let estate = Estate::direct().await;
    estate.emulator.add_fault(Fault {
        status: 429,
        code: "TooManyRequests".into(),
        retry_after: Some(0),
        times: 2,
        ..fault("GET", "/apis")
    });
    estate.keyless(&["plan"]).await.exits(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_fails_late_is_told_with_its_code_and_goes_on_when_run_again() {
    let estate = Estate::direct().await;
    estate.keyless(&["plan", "-o", "plan.json"]).await.exits(2);
    estate.emulator.add_fault(Fault {
        effect: FaultEffect::Late,
        code: "ValidationError".into(),
        message: "The value is refused in the end.".into(),
        ..fault("PUT", "/namedValues/keyless-orders-read")
    });
    // The request that was refused holds the literal that it parks.
    let failed = ["apply", "plan.json", "--verbose"];
    let failed = estate.keyless(&failed).await.exits(1);
    failed
        .says("verb=\"PUT\"")
        .says("ValidationError")
        .says("The value is refused in the end")
        .says("next:");
    estate.keyless(&["apply", "plan.json"]).await.exits(3);
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_changed_since_the_plan_is_left_alone() {
    let estate = Estate::direct().await;
    estate.keyless(&["plan", "-o", "plan.json"]).await.exits(2);
    estate.emulator.add_fault(Fault {
        status: 412,
        code: "PreconditionFailed".into(),
        times: 0,
        ..fault("PUT", "/apis/customers/resolvers/query-customer/policies")
    });
    estate
        .keyless(&["apply", "plan.json"])
        .await
        .exits(1)
        .says("customers");
    estate.emulator.clear_faults();
    estate.keyless(&["apply", "plan.json"]).await.exits(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_came_is_looked_up_and_not_sent_twice() {
    let estate = Estate::direct().await;
    estate.keyless(&["plan", "-o", "plan.json"]).await.exits(2);
    estate.emulator.add_fault(Fault {
        effect: FaultEffect::DropAfter,
        ..fault("PUT", "/apis/customers/resolvers/mutation-rename/policies")
    });
    estate.keyless(&["apply", "plan.json"]).await.exits(3);
}

/// Starts apply and kills it at the first line on stderr that is `enough`. False when it came to
/// its end before. The pipe ends when the program does.
async fn killed_at(estate: &Estate, enough: impl Fn(&str) -> bool) -> bool {
    let mut child = estate.spawn(&["apply", "plan.json", "--verbose"]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    let mut killed = false;
    while let Some(line) = lines.next_line().await.unwrap() {
        said.push_str(&line);
        said.push('\n');
        killed = enough(&line);
        if killed {
            child.kill().await.unwrap();
            break;
        }
    }
    estate.keep("stderr of a run that is killed", &said);
    killed
}

/// A line that says that a step is done.
fn is_done(line: &str) -> bool {
    line.starts_with("  ✓ ")
}

/// A line that says that Azure took a write, which is in the middle of a step.
fn is_written(line: &str) -> bool {
    ["PUT", "PATCH", "DELETE"]
        .iter()
        .any(|verb| line.contains(&format!("verb=\"{verb}\"")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_anywhere_goes_on_where_it_stopped() {
    let estate = Estate::direct().await;
    estate.keyless(&["plan", "-o", "plan.json"]).await.exits(2);
    // In the middle of a step, then after one.
    let mut kills = 0;
    while killed_at(&estate, |l| is_done(l) || kills % 2 == 0 && is_written(l)).await {
        kills += 1;
    }
    assert!(kills > 15, "only {kills} kills");
    estate.keyless(&["apply", "plan.json"]).await.exits(3);
    // What can be made only once was made once: a second identity would have another client id.
    let enabled = estate
        .requests()
        .into_iter()
        .filter(|(verb, path, _)| verb == "PATCH" && path.ends_with("/service/contoso-apim"));
    let times: u64 = enabled.map(|(_, _, count)| count).sum();
    assert!(times <= 2, "the identity was enabled {times} times");
    estate.keyless(&["plan"]).await.exits(2);
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_the_login_got_after_the_plan_keeps_the_login_open() {
    let estate = Estate::direct().await;
    estate
        .keyless(&["plan", "--inspect-secrets", "-o", "plan.json"])
        .await
        .exits(2);
    estate.keyless(&["apply", "plan.json"]).await.exits(3);
    let sql = estate.emulator.sql();
    let script = "CREATE USER batch FOR LOGIN orders_app";
    sql.run_script("contoso-orders-sql", "customers", script)
        .unwrap();
    estate.emulator.advance(7 * 86_400 + 60);
    let said = estate.keyless(&["apply", "plan.json"]).await.exits(1);
    said.says("disable/sql:orders-sql/login:orders_app")
        .says("user:batch");
    estate
        .keyless(&["plan"])
        .await
        .exits(2)
        .says("it is also used by");
}
