//! Whether a service lets a call in, wherever its credential comes from.

use super::{BY_IDENTITY, HOST, TUG, call, get, identity, inbound, last, put, set_header, start};
use crate::support::SERVICE;
use keyless_emulator::CredentialKind;
use serde_json::{Value, json};

#[tokio::test]
async fn a_credential_opens_the_service_wherever_it_stands() {
    let world = start().await;
    let basic = "<authentication-basic username=\"tide\" password=\"Ebb+Flow:9\" />";
    let key = set_header("x-functions-key", "Ebb-And-Flow-9");
    let expression = "@{ var pair = \"tide:\" + \"Ebb+Flow:9\"; return \"Basic \" + \
                      Convert.ToBase64String(Encoding.UTF8.GetBytes(pair)); }";
    let default = "@(context.Request.Headers.GetValueOrDefault(\"x-own\", \"Ebb-And-Flow-9\"))";
    for (elements, expected) in [
        (key.as_str(), CredentialKind::Key),
        (
            &set_header("x-functions-key", "{{tide-key}}"),
            CredentialKind::Key,
        ),
        (&set_header("x-functions-key", default), CredentialKind::Key),
        (
            &set_header("Authorization", expression),
            CredentialKind::Basic,
        ),
        (basic, CredentialKind::Basic),
        (
            "<set-query-parameter name=\"code\"><value>{{tide-key}}</value></set-query-parameter>",
            CredentialKind::Key,
        ),
        (
            "<rewrite-uri template=\"/tides?code=Ebb-And-Flow-9\" />",
            CredentialKind::Key,
        ),
        (
            "<include-fragment fragment-id=\"tide-key\" />",
            CredentialKind::Key,
        ),
        (
            "<set-backend-service backend-id=\"by-header\" />",
            CredentialKind::Key,
        ),
        (
            "<set-backend-service backend-id=\"by-query\" />",
            CredentialKind::Key,
        ),
        (
            "<set-backend-service backend-id=\"by-authorization\" />",
            CredentialKind::Basic,
        ),
        (
            "<set-backend-service base-url=\"https://tides.localhost/api?code=Ebb-And-Flow-9\" />",
            CredentialKind::Key,
        ),
        (
            "<set-backend-service base-url=\"https://tide:Ebb+Flow%3A9@tides.localhost/api\" />",
            CredentialKind::Basic,
        ),
    ] {
        inbound(&world, "/apis/tides", elements).await;
        let answer = get(&world, "/tides/tides").await;
        assert_eq!(answer.status, 200, "{elements}: {}", answer.text);
        assert_eq!(last(&world), [expected], "{elements}");
    }
    inbound(
        &world,
        "/apis/tides",
        &set_header("x-functions-key", "Ebb-And-Flow-8"),
    )
    .await;
    let refused = get(&world, "/tides/tides").await;
    assert_eq!(refused.status, 401);
    assert!(!refused.text.contains("Ebb-And-Flow") && last(&world).is_empty());
}

#[tokio::test]
async fn a_token_opens_the_service_for_its_audience_and_its_principals() {
    let world = start().await;
    inbound(&world, "/apis/tides", BY_IDENTITY).await;
    let answer = get(&world, "/tides/tides").await;
    assert_eq!(answer.status, 500);
    assert!(answer.text.contains("no system-assigned managed identity"));
    identity(&world, json!({"type": "SystemAssigned"})).await;
    let by_backend = "<set-backend-service backend-id=\"by-identity\" />";
    for elements in [BY_IDENTITY, by_backend] {
        inbound(&world, "/apis/tides", elements).await;
        assert_eq!(get(&world, "/tides/tides").await.status, 200, "{elements}");
        assert_eq!(last(&world), [CredentialKind::Token]);
    }

    let to =
        |resource: &str| format!("<authentication-managed-identity resource=\"{resource}\" />");
    for (resource, status, reason) in [
        ("api://quay", 401, "another audience"),
        ("https://database.windows.net/", 401, "another audience"),
        ("api://nowhere", 500, "AADSTS500011"),
    ] {
        inbound(&world, "/apis/tides", &to(resource)).await;
        let answer = get(&world, "/tides/tides").await;
        assert_eq!(answer.status, status, "{resource}");
        assert!(answer.text.contains(reason), "{}", answer.text);
    }
    let quay = "<set-backend-service base-url=\"https://quay.localhost\" />".to_owned();
    inbound(&world, "/apis/tides", &(quay + &to("api://quay"))).await;
    let answer = get(&world, "/tides/tides").await;
    assert_eq!(answer.status, 401);
    assert!(answer.text.contains("is not let in"));
}

