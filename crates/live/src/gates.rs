//! What gates wait for, looked at live.

use std::collections::BTreeSet;

use keyless_engine::Probe;
use keyless_model::Address;
use keyless_model::sql::{Authentication, effective, same_name};
use serde_json::Value;

use crate::error::LiveError;
use crate::identity::client_sid;
use crate::services::Services;
use crate::statements::{catalogue, name};

/// Rights as the catalogue gives them: permission, securable, column.
type Rights = BTreeSet<(String, String, Option<String>)>;

/// Whether the user is the gateway's identity of now and can do exactly what is asked for.
pub(crate) async fn rights(
    services: &Services,
    gateway: &Address,
    database: &Address,
    user: &str,
    asked: &Rights,
) -> Result<Probe, LiveError> {
    let catalogue = catalogue(services, database).await?;
    let found = effective(&catalogue, user);
    let word =
        |(permission, on, _): &(String, String, Option<String>)| format!("{permission} on {on}");
    let mut wrong: Vec<String> = Vec::new();
    wrong.extend(
        asked
            .difference(&found.allowed)
            .map(|r| format!("it lacks {}", word(r))),
    );
    wrong.extend(
        found
            .allowed
            .difference(asked)
            .map(|r| format!("it also has {}", word(r))),
    );
    wrong.extend(found.fixed_roles.iter().map(|r| format!("it is in {r}")));
    let sid = client_sid(services, gateway).await?;
    if !catalogue
        .external(&sid)
        .is_some_and(|p| same_name(&p.name, user))
    {
        wrong.push(format!(
            "its SID is not that of the identity that {gateway} has now"
        ));
    }
    if !catalogue.may_connect(user) {
        wrong.push("it may not connect".into());
    }
    Ok(if wrong.is_empty() {
        let rights = match found.allowed.len() {
            1 => "1 right".to_owned(),
            n => format!("{n} rights"),
        };
        Probe::Holds(format!("{user} has {rights}, as asked for"))
    } else {
        Probe::Fails {
            why: format!("{user}: {}", wrong.join(", ")),
            next: "put its rights right in the database, or declare them, then plan again".into(),
        }
    })
}

/// The sessions that are open now in the databases of these principals.
pub(crate) async fn sample(
    services: &Services,
    principals: &BTreeSet<(Address, String)>,
) -> Result<Probe, LiveError> {
    let databases: BTreeSet<&Address> = principals.iter().map(|(d, _)| d).collect();
    let mut open = Vec::new();
    for database in databases {
        let mut session = services.session(&database.root(), name(database)).await?;
        let sessions = match session.sessions().await {
            Ok(sessions) => sessions,
            Err(error) => return Ok(Probe::NoEvidence(error.to_string())),
        };
        let old = |login: &str| {
            principals
                .iter()
                .any(|(d, p)| d == database && same_name(p, login))
        };
        open.extend(sessions.into_iter().filter(|s| old(&s.original_login)));
    }
    // A sample counts from the service's clock, which only an ARM answer tells.
    Ok(Probe::Sample(open))
}

/// Whether nothing on the server needs passwords and we can get in without one.
pub(crate) async fn lockable(
    services: &Services,
    server: &Address,
    databases: &BTreeSet<Address>,
) -> Result<Probe, LiveError> {
    let root = services.root(server)?;
    let agents = services
        .arm
        .list(keyless_azure::sql::job_agents(&root.id)?)
        .await?;
    if !agents.is_empty() {
        return Ok(Probe::Fails {
            why: format!("{} elastic job agents log in with passwords", agents.len()),
            next: "give them an identity or remove them, then run apply again".into(),
        });
    }
    let request = keyless_azure::sql::server(&root.id)?;
    let admin = services.arm.send(request).await?.body;
    let admin = admin
        .pointer("/properties/administratorLogin")
        .and_then(Value::as_str);
    let mut master = services.session(server, "master").await?;
    let open = master
        .logins()
        .await?
        .into_iter()
        .filter(|l| !l.disabled && !admin.is_some_and(|admin| same_name(admin, &l.name)));
    let mut open: Vec<String> = open.map(|l| format!("the login {}", l.name)).collect();
    for database in databases {
        let request = keyless_azure::sql::sync_groups(&root.id, name(database))?;
        if !services.arm.list(request).await?.is_empty() {
            open.push(format!("the sync groups of {database}"));
        }
        let mut session = services.session(server, name(database)).await?;
        if session.captures_changes().await? {
            open.push(format!("change data capture of {database}"));
        }
        let catalogue = session.catalogue().await?;
        let users = catalogue.principals.iter().filter(|p| {
            p.authentication == Authentication::Database && catalogue.may_connect(&p.name)
        });
        open.extend(users.map(|p| format!("the user {} in {database}", p.name)));
    }
    if !open.is_empty() {
        return Ok(Probe::Fails {
            why: format!("passwords are still needed by {}", open.join(", ")),
            next: "declare an Access for each or move them by hand, then plan again".into(),
        });
    }
    Ok(Probe::Holds(
        "our token login works, and nothing on the server logs in with a password".into(),
    ))
}
