//! The canary: the declared request, sent as a caller would send it, to a revision that already
//! uses the identity, to the API as it is after its switch, or to a URL that somebody else set up.

use std::collections::BTreeMap;

use keyless_azure::{Probe as CallerRequest, apim};
use keyless_engine::Probe;
use keyless_model::{Address, Auth, ProbeRequest, Secret};
use keyless_plan::Splice;
use serde_json::Value;

use crate::error::LiveError;
use crate::provider::LiveProvider;
use crate::resource::now;
use crate::revision;

/// The header of a subscription key where the API names no other (Azure docs, "Subscriptions in
/// Azure API Management").
const KEY_HEADER: &str = "Ocp-Apim-Subscription-Key";

/// What a canary gate asks for.
pub(crate) struct Asked<'a> {
    pub api: &'a Address,
    pub current: bool,
    pub request: &'a ProbeRequest,
    pub auth: Option<&'a Auth>,
    /// The edits of each policy, by its address below the API.
    pub edits: &'a BTreeMap<String, Vec<Splice>>,
}

/// Sends the request and says whether it succeeded.
pub(crate) async fn probe(provider: &LiveProvider, asked: Asked<'_>) -> Result<Probe, LiveError> {
    if asked.current || asked.request.url.is_some() {
        return call(provider, &asked, None).await;
    }
    let revision = revision::make(provider, asked.api).await?;
    let outcome = async {
        for (below, edits) in asked.edits {
            revision::edit(provider, asked.api, &revision, below, edits).await?;
        }
        call(provider, &asked, Some(&revision)).await
    }
    .await;
    // The revision goes away whatever the outcome; one that stays is removed before the next canary.
    let left = match revision::remove(provider, &revision).await {
        Ok(()) => return outcome,
        Err(left) => left,
    };
    match outcome? {
        Probe::Fails { why, next } => Ok(Probe::Fails {
            why: format!("{why}; besides, {revision} could not be removed: {left}"),
            next,
        }),
        _ => Err(left),
    }
}

async fn call(
    provider: &LiveProvider,
    asked: &Asked<'_>,
    revision: Option<&Address>,
) -> Result<Probe, LiveError> {
    let live = now(provider, asked.api).await?;
    let api = live.ok_or_else(|| LiveError::Gone(asked.api.clone()))?.body;
    let request = asked.request;
    let url = match &request.url {
        Some(url) => url.clone(),
        None => {
            let base = provider.services.gateway_url(&asked.api.root())?;
            url(&base, &api, revision, &request.path)
        }
    };
    let mut headers = Vec::new();
    if let Some(auth) = asked.auth {
        headers.push(credential(provider, asked.api, &api, auth).await?);
    }
    if request.body.is_some() {
        headers.push(("Content-Type".into(), Secret::new("application/json")));
    }
    let probe = CallerRequest {
        url,
        method: request.method.clone(),
        headers,
        body: request.body.clone(),
    };
    let answer = provider.services.arm.probe(&probe).await?;
    Ok(judge(request, asked.current, answer.status, &answer.body))
}

/// Where the gateway answers for the API, or for one revision of it.
fn url(base: &str, api: &Value, revision: Option<&Address>, below: &str) -> String {
    let field = |name: &str| {
        let field = api.pointer(&format!("/properties/{name}"));
        field
            .and_then(Value::as_str)
            .map(|text| text.trim_matches('/'))
            .filter(|text| !text.is_empty())
    };
    // A version stands in the path unless its set says otherwise (Azure docs, "Versions in Azure
    // API Management"); those in a header or the query are for the document to name.
    let in_path = field("apiVersionSet/versioningScheme").is_none_or(|s| s == "Segment");
    let version = field("apiVersion").filter(|_| in_path);
    let revision = revision.and_then(|r| r.last().1.split_once(';'));
    let revision = revision.map(|(_, n)| format!(";{n}")).unwrap_or_default();
    // An API may have no path of its own.
    let own = joined([
        field("path").unwrap_or_default(),
        version.unwrap_or_default(),
    ]);
    let own = format!("{own}{revision}");
    let base = base.trim_end_matches('/');
    joined([base, &own, below.trim_start_matches('/')])
}

