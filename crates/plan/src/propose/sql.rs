//! The databases that resolvers reach with a password. Only `sql-data-source` can (azure-facts
//! B.4), and only resolvers have one.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::sql::{Authentication, same_name};
use keyless_model::{Address, Entity, Live, Replaced, Role, Snapshot, check_azure_name};
use keyless_policy::Document;
use keyless_scan::{ConnectionString, Resolved, SqlSource, resolve, sql_sources};

use super::example::{self, Example};
use super::statement::Statement;
use super::{Database, Proposal, Reached, Rights, api_name};
use crate::file::Root;

/// What one gateway's resolvers reach.
pub(super) fn find(
    snapshot: &Snapshot,
    roots: &BTreeMap<Address, Root>,
    gateway: &Address,
    out: &mut Proposal,
) {
    let mut finder = Finder {
        snapshot,
        roots,
        gateway,
        found: BTreeMap::new(),
    };
    let inside = snapshot.entities.range(gateway.clone()..);
    for (address, entity) in inside.take_while(|(a, _)| a.as_str().starts_with(gateway.as_str())) {
        if address.root() == *gateway && is_resolver(address) {
            finder.policy(address, entity, out);
        }
    }
    for ((server, _), found) in finder.found {
        found.into_access(snapshot, gateway, server, out);
    }
}

/// Whether it is the policy of a resolver of an API that is listed.
fn is_resolver(address: &Address) -> bool {
    let resolver = address.parent().filter(|_| address.last().0 == "policy");
    resolver.is_some_and(|r| r.last().0 == "resolver" && api_name(&r).is_some())
}

struct Finder<'a> {
    snapshot: &'a Snapshot,
    roots: &'a BTreeMap<Address, Root>,
    gateway: &'a Address,
    /// By server and the database's name in lower case.
    found: BTreeMap<(Address, String), Found>,
}

/// What reaches one database.
#[derive(Default)]
struct Found {
    name: String,
    apis: BTreeSet<String>,
    places: BTreeSet<Address>,
    statement: Statement,
    /// A statement is put together by an expression.
    computed: bool,
    users: BTreeSet<String>,
    named_values: BTreeSet<String>,
    /// Only a secret that was inspected tells where a source leads.
    hidden: bool,
    example: Option<Example>,
}

/// Where a connection string leads.
struct Leads {
    host: String,
    database: String,
    user: Option<String>,
    hidden: bool,
}

