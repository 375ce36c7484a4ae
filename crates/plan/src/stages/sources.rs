//! Where the APIs of an Access connect to SQL from, and with what.

use keyless_model::{Address, ApiChoice, Entity, Selection, Snapshot};
use keyless_policy::Document;
use keyless_scan::{ConnectionString, SqlSource, sql_sources};

use crate::draft::{Draft, Input};
use crate::stages::access::Move;

/// One `sql-data-source` of a chosen resolver that belongs to an Access.
pub(crate) struct Source {
    /// The policy's address.
    pub policy: Address,
    /// The path of its `connection-string` element.
    pub path: String,
    pub connects: Connects,
}

/// How a source connects.
pub(crate) enum Connects {
    /// With the identity, and to the Access's database: nothing is to do.
    Identity,
    /// With a credential in the policy's own text.
    Literal { text: String, login: Option<String>, clean: String },
    /// With a credential in a named value.
    Reference { text: String, named_values: Vec<Address>, login: Option<String>, clean: String },
    /// With a named value whose value was not read.
    Hidden { text: String, named_values: Vec<Address> },
}

/// Every source of the Access's APIs that leads to its database. One that leads elsewhere belongs
/// to another Access, or to none.
pub(crate) fn sources(input: Input, draft: &mut Draft, one: &mut Move) -> Vec<Source> {
    let mut out = Vec::new();
    for api in chosen_apis(input.live, one) {
        let Some(selection) = resolvers_of(one, &api) else { continue };
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

/// The current revisions of the APIs that the Access names.
fn chosen_apis(live: &Snapshot, one: &Move) -> Vec<Address> {
    let current = |(_, e): &(&Address, &Entity)| e.flag("/properties/isCurrent") != Some(false);
    let apis = live.children(&one.gateway, "api").filter(current).map(|(a, _)| a.clone());
    match &one.access.apis {
        None => apis.collect(),
        Some(choices) => apis.filter(|a| choices.iter().any(|c| c.name == a.last().1)).collect(),
    }
}

fn resolvers_of<'a>(one: &Move<'a>, api: &Address) -> Option<&'a Selection> {
    match &one.access.apis {
        None => Some(&Selection::All),
        Some(choices) => {
            choices.iter().find(|c| c.name == api.last().1).map(|c| &c.resolvers)
        }
    }
}

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
            let next = "correct the name in `from.apis` of the Access";
            draft.wait(&address, Some(one.name()), "move it to the identity", why, next);
            one.blocked = true;
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
        if let keyless_model::Live::Unreadable(why) = input.live.get(policy) {
            let what = "find the credential of this resolver";
            let next = "give the identity that plans the right to read policies";
            draft.wait(policy, Some(one.name()), what, &why, next);
            one.blocked = true;
        }
        return;
    };
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let what = "find the credential of this resolver";
            let next = "mend the policy in the gateway";
            draft.wait(policy, Some(one.name()), what, &error.to_string(), next);
            one.blocked = true;
            return;
        }
    };
    for source in sql_sources(&document) {
        if let Some(connects) = classify(input, one, &source) {
            let path = source.path.to_string();
            out.push(Source { policy: policy.clone(), path, connects });
        }
    }
}

/// How a source connects, if it leads to the Access's database.
fn classify(input: Input, one: &Move, source: &SqlSource) -> Option<Connects> {
    let mut named_values = Vec::new();
    let mut whole = source.text.clone();
    let mut hidden = false;
    for name in &source.references {
        match input.live.named_value(&one.gateway, name) {
            Some((address, entity)) => {
                named_values.push(address.clone());
                match entity.text("/properties/value") {
                    Some(value) => whole = whole.replace(&format!("{{{{{name}}}}}"), value),
                    None => hidden = true,
                }
            }
            None => hidden = true,
        }
    }
    let text = source.text.clone();
    if hidden {
        return (!source.managed_identity).then_some(Connects::Hidden { text, named_values });
    }
    let parsed = ConnectionString::parse(&whole)?;
    if !leads_to(input, one, &parsed) {
        return None;
    }
    if source.managed_identity && !parsed.has_password() {
        return Some(Connects::Identity);
    }
    let login = parsed.user();
    let clean = parsed.without_credentials();
    Some(if named_values.is_empty() {
        Connects::Literal { text, login, clean }
    } else {
        Connects::Reference { text, named_values, login, clean }
    })
}

/// Whether a connection string names the Access's server and database.
fn leads_to(input: Input, one: &Move, parsed: &ConnectionString) -> bool {
    let server = &input.desired.servers[&one.access.server];
    let fqdn = host_of(input, one);
    let same_host = parsed.server().is_some_and(|host| {
        let label = host.split('.').next().unwrap_or_default();
        match &fqdn {
            Some(fqdn) => host.eq_ignore_ascii_case(fqdn),
            None => label.eq_ignore_ascii_case(&server.id.name),
        }
    });
    let database = parsed.database();
    let same_database = database
        .is_some_and(|d: String| keyless_model::sql::same_name(&d, &one.access.database));
    same_host && same_database
}

fn host_of(input: Input, one: &Move) -> Option<String> {
    let server = input.live.entities.get(&one.database.root())?;
    server.text("/properties/fullyQualifiedDomainName").map(str::to_owned)
}

/// A connection string to the Access's database without any credential, for a source whose own
/// text could not be read.
pub(crate) fn connection_string(input: Input, one: &Move) -> String {
    let host = host_of(input, one)
        .unwrap_or_else(|| format!("{}.database.windows.net", input.desired.servers[&one.access.server].id.name));
    let database = &one.access.database;
    format!("Server=tcp:{host},1433;Initial Catalog={database};Encrypt=True;")
}
