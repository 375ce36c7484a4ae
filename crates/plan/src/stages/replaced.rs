//! Which credentials an Access makes needless: derived from what is live and from what the state
//! recorded at the switch, or listed by the manifest.

use std::collections::BTreeSet;

use keyless_model::sql::{Authentication, Login, same_name};
use keyless_model::{Address, Live, Replaced, Replaces};
use keyless_scan::ConnectionString;

use crate::draft::{Draft, Input};
use crate::stages::access::Move;
use crate::stages::sources::Connects;
use crate::stages::switch::referenced;

/// Fills in `replaces`, and says so where something behind it cannot be known.
pub(crate) fn derive(input: Input, draft: &mut Draft, one: &mut Move) {
    if let Replaces::Listed(items) = &one.access.replaces {
        one.replaces = items.iter().filter(|i| !is_server_admin(input, one, i)).cloned().collect();
        return;
    }
    let mut items = referenced(one);
    let recorded = input.state.accesses.get(one.name());
    items.extend(recorded.into_iter().flat_map(|s| s.replaces.iter().cloned()));
    let mut names: BTreeSet<String> = BTreeSet::new();
    for source in &one.sources {
        if let Connects::Literal { login, .. } | Connects::Reference { login, .. } =
            &source.connects
        {
            names.extend(login.clone());
        }
    }
    let mut hidden = Vec::new();
    for item in &items {
        let Replaced::NamedValue(name) = item else { continue };
        let address = one.gateway.child("namedValue", name);
        let Live::Present(entity) = input.live.get(&address) else { continue };
        match entity.text("/properties/value") {
            Some(value) => {
                names.extend(ConnectionString::parse(value).and_then(|c| c.user()));
            }
            None => hidden.push(address),
        }
    }
    for name in names {
        match principal(input, one, &name) {
            Ok(found) => items.extend(found),
            Err(why) => {
                one.all_known = false;
                let what = format!("close and drop the old login {name}");
                let next = "give the identity that plans ##MS_SecurityDefinitionReader## on the \
                            server, or list it under `replaces`";
                draft.wait(&one.database.root(), Some(&one.access.name), &what, &why, next);
            }
        }
    }
    items.retain(|i| !is_server_admin(input, one, i));
    one.replaces = items;
    if one.access.retire.is_some() {
        for address in hidden {
            one.all_known = false;
            let what = "close and drop the login behind this named value";
            let why = "its value is secret and was not read, so its login is not known";
            let next = "run plan --inspect-secrets, or list the login under `replaces`";
            draft.wait(&address, Some(&one.access.name), what, why, next);
        }
    }
}

/// The login or user of this name. None when neither is there any more.
fn principal(input: Input, one: &Move, name: &str) -> Result<Option<Replaced>, String> {
    match input.live.logins(&one.database.root()) {
        Live::Present(logins) if logins.iter().any(|l| same_name(&l.name, name)) => {
            return Ok(Some(Replaced::SqlLogin(name.to_owned())));
        }
        Live::Unreadable(why) => return Err(why),
        _ => {}
    }
    let Live::Present(catalogue) = input.live.catalogue(&one.database) else { return Ok(None) };
    let user = catalogue.principal(name);
    let own = user.filter(|p| p.authentication == Authentication::Database);
    Ok(own.map(|p| Replaced::SqlUser(p.name.clone())))
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

/// Users of a login that no Access on its way out covers, and databases where that is not known.
pub(crate) fn uncovered(draft: &Draft, moves: &[Move], server: &Address, login: &Login) -> Vec<String> {
    let mut out = Vec::new();
    let unread = |prefix: &String| prefix.starts_with(&format!("{server}/db"));
    if draft.world.unreadable.keys().any(unread) {
        out.push(format!("the databases of {server} could not be listed"));
    }
    for (database, live) in &draft.world.databases {
        if database.root() != *server {
            continue;
        }
        match live {
            Live::Present(catalogue) => {
                let covered = moves.iter().any(|m| covers(m, database, &login.name));
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

/// Whether this Access takes the login's place in this database, and lets it go.
pub(crate) fn covers(one: &Move, database: &Address, login: &str) -> bool {
    let names_it = one.replaces.iter().any(|item| match item {
        Replaced::SqlLogin(name) => same_name(name, login),
        _ => false,
    });
    one.database == *database && names_it && one.all_known && !one.blocked
        && one.access.retire.is_some()
}