impl Finder<'_> {
    fn policy(&mut self, address: &Address, entity: &Entity, out: &mut Proposal) {
        let text = entity.text("/properties/value").unwrap_or_default();
        let document = match Document::parse(text) {
            Ok(document) => document,
            Err(error) => return out.leave(address, &error.to_string(), "mend it in the gateway"),
        };
        for source in sql_sources(&document) {
            match self.leads(&source) {
                Ok(Some(leads)) => self.source(address, &document, &source, leads, out),
                Ok(None) => {}
                Err((why, next)) => out.leave(address, &why, next),
            }
        }
    }

    fn source(
        &mut self,
        address: &Address,
        document: &Document,
        source: &SqlSource,
        leads: Leads,
        out: &mut Proposal,
    ) {
        let Some(server) = self.server(&leads.host) else {
            out.hosts
                .entry(leads.host)
                .or_default()
                .insert(leads.database);
            return;
        };
        let named = source.references.iter().filter_map(|n| self.named_value(n));
        let named: Vec<String> = named.map(|(a, _)| a.last().1.to_owned()).collect();
        let name = self.own_name(&server, leads.database);
        let found = self.found.entry((server, name.to_lowercase())).or_default();
        found.name = name;
        found.apis.extend(api_name(address).map(str::to_owned));
        found.places.insert(address.clone());
        found.users.extend(leads.user);
        found.named_values.extend(named);
        found.hidden |= leads.hidden;
        found.statements(document);
        if found.example.is_none() && !address.as_str().contains(";rev=") {
            let resolver = address.parent();
            found.example = resolver.and_then(|r| example::of_resolver(self.snapshot, &r));
        }
    }

    /// Where a source leads with a password; none for one that needs nothing.
    ///
    /// # Errors
    /// When its text does not tell, with what to do about it.
    fn leads(&self, source: &SqlSource) -> Result<Option<Leads>, (String, &'static str)> {
        let parsed = self.parsed(source, |_| true);
        let clear = parsed.as_ref().and_then(tells_where);
        let (Some(parsed), Some((host, database))) = (parsed.as_ref(), clear) else {
            let silent = source.managed_identity || parsed.as_ref().is_some_and(is_silent);
            return if silent {
                Ok(None)
            } else {
                Err(self.untold(source))
            };
        };
        if is_silent(parsed) {
            return Ok(None);
        }
        let plain = self.parsed(source, |e| e.flag("/properties/secret") != Some(true));
        Ok(Some(Leads {
            host,
            database,
            user: parsed.user().filter(|u| is_clear(u, parsed)),
            hidden: plain.as_ref().and_then(tells_where).is_none(),
        }))
    }

    /// The connection string with the values of those named values that `may` be looked at.
    fn parsed(
        &self,
        source: &SqlSource,
        may: impl Fn(&Entity) -> bool,
    ) -> Option<ConnectionString> {
        let seen = |name: &str| {
            let named = self.named_value(name).filter(|(_, e)| may(e));
            let value = named.and_then(|(_, e)| e.text("/properties/value"));
            Live::Present(value.map_or_else(|| format!("{{{{{name}}}}}"), str::to_owned))
        };
        match resolve(&source.text, seen) {
            Resolved::Text(whole) => ConnectionString::parse(&whole),
            Resolved::Unreadable(_) => None,
        }
    }

    fn untold(&self, source: &SqlSource) -> (String, &'static str) {
        for name in &source.references {
            let Some((_, entity)) = self.named_value(name) else {
                let why = format!("its connection string refers to {name}, which is not listed");
                return (why, "see that the named value is there and can be read");
            };
            if entity.text("/properties/value").is_some() {
                continue;
            }
            let vault = entity.body.pointer("/properties/keyVault");
            if vault.is_some_and(|v| !v.is_null()) {
                let why = format!("its connection string lies in Key Vault, behind {name}");
                return (why, "write the Access by hand, with `replaces`");
            }
            let why = format!("its connection string is the secret named value {name}");
            let next = "run init again with --inspect-secrets, or write the Access by hand, with \
                        `replaces`";
            return (why, next);
        }
        let why = "its connection string names no server and database in clear";
        (
            why.to_owned(),
            "write the connection string as plain text, then run init again",
        )
    }

    /// The server that clients reach by this name. Where its name at the service is not known, its
    /// first label is the server's own name (azure-facts C.1).
    fn server(&self, host: &str) -> Option<Address> {
        let is = |(address, root): &(&Address, &Root)| {
            let live = self.snapshot.entities.get(*address);
            match live.and_then(|e| e.text("/properties/fullyQualifiedDomainName")) {
                Some(fqdn) => fqdn.eq_ignore_ascii_case(host),
                None => {
                    let label = host.split('.').next().unwrap_or_default();
                    label.eq_ignore_ascii_case(&root.id.name)
                }
            }
        };
        let mut servers = self.roots.iter().filter(|(a, _)| a.last().0 == "sql");
        servers.find(is).map(|(address, _)| address.clone())
    }

    /// The database's name as the server spells it.
    fn own_name(&self, server: &Address, name: String) -> String {
        let listed = self.snapshot.databases.keys();
        let mut listed = listed
            .filter(|a| a.root() == *server)
            .filter_map(|a| a.name_of("db"));
        listed
            .find(|n| same_name(n, &name))
            .map_or(name, str::to_owned)
    }

    fn named_value(&self, name: &str) -> Option<(&Address, &Entity)> {
        self.snapshot.named_value(self.gateway, name)
    }
}

