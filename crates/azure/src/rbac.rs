//! Requests for role assignments and role definitions (azure-facts D).
//!
//! A scope is an absolute path: a subscription, a resource group, a resource or a part of one.

use aws_lc_rs::digest;
use azure_mgmt_authorization::package_2022_04_01::models::{
    RoleAssignmentCreateParameters, RoleAssignmentProperties,
};
use serde_json::Value;

use crate::capture::{first, from_authorization};
use crate::error::ArmError;
use crate::request::Request;
use crate::token::grouped;

/// The role assignments that apply at a scope, narrowed by an OData filter: `atScope()`,
/// `principalId eq '…'` (also those above and below), `assignedTo('…')` (through groups too).
///
/// # Errors
/// As every request here: when the scope is no absolute path or a name cannot stand in one.
pub fn role_assignments(scope: &str, filter: Option<&str>) -> Result<Request, ArmError> {
    from_authorization(scope, &[], |client, scope| {
        let list = client.role_assignments_client().list_for_scope(scope);
        let list = match filter {
            Some(filter) => list.filter(filter),
            None => list,
        };
        first(list.into_stream())
    })
}

/// One role assignment by its name, a GUID. Equal ones can have other names, so look for one by
/// scope, role and principal instead.
///
/// # Errors
/// See [`role_assignments`].
pub fn role_assignment(scope: &str, name: &str) -> Result<Request, ArmError> {
    from_authorization(scope, &[name], |client, scope| {
        client.role_assignments_client().get(scope, name).send()
    })
}

/// Creates a role assignment under the name of [`assignment_name`]. Give
/// `properties.principalType`: without it a new identity is refused as `PrincipalNotFound`.
///
/// # Errors
/// See [`role_assignments`].
pub fn put_role_assignment(scope: &str, name: &str, body: Value) -> Result<Request, ArmError> {
    let request = from_authorization(scope, &[name], |client, scope| {
        let none = RoleAssignmentProperties::new(String::new(), String::new());
        client
            .role_assignments_client()
            .create(scope, name, RoleAssignmentCreateParameters::new(none))
            .send()
    })?;
    Ok(request.carrying(body))
}

/// Deletes a role assignment.
///
/// # Errors
/// See [`role_assignments`].
pub fn delete_role_assignment(scope: &str, name: &str) -> Result<Request, ArmError> {
    from_authorization(scope, &[name], |client, scope| {
        client.role_assignments_client().delete(scope, name).send()
    })
}

/// The role definitions that can be assigned at a scope, built-in and custom, narrowed by an OData
/// filter such as `roleName eq '…'`.
///
/// # Errors
/// See [`role_assignments`].
pub fn role_definitions(scope: &str, filter: Option<&str>) -> Result<Request, ArmError> {
    from_authorization(scope, &[], |client, scope| {
        let list = client.role_definitions_client().list(scope);
        let list = match filter {
            Some(filter) => list.filter(filter),
            None => list,
        };
        first(list.into_stream())
    })
}

