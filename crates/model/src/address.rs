//! Addresses: how people, plans, state and reports name one thing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A path of segments below a root: `apim:contoso/api:orders/resolver:query-order/policy`,
/// `sql:orders-sql/db:orders/user:contoso`. The root is a document's name; what lies inside it has
/// Azure's own name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "“{0}” is not an address such as apim:contoso/namedValue:orders-db or sql:orders-sql/db:orders"
)]
pub struct AddressError(String);

impl Address {
    /// The address of the gateway document `name`.
    pub fn gateway(name: &str) -> Self {
        Self(format!("apim:{name}"))
    }

    /// The address of the SQL server document `name`.
    pub fn server(name: &str) -> Self {
        Self(format!("sql:{name}"))
    }

    /// The address of the managed identity document `name`.
    pub fn identity(name: &str) -> Self {
        Self(format!("identity:{name}"))
    }

    /// The address of the role assignment document `name`.
    pub fn role_assignment(name: &str) -> Self {
        Self(format!("rbac:{name}"))
    }

    /// The address of a database by its server document and its own name.
    pub fn database(server: &str, database: &str) -> Self {
        Self::server(server).child("db", database)
    }

    /// What lies inside. A name of a database may hold what parts segments; it stands escaped.
    #[must_use]
    pub fn child(&self, word: &str, name: &str) -> Self {
        let name = name.replace('%', "%25").replace('/', "%2F");
        Self(format!("{}/{word}:{name}", self.0))
    }

    /// A part that has no name of its own, such as `identity` or `policy`.
    #[must_use]
    pub fn part(&self, word: &str) -> Self {
        Self(format!("{}/{word}", self.0))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `(word, name)` of each segment; the name is empty for a part.
    pub fn segments(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .split('/')
            .map(|s| s.split_once(':').unwrap_or((s, "")))
    }

    /// The root's own address.
    pub fn root(&self) -> Address {
        Self(self.0.split('/').next().unwrap_or_default().to_owned())
    }

    /// The root document's name.
    pub fn root_name(&self) -> &str {
        self.segments().next().map_or("", |(_, name)| name)
    }

    pub fn is_gateway(&self) -> bool {
        self.0.starts_with("apim:")
    }

    pub fn parent(&self) -> Option<Address> {
        self.0
            .rsplit_once('/')
            .map(|(head, _)| Self(head.to_owned()))
    }

    /// The name of the first segment with this word.
    pub fn name_of(&self, word: &str) -> Option<&str> {
        self.segments()
            .find(|(w, n)| *w == word && !n.is_empty())
            .map(|(_, n)| n)
    }

    /// `(word, name)` of the last segment.
    pub fn last(&self) -> (&str, &str) {
        self.segments().last().unwrap_or(("", ""))
    }

    /// Whether this is `other` or lies inside it.
    pub fn within(&self, other: &Address) -> bool {
        self.0
            .strip_prefix(&other.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let bad = || AddressError(text.to_owned());
        let mut segments = text.split('/');
        let root = segments
            .next()
            .and_then(|s| s.split_once(':'))
            .ok_or_else(bad)?;
        if !matches!(root.0, "apim" | "sql" | "identity" | "rbac") || root.1.is_empty() {
            return Err(bad());
        }
        for segment in segments {
            let (word, name) = segment.split_once(':').unwrap_or((segment, "-"));
            if word.is_empty() || name.is_empty() {
                return Err(bad());
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_come_apart_and_together() {
        let a = Address::gateway("contoso")
            .child("api", "orders;rev=2")
            .child("resolver", "q")
            .part("policy");
        assert_eq!(
            a.to_string(),
            "apim:contoso/api:orders;rev=2/resolver:q/policy"
        );
        assert_eq!(a.name_of("resolver"), Some("q"));
        assert_eq!(a.root(), Address::gateway("contoso"));
        assert_eq!(a.root_name(), "contoso");
        assert!(a.within(&Address::gateway("contoso")));
        assert!(!a.within(&Address::gateway("cont")));
        assert_eq!(a.to_string().parse::<Address>(), Ok(a));
    }

    #[test]
    fn a_name_with_a_slash_stays_one_segment() {
        let a = Address::database("s", "d").child("user", "a/b%");
        assert_eq!(a.segments().count(), 3);
        assert_eq!(a.to_string().parse::<Address>(), Ok(a));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "",
            "contoso",
            "http://x",
            "apim:",
            "apim:a//b",
            "apim:a/api:",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
