//! One request to Azure Resource Manager, as data.
//!
//! Invariant: every name in a path passed [`keyless_model::check_azure_name`], so that no name can
//! leave its segment. Hosts and tokens are added by [`crate::Arm`], never here.

use std::fmt;

use keyless_model::{ArmId, check_azure_name};
use serde_json::Value;
use url::Url;

use crate::error::ArmError;

/// The api-version of `Microsoft.ApiManagement` (azure-facts, recommended versions).
pub(crate) const APIM_VERSION: &str = "2024-05-01";
/// The api-version of `Microsoft.Sql`.
pub(crate) const SQL_VERSION: &str = "2023-08-01";
/// The api-version of `Microsoft.Authorization` (azure-facts D).
pub(crate) const AUTHORIZATION_VERSION: &str = "2022-04-01";
/// The api-version of `Microsoft.ManagedIdentity`, the identity extension resource included
/// (azure-facts B.1).
const IDENTITY_VERSION: &str = "2024-11-30";

/// Where the bodies of writes hold secrets: named values and policies, backends (azure-facts B.3),
/// a server's auditing and administrator.
const SECRET_PLACES: [&str; 5] = [
    "/value",
    "/credentials",
    "/proxy/password",
    "/storageAccountAccessKey",
    "/administratorLoginPassword",
];

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Get,
    Head,
    Put,
    Patch,
    Delete,
    /// An action; the ones that keyless uses read secrets and change nothing.
    Post,
}

impl Verb {
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Post => "POST",
        }
    }

    /// Whether it changes the service.
    pub fn writes(self) -> bool {
        matches!(self, Self::Put | Self::Patch | Self::Delete)
    }

    /// Whether sending it twice ends as sending it once.
    pub fn idempotent(self) -> bool {
        !matches!(self, Self::Patch | Self::Post)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One request. The body can hold a credential, so a request neither serialises nor shows it.
#[derive(Clone, PartialEq)]
pub struct Request {
    pub verb: Verb,
    /// The path from `/subscriptions/…`, percent-encoded.
    pub path: String,
    /// The decoded query, `api-version` included.
    pub query: Vec<(String, String)>,
    /// An ETag, or `*`.
    pub if_match: Option<String>,
    /// The JSON body as it is sent.
    pub body: Option<Value>,
}

impl Request {
    /// A read of the same resource, for the end of a write.
    pub(crate) fn read_back(&self) -> Self {
        Self {
            verb: Verb::Get,
            if_match: None,
            body: None,
            ..self.clone()
        }
    }

    /// What its body holds that no message may repeat: values, keys and passwords, and what stands
    /// in a URL beside host and path.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let properties = self.body.as_ref().and_then(|body| body.get("properties"));
        let Some(properties) = properties else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for place in SECRET_PLACES {
            if let Some(value) = properties.pointer(place) {
                strings(value, &mut found);
            }
        }
        let urls = ["url", "serviceUrl"].map(|name| properties.get(name).and_then(Value::as_str));
        for url in urls.into_iter().flatten() {
            found.extend(query_values(url));
            found.extend(user_of(url));
        }
        found
    }

    /// The subscription that the request belongs to; empty when it belongs to none.
    pub(crate) fn subscription(&self) -> &str {
        let rest = self.path.strip_prefix("/subscriptions/");
        rest.and_then(|rest| rest.split('/').next())
            .unwrap_or_default()
    }

    /// The path up to the service or server: what one writer at a time may change.
    pub(crate) fn service(&self) -> String {
        let parts: Vec<&str> = self.path.split('/').take(9).collect();
        parts.join("/").to_lowercase()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.path)
    }
}

/// The client id and object id of a service's system-assigned identity:
/// `{svc}/providers/Microsoft.ManagedIdentity/identities/default`. No generated crate has it.
pub fn system_identity(service: &ArmId) -> Request {
    identity_at(&format!(
        "{service}/providers/Microsoft.ManagedIdentity/identities/default"
    ))
}

/// A user-assigned identity: `/properties/clientId` and `/properties/principalId`.
///
/// # Errors
/// When the id is of another type.
pub fn user_assigned_identity(id: &ArmId) -> Result<Request, ArmError> {
    check(id, "Microsoft.ManagedIdentity/userAssignedIdentities", &[])?;
    Ok(identity_at(&id.to_string()))
}

