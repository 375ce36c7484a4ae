//! Callers: whether a resolver's data source can log in, with what is really there.

use std::collections::BTreeSet;

use keyless_model::sql::{Authentication, Catalogue, effective, same_name};
use keyless_model::{Access, Address, Live};
use keyless_plan::client_sid;
use keyless_policy::{Document, references};
use keyless_scan::{ConnectionString, sql_sources};

use super::Estate;

/// Why the data source of the policy at `address` gets no answer; `None` when it gets one.
pub fn broken(estate: &Estate, address: &Address) -> Option<String> {
    let text = estate.truth.policy_text(address).map(str::to_owned);
    let Some(text) = text else {
        return Some("the policy is gone".into());
    };
    let document = match Document::parse(&text) {
        Ok(document) => document,
        Err(error) => return Some(error.to_string()),
    };
    for source in sql_sources(&document) {
        let whole = match resolved(estate, address, &source.text) {
            Ok(whole) => whole,
            Err(why) => return Some(why),
        };
        if let Err(why) = connects(estate, address, &whole, source.managed_identity) {
            return Some(why);
        }
    }
    None
}

/// A text of the policy with the values of named values in it.
fn resolved(estate: &Estate, policy: &Address, text: &str) -> Result<String, String> {
    let mut whole = text.to_owned();
    for reference in references(text).into_iter().rev() {
        let found = estate.truth.named_value(&policy.root(), &reference.name);
        let (_, entity) = found.ok_or(format!("the named value {} is gone", reference.name))?;
        whole.replace_range(
            reference.range,
            entity.text("/properties/value").unwrap_or_default(),
        );
    }
    Ok(whole)
}

fn database_of(parsed: &ConnectionString) -> Option<Address> {
    let host = parsed.server()?;
    Some(Address::database(
        host.split('.').next()?,
        &parsed.database()?,
    ))
}

/// The database that the resolver leads to.
pub fn target(estate: &Estate, policy: &Address) -> Option<Address> {
    let document = Document::parse(estate.truth.policy_text(policy)?).ok()?;
    let source = sql_sources(&document).into_iter().next()?;
    database_of(&ConnectionString::parse(
        &resolved(estate, policy, &source.text).ok()?,
    )?)
}

fn connects(estate: &Estate, policy: &Address, text: &str, identity: bool) -> Result<(), String> {
    let parsed = ConnectionString::parse(text).ok_or("this is no connection string")?;
    let database = database_of(&parsed).ok_or("no database")?;
    let server = database.root();
    let Some(Live::Present(catalogue)) = estate.truth.databases.get(&database) else {
        return Err(format!("there is no {database}"));
    };
    comes_in(estate, policy, &database, catalogue)?;
    if identity {
        if parsed.has_password() || parsed.user().is_some() {
            return Err("the client refuses a token next to a user".into());
        }
        let sid = client_sid(&estate.truth, &policy.root()).ok_or("the gateway has no identity")?;
        let user = catalogue.external(&sid).ok_or("the identity has no user")?;
        return may(estate, policy, &database, catalogue, &user.name);
    }
    let only = estate.truth.entities.get(&server.part("entraOnly"));
    if only.and_then(|e| e.flag("/properties/azureADOnlyAuthentication")) == Some(true) {
        return Err("the server takes no passwords".into());
    }
    let user = parsed.user().ok_or("no user")?;
    let password = parsed.password().ok_or("no password")?;
    let right = |place: &Address| {
        estate
            .passwords
            .get(&(place.clone(), user.clone()))
            .is_some_and(|p| p == password.expose())
    };
    let own = catalogue
        .principal(&user)
        .filter(|p| p.authentication == Authentication::Database);
    if own.is_some() {
        let ok = right(&database) && catalogue.may_connect(&user);
        return ok
            .then_some(())
            .ok_or(format!("the user {user} may not connect"));
    }
    let Some(Live::Present(logins)) = estate.truth.logins.get(&server) else {
        return Err("no logins".into());
    };
    let login = logins
        .iter()
        .find(|l| same_name(&l.name, &user))
        .ok_or("the login is gone")?;
    if login.disabled || !right(&server) {
        return Err(format!("the login {user} is refused"));
    }
    if user == "sqladmin"
        || catalogue
            .users_of_login(login)
            .any(|u| catalogue.may_connect(&u.name))
    {
        return Ok(());
    }
    Err(format!(
        "the login {user} has no user in {database} that may connect"
    ))
}