#[tokio::test]
async fn a_token_of_the_gateway_is_told_of_wherever_it_has_no_business() {
    let world = start().await;
    identity(&world, json!({"type": "SystemAssigned"})).await;
    inbound(&world, "/apis/tides", BY_IDENTITY).await;
    assert_eq!(get(&world, "/tides/tides").await.status, 200);
    // What a caller brings along is not the gateway's.
    let caller = format!("Bearer {}", world.token);
    call(
        &world,
        "GET",
        "/tides/inner/x",
        &[("Authorization", &caller)],
    )
    .await;
    assert!(world.emulator.strays().is_empty());

    let kept = "<authentication-managed-identity resource=\"api://tides\" \
                output-token-variable-name=\"token\" />";
    let token = "@((string)context.Variables[\"token\"])";
    let aside = format!("{kept}{}", set_header("x-aside", token));
    let url = format!(
        "{kept}<set-query-parameter name=\"t\"><value>{token}</value></set-query-parameter>"
    );
    let sent = format!(
        "{kept}<send-one-way-request mode=\"new\"><set-url>https://nowhere.localhost</set-url>\
         <set-method>POST</set-method><set-body>{token}</set-body></send-one-way-request>"
    );
    let other = "<authentication-managed-identity resource=\"api://quay\" />".to_owned();
    let to = |host: &str| format!("<set-backend-service base-url=\"https://{host}.localhost\" />");
    for (elements, host) in [
        (to("open") + BY_IDENTITY, "open.localhost"),
        (to("one") + &aside, "one.localhost"),
        (to("two") + &url, "two.localhost"),
        (to("quay") + &other, "quay.localhost"),
        (other, "tides.localhost"),
        (to("gone") + BY_IDENTITY, "gone.localhost"),
        (sent, "nowhere.localhost"),
    ] {
        let before = world.emulator.strays();
        inbound(&world, "/apis/tides", &elements).await;
        get(&world, "/tides/tides").await;
        let mut after = world.emulator.strays();
        assert_eq!(after.remove(host), Some(1), "{elements}");
        assert_eq!(after, before, "{elements}");
    }
}

#[tokio::test]
async fn a_user_assigned_identity_has_to_be_on_the_service() {
    let world = start().await;
    let client = "a0000000-0000-0000-0000-0000000000c1";
    let element = BY_IDENTITY.replace("/>", &format!("client-id=\"{client}\" />"));
    inbound(&world, "/apis/tides", &element).await;
    identity(&world, json!({"type": "SystemAssigned"})).await;
    let answer = get(&world, "/tides/tides").await;
    assert!(answer.status == 500 && answer.text.contains(client));
    let ignored = element.replace("/>", "ignore-error=\"true\" />");
    inbound(&world, "/apis/tides", &ignored).await;
    assert_eq!(get(&world, "/tides/tides").await.status, 401);

    inbound(&world, "/apis/tides", &element).await;
    let both = json!({"type": "UserAssigned", "userAssignedIdentities": {TUG: {}}});
    identity(&world, both).await;
    assert_eq!(get(&world, "/tides/tides").await.status, 200);
    assert_eq!(last(&world), [CredentialKind::Token]);
}

#[tokio::test]
async fn a_service_takes_any_right_proof_until_it_wants_tokens_alone() {
    let world = start().await;
    identity(&world, json!({"type": "SystemAssigned"})).await;
    let key = set_header("x-functions-key", "Ebb-And-Flow-9");
    inbound(&world, "/apis/tides", &(key.clone() + BY_IDENTITY)).await;
    assert_eq!(get(&world, "/tides/tides").await.status, 200);
    assert_eq!(last(&world), [CredentialKind::Key, CredentialKind::Token]);
    let foreign = key.clone() + "<authentication-managed-identity resource=\"api://quay\" />";
    inbound(&world, "/apis/tides", &foreign).await;
    assert_eq!(get(&world, "/tides/tides").await.status, 200);
    assert_eq!(last(&world), [CredentialKind::Key]);

    let body = r#"{"host": "tides.localhost", "acceptsKeys": false}"#;
    let path = "/_emulator/services";
    assert_eq!(world.control("POST", path, &[], body).await.status, 204);
    assert_eq!(get(&world, "/tides/tides").await.status, 401);
    inbound(&world, "/apis/tides", &(key + BY_IDENTITY)).await;
    assert_eq!(get(&world, "/tides/tides").await.status, 200);
    let services = world.control("GET", path, &[], "").await.json();
    let calls = json!({"key": 2, "basic": 0, "token": 2, "open": 0, "refused": 1,
        "last": ["token"]});
    assert_eq!(services["services"][0]["calls"], calls);
    assert_eq!(services["strays"], json!({"tides.localhost": 2}));
}

