//! What can go wrong between keyless and Azure Resource Manager.
//!
//! Invariant: texts that came from a service are redacted before they get in here, and no variant
//! holds a token, a query string or a body.

use std::fmt;

use crate::credential::CredentialError;
use crate::request::Verb;

/// Why a request gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    #[error("{0}; see the code and the message, correct the cause and run again")]
    Refused(Box<Refusal>),

    #[error("the operation that {0} started has failed; correct the cause and run again")]
    OperationFailed(Box<Refusal>),

    /// The write may or may not have been done.
    #[error(
        "it is not known whether {verb} {path} was done: {why}; run again, keyless then reads \
         what is live first"
    )]
    OutcomeUnknown {
        verb: Verb,
        path: String,
        why: String,
    },

    /// The write was accepted and its operation still runs.
    #[error(
        "{verb} {path} was accepted and was still running after {minutes} minutes; wait for it \
         in the portal, then run again"
    )]
    Unfinished {
        verb: Verb,
        path: String,
        minutes: u64,
    },

    /// Nothing was sent.
    #[error("{verb} {path} was not sent: the run was asked to stop while it waited; run again")]
    Stopped { verb: Verb, path: String },

    #[error("cannot reach {host}: {why}; check the network, the proxy and the --cloud file")]
    Unreachable { host: String, why: String },

    #[error(
        "the connection to {host} is not trusted: {why}; check the CA of the --cloud file and \
         whether something between intercepts TLS"
    )]
    Untrusted { host: String, why: String },

    #[error(
        "{host} answered {verb} {path} with {status} and {what} instead of JSON; check that the \
         --cloud file names the resource manager and that no proxy answers in its place"
    )]
    NotJson {
        host: String,
        verb: Verb,
        path: String,
        status: u16,
        what: String,
    },

    #[error("the answer to {verb} {path} is larger than {limit} bytes; keyless does not read it")]
    TooLarge {
        verb: Verb,
        path: String,
        limit: usize,
    },

    #[error(
        "{path} sent keyless on to {host}, which does not belong to this cloud; the token was \
         not sent there, check the --cloud file"
    )]
    ForeignLink { path: String, host: String },

    #[error("the list {path} is not a list of pages that ends ({why}); report it as a bug")]
    Paging { path: String, why: String },

    #[error(transparent)]
    Credential(#[from] CredentialError),

    #[error("“{name}” cannot stand in a request path: {why}; correct the name in the manifest")]
    Name { name: String, why: String },

    #[error("{id} is not a {kind}; correct the id in the manifest")]
    Kind { id: String, kind: &'static str },

    #[error("the probe cannot be sent: {why}; correct “prove” in the Access")]
    Probe { why: String },

    #[error("a request could not be built from the generated Azure crates; report it as a bug")]
    Builder,

    #[error("the HTTP client cannot start: {why}; check the system's root certificates")]
    Client { why: String },
}

impl ArmError {
    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) | Self::OperationFailed(refusal) => Some(refusal.status),
            _ => None,
        }
    }

    /// Azure's error code of a refusal; empty when there is none.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) | Self::OperationFailed(refusal) => &refusal.code,
            _ => "",
        }
    }

    /// Whether a write may have been done although it is reported as an error.
    pub fn uncertain(&self) -> bool {
        matches!(self, Self::OutcomeUnknown { .. } | Self::Unfinished { .. })
    }

    /// Whether If-Match did not match: the entity has changed since it was read.
    pub fn stale(&self) -> bool {
        self.status() == Some(412)
    }
}

/// An answer that says no, in Azure's error shape (azure-facts A.1), redacted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    pub verb: Option<Verb>,
    /// The path without its query.
    pub path: String,
    pub status: u16,
    pub code: String,
    pub message: String,
    /// `code`, `target` and `message` of each detail, as one line.
    pub details: Vec<String>,
    /// The key into the Activity Log.
    pub correlation: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = self.verb.map_or("", Verb::word);
        write!(f, "{verb} {} was answered {}", self.path, self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message.trim_end_matches(['.', ' ', '\n']))?;
        }
        for detail in &self.details {
            write!(f, " [{detail}]")?;
        }
        match &self.correlation {
            Some(id) => write!(f, " (correlation id {id})"),
            None => Ok(()),
        }
    }
}
