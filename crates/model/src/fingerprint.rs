//! Keyed fingerprints: how a secret is compared without being kept.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// HMAC-SHA-256 of a value under the project's key, cut to 128 bits. Without the key it can be
/// neither recomputed nor guessed from a list of likely passwords.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of one project's fingerprints. It stays in the state folder and in memory.
#[derive(Clone)]
pub struct FingerprintKey([u8; 32]);

impl FingerprintKey {
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    pub fn of(&self, text: &str) -> Fingerprint {
        let mut mac = match Hmac::<Sha256>::new_from_slice(&self.0) {
            Ok(mac) => mac,
            Err(_) => unreachable!("HMAC takes a key of any length"),
        };
        mac.update(text.as_bytes());
        Fingerprint(format!("fp:{}", hex(&mac.finalize().into_bytes()[..16])))
    }

    /// Names the key without giving it away, so that a plan made under another key is recognised.
    pub fn id(&self) -> String {
        hex(&Sha256::digest(self.0)[..4])
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FingerprintKey({})", self.id())
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_under_another_key_looks_different() {
        let a = FingerprintKey::new([1; 32]).of("password");
        let b = FingerprintKey::new([2; 32]).of("password");
        assert_ne!(a, b);
        assert_eq!(a, FingerprintKey::new([1; 32]).of("password"));
    }
}
