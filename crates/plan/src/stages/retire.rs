//! The point of no return: users, logins and named values of the old credential go.

use std::collections::BTreeSet;

use keyless_model::sql::{Login, Statement};
use keyless_model::{Address, Replaced};

use crate::draft::{Draft, Input, NewStep, id_of};
use crate::phase::Phase;
use crate::stages::access::Move;
use crate::stages::disable::{catalogue, login};
use crate::stages::replaced::{covers, uncovered};
use crate::stages::show;
use crate::step::{Note, Op, Undo};

/// Drops the old users, and the old login once no user of it is left.
pub(crate) fn principals(_input: Input, draft: &mut Draft, moves: &[Move]) {
    for one in moves {
        if !lets_go(one) {
            continue;
        }
        for item in &one.replaces {
            match item {
                Replaced::NamedValue(_) => {}
                Replaced::SqlUser(name) => {
                    drop_user(draft, one, name);
                }
                Replaced::SqlLogin(name) => {
                    let Some(login) = login(draft, one, name) else { continue };
                    drop_login(draft, moves, one, &login);
                }
            }
        }
    }
}

fn lets_go(one: &Move) -> bool {
    !one.blocked && one.all_known && one.access.retire.as_ref().is_some_and(|r| r.drop)
}

/// True when the user is gone after the plan.
fn drop_user(draft: &mut Draft, one: &Move, user: &str) -> bool {
    let address = one.database.child("user", user);
    let Some(found) = catalogue(draft, &one.database) else { return false };
    if found.principal(user).is_none() {
        return true;
    }
    let owned = found.schemas_owned_by(user);
    if !owned.is_empty() {
        let why = format!("it owns the schema {}", owned.join(", "));
        let next = "give the schema to another owner (ALTER AUTHORIZATION), then plan again";
        draft.wait(&address, Some(one.name()), "drop the old user", &why, next);
        return false;
    }
    let statements = vec![Statement::DropUser { name: user.to_owned() }];
    draft.add(NewStep {
        phase: Phase::Retire,
        address: address.clone(),
        access: Some(one.access.name.clone()),
        reason: "nobody connects as this user any more".into(),
        shown: show::statements(&statements),
        op: Op::Sql { database: one.database.clone(), statements },
        needs: one.settled.iter().chain(&one.disabled).cloned().collect(),
        undo: Undo::Never { why: "its password is kept nowhere".into() },
        notes: vec![
            Note::Forgotten { address },
            Note::Retired { access: one.access.name.clone() },
        ],
    });
    true
}

fn drop_login(draft: &mut Draft, moves: &[Move], one: &Move, login: &Login) {
    let server = one.database.root();
    let address = server.child("login", &login.name);
    if draft.has(&id_of(Phase::Retire, &address)) {
        return;
    }
    let covering: Vec<&Move> = moves
        .iter()
        .filter(|m| m.database.root() == server && covers(m, &m.database, &login.name))
        .collect();
    let others = uncovered(draft, moves, &server, login);
    let mut needs = BTreeSet::new();
    let mut all_gone = others.is_empty();
    for m in covering.iter().filter(|m| lets_go(m)) {
        let users: Vec<String> = catalogue(draft, &m.database)
            .map(|c| c.users_of_login(login).map(|u| u.name.clone()).collect())
            .unwrap_or_default();
        for user in users {
            all_gone &= drop_user(draft, m, &user);
            needs.insert(id_of(Phase::Retire, &m.database.child("user", &user)));
        }
    }
    all_gone &= covering.iter().all(|m| lets_go(m));
    if !all_gone {
        let why = if others.is_empty() {
            "an Access that shares it keeps it, or a user of it cannot be dropped".to_owned()
        } else {
            format!("it is also used by {}", others.join(", "))
        };
        let next = "declare an Access with `retire` for those, or move them by hand";
        draft.wait(&address, Some(one.name()), "drop the old login", &why, next);
        return;
    }
    for m in &covering {
        needs.extend(m.settled.iter().chain(&m.disabled).cloned());
    }
    let statements = vec![Statement::DropLogin { name: login.name.clone() }];
    let retired = covering.iter().map(|m| Note::Retired { access: m.access.name.clone() });
    let mut notes = vec![Note::Forgotten { address: address.clone() }];
    notes.extend(retired);
    draft.add(NewStep {
        phase: Phase::Retire,
        address,
        access: (covering.len() == 1).then(|| one.access.name.clone()),
        reason: "no user of this login is left".into(),
        shown: show::statements(&statements),
        op: Op::Sql { database: one.database.clone(), statements },
        needs,
        undo: Undo::Never { why: "its password is kept nowhere".into() },
        notes,
    });
}