/// Whether the server's firewall lets the gateway in.
fn comes_in(
    estate: &Estate,
    policy: &Address,
    database: &Address,
    catalogue: &Catalogue,
) -> Result<(), String> {
    let server = database.root();
    if !estate.walls.contains(&server) {
        return Ok(());
    }
    let entity = &estate.truth.entities[&server];
    let private = entity
        .body
        .pointer("/properties/privateEndpointConnections");
    if private.is_some_and(|p| p.as_array().is_some_and(|a| !a.is_empty())) {
        return Ok(());
    }
    if entity.text("/properties/publicNetworkAccess") == Some("Disabled") {
        return Err("the server is shut to the public network".into());
    }
    let gateway = &estate.truth.entities[&policy.root()];
    let ip = gateway
        .text("/properties/publicIPAddresses/0")
        .unwrap_or_default();
    let number = |text: &str| text.parse::<std::net::Ipv4Addr>().map_or(0, u32::from);
    let lets_in = |start: &str, end: &str| {
        (start, end) == ("0.0.0.0", "0.0.0.0")
            || (number(start)..=number(end)).contains(&number(ip))
    };
    let rules = estate.truth.children(&server, "firewallRule");
    let text = |e: &keyless_model::Entity, name: &str| e.text(name).unwrap_or_default().to_owned();
    let mut of_server = rules.map(|(_, e)| {
        (
            text(e, "/properties/startIpAddress"),
            text(e, "/properties/endIpAddress"),
        )
    });
    let own = &catalogue.firewall_rules;
    let admitted = of_server.any(|(start, end)| lets_in(&start, &end))
        || own.iter().any(|r| lets_in(&r.start, &r.end));
    admitted.then_some(()).ok_or(format!("{ip} is not let in"))
}

/// The API's own name, whatever the revision.
pub fn api_of(policy: &Address) -> &str {
    let name = policy.name_of("api").unwrap_or_default();
    name.split(";rev=").next().unwrap_or(name)
}

/// Whether the identity's user may do what the Accesses ask for that choose the resolver.
fn may(
    estate: &Estate,
    policy: &Address,
    database: &Address,
    catalogue: &Catalogue,
    user: &str,
) -> Result<(), String> {
    if !catalogue.may_connect(user) {
        return Err(format!("the user {user} may not connect"));
    }
    let found = effective(catalogue, user).allowed;
    let api = api_of(policy);
    for access in estate
        .desired
        .accesses
        .values()
        .filter(|a| a.target() == *database)
    {
        if Address::gateway(&access.gateway) == policy.root() && chooses(access, api) {
            let wanted: BTreeSet<_> = asked(access);
            if let Some((permission, on, _)) = wanted.difference(&found).next() {
                return Err(format!("{user} may not {permission} on {on}"));
            }
        }
    }
    Ok(())
}

pub fn chooses(access: &Access, api: &str) -> bool {
    access
        .apis
        .as_ref()
        .is_none_or(|apis| apis.iter().any(|a| a.name == api))
}

fn asked(access: &Access) -> BTreeSet<(String, String, Option<String>)> {
    use keyless_model::Role;
    let words: &[&str] = match access.role {
        Role::Reader => &["SELECT"],
        Role::Writer => &["SELECT", "INSERT", "UPDATE", "DELETE"],
        Role::Executor => &["EXECUTE"],
        Role::Custom => &[],
    };
    let schemas = access.schemas.iter();
    schemas
        .flat_map(|s| {
            words
                .iter()
                .map(move |w| ((*w).to_owned(), format!("SCHEMA::{s}"), None))
        })
        .collect()
}

/// The resolvers that get an answer now.
pub fn working(estate: &Estate) -> BTreeSet<Address> {
    let policies = estate
        .truth
        .entities
        .keys()
        .filter(|a| a.last().0 == "policy");
    policies
        .filter(|a| broken(estate, a).is_none())
        .cloned()
        .collect()
}
