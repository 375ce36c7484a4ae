//! Kinds of Microsoft.ApiManagement.

pub mod api;
pub mod backend;
pub mod cache;
mod credential_manager;
mod key_vault;
pub mod link;
pub mod logger;
pub mod named_value;
pub mod plain;
pub mod policy;
pub mod reference;
pub mod secrets;
pub mod service;
pub mod tier;

/// The key of the service that a key lies in.
pub fn service_key(key: &str) -> &str {
    let mut slashes = key.match_indices('/').map(|(at, _)| at);
    slashes.nth(8).map_or(key, |end| &key[..end])
}
