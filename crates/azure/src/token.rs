//! Small things around tokens: whom one names, and random identifiers.
//!
//! Invariant: claims are read to tell people who runs, and decide nothing.

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// Who runs, from the claims of an access token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Principal {
    /// The Entra tenant.
    #[serde(rename = "tid", default)]
    pub tenant: String,
    /// The object id in that tenant.
    #[serde(rename = "oid", default)]
    pub object_id: String,
    /// The application (client) id; for a person, that of the program that logged in.
    #[serde(rename = "appid", alias = "azp", default)]
    pub client_id: String,
}

/// Reads the claims of a JWT without checking its signature: it comes from our own authority and
/// goes back to Azure, which checks it.
pub(crate) fn principal(token: &str) -> Option<Principal> {
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&claims).ok()
}

/// A random GUID (version 4). All zero in the case, unknown on any platform, that the system gives
/// no randomness: it only names a request.
pub(crate) fn guid() -> String {
    let mut bytes = [0_u8; 16];
    if rand::fill(&mut bytes).is_err() {
        bytes = [0; 16];
    }
    grouped(bytes, 4)
}

/// Bytes as a GUID of a version of RFC 9562.
pub(crate) fn grouped(mut bytes: [u8; 16], version: u8) -> String {
    bytes[6] = (bytes[6] & 0x0f) | (version << 4);
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_principal() {
        let claims = r#"{"tid":"t","oid":"o","appid":"a","aud":"x"}"#;
        let token = format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims));
        let want = Principal {
            tenant: "t".into(),
            object_id: "o".into(),
            client_id: "a".into(),
        };
        assert_eq!(principal(&token), Some(want));
        for bad in ["", "opaque", "a.b", "a.!.c"] {
            assert_eq!(principal(bad), None, "{bad}");
        }
    }

    #[test]
    fn guids_are_random_and_of_version_4() {
        let (a, b) = (guid(), guid());
        assert_ne!(a, b);
        assert_eq!((a.len(), &a[14..15]), (36, "4"));
    }
}
