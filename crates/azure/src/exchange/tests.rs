use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use keyless_model::ArmId;
use serde_json::json;

use super::*;
use crate::apim;
use crate::client::Pace;
use crate::cloud::Cloud;
use crate::credential::Tokens;
use crate::test_log::Log;
use crate::test_server::{Reply as Answer, Server};

const SERVICE: &str = "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/rg/\
                       providers/Microsoft.ApiManagement/service/contoso";
const SUBSCRIPTION: &str = "00000000-0000-0000-0000-00000000000a";

fn contoso() -> ArmId {
    ArmId::parse(SERVICE).unwrap()
}

fn arm(port: u16) -> Arm {
    let pace = Pace {
        backoff: Duration::ZERO,
        poll: Duration::ZERO,
        ..Pace::default()
    };
    let cloud = Cloud::plain_http(port);
    let tokens = Tokens::fixed(&cloud, "token-tiger-1");
    Arm::with_pace(cloud, tokens, pace)
}

fn call(arm: &Arm, request: &Request) -> Call {
    arm.call(request).unwrap()
}

fn read_call(arm: &Arm) -> Call {
    call(arm, &apim::service(&contoso()).unwrap())
}

fn write_call(arm: &Arm) -> Call {
    call(arm, &apim::patch_service(&contoso(), json!({})).unwrap())
}

/// An answer of one header.
fn reply(status: u16, name: &'static str, value: &str) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(name, value.parse().unwrap());
    Reply {
        status,
        headers,
        body: Bytes::new(),
    }
}

/// A client that keeps what it tells.
fn telling(arm: Arm) -> (Arm, impl Fn() -> Vec<Waiting>) {
    let kept: std::sync::Arc<Mutex<Vec<Waiting>>> = std::sync::Arc::default();
    let told = std::sync::Arc::clone(&kept);
    let arm = arm.telling(std::sync::Arc::new(move |w| told.lock().unwrap().push(w)));
    (arm, move || kept.lock().unwrap().clone())
}

fn unavailable() -> Answer {
    let error = json!({ "code": "ServiceUnavailable", "message": "later" });
    Answer::json(503, json!({ "error": error }))
}

#[test]
fn an_error_is_read_with_its_details() {
    let body = json!({ "error": { "code": "ValidationError", "message": "One or more fields",
        "details": [{ "code": "ValidationError", "target": "name", "message": "taken" }] } });
    let read = refusal(&body, &[]);
    assert_eq!(read.code, "ValidationError");
    assert_eq!(read.details, ["ValidationError: name: taken"]);
    assert_eq!(
        refusal(&json!({ "code": "X", "message": "y" }), &[]).code,
        "X"
    );
    assert_eq!(refusal(&Value::Null, &[]).code, "");
}

#[test]
fn a_retry_date_counts_from_the_services_clock() {
    let mut headers = HeaderMap::new();
    headers.insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
    headers.insert(
        "retry-after",
        "Sun, 06 Nov 1994 08:50:07 GMT".parse().unwrap(),
    );
    assert_eq!(retry_after(&headers), Some(Duration::from_secs(30)));
    headers.insert("retry-after", "17".parse().unwrap());
    assert_eq!(retry_after(&headers), Some(Duration::from_secs(17)));
    headers.insert("retry-after", "soon".parse().unwrap());
    assert_eq!(retry_after(&headers), None);
}