/// The name that keyless gives a role assignment: always the same GUID for the same scope,
/// principal and role, whatever the case of their letters. Names are unique in the tenant, and a
/// recreated identity needs another one, so the principal is part of it.
pub fn assignment_name(scope: &str, principal: &str, role_definition: &str) -> String {
    // The role of a subscription and the same role of another scope end alike.
    let role = role_definition.rsplit('/').next().unwrap_or_default();
    let scope = scope.trim_end_matches('/');
    let text = format!("keyless role assignment\n{scope}\n{principal}\n{role}").to_lowercase();
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    // Version 8 of RFC 9562: a GUID made by a rule of our own.
    grouped(bytes, 8)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::Verb;

    const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000001";
    const ROLE: &str = "4633458b-17de-408a-b874-0445c86b69e6";
    const PRINCIPAL: &str = "00000000-0000-0000-0000-0000000000aa";

    fn vault() -> String {
        format!("{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv")
    }

    /// Verb, path below the scope, and the query without the version.
    fn seen(
        scope: &str,
        request: Result<Request, ArmError>,
    ) -> (Verb, String, Vec<(String, String)>) {
        let request = request.unwrap();
        let rest = request.path.strip_prefix(scope).unwrap();
        let rest = rest.strip_prefix("/providers/Microsoft.Authorization");
        let (versions, query): (Vec<_>, Vec<_>) = request
            .query
            .into_iter()
            .partition(|(k, _)| k == "api-version");
        assert_eq!(
            versions,
            [("api-version".to_owned(), "2022-04-01".to_owned())]
        );
        (request.verb, rest.unwrap().to_owned(), query)
    }

    #[test]
    fn every_request_goes_to_the_documented_path() {
        for scope in [SUBSCRIPTION.to_owned(), vault()] {
            let one = format!("/roleAssignments/{PRINCIPAL}");
            let plain = |verb, rest: &str| (verb, rest.to_owned(), vec![]);
            assert_eq!(
                seen(&scope, role_assignments(&scope, None)),
                plain(Verb::Get, "/roleAssignments")
            );
            assert_eq!(
                seen(&scope, role_assignment(&scope, PRINCIPAL)),
                plain(Verb::Get, &one)
            );
            assert_eq!(
                seen(&scope, put_role_assignment(&scope, PRINCIPAL, json!({}))),
                plain(Verb::Put, &one)
            );
            assert_eq!(
                seen(&scope, delete_role_assignment(&scope, PRINCIPAL)),
                plain(Verb::Delete, &one)
            );
            assert_eq!(
                seen(&scope, role_definitions(&scope, None)),
                plain(Verb::Get, "/roleDefinitions")
            );
        }
    }

    #[test]
    fn a_filter_narrows_a_list() {
        let filter = format!("principalId eq '{PRINCIPAL}'");
        let want = vec![("$filter".to_owned(), filter.clone())];
        let listed = role_assignments(SUBSCRIPTION, Some(&filter));
        assert_eq!(seen(SUBSCRIPTION, listed).2, want);
        let filter = "roleName eq 'Reader'";
        let listed = role_definitions(SUBSCRIPTION, Some(filter));
        let want = vec![("$filter".to_owned(), filter.to_owned())];
        assert_eq!(seen(SUBSCRIPTION, listed).2, want);
    }

    #[test]
    fn the_body_is_ours() {
        let body = json!({ "properties": { "principalId": PRINCIPAL, "condition": null } });
        let request = put_role_assignment(SUBSCRIPTION, PRINCIPAL, body.clone()).unwrap();
        assert_eq!(request.body, Some(body));
    }

    #[test]
    fn a_scope_that_is_no_plain_path_is_refused() {
        for bad in [
            "",
            "/",
            "subscriptions/x",
            "/subscriptions/x/",
            "/a/../b",
            "/a?b",
        ] {
            let request = role_assignments(bad, None);
            assert!(matches!(request, Err(ArmError::Name { .. })), "{bad}");
        }
        let request = role_assignment(SUBSCRIPTION, "a/b");
        assert!(matches!(request, Err(ArmError::Name { .. })));
    }

    #[test]
    fn one_scope_principal_and_role_have_one_name() {
        let name = assignment_name(&vault(), PRINCIPAL, ROLE);
        assert_eq!(name, "42fbce03-304c-8d92-977e-47d2fcda1d0e");
        let full =
            format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{ROLE}");
        for (scope, role) in [
            (vault().to_uppercase(), ROLE),
            (format!("{}/", vault()), ROLE),
            (vault(), &full),
        ] {
            assert_eq!(assignment_name(&scope, PRINCIPAL, role), name);
        }
        let others = [
            assignment_name(SUBSCRIPTION, PRINCIPAL, ROLE),
            assignment_name(&vault(), ROLE, PRINCIPAL),
            assignment_name(&vault(), SUBSCRIPTION, ROLE),
        ];
        assert!(others.iter().all(|other| *other != name), "{others:?}");
    }
}
