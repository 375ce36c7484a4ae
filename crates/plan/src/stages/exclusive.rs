//! What no document declares: in an exclusive database it is revoked, in a pruned gateway deleted.

use keyless_model::sql::{Catalogue, Principal, PrincipalKind, Statement, same_name};
use keyless_model::{Address, Live, Owned};

use crate::draft::{Draft, Input, NewStep};
use crate::phase::Phase;
use crate::stages::show;
use crate::step::{Note, Op, Undo};

/// Plans the revocations of every exclusive database: connections, memberships and permissions of
/// principals that no document declares. Nobody is dropped.
pub(crate) fn databases(input: Input, draft: &mut Draft) {
    for document in input.desired.databases.values().filter(|d| d.exclusive) {
        let database = Address::database(&document.server, &document.name);
        let found = match draft.world.catalogue(&database) {
            Live::Present(catalogue) => undeclared(input, &database, catalogue),
            Live::Absent => continue,
            Live::Unreadable(why) => {
                let what = "revoke what no document declares";
                let next = "give the identity that plans a database user with VIEW DEFINITION";
                draft.wait(&database, None, what, &why, next);
                continue;
            }
        };
        for (principal, statements) in found {
            if draft.steps.iter().any(|s| s.id == format!("disable/{}", database.child("user", &principal))) {
                continue;
            }
            draft.add(NewStep {
                phase: Phase::Disable,
                address: database.child("principal", &principal),
                access: None,
                reason: format!("the database is exclusive, and no document declares {principal}"),
                shown: show::statements(&statements),
                undo: Undo::Sql {
                    statements: statements.iter().rev().filter_map(Statement::undo).collect(),
                },
                op: Op::Sql { database: database.clone(), statements },
                needs: Default::default(),
                notes: vec![],
            });
        }
    }
}

/// For each undeclared principal: the statements that take from it what it holds.
pub(crate) fn undeclared(
    input: Input,
    database: &Address,
    catalogue: &Catalogue,
) -> Vec<(String, Vec<Statement>)> {
    let mut out = Vec::new();
    for principal in &catalogue.principals {
        if spared(input, database, catalogue, principal) {
            continue;
        }
        let name = &principal.name;
        let mut statements = Vec::new();
        for (role, member) in catalogue.memberships.iter().filter(|(_, m)| same_name(m, name)) {
            let (role, member) = (role.clone(), member.clone());
            statements.push(Statement::DropMember { role, member });
        }
        for rule in catalogue.permissions.iter().filter(|p| same_name(&p.to, name)) {
            statements.push(Statement::Revoke { rule: rule.clone() });
        }
        if !statements.is_empty() {
            out.push((name.clone(), statements));
        }
    }
    out
}

/// Principals that are declared, that the server keeps for itself, or that must keep their way in.
fn spared(input: Input, database: &Address, catalogue: &Catalogue, p: &Principal) -> bool {
    const SYSTEM: [&str; 5] = ["dbo", "sys", "INFORMATION_SCHEMA", "guest", "public"];
    let name = &p.name;
    let is = |other: &str| same_name(other, name);
    if p.fixed || SYSTEM.iter().any(|s| is(s)) || is(&catalogue.running_as) {
        return true;
    }
    if p.kind == PrincipalKind::Other || !catalogue.schemas_owned_by(name).is_empty() {
        return true;
    }
    let desired = input.desired;
    let (_, db) = database.last();
    let document = desired.database(database.root_name(), db);
    let kept = document.is_some_and(|d| d.keep.iter().any(|k| is(k)));
    let here = |other: &Address| *other == *database;
    let users = desired.users.values().any(|u| here(&u.database) && is(&u.name));
    let roles = desired.roles.values().any(|r| {
        here(&r.database) && (is(&r.name) || r.members.iter().flatten().any(|m| is(m)))
    });
    let grants = desired.grants.values().any(|g| here(&g.database) && is(&g.rule.to));
    kept || users || roles || grants || belongs_to_access(input, database, catalogue, p)
}

/// The role and the user of an Access here, and what it still replaces: those have steps of their
/// own.
fn belongs_to_access(input: Input, database: &Address, catalogue: &Catalogue, p: &Principal) -> bool {
    input.desired.accesses.values().filter(|a| a.target() == *database).any(|access| {
        let role = access.role_name();
        let replaced = input.state.accesses.get(&access.name).is_some_and(|s| {
            s.replaces.iter().any(|item| match item {
                keyless_model::Replaced::SqlLogin(n) | keyless_model::Replaced::SqlUser(n) => {
                    same_name(n, &p.name)
                }
                keyless_model::Replaced::NamedValue(_) => false,
            })
        });
        same_name(&role, &p.name) || catalogue.is_member(&role, &p.name) || replaced
            || !input.state.accesses.get(&access.name).is_some_and(|s| s.switched_at.is_some())
                && p.kind == PrincipalKind::SqlUser
    })
}

/// Plans the deletes of every gateway that prunes what it owns.
pub(crate) fn gateways(input: Input, draft: &mut Draft) {
    for (name, gateway) in input.desired.gateways.iter().filter(|(_, g)| g.prune) {
        let root = Address::gateway(name);
        let found = unmanaged(input, &root, &gateway.owns.iter().copied().collect::<Vec<_>>());
        for address in found {
            if draft.steps.iter().any(|s| s.address == address) {
                continue;
            }
            draft.add(NewStep {
                phase: Phase::Retire,
                address: address.clone(),
                access: None,
                reason: "the gateway prunes what it owns, and no document declares this".into(),
                op: Op::Delete {},
                needs: Default::default(),
                undo: Undo::Never { why: "keyless keeps no copy of it".into() },
                notes: vec![Note::Forgotten { address }],
                shown: vec![],
            });
        }
    }
}

/// Live things in owned scopes that no document declares and keyless did not make.
pub(crate) fn unmanaged(input: Input, root: &Address, owns: &[Owned]) -> Vec<Address> {
    let declared = crate::stages::resources::declared_addresses(input);
    let in_scope = |address: &Address| match address.last().0 {
        "namedValue" => owns.contains(&Owned::NamedValues),
        "policy" => owns.contains(&Owned::Policies),
        _ => false,
    };
    // Loggers and caches keep hidden named values of their own.
    let hidden = |address: &Address| address.last().1.starts_with("Logger-Credentials-");
    let used = |address: &Address| {
        input.state.made(address)
            || input.state.applied.contains_key(address)
            || input.state.accesses.values().any(|s| s.parked.contains(address))
    };
    let live = input.live.entities.keys().filter(|a| a.within(root) && in_scope(a));
    live.filter(|a| !declared.contains(*a) && !hidden(a) && !used(a)).cloned().collect()
}