/// Deletes the named values that held the credential, and those that keyless parked literals in.
pub(crate) fn named_values(input: Input, draft: &mut Draft, moves: &[Move]) {
    for one in moves.iter().filter(|m| lets_go(m)) {
        let mut values: BTreeSet<Address> = one
            .replaces
            .iter()
            .filter_map(|item| match item {
                Replaced::NamedValue(name) => Some(one.gateway.child("namedValue", name)),
                _ => None,
            })
            .collect();
        let state = input.state.accesses.get(one.name());
        values.extend(state.into_iter().flat_map(|s| s.parked.iter().cloned()));
        let parked = one.parked.iter().filter_map(|id| id.split_once('/'));
        values.extend(
            parked
                .filter_map(|(_, address)| address.parse::<Address>().ok())
                .filter(|a| a.last().0 == "namedValue"),
        );
        for address in values {
            delete(input, draft, moves, one, &address);
        }
    }
}

fn delete(input: Input, draft: &mut Draft, moves: &[Move], one: &Move, address: &Address) {
    let Some(entity) = draft.world.entities.get(address) else { return };
    let display = entity.text("/properties/displayName").unwrap_or(address.last().1).to_owned();
    let what = "delete the named value that held the credential";
    let declared = input.desired.named_values.values().any(|n| {
        Address::gateway(&n.gateway).child("namedValue", &n.name) == *address
    });
    let users = users_of(draft, &one.gateway, &display);
    let (why, next) = if declared {
        ("a NamedValue document declares it".to_owned(), "remove the document, then plan again")
    } else if !users.is_empty() {
        (
            format!("it is still used by {}", users.join(", ")),
            "declare an Access for that path, or take the reference out by hand",
        )
    } else {
        let mut needs: BTreeSet<String> = one.settled.clone();
        for m in moves.iter().filter(|m| m.gateway == one.gateway) {
            needs.extend(m.switched.iter().cloned());
        }
        draft.add(NewStep {
            phase: Phase::Retire,
            address: address.clone(),
            access: Some(one.access.name.clone()),
            reason: "no policy refers to it any more".into(),
            shown: vec![],
            op: Op::Delete {},
            needs,
            undo: Undo::Never { why: "its value is kept nowhere".into() },
            notes: vec![
                Note::Forgotten { address: address.clone() },
                Note::Retired { access: one.access.name.clone() },
            ],
        });
        return;
    };
    draft.wait(address, Some(one.name()), what, &why, next);
}

/// The policies and backends of the gateway that will still refer to `{{display}}`, and scopes
/// where that is not known.
fn users_of(draft: &Draft, gateway: &Address, display: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (address, entity) in &draft.world.entities {
        if !address.within(gateway) || address.last().0 == "namedValue" {
            continue;
        }
        let text = entity.body.to_string();
        if keyless_policy::references(&text).iter().any(|r| r.name == display) {
            out.push(address.to_string());
        }
    }
    let unread = draft.world.unreadable.keys().filter(|p| p.starts_with(gateway.as_str()));
    out.extend(unread.filter(|p| !p.contains("/identity")).map(|p| format!("{p}… (unreadable)")));
    out
}
