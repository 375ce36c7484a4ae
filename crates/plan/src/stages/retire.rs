//! The point of no return: users, logins and named values of the old credential go.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::sql::{Login, Statement};
use keyless_model::{Address, Replaced};

use crate::draft::{Draft, Input, NewStep, id_of};
use crate::phase::Phase;
use crate::stages::access::Move;
use crate::stages::disable::{catalogue, connects_as, login, users_of};
use crate::stages::http::retire::switched_off;
use crate::stages::live_sources::LiveSources;
use crate::stages::replaced::{kept_by, names, sharing, uncovered};
use crate::stages::show;
use crate::step::{Note, Op, Undo};

/// Drops the old users, and the old login once no user of it is left.
pub(crate) fn principals(input: Input, draft: &mut Draft, found: &LiveSources, moves: &[Move]) {
    for one in moves.iter().filter(|m| m.drops()) {
        for item in &one.replaces {
            match item {
                Replaced::NamedValue(_) | Replaced::Backend(_) => {}
                Replaced::SqlUser(name) => {
                    drop_user(input, draft, found, moves, one, item, name);
                }
                Replaced::SqlLogin(name) => {
                    if let Some(login) = login(draft, one, name) {
                        drop_login(input, draft, found, moves, one, item, &login);
                    }
                }
            }
        }
    }
}

/// The steps that must be over before what these Accesses share goes, and what the state learns.
fn leave(moves: &[Move], scope: &Address, item: &Replaced) -> (BTreeSet<String>, Vec<Note>) {
    let sharing: Vec<&Move> = sharing(moves, scope, item)
        .into_iter()
        .map(|i| &moves[i])
        .collect();
    let needs = sharing.iter().flat_map(|m| m.all_before_retire()).collect();
    let retired = sharing.iter().filter(|m| names(m, item));
    let notes = retired
        .map(|m| Note::Retired {
            access: m.access.name.clone(),
        })
        .collect();
    (needs, notes)
}

/// Drops a user of the old credential. True when it is gone after the plan.
fn drop_user(
    input: Input,
    draft: &mut Draft,
    found: &LiveSources,
    moves: &[Move],
    one: &Move,
    item: &Replaced,
    user: &str,
) -> bool {
    let address = one.database.child("user", user);
    let Some(there) = catalogue(draft, &one.database) else {
        return false;
    };
    if there.principal(user).is_none() {
        return true;
    }
    let what = "drop the old user";
    let owned = there.schemas_owned_by(user).join(", ");
    if !owned.is_empty() {
        let why = format!("it owns the schema {owned}");
        let next = "give the schema to another owner (ALTER AUTHORIZATION), then plan again";
        draft.wait(&address, Some(one.name()), what, &why, next);
        return false;
    }
    let mut kept = kept_by(input, moves, &one.database, item, Move::drops);
    kept.extend(found.users(input, &one.database, connects_as(item)));
    if !kept.is_empty() {
        let why = format!("it is also used by {}", kept.join(", "));
        draft.wait(&address, Some(one.name()), what, &why, OTHERS);
        return false;
    }
    let statements = vec![Statement::DropUser {
        name: user.to_owned(),
    }];
    let (needs, mut notes) = leave(moves, &one.database, item);
    notes.push(Note::Forgotten {
        address: address.clone(),
    });
    let id = draft.add(NewStep {
        phase: Phase::Retire,
        address,
        access: Some(one.access.name.clone()),
        reason: "nobody connects as this user any more".into(),
        shown: show::statements(&statements),
        op: Op::Sql {
            database: one.database.clone(),
            statements,
            users: BTreeSet::new(),
        },
        needs,
        undo: Undo::Never {
            why: "its password is kept nowhere".into(),
        },
        notes,
    });
    id.is_some()
}

const OTHERS: &str = "declare an Access with `retire` for those, or move them by hand";

