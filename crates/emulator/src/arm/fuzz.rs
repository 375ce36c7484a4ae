//! Fuzzing of what reads requests: no path, query, header or body makes Resource Manager, Entra or
//! Graph panic, and every refusal of Resource Manager comes in its envelope.
//!
//! `BOLERO_RANDOM_ITERATIONS=1000000 cargo test --release -p keyless-emulator fuzz` runs it for
//! longer.

use bolero::check;
use hyper::HeaderMap;
use hyper::body::Bytes;
use serde_json::Value;

use super::{odata, put_all};
use crate::emulator::found;
use crate::estate::{Estate, Ports};
use crate::http::{Request, Response};
use crate::seed::Seed;
use crate::sql::fuzz::iterations;
use crate::{arm, entra, graph};

const VERBS: [&str; 8] = [
    "GET", "PUT", "PATCH", "DELETE", "POST", "HEAD", "OPTIONS", "",
];
/// Segments of paths; each byte of an input picks one.
const SEGMENTS: &str = "subscriptions|s1|resourceGroups|rg|providers|Microsoft.ApiManagement|service|harbour\
    |Microsoft.Sql|servers|quay|databases|berths|master|administrators|ActiveDirectory|namedValues|alpha\
    |berths-db|apis|berths;rev=1|berths;rev=2|;rev=|resolvers|berth|policies|policy|operations|releases\
    |products|apiLinks|subscriptions|probe|listSecrets|listValue|regeneratePrimaryKey|gateways|listKeys|regenerateKey\
    |backends|loggers|policyFragments|allPolicies|revisions|firewallRules|extendedAuditingSettings|default\
    |azureADOnlyAuthentications|Microsoft.Authorization|roleAssignments|00000000-0000-0000-0000-00000000e001\
    |roleDefinitions|Microsoft.ManagedIdentity|userAssignedIdentities|identities|federatedIdentityCredentials\
    |locks|Microsoft.Insights|eventtypes|management|values|groups|connectionPolicies|operationStatuses\
    |operationResults|tenant|metadata|endpoints|tenants|locations|checkNameAvailability\
    |oauth2|v2.0|token|v1.0|servicePrincipals|%|%00|%2F|..|é|İ|%F0%9F|$|'";
const QUERIES: &str = "api-version=2024-05-01|api-version=2022-08-01|api-version=é|api-version=|$top=1|$top=0\
    |$top=99999999999999999999|$skip=18446744073709551615|$skip=-1|$filter=name eq 'x'|$filter=((((|$filter='\
    |$filter=atScope()|$expand=administrators/activedirectory|format=rawxml|format=x|asyncId=x|deleteRevisions=true\
    |$filter=eventTimestamp ge '2020-01-01T00:00:00Z' and resourceUri eq 'é'|$filter=eventTimestamp le 'é'|$select=,é
    |isKeyVaultRefreshFailed=true|expandApiVersionSet=true|%=%|=";
const BODIES: &str = r#"{}|[]|null|1|"x"|{"properties":1}|{"properties":{"displayName":"x","path":"x","value":"x"}}
    |{"properties":{"displayName":{},"value":[],"secret":"x"}}|{"properties":{"format":"rawxml","value":"<policies>"}}
    |{"properties":{"format":"rawxml","value":"<policies>@({{x}}</policies>"}}|{"properties":{"value":"é@{<"}}
    |{"identity":{"type":"SystemAssigned,UserAssigned","userAssignedIdentities":{"x":{}}}}|{"identity":1}|{"sku":1}
    |{"properties":{"administratorLogin":"a","administratorLoginPassword":"b"}}|{"location":1,"tags":1}
    |{"properties":{"startIpAddress":"9.9.9.9","endIpAddress":"x"}}|{"values":[{"name":1}]}|{"properties":{"pool":{"services":[{"id":"é"}]}}}
    |{"properties":{"apiId":"/","sourceApiId":";rev="}}|{"properties":{"keyVault":{"secretIdentifier":"https://é"}}}|{"ids":[1,"x"]}|{"keys":1}|{"keyType":"primary"}
    |grant_type=client_credentials&client_id=a0000000-0000-0000-0000-00000000c001&scope=x&client_assertion=a.b.c|{"#;

fn pick<'a>(words: &'a str, bytes: &[u8]) -> Vec<&'a str> {
    let words: Vec<&str> = words.split('|').map(str::trim).collect();
    let one = |byte: &u8| words[usize::from(*byte) % words.len()];
    bytes.iter().map(one).collect()
}

fn estate() -> Estate {
    let seed = Seed::parse(include_str!("../../tests/seeds/small.yaml")).unwrap();
    let ports = Ports {
        https: 1,
        sql: 2,
        control: 3,
    };
    let estate = found(&seed, ports, "").unwrap();
    put_all(&estate, &seed).unwrap();
    estate
}

fn operator(estate: &Estate) -> String {
    let operator = estate.directory.by_display_name("keyless-apply").remove(0);
    let audience = "https://management.azure.com";
    estate.directory.issue(&operator, audience, i64::MAX / 4)
}

/// The request that the bytes of an input stand for.
fn request(input: &[u8], token: &str) -> Request {
    let at = |place: usize| input.get(place).copied().unwrap_or_default();
    let rest = input.get(5..).unwrap_or_default();
    let (path, rest) = rest.split_at(rest.len().min(usize::from(at(1) % 16)));
    let (query, rest) = rest.split_at(rest.len().min(usize::from(at(2) % 4)));
    let query = pick(QUERIES, query).join("&");
    let mut headers = HeaderMap::new();
    if at(3) % 16 != 0 {
        let bearer = format!("Bearer {token}").parse().unwrap();
        headers.insert("authorization", bearer);
    }
    if at(3) % 8 != 1 {
        headers.insert("content-type", "application/json".parse().unwrap());
    }
    if at(3) % 2 == 0 {
        headers.insert("if-match", "*".parse().unwrap());
    }
    let body = match at(4) % 4 {
        0 => Bytes::copy_from_slice(rest),
        _ => Bytes::from(pick(BODIES, &[at(4)]).concat()),
    };
    // What most requests begin with would hardly be hit by chance.
    let service =
        "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.ApiManagement/service/harbour";
    let server = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Sql/servers/quay";
    let begin = ["", service, service, server][usize::from(at(0) / 8) % 4];
    Request {
        verb: VERBS[usize::from(at(0)) % VERBS.len()].to_owned(),
        host: "management.localhost".to_owned(),
        path: format!("{begin}/{}", pick(SEGMENTS, path).join("/")),
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers,
        body,
    }
}

fn assert_sound(request: &Request, response: &Response) {
    let told = || format!("{} {}", request.verb, request.path);
    assert!((200..600).contains(&response.status), "{}", told());
    assert_ne!(response.status, 500, "{}", told());
    if response.status >= 400 {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        assert!(body["error"]["code"].is_string(), "{}: {body}", told());
    }
}

#[test]
fn requests() {
    let estate = estate();
    let token = operator(&estate);
    check!()
        .with_iterations(iterations(4_000))
        .with_max_len(64)
        .for_each(|input: &[u8]| {
            let request = request(input, &token);
            assert_sound(&request, &arm::answer(&estate, &request));
            entra::answer(&estate, &request);
            graph::answer(&estate, &request);
        });
}

#[test]
fn filters() {
    check!()
        .with_iterations(iterations(20_000))
        .for_each(|input: &[u8]| {
            let text = String::from_utf8_lossy(input);
            if let Ok(filter) = odata::parse(&text) {
                filter.passes(&Value::Null);
            }
        });
}
