//! How often each path was asked for, so that a test can hold the product to its number of reads.

use std::collections::BTreeMap;

use serde::Serialize;

/// One line of the count. Queries and bodies are not kept: they may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestCount {
    pub verb: String,
    /// Without the port, for instance `management.localhost`.
    pub host: String,
    pub path: String,
    pub count: u64,
}

/// The requests since the start or the last reset.
#[derive(Debug, Default)]
pub struct Requests {
    counts: BTreeMap<(String, String, String), u64>,
}

impl Requests {
    pub fn count(&mut self, verb: &str, host: &str, path: &str) {
        *self
            .counts
            .entry((host.into(), path.into(), verb.into()))
            .or_default() += 1;
    }

    pub fn list(&self) -> Vec<RequestCount> {
        self.counts
            .iter()
            .map(|((host, path, verb), count)| RequestCount {
                verb: verb.clone(),
                host: host.clone(),
                path: path.clone(),
                count: *count,
            })
            .collect()
    }

    pub fn reset(&mut self) {
        self.counts.clear();
    }
}