fn drop_login(
    input: Input,
    draft: &mut Draft,
    found: &LiveSources,
    moves: &[Move],
    one: &Move,
    item: &Replaced,
    login: &Login,
) {
    let server = one.database.root();
    let address = server.child("login", &login.name);
    let (mut needs, mut notes) = leave(moves, &server, item);
    let mut all_gone = true;
    for m in moves
        .iter()
        .filter(|m| m.drops() && m.database.root() == server && names(m, item))
    {
        let users: Vec<String> = catalogue(draft, &m.database)
            .map(|c| c.users_of_login(login).map(|u| u.name.clone()).collect())
            .unwrap_or_default();
        for user in users {
            all_gone &= drop_user(input, draft, found, moves, m, item, &user);
            needs.insert(id_of(Phase::Retire, &m.database.child("user", &user)));
        }
    }
    let mut others = uncovered(input, draft, found, moves, &server, login);
    others.extend(kept_by(input, moves, &server, item, Move::drops));
    others.sort();
    others.dedup();
    if !all_gone || !others.is_empty() {
        let why = if others.is_empty() {
            "a user of it cannot be dropped".to_owned()
        } else {
            format!("it is also used by {}", others.join(", "))
        };
        draft.wait(
            &address,
            Some(one.name()),
            "drop the old login",
            &why,
            OTHERS,
        );
        return;
    }
    let statements = vec![Statement::DropLogin {
        name: login.name.clone(),
    }];
    let alone = notes.len() == 1;
    notes.push(Note::Forgotten {
        address: address.clone(),
    });
    draft.add(NewStep {
        phase: Phase::Retire,
        address,
        access: alone.then(|| one.access.name.clone()),
        reason: "no user of this login is left".into(),
        shown: show::statements(&statements),
        op: Op::Sql {
            database: one.database.clone(),
            statements,
            users: users_of(input.live, &server, &login.name),
        },
        needs,
        undo: Undo::Never {
            why: "its password is kept nowhere".into(),
        },
        notes,
    });
}

/// Deletes the named values that held the credential, and those that keyless parked literals in.
/// `holders` are the Accesses to HTTP services that make one needless: it may serve both sorts.
pub(crate) fn named_values(input: Input, draft: &mut Draft, moves: &[Move], mut holders: Holders) {
    for one in moves {
        let around = moves.iter().filter(|m| m.gateway == one.gateway);
        let mut needs: BTreeSet<String> = one.all_before_retire().collect();
        needs.extend(around.flat_map(|m| m.switched.iter().cloned()));
        for address in values_of(input, one) {
            holders.entry(address).or_default().push(Holder {
                access: one.name().to_owned(),
                drops: one.drops(),
                needs: needs.clone(),
            });
        }
    }
    needless(input, draft, holders);
}

/// The named values that an Access makes needless.
pub(crate) fn values_of(input: Input, one: &Move) -> BTreeSet<Address> {
    let replaced = one.replaces.iter().filter_map(|item| match item {
        Replaced::NamedValue(name) => Some(one.gateway.child("namedValue", name)),
        _ => None,
    });
    let state = input.state.accesses.get(one.name());
    let recorded = state.into_iter().flat_map(|s| s.parked.iter().cloned());
    let parked = one
        .parked
        .iter()
        .filter_map(|id| id.split_once('/')?.1.parse().ok());
    let parked = parked.filter(|a: &Address| a.last().0 == "namedValue");
    replaced.chain(recorded).chain(parked).collect()
}

/// An Access that makes a named value needless.
pub(crate) struct Holder {
    pub access: String,
    /// Whether it lets the value go in the end.
    pub drops: bool,
    /// What must be over before.
    pub needs: BTreeSet<String>,
}

/// Who makes which named value needless.
pub(crate) type Holders = BTreeMap<Address, Vec<Holder>>;

/// Deletes what at least one Access lets go, all do, and nothing refers to.
pub(crate) fn needless(input: Input, draft: &mut Draft, mut holders: Holders) {
    let there = |a: &Address| draft.world.entities.contains_key(a);
    holders.retain(|a, those| there(a) && those.iter().any(|h| h.drops));
    if holders.is_empty() {
        return;
    }
    let references = References::of(draft);
    for (address, those) in holders {
        let name = those.iter().find(|h| h.drops).map(|h| h.access.as_str());
        if let Some((why, next)) = stays(input, draft, &references, &those, &address) {
            let what = "delete the named value that held the credential";
            draft.wait(&address, name, what, &why, next);
            continue;
        }
        delete(input, draft, name, &those, &address);
    }
}

