//! Steps on databases: the catalogue is read, what is not done yet is run in one transaction.

use std::collections::BTreeSet;

use keyless_engine::Standing;
use keyless_model::Address;
use keyless_model::sql::{Catalogue, Login, Permission, SidSource, Statement, same_name};

use crate::error::LiveError;
use crate::identity::client_sid;
use crate::services::Services;

/// How the database stands to the statements. Statements add up, so part of them may be done: the
/// rest is run then.
pub(crate) async fn check(
    services: &Services,
    database: &Address,
    statements: &[Statement],
    users: &BTreeSet<Address>,
) -> Result<Standing, LiveError> {
    let statements = resolved(services, statements).await?;
    let left = undone(services, database, &statements).await?;
    if left.is_empty() {
        return Ok(Standing::Done);
    }
    let found = match other_user(services, database, &left, users).await? {
        Some(user) => Some(format!(
            "{user} uses the login too, and did not at the plan"
        )),
        None => in_the_way(services, database, &left).await?,
    };
    Ok(match found {
        Some(found) => Standing::Conflict { found },
        None => Standing::Ready,
    })
}

/// How the database stands to taking `statements` back by `back`. Where only a part still is as they
/// left it, somebody has changed something; and what was given since to a user or a role that would
/// be dropped is not keyless's to take away.
pub(crate) async fn check_back(
    services: &Services,
    database: &Address,
    statements: &[Statement],
    back: &[Statement],
) -> Result<Standing, LiveError> {
    if undone(services, database, back).await?.is_empty() {
        return Ok(Standing::Done);
    }
    let forward = resolved(services, statements).await?;
    let changed = !undone(services, database, &forward).await?.is_empty();
    let found = match changed {
        true => Some("it is not any more as the run left it".to_owned()),
        false => given_since(services, database, back).await?,
    };
    Ok(match found {
        Some(found) => Standing::Conflict { found },
        None => Standing::Ready,
    })
}

/// What a user or a role that is to be dropped would still have, once everything else was taken back.
async fn given_since(
    services: &Services,
    database: &Address,
    back: &[Statement],
) -> Result<Option<String>, LiveError> {
    let dropped = |s: &Statement| match s {
        Statement::DropUser { name } | Statement::DropRole { name } => Some(name.clone()),
        _ => None,
    };
    let names: Vec<String> = back.iter().filter_map(dropped).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let mut world = catalogue(services, database).await?;
    for statement in back.iter().filter(|s| dropped(s).is_none()) {
        // What cannot run here is refused by the server with its own words.
        let _ = statement.run(&mut world);
    }
    Ok(names.iter().find_map(|name| still_has(&world, name)))
}

fn still_has(world: &Catalogue, name: &str) -> Option<String> {
    let is = |other: &str| same_name(other, name);
    let connect = |p: &Permission| p.permission.eq_ignore_ascii_case("CONNECT");
    let right = world.permissions.iter().find(|p| is(&p.to) && !connect(p));
    if let Some(right) = right {
        return Some(format!("{name} was given {} since", right.permission));
    }
    let member = world.memberships.iter().find(|(r, m)| is(r) || is(m));
    member.map(|(role, member)| format!("{member} was made a member of {role} since"))
}

/// Runs what is not done yet.
pub(crate) async fn run(
    services: &Services,
    database: &Address,
    statements: &[Statement],
) -> Result<(), LiveError> {
    let statements = resolved(services, statements).await?;
    let left = undone(services, database, &statements).await?;
    let (master, own): (Vec<Statement>, Vec<Statement>) =
        left.into_iter().partition(Statement::in_master);
    for (name, part) in [(name(database), own), ("master", master)] {
        if !part.is_empty() {
            let mut session = services.session(&database.root(), name).await?;
            session.run(&part).await?;
        }
    }
    Ok(())
}

pub(crate) fn name(database: &Address) -> &str {
    database.last().1
}

/// The catalogue of a database, read now.
pub(crate) async fn catalogue(
    services: &Services,
    database: &Address,
) -> Result<Catalogue, LiveError> {
    let mut session = services.session(&database.root(), name(database)).await?;
    Ok(session.catalogue().await?)
}