#[tokio::test(start_paused = true)]
async fn a_429_closes_the_subscription_to_its_class_for_as_long_as_it_says() {
    let arm = arm(1);
    let call = read_call(&arm);
    arm.heard(&call, None, &reply(429, "retry-after", "17"));
    let closed = |class| arm.budget().closed(SUBSCRIPTION, class);
    assert_eq!(closed(Class::Read), Duration::from_secs(17));
    assert_eq!(closed(Class::Write), Duration::ZERO);
    arm.heard(&call, None, &reply(429, "retry-after", "3600"));
    arm.heard(&call, None, &reply(503, "retry-after", "60"));
    assert_eq!(closed(Class::Read), Duration::from_secs(17));
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_the_budget_and_tells_of_it() {
    let (arm, told) = telling(arm(1));
    let call = write_call(&arm);
    let left = "x-ms-ratelimit-remaining-subscription-writes";
    arm.heard(&call, None, &reply(200, left, "0"));
    let began = Instant::now();
    // Ten tokens come back each second: this one is the first, then the twelfth.
    arm.admitted(&call, 1).await.unwrap();
    // The paused clock moves in steps of a millisecond.
    let waited = began.elapsed().as_millis();
    assert!((100..=101).contains(&waited), "{waited}");
    assert_eq!(told(), [], "too short to tell");
    for _ in 0..10 {
        arm.budget().take(SUBSCRIPTION, Class::Write);
    }
    arm.admitted(&call, 1).await.unwrap();
    let told = told();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].verb, &told[0].cause),
        (Verb::Patch, &Cause::Budget)
    );
    assert_eq!(
        (told[0].path.as_str(), told[0].wait.as_secs()),
        (SERVICE, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waited_waits_again_if_another_was_refused_meanwhile() {
    let (arm, told) = telling(arm(1));
    let call = read_call(&arm);
    let second = Duration::from_secs(1);
    arm.budget().close(SUBSCRIPTION, Class::Read, second);
    let later = async {
        tokio::time::sleep(second / 2).await;
        arm.budget().close(SUBSCRIPTION, Class::Read, 3 * second);
    };
    let began = Instant::now();
    let (slot, ()) = tokio::join!(arm.admitted(&call, 1), later);
    slot.unwrap();
    assert!(began.elapsed() >= second * 7 / 2);
    assert_eq!(told().len(), 2);
}

#[tokio::test]
async fn reads_wait_for_a_slot_and_writes_do_not() {
    let arm = arm(1);
    let (read, write) = (read_call(&arm), write_call(&arm));
    let mut held: Vec<_> = std::iter::from_fn(|| arm.admitted(&read, 1).now_or_never()).collect();
    assert_eq!(held.len(), 8);
    assert!(arm.admitted(&write, 1).now_or_never().is_some());
    let slot = held.pop().unwrap();
    arm.heard(
        &read,
        slot.as_ref().ok().and_then(Option::as_ref),
        &reply(429, "date", "now"),
    );
    drop((slot, held));
    let held: Vec<_> = std::iter::from_fn(|| arm.admitted(&read, 1).now_or_never()).collect();
    assert_eq!(held.len(), 4, "a 429 halves them");
}

#[tokio::test]
async fn each_retry_is_told_with_its_cause_and_count() {
    let server = Server::start(|_, n| match n {
        0 => unavailable(),
        1 => Answer::text(502, "<html>"),
        2 => Answer::broken(),
        _ => Answer::json(200, json!({})),
    })
    .await;
    let (arm, told) = telling(arm(server.port));
    arm.send(apim::named_values(&contoso()).unwrap())
        .await
        .unwrap();
    let told = told();
    let answered = |status, code: &str| Cause::Answered {
        status,
        code: code.to_owned(),
    };
    assert_eq!(told[0].cause, answered(503, "ServiceUnavailable"));
    assert_eq!(told[1].cause, answered(502, ""));
    assert!(matches!(told[2].cause, Cause::Unanswered { .. }));
    let counts: Vec<_> = told.iter().map(|w| (w.next, w.tries)).collect();
    assert_eq!(counts, [(2, Some(8)), (3, Some(8)), (4, Some(4))]);
    assert!(
        told.iter()
            .all(|w| w.path == format!("{SERVICE}/namedValues"))
    );
}

#[tokio::test]
async fn an_operation_is_told_with_the_request_that_started_it() {
    let server = Server::start(|seen, n| match n {
        0 => Answer::json(202, json!({})).with(
            "location",
            format!("http://{}/op?s=tiger-2", seen.header("host")),
        ),
        1 => Answer::text(202, ""),
        _ => Answer::json(200, json!({})),
    })
    .await;
    let (arm, told) = telling(arm(server.port));
    arm.send(apim::patch_service(&contoso(), json!({})).unwrap())
        .await
        .unwrap();
    let running = |w: &Waiting| (w.verb, w.cause.clone(), w.next, w.tries);
    let seen: Vec<_> = told().iter().map(running).collect();
    let want = |next| (Verb::Patch, Cause::Running, next, None);
    assert_eq!(seen, [want(2), want(3)]);
    assert!(!format!("{:?}", told()).contains("tiger"));
}

#[tokio::test]
async fn each_request_leaves_one_event_with_its_path_and_correlation() {
    let server = Server::start(|_, n| match n {
        0 => unavailable().with(CORRELATION, "c-1"),
        1 => Answer::broken(),
        _ => Answer::json(200, json!({})).with(CORRELATION, "c-2"),
    })
    .await;
    let (log, _guard) = Log::listen();
    let request = apim::named_value(&contoso(), "nv").unwrap();
    arm(server.port).send(request).await.unwrap();
    let lines = log.ours();
    let asked = format!("verb=\"GET\" path=\"{SERVICE}/namedValues/nv\"");
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains(&asked)), "{lines:?}");
    assert!(lines[0].contains("status=503") && lines[0].contains("correlation=\"c-1\""));
    assert!(lines[1].contains("why=\"lost\""), "{lines:?}");
    assert!(lines[2].contains("status=200") && lines[2].contains("correlation=\"c-2\""));
    assert!(lines.iter().all(|line| line.contains(" ms=")), "{lines:?}");
}

