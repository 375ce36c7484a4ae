//! What a permission is granted on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::statement::quoted;

/// A securable, written as T-SQL writes it: `DATABASE`, `SCHEMA::dbo`, `OBJECT::dbo.Orders`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Securable {
    Database,
    Schema(String),
    Object {
        schema: String,
        name: String,
    },
    /// One that keyless reads but does not grant on, such as a certificate: class and id.
    Other(String),
}

/// Why a text names no securable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a securable such as DATABASE, SCHEMA::dbo or OBJECT::dbo.Orders")]
pub struct SecurableError(String);

impl Securable {
    /// The `ON …` part of a statement; empty for the database.
    pub fn clause(&self) -> String {
        match self {
            Self::Database | Self::Other(_) => String::new(),
            Self::Schema(name) => format!(" ON SCHEMA::{}", quoted(name)),
            Self::Object { schema, name } => {
                format!(" ON OBJECT::{}.{}", quoted(schema), quoted(name))
            }
        }
    }

    /// Equal as SQL Server compares names: without case.
    pub fn same(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }

    /// With its names in lower case, so that equal ones are equal as text.
    #[must_use]
    pub fn folded(&self) -> Self {
        match self {
            Self::Database => Self::Database,
            Self::Schema(name) => Self::Schema(name.to_lowercase()),
            Self::Object { schema, name } => Self::Object {
                schema: schema.to_lowercase(),
                name: name.to_lowercase(),
            },
            Self::Other(text) => Self::Other(text.to_lowercase()),
        }
    }

    /// Whether no statement of keyless reaches it: it has no `ON …` clause, and without one a
    /// statement would be about the database.
    pub fn is_beyond(&self) -> bool {
        matches!(self, Self::Other(_))
    }
}

impl fmt::Display for Securable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database => f.write_str("DATABASE"),
            Self::Schema(name) => write!(f, "SCHEMA::{name}"),
            Self::Object { schema, name } => write!(f, "OBJECT::{schema}.{name}"),
            Self::Other(text) => write!(f, "OTHER::{text}"),
        }
    }
}

impl FromStr for Securable {
    type Err = SecurableError;

    fn from_str(text: &str) -> Result<Self, SecurableError> {
        let bad = || SecurableError(text.to_owned());
        let class_and_name = text.split_once("::");
        let upper = class_and_name
            .map_or(text, |(class, _)| class)
            .trim()
            .to_ascii_uppercase();
        let name = class_and_name.map_or("", |(_, name)| name.trim());
        match (upper.as_str(), name) {
            ("DATABASE", _) => Ok(Self::Database),
            ("SCHEMA", name) if !name.is_empty() => Ok(Self::Schema(bare(name))),
            ("OBJECT", name) => {
                let (schema, object) = name.split_once('.').ok_or_else(bad)?;
                if schema.is_empty() || object.is_empty() {
                    return Err(bad());
                }
                Ok(Self::Object {
                    schema: bare(schema),
                    name: bare(object),
                })
            }
            ("OTHER", name) if !name.is_empty() => Ok(Self::Other(name.to_owned())),
            _ => Err(bad()),
        }
    }
}

/// A name without the brackets it may be written in.
fn bare(name: &str) -> String {
    match name.strip_prefix('[').and_then(|n| n.strip_suffix(']')) {
        Some(inner) => inner.replace("]]", "]"),
        None => name.to_owned(),
    }
}

impl TryFrom<String> for Securable {
    type Error = SecurableError;

    fn try_from(text: String) -> Result<Self, SecurableError> {
        text.parse()
    }
}

impl From<Securable> for String {
    fn from(securable: Securable) -> String {
        securable.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_securable_reads_back_as_written() {
        for text in ["DATABASE", "SCHEMA::dbo", "OBJECT::dbo.Orders"] {
            assert_eq!(text.parse::<Securable>().unwrap().to_string(), text);
        }
        assert_eq!(
            "schema::[my]]schema]".parse(),
            Ok(Securable::Schema("my]schema".into()))
        );
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for bad in ["", "SCHEMA::", "OBJECT::dbo", "TABLE::x", "dbo.Orders"] {
            assert!(bad.parse::<Securable>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_clause_quotes_every_name() {
        let object = Securable::Object {
            schema: "s]x".into(),
            name: "a b".into(),
        };
        assert_eq!(object.clause(), " ON OBJECT::[s]]x].[a b]");
    }
}
