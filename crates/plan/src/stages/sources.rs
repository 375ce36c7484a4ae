//! Where the APIs of an Access connect to SQL from, and with what.

use keyless_model::sql::same_name;
use keyless_model::{Access, Address, ApiChoice, Entity, Live, Selection, Snapshot};
use keyless_policy::Document;
use keyless_scan::{ConnectionString, Resolved, SqlSource, resolve, sql_sources};

use crate::draft::{Draft, Input};
use crate::stages::access::Move;
use crate::stages::switch::{is_parked_for, parked_target};

/// One `sql-data-source` of a chosen resolver that belongs to an Access.
pub(crate) struct Source {
    /// The policy's address.
    pub policy: Address,
    /// The path of its `connection-string` element.
    pub path: String,
    /// Its `use-managed-identity` as it is.
    pub flag: bool,
    pub connects: Connects,
}

impl Source {
    /// Whether nothing that was read tells that it leads to the Access's database.
    pub fn is_guessed(&self) -> bool {
        matches!(self.connects, Connects::Hidden { guessed: true, .. })
    }

    /// Whether it still has to be switched.
    pub fn needs_switch(&self) -> bool {
        !matches!(self.connects, Connects::Identity)
    }
}

/// How a source connects.
pub(crate) enum Connects {
    /// With the identity, and to the Access's database: nothing is to do.
    Identity,
    /// With a credential in the policy's own text.
    Literal {
        text: String,
        login: Option<String>,
        clean: String,
    },
    /// With a credential in a named value, of which at least the login is known.
    Reference {
        text: String,
        named_values: Vec<Address>,
        login: Option<String>,
        clean: String,
    },
    /// With a named value whose value was not read. `guessed` when nothing else tells that it
    /// leads to the Access's database.
    Hidden {
        guessed: bool,
        text: String,
        named_values: Vec<Address>,
        clean: String,
    },
}

/// Every source of the Access's APIs that leads to its database, in every revision. One that leads
/// elsewhere belongs to another Access, or to none.
pub(crate) fn sources(input: Input, draft: &mut Draft, one: &mut Move) -> Vec<Source> {
    let mut out = Vec::new();
    for (api, selection) in chosen_apis(input, draft, one) {
        if !listed(input, draft, one, &api, "resolver") {
            continue;
        }
        let resolvers: Vec<Address> = input
            .live
            .children(&api, "resolver")
            .filter(|(a, _)| selection.holds(a.last().1))
            .map(|(a, _)| a.part("policy"))
            .collect();
        for policy in resolvers {
            in_policy(input, draft, one, &policy, &mut out);
        }
    }
    missing_choices(input, draft, one);
    out
}

/// The APIs that the Access names, each with its other revisions, and which of their resolvers it
/// means.
fn chosen_apis<'a>(
    input: Input,
    draft: &mut Draft,
    one: &mut Move<'a>,
) -> Vec<(Address, &'a Selection)> {
    let access: &'a Access = one.access;
    let Some(choices) = &access.apis else {
        if !listed(input, draft, one, &one.gateway.clone(), "api") {
            return Vec::new();
        }
        let apis = input.live.children(&one.gateway, "api");
        return apis.map(|(a, _)| (a.clone(), &Selection::All)).collect();
    };
    let mut out = Vec::new();
    for choice in choices {
        let api = one.gateway.child("api", &choice.name);
        if input.live.entities.contains_key(&api) {
            unlisted_revisions(input, draft, one, &api);
            let others = revisions(input.live, &api);
            out.extend(others.into_iter().map(|a| (a, &choice.resolvers)));
            out.push((api, &choice.resolvers));
        }
    }
    out
}

/// The revisions of the API that are not its current one: things of their own, with resolvers and
/// policies of their own (azure-facts B.4).
pub(crate) fn revisions(live: &Snapshot, api: &Address) -> Vec<Address> {
    let Ok(first) = format!("{api};rev=").parse::<Address>() else {
        return Vec::new();
    };
    let all = live.entities.range(first.clone()..);
    all.take_while(|(a, _)| a.as_str().starts_with(first.as_str()))
        .filter(|(a, _)| a.last().0 == "api")
        .map(|(a, _)| a.clone())
        .collect()
}