fn joined<const N: usize>(parts: [&str; N]) -> String {
    let parts: Vec<&str> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    parts.join("/")
}

/// The header by which the request authenticates as a caller. What it holds stays in memory.
async fn credential(
    provider: &LiveProvider,
    address: &Address,
    api: &Value,
    auth: &Auth,
) -> Result<(String, Secret), LiveError> {
    let services = &provider.services;
    match auth {
        Auth::Header { name, env } => {
            let value = (provider.environment)(env);
            let value = value.ok_or_else(|| LiveError::Environment(env.clone()))?;
            Ok((name.clone(), Secret::new(value)))
        }
        Auth::Subscription { name } => {
            let request = apim::subscription_secrets(&services.root(address)?.id, name)?;
            let answer = services.arm.send(request).await?.body;
            let key = answer.get("primaryKey").and_then(Value::as_str);
            let key = key.ok_or_else(|| {
                let why = format!("the service gave no key of the subscription {name}");
                LiveError::Canary(address.clone(), why)
            })?;
            let header = api.pointer("/properties/subscriptionKeyParameterNames/header");
            let header = header.and_then(Value::as_str).unwrap_or(KEY_HEADER);
            Ok((header.to_owned(), Secret::new(key)))
        }
        Auth::Audience { audience } => {
            let scope = caller_scope(provider, address, audience)?;
            let token = services.arm.tokens().token(&scope).await?;
            let value = format!("Bearer {}", token.expose());
            Ok(("Authorization".to_owned(), Secret::new(value)))
        }
    }
}

/// Domains of Azure's own services, in all clouds (Microsoft docs, endpoints of the
/// national clouds): a token for one of them is worth more than a probe.
const AZURE: [&str; 12] = [
    "azure.net",
    "azure.com",
    "windows.net",
    "azure.us",
    "azure.cn",
    "usgovcloudapi.net",
    "chinacloudapi.cn",
    "microsoft.com",
    "microsoft.us",
    "microsoftonline.com",
    "loganalytics.io",
    "applicationinsights.io",
];

/// The host of an audience that is a URL.
fn host_of(audience: &str) -> String {
    let rest = audience.split_once("://").map_or("", |(_, rest)| rest);
    let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
    host.trim_end_matches('.').to_lowercase()
}

