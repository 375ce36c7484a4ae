//! From a draft to what goes over the wire: the base URL, and the credentials of a backend entity
//! merged into headers and query.
//!
//! Where a backend and a policy set the same header the backend's value stands (Azure does not say;
//! azure-facts B.5, row 3).

use serde_json::Value;
use url::Url;

use super::draft::{Address, Draft, Pairs, set, value_of};
use super::error::PolicyError;
use super::identity;
use super::text::Texts;
use super::upstream::Wire;
use crate::arm::name_of;

/// Builds the request as it leaves the gateway.
pub fn wire(texts: &Texts<'_>, draft: &Draft) -> Result<Wire, PolicyError> {
    let mut draft = draft.clone();
    let (base, path) = match draft.address.clone() {
        Address::Whole(url) => (url, String::new()),
        Address::Below { base, path } => (texts.filled(&base)?, path),
        Address::Backend { id, path } => (credentials(texts, &id, &mut draft)?, path),
    };
    if base.is_empty() {
        return Err(PolicyError::NoBackend);
    }
    let mut url = Url::parse(&base).map_err(|_| PolicyError::Url("The backend's address"))?;
    if !path.is_empty() && path != "/" {
        let below = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{below}/{}", path.trim_start_matches('/')));
    }
    if !draft.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&draft.query);
    }
    log_in(&mut url, &mut draft);
    Ok(Wire {
        method: draft.method,
        url,
        headers: sendable(draft.headers),
        body: draft.body,
    })
}

/// User and password of a URL become basic credentials, unless there are others.
fn log_in(url: &mut Url, draft: &mut Draft) {
    let decoded = |text: &str| {
        let text = format!("v={}", text.replace('+', "%2B"));
        let decoded = url::form_urlencoded::parse(text.as_bytes())
            .map(|(_, value)| value.into_owned())
            .next();
        decoded.unwrap_or_default()
    };
    let (user, password) = (decoded(url.username()), url.password().map(decoded));
    if !user.is_empty() && value_of(&draft.headers, "authorization").is_none() {
        draft.authorize_basic(&user, &password.unwrap_or_default());
    }
    // Refused only for URLs without a host, which no service has.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

/// Headers that belong to one connection stay behind.
fn sendable(headers: Pairs) -> Pairs {
    let hop = ["host", "connection", "content-length", "transfer-encoding"];
    let stays = |name: &str| !hop.contains(&name.to_lowercase().as_str());
    headers
        .into_iter()
        .filter(|(name, _)| stays(name))
        .collect()
}

/// Merges a backend's credentials in; returns its URL.
fn credentials(texts: &Texts<'_>, id: &str, draft: &mut Draft) -> Result<String, PolicyError> {
    let properties = single(texts, id)?;
    let url = properties["url"].as_str().unwrap_or_default();
    let url = texts.filled(url)?;
    let credentials = &properties["credentials"];
    for (name, values) in filled(texts, &credentials["header"])? {
        set(&mut draft.headers, &name, "override", values)?;
    }
    for (name, values) in filled(texts, &credentials["query"])? {
        set(&mut draft.query, &name, "override", values)?;
    }
    let authorization = &credentials["authorization"];
    if let Some(scheme) = authorization["scheme"].as_str() {
        let parameter = authorization["parameter"].as_str().unwrap_or_default();
        let parameter = texts.filled(parameter)?;
        draft.authorize(format!("{scheme} {parameter}").trim().to_owned());
    }
    let own = &credentials["managedIdentity"];
    if let Some(resource) = own["resource"].as_str() {
        let client = own["clientId"].as_str();
        let token = identity::token(texts.estate, texts.service, client, resource)?;
        draft.authorize(format!("Bearer {token}"));
    }
    Ok(url)
}

/// The properties of a backend, or of the member of a pool whose turn it is.
fn single(texts: &Texts<'_>, id: &str) -> Result<Value, PolicyError> {
    let pool = properties(texts, id)?;
    let Some(members) = pool["pool"]["services"].as_array() else {
        return Ok(pool);
    };
    let turn = texts.estate.calls().turn(id, members.len());
    let member = members.get(turn).and_then(|member| member["id"].as_str());
    properties(texts, name_of(member.unwrap_or_default()))
}

fn properties(texts: &Texts<'_>, id: &str) -> Result<Value, PolicyError> {
    let key = format!("{}/backends/{}", texts.service, id.to_lowercase());
    let store = texts.estate.store();
    let backend = store.get(&key);
    let backend = backend.ok_or_else(|| PolicyError::Backend(id.to_owned()))?;
    Ok(backend.body["properties"].clone())
}

/// `{name: [value, …]}` with the named values put in.
fn filled(
    texts: &Texts<'_>,
    credentials: &Value,
) -> Result<Vec<(String, Vec<String>)>, PolicyError> {
    let fields = credentials.as_object().into_iter().flatten();
    fields
        .map(|(name, values)| {
            let values = values.as_array().into_iter().flatten();
            let values = values.map(|value| texts.filled(value.as_str().unwrap_or_default()));
            Ok((name.clone(), values.collect::<Result<_, _>>()?))
        })
        .collect()
}
