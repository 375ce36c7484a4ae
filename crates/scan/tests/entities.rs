//! Credentials outside of policies and named values: backends, APIs, loggers, caches, operations,
//! authorization servers; and policies of every kind and revision.

mod estate;

use estate::{Estate, gateway};
use keyless_model::{Address, Severity};
use keyless_scan::{Confidence, Finding};
use serde_json::{Value, json};

fn at(word: &str) -> Address {
    gateway().child(word, "x")
}

fn scan(word: &str, properties: Value) -> Vec<Finding> {
    Estate::default().put(at(word), properties).scan()
}

/// `rule place severity` of each finding.
fn told(word: &str, properties: Value) -> Vec<String> {
    let told = |f: &Finding| format!("{} {} {}", f.rule, f.place, f.severity.word());
    scan(word, properties).iter().map(told).collect()
}

#[test]
fn what_a_backend_sends_is_found_where_it_stands() {
    let properties = json!({
        "url": "https://orders.contoso.net/api",
        "credentials": {
            "authorization": { "scheme": "Basic", "parameter": "b3JkZXJzOmh1bnRlcjIy" },
            "header": { "x-functions-key": ["hunter22"], "x-region": ["westeurope"] },
            "query": { "code": ["{{code}}"] },
        },
        "proxy": { "url": "http://p", "username": "u", "password": "hunter23" },
    });
    assert_eq!(
        told("backend", properties.clone()),
        [
            "KL0411 /properties/credentials/authorization/parameter high",
            "KL0411 /properties/credentials/header/x-functions-key/0 high",
            "KL0411 /properties/proxy/password high",
            "KL0411 /properties/credentials/header/x-region/0 warning",
        ]
    );
    let found = scan("backend", properties);
    let opens = found[1].opens.as_ref().unwrap();
    assert_eq!(opens.server, "orders.contoso.net");
    assert_eq!(found[1].fingerprint, Some(estate::key().of("hunter22")));
    assert!(
        found[2].opens.is_none(),
        "a proxy's password does not open the service"
    );
    assert_eq!(found[3].confidence, Confidence::Possible);
    let shown = serde_json::to_string(&found).unwrap() + &format!("{found:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("b3JkZXJz"),
        "{shown}"
    );
}

#[test]
fn client_certificates_that_the_gateway_keeps_are_a_note() {
    let told_of = |properties: Value| told("backend", properties);
    for (properties, pointer) in [
        (
            json!({ "url": "https://b.net", "credentials": { "certificateIds": ["x"] } }),
            "/properties/credentials/certificateIds",
        ),
        (
            json!({ "url": "https://b.net", "credentials": { "certificate": ["CA06"] } }),
            "/properties/credentials/certificate",
        ),
    ] {
        assert_eq!(told_of(properties), [format!("KL0424 {pointer} info")]);
    }
    let none = json!({ "url": "https://b.net", "credentials": { "certificate": [] } });
    assert_eq!(told_of(none), Vec::<String>::new());
    let xml = "<set-backend-service base-url=\"https://b.net\" />\
               <authentication-certificate thumbprint=\"CA06F56B258B7A0D4F2B05470939478651151984\" />";
    let found = Estate::default().inbound(xml).scan();
    assert_eq!(found.len(), 1);
    let place = "/policies/inbound/authentication-certificate/@thumbprint";
    assert_eq!((found[0].rule, found[0].place.as_str()), ("KL0424", place));
    assert_eq!(found[0].opens.as_ref().unwrap().server, "b.net");
    assert!(!found[0].counts());
}

#[test]
fn a_named_value_that_a_backend_sends_tells_of_the_backend() {
    let credentials = json!({ "credentials": { "header": { "api-key": ["{{orders-key}}"] } } });
    let estate = Estate::default().put(at("backend"), credentials);
    let plain = estate.plain("orders-key", "hunter22").scan();
    assert_eq!(plain.len(), 1);
    assert_eq!(
        (plain[0].rule, &plain[0].users),
        ("KL0410", &vec![at("backend")])
    );
}

#[test]
fn keys_in_urls_are_found_and_urls_without_are_not() {
    let url = "https://u:hunter22@f.contoso.net/api?x=1";
    assert_eq!(
        told("api", json!({ "serviceUrl": url })),
        ["KL0412 /properties/serviceUrl high"]
    );
    assert_eq!(
        told("backend", json!({ "url": url })),
        ["KL0412 /properties/url high"]
    );
    let found = scan("api", json!({ "serviceUrl": url }));
    assert_eq!(found[0].opens.as_ref().unwrap().server, "f.contoso.net");
    for clean in [
        json!("https://f.contoso.net/api"),
        json!(null),
        json!("https://f?code={code}"),
    ] {
        assert!(told("api", json!({ "serviceUrl": clean })).is_empty());
    }
}

#[test]
fn an_old_revision_is_searched_like_the_current_one() {
    let revision = gateway().child("api", "orders;rev=2");
    let text = "<policies><inbound><authentication-basic username=\"u\" password=\"hunter22\"/>\
                </inbound></policies>";
    let estate = Estate::default()
        .put(
            revision.clone(),
            json!({ "serviceUrl": "https://h?code=hunter22" }),
        )
        .put(
            revision.child("operation", "get").part("policy"),
            json!({ "value": text }),
        )
        .put(
            gateway().child("product", "p").part("policy"),
            json!({ "value": text }),
        )
        .put(
            at("policyFragment"),
            json!({ "value": "<fragment><set-header name=\"api-key\">\
            <value>hunter22</value></set-header></fragment>" }),
        );
    let found = estate.scan();
    let told: Vec<_> = found
        .iter()
        .map(|f| format!("{} {}", f.rule, f.address))
        .collect();
    assert_eq!(
        told,
        [
            "KL0412 apim:contoso/api:orders;rev=2",
            "KL0408 apim:contoso/api:orders;rev=2/operation:get/policy",
            "KL0409 apim:contoso/policyFragment:x",
            "KL0408 apim:contoso/product:p/policy",
        ]
    );
}