/// The scope of a token for `audience`. One that opens Azure itself goes to no URL of a plan.
fn caller_scope(
    provider: &LiveProvider,
    address: &Address,
    audience: &str,
) -> Result<String, LiveError> {
    let cloud = provider.services.arm.cloud();
    let own = [&cloud.resource_manager_audience, &cloud.sql_audience];
    let plain = |text: &str| text.trim_end_matches('/').to_lowercase();
    let host = host_of(audience);
    let within = |domain: &str| {
        let above = host.strip_suffix(domain);
        above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let azure = AZURE.iter().any(|domain| within(domain));
    if azure || own.iter().any(|a| plain(a) == plain(audience)) {
        let why = "a token for Azure itself is not sent to an API".to_owned();
        return Err(LiveError::Canary(address.clone(), why));
    }
    Ok(format!("{}/.default", audience.trim_end_matches('/')))
}

/// Whether an answer is what the document expects. Its text may hold rows, so none of it is shown.
fn judge(request: &ProbeRequest, switched: bool, status: u16, text: &str) -> Probe {
    let then = if switched {
        "the switch is taken back"
    } else {
        "the switch was not made"
    };
    let next = format!(
        "look at the gateway's trace of this call, or correct `prove.request` and plan again if it \
         asks for the wrong thing; {then}"
    );
    let fails = |why: String| Probe::Fails {
        why: format!("{}: {why}", sent(request)),
        next,
    };
    if status != request.expect.status {
        let wanted = request.expect.status;
        return fails(format!("the answer was {status} instead of {wanted}"));
    }
    if request.expect.no_graphql_errors {
        let Ok(answer) = serde_json::from_str::<Value>(text) else {
            return fails("the answer is not JSON, and GraphQL answers in JSON".to_owned());
        };
        let errors = answer
            .get("errors")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        if errors > 0 {
            let errors = match errors {
                1 => "a GraphQL error".to_owned(),
                n => format!("{n} GraphQL errors"),
            };
            return fails(format!("the answer holds {errors}"));
        }
    }
    Probe::Holds(format!("{status}, as expected"))
}

/// Method and path of the request. What stands in its query may be meant for the service alone.
fn sent(request: &ProbeRequest) -> String {
    let below = format!("/{}", request.path.trim_start_matches('/'));
    let whole = request.url.as_ref().unwrap_or(&below);
    let path = whole.split(['?', '#']).next().unwrap_or_default();
    format!("{} {path}", request.method)
}

#[cfg(test)]
mod tests {
    use keyless_model::Expected;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_judged_by_status_and_graphql_errors() {
        let request = ProbeRequest {
            method: "POST".into(),
            path: String::new(),
            url: None,
            body: None,
            expect: Expected {
                status: 200,
                no_graphql_errors: true,
            },
        };
        assert!(matches!(
            judge(&request, false, 200, r#"{"data":{}}"#),
            Probe::Holds(_)
        ));
        assert!(matches!(
            judge(&request, false, 500, "{}"),
            Probe::Fails { .. }
        ));
        assert!(matches!(
            judge(&request, false, 200, "<html>"),
            Probe::Fails { .. }
        ));
        let errors = r#"{"errors":[{"message":"secret row"}]}"#;
        let Probe::Fails { why, .. } = judge(&request, false, 200, errors) else {
            panic!("holds")
        };
        assert!(!why.contains("secret"));
    }

    #[test]
    fn a_failure_names_the_request_and_the_field_that_asks_for_it() {
        let request = ProbeRequest {
            method: "GET".into(),
            path: "parcels/1?code=planted".into(),
            url: None,
            body: None,
            expect: Expected {
                status: 200,
                no_graphql_errors: false,
            },
        };
        let Probe::Fails { why, next } = judge(&request, false, 404, "") else {
            panic!("holds")
        };
        assert_eq!(why, "GET /parcels/1: the answer was 404 instead of 200");
        assert!(next.contains("`prove.request`"), "{next}");
    }

    #[test]
    fn a_revision_is_called_by_its_number() {
        let api = json!({ "properties": { "path": "orders/v1" } });
        let base = "https://contoso.azure-api.net/";
        let revision = Address::gateway("g").child("api", "orders;rev=3");
        assert_eq!(
            url(base, &api, Some(&revision), "/a?b=c"),
            "https://contoso.azure-api.net/orders/v1;rev=3/a?b=c"
        );
        let versioned = json!({ "properties": { "path": "orders", "apiVersion": "v1" } });
        assert_eq!(
            url(base, &versioned, None, ""),
            "https://contoso.azure-api.net/orders/v1"
        );
    }

    #[test]
    fn one_slash_stands_between_the_parts_of_a_url() {
        let revision = Address::gateway("g").child("api", "all;rev=2");
        for (path, host, below, wanted) in [
            ("", "https://g.net", "/a", "https://g.net/a"),
            ("", "https://g.net/", "a", "https://g.net/a"),
            ("", "https://g.net/", "", "https://g.net"),
            ("/", "https://g.net/", "/a", "https://g.net/a"),
            ("/o/", "https://g.net/", "/a/", "https://g.net/o/a/"),
        ] {
            let api = json!({ "properties": { "path": path } });
            assert_eq!(url(host, &api, None, below), wanted, "{path} {below}");
        }
        let api = json!({ "properties": { "path": "" } });
        let numbered = url("https://g.net/", &api, Some(&revision), "/a");
        assert_eq!(numbered, "https://g.net/;rev=2/a");
    }

    #[test]
    fn a_version_of_a_header_is_not_in_the_path() {
        let base = "https://contoso.azure-api.net/";
        let by_header = json!({ "properties": {
            "path": "orders",
            "apiVersion": "v1",
            "apiVersionSet": { "versioningScheme": "Header" },
        }});
        assert_eq!(
            url(base, &by_header, None, ""),
            "https://contoso.azure-api.net/orders"
        );
    }
}