/// Whether the address lies in a revision that is not the current one.
pub(crate) fn in_revision(address: &Address) -> bool {
    address
        .name_of("api")
        .is_some_and(|api| api.contains(";rev="))
}

/// Revisions that could not be listed may hold the old credential: the switch goes on, and nothing
/// of the credential goes.
fn unlisted_revisions(input: Input, draft: &mut Draft, one: &mut Move, api: &Address) {
    if let Live::Unreadable(why) = input.live.get(&api.part("revisions")) {
        let next = "give the identity that plans the Reader role on the gateway";
        draft.wait(api, Some(&one.access.name), FIND, &why, next);
        one.all_known = false;
    }
}

/// Whether the list of these children was read. One that was not is no empty list.
fn listed(input: Input, draft: &mut Draft, one: &mut Move, parent: &Address, word: &str) -> bool {
    let Live::Unreadable(why) = input.live.get(&parent.child(word, "")) else {
        return true;
    };
    let next = "give the identity that plans the Reader role on the gateway";
    held_up(draft, one, parent, &why, next);
    false
}

/// Something of the Access could not be looked into: in its current revisions, nothing after its
/// grants is planned.
fn held_up(draft: &mut Draft, one: &mut Move, place: &Address, why: &str, next: &str) {
    draft.wait(place, Some(&one.access.name), FIND, why, next);
    // No caller comes in by another revision than the current one unless it asks for it: what is
    // not known of those keeps the old credential, and not the switch.
    one.blocked |= !in_revision(place);
    one.all_known = false;
}

const FIND: &str = "find the credentials behind it";

/// What an Access names must be there; a name that is not is a mistake that would look clean.
fn missing_choices(input: Input, draft: &mut Draft, one: &mut Move) {
    let choices: &[ApiChoice] = one.access.apis.as_deref().unwrap_or_default();
    for choice in choices {
        let api = one.gateway.child("api", &choice.name);
        let mut absent = Vec::new();
        if input.live.get(&api).present().is_none() {
            absent.push(api.clone());
        } else if let Selection::Named(names) = &choice.resolvers {
            let resolvers = names.iter().map(|n| api.child("resolver", n));
            absent.extend(resolvers.filter(|r| input.live.get(r).present().is_none()));
        }
        for address in absent {
            let why = "it is not in the gateway, or could not be read";
            held_up(
                draft,
                one,
                &address,
                why,
                "correct the name in `from.apis` of the Access",
            );
        }
    }
}

fn in_policy(
    input: Input,
    draft: &mut Draft,
    one: &mut Move,
    policy: &Address,
    out: &mut Vec<Source>,
) {
    let Some(text) = input.live.policy_text(policy) else {
        if let Live::Unreadable(why) = input.live.get(policy) {
            let next = "give the identity that plans the right to read policies";
            held_up(draft, one, policy, &why, next);
        }
        return;
    };
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let next = "mend the policy in the gateway";
            held_up(draft, one, policy, &error.to_string(), next);
            return;
        }
    };
    for source in sql_sources(&document) {
        match classify(input, one, &source) {
            Ok(None) => {}
            Ok(Some(connects)) => {
                let (policy, path) = (policy.clone(), source.path.to_string());
                out.push(Source {
                    policy,
                    path,
                    flag: source.managed_identity,
                    connects,
                });
            }
            Err(why) => {
                one.all_known = false;
                one.unclear.insert(policy.clone());
                let what = "move this data source to the identity";
                let next = "write the connection string as plain text, then plan again";
                draft.wait(policy, Some(&one.access.name), what, why, next);
            }
        }
    }
}

