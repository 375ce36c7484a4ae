use keyless_model::ArmId;
use serde_json::json;

use super::*;
use crate::apim::{self, PolicyAt};
use crate::request::Verb;
use crate::sql;
use crate::test_server::{Reply, Seen, Server};

const SERVICE: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/\
                       providers/Microsoft.ApiManagement/service/contoso";
const SERVER: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/\
                      providers/Microsoft.Sql/servers/orders-sql";
const TOKEN: &str = "eyJ0aWdlcg.token-tiger-7.signature";

fn contoso() -> ArmId {
    ArmId::parse(SERVICE).unwrap()
}

fn orders_sql() -> ArmId {
    ArmId::parse(SERVER).unwrap()
}

/// A client that never waits, unless the server says how long.
fn arm(port: u16) -> Arm {
    let zero = Duration::ZERO;
    let pace = Pace {
        backoff: zero,
        poll: zero,
        deadline: Duration::from_secs(600),
    };
    let cloud = Cloud::plain_http(port);
    let tokens = Tokens::fixed(&cloud, TOKEN);
    Arm::with_pace(cloud, tokens, pace)
}

fn named_value(name: &str) -> Request {
    apim::named_value(&contoso(), name).unwrap()
}

fn put_named_value() -> Request {
    let body = json!({ "properties": { "displayName": "nv", "value": "Password=hunter2;x" } });
    apim::put_named_value(&contoso(), "nv", body, None).unwrap()
}

fn no(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(
        status,
        json!({ "error": { "code": code, "message": message } }),
    )
}

fn base(seen: &Seen) -> String {
    format!("http://{}", seen.header("host"))
}

#[tokio::test]
async fn a_read_brings_body_etag_and_the_services_clock() {
    let server = Server::start(|seen, _| {
        assert_eq!(seen.header("authorization"), format!("Bearer {TOKEN}"));
        assert_eq!(seen.header("x-ms-client-request-id").len(), 36);
        Reply::json(200, json!({ "name": "nv" }))
            .with("etag", "\"e1\"")
            .with("date", "Sun, 06 Nov 1994 08:49:37 GMT")
            .with("x-ms-correlation-request-id", "c-1")
    })
    .await;
    let arm = arm(server.port);
    assert_eq!((arm.requests(), arm.last_date()), (0, None));
    let answer = arm.send(named_value("nv")).await.unwrap();
    assert_eq!(answer.body["name"], "nv");
    assert_eq!(answer.etag.as_deref(), Some("\"e1\""));
    assert_eq!(answer.correlation.as_deref(), Some("c-1"));
    assert_eq!(arm.last_date().map(Timestamp::unix), Some(784_111_777));
    assert_eq!(arm.requests(), 1);
    assert_eq!(
        server.lines(),
        [format!(
            "GET {SERVICE}/namedValues/nv?api-version=2024-05-01"
        )]
    );
}

#[tokio::test]
async fn the_clock_never_goes_back() {
    let server = Server::start(|_, n| {
        let date = [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:36 GMT",
        ][n];
        Reply::json(200, json!({})).with("date", date)
    })
    .await;
    let arm = arm(server.port);
    arm.send(named_value("a")).await.unwrap();
    arm.send(named_value("b")).await.unwrap();
    assert_eq!(arm.last_date().map(Timestamp::unix), Some(784_111_777));
}

#[tokio::test]
async fn a_list_gathers_all_its_pages() {
    let server = Server::start(|seen, n| {
        let next = format!(
            "{}{SERVICE}/namedValues?api-version=x&$skip={}",
            base(seen),
            n + 1
        );
        let next = if n < 2 { next } else { String::new() };
        Reply::json(
            200,
            json!({ "value": [{ "name": n }], "count": 1, "nextLink": next }),
        )
    })
    .await;
    let items = arm(server.port)
        .list(apim::named_values(&contoso()).unwrap())
        .await
        .unwrap();
    assert_eq!(
        items,
        [
            json!({ "name": 0 }),
            json!({ "name": 1 }),
            json!({ "name": 2 })
        ]
    );
}

#[tokio::test]
async fn a_next_link_to_another_host_gets_no_token() {
    let other = Server::start(|_, _| Reply::json(200, json!({ "value": [] }))).await;
    let link = format!("http://127.0.0.1:{}/next", other.port);
    let server =
        Server::start(move |_, _| Reply::json(200, json!({ "value": [], "nextLink": link }))).await;
    let error = arm(server.port)
        .list(apim::apis(&contoso()).unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, ArmError::ForeignLink { .. }), "{error}");
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_list_that_leads_back_to_itself_ends() {
    let server = Server::start(|seen, _| {
        let next = format!("{}{}", base(seen), seen.target);
        Reply::json(200, json!({ "value": [], "nextLink": next }))
    })
    .await;
    let error = arm(server.port)
        .list(apim::apis(&contoso()).unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, ArmError::Paging { .. }), "{error}");
}