#[tokio::test]
async fn no_secret_of_a_request_or_an_answer_is_in_an_event() {
    let server = Server::start(|seen, n| {
        let link = format!("http://{}{SERVICE}/x?sig=tiger-3", seen.header("host"));
        match (seen.method.as_str(), n) {
            ("PUT", 0) => Answer::json(
                400,
                json!({ "error": { "code": "tiger-4", "message":
                "Password=tiger-5" } }),
            ),
            ("PUT", _) => Answer::json(201, json!({ "properties": { "value": "tiger-6" } }))
                .with("azure-asyncoperation", link)
                .with("etag", "tiger-7"),
            _ => Answer::json(200, json!({ "value": ["tiger-8"] })),
        }
    })
    .await;
    let (log, _guard) = Log::listen();
    let arm = arm(server.port);
    let body = json!({ "properties": { "value": "Password=tiger-9" } });
    let put = || {
        let etag = Some("tiger-10");
        apim::put_named_value(&contoso(), "nv", body.clone(), etag).unwrap()
    };
    arm.send(put()).await.unwrap_err();
    arm.send(put()).await.unwrap();
    let mut list = apim::named_values(&contoso()).unwrap();
    list.query
        .push(("$skiptoken".to_owned(), "tiger-11".to_owned()));
    arm.list(list).await.unwrap();
    assert!(log.ours().len() >= 5, "{:?}", log.ours());
    let seen = format!("{:?}", log.lines());
    assert!(!seen.contains("tiger"), "{seen}");
}

#[tokio::test]
async fn a_credential_of_a_backend_is_not_repeated_in_an_error() {
    let server = Server::start(|seen, _| {
        let echo = format!("cannot take {}", seen.body);
        Answer::json(400, json!({ "error": { "code": "V", "message": echo } }))
    })
    .await;
    let body = json!({ "properties": { "url": "https://u:tiger-1@h.example/?code=tiger-2",
        "credentials": { "header": { "x-any": ["tiger-3"] } } } });
    let put = apim::put_backend(&contoso(), "orders", body, None).unwrap();
    let error = arm(server.port).send(put).await.unwrap_err().to_string();
    assert!(
        error.contains("cannot take") && !error.contains("tiger"),
        "{error}"
    );
}

#[tokio::test]
async fn an_operation_that_fails_late_does_not_repeat_a_credential() {
    let server = Server::start(|seen, n| match n {
        0 => Answer::json(202, json!({})).with(
            "azure-asyncoperation",
            format!("http://{}/op", seen.header("host")),
        ),
        _ => Answer::json(
            200,
            json!({ "status": "Failed",
                "error": { "code": "V", "message": "cannot take tiger-1" } }),
        ),
    })
    .await;
    let body = json!({ "properties": { "credentials": { "query": { "k": ["tiger-1"] } } } });
    let put = apim::put_backend(&contoso(), "orders", body, None).unwrap();
    let error = arm(server.port).send(put).await.unwrap_err().to_string();
    assert!(error.contains("cannot take ***"), "{error}");
}

/// A client of which somebody asks, at the first wait, to stop.
fn stopping(port: u16) -> Arm {
    let stop: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
    let pace = Pace {
        backoff: Duration::from_secs(3_600),
        ..Pace::default()
    };
    let cloud = Cloud::plain_http(port);
    let tokens = Tokens::fixed(&cloud, "token-tiger-1");
    let arm = Arm::with_pace(cloud, tokens, pace);
    arm.heed(stop);
    arm.telling(std::sync::Arc::new(move |_| {
        stop.store(true, Ordering::Relaxed);
    }))
}

#[tokio::test]
async fn no_try_follows_a_stop_and_the_last_answer_is_what_counts() {
    let server = Server::start(|_, n| match n {
        0 => Answer::json(
            503,
            json!({ "error": { "code": "ServerBusy", "message": "no" } }),
        ),
        _ => Answer::broken(),
    })
    .await;
    let arm = stopping(server.port);
    let refused = arm.exchange(&read_call(&arm)).await.err().unwrap();
    assert_eq!((refused.status(), server.seen().len()), (Some(503), 1));
    // What was lost may have been done, stop or no stop.
    let arm = stopping(server.port);
    let put = apim::put_named_value(&contoso(), "nv", json!({}), None).unwrap();
    let lost = arm.exchange(&call(&arm, &put)).await.err().unwrap();
    assert!(lost.uncertain(), "{lost}");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_call_that_waits_for_the_budget_is_not_sent_after_a_stop() {
    let server = Server::start(|_, _| Answer::json(200, json!({}))).await;
    let arm = stopping(server.port);
    arm.budget()
        .close(SUBSCRIPTION, Class::Write, Duration::from_secs(60));
    let stopped = arm.exchange(&write_call(&arm)).await.err().unwrap();
    assert!(matches!(stopped, ArmError::Stopped { .. }), "{stopped}");
    assert!(!stopped.uncertain() && server.seen().is_empty());
}
