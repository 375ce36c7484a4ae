//! Which credentials an Access makes needless: derived from what is live and from what the state
//! recorded at the switch, or listed by the manifest. And who else may still use one of them.

use std::collections::BTreeSet;

use keyless_model::sql::{Authentication, Login, PrincipalKind, same_name};
use keyless_model::{Access, Address, Live, Replaced, Replaces};
use keyless_scan::ConnectionString;

use crate::draft::{Draft, Input};
use crate::stages::access::Move;
use crate::stages::live_sources::LiveSources;
use crate::stages::sources::Connects;

/// Fills in `replaces`, and says so where something behind it cannot be known.
pub(crate) fn derive(input: Input, draft: &mut Draft, one: &mut Move) {
    let mut items = match &one.access.replaces {
        Replaces::Listed(items) => items.clone(),
        Replaces::Derive => derived(input, draft, one),
    };
    items.retain(|item| !is_server_admin(input, one, item));
    one.replaces = items;
    leave_others_alone(input, draft, one);
    unread_logins(input, draft, one);
}

fn derived(input: Input, draft: &mut Draft, one: &mut Move) -> BTreeSet<Replaced> {
    let (mut items, mut names, mut unknown) = of_sources(one);
    if let Some(recorded) = input.state.accesses.get(one.name()) {
        one.told.extend(recorded.told.iter().cloned());
        items.extend(recorded.replaces.iter().cloned());
    }
    for item in &items {
        if let Replaced::NamedValue(name) = item {
            let address = one.gateway.child("namedValue", name);
            match behind(input, one, &address) {
                Behind::Login(login) => names.extend(login),
                Behind::Unknown => drop(unknown.insert(address)),
            }
        }
    }
    items.extend(names.iter().filter_map(|name| principal(input, one, name)));
    tell_unknown(draft, one, &unknown);
    one.all_known &= unknown.is_empty();
    items
}

/// Of the sources as they are: the named values in them, the logins that are known, and where
/// nothing tells the login.
fn of_sources(one: &mut Move) -> (BTreeSet<Replaced>, BTreeSet<String>, BTreeSet<Address>) {
    let mut values: BTreeSet<Address> = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    for source in &one.sources {
        match &source.connects {
            Connects::Identity => {}
            Connects::Literal { login, .. } => names.extend(login.clone()),
            Connects::Reference {
                login,
                named_values,
                ..
            } => {
                names.extend(login.clone());
                one.told.extend(named_values.iter().cloned());
                values.extend(named_values.iter().cloned());
            }
            Connects::Hidden { named_values, .. } if named_values.is_empty() => {
                unknown.insert(source.policy.clone());
            }
            Connects::Hidden { named_values, .. } => values.extend(named_values.iter().cloned()),
        }
    }
    let named = |a: &Address| Replaced::NamedValue(a.last().1.to_owned());
    (values.iter().map(named).collect(), names, unknown)
}

/// What is known of the login behind a named value.
enum Behind {
    /// It has one, or what it has is known from elsewhere.
    Login(Option<String>),
    Unknown,
}

fn behind(input: Input, one: &Move, address: &Address) -> Behind {
    let recorded = input.state.accesses.get(one.name());
    // What keyless parked there was recorded in the same step.
    if recorded.is_some_and(|s| s.parked.contains(address)) {
        return Behind::Login(None);
    }
    let Live::Present(entity) = input.live.get(address) else {
        return Behind::Login(None);
    };
    match entity.text("/properties/value") {
        Some(value) => Behind::Login(ConnectionString::parse(value).and_then(|c| c.user())),
        // Its login stands, or stood, in clear beside it.
        None if one.told.contains(address) => Behind::Login(None),
        None => Behind::Unknown,
    }
}

/// Says where the login is not known, if it is to be closed.
fn tell_unknown(draft: &mut Draft, one: &Move, unknown: &BTreeSet<Address>) {
    if one.access.retire.is_none() {
        return;
    }
    for address in unknown {
        let what = "close and drop the login behind it";
        let why = "the value is secret and was not read, so its login is not known";
        let next = "run plan --inspect-secrets, or list the login under `replaces`";
        draft.wait(address, Some(one.name()), what, why, next);
    }
}

/// The user or login of this name. A database looks for a user with a password of its own first,
/// and only then for a login of the server. None when neither is there any more.
fn principal(input: Input, one: &Move, name: &str) -> Option<Replaced> {
    if let Live::Present(catalogue) = input.live.catalogue(&one.database) {
        let user = catalogue.principal(name);
        if let Some(user) = user.filter(|p| p.authentication == Authentication::Database) {
            return Some(Replaced::SqlUser(user.name.clone()));
        }
    }
    let gone = match input.live.logins(&one.database.root()) {
        Live::Present(logins) => !logins.iter().any(|l| same_name(&l.name, name)),
        Live::Absent => true,
        // Recorded all the same: after the switch nothing tells the name any more.
        Live::Unreadable(_) => false,
    };
    (!gone).then(|| Replaced::SqlLogin(name.to_owned()))
}

/// The server's own administrator login cannot be disabled or dropped; Entra-only answers it.
fn is_server_admin(input: Input, one: &Move, item: &Replaced) -> bool {
    let server = input.live.entities.get(&one.database.root());
    let admin = server.and_then(|s| s.text("/properties/administratorLogin"));
    match (item, admin) {
        (Replaced::SqlLogin(name), Some(admin)) => same_name(name, admin),
        _ => false,
    }
}

