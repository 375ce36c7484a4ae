//! `$filter` of a list of role assignments: `atScope()`, `principalId eq '…'`, `assignedTo('…')`,
//! joined by `and`.

use crate::arm::error::ArmError;

/// What a list is cut down to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Nothing below the scope.
    pub at_scope: bool,
    /// Assigned to this object id itself.
    pub principal: Option<String>,
    /// Assigned to it or to a group that it is in.
    pub assigned_to: Option<String>,
}

pub fn parse(text: &str) -> Result<Filter, ArmError> {
    let mut filter = Filter::default();
    for term in text.split(" and ").map(str::trim).filter(|t| !t.is_empty()) {
        let lower = term.to_lowercase();
        if lower == "atscope()" {
            filter.at_scope = true;
        } else if let Some(id) = lower.strip_prefix("principalid eq ") {
            filter.principal = Some(quoted(id)?);
        } else if let Some(id) = lower
            .strip_prefix("assignedto(")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            filter.assigned_to = Some(quoted(id)?);
        } else {
            return Err(unsupported());
        }
    }
    Ok(filter)
}

fn quoted(text: &str) -> Result<String, ArmError> {
    let inner = text
        .trim()
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''));
    inner.map(str::to_owned).ok_or_else(unsupported)
}

fn unsupported() -> ArmError {
    let message = "The filter is not one of atScope(), principalId eq '…' and assignedTo('…').";
    ArmError::new(400, "UnsupportedQuery", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_joined() {
        let filter = parse("atScope() and assignedTo('AB-1')").unwrap();
        assert!(filter.at_scope && filter.principal.is_none());
        assert_eq!(filter.assigned_to.as_deref(), Some("ab-1"));
        assert_eq!(parse("").unwrap(), Filter::default());
        let filter = parse("principalId eq 'x'").unwrap();
        assert_eq!(filter.principal.as_deref(), Some("x"));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(parse("roleName eq 'Reader'").is_err());
        assert!(parse("principalId eq x").is_err());
    }
}
