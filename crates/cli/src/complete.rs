//! What a shell may offer: addresses of the manifests, environments, codes. Offline, and silent
//! where something cannot be read.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;

use clap_complete::engine::CompletionCandidate;
use keyless_model::codes::CODES;

use crate::project;

/// Addresses that a `--target` may name.
pub fn addresses(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(desired) = project::quietly(&folder()) else {
        return Vec::new();
    };
    let reached = desired.database_addresses();
    let all = desired.addresses().into_iter().chain(reached);
    let all: BTreeSet<String> = all.map(|a| a.to_string()).collect();
    offered(typed, all.into_iter().map(|a| (a, None)))
}

/// Names of the files in environments/.
pub fn environments(typed: &OsStr) -> Vec<CompletionCandidate> {
    let names = project::environment_names(&folder());
    offered(typed, names.into_iter().map(|n| (n, None)))
}

/// Codes with their titles.
pub fn codes(typed: &OsStr) -> Vec<CompletionCandidate> {
    let all = CODES.iter().map(|c| (c.code.to_owned(), Some(c.title)));
    offered(typed, all)
}

fn offered(
    typed: &OsStr,
    all: impl Iterator<Item = (String, Option<&'static str>)>,
) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    all.filter(|(value, _)| value.starts_with(typed.as_ref()))
        .map(|(value, help)| CompletionCandidate::new(value).help(help.map(Into::into)))
        .collect()
}

/// The shell does not tell what `--project` says; the variable and the current folder do.
fn folder() -> PathBuf {
    std::env::var_os("KEYLESS_PROJECT").map_or_else(|| PathBuf::from("."), PathBuf::from)
}
