//! The soak after the switch, the closing of the old way in, and the second soak.

use std::collections::BTreeSet;

use keyless_model::sql::{
    Catalogue, Login, Permission, PermissionState, Securable, Statement, same_name,
};
use keyless_model::{AccessState, Address, Live, Replaced, Snapshot};

use crate::draft::{Draft, Input, NewStep, id_of, waits_for};
use crate::phase::Phase;
use crate::stages::access::Move;
use crate::stages::live_sources::LiveSources;
use crate::stages::replaced::{kept_by, names, sharing, uncovered};
use crate::stages::show;
use crate::step::{Gate, Mark, Note, Op, Undo};

/// Waits until nobody has used the old principal for the soak. Planned only where something after
/// it is still to do.
pub(crate) fn confirm(input: Input, draft: &mut Draft, one: &mut Move) {
    let Some(retire) = &one.access.retire else {
        return;
    };
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
    let reason = "nobody may still use the old credential before it is closed";
    let needs = one.switched.clone();
    let notes = vec![Note::Confirmed {
        access: one.access.name.clone(),
    }];
    let name = Some(one.name());
    let id = draft.add(waits_for(
        gate,
        Phase::Confirm,
        one.place(),
        name,
        reason,
        needs,
        notes,
    ));
    one.confirmed.extend(id);
}

