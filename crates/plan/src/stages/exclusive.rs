//! What no document declares in an exclusive database: it is revoked.

use std::collections::BTreeSet;

use keyless_model::sql::{Catalogue, Principal, PrincipalKind, Statement, same_name};
use keyless_model::{Access, Address, Live, Replaced};

use crate::draft::{Draft, Input, NewStep};
use crate::phase::Phase;
use crate::stages::access::Move;
use crate::stages::claims::unfinished;
use crate::stages::replaced::is_built_in;
use crate::stages::{show, unread};
use crate::step::{Op, Undo};

/// Plans the revocations of every exclusive database: connections, memberships and permissions of
/// principals that no document declares. Nobody is dropped. An Access that is held up may still use
/// any of them, so that its database is left alone.
pub(crate) fn databases(input: Input, draft: &mut Draft, moves: &[Move]) {
    for document in input.desired.databases.values().filter(|d| d.exclusive) {
        let database = Address::database(&document.server, &document.name);
        let found = match draft.world.catalogue(&database) {
            Live::Present(catalogue) => undeclared(input, moves, &database, catalogue),
            Live::Absent => continue,
            Live::Unreadable(why) => {
                let (why, next) = unread::database(input, draft, &database, why);
                draft.wait(&database, None, WHAT, &why, &next);
                continue;
            }
        };
        if found.is_empty() {
            continue;
        }
        let held_up = unfinished(moves, accesses(input, &database));
        if !held_up.is_empty() {
            let why = format!("the Access {} is held up", held_up.join(", "));
            draft.wait(
                &database,
                None,
                WHAT,
                &why,
                "see what holds it up, then plan again",
            );
            continue;
        }
        for Undeclared {
            name: principal,
            statements,
            beyond,
        } in found
        {
            let address = database.child("principal", &principal);
            if !beyond.is_empty() {
                let why = format!("it holds what keyless cannot revoke: {}", beyond.join(", "));
                draft.wait(&address, None, WHAT, &why, "revoke that by hand");
            }
            if statements.is_empty() {
                continue;
            }
            let mine = moves.iter().filter(|m| m.database == database);
            draft.add(NewStep {
                phase: Phase::Disable,
                address,
                access: None,
                reason: format!("the database is exclusive, and no document declares {principal}"),
                shown: show::statements(&statements),
                undo: Undo::of(&statements),
                op: Op::Sql {
                    database: database.clone(),
                    statements,
                    users: BTreeSet::new(),
                },
                needs: mine.flat_map(Move::off_the_old_path).collect(),
                notes: vec![],
            });
        }
    }
}

const WHAT: &str = "revoke what no document declares";

fn accesses<'a>(input: Input<'a>, database: &Address) -> impl Iterator<Item = &'a Access> {
    input
        .desired
        .accesses
        .values()
        .filter(move |a| a.target() == *database)
}

/// A principal that no document declares.
pub(crate) struct Undeclared {
    pub name: String,
    /// What takes from it what it holds.
    pub statements: Vec<Statement>,
    /// What it holds on things for which keyless has no statement.
    pub beyond: Vec<String>,
}

/// Each undeclared principal that holds something.
pub(crate) fn undeclared(
    input: Input,
    moves: &[Move],
    database: &Address,
    catalogue: &Catalogue,
) -> Vec<Undeclared> {
    let mut out = Vec::new();
    for principal in &catalogue.principals {
        if spared(input, moves, database, catalogue, principal) {
            continue;
        }
        let name = &principal.name;
        let (mut statements, mut beyond) = (Vec::new(), Vec::new());
        for (role, member) in catalogue
            .memberships
            .iter()
            .filter(|(_, m)| same_name(m, name))
        {
            let (role, member) = (role.clone(), member.clone());
            statements.push(Statement::DropMember { role, member });
        }
        for rule in catalogue
            .permissions
            .iter()
            .filter(|p| same_name(&p.to, name))
        {
            if rule.on.is_beyond() {
                beyond.push(format!("{} on {}", rule.permission, rule.on));
            } else {
                statements.push(Statement::Revoke { rule: rule.clone() });
            }
        }
        if !statements.is_empty() || !beyond.is_empty() {
            let name = name.clone();
            out.push(Undeclared {
                name,
                statements,
                beyond,
            });
        }
    }
    out
}

/// Principals that are declared, that the server keeps for itself, or that must keep their way in.
/// A role with a spared member is spared with it, for the member's rights come through it.
fn spared(
    input: Input,
    moves: &[Move],
    database: &Address,
    catalogue: &Catalogue,
    p: &Principal,
) -> bool {
    let keeps = |name: &str| keeps_its_way_in(input, moves, database, catalogue, name);
    let mut members = catalogue
        .memberships
        .iter()
        .filter(|(r, _)| same_name(r, &p.name))
        .map(|(_, m)| m);
    p.fixed
        || p.kind == PrincipalKind::Other
        || !catalogue.schemas_owned_by(&p.name).is_empty()
        || keeps(&p.name)
        || declared(input, database, &p.name)
        || (p.kind == PrincipalKind::Role && members.any(|m| keeps(m)))
}

/// What the server keeps for itself, who reads, what the manifest keeps, and the principals of
/// Accesses: those they make, and those they replace, which have steps of their own.
fn keeps_its_way_in(
    input: Input,
    moves: &[Move],
    database: &Address,
    catalogue: &Catalogue,
    name: &str,
) -> bool {
    let (_, own) = database.last();
    let document = input.desired.database(database.root_name(), own);
    let kept = document.is_some_and(|d| d.keep.iter().any(|k| same_name(k, name)));
    let of_access = accesses(input, database).any(|access| {
        let role = access.role_name();
        same_name(&role, name) || catalogue.is_member(&role, name)
    });
    let replaced = moves.iter().filter(|m| m.database == *database).any(|m| {
        same_name(&m.user, name)
            || m.replaces
                .iter()
                .any(|item| is_of(input, catalogue, database, item, name))
    });
    is_built_in(name) || same_name(name, &catalogue.running_as) || kept || of_access || replaced
}

/// Whether the user `name` is the one that is replaced, or belongs to the login that is.
fn is_of(
    input: Input,
    catalogue: &Catalogue,
    database: &Address,
    item: &Replaced,
    name: &str,
) -> bool {
    match item {
        Replaced::NamedValue(_) | Replaced::Backend(_) => false,
        Replaced::SqlUser(user) => same_name(user, name),
        Replaced::SqlLogin(login) => match input.live.logins(&database.root()) {
            Live::Present(logins) => logins
                .iter()
                .filter(|l| same_name(&l.name, login))
                .any(|l| {
                    catalogue
                        .users_of_login(l)
                        .any(|u| same_name(&u.name, name))
                }),
            _ => same_name(login, name),
        },
    }
}

fn declared(input: Input, database: &Address, name: &str) -> bool {
    let desired = input.desired;
    let is = |place: &Address, other: &str| *place == *database && same_name(other, name);
    desired.users.values().any(|u| is(&u.database, &u.name))
        || desired.grants.values().any(|g| is(&g.database, &g.rule.to))
        || desired.roles.values().any(|r| {
            is(&r.database, &r.name) || r.members.iter().flatten().any(|m| is(&r.database, m))
        })
}