/// The catalogue that these statements are about: with the firewall rules if one of them is about
/// those, for they take a question of their own.
async fn catalogue_for(
    services: &Services,
    database: &Address,
    statements: &[&Statement],
) -> Result<Catalogue, LiveError> {
    let about_firewall = |s: &&Statement| {
        matches!(
            s,
            Statement::SetFirewallRule { .. } | Statement::DropFirewallRule { .. }
        )
    };
    let mut session = services.session(&database.root(), name(database)).await?;
    let mut catalogue = session.catalogue().await?;
    if statements.iter().any(about_firewall) {
        catalogue.firewall_rules = session.firewall_rules().await?;
    }
    Ok(catalogue)
}

async fn logins(services: &Services, server: &Address) -> Result<Vec<Login>, LiveError> {
    let mut session = services.session(server, "master").await?;
    Ok(session.logins().await?)
}

/// The statements that still change something, in order. A user that is dropped and made anew is
/// done when the new one is there: from the first that is not done, all the rest is looked at in
/// the world that the ones before lead to.
async fn undone(
    services: &Services,
    database: &Address,
    statements: &[Statement],
) -> Result<Vec<Statement>, LiveError> {
    let mut out = Vec::new();
    if statements.iter().any(Statement::in_master) {
        let logins = logins(services, &database.root()).await?;
        let left = statements
            .iter()
            .filter(|s| s.in_master() && !s.done_in_master(&logins));
        out.extend(left.cloned());
    }
    let own: Vec<&Statement> = statements.iter().filter(|s| !s.in_master()).collect();
    if own.is_empty() {
        return Ok(out);
    }
    let mut world = catalogue_for(services, database, &own).await?;
    if let (Some(Statement::DropUser { .. }), Some(create @ Statement::CreateUser { .. })) =
        (own.first(), own.get(1))
        && create.done(&world)
    {
        out.extend(
            own[2..]
                .iter()
                .filter(|s| !s.done(&world))
                .map(|s| (*s).clone()),
        );
        return Ok(out);
    }
    for statement in own {
        if !statement.done(&world) {
            out.push(statement.clone());
            // What cannot run here is refused by the server with its own words.
            let _ = statement.run(&mut world);
        }
    }
    Ok(out)
}

/// A user of a login that is to be closed or dropped, in any database of the server, that the plan
/// did not see.
async fn other_user(
    services: &Services,
    database: &Address,
    left: &[Statement],
    known: &BTreeSet<Address>,
) -> Result<Option<Address>, LiveError> {
    let named = |s: &Statement| match s {
        Statement::DisableLogin { name } | Statement::DropLogin { name } => Some(name.clone()),
        _ => None,
    };
    let names: Vec<String> = left.iter().filter_map(named).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let server = database.root();
    let closing = logins(services, &server).await?;
    let closing = closing
        .iter()
        .filter(|l| names.iter().any(|n| same_name(n, &l.name)));
    let closing: Vec<&Login> = closing.collect();
    let request = keyless_azure::sql::databases(&services.root(&server)?.id)?;
    for item in services.arm.list(request).await? {
        let Some(name) = crate::read::name_of(&item) else {
            continue;
        };
        if name.eq_ignore_ascii_case("master") {
            continue;
        }
        let address = server.child("db", &name);
        let catalogue = catalogue(services, &address).await?;
        for login in &closing {
            let mut users = catalogue.users_of_login(login);
            let other = users.find_map(|u| {
                let user = address.child("user", &u.name);
                (!known.contains(&user)).then_some(user)
            });
            if other.is_some() {
                return Ok(other);
            }
        }
    }
    Ok(None)
}

/// A principal that took a name in the meantime.
async fn in_the_way(
    services: &Services,
    database: &Address,
    left: &[Statement],
) -> Result<Option<String>, LiveError> {
    let Some(Statement::CreateUser { name, .. } | Statement::CreateRole { name }) = left.first()
    else {
        return Ok(None);
    };
    let catalogue = catalogue(services, database).await?;
    let taken = catalogue.principal(name).is_some();
    Ok(taken.then(|| format!("the name {name} is taken by another principal")))
}

/// The statements with client ids that earlier steps brought about, read from the identity.
async fn resolved(
    services: &Services,
    statements: &[Statement],
) -> Result<Vec<Statement>, LiveError> {
    let mut out = Vec::with_capacity(statements.len());
    for statement in statements {
        out.push(match statement {
            Statement::CreateUser {
                name,
                sid: SidSource::ClientIdOf(gateway),
                group,
            } => {
                let sid = SidSource::Known(client_sid(services, gateway).await?);
                Statement::CreateUser {
                    name: name.clone(),
                    sid,
                    group: *group,
                }
            }
            other => other.clone(),
        });
    }
    Ok(out)
}
