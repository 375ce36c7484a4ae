//! The security identifier (SID) by which a database knows an Entra principal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A database principal's SID. For an application or a managed identity it is the client id, for
/// a group the object id, as 16 bytes in SQL Server's mixed-endian `uniqueidentifier` order: the
/// first three fields reversed, the rest as written.
/// Source: Microsoft SQL docs, "Microsoft Entra principals with nonunique display names".
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sid(Vec<u8>);

/// Why a text is no GUID or no SID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a GUID such as 00112233-4455-6677-8899-aabbccddeeff")]
pub struct SidError(String);

impl Sid {
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The SID of a client id or an object id.
    ///
    /// # Errors
    /// When `guid` is not of the form 8-4-4-4-12 hexadecimal digits.
    pub fn from_guid(guid: &str) -> Result<Self, SidError> {
        let bad = || SidError(guid.to_owned());
        let groups: Vec<&str> = guid.split('-').collect();
        if groups.iter().map(|g| g.len()).ne([8, 4, 4, 4, 12]) {
            return Err(bad());
        }
        let mut bytes = Vec::with_capacity(16);
        for (index, group) in groups.iter().enumerate() {
            let mut part = parse_hex(group).ok_or_else(bad)?;
            if index < 3 {
                part.reverse();
            }
            bytes.extend(part);
        }
        Ok(Self(bytes))
    }

    /// The SID as T-SQL writes it: `0x33221100…`.
    pub fn literal(&self) -> String {
        let digits: String = self.0.iter().map(|b| format!("{b:02X}")).collect();
        format!("0x{digits}")
    }

    /// Whether two SIDs name the same principal. Users made from an Entra login can carry an
    /// 18-byte SID that ends in `AADE`; its first 16 bytes are the identifier (unconfirmed).
    pub fn same(&self, other: &Sid) -> bool {
        let head = |sid: &Sid| {
            sid.0
                .get(..16)
                .map(<[u8]>::to_vec)
                .unwrap_or_else(|| sid.0.clone())
        };
        head(self) == head(other)
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.literal())
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.literal())
    }
}

impl FromStr for Sid {
    type Err = SidError;

    fn from_str(text: &str) -> Result<Self, SidError> {
        let bad = || SidError(text.to_owned());
        let digits = text
            .strip_prefix("0x")
            .or_else(|| text.strip_prefix("0X"))
            .ok_or_else(bad)?;
        parse_hex(digits).map(Self).ok_or_else(bad)
    }
}

impl TryFrom<String> for Sid {
    type Error = SidError;

    fn try_from(text: String) -> Result<Self, SidError> {
        text.parse()
    }
}

impl From<Sid> for String {
    fn from(sid: Sid) -> String {
        sid.literal()
    }
}

fn parse_hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_fields_are_reversed() {
        let sid = Sid::from_guid("00112233-4455-6677-8899-aabbccddeeff").unwrap();
        assert_eq!(sid.literal(), "0x33221100554477668899AABBCCDDEEFF");
        assert_eq!(sid.literal().parse::<Sid>().unwrap(), sid);
    }

    #[test]
    fn what_is_not_a_guid_is_refused() {
        for bad in [
            "",
            "00112233",
            "00112233-4455-6677-8899-aabbccddeefg",
            "é0112233-4455-6677-8899-aabbccddee",
        ] {
            assert!(Sid::from_guid(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_login_based_suffix_does_not_make_another_principal() {
        let plain = Sid::from_guid("00112233-4455-6677-8899-aabbccddeeff").unwrap();
        let long: Sid = format!("{}AADE", plain.literal()).parse().unwrap();
        assert!(plain.same(&long));
    }
}