/// A listed user that is no user with a password stays as it is.
fn leave_others_alone(input: Input, draft: &mut Draft, one: &mut Move) {
    let Live::Present(catalogue) = input.live.catalogue(&one.database) else {
        return;
    };
    let wrong = |item: &Replaced| match item {
        Replaced::SqlUser(name) => catalogue
            .principal(name)
            .is_some_and(|p| p.kind != PrincipalKind::SqlUser || p.fixed || is_built_in(name)),
        _ => false,
    };
    for item in one.replaces.extract_if(.., wrong) {
        let Replaced::SqlUser(name) = item else {
            continue;
        };
        let what = format!("close and drop the user {name}");
        let why = "it is no user that logs in with a password";
        let next = "take it out of `replaces`";
        draft.wait(&one.database, Some(&one.access.name), &what, why, next);
    }
}

/// Principals that every database has.
pub(crate) fn is_built_in(name: &str) -> bool {
    const NAMES: [&str; 5] = ["dbo", "sys", "INFORMATION_SCHEMA", "guest", "public"];
    NAMES.iter().any(|n| same_name(n, name))
}

/// Logins are closed only where it is known which there are, and which is the administrator's.
fn unread_logins(input: Input, draft: &mut Draft, one: &mut Move) {
    let root = one.database.root();
    let why = match (input.live.logins(&root), input.live.get(&root)) {
        (Live::Unreadable(why), _) | (_, Live::Unreadable(why)) => why,
        _ => return,
    };
    for item in &one.replaces {
        let Replaced::SqlLogin(name) = item else {
            continue;
        };
        one.all_known = false;
        if one.access.retire.is_some() {
            let what = format!("close and drop the old login {name}");
            let next = "give the identity that plans the Reader role and \
                        ##MS_SecurityDefinitionReader## on the server";
            draft.wait(&root, Some(&one.access.name), &what, &why, next);
        }
    }
}

/// Whether the Access replaces this login or user.
pub(crate) fn names(one: &Move, item: &Replaced) -> bool {
    one.replaces.iter().any(|own| match (own, item) {
        (Replaced::SqlLogin(a), Replaced::SqlLogin(b))
        | (Replaced::SqlUser(a), Replaced::SqlUser(b)) => same_name(a, b),
        (Replaced::NamedValue(a), Replaced::NamedValue(b)) => a == b,
        _ => false,
    })
}

/// The Accesses into `scope`, a server or a database, that use `item` or may: those that replace
/// it, and those of which not every credential is known.
pub(crate) fn sharing(moves: &[Move], scope: &Address, item: &Replaced) -> Vec<usize> {
    let shares = |m: &Move| m.database.within(scope) && (names(m, item) || !m.all_known);
    (0..moves.len()).filter(|i| shares(&moves[*i])).collect()
}

/// The Accesses into `scope` that keep `item` in use, as people read it; `goes` tells those that
/// let it go.
pub(crate) fn kept_by<'a>(
    input: Input,
    moves: &[Move<'a>],
    scope: &Address,
    item: &Replaced,
    goes: impl Fn(&Move<'a>) -> bool,
) -> Vec<String> {
    let mut out = Vec::new();
    for access in input
        .desired
        .accesses
        .values()
        .filter(|a| a.target().within(scope))
    {
        let Some(one) = moves.iter().find(|m| m.access.name == access.name) else {
            out.push(format!("the Access {}, which is held up", access.name));
            continue;
        };
        let keeps =
            names(one, item) || ((one.blocked || !one.unclear.is_empty()) && !one.all_known);
        if keeps && !goes(one) {
            out.push(format!(
                "the Access {}, {}",
                access.name,
                why_it_keeps(one, access)
            ));
        }
    }
    out
}

fn why_it_keeps(one: &Move, access: &Access) -> &'static str {
    match &access.retire {
        _ if one.blocked || !one.unclear.is_empty() => "which is held up",
        None => "which has no `retire`",
        _ if !one.all_known => "of which not every credential is known",
        Some(_) => "which has `drop: false`",
    }
}

/// Who else uses a login: users of it that no Access takes the place of, databases where that is
/// not known, Accesses that do not let it go, and data sources that still connect with it.
pub(crate) fn uncovered(
    input: Input,
    draft: &Draft,
    found: &LiveSources,
    moves: &[Move],
    server: &Address,
    login: &Login,
) -> Vec<String> {
    let item = Replaced::SqlLogin(login.name.clone());
    let mut out = kept_by(input, moves, server, &item, Move::closes);
    out.extend(found.users(input, server, &login.name));
    // The list itself or what stands above it: firewall rules of one database are another matter.
    let all = server.child("db", "");
    let unread = |prefix: &String| all.as_str().starts_with(prefix.as_str());
    if draft.world.unreadable.keys().any(unread) {
        out.push(format!("the databases of {server} could not be listed"));
    }
    for (database, live) in draft
        .world
        .databases
        .iter()
        .filter(|(d, _)| d.root() == *server)
    {
        match live {
            Live::Present(catalogue) => {
                let covered = moves
                    .iter()
                    .any(|m| m.database == *database && m.closes() && names(m, &item));
                if !covered {
                    let users = catalogue.users_of_login(login).filter(|u| !u.fixed);
                    out.extend(users.map(|u| format!("the user {} in {database}", u.name)));
                }
            }
            Live::Unreadable(_) => out.push(format!("{database}, which could not be read")),
            Live::Absent => {}
        }
    }
    out
}
