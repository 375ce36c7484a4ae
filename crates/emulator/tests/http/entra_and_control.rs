//! Tokens, rights, faults, time, and the managed identity endpoint.

use super::support::{SERVICE, credentials, start, start_with};
use keyless_emulator::{Fault, FaultEffect};
use serde_json::{Value, json};

#[tokio::test]
async fn a_wrong_secret_is_refused_with_entras_number() {
    let world = start().await;
    let (tenant, client, _) = credentials(&world, "keyless-apply");
    let body = format!(
        "grant_type=client_credentials&client_id={client}&client_secret=guess\
         &scope=https%3A%2F%2Fmanagement.azure.com%2F.default"
    );
    let path = format!("/{tenant}/oauth2/v2.0/token");
    let answer = world
        .send("POST", "login.localhost", &path, &[], &body)
        .await
        .unwrap();
    assert_eq!(
        (answer.status, &answer.json()["error_codes"]),
        (401, &json!([7_000_215]))
    );
    let other = path.replace("1111", "9999");
    let answer = world
        .send("POST", "login.localhost", &other, &[], &body)
        .await
        .unwrap();
    assert!(answer.text.contains("AADSTS90002"));
}

#[tokio::test]
async fn a_reader_reads_but_gets_no_secret_and_writes_nothing() {
    let world = start().await;
    let (_, client, secret) = credentials(&world, "keyless-plan");
    let reader = world.token_of(&client, &secret).await;
    let path = format!("{SERVICE}/namedValues/berths-db");
    let read = world.arm_as(&reader, "GET", &path, &[], &Value::Null).await;
    assert_eq!(read.status, 200);
    assert!(!read.text.contains("Sea-Salt"));
    let action = format!("{path}/listValue");
    let refused = world
        .arm_as(&reader, "POST", &action, &[], &Value::Null)
        .await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (403, "AuthorizationFailed")
    );
    let refused = world
        .arm_as(&reader, "DELETE", &path, &[("If-Match", "*")], &Value::Null)
        .await;
    assert_eq!(refused.status, 403);
    let revealed = world.arm("POST", &action, &[], &Value::Null).await;
    assert!(
        revealed.json()["value"]
            .as_str()
            .unwrap()
            .contains("Sea-Salt-77")
    );
}

