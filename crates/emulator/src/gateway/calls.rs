//! How the HTTP services behind the gateway were called: how often with which credential.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// A credential that a service took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialKind {
    Key,
    Basic,
    Token,
}

/// The calls of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ServiceCalls {
    /// Calls that brought a right key, right basic credentials, a right token; one call can bring
    /// several.
    pub key: u64,
    pub basic: u64,
    pub token: u64,
    /// Calls of a service that wants to see nothing.
    pub open: u64,
    /// Calls that were answered with 401.
    pub refused: u64,
    /// What the last call brought; empty if it was refused or the service is open.
    pub last: Vec<CredentialKind>,
}

/// The calls of all services since the start, by host.
#[derive(Debug, Default)]
pub struct Calls {
    by_host: BTreeMap<String, ServiceCalls>,
    turns: BTreeMap<String, usize>,
    /// Object ids of the identities that the gateway got tokens for.
    identities: BTreeSet<String>,
    strays: BTreeMap<String, u64>,
}

impl Calls {
    /// Counts a call that a service let in with `brought`.
    pub fn count(&mut self, host: &str, brought: &[CredentialKind]) {
        let calls = self.of_mut(host);
        calls.open += u64::from(brought.is_empty());
        for kind in brought {
            *match kind {
                CredentialKind::Key => &mut calls.key,
                CredentialKind::Basic => &mut calls.basic,
                CredentialKind::Token => &mut calls.token,
            } += 1;
        }
        calls.last = brought.to_vec();
    }

    pub fn refuse(&mut self, host: &str) {
        let calls = self.of_mut(host);
        calls.refused += 1;
        calls.last.clear();
    }

    /// Remembers an identity that the gateway got a token for.
    pub fn spoke_for(&mut self, object_id: &str) {
        self.identities.insert(object_id.to_lowercase());
    }

    pub fn speaks_for(&self, object_id: &str) -> bool {
        self.identities.contains(&object_id.to_lowercase())
    }

    /// Counts a call that brought the gateway's token to where it has no business.
    pub fn stray(&mut self, host: &str) {
        *self.strays.entry(host.to_lowercase()).or_default() += 1;
    }

    /// Who got a token of the gateway's that does not open it, and how often.
    pub fn strays(&self) -> &BTreeMap<String, u64> {
        &self.strays
    }

    /// Which member of a backend pool takes the next call: one after the other.
    pub fn turn(&mut self, pool: &str, members: usize) -> usize {
        let next = self.turns.entry(pool.to_lowercase()).or_default();
        *next += 1;
        (*next - 1) % members.max(1)
    }

    pub fn of(&self, host: &str) -> ServiceCalls {
        let host = host.to_lowercase();
        self.by_host.get(&host).cloned().unwrap_or_default()
    }

    fn of_mut(&mut self, host: &str) -> &mut ServiceCalls {
        self.by_host.entry(host.to_lowercase()).or_default()
    }
}