/// Whether a credential that this Access replaces is still there in some form.
pub(crate) fn left_over(input: Input, draft: &Draft, one: &Move) -> bool {
    let parked = input
        .state
        .accesses
        .get(one.name())
        .into_iter()
        .flat_map(|s| s.parked.iter());
    let mut values = parked.cloned().chain(named_values(one));
    !one.parked.is_empty()
        || values.any(|a| draft.world.entities.contains_key(&a))
        || one.replaces.iter().any(|item| match item {
            Replaced::NamedValue(_) | Replaced::Backend(_) => false,
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
    let on = live
        .present()
        .and_then(|e| e.flag("/properties/azureADOnlyAuthentication"));
    server.entra_only == Some(true) && on != Some(true)
}

fn principals(one: &Move) -> BTreeSet<(Address, String)> {
    let names = one.replaces.iter().filter_map(|item| match item {
        Replaced::SqlLogin(name) | Replaced::SqlUser(name) => Some(name.clone()),
        Replaced::NamedValue(_) | Replaced::Backend(_) => None,
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

/// Every user of a login of this server, in the databases that could be read.
pub(crate) fn users_of(world: &Snapshot, server: &Address, login: &str) -> BTreeSet<Address> {
    let Some(Live::Present(logins)) = world.logins.get(server) else {
        return BTreeSet::new();
    };
    let Some(login) = logins.iter().find(|l| same_name(&l.name, login)) else {
        return BTreeSet::new();
    };
    let mut out = BTreeSet::new();
    for (database, live) in &world.databases {
        if let (Live::Present(catalogue), true) = (live, database.root() == *server) {
            let users = catalogue.users_of_login(login);
            out.extend(users.map(|u| database.child("user", &u.name)));
        }
    }
    out
}

/// Closes the old way in, reversibly: the login where every user of it is covered by an Access
/// past its soak, else only the connection to this Access's database, and not even that while a
/// data source still comes in that way.
pub(crate) fn disable(input: Input, draft: &mut Draft, found: &LiveSources, moves: &mut [Move]) {
    for index in 0..moves.len() {
        if !moves[index].closes() {
            continue;
        }
        for item in moves[index].replaces.clone() {
            match &item {
                Replaced::NamedValue(_) | Replaced::Backend(_) => {}
                Replaced::SqlUser(name) => {
                    close_user(input, draft, found, moves, index, &item, name)
                }
                Replaced::SqlLogin(name) => {
                    if let Some(login) = login(draft, &moves[index], name) {
                        close_login(input, draft, found, moves, index, &item, &login);
                    }
                }
            }
        }
    }
}

/// Takes from `user`, in the database of one Access, the right to connect.
fn close_user(
    input: Input,
    draft: &mut Draft,
    found: &LiveSources,
    moves: &mut [Move],
    index: usize,
    item: &Replaced,
    user: &str,
) {
    let database = moves[index].database.clone();
    let Some(there) = catalogue(draft, &database).filter(|c| c.may_connect(user)) else {
        return;
    };
    let (statement, undo) = shut_out(there, user);
    let address = database.child("user", user);
    let mut kept = kept_by(input, moves, &database, item, Move::closes);
    kept.extend(found.users(input, &database, connects_as(item)));
    if !kept.is_empty() {
        let what = format!("close the user {user}");
        let why = format!("it is also used by {}", kept.join(", "));
        draft.wait(&address, Some(moves[index].name()), &what, &why, OTHERS);
        return;
    }
    let reason = "whatever used it now uses an identity: it may not connect any more";
    let first = first_switched(input, draft, found, moves, &database, item);
    let undo = Undo::Sql {
        statements: vec![undo],
    };
    close(
        draft,
        moves,
        address,
        item,
        reason,
        (statement, undo),
        first,
    );
}

/// What takes from `user` the right to connect, and what gives it back: a `REVOKE` of its own
/// grant, or a `DENY` where it would still come in, by a role or as an owner.
fn shut_out(there: &Catalogue, user: &str) -> (Statement, Statement) {
    let rule = |state| Permission {
        permission: "CONNECT".into(),
        on: Securable::Database,
        column: None,
        to: user.to_owned(),
        state,
    };
    let grant = rule(PermissionState::Grant);
    let give_back = Statement::Permit {
        rule: grant.clone(),
    };
    let revoke = Statement::Revoke {
        rule: grant.clone(),
    };
    let mut after = there.clone();
    if revoke.run(&mut after).is_ok() && !after.may_connect(user) {
        return (revoke, give_back);
    }
    let deny = rule(PermissionState::Deny);
    // A GRANT takes the place of a DENY; without one of its own before, the DENY only goes.
    let undo = match give_back.done(there) {
        true => give_back,
        false => Statement::Revoke { rule: deny.clone() },
    };
    (Statement::Permit { rule: deny }, undo)
}

/// The name that connection strings give for it.
pub(crate) fn connects_as(item: &Replaced) -> &str {
    match item {
        Replaced::SqlLogin(name)
        | Replaced::SqlUser(name)
        | Replaced::NamedValue(name)
        | Replaced::Backend(name) => name,
    }
}

/// What must be over for every data source that comes in as `item` until this plan switches it,
/// whichever Access or document asks for that.
fn first_switched(
    input: Input,
    draft: &Draft,
    found: &LiveSources,
    moves: &[Move],
    scope: &Address,
    item: &Replaced,
) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for policy in found.switched(input, scope, connects_as(item)) {
        out.extend(draft.existing([id_of(Phase::Switch, policy)]));
        let theirs = moves
            .iter()
            .filter(|m| m.sources.iter().any(|s| s.policy == *policy));
        out.extend(theirs.flat_map(Move::off_the_old_path));
    }
    out
}

fn close_login(
    input: Input,
    draft: &mut Draft,
    found: &LiveSources,
    moves: &mut [Move],
    index: usize,
    item: &Replaced,
    login: &Login,
) {
    if login.disabled {
        return;
    }
    let server = moves[index].database.root();
    let address = server.child("login", &login.name);
    let others = uncovered(input, draft, found, moves, &server, login);
    if others.is_empty() {
        let statement = Statement::DisableLogin {
            name: login.name.clone(),
        };
        let undo = Undo::of(std::slice::from_ref(&statement));
        let reason = "every path of this login now uses an identity";
        let first = first_switched(input, draft, found, moves, &server, item);
        let closing = (statement, undo);
        close(draft, moves, address, item, reason, closing, first);
        return;
    }
    let one = &moves[index];
    let why = format!("it is also used by {}", others.join(", "));
    let what = format!("disable the login {}", login.name);
    draft.wait(&address, Some(one.name()), &what, &why, OTHERS);
    let users: Vec<String> = catalogue(draft, &one.database)
        .map(|c| c.users_of_login(login).map(|u| u.name.clone()).collect())
        .unwrap_or_default();
    for user in users {
        close_user(input, draft, found, moves, index, item, &user);
    }
}

const OTHERS: &str = "declare an Access with `retire` for those, or move them by hand; until then \
                      only what nothing else uses is closed";

/// One step that closes `item`, at `address` in its server or database, for every Access into that
/// which replaces it: after the soak of each that uses it or may, and after the steps `first`.
fn close(
    draft: &mut Draft,
    moves: &mut [Move],
    address: Address,
    item: &Replaced,
    reason: &str,
    (statement, undo): (Statement, Undo),
    first: BTreeSet<String>,
) {
    let statements = vec![statement];
    let scope = address.parent().unwrap_or_else(|| address.root());
    let sharing = sharing(moves, &scope, item);
    let closing: Vec<usize> = sharing
        .iter()
        .copied()
        .filter(|i| names(&moves[*i], item))
        .collect();
    let accesses: Vec<String> = closing
        .iter()
        .map(|i| moves[*i].access.name.clone())
        .collect();
    let Some(database) = closing.first().map(|i| moves[*i].database.clone()) else {
        return;
    };
    let users = match item {
        Replaced::SqlLogin(name) => users_of(&draft.world, &database.root(), name),
        _ => BTreeSet::new(),
    };
    let id = draft.add(NewStep {
        phase: Phase::Disable,
        address,
        access: accesses.first().filter(|_| accesses.len() == 1).cloned(),
        reason: format!("{reason} ({})", accesses.join(", ")),
        shown: show::statements(&statements),
        undo,
        op: Op::Sql {
            database,
            statements,
            users,
        },
        needs: sharing
            .iter()
            .flat_map(|i| moves[*i].off_the_old_path())
            .chain(first)
            .collect(),
        notes: accesses
            .into_iter()
            .map(|access| Note::Disabled { access })
            .collect(),
    });
    for index in closing {
        moves[index].disabled.extend(id.clone());
    }
}

/// Waits again, with the old way in closed, before anything irreversible.
pub(crate) fn settle(input: Input, draft: &mut Draft, one: &mut Move) {
    let Some(retire) = &one.access.retire else {
        return;
    };
    if !one.drops() || !left_over(input, draft, one) {
        return;
    }
    let unchanged = one.all_before_retire().next().is_none();
    if unchanged && input.state.accesses.get(one.name()).is_some_and(settled) {
        return;
    }
    let gate = Gate::Soak {
        access: one.access.name.clone(),
        since: Mark::Disabled,
        seconds: retire.disabled_for,
        evidence: retire.evidence.clone(),
        principals: principals(one),
    };
    let needs = one.all_before_retire().collect();
    let reason = "whoever still needs the old credential must be heard before it goes for good";
    let notes = vec![Note::Settled {
        access: one.access.name.clone(),
    }];
    let name = Some(one.name());
    let id = draft.add(waits_for(
        gate,
        Phase::Disable,
        one.place(),
        name,
        reason,
        needs,
        notes,
    ));
    one.settled.extend(id);
}

/// Whether the second soak is over, and not that of an earlier round: a later switch or disabling
/// begins it anew.
fn settled(state: &AccessState) -> bool {
    let settled = state.settled_at;
    settled.is_some()
        && settled >= state.switched_at
        && settled >= state.confirmed_at
        && settled >= state.disabled_at
}
