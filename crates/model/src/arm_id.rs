//! Azure Resource Manager ids of the services that manifests name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::check_azure_name;

/// The id of a top-level resource in a resource group:
/// `/subscriptions/{guid}/resourceGroups/{name}/providers/{namespace}/{type}/{name}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArmId {
    pub subscription: String,
    pub resource_group: String,
    /// Namespace and type, such as `Microsoft.Sql/servers`.
    pub kind: String,
    pub name: String,
}

/// Why a text is no resource id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArmIdError {
    #[error(
        "not a resource id: expected /subscriptions/<guid>/resourceGroups/<group>/providers/<namespace>/<type>/<name>"
    )]
    Shape,
    #[error("the subscription “{0}” is not a GUID")]
    Subscription(String),
    #[error("“{0}” is not a name that can stand in a resource id: {1}")]
    Name(String, String),
}

impl ArmId {
    /// Reads an id; the fixed words are compared without case, as Azure does.
    ///
    /// # Errors
    /// When the text is of another shape, or a part could not stand in a URL path.
    pub fn parse(text: &str) -> Result<Self, ArmIdError> {
        let parts: Vec<&str> = text
            .strip_prefix('/')
            .ok_or(ArmIdError::Shape)?
            .split('/')
            .collect();
        let [
            subscriptions,
            subscription,
            groups,
            group,
            providers,
            namespace,
            kind,
            name,
        ] = parts[..]
        else {
            return Err(ArmIdError::Shape);
        };
        let words = [
            (subscriptions, "subscriptions"),
            (groups, "resourceGroups"),
            (providers, "providers"),
        ];
        if words
            .iter()
            .any(|(is, want)| !is.eq_ignore_ascii_case(want))
        {
            return Err(ArmIdError::Shape);
        }
        Self::new(subscription, group, &format!("{namespace}/{kind}"), name)
    }

    /// An id from its parts.
    ///
    /// # Errors
    /// When the subscription is not a GUID or a name could not stand in a URL path.
    pub fn new(
        subscription: &str,
        group: &str,
        kind: &str,
        name: &str,
    ) -> Result<Self, ArmIdError> {
        if crate::Sid::from_guid(subscription).is_err() {
            return Err(ArmIdError::Subscription(subscription.to_owned()));
        }
        for part in [group, name] {
            check_azure_name(part).map_err(|e| ArmIdError::Name(part.to_owned(), e.to_string()))?;
        }
        Ok(Self {
            subscription: subscription.to_lowercase(),
            resource_group: group.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "/subscriptions/{}/resourceGroups/{}/providers/{}/{}",
            self.subscription, self.resource_group, self.kind, self.name
        )
    }
}

impl TryFrom<String> for ArmId {
    type Error = ArmIdError;

    fn try_from(text: String) -> Result<Self, ArmIdError> {
        Self::parse(&text)
    }
}

impl From<ArmId> for String {
    fn from(id: ArmId) -> String {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Sql/servers/s1";

    #[test]
    fn an_id_survives_a_round_trip() {
        assert_eq!(ArmId::parse(GOOD).unwrap().to_string(), GOOD);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for bad in [
            "",
            "contoso",
            "/subscriptions/x",
            &GOOD.replace("/rg/", "/../"),
            &GOOD.replace("0001", "000g"),
            &format!("{GOOD}/databases/d"),
        ] {
            assert!(ArmId::parse(bad).is_err(), "{bad}");
        }
    }
}
