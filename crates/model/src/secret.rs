//! A value that must never be shown or stored.

use std::fmt;

/// Holds a credential in memory. It has no `Serialize` and no `Display`, and its `Debug` reveals
/// nothing, so that no plan, journal, log or error can carry it by accident; only
/// [`Secret::expose`] gives it out, at the one place that sends it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the request that needs it and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