/// Whether it sends no password.
fn is_silent(parsed: &ConnectionString) -> bool {
    !parsed.has_password() && parsed.user().is_none()
}

/// Server and database, where they stand in it in clear.
fn tells_where(parsed: &ConnectionString) -> Option<(String, String)> {
    let (host, database) = (parsed.server()?, parsed.database()?);
    let is_host = host
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    let clear = is_host && is_clear(&host, parsed) && is_clear(&database, parsed);
    clear.then_some((host, database))
}

/// Whether a part of a connection string can be shown: it is a name, and the password is not in it,
/// as it may be where a broken string runs its parts together.
fn is_clear(part: &str, parsed: &ConnectionString) -> bool {
    let password = parsed.password();
    let holds = password.is_some_and(|p| part.contains(p.expose()));
    let odd = part.contains(['=', ';', '{', '}', '@', '"', '\'']);
    !holds && !odd && check_azure_name(part).is_ok()
}

impl Found {
    fn statements(&mut self, document: &Document) {
        for element in document.elements() {
            if element.name() != "sql-statement" {
                continue;
            }
            match element.text() {
                Some(text) if !element.is_expression() => self.statement.add(&text),
                _ => self.computed = true,
            }
        }
    }

    fn rights(&self) -> Rights {
        let seen = &self.statement;
        let role = match (seen.executes, seen.writes, seen.reads) {
            (true, false, false) => Role::Executor,
            (true, _, _) => Role::Custom,
            (false, true, _) => Role::Writer,
            (false, false, _) => Role::Reader,
        };
        let mut permissions = vec!["SELECT"];
        if seen.writes {
            permissions.extend(["INSERT", "UPDATE", "DELETE"]);
        }
        permissions.push("EXECUTE");
        let mut schemas: Vec<String> = seen.schemas.values().cloned().collect();
        schemas.retain(|s| check_azure_name(s).is_ok());
        if schemas.is_empty() {
            schemas.push("dbo".into());
        }
        let nothing = !(seen.reads || seen.writes || seen.executes);
        Rights {
            role,
            schemas,
            permissions: if role == Role::Custom {
                permissions
            } else {
                vec![]
            },
            unclear: seen.unclear || self.computed || nothing,
        }
    }

    fn into_access(
        self,
        snapshot: &Snapshot,
        gateway: &Address,
        server: Address,
        out: &mut Proposal,
    ) {
        let mut unplaced = BTreeSet::new();
        let mut replaces: Vec<Replaced> = Vec::new();
        if self.hidden {
            let named = self.named_values.iter().cloned();
            replaces.extend(named.map(Replaced::NamedValue));
            for user in &self.users {
                match placed(snapshot, &server, &self.name, user) {
                    Some(one) => replaces.push(one),
                    None => drop(unplaced.insert(user.clone())),
                }
            }
        }
        let new = Database {
            rights: self.rights(),
            server,
            name: self.name,
            replaces: self.hidden.then_some(replaces),
            unplaced,
        };
        let access = out.access(gateway, |_| false, || Reached::Database(new));
        access.apis = self.apis;
        access.places = self.places;
        access.example = self.example;
    }
}

/// Whether a name that logs in is a login of the server or a user of the database.
fn placed(snapshot: &Snapshot, server: &Address, database: &str, user: &str) -> Option<Replaced> {
    if let Live::Present(logins) = snapshot.logins(server)
        && logins.iter().any(|l| same_name(&l.name, user))
    {
        return Some(Replaced::SqlLogin(user.to_owned()));
    }
    let catalogue = snapshot.catalogue(&server.child("db", database));
    let principal = catalogue.present()?.principal(user)?;
    let contained = principal.authentication == Authentication::Database;
    contained.then(|| Replaced::SqlUser(user.to_owned()))
}
