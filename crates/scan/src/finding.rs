//! What the scan reports: one finding a place, without the value.

use keyless_model::{Address, Fingerprint, FingerprintKey, Severity};
use serde::Serialize;

/// A credential, or a place where one is accepted. No field holds the value, so `Debug` and
/// `Serialize` are safe to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Stable: made of rule, address, place and what it opens; not of the line or the credential.
    pub id: String,
    /// A code of [`keyless_model::codes`].
    pub rule: &'static str,
    pub address: Address,
    /// An element path (with `/@name` for an attribute), a JSON pointer, or empty for the whole.
    pub place: String,
    /// Line and column in the policy document, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<(usize, usize)>,
    /// The display name of the named value that the credential comes through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// The policies that use this named value as a credential.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens: Option<Opens>,
    pub confidence: Confidence,
    pub severity: Severity,
    /// One sentence.
    pub what: String,
    /// What to use instead.
    pub replacement: String,
    /// Of the credential itself: the same in two places if it is the same credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

/// What a credential leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Opens {
    /// The host, in lower case.
    pub server: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
}

impl Opens {
    /// A host, and nothing more is known.
    pub(crate) fn host(server: String) -> Opens {
        Opens {
            server,
            database: None,
            login: None,
        }
    }
}

/// How sure it is that this is a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Confidence {
    /// It could be one.
    Possible,
    /// Its name or its look says so.
    Likely,
    /// Its place or its form leaves no doubt.
    Certain,
}

/// Replacements that several rules share.
pub(crate) const USE_ACCESS: &str = "declare an Access for this database: the data source then \
     uses the gateway's managed identity, and the connection string keeps no user and no password";
pub(crate) const USE_IDENTITY: &str = "where the service behind takes Entra tokens, an Access for it: \
     the call then carries a token of the gateway's managed identity; until then a named value that \
     refers to Key Vault";

/// Keys by which callers are known, and what replaces those.
pub(crate) const CALLERS: ([&str; 2], &str) = (
    ["a symmetric token key", "a key that callers show"],
    "`validate-azure-ad-token` or `openid-config`: callers then show tokens that are signed with a \
     key that nobody here keeps",
);

impl Finding {
    /// Whether something has to be done about it. One of severity info is worth a line and no more:
    /// what it tells of opens nothing, or cannot be removed.
    pub fn counts(&self) -> bool {
        self.severity > Severity::Info
    }

    /// A finding about the whole of `address`, of high severity and certain, to be filled in.
    pub(crate) fn new(rule: &'static str, address: &Address, what: String) -> Finding {
        Finding {
            id: String::new(),
            rule,
            address: address.clone(),
            place: String::new(),
            line: None,
            through: None,
            users: Vec::new(),
            opens: None,
            confidence: Confidence::Certain,
            severity: Severity::High,
            what,
            replacement: String::new(),
            fingerprint: None,
        }
    }

    /// The id of a finding that is the `turn`th, from 0, of those that say the same of one place. It
    /// holds nothing of the credential and needs no key of a project: a password of few bits could
    /// be guessed from it otherwise, and another checkout would tell other ids.
    pub(crate) fn identified(mut self, turn: usize) -> Finding {
        let mark = FingerprintKey::new([0; 32]).of(&self.said()).to_string();
        let mark = mark.trim_start_matches("fp:");
        let number = match turn {
            0 => String::new(),
            turn => format!("-{}", turn + 1),
        };
        self.id = format!("{}-{}{number}", self.rule, &mark[..mark.len().min(16)]);
        self
    }

    /// What makes it this finding and no other: the rule, the place, what it opens.
    pub(crate) fn said(&self) -> String {
        let opens = self.opens.as_ref();
        let parts = [
            Some(self.rule),
            Some(self.address.as_str()),
            Some(self.place.as_str()),
            self.through.as_deref(),
            opens.map(|o| o.server.as_str()),
            opens.and_then(|o| o.database.as_deref()),
            opens.and_then(|o| o.login.as_deref()),
        ];
        parts.map(Option::unwrap_or_default).join("\n")
    }
}
