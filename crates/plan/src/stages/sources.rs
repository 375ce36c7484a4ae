//! Where the APIs of an Access connect to SQL from, and with what.

use keyless_model::sql::same_name;
use keyless_model::{Access, Address, ApiChoice, Desired, Entity, Live, Selection, Snapshot};
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
    let Some(told) = told(input.live, &one.gateway, source) else {
        return Ok(None);
    };
    let Some(parsed) = told.connection_string() else {
        return untold(input, one, source, &told);
    };
    if !leads_to(input.desired, input.live, one.access, &parsed) {
        return Ok(None);
    }
    if source.managed_identity && !parsed.has_password() {
        return Ok(Some(Connects::Identity));
    }
    Ok(Some(with_credential(source, told, &parsed)))
}

/// What the text of a source says.
struct Told {
    /// The named values in it that are there.
    named_values: Vec<Address>,
    /// Whether the value of one was not read.
    hidden: bool,
    /// The text with the values put in that were read.
    text: String,
}

impl Told {
    /// None where it is none, or does not tell where it leads.
    fn connection_string(&self) -> Option<ConnectionString> {
        ConnectionString::parse(&self.text).filter(|p| !self.hidden || tells_where(p))
    }
}

/// None where an expression makes the text.
fn told(live: &Snapshot, gateway: &Address, source: &SqlSource) -> Option<Told> {
    let names = source.references.iter();
    let found: Vec<(&Address, &Entity)> = names
        .filter_map(|name| named_value(live, gateway, name))
        .collect();
    let value = |name: &str| {
        let mut named = found.iter();
        let named = named.find(|(_, e)| e.text("/properties/displayName") == Some(name));
        named.and_then(|(_, e)| e.text("/properties/value"))
    };
    // A value that is not known stays as its reference: the rest may still tell where it leads.
    let seen = |name: &str| {
        Live::Present(value(name).map_or_else(|| format!("{{{{{name}}}}}"), str::to_owned))
    };
    let Resolved::Text(text) = resolve(&source.text, seen) else {
        return None;
    };
    Some(Told {
        hidden: source.references.iter().any(|name| value(name).is_none()),
        named_values: found.iter().map(|(a, _)| (*a).clone()).collect(),
        text,
    })
}

/// A source whose text does not tell where it leads.
fn untold(
    input: Input,
    one: &Move,
    source: &SqlSource,
    told: &Told,
) -> Result<Option<Connects>, &'static str> {
    if source.managed_identity || (told.hidden && leads_elsewhere(input, one, source)) {
        return Ok(None);
    }
    if !told.hidden {
        return Err("its connection string is an expression or is malformed");
    }
    let mut names = source.references.iter();
    Ok(Some(Connects::Hidden {
        guessed: !names.any(|n| is_parked_for(n, &one.database)),
        text: source.text.clone(),
        named_values: told.named_values.clone(),
        clean: connection_string(input, one),
    }))
}

/// A source that leads to the Access's database with a login of its own.
fn with_credential(source: &SqlSource, told: Told, parsed: &ConnectionString) -> Connects {
    let Told {
        named_values,
        hidden,
        ..
    } = told;
    let (text, clean) = (source.text.clone(), parsed.without_credentials());
    let login = parsed.user();
    // Where only the password is hidden, the login stands in clear.
    let in_clear = login.as_ref().is_some_and(|login| !login.contains("{{"));
    if hidden && !in_clear {
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
    }
}

/// Whether the policy reaches the Access's database with the identity already.
pub(crate) fn on_identity(
    desired: &Desired,
    live: &Snapshot,
    access: &Access,
    policy: &Address,
) -> bool {
    let text = live.policy_text(policy);
    let text = text.filter(|t| t.contains("use-managed-identity"));
    let Some(Ok(document)) = text.map(Document::parse) else {
        return false;
    };
    let gateway = policy.root();
    let there = |source: &SqlSource| {
        let told = told(live, &gateway, source);
        let parsed = told.and_then(|t| t.connection_string());
        parsed.is_some_and(|p| !p.has_password() && leads_to(desired, live, access, &p))
    };
    let sources = sql_sources(&document);
    sources.iter().any(|s| s.managed_identity && there(s))
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
fn leads_to(
    desired: &Desired,
    live: &Snapshot,
    access: &Access,
    parsed: &ConnectionString,
) -> bool {
    let root = Address::server(&access.server);
    let host = parsed.server();
    let name = parsed.database();
    host.is_some_and(|host| is_host(desired, live, &root, &host))
        && name.is_some_and(|name| same_name(&name, &access.database))
}

/// Whether clients reach the server at `root` by this name.
pub(crate) fn is_host(desired: &Desired, live: &Snapshot, root: &Address, host: &str) -> bool {
    if let Some(fqdn) = host_of(live, root) {
        return host.eq_ignore_ascii_case(&fqdn);
    }
    let label = host.split('.').next().unwrap_or_default();
    let server = desired.servers.get(root.root_name());
    server.is_some_and(|s| label.eq_ignore_ascii_case(&s.id.name))
}

fn host_of(live: &Snapshot, root: &Address) -> Option<String> {
    let server = live.entities.get(root)?;
    server
        .text("/properties/fullyQualifiedDomainName")
        .map(str::to_owned)
}

/// A connection string to the Access's database without any credential, for a source whose own
/// text could not be read.
fn connection_string(input: Input, one: &Move) -> String {
    let name = &input.desired.servers[&one.access.server].id.name;
    let host = host_of(input.live, &one.database.root())
        .unwrap_or_else(|| format!("{name}.database.windows.net"));
    let database = &one.access.database;
    format!("Server=tcp:{host},1433;Initial Catalog={database};Encrypt=True;")
}
