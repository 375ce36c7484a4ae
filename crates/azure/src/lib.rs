//! Azure Resource Manager: the one HTTP client that carries every call, the requests themselves,
//! credentials, and the endpoints of clouds.
//!
//! [`Cloud`] says where, [`Tokens`] who, [`apim`], [`rbac`] and [`sql`] what, and [`Arm`] sends it: with
//! retries by verb and status, within Azure's request budget, long-running operations followed to their end, pages gathered, one
//! writer for each service, and nothing secret in any error. What answers mean is left to `live`.

mod advise;
mod budget;
mod capture;
mod certificate;
mod client;
mod cloud;
mod credential;
mod error;
mod exchange;
mod http;
mod lro;
mod probe;
mod readers;
mod redact;
mod request;
mod retry;
mod stop;
mod token;
mod waiting;

#[cfg(test)]
mod test_log;
#[cfg(test)]
mod test_server;

pub mod apim;
pub mod rbac;
pub mod sql;

pub use advise::advise;
pub use client::{Answer, Arm};
pub use cloud::{Cloud, CloudError};
pub use credential::{CredentialError, Tokens};
pub use error::{ArmError, Refusal};
pub use probe::{Probe, ProbeAnswer};
pub use redact::redact;
pub use request::{Request, Verb, system_identity, user_assigned_identity};
pub use token::Principal;
pub use waiting::{Cause, Told, Waiting};
