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
/// The api-version of the identity extension resource (azure-facts B.1).
const IDENTITY_VERSION: &str = "2024-11-30";

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
    Request {
        verb: Verb::Get,
        path: encoded(&format!(
            "{service}/providers/Microsoft.ManagedIdentity/identities/default"
        )),
        query: vec![("api-version".to_owned(), IDENTITY_VERSION.to_owned())],
        if_match: None,
        body: None,
    }
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
    for name in names {
        check_azure_name(name).map_err(|why| ArmError::Name {
            name: (*name).to_owned(),
            why: why.to_string(),
        })?;
    }
    Ok(())
}
