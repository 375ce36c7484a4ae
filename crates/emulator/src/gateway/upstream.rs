//! The far end of a call: the service with the URL's host decides by what is in the request alone.
//!
//! Like an App Service with Entra and function keys, a service lets in who brings any right proof,
//! whatever else stands beside it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use url::Url;

use super::calls::CredentialKind;
use super::draft::{Pairs, value_of};
use super::error::PolicyError;
use super::{operation, stray};
use crate::directory::Claims;
use crate::entra;
use crate::estate::{Estate, HttpService, KeyKind, ServiceKey};
use crate::http::{Request, Response};

/// A request as it goes over the wire. No `Debug`: it holds credentials.
pub struct Wire {
    pub method: String,
    pub url: Url,
    pub headers: Pairs,
    pub body: Vec<u8>,
}

/// Hands the request to whoever has its host name.
pub fn send(estate: &Estate, wire: &Wire) -> Result<Response, PolicyError> {
    let host = wire.url.host_str().unwrap_or_default().to_lowercase();
    let service = estate.service(&host);
    stray::watch(estate, &host, service.as_ref(), wire);
    if matches!(
        host.as_str(),
        "login.localhost" | "login.microsoftonline.com"
    ) {
        return Ok(entra::answer(estate, &request(wire, host)));
    }
    let Some(service) = service else {
        return Err(PolicyError::Unreachable(host));
    };
    let brought = brought(estate, &service, wire);
    if brought.is_empty() && !service.is_open() {
        estate.calls().refuse(&host);
        return Ok(refusal(estate, &service, wire));
    }
    estate.calls().count(&host, &brought);
    Ok(respond(&service, wire))
}

/// The same request as our own endpoints read it.
fn request(wire: &Wire, host: String) -> Request {
    let headers = wire.headers.iter().filter_map(|(name, value)| {
        let name = hyper::header::HeaderName::try_from(name.as_str()).ok()?;
        Some((name, hyper::header::HeaderValue::try_from(value).ok()?))
    });
    Request {
        verb: wire.method.to_uppercase(),
        host,
        path: wire.url.path().to_owned(),
        query: wire.url.query_pairs().into_owned().collect(),
        headers: headers.collect(),
        body: wire.body.clone().into(),
    }
}

/// Every right proof of the request.
fn brought(estate: &Estate, service: &HttpService, wire: &Wire) -> Vec<CredentialKind> {
    let mut brought = Vec::new();
    if service.accepts_keys {
        if service.keys.iter().any(|key| has_key(wire, key)) {
            brought.push(CredentialKind::Key);
        }
        let sent = basic(wire);
        if sent.is_some_and(|sent| service.basic.contains(&sent)) {
            brought.push(CredentialKind::Basic);
        }
    }
    if token(estate, service, wire).is_ok() {
        brought.push(CredentialKind::Token);
    }
    brought
}

fn has_key(wire: &Wire, key: &ServiceKey) -> bool {
    match key.kind {
        KeyKind::Header => {
            let mut sent = wire.headers.iter();
            sent.any(|(name, value)| name.eq_ignore_ascii_case(&key.name) && *value == key.value)
        }
        KeyKind::Query => {
            let mut sent = wire.url.query_pairs();
            sent.any(|(name, value)| name.eq_ignore_ascii_case(&key.name) && value == key.value)
        }
    }
}

fn authorization<'a>(wire: &'a Wire, scheme: &str) -> Option<&'a str> {
    let (own, rest) = value_of(&wire.headers, "authorization")?.split_once(' ')?;
    own.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

fn basic(wire: &Wire) -> Option<(String, String)> {
    let pair = STANDARD.decode(authorization(wire, "basic")?).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// The claims of a token that opens the service, or why there is none.
fn token(estate: &Estate, service: &HttpService, wire: &Wire) -> Result<Claims, String> {
    let token = authorization(wire, "bearer").ok_or("no token was sent")?;
    let audience = service.audience.as_deref();
    let audience = audience.ok_or("tokens are not accepted")?;
    let claims = estate.directory.verify(token, &[audience]);
    let claims = claims.map_err(|error| error.to_string())?;
    if stray::is_let_in(estate, service, &claims) {
        return Ok(claims);
    }
    Err(format!("the principal {} is not let in", claims.oid))
}

/// A 401 that tells what was wrong, without any value of the request.
fn refusal(estate: &Estate, service: &HttpService, wire: &Wire) -> Response {
    let keys = if service.accepts_keys {
        "no right key was sent"
    } else {
        "keys are not accepted any more"
    };
    let token = token(estate, service, wire).err().unwrap_or_default();
    let message = format!("Unauthorized by {}: {keys}; {token}.", service.host);
    Response::json(401, &json!({"statusCode": 401, "message": message}))
        .with("WWW-Authenticate", "Bearer")
}

/// The canned answer for method and path; a service without any answers everything.
fn respond(service: &HttpService, wire: &Wire) -> Response {
    if service.responses.is_empty() {
        return Response::json(200, &json!({"service": service.host}));
    }
    let segments: Vec<String> = wire
        .url
        .path()
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(str::to_owned)
        .collect();
    let found = service.responses.iter().find(|response| {
        let method = response.method == "*" || response.method.eq_ignore_ascii_case(&wire.method);
        method && operation::fit(&response.path, &segments, &[]).is_some()
    });
    match found {
        Some(response) => Response::json(response.status, &response.body),
        None => {
            let message = format!("{} has nothing at {}.", service.host, wire.url.path());
            Response::json(404, &json!({"statusCode": 404, "message": message}))
        }
    }
}