#[tokio::test]
async fn no_token_no_version_and_an_old_token_are_refused() {
    let world = start().await;
    let bare = world
        .send("GET", "management.localhost", SERVICE, &[], "")
        .await
        .unwrap();
    assert_eq!(
        (bare.status, bare.code().as_str()),
        (401, "AuthenticationFailed")
    );
    let bearer = format!("Bearer {}", world.token);
    let headers = [("Authorization", bearer.as_str())];
    let plain = world
        .send("GET", "management.localhost", SERVICE, &headers, "")
        .await
        .unwrap();
    assert_eq!(plain.code(), "MissingApiVersionParameter");
    let before = world.get(SERVICE).await;
    let answer = world
        .control("POST", "/_emulator/advance", &[], r#"{"seconds":7200}"#)
        .await;
    assert_eq!(answer.status, 200);
    let after = world.get(SERVICE).await;
    assert_eq!(
        (after.status, after.code().as_str()),
        (401, "ExpiredAuthenticationToken")
    );
    assert_ne!(before.header("Date"), after.header("Date"));
}

#[tokio::test]
async fn a_fault_throttles_once_and_another_cuts_the_line_after_the_effect() {
    let world = start().await;
    world.emulator.add_fault(Fault {
        path: "/namedValues".into(),
        status: 429,
        code: "TooManyRequests".into(),
        retry_after: Some(3),
        ..Fault::default()
    });
    let path = format!("{SERVICE}/namedValues/alpha");
    let throttled = world.get(&path).await;
    assert_eq!(
        (throttled.status, throttled.header("Retry-After")),
        (429, Some("3"))
    );
    assert_eq!(world.get(&path).await.status, 200);

    let fault = json!({"verb": "DELETE", "effect": "dropAfter"}).to_string();
    assert_eq!(
        world
            .control("POST", "/_emulator/faults", &[], &fault)
            .await
            .status,
        204
    );
    let bearer = format!("Bearer {}", world.token);
    let headers = [("Authorization", bearer.as_str()), ("If-Match", "*")];
    let full = format!("{path}?api-version=2024-05-01");
    assert!(
        world
            .send("DELETE", "management.localhost", &full, &headers, "")
            .await
            .is_none()
    );
    assert_eq!(world.get(&path).await.status, 404);

    let before = FaultEffect::DropBefore;
    world.emulator.add_fault(Fault {
        effect: before,
        ..Fault::default()
    });
    let full = full.replace("alpha", "bravo");
    assert!(
        world
            .send("DELETE", "management.localhost", &full, &headers, "")
            .await
            .is_none()
    );
    assert_eq!(
        world
            .get(&full.replace("?api-version=2024-05-01", ""))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn requests_are_counted_by_verb_and_path() {
    let world = start().await;
    world.emulator.reset_requests();
    world.get(SERVICE).await;
    world.get(SERVICE).await;
    let counted = world
        .control("GET", "/_emulator/requests?reset", &[], "")
        .await
        .json();
    assert_eq!(counted["total"], 2);
    assert_eq!(counted["requests"][0]["path"], SERVICE);
    assert!(world.emulator.requests().is_empty());
}

#[tokio::test]
async fn the_managed_identity_endpoint_wants_its_header() {
    let world = start().await;
    let variables = world.emulator.identity_environment();
    let path = "/msi/token?api-version=2019-08-01&resource=https://management.azure.com/";
    assert!(variables[0].1.ends_with("/msi/token"));
    assert_eq!(world.control("GET", path, &[], "").await.status, 401);
    let header = [("X-IDENTITY-HEADER", variables[1].1.as_str())];
    let answer = world.control("GET", path, &header, "").await;
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let claims = world
        .emulator
        .directory()
        .verify(&token, &["https://management.azure.com"]);
    assert_eq!(claims.unwrap().oid, "a0000000-0000-0000-0000-000000000003");
}

#[tokio::test]
async fn a_service_stops_accepting_keys_when_it_is_told_to() {
    let world = start_with(include_str!("../seeds/estate.yaml")).await;
    let path = "/_emulator/services";
    let call = || async {
        let host = "harbour.azure-api.localhost";
        let answer = world.send("GET", host, "/tides/v1/now", &[], "").await;
        answer.unwrap().status
    };
    assert_eq!(call().await, 200, "by the backend's key");
    let change = r#"{"host": "tides.localhost", "acceptsKeys": false}"#;
    assert_eq!(world.control("POST", path, &[], change).await.status, 204);
    assert_eq!(call().await, 401);
    let nowhere = change.replace("tides", "none");
    assert_eq!(world.control("POST", path, &[], &nowhere).await.status, 400);
}

#[tokio::test]
async fn graph_finds_principals_by_name_and_by_id() {
    let world = start().await;
    let graph = |verb: &'static str, path: &'static str, token: String, body: &'static str| {
        let world = &world;
        async move {
            let bearer = format!("Bearer {token}");
            let headers = [("Authorization", bearer.as_str())];
            let answer = world.send(verb, "graph.localhost", path, &headers, body);
            answer.await.unwrap()
        }
    };
    let directory = world.emulator.directory();
    let operator = directory.by_display_name("keyless-apply").remove(0);
    let token = directory.issue(&operator, "https://graph.microsoft.com", 60);
    let path = "/v1.0/servicePrincipals?$filter=servicePrincipalNames/any(c:c%20eq%20%27a0000000-0000-0000-0000-00000000c002%27)";
    let found = graph("GET", path, token.clone(), "").await.json();
    assert_eq!(found["value"][0]["displayName"], "keyless-plan");
    let ids = r#"{"ids": ["a0000000-0000-0000-0000-0000000000aa", "nobody"]}"#;
    let path = "/v1.0/directoryObjects/getByIds";
    let found = graph("POST", path, token.clone(), ids).await.json();
    assert_eq!(found["value"].as_array().unwrap().len(), 1);
    assert_eq!(found["value"][0]["@odata.type"], "#microsoft.graph.group");
    let other = graph("GET", "/v1.0/users", world.token.clone(), "").await;
    assert_eq!(other.status, 401, "a token for another audience");
}

#[tokio::test]
async fn an_identity_logs_in_with_the_token_of_an_issuer_that_it_trusts() {
    let world = start().await;
    let identity = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.ManagedIdentity/\
                    userAssignedIdentities/crane";
    let made = world
        .arm("PUT", identity, &[], &json!({"location": "westeurope"}))
        .await;
    let client = made.json()["properties"]["clientId"].clone();
    let trust = json!({"properties": {"issuer": "https://i.localhost", "subject": "me",
        "audiences": ["api://AzureADTokenExchange"]}});
    let path = format!("{identity}/federatedIdentityCredentials/one");
    assert_eq!(world.arm("PUT", &path, &[], &trust).await.status, 201);
    for (subject, code) in [("me", None), ("you", Some(700_213))] {
        let ask = json!({"issuer": "https://i.localhost", "subject": subject}).to_string();
        let issued = world
            .control("POST", "/_emulator/assertion", &[], &ask)
            .await;
        let assertion = issued.json()["token"].as_str().unwrap().to_owned();
        let body = format!(
            "grant_type=client_credentials&client_id={}&client_assertion={assertion}\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &scope=https%3A%2F%2Fmanagement.azure.com%2F.default",
            client.as_str().unwrap()
        );
        let path = "/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token";
        let answer = world.send("POST", "login.localhost", path, &[], &body);
        let answer = answer.await.unwrap().json();
        assert_eq!(answer["error_codes"][0].as_u64(), code, "{answer}");
        assert_eq!(answer["access_token"].is_string(), code.is_none());
    }
}