#[test]
fn loggers_with_a_key_are_found_by_their_reference() {
    let hub = json!({ "loggerType": "azureEventHub",
        "credentials": { "name": "h", "connectionString": "{{Logger-Credentials--1}}" } });
    let found = scan("logger", hub);
    assert_eq!(
        (found[0].rule, found[0].severity),
        ("KL0414", Severity::High)
    );
    assert_eq!(found[0].through.as_deref(), Some("Logger-Credentials--1"));
    let insights = |credentials: Value| {
        told(
            "logger",
            json!({ "loggerType": "applicationInsights", "credentials": credentials }),
        )
    };
    let key = json!({ "instrumentationKey": "{{Logger-Credentials--2}}" });
    assert_eq!(
        insights(key),
        ["KL0414 /properties/credentials/instrumentationKey warning"]
    );
    let identity = json!({ "connectionString": "{{Logger-Credentials--3}}", "identityClientId": "SystemAssigned" });
    assert!(insights(identity).is_empty());
    let hub = json!({ "loggerType": "azureEventHub",
        "credentials": { "name": "h", "endpointAddress": "n.servicebus.windows.net", "identityClientId": "SystemAssigned" } });
    assert!(told("logger", hub).is_empty());
    assert!(told("logger", json!({ "loggerType": "azureMonitor" })).is_empty());
}

#[test]
fn caches_and_authorization_servers_are_searched() {
    let cache = json!({ "connectionString": "{{cache-1}}" });
    assert_eq!(
        told("cache", cache),
        ["KL0415 /properties/connectionString warning"]
    );
    let server = json!({
        "clientId": "app",
        "tokenBodyParameters": [
            { "name": "resource", "value": "https://management.azure.com/" },
            { "name": "client_secret", "value": "hunter22" },
        ],
        "resourceOwnerUsername": "u",
        "resourceOwnerPassword": "hunter22",
    });
    assert_eq!(
        told("authorizationServer", server),
        [
            "KL0417 /properties/resourceOwnerPassword high",
            "KL0417 /properties/tokenBodyParameters/1/value high",
        ]
    );
}

#[test]
fn descriptions_of_operations_are_searched() {
    let operation = |request: Value| {
        let address = gateway().child("api", "orders").child("operation", "get");
        let properties = json!({ "displayName": "x", "request": request });
        let estate = Estate::default().put(address, properties);
        estate.told()
    };
    const KEY: &str = "Zx81kTq0LmW4vRb7YcNd";
    let bearer = format!("Bearer {KEY}");
    for (request, pointer) in [
        (
            json!({ "headers": [{ "name": "x-functions-key", "defaultValue": "hunter22" }] }),
            "headers/0/defaultValue",
        ),
        (
            json!({ "headers": [{ "name": "Authorization", "values": [bearer] }] }),
            "headers/0/values/0",
        ),
        (
            json!({ "queryParameters": [{ "name": "code", "defaultValue": KEY }] }),
            "queryParameters/0/defaultValue",
        ),
        (
            json!({ "representations": [{ "examples": { "default": { "value":
                { "connection": "Server=s;Database=d;Uid=u;Pwd=hunter22" } } } }] }),
            "representations/0/examples/default/value/connection",
        ),
        (
            json!({ "representations": [{ "examples": { "default": { "value": { "api-key": KEY } } } }] }),
            "representations/0/examples/default/value/api-key",
        ),
    ] {
        let place = format!("KL0416 /properties/request/{pointer}");
        assert_eq!(operation(request), [place]);
    }
    for request in [
        json!({ "headers": [{ "name": "x-functions-key", "description": "hunter22", "type": "string" }] }),
        json!({ "headers": [{ "name": "Authorization", "defaultValue": "Bearer <token>" }] }),
        json!({ "headers": [{ "name": "x-api-key", "defaultValue": "string" }] }),
        json!({ "queryParameters": [{ "name": "code", "values": ["NL", "DE"] }] }),
        json!({ "representations": [{ "examples": { "default": { "value": { "password": "string", "id": 7 } } } }] }),
        json!(null),
    ] {
        assert_eq!(operation(request), Vec::<String>::new());
    }
}

#[test]
fn a_workspace_is_never_clean() {
    let estate = Estate::default().put(at("workspace"), json!({ "displayName": "x" }));
    let unsearched = keyless_scan::unsearched(&estate.0);
    let addresses: Vec<_> = unsearched.iter().map(|u| u.address.as_str()).collect();
    assert_eq!(addresses, ["apim:contoso/workspace:x"]);
}

#[test]
fn a_key_that_an_api_asks_its_callers_for_is_no_finding() {
    let api = json!({ "subscriptionRequired": true,
        "subscriptionKeyParameterNames": { "header": "Ocp-Apim-Subscription-Key", "query": "subscription-key" } });
    assert!(told("api", api).is_empty());
}