/// How a source connects, if it leads to the Access's database.
///
/// # Errors
/// When its text does not tell where it leads, and not because a value is hidden.
fn classify(
    input: Input,
    one: &Move,
    source: &SqlSource,
) -> Result<Option<Connects>, &'static str> {
    let found: Vec<(&Address, &Entity)> = source
        .references
        .iter()
        .filter_map(|name| named_value(input.live, &one.gateway, name))
        .collect();
    let value = |name: &str| {
        let named = found
            .iter()
            .find(|(_, e)| e.text("/properties/displayName") == Some(name));
        named.and_then(|(_, e)| e.text("/properties/value"))
    };
    let hidden = source.references.iter().any(|name| value(name).is_none());
    // A value that is not known stays as its reference: the rest may still tell where it leads.
    let seen = |name: &str| {
        Live::Present(value(name).map_or_else(|| format!("{{{{{name}}}}}"), str::to_owned))
    };
    let Resolved::Text(whole) = resolve(&source.text, seen) else {
        return Ok(None);
    };
    let text = source.text.clone();
    let named_values: Vec<Address> = found.iter().map(|(a, _)| (*a).clone()).collect();
    let parsed = ConnectionString::parse(&whole).filter(|p| !hidden || tells_where(p));
    let Some(parsed) = parsed else {
        return match (source.managed_identity, hidden) {
            (true, _) => Ok(None),
            (false, true) if leads_elsewhere(input, one, source) => Ok(None),
            (false, true) => {
                let clean = connection_string(input, one);
                let guessed = !source
                    .references
                    .iter()
                    .any(|n| is_parked_for(n, &one.database));
                Ok(Some(Connects::Hidden {
                    guessed,
                    text,
                    named_values,
                    clean,
                }))
            }
            (false, false) => Err("its connection string is an expression or is malformed"),
        };
    };
    if !leads_to(input, one, &parsed) {
        return Ok(None);
    }
    if source.managed_identity && !parsed.has_password() {
        return Ok(Some(Connects::Identity));
    }
    let login = parsed.user();
    let clean = parsed.without_credentials();
    // Where only the password is hidden, the login stands in clear.
    let told = login.as_ref().is_some_and(|login| !login.contains("{{"));
    Ok(Some(if hidden && !told {
        Connects::Hidden {
            guessed: false,
            text,
            named_values,
            clean,
        }
    } else if named_values.is_empty() {
        Connects::Literal { text, login, clean }
    } else {
        Connects::Reference {
            text,
            named_values,
            login,
            clean,
        }
    }))
}

/// Whether it is a literal that keyless parked for an Access to another database.
fn leads_elsewhere(input: Input, one: &Move, source: &SqlSource) -> bool {
    let mut targets = source
        .references
        .iter()
        .filter_map(|n| parked_target(input, n));
    targets.any(|target| target != one.database)
}

/// Whether server and database stand in it in clear.
fn tells_where(parsed: &ConnectionString) -> bool {
    let clear = |part: Option<String>| part.is_some_and(|text| !text.contains("{{"));
    clear(parsed.server()) && clear(parsed.database())
}

/// The named value that policies call `{{name}}`, looked for among named values only: a gateway
/// holds thousands of other things.
fn named_value<'a>(
    live: &'a Snapshot,
    gateway: &Address,
    name: &str,
) -> Option<(&'a Address, &'a Entity)> {
    let first = gateway.child("namedValue", "");
    let all = live.entities.range(first.clone()..);
    all.take_while(|(a, _)| a.as_str().starts_with(first.as_str()))
        .find(|(_, e)| e.text("/properties/displayName") == Some(name))
}

/// Whether a connection string names the Access's server and database.
fn leads_to(input: Input, one: &Move, parsed: &ConnectionString) -> bool {
    let root = one.database.root();
    let same_host = parsed
        .server()
        .is_some_and(|host| is_host(input, &root, &host));
    same_host
        && parsed
            .database()
            .is_some_and(|d| same_name(&d, &one.access.database))
}

/// Whether clients reach the server at `root` by this name.
pub(crate) fn is_host(input: Input, root: &Address, host: &str) -> bool {
    if let Some(fqdn) = host_of(input, root) {
        return host.eq_ignore_ascii_case(&fqdn);
    }
    let label = host.split('.').next().unwrap_or_default();
    let server = input.desired.servers.get(root.root_name());
    server.is_some_and(|s| label.eq_ignore_ascii_case(&s.id.name))
}

fn host_of(input: Input, root: &Address) -> Option<String> {
    let server = input.live.entities.get(root)?;
    server
        .text("/properties/fullyQualifiedDomainName")
        .map(str::to_owned)
}

/// A connection string to the Access's database without any credential, for a source whose own
/// text could not be read.
fn connection_string(input: Input, one: &Move) -> String {
    let name = &input.desired.servers[&one.access.server].id.name;
    let host = host_of(input, &one.database.root())
        .unwrap_or_else(|| format!("{name}.database.windows.net"));
    let database = &one.access.database;
    format!("Server=tcp:{host},1433;Initial Catalog={database};Encrypt=True;")
}
