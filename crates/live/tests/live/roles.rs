//! Role assignments: looked up by what they say, whatever their name.

use keyless_azure::{Verb, rbac};
use keyless_emulator::Fault as Trouble;
use keyless_engine::{Fault, Provider, Standing};
use keyless_plan::{Assignee, Op, Step, Undo};
use serde_json::json;

use crate::support::{Harbour, at, for_ever, step, vault};

/// Key Vault Secrets User (azure-facts D).
const ROLE: &str = "4633458b-17de-408a-b874-0445c86b69e6";
/// The object id of the gateway's own identity.
const GATEWAY: &str = "0ba5e000-0000-4000-8000-0000000000c0";

/// A step that gives the gateway's identity the role on the vault.
pub fn assign() -> Step {
    let op = Op::Assign {
        scope: vault(),
        role: ROLE.into(),
        principal: Assignee::Identity {
            address: at("apim:g"),
        },
        description: "keyless: lamp".into(),
    };
    step("rbac:lamp", op, Undo::Delete)
}

fn id(name: &str) -> String {
    format!(
        "{}/providers/Microsoft.Authorization/roleAssignments/{name}",
        vault()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_given_under_the_name_that_follows_and_taken_back() {
    let harbour = Harbour::start().await;
    let step = assign();
    let check = || harbour.provider.check(&step);
    assert_eq!(check().await, Ok(Standing::Ready));
    harbour.provider.act(&step).await.unwrap();
    assert_eq!(check().await, Ok(Standing::Done));
    let name = rbac::assignment_name(&vault(), GATEWAY, ROLE);
    let live = harbour.get(&id(&name)).await.unwrap();
    assert_eq!(live["properties"]["principalType"], "ServicePrincipal");
    assert_eq!(live["properties"]["description"], "keyless: lamp");
    harbour.provider.undo(&step).await.unwrap();
    assert_eq!(check().await, Ok(Standing::Ready));
    harbour.provider.undo(&step).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_equal_assignment_of_somebody_else_is_as_good_and_stays() {
    let harbour = Harbour::start().await;
    let theirs = id("0ba5e000-0000-4000-8000-0000000000e1");
    let body = json!({ "properties": {
        "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{ROLE}"),
        "principalId": GATEWAY,
        "principalType": "ServicePrincipal",
    }});
    harbour.write(Verb::Put, &theirs, body).await.unwrap();
    let step = assign();
    assert_eq!(harbour.provider.check(&step).await, Ok(Standing::Done));
    // As when it came between the look and the request.
    harbour.provider.act(&step).await.unwrap();
    harbour.provider.undo(&step).await.unwrap();
    assert!(harbour.get(&theirs).await.is_some());

    let op = Op::Unassign { id: theirs.clone() };
    let unassign = self::step("rbac:lamp", op, for_ever());
    let check = || harbour.provider.check(&unassign);
    assert_eq!(check().await, Ok(Standing::Ready));
    harbour.provider.act(&unassign).await.unwrap();
    assert_eq!(check().await, Ok(Standing::Done));
    harbour.provider.act(&unassign).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_that_is_not_known_everywhere_yet_is_tried_again() {
    let harbour = Harbour::start().await;
    harbour.emulator.add_fault(Trouble {
        verb: Some("PUT".into()),
        path: "/roleAssignments/".into(),
        status: 400,
        code: "PrincipalNotFound".into(),
        ..Trouble::default()
    });
    let answer = harbour.provider.act(&assign()).await;
    assert!(matches!(answer, Err(Fault::Transient { .. })), "{answer:?}");
    harbour.provider.act(&assign()).await.unwrap();
}
