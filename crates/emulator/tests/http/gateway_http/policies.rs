//! How policies are put together and run.

use super::{call, document, get, inbound, set_header, start};
use serde_json::json;

#[tokio::test]
async fn scopes_are_put_together_through_base() {
    let world = start().await;
    let key = set_header("x-functions-key", "{{tide-key}}");
    let global = format!(
        "<policies><inbound>{key}</inbound><backend><forward-request /></backend><outbound>\
         <set-header name=\"x-global\"><value>yes</value></set-header></outbound><on-error /></policies>"
    );
    document(&world, "", &global).await;
    let answer = get(&world, "/tides/tides").await;
    assert_eq!(
        (answer.status, answer.header("x-global")),
        (200, Some("yes"))
    );
    // An operation that does not inherit loses what the service's policy gives.
    let operation = "/apis/tides/operations/list";
    let alone = "<policies><inbound /><backend><base /></backend><outbound /></policies>";
    document(&world, operation, alone).await;
    assert_eq!(get(&world, "/tides/tides").await.status, 401);
    assert_eq!(get(&world, "/tides/tides/1").await.status, 200);
    // The narrower scope comes after `<base />` and overrides.
    inbound(&world, operation, &set_header("x-functions-key", "wrong")).await;
    assert_eq!(get(&world, "/tides/tides").await.status, 401);
}

#[tokio::test]
async fn what_is_not_understood_fails_the_call_whatever_on_error_says() {
    let world = start().await;
    for (elements, named) in [
        (
            "<get-authorization-context provider-id=\"p\" />",
            "get-authorization-context",
        ),
        (
            "<set-variable name=\"a\" value=\"@(Weather.Today())\" />",
            "Weather.Today",
        ),
        ("<set-body template=\"liquid\">x</set-body>", "template"),
        (
            "<set-header name=\"a\"><value>a @(1)</value></set-header>",
            "inside of it",
        ),
    ] {
        let value = format!(
            "<policies><inbound>{elements}</inbound><on-error><return-response><set-status \
             code=\"200\" /></return-response></on-error></policies>"
        );
        document(&world, "/apis/inner", &value).await;
        let answer = get(&world, "/tides/inner/x").await;
        assert_eq!(answer.status, 500, "{elements}");
        assert!(answer.text.contains(named), "{}", answer.text);
    }
    let harmless = "<cors><allowed-origins><origin>*</origin></allowed-origins></cors>\
                    <rate-limit calls=\"1\" renewal-period=\"60\" />";
    inbound(&world, "/apis/inner", harmless).await;
    assert_eq!(get(&world, "/tides/inner/x").await.status, 200);
    assert_eq!(get(&world, "/tides/inner/x").await.status, 200);
}

#[tokio::test]
async fn branches_variables_and_answers_of_a_policy() {
    let world = start().await;
    let elements = "<set-variable name=\"who\" value=\"@(context.Request.Headers.\
        GetValueOrDefault(\"x-who\", \"nobody\"))\" /><choose><when condition=\"@((string)\
        context.Variables[\"who\"] == \"pilot\")\"><return-response><set-status code=\"203\" />\
        <set-header name=\"x-who\"><value>@((string)context.Variables[\"who\"])</value></set-header>\
        <set-body>@(context.Operation.Id)</set-body>\
        </return-response></when><otherwise><check-header name=\"x-who\" \
        failed-check-httpcode=\"403\" failed-check-error-message=\"who?\"><value>crew</value>\
        </check-header></otherwise></choose>";
    inbound(&world, "/apis/inner", elements).await;
    let as_who = async |who: &str| call(&world, "GET", "/tides/inner/x", &[("x-who", who)]).await;
    let pilot = as_who("pilot").await;
    assert_eq!(
        (pilot.status, pilot.header("x-who"), pilot.text.as_str()),
        (203, Some("pilot"), "all")
    );
    assert_eq!(as_who("crew").await.status, 200);
    let refused = as_who("thief").await;
    assert_eq!(
        (refused.status, &refused.json()["message"]),
        (403, &json!("who?"))
    );

    let value = "<policies><inbound><set-backend-service base-url=\"https://gone.localhost\" />\
        </inbound><on-error><set-status code=\"502\" /><set-body>@(context.LastError.Message)\
        </set-body></on-error></policies>";
    document(&world, "/apis/inner", value).await;
    let failed = as_who("crew").await;
    assert_eq!(failed.status, 502);
    assert!(failed.text.contains("gone.localhost"));
}

#[tokio::test]
async fn a_retry_ends_when_its_condition_does_not_hold() {
    let world = start().await;
    let backend = "<policies><inbound><base /><set-backend-service backend-id=\"both\" />\
        </inbound><backend><retry condition=\"@(context.Response.StatusCode == 401)\" count=\"3\" \
        interval=\"1\"><forward-request /></retry></backend></policies>";
    document(&world, "/apis/inner", backend).await;
    for _ in 0..2 {
        assert_eq!(get(&world, "/tides/inner/x").await.status, 200);
    }
    let calls = world.emulator.calls("two.localhost");
    assert_eq!((calls.refused, calls.key), (1, 0));
    let mocked = "<mock-response status-code=\"418\" />";
    inbound(&world, "/apis/inner", mocked).await;
    assert_eq!(get(&world, "/tides/inner/x").await.status, 418);
}
