//! Microsoft.Authorization: role assignments at any scope, the built-in roles that they name, and
//! locks.

pub mod assignment;
pub mod definition;
mod filter;
pub mod lock;

pub use assignment::{Ask, allows};

/// The scope in front of `/providers/Microsoft.Authorization/…`, as the id writes it; empty for
/// the tenant.
pub fn scope_of(id: &str) -> &str {
    let at = id
        .to_ascii_lowercase()
        .rfind("/providers/microsoft.authorization/");
    at.map_or(id, |at| &id[..at])
}

/// Whether a scope is the id itself or lies above it.
pub fn covers(scope: &str, id: &str) -> bool {
    let (scope, id) = (
        scope.trim_end_matches('/').to_lowercase(),
        id.to_lowercase(),
    );
    id.strip_prefix(&scope)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_itself_and_below_but_not_its_namesakes() {
        assert!(covers(
            "/subscriptions/S",
            "/subscriptions/s/resourceGroups/rg"
        ));
        assert!(covers("/subscriptions/s/", "/subscriptions/s"));
        assert!(covers("", "/subscriptions/s"));
        assert!(!covers("/subscriptions/s", "/subscriptions/s2"));
    }

    #[test]
    fn the_scope_is_what_stands_before_the_provider() {
        let id = "/subscriptions/s/providers/Microsoft.Authorization/roleAssignments/g";
        assert_eq!(scope_of(id), "/subscriptions/s");
        assert_eq!(
            scope_of("/providers/Microsoft.Authorization/roleAssignments/g"),
            ""
        );
    }
}
