//! Steps on role assignments: looked up by scope, role and principal, since an equal one can have
//! any name (azure-facts D).

use keyless_azure::{ArmError, rbac};
use keyless_engine::Standing;
use keyless_plan::{Op, Step};
use serde_json::{Value, json};

use crate::error::LiveError;
use crate::identity::object_id;
use crate::services::Services;

/// An assignment that a step asks for, with its principal known.
struct Asked<'a> {
    scope: &'a str,
    /// The GUID of the role definition.
    role: &'a str,
    principal: String,
    /// `ServicePrincipal`, `Group` or `User`.
    kind: String,
    description: &'a str,
}

/// What a step asks for.
///
/// # Errors
/// When it assigns nothing: a step that is not understood is never taken for done.
async fn asked<'a>(services: &Services, step: &'a Step) -> Result<Asked<'a>, LiveError> {
    let Op::Assign {
        scope,
        role,
        principal,
        description,
    } = &step.op
    else {
        return Err(LiveError::Place(step.address.clone()));
    };
    let (principal, kind) = object_id(services, principal).await?;
    Ok(Asked {
        scope,
        role,
        principal,
        kind,
        description,
    })
}

impl Asked<'_> {
    /// The name under which keyless makes it.
    fn name(&self) -> String {
        rbac::assignment_name(self.scope, &self.principal, self.role)
    }
}

/// An equal assignment under any name is done.
pub(crate) async fn check(services: &Services, step: &Step) -> Result<Standing, LiveError> {
    let asked = asked(services, step).await?;
    Ok(match is_there(services, &asked).await? {
        true => Standing::Done,
        false => Standing::Ready,
    })
}

/// Creates the assignment. One that somebody else made in the meantime is as good.
pub(crate) async fn assign(services: &Services, step: &Step) -> Result<(), LiveError> {
    let asked = asked(services, step).await?;
    let body = json!({ "properties": {
        "roleDefinitionId": definition(asked.scope, asked.role),
        "principalId": asked.principal,
        "principalType": asked.kind,
        "description": asked.description,
    }});
    let request = rbac::put_role_assignment(asked.scope, &asked.name(), body)?;
    match services.arm.send(request).await {
        Err(ArmError::Refused(refusal)) if refusal.code == "RoleAssignmentExists" => Ok(()),
        other => other.map(drop).map_err(LiveError::from),
    }
}

/// Takes back what [`assign`] made: the assignment under our own name and no other.
pub(crate) async fn take_back(services: &Services, step: &Step) -> Result<(), LiveError> {
    let asked = asked(services, step).await?;
    delete(services, asked.scope, &asked.name()).await
}

/// How live stands to taking the assignment back: only the one under our own name counts.
pub(crate) async fn check_back(services: &Services, step: &Step) -> Result<Standing, LiveError> {
    let asked = asked(services, step).await?;
    let request = rbac::role_assignment(asked.scope, &asked.name())?;
    Ok(match services.arm.find(request).await? {
        None => Standing::Done,
        Some(_) => Standing::Ready,
    })
}

/// Whether the assignment with this id is gone.
pub(crate) async fn check_gone(services: &Services, id: &str) -> Result<Standing, LiveError> {
    let (scope, name) = parts(id)?;
    let found = services
        .arm
        .find(rbac::role_assignment(scope, name)?)
        .await?;
    Ok(match found {
        None => Standing::Done,
        Some(_) => Standing::Ready,
    })
}

/// Takes away the assignment with this id.
pub(crate) async fn unassign(services: &Services, id: &str) -> Result<(), LiveError> {
    let (scope, name) = parts(id)?;
    delete(services, scope, name).await
}

async fn delete(services: &Services, scope: &str, name: &str) -> Result<(), LiveError> {
    let request = rbac::delete_role_assignment(scope, name)?;
    services.arm.find(request).await?;
    Ok(())
}

async fn is_there(services: &Services, asked: &Asked<'_>) -> Result<bool, LiveError> {
    let filter = format!("principalId eq '{}'", asked.principal);
    let request = rbac::role_assignments(asked.scope, Some(&filter))?;
    let list = services.arm.list(request).await?;
    Ok(list.iter().any(|item| same(item, asked)))
}

/// Whether a listed assignment is of this scope, role and principal. The filter also brings those
/// above and below.
fn same(item: &Value, asked: &Asked<'_>) -> bool {
    let field = |name: &str| {
        let value = item.pointer(&format!("/properties/{name}"));
        value.and_then(Value::as_str).unwrap_or_default()
    };
    let plain = |scope: &str| scope.trim_end_matches('/').to_lowercase();
    let role = field("roleDefinitionId").rsplit('/').next();
    plain(field("scope")) == plain(asked.scope)
        && role.is_some_and(|r| r.eq_ignore_ascii_case(asked.role))
        && field("principalId").eq_ignore_ascii_case(&asked.principal)
}

/// The id of a role definition as seen from a scope.
fn definition(scope: &str, role: &str) -> String {
    let path = format!("/providers/Microsoft.Authorization/roleDefinitions/{role}");
    let mut parts = scope.trim_start_matches('/').split('/');
    match (parts.next(), parts.next()) {
        (Some(word), Some(id)) if word.eq_ignore_ascii_case("subscriptions") => {
            format!("/subscriptions/{id}{path}")
        }
        _ => path,
    }
}

/// Scope and name of an assignment's id.
fn parts(id: &str) -> Result<(&str, &str), LiveError> {
    const WORD: &str = "/providers/microsoft.authorization/roleassignments/";
    let at = id.to_ascii_lowercase().rfind(WORD);
    at.map(|at| (&id[..at], &id[at + WORD.len()..]))
        .ok_or_else(|| LiveError::Assignment(id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv";

    #[test]
    fn an_assignment_is_known_by_scope_role_and_principal() {
        let asked = Asked {
            scope: VAULT,
            role: "r1",
            principal: "P".into(),
            kind: "Group".into(),
            description: "",
        };
        let item = |scope: &str, role: &str, principal: &str| {
            json!({ "properties": {
                "scope": scope,
                "roleDefinitionId": definition(scope, role),
                "principalId": principal,
            }})
        };
        assert!(same(&item(&VAULT.to_uppercase(), "R1", "p"), &asked));
        for other in [
            item("/subscriptions/s", "r1", "P"),
            item(VAULT, "r2", "P"),
            item(VAULT, "r1", "q"),
        ] {
            assert!(!same(&other, &asked), "{other}");
        }
    }

    #[test]
    fn an_id_comes_apart_into_scope_and_name() {
        let id = format!("{VAULT}/providers/Microsoft.Authorization/roleAssignments/n");
        assert_eq!(parts(&id).unwrap(), (VAULT, "n"));
        assert!(parts(VAULT).is_err());
        assert_eq!(
            definition(VAULT, "r"),
            "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/r"
        );
        assert_eq!(
            definition("/", "r"),
            "/providers/Microsoft.Authorization/roleDefinitions/r"
        );
    }
}