#[tokio::test]
async fn only_azures_own_404_proves_absence() {
    let server = Server::start(|seen, _| match seen.target.split('?').next() {
        Some(path) if path.ends_with("/absent") => no(404, "ResourceNotFound", "gone"),
        Some(path) if path.ends_with("/hidden") => no(404, "SubscriptionNotFound", "who?"),
        Some(path) if path.ends_with("/html") => Reply::text(404, "<html>lost</html>"),
        _ => Reply::text(404, ""),
    })
    .await;
    let arm = arm(server.port);
    assert_eq!(arm.find(named_value("absent")).await.unwrap(), None);
    for unclear in ["hidden", "html", "empty"] {
        assert!(arm.find(named_value(unclear)).await.is_err(), "{unclear}");
    }
}

#[tokio::test]
async fn throttling_is_waited_out() {
    let server = Server::start(|_, n| match n {
        0 | 1 => no(429, "TooManyRequests", "slow down").with("retry-after", "0"),
        _ => Reply::json(200, json!({})),
    })
    .await;
    let arm = arm(server.port);
    arm.send(named_value("nv")).await.unwrap();
    assert_eq!(arm.requests(), 3);
}

#[tokio::test]
async fn a_stale_etag_is_the_callers_to_decide() {
    let server = Server::start(|seen, _| {
        assert_eq!(seen.header("if-match"), "\"e1\"");
        no(412, "PreconditionFailed", "changed")
    })
    .await;
    let put = apim::put_policy(&contoso(), PolicyAt::Service, json!({}), Some("\"e1\"")).unwrap();
    let error = arm(server.port).send(put).await.unwrap_err();
    assert!(error.stale() && !error.uncertain(), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_write_on_a_busy_api_is_sent_again() {
    let server = Server::start(|_, n| match n {
        0 => no(409, "PessimisticConcurrencyConflict", "busy"),
        _ => Reply::json(200, json!({ "ok": true })),
    })
    .await;
    let patch = apim::patch_service(&contoso(), json!({})).unwrap();
    assert_eq!(arm(server.port).send(patch).await.unwrap().body["ok"], true);
}

#[tokio::test]
async fn a_lock_is_reported_at_once_with_its_code() {
    let server = Server::start(|_, _| {
        no(409, "ScopeLocked", "locked").with("x-ms-correlation-request-id", "c-9")
    })
    .await;
    let error = arm(server.port).send(put_named_value()).await.unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(409), "ScopeLocked"));
    let text = error.to_string();
    assert!(text.contains("PUT") && text.contains("/namedValues/nv") && text.contains("c-9"));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let server = Server::start(|_, _| no(401, "ExpiredAuthenticationToken", "old")).await;
    let error = arm(server.port).send(named_value("nv")).await.unwrap_err();
    assert_eq!(error.status(), Some(401));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_lost_read_is_read_again() {
    let server = Server::start(|_, n| match n {
        0 => Reply::broken(),
        _ => Reply::json(200, json!({})),
    })
    .await;
    arm(server.port).send(named_value("nv")).await.unwrap();
}

#[tokio::test]
async fn a_write_whose_answer_never_came_is_of_unknown_outcome() {
    let server = Server::start(|_, _| Reply::broken()).await;
    for request in [
        put_named_value(),
        apim::patch_service(&contoso(), json!({ "identity": {} })).unwrap(),
    ] {
        let error = arm(server.port).send(request).await.unwrap_err();
        assert!(error.uncertain(), "{error}");
    }
}

#[tokio::test]
async fn a_412_after_a_lost_write_is_of_unknown_outcome() {
    let server = Server::start(|_, n| match n {
        0 => Reply::broken(),
        _ => no(412, "PreconditionFailed", "changed"),
    })
    .await;
    let error = arm(server.port).send(put_named_value()).await.unwrap_err();
    assert!(error.uncertain() && !error.stale(), "{error}");
}

#[tokio::test]
async fn a_404_after_a_lost_delete_is_its_success() {
    let server = Server::start(|_, n| match n {
        0 => Reply::broken(),
        _ => no(404, "ResourceNotFound", "gone"),
    })
    .await;
    let delete = apim::delete_named_value(&contoso(), "nv", "*").unwrap();
    assert_eq!(arm(server.port).send(delete).await.unwrap().status, 204);
}

#[tokio::test]
async fn nobody_at_home_is_unreachable_and_nothing_was_done() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = arm(port.port()).send(put_named_value()).await.unwrap_err();
    assert!(matches!(error, ArmError::Unreachable { .. }), "{error}");
    assert!(!error.uncertain());
}

