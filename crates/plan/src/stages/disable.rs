//! The soak after the switch, the closing of the old way in, and the second soak.

use std::collections::BTreeSet;

use keyless_model::sql::{
    Catalogue, Login, Permission, PermissionState, Securable, Statement, same_name,
};
use keyless_model::{Address, Live, Replaced};

use crate::draft::{Draft, Input, NewStep};
use crate::phase::Phase;
use crate::stages::access::Move;
use crate::stages::replaced::{covers, uncovered};
use crate::stages::show;
use crate::step::{Gate, Mark, Note, Op, Undo};

/// Waits until nobody has used the old principal for the soak. Planned only where something after
/// it is still to do.
pub(crate) fn confirm(input: Input, draft: &mut Draft, one: &mut Move) {
    let Some(retire) = &one.access.retire else { return };
    if one.blocked || !(left_over(input, draft, one) || locks(input, one)) {
        return;
    }
    let known = input.state.accesses.get(one.name());
    if one.switched.is_empty() && known.is_some_and(|s| s.confirmed_at.is_some()) {
        return;
    }
    let gate = Gate::Soak {
        access: one.access.name.clone(),
        since: Mark::Switched,
        seconds: retire.after,
        evidence: retire.evidence.clone(),
        principals: principals(one),
    };
    let reason = "nobody may still use the old credential before it is closed".into();
    let needs = one.switched.clone();
    let id = draft.gate(Phase::Confirm, one.place(), Some(&one.access.name), reason, gate, needs);
    draft.note_on(&id, Note::Confirmed { access: one.access.name.clone() });
    one.confirmed.insert(id);
}

/// Whether a credential that this Access replaces is still there in some form.
fn left_over(input: Input, draft: &Draft, one: &Move) -> bool {
    let parked = input.state.accesses.get(one.name()).into_iter().flat_map(|s| s.parked.iter());
    let mut values = parked.cloned().chain(named_values(one));
    !one.parked.is_empty()
        || values.any(|a| draft.world.entities.contains_key(&a))
        || one.replaces.iter().any(|item| match item {
            Replaced::NamedValue(_) => false,
            Replaced::SqlLogin(name) => login(draft, one, name).is_some(),
            Replaced::SqlUser(name) => {
                catalogue(draft, &one.database).is_some_and(|c| c.principal(name).is_some())
            }
        })
}

fn named_values(one: &Move) -> impl Iterator<Item = Address> {
    one.replaces.iter().filter_map(|item| match item {
        Replaced::NamedValue(name) => Some(one.gateway.child("namedValue", name)),
        _ => None,
    })
}

fn locks(input: Input, one: &Move) -> bool {
    let server = &input.desired.servers[&one.access.server];
    let live = input.live.get(&one.database.root().part("entraOnly"));
    let on = live.present().and_then(|e| e.flag("/properties/azureADOnlyAuthentication"));
    server.entra_only == Some(true) && on != Some(true)
}

fn principals(one: &Move) -> BTreeSet<(Address, String)> {
    let names = one.replaces.iter().filter_map(|item| match item {
        Replaced::SqlLogin(name) | Replaced::SqlUser(name) => Some(name.clone()),
        Replaced::NamedValue(_) => None,
    });
    names.map(|name| (one.database.clone(), name)).collect()
}

pub(crate) fn catalogue<'a>(draft: &'a Draft, database: &Address) -> Option<&'a Catalogue> {
    match draft.world.databases.get(database) {
        Some(Live::Present(catalogue)) => Some(catalogue),
        _ => None,
    }
}

pub(crate) fn login(draft: &Draft, one: &Move, name: &str) -> Option<Login> {
    match draft.world.logins.get(&one.database.root()) {
        Some(Live::Present(logins)) => logins.iter().find(|l| same_name(&l.name, name)).cloned(),
        _ => None,
    }
}

/// Closes the old way in, reversibly: the login where every user of it is covered by an Access
/// past its soak, else only the connection to this Access's database.
pub(crate) fn disable(_input: Input, draft: &mut Draft, moves: &mut [Move]) {
    for index in 0..moves.len() {
        let one = &moves[index];
        if one.blocked || !one.all_known || one.access.retire.is_none() {
            continue;
        }
        let items: Vec<Replaced> = one.replaces.iter().cloned().collect();
        for item in items {
            match item {
                Replaced::NamedValue(_) => {}
                Replaced::SqlUser(name) => close_user(draft, &mut moves[index], &name),
                Replaced::SqlLogin(name) => {
                    let Some(login) = login(draft, &moves[index], &name) else { continue };
                    let server = moves[index].database.root();
                    let others = uncovered(draft, moves, &server, &login);
                    if others.is_empty() {
                        close_login(draft, moves, &server, &login);
                        continue;
                    }
                    let why = format!("it is also used by {}", others.join(", "));
                    let next = "declare an Access for those, or move them by hand; until then only \
                                the connection to this database is closed";
                    let what = format!("disable the login {name}");
                    let one = &mut moves[index];
                    draft.wait(&server.child("login", &name), Some(&one.access.name), &what, &why, next);
                    let users: Vec<String> = catalogue(draft, &one.database)
                        .map(|c| c.users_of_login(&login).map(|u| u.name.clone()).collect())
                        .unwrap_or_default();
                    for user in users {
                        close_user(draft, one, &user);
                    }
                }
            }
        }
    }
}

