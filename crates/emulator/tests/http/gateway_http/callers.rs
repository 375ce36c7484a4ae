//! Who may call, and the estate's whole traffic.

use super::{call, get, inbound, start};
use serde_json::{Value, json};

#[tokio::test]
async fn callers_are_held_to_our_entra_or_to_the_policys_key() {
    let world = start().await;
    let directory = world.emulator.directory();
    let ferry = directory.by_display_name("ferry-app").remove(0);
    let app = directory.by_display_name("caller-app").remove(0);
    let audience = "api://a0000000-0000-0000-0000-00000000c001";
    let with = async |token: String| {
        let bearer = format!("Bearer {token}");
        call(
            &world,
            "GET",
            "/tides/inner/x",
            &[("Authorization", &bearer)],
        )
        .await
        .status
    };
    let element = format!(
        "<validate-azure-ad-token tenant-id=\"11111111-2222-3333-4444-555555555555\">\
         <client-application-ids><application-id>a0000000-0000-0000-0000-00000000c005\
         </application-id></client-application-ids><audiences><audience>{audience}</audience>\
         </audiences></validate-azure-ad-token>"
    );
    inbound(&world, "/apis/inner", &element).await;
    assert_eq!(get(&world, "/tides/inner/x").await.status, 401);
    assert_eq!(with(directory.issue(&app, audience, 60)).await, 200);
    assert_eq!(with(directory.issue(&app, "api://tides", 60)).await, 401);
    assert_eq!(with(directory.issue(&ferry, audience, 60)).await, 401);
    let forged = directory.issue(&app, audience, 60) + "AA";
    assert_eq!(with(forged).await, 401);

    let by_key = "<validate-jwt header-name=\"Authorization\"><issuer-signing-keys><key>\
                  c2FsdC1hbmQtcGVwcGVyLTEyMzQ1Njc4OTA=</key></issuer-signing-keys></validate-jwt>";
    inbound(&world, "/apis/inner", by_key).await;
    // Signed over `{"sub":"x"}` with the key above.
    assert_eq!(with(signed(b"salt-and-pepper-1234567890")).await, 200);
    assert_eq!(with(signed(b"another-key")).await, 401);
}

/// A JWT with the claim `sub`, signed with HS256.
fn signed(key: &[u8]) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use hmac::{KeyInit as _, Mac as _};
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
    let text = format!("{header}.{}", URL_SAFE_NO_PAD.encode(r#"{"sub":"x"}"#));
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    format!(
        "{text}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}

#[tokio::test]
async fn the_whole_traffic_tells_which_call_is_broken() {
    let world = start().await;
    let outcomes = world.emulator.call_all().await;
    let names: Vec<&str> = outcomes.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "locked",
            "GET inner /x",
            "by token",
            "POST graph tide",
            "revision"
        ]
    );
    assert!(outcomes.iter().all(|one| one.ok), "{outcomes:?}");

    let body = r#"{"host": "tides.localhost", "acceptsKeys": false}"#;
    world
        .control("POST", "/_emulator/services", &[], body)
        .await;
    let only = "<validate-azure-ad-token tenant-id=\"11111111-2222-3333-4444-555555555555\" \
                failed-validation-error-message=\"who?\"><client-application-ids><application-id>\
                a0000000-0000-0000-0000-00000000c005</application-id></client-application-ids>\
                </validate-azure-ad-token><check-header name=\"x-who\"><value>crew</value>\
                </check-header>";
    inbound(&world, "/apis/inner", only).await;
    let told = world
        .control("POST", "/_emulator/traffic", &[], "")
        .await
        .json();
    assert_eq!(told["failed"], 3);
    let of = |field: &str| {
        let calls = told["calls"].as_array().unwrap().iter();
        calls.map(|one| one[field].clone()).collect::<Value>()
    };
    assert_eq!(of("ok"), json!([false, false, true, false, true]));
    assert_eq!(of("status"), json!([401, 401, 200, 200, 202]));
    let reasons = of("reason");
    assert_eq!(reasons[1], "who?");
    for at in [0, 3] {
        let reason = reasons[at].as_str().unwrap();
        assert!(
            reason.contains("keys are not accepted any more"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn callers_call_while_something_else_happens() {
    let world = start().await;
    let emulator = &world.emulator;
    let change = async |accepts: bool| {
        let body = json!({"host": "tides.localhost", "acceptsKeys": accepts}).to_string();
        let path = "/_emulator/services";
        world.control("POST", path, &[], &body).await.status
    };
    let (status, report) = emulator.call_all_while(change(true)).await;
    assert_eq!(status, 204);
    assert!(report.calls >= 5 && report.failed.is_empty(), "{report:?}");
    let (_, report) = emulator.call_all_while(change(false)).await;
    let failed: Vec<&str> = report.failed.iter().map(|one| one.name.as_str()).collect();
    assert!(
        failed.ends_with(&["locked", "POST graph tide"]),
        "{failed:?}"
    );
}
