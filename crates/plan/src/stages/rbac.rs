//! Declared role assignments: looked for by scope, role and principal, never by name; and those that
//! a document left to an identity that is no longer its own.

use std::collections::BTreeSet;

use keyless_model::{Address, Entity, Live, Principal, RoleAssignment, Snapshot};

use crate::draft::{Draft, Input, NewStep, id_of};
use crate::phase::Phase;
use crate::simulate::principal_id;
use crate::step::{Assignee, Note, Op, Shown, Undo};

/// Plans the assignments that are not there. One that a wider scope has counts as there: Azure adds
/// them up (azure-facts D).
pub(crate) fn assignments(input: Input, draft: &mut Draft) {
    for (name, document) in &input.desired.role_assignments {
        let address = Address::role_assignment(name);
        let Some(principal) = principal(input, draft, &address, document) else {
            continue;
        };
        let there = match live(&draft.world, document) {
            Live::Present(list) => list.iter().any(|e| gives(e, document, &principal)),
            Live::Absent => {
                let next = "correct its scope, or make what it names";
                draft.wait(&address, None, WHAT, "the scope does not exist", next);
                continue;
            }
            Live::Unreadable(why) => {
                let next = "give the identity that plans \
                            Microsoft.Authorization/roleAssignments/read on the scope";
                draft.wait(&address, None, WHAT, &why, next);
                continue;
            }
        };
        if !there {
            assign(draft, name, document, address);
        }
    }
}

const WHAT: &str = "give an identity the role that a document declares";

fn assign(draft: &mut Draft, name: &str, document: &RoleAssignment, address: Address) {
    let who = of_principal(&document.principal);
    let needs = who.iter().map(|a| id_of(Phase::Identify, a));
    let needs = draft.existing(needs);
    draft.add(NewStep {
        phase: Phase::Grant,
        access: None,
        reason: format!("the RoleAssignment document {name} declares it"),
        shown: vec![
            field("scope", &document.scope),
            field("role", &document.role),
            field("principal", &spoken(&document.principal)),
        ],
        op: Op::Assign {
            scope: document.scope.clone(),
            role: document.role.clone(),
            principal: assignee(&document.principal),
            description: description(name),
        },
        needs,
        undo: Undo::Delete,
        notes: vec![Note::Applied {
            address: address.clone(),
            made: true,
            sent: None,
        }],
        address,
    });
}

fn field(path: &str, after: &str) -> Shown {
    Shown::Field {
        path: path.into(),
        before: None,
        after: Some(after.to_owned()),
    }
}

/// What marks an assignment as a document's own.
fn description(name: &str) -> String {
    format!("keyless: {name}")
}

fn assignee(principal: &Principal) -> Assignee {
    match principal {
        Principal::Gateway(name) => Assignee::Identity {
            address: Address::gateway(name),
        },
        Principal::Identity(name) => Assignee::Identity {
            address: Address::identity(name),
        },
        Principal::Known {
            object_id,
            principal_type,
        } => Assignee::Known {
            object_id: object_id.clone(),
            principal_type: principal_type.clone(),
        },
    }
}

fn of_principal(principal: &Principal) -> Option<Address> {
    match assignee(principal) {
        Assignee::Identity { address } => Some(address),
        Assignee::Known { .. } => None,
    }
}

fn spoken(principal: &Principal) -> String {
    match assignee(principal) {
        Assignee::Identity { address } => format!("the identity of {address}"),
        Assignee::Known { object_id, .. } => object_id,
    }
}

/// The object id that the document means, as the world knows it by then. None when it is not known,
/// which leaves a row.
fn principal(
    input: Input,
    draft: &mut Draft,
    address: &Address,
    document: &RoleAssignment,
) -> Option<String> {
    let Some(who) = of_principal(&document.principal) else {
        return object_id(&draft.world, &document.principal);
    };
    let found = object_id(&draft.world, &document.principal);
    if found.is_none() {
        let why = match input.live.get(&who) {
            Live::Absent => format!("{who} does not exist"),
            Live::Unreadable(why) => why,
            Live::Present(_) => format!("the object id of the identity of {who} is not readable"),
        };
        let next = "correct the document, or give the identity that plans the Reader role on it";
        draft.wait(address, None, WHAT, &why, next);
    }
    found
}

fn object_id(world: &Snapshot, principal: &Principal) -> Option<String> {
    match principal {
        Principal::Known { object_id, .. } => Some(object_id.clone()),
        other => principal_id(world, &of_principal(other)?),
    }
}

fn live<'a>(world: &'a Snapshot, document: &RoleAssignment) -> Live<&'a Vec<Entity>> {
    match world.assignments.get(&document.scope.to_lowercase()) {
        Some(live) => live.as_ref(),
        None => Live::Unreadable("its role assignments were not read".into()),
    }
}

/// Whether the assignment gives `principal` the role at the document's scope, from there or above.
fn gives(entity: &Entity, document: &RoleAssignment, principal: &str) -> bool {
    has_role(entity, document) && is_of(entity, principal) && covers(entity, &document.scope)
}

fn has_role(entity: &Entity, document: &RoleAssignment) -> bool {
    let role = entity
        .text("/properties/roleDefinitionId")
        .unwrap_or_default();
    let role = role.rsplit('/').next().unwrap_or_default();
    role.eq_ignore_ascii_case(&document.role)
}