fn close_user(draft: &mut Draft, one: &mut Move, user: &str) {
    let open = catalogue(draft, &one.database).is_some_and(|c| c.may_connect(user));
    let address = one.database.child("user", user);
    let id = crate::draft::id_of(Phase::Disable, &address);
    if draft.has(&id) {
        one.disabled.insert(id);
        return;
    }
    if !open {
        return;
    }
    let rule = Permission {
        permission: "CONNECT".into(),
        on: Securable::Database,
        column: None,
        to: user.to_owned(),
        state: PermissionState::Grant,
    };
    let statements = vec![Statement::Revoke { rule: rule.clone() }];
    let id = draft.add(NewStep {
        phase: Phase::Disable,
        address,
        access: Some(one.access.name.clone()),
        reason: format!("{} no longer needs this user: it may not connect any more", one.access.name),
        shown: show::statements(&statements),
        op: Op::Sql { database: one.database.clone(), statements },
        needs: one.confirmed.iter().chain(&one.switched).cloned().collect(),
        undo: Undo::Sql { statements: vec![Statement::Permit { rule }] },
        notes: vec![Note::Disabled { access: one.access.name.clone() }],
    });
    one.disabled.insert(id);
}

fn close_login(draft: &mut Draft, moves: &mut [Move], server: &Address, login: &Login) {
    let address = server.child("login", &login.name);
    let id = crate::draft::id_of(Phase::Disable, &address);
    let covering: Vec<usize> = (0..moves.len())
        .filter(|i| moves[*i].database.root() == *server)
        .filter(|i| covers(&moves[*i], &moves[*i].database, &login.name))
        .collect();
    if login.disabled && !draft.has(&id) {
        return;
    }
    if !draft.has(&id) {
        let names: Vec<&str> = covering.iter().map(|i| moves[*i].access.name.as_str()).collect();
        let statements = vec![Statement::DisableLogin { name: login.name.clone() }];
        draft.add(NewStep {
            phase: Phase::Disable,
            address,
            access: (names.len() == 1).then(|| names[0].to_owned()),
            reason: format!("every path of this login now uses an identity ({})", names.join(", ")),
            shown: show::statements(&statements),
            undo: Undo::Sql {
                statements: vec![Statement::EnableLogin { name: login.name.clone() }],
            },
            op: Op::Sql { database: moves[covering[0]].database.clone(), statements },
            needs: covering
                .iter()
                .flat_map(|i| moves[*i].confirmed.iter().chain(&moves[*i].switched).cloned())
                .collect(),
            notes: names.iter().map(|n| Note::Disabled { access: (*n).to_owned() }).collect(),
        });
    }
    for index in covering {
        moves[index].disabled.insert(id.clone());
    }
}

/// Waits again, with the old way in closed, before anything irreversible.
pub(crate) fn settle(input: Input, draft: &mut Draft, one: &mut Move) {
    let Some(retire) = &one.access.retire else { return };
    if one.blocked || !one.all_known || !retire.drop || !left_over(input, draft, one) {
        return;
    }
    let known = input.state.accesses.get(one.name());
    let unchanged = one.switched.is_empty() && one.disabled.is_empty();
    if unchanged && known.is_some_and(|s| s.settled_at.is_some()) {
        return;
    }
    let gate = Gate::Soak {
        access: one.access.name.clone(),
        since: Mark::Disabled,
        seconds: retire.disabled_for,
        evidence: retire.evidence.clone(),
        principals: principals(one),
    };
    let mut needs = one.disabled.clone();
    needs.extend(one.confirmed.iter().cloned());
    let reason = "whoever still needs the old credential must be heard before it goes for good";
    let place = one.place();
    let id = draft.gate(Phase::Disable, place, Some(&one.access.name), reason.into(), gate, needs);
    draft.note_on(&id, Note::Settled { access: one.access.name.clone() });
    one.settled.insert(id);
}