#[tokio::test]
async fn html_is_named_as_such() {
    let server = Server::start(|_, _| {
        Reply::text(200, "<html>Sign in</html>").with("content-type", "text/html; charset=utf-8")
    })
    .await;
    let error = arm(server.port).send(named_value("nv")).await.unwrap_err();
    assert!(
        matches!(error, ArmError::NotJson { status: 200, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("text/html") && !error.to_string().contains("Sign in"));
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let other = Server::start(|_, _| Reply::json(200, json!({}))).await;
    let place = format!("http://127.0.0.1:{}/", other.port);
    let server =
        Server::start(move |_, _| Reply::text(302, "").with("location", place.clone())).await;
    let error = arm(server.port).send(named_value("nv")).await.unwrap_err();
    assert!(
        matches!(error, ArmError::NotJson { status: 302, .. }),
        "{error}"
    );
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn no_secret_is_in_an_error() {
    let server = Server::start(|seen, _| {
        let echo = format!(
            "cannot take {} with {} and AccountKey=abc;",
            seen.body,
            seen.header("authorization")
        );
        no(400, "ValidationError", &echo)
    })
    .await;
    let error = arm(server.port).send(put_named_value()).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    for secret in ["hunter2", TOKEN, "abc;"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn a_put_is_finished_only_when_its_operation_is_and_brings_the_entity() {
    let server = Server::start(|seen, n| match (seen.method.as_str(), n) {
        ("PUT", _) => Reply::json(201, json!({ "properties": {} }))
            .with(
                "azure-asyncoperation",
                format!("{}/op?asyncId=1", base(seen)),
            )
            .with("location", format!("{}/op?asyncId=1&x", base(seen))),
        (_, 1) => Reply::json(202, json!({ "status": "InProgress" })).with("retry-after", "0"),
        (_, 2) => Reply::json(200, json!({ "status": "Succeeded" })),
        _ => Reply::json(200, json!({ "name": "nv" })).with("etag", "\"e2\""),
    })
    .await;
    let answer = arm(server.port).send(put_named_value()).await.unwrap();
    assert_eq!(
        (answer.body["name"].as_str(), answer.etag.as_deref()),
        (Some("nv"), Some("\"e2\""))
    );
    let path = format!("{SERVICE}/namedValues/nv?api-version=2024-05-01");
    let lines = server.lines();
    assert_eq!(lines[1..3], ["GET /op?asyncId=1", "GET /op?asyncId=1"]);
    assert_eq!(
        (&lines[0], &lines[3]),
        (&format!("PUT {path}"), &format!("GET {path}"))
    );
}

#[tokio::test]
async fn an_operation_that_fails_late_is_a_failure_with_code_and_message() {
    let server = Server::start(|seen, n| match n {
        0 => Reply::json(201, json!({})).with(
            "location",
            format!("{}/nv?asyncId=1&asyncCode=201", base(seen)),
        ),
        _ => no(
            400,
            "ValidationError",
            "the display name is taken, said hunter2;x Password=hunter2;x",
        ),
    })
    .await;
    let error = arm(server.port).send(put_named_value()).await.unwrap_err();
    assert!(matches!(error, ArmError::OperationFailed(_)), "{error}");
    assert_eq!(error.code(), "ValidationError");
    let text = error.to_string();
    assert!(
        text.contains("the display name is taken") && text.contains("PUT"),
        "{text}"
    );
    assert!(!text.contains("Password=hunter2"), "{text}");
}

#[tokio::test]
async fn failed_in_a_200_is_a_failure() {
    let server = Server::start(|seen, n| match n {
        0 => Reply::json(202, json!({})).with("azure-asyncoperation", format!("{}/op", base(seen))),
        _ => Reply::json(
            200,
            json!({ "status": "Failed", "error": { "code": "Conflict", "message": "no" } }),
        ),
    })
    .await;
    let put = sql::put_administrator(&orders_sql(), json!({})).unwrap();
    let error = arm(server.port).send(put).await.unwrap_err();
    assert_eq!((error.code(), error.uncertain()), ("Conflict", false));
}

#[tokio::test]
async fn a_provisioning_state_is_watched_where_no_url_is_given() {
    for place in ["root", "properties"] {
        let server = Server::start(move |_, n| {
            let state = if n < 2 { "Updating" } else { "Succeeded" };
            let body = match place {
                "root" => json!({ "ProvisioningState": state }),
                _ => json!({ "properties": { "provisioningState": state } }),
            };
            Reply::json(200, body)
        })
        .await;
        let patch = apim::patch_service(&contoso(), json!({})).unwrap();
        arm(server.port).send(patch).await.unwrap();
        let verbs: Vec<String> = server.seen().into_iter().map(|s| s.method).collect();
        assert_eq!(verbs, ["PATCH", "GET", "GET"], "{place}");
    }
}

#[tokio::test]
async fn entra_only_is_watched_until_it_shows() {
    let server = Server::start(|seen, n| match (seen.method.as_str(), n) {
        ("PUT", _) => Reply::text(202, ""),
        (_, n) => Reply::json(
            200,
            json!({ "properties": { "azureADOnlyAuthentication": n > 1 } }),
        ),
    })
    .await;
    let body = json!({ "properties": { "azureADOnlyAuthentication": true } });
    let put = sql::put_entra_only(&orders_sql(), body).unwrap();
    let answer = arm(server.port).send(put).await.unwrap();
    assert_eq!(answer.body["properties"]["azureADOnlyAuthentication"], true);
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_202_without_a_place_to_ask_is_of_unknown_outcome() {
    let server = Server::start(|_, _| Reply::text(202, "")).await;
    let put = sql::put_auditing(&orders_sql(), json!({})).unwrap();
    assert!(arm(server.port).send(put).await.unwrap_err().uncertain());
}

#[tokio::test]
async fn a_poll_url_on_another_host_is_refused() {
    let server = Server::start(|_, _| {
        Reply::json(202, json!({})).with("azure-asyncoperation", "https://evil.example/op")
    })
    .await;
    let put = sql::put_auditing(&orders_sql(), json!({})).unwrap();
    let error = arm(server.port).send(put).await.unwrap_err();
    assert!(matches!(error, ArmError::ForeignLink { .. }), "{error}");
}

#[tokio::test]
async fn a_created_entitys_own_location_is_no_operation() {
    let server = Server::start(|seen, _| {
        Reply::json(201, json!({})).with("location", format!("{}{SERVICE}/apis/a", base(seen)))
    })
    .await;
    arm(server.port)
        .send(apim::put_api(&contoso(), "a", json!({}), None).unwrap())
        .await
        .unwrap();
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_delete_ends_with_its_operation() {
    let server = Server::start(|seen, n| match n {
        0 => Reply::text(202, "").with("location", format!("{}/op", base(seen))),
        1 => Reply::text(202, ""),
        _ => Reply::text(204, ""),
    })
    .await;
    let delete = sql::delete_firewall_rule(&orders_sql(), "all").unwrap();
    assert_eq!(
        arm(server.port).send(delete).await.unwrap().body,
        Value::Null
    );
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn an_operation_that_outlives_the_deadline_is_unfinished_not_failed() {
    let server = Server::start(|seen, n| match n {
        0 => Reply::json(202, json!({})).with("location", format!("{}/op", base(seen))),
        _ => Reply::text(202, "").with("retry-after", "7200"),
    })
    .await;
    let patch = apim::patch_service(&contoso(), json!({})).unwrap();
    let error = arm(server.port).send(patch).await.unwrap_err();
    assert!(
        matches!(error, ArmError::Unfinished { minutes: 10, .. }),
        "{error}"
    );
    assert!(error.uncertain());
}

#[tokio::test]
async fn a_lost_operation_is_of_unknown_outcome() {
    let server = Server::start(|seen, n| match n {
        0 => Reply::json(202, json!({})).with("location", format!("{}/op", base(seen))),
        _ => no(403, "AuthorizationFailed", "no"),
    })
    .await;
    let patch = apim::patch_service(&contoso(), json!({})).unwrap();
    assert!(arm(server.port).send(patch).await.unwrap_err().uncertain());
}

#[tokio::test]
async fn writes_to_one_service_do_not_overlap() {
    let server = Server::start(
        |seen, _| match (seen.method.as_str(), seen.target.as_str()) {
            ("PATCH", _) => {
                Reply::json(202, json!({})).with("location", format!("{}/op", base(seen)))
            }
            _ => Reply::json(200, json!({})),
        },
    )
    .await;
    let arm = arm(server.port);
    let patch = || apim::patch_service(&contoso(), json!({})).unwrap();
    let (a, b) = tokio::join!(arm.send(patch()), arm.send(patch()));
    assert!(a.is_ok() && b.is_ok());
    let verbs: Vec<String> = server.seen().into_iter().map(|s| s.method).collect();
    assert_eq!(verbs, ["PATCH", "GET", "GET", "PATCH", "GET", "GET"]);
}

#[test]
fn one_writer_is_for_one_service_whatever_the_case() {
    let upper = SERVICE
        .replace("/rg/", "/RG/")
        .replace("contoso", "Contoso");
    let other = apim::service(&ArmId::parse(&upper).unwrap()).unwrap();
    assert_eq!(put_named_value().service(), other.service());
    assert_eq!(other.service(), SERVICE.to_lowercase());
    assert_ne!(
        sql::server(&orders_sql()).unwrap().service(),
        other.service()
    );
    assert!(!Verb::Post.writes());
}
