//! Requests out of the generated builders of `azure_mgmt_*` 0.21.
//!
//! A builder runs against a transport that keeps the request and sends nothing, with a credential
//! that holds no token. Invariant: only verb, path, query and If-Match are taken; the generated
//! models lose `[]`, `null` and unknown fields, so the body is always ours.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use azure_core_legacy as legacy;
use azure_mgmt_apimanagement::package_preview_2023_09 as apim;
use azure_mgmt_authorization::package_2022_04_01 as authorization;
use azure_mgmt_sql::package_preview_2024_05 as sql;
use futures::{FutureExt, Stream, StreamExt};
use keyless_model::ArmId;
use serde_json::Value;

use crate::error::ArmError;
use crate::request::{
    APIM_VERSION, AUTHORIZATION_VERSION, Request, SQL_VERSION, Verb, check, check_scope,
};

/// What a builder of `Microsoft.ApiManagement` needs, with the names checked.
pub(crate) struct Apim<'a> {
    pub client: apim::Client,
    pub group: &'a str,
    pub service: &'a str,
    pub subscription: &'a str,
}

/// What a builder of `Microsoft.Sql` needs, with the names checked.
pub(crate) struct Sql<'a> {
    pub client: sql::Client,
    pub group: &'a str,
    pub server: &'a str,
    pub subscription: &'a str,
}

/// The request that a builder of API Management makes.
pub(crate) fn from_apim<'a, F: Future>(
    id: &'a ArmId,
    names: &[&str],
    build: impl FnOnce(Apim<'a>) -> F,
) -> Result<Request, ArmError> {
    check(id, "Microsoft.ApiManagement/service", names)?;
    let kept = Kept::default();
    let client = apim::Client::builder(Arc::new(NoToken))
        .endpoint(endpoint(APIM_VERSION)?)
        .scopes(&["none"])
        .retry(legacy::RetryOptions::none())
        .transport(legacy::TransportOptions::new(Arc::new(kept.clone())))
        .build()
        .map_err(|_| ArmError::Builder)?;
    let given = Apim {
        client,
        group: &id.resource_group,
        service: &id.name,
        subscription: &id.subscription,
    };
    kept.request_of(build(given))
}

/// The request that a builder of Azure SQL makes.
pub(crate) fn from_sql<'a, F: Future>(
    id: &'a ArmId,
    names: &[&str],
    build: impl FnOnce(Sql<'a>) -> F,
) -> Result<Request, ArmError> {
    check(id, "Microsoft.Sql/servers", names)?;
    let kept = Kept::default();
    let client = sql::Client::builder(Arc::new(NoToken))
        .endpoint(endpoint(SQL_VERSION)?)
        .scopes(&["none"])
        .retry(legacy::RetryOptions::none())
        .transport(legacy::TransportOptions::new(Arc::new(kept.clone())))
        .build()
        .map_err(|_| ArmError::Builder)?;
    let given = Sql {
        client,
        group: &id.resource_group,
        server: &id.name,
        subscription: &id.subscription,
    };
    kept.request_of(build(given))
}

/// The request that a builder of `Microsoft.Authorization` makes for a scope: a subscription, a
/// group, a resource or a part of one, as an absolute path. The builder gets it as it wants it,
/// without the leading slash.
pub(crate) fn from_authorization<F: Future>(
    scope: &str,
    names: &[&str],
    build: impl FnOnce(authorization::Client, String) -> F,
) -> Result<Request, ArmError> {
    let scope = check_scope(scope, names)?;
    let kept = Kept::default();
    let client = authorization::Client::builder(Arc::new(NoToken))
        .endpoint(endpoint(AUTHORIZATION_VERSION)?)
        .scopes(&["none"])
        .retry(legacy::RetryOptions::none())
        .transport(legacy::TransportOptions::new(Arc::new(kept.clone())))
        .build()
        .map_err(|_| ArmError::Builder)?;
    kept.request_of(build(client, scope.to_owned()))
}

/// The first request of a list.
pub(crate) async fn first<T>(pages: impl Stream<Item = T>) {
    let mut pages = Box::pin(pages);
    pages.next().await;
}

impl Request {
    /// Puts our own body in.
    pub(crate) fn carrying(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Asks in another version of the service's API.
    pub(crate) fn in_version(mut self, version: &str) -> Self {
        for (_, value) in self.query.iter_mut().filter(|(k, _)| k == "api-version") {
            version.clone_into(value);
        }
        self
    }

    /// Sets If-Match where a PUT takes it optionally.
    pub(crate) fn matching(mut self, etag: Option<&str>) -> Self {
        self.if_match = etag.map(str::to_owned);
        self
    }
}

/// The builders keep an api-version that the endpoint already names.
fn endpoint(version: &str) -> Result<legacy::Url, ArmError> {
    legacy::Url::parse(&format!("https://capture.invalid/?api-version={version}"))
        .map_err(|_| ArmError::Builder)
}

/// A transport that keeps what it is asked to send.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Option<legacy::Request>>>);

impl Kept {
    /// Nothing here waits, so one poll runs a builder to its (refused) end.
    fn request_of<F: Future>(&self, built: F) -> Result<Request, ArmError> {
        // The builder's own result is only the refusal below.
        let _ = built.now_or_never();
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        ours(&kept.ok_or(ArmError::Builder)?)
    }
}

#[async_trait::async_trait]
impl legacy::HttpClient for Kept {
    async fn execute_request(&self, request: &legacy::Request) -> legacy::Result<legacy::Response> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(request.clone());
        Err(legacy::Error::message(
            legacy::error::ErrorKind::Other,
            "kept, not sent",
        ))
    }
}

fn ours(kept: &legacy::Request) -> Result<Request, ArmError> {
    let verb = match kept.method() {
        legacy::Method::Get => Verb::Get,
        legacy::Method::Put => Verb::Put,
        legacy::Method::Patch => Verb::Patch,
        legacy::Method::Delete => Verb::Delete,
        legacy::Method::Post => Verb::Post,
        _ => return Err(ArmError::Builder),
    };
    let url = kept.url();
    Ok(Request {
        verb,
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        if_match: kept
            .headers()
            .get_optional_string(&legacy::headers::IF_MATCH),
        body: None,
    })
}

/// The builders insist on a bearer token; no real one enters this code.
#[derive(Debug)]
struct NoToken;

#[async_trait::async_trait]
impl legacy::auth::TokenCredential for NoToken {
    async fn get_token(&self, _: &[&str]) -> legacy::Result<legacy::auth::AccessToken> {
        let never = legacy::date::parse_rfc3339("2000-01-01T00:00:00Z")?;
        Ok(legacy::auth::AccessToken::new("none", never))
    }

    async fn clear_cache(&self) -> legacy::Result<()> {
        Ok(())
    }
}