/// Why a named value stays, and what to do about it.
fn stays(
    input: Input,
    draft: &Draft,
    references: &References,
    those: &[Holder],
    address: &Address,
) -> Option<(String, &'static str)> {
    let documents = input.desired.named_values.values();
    let mut places = documents.map(|n| Address::gateway(&n.gateway).child("namedValue", &n.name));
    if places.any(|place| place == *address) {
        let why = "a NamedValue document declares it".to_owned();
        return Some((why, "remove the document, then plan again"));
    }
    let kept = those.iter().filter(|h| !h.drops);
    let mut users = references.users(draft, address);
    users.extend(kept.map(|h| format!("the Access {}", h.access)));
    (!users.is_empty()).then(|| {
        let why = format!("it is still used by {}", users.join(", "));
        let next = "declare an Access with `retire` for that path, or take the reference out by \
                    hand";
        (why, next)
    })
}

fn delete(
    input: Input,
    draft: &mut Draft,
    name: Option<&str>,
    those: &[Holder],
    address: &Address,
) {
    let mut needs: BTreeSet<String> = those.iter().flat_map(|h| h.needs.clone()).collect();
    needs.extend(switched_off(input, draft, address));
    let mut notes = vec![Note::Forgotten {
        address: address.clone(),
    }];
    notes.extend(those.iter().map(|h| Note::Retired {
        access: h.access.clone(),
    }));
    draft.add(NewStep {
        phase: Phase::Retire,
        address: address.clone(),
        access: name.map(str::to_owned),
        reason: "no document refers to it any more".into(),
        shown: vec![],
        op: Op::Delete {},
        needs,
        undo: Undo::Never {
            why: "its value is kept nowhere".into(),
        },
        notes,
    });
}

/// Who refers to which named value once every step so far is done: read once, for a gateway holds
/// thousands of documents.
pub(crate) struct References(BTreeMap<(Address, String), Vec<Address>>);

impl References {
    pub fn of(draft: &Draft) -> Self {
        let mut out: BTreeMap<(Address, String), Vec<Address>> = BTreeMap::new();
        for (address, entity) in &draft.world.entities {
            if !address.is_gateway() || address.last().0 == "namedValue" {
                continue;
            }
            let text = entity.body.to_string();
            let found = keyless_policy::references(&text);
            let names: BTreeSet<String> = found.into_iter().map(|r| r.name).collect();
            for name in names {
                out.entry((address.root(), name))
                    .or_default()
                    .push(address.clone());
            }
        }
        Self(out)
    }

    /// The documents that still refer to the named value at `address`, and scopes where that is
    /// not known. A named value refers to none, so what is not known of those does not matter.
    pub fn users(&self, draft: &Draft, address: &Address) -> Vec<String> {
        let gateway = address.root();
        let entity = draft.world.entities.get(address);
        let display = entity.and_then(|e| e.text("/properties/displayName"));
        let display = display.unwrap_or(address.last().1).to_owned();
        let users = self
            .0
            .get(&(gateway.clone(), display))
            .into_iter()
            .flatten();
        let still_there = users.filter(|a| draft.world.entities.contains_key(*a));
        let mut out: Vec<String> = still_there.map(Address::to_string).collect();
        out.extend(unread(draft, &gateway));
        out
    }
}

/// The scopes of a gateway in which something may refer to another thing and that could not be read.
pub(crate) fn unread(draft: &Draft, gateway: &Address) -> Vec<String> {
    // A prefix such as `apim:contoso/api:` is an address but for its end.
    let scope = |p: &str| p.trim_end_matches(':').parse::<Address>().ok();
    let inside = |p: &&String| scope(p).is_some_and(|a| a.within(gateway));
    let unread = draft.world.unreadable.keys().filter(inside);
    let matters = unread.filter(|p| !p.contains("/identity") && !p.contains("/namedValue:"));
    matters.map(|p| format!("{p}… (unreadable)")).collect()
}