fn identity_at(path: &str) -> Request {
    Request {
        verb: Verb::Get,
        path: encoded(path),
        query: vec![("api-version".to_owned(), IDENTITY_VERSION.to_owned())],
        if_match: None,
        body: None,
    }
}

/// Every text in a value.
fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, found)),
        _ => {}
    }
}

/// The values in the query of a URL: function keys and signatures.
fn query_values(url: &str) -> impl Iterator<Item = &str> {
    let (_, query) = url.split_once('?').unwrap_or_default();
    query
        .split('&')
        .filter_map(|pair| Some(pair.split_once('=')?.1))
}

/// The user and password before the host of a URL.
fn user_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    host.rsplit_once('@').map(|(user, _)| user)
}

/// Percent-encoded as the builders do it: a resource group may have letters of any script.
fn encoded(path: &str) -> String {
    match Url::parse("https://path.invalid") {
        Ok(mut url) => {
            url.set_path(path);
            url.path().to_owned()
        }
        Err(_) => path.to_owned(),
    }
}

/// Refuses an id of another type and names that could leave their path segment.
pub(crate) fn check(id: &ArmId, kind: &'static str, names: &[&str]) -> Result<(), ArmError> {
    if !id.kind.eq_ignore_ascii_case(kind) {
        return Err(ArmError::Kind {
            id: id.to_string(),
            kind,
        });
    }
    check_names(names)
}

/// Refuses a scope that is no absolute path of plain names, and gives it without its leading slash.
pub(crate) fn check_scope<'a>(scope: &'a str, names: &[&str]) -> Result<&'a str, ArmError> {
    let rest = scope.strip_prefix('/').ok_or_else(|| ArmError::Name {
        name: scope.to_owned(),
        why: "a scope starts with “/”".to_owned(),
    })?;
    check_names(&rest.split('/').collect::<Vec<_>>())?;
    check_names(names)?;
    Ok(rest)
}

fn check_names(names: &[&str]) -> Result<(), ArmError> {
    for name in names {
        check_azure_name(name).map_err(|why| ArmError::Name {
            name: (*name).to_owned(),
            why: why.to_string(),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn put(body: Value) -> Request {
        Request {
            verb: Verb::Put,
            path: "/subscriptions/S-1/resourceGroups/rg".to_owned(),
            query: vec![],
            if_match: None,
            body: Some(body),
        }
    }

    #[test]
    fn the_secrets_of_a_body_are_known() {
        let backend = put(json!({ "properties": {
            "url": "https://app:pass-1@orders.example/x?code=key-2&sig=key-3",
            "title": "orders",
            "credentials": {
                "authorization": { "scheme": "Basic", "parameter": "key-4" },
                "header": { "x-functions-key": ["key-5"] },
                "query": { "k": ["key-6"] },
            },
            "proxy": { "url": "https://proxy.example", "username": "u", "password": "pass-7" },
        }}));
        let found = backend.secrets();
        for secret in [
            "app:pass-1",
            "key-2",
            "key-3",
            "key-4",
            "key-5",
            "key-6",
            "pass-7",
        ] {
            assert!(found.contains(&secret), "{secret}: {found:?}");
        }
        assert!(!found.contains(&"orders") && !found.contains(&"https://proxy.example"));
        let api = put(json!({ "properties": { "serviceUrl": "https://h/?code=key-8" } }));
        assert_eq!(api.secrets(), ["key-8"]);
        let plain = put(json!({ "properties": { "url": "https://h/a@b" } }));
        assert!(plain.secrets().is_empty());
        assert!(
            put(json!({ "identity": { "type": "None" } }))
                .secrets()
                .is_empty()
        );
    }

    #[test]
    fn a_request_names_its_subscription() {
        assert_eq!(put(Value::Null).subscription(), "S-1");
        let tenant = Request {
            path: "/providers/Microsoft.Authorization/roleDefinitions".to_owned(),
            ..put(Value::Null)
        };
        assert_eq!(tenant.subscription(), "");
    }
}