fn is_of(entity: &Entity, principal: &str) -> bool {
    let own = entity.text("/properties/principalId");
    own.is_some_and(|own| own.eq_ignore_ascii_case(principal))
}

fn covers(entity: &Entity, scope: &str) -> bool {
    let own = scope_of(entity).to_lowercase();
    let own = own.trim_end_matches('/');
    // The list of a scope holds a management group's assignments only where the group is above it.
    if own.is_empty() || own.starts_with("/providers/microsoft.management/managementgroups/") {
        return true;
    }
    let scope = scope.to_lowercase();
    let rest = scope.trim_end_matches('/').strip_prefix(own);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn scope_of(entity: &Entity) -> &str {
    entity.text("/properties/scope").unwrap_or_default()
}

/// An assignment that keyless made for a document, and that no document declares any more: its
/// principal is another than the document's.
pub(crate) struct Orphan {
    /// The document.
    pub address: Address,
    pub id: String,
    pub shown: Vec<Shown>,
}

/// Those at the scope of their document whose principal is not the declared one. What another
/// document declares is none, and of a principal that is not known nothing is said.
pub(crate) fn orphans(input: Input, world: &Snapshot) -> Vec<Orphan> {
    let mut out = Vec::new();
    for (name, document) in &input.desired.role_assignments {
        let (Some(principal), Live::Present(list)) =
            (object_id(world, &document.principal), live(world, document))
        else {
            continue;
        };
        let left = |e: &&Entity| {
            e.text("/properties/description") == Some(&description(name))
                && scope_of(e).eq_ignore_ascii_case(&document.scope)
                && !is_of(e, &principal)
                && !declared(input, world, e)
        };
        out.extend(list.iter().filter(left).map(|e| orphan(name, e)));
    }
    out
}

fn orphan(name: &str, entity: &Entity) -> Orphan {
    let text = |pointer: &str| entity.text(pointer).unwrap_or_default().to_owned();
    let shown = |path: &str, pointer: &str| Shown::Field {
        path: path.into(),
        before: Some(text(pointer)),
        after: None,
    };
    Orphan {
        address: Address::role_assignment(name),
        id: entity.id.clone(),
        shown: vec![
            shown("scope", "/properties/scope"),
            shown("role", "/properties/roleDefinitionId"),
            shown("principal", "/properties/principalId"),
        ],
    }
}

fn declared(input: Input, world: &Snapshot, entity: &Entity) -> bool {
    input.desired.role_assignments.values().any(|other| {
        object_id(world, &other.principal).is_some_and(|principal| {
            has_role(entity, other)
                && is_of(entity, &principal)
                && scope_of(entity).eq_ignore_ascii_case(&other.scope)
        })
    })
}

/// Takes away what is left to an identity that a document no longer means: in the end, once the one
/// that it means has its role and everything that uses it is switched. Only where the state knows
/// that keyless made it: the mark alone may be another project's.
pub(crate) fn retire(input: Input, draft: &mut Draft) {
    for orphan in orphans(input, &draft.world) {
        if !input.state.made(&orphan.address) {
            continue;
        }
        // Until every call asks as the other identity, and answers so, this one may need its role.
        let held_up: BTreeSet<&str> = draft
            .waiting
            .iter()
            .filter_map(|row| row.access.as_deref())
            // In a database an identity has a user, and no role of Azure.
            .filter(|name| input.desired.http_accesses.contains_key(*name))
            .collect();
        if !held_up.is_empty() {
            let names: Vec<&str> = held_up.into_iter().collect();
            let why = format!("calls may still need it: held up is {}", names.join(", "));
            let next = "see what holds it up, then plan again";
            draft.wait(&orphan.address, None, "take the old role away", &why, next);
            continue;
        }
        let mut needs = draft.existing([id_of(Phase::Grant, &orphan.address)]);
        let switches = draft.steps.iter().filter(|s| s.phase == Phase::Switch);
        needs.extend(switches.map(|s| s.id.clone()));
        let name = orphan.id.rsplit('/').next().unwrap_or_default();
        draft.add(NewStep {
            phase: Phase::Retire,
            address: orphan.address.child("assignment", name),
            access: None,
            reason: "keyless gave this role to an identity that its document no longer means"
                .into(),
            shown: orphan.shown,
            op: Op::Unassign { id: orphan.id },
            needs,
            undo: Undo::Never {
                why: "the identity that it was for may be gone".into(),
            },
            notes: vec![],
        });
    }
}

/// The documents that give `identity` a role at the Key Vault of this name, at something in it, or
/// at a group, subscription or management group that may hold it.
pub(crate) fn reaching(input: Input, identity: &Address, vault: &str) -> Vec<Address> {
    let mine = input.desired.role_assignments.iter().filter(|(_, d)| {
        of_principal(&d.principal).as_ref() == Some(identity) && may_hold(&d.scope, vault)
    });
    mine.map(|(name, _)| Address::role_assignment(name))
        .collect()
}

fn may_hold(scope: &str, vault: &str) -> bool {
    let scope = scope.to_lowercase();
    match scope.split_once("/providers/microsoft.keyvault/vaults/") {
        Some((_, rest)) => rest.split('/').next() == Some(&vault.to_lowercase()),
        None => {
            !scope.contains("/providers/")
                || scope.starts_with("/providers/microsoft.management/managementgroups/")
        }
    }
}