#[tokio::test]
async fn a_key_vault_value_is_there_once_its_secret_was_read() {
    let world = start().await;
    let element = set_header("x-functions-key", "{{vault-key}}");
    inbound(&world, "/apis/tides", &element).await;
    let answer = get(&world, "/tides/tides").await;
    assert_eq!(answer.status, 500);
    assert!(answer.text.contains("Key Vault") && answer.text.contains("vault-key"));

    identity(&world, json!({"type": "SystemAssigned"})).await;
    let service = world.get(SERVICE).await.json();
    let role = json!({"properties": {
        "roleDefinitionId": "/subscriptions/s1/providers/Microsoft.Authorization/roleDefinitions/\
                             4633458b-17de-408a-b874-0445c86b69e6",
        "principalId": service["identity"]["principalId"],
        "principalType": "ServicePrincipal",
    }});
    let path = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/harbour-kv/\
                providers/Microsoft.Authorization/roleAssignments/\
                00000000-0000-0000-0000-00000000e001";
    let made = world.arm("PUT", path, &[], &role).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let refresh = format!("{SERVICE}/namedValues/vault-key/refreshSecret");
    let refreshed = world.arm("POST", &refresh, &[], &Value::Null).await;
    assert!(refreshed.status < 300, "{}", refreshed.text);
    if refreshed.header("Location").is_some() {
        world.finish(&refreshed, "Location").await;
    }
    assert_eq!(get(&world, "/tides/tides").await.status, 200);
}

#[tokio::test]
async fn a_request_of_the_policys_own_gets_a_token_with_a_client_secret() {
    let world = start().await;
    let send = |secret: &str| {
        format!(
            "<send-request mode=\"new\" response-variable-name=\"answer\"><set-url>\
             https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token\
             </set-url><set-method>POST</set-method><set-header name=\"Content-Type\"><value>\
             application/x-www-form-urlencoded</value></set-header><set-body>\
             grant_type=client_credentials&amp;client_id=a0000000-0000-0000-0000-00000000c004&amp;\
             client_secret={secret}&amp;scope=api%3A%2F%2Ftides%2F.default</set-body></send-request>\
             <set-header name=\"Authorization\"><value>@(\"Bearer \" + ((IResponse)context.Variables\
             [\"answer\"]).Body.As<JObject>()[\"access_token\"])</value></set-header>"
        )
    };
    inbound(&world, "/apis/tides", &send("ferry-secret-1")).await;
    let answer = get(&world, "/tides/tides").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(last(&world), [CredentialKind::Token]);
    inbound(&world, "/apis/tides", &send("guess")).await;
    assert_eq!(get(&world, "/tides/tides").await.status, 401);
}

#[tokio::test]
async fn a_resolver_asks_an_http_service() {
    let world = start().await;
    let ask = async || {
        let body = json!({"query": "{ tide(id: 5) { height port { name } } }"}).to_string();
        world
            .send("POST", HOST, "/graph", &[], &body)
            .await
            .unwrap()
            .json()
    };
    let expected = json!({"height": 4, "port": {"name": "North"}});
    assert_eq!(ask().await, json!({"data": {"tide": expected}}));
    let fragment = "<fragment><set-header name=\"x-functions-key\"><value>no</value></set-header>\
                    </fragment>";
    let body = json!({"properties": {"format": "rawxml", "value": fragment}});
    put(&world, "/policyFragments/tide-key", body).await;
    let answer = ask().await;
    assert_eq!(answer["data"]["tide"], Value::Null);
    assert!(
        answer["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("401")
    );
}
