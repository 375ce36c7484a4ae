//! What documents mean together: names, references, one document for each thing, no circles.

mod intents;

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Address, ArmId, Diagnostic, Sid, built_in_role};

use crate::check::Reference;
use crate::document::Document;
use crate::node::Node;
use crate::scalar::shown;
use crate::suggest::nearest;

pub(crate) use intents::intents;

/// Kind and name of every document, those with errors too.
pub(crate) type Known<'a> = BTreeSet<(&'static str, &'a str)>;

/// Reports names that no document has.
pub(crate) fn dangling(
    document: &Document<'_>,
    references: &[Reference],
    known: &Known<'_>,
    found: &mut Vec<Diagnostic>,
) {
    for reference in references {
        let Reference { kind, name, at } = reference;
        if known.contains(&(*kind, name.as_str())) {
            continue;
        }
        let names = || {
            known
                .iter()
                .filter(|(k, _)| k == kind)
                .map(|(_, name)| *name)
        };
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add a {kind} document with `metadata: {{ name: {name} }}`"),
        };
        let message = format!("no {kind} document is named “{name}”");
        found.push(
            document
                .error("KL0107", message, at, "not declared")
                .help(help),
        );
    }
}

/// Reports two documents of one name, and two that describe one thing.
pub(crate) fn duplicates(documents: &[Document<'_>], found: &mut Vec<Diagnostic>) {
    let mut names: BTreeMap<_, &Document<'_>> = BTreeMap::new();
    let mut things: BTreeMap<_, &Document<'_>> = BTreeMap::new();
    for document in documents {
        let name = (document.kind.name, document.name);
        if let Some(first) = names.get(&name) {
            let message = format!("two documents are {}", document.title());
            found.push(again(document, message, first));
            continue;
        }
        names.insert(name, document);
        for (key, thing) in things_of(document) {
            match things.get(&key) {
                Some(first) => {
                    let (a, b) = (first.title(), document.title());
                    found.push(again(
                        document,
                        format!("{a} and {b} both describe {thing}"),
                        first,
                    ));
                }
                None => drop(things.insert(key, document)),
            }
        }
    }
}

fn again(document: &Document<'_>, message: String, first: &Document<'_>) -> Diagnostic {
    let span = first.span();
    document
        .error("KL0106", message, &document.name_at, "the second")
        .help(format!(
            "the first is at {}:{}; keep one of them",
            span.file, span.line
        ))
}

/// What a document describes: a key that two of them share when they describe the same, and its
/// name for a message.
fn things_of(document: &Document<'_>) -> Vec<(String, String)> {
    let thing = match document.kind.name {
        "Gateway" | "SqlServer" | "ManagedIdentity" => document
            .text("id")
            .and_then(|id| ArmId::parse(id).ok())
            .map(|id| id.to_string()),
        "SqlDatabase" => document
            .text("server")
            .map(|server| Address::database(server, document.own_name()).to_string()),
        "NamedValue" => gateway_child(document, "namedValue"),
        "Backend" => gateway_child(document, "backend"),
        "Api" => gateway_child(document, "api"),
        "PolicyFragment" => gateway_child(document, "policyFragment"),
        "Product" => gateway_child(document, "product"),
        "Operation" => api_child(document, "operation"),
        "Policy" => policy(document),
        "Resolver" => api_child(document, "resolver"),
        "FirewallRule" => document.text("server").map(|server| {
            let server = Address::server(server);
            let holder = database(document).unwrap_or(server);
            holder
                .child("firewallRule", document.own_name())
                .to_string()
        }),
        "SqlUser" | "SqlRole" => {
            // Users and roles of a database share their names.
            database(document).map(|d| d.child("principal", document.own_name()).to_string())
        }
        "SqlGrant" => grant(document),
        _ => None,
    };
    let mut things: Vec<_> = thing
        .into_iter()
        .map(|t| (t.to_lowercase(), shown(&t)))
        .collect();
    let more = [identity(document), role_assignment(document)];
    for (key, text) in more.into_iter().flatten() {
        things.push((key.to_lowercase(), text));
    }
    things
}

fn gateway(document: &Document<'_>) -> Option<Address> {
    document.text("gateway").map(Address::gateway)
}

fn gateway_child(document: &Document<'_>, word: &str) -> Option<String> {
    let name = document.own_name();
    Some(gateway(document)?.child(word, name).to_string())
}

fn api_child(document: &Document<'_>, word: &str) -> Option<String> {
    let api = gateway(document)?.child("api", document.text("api")?);
    Some(api.child(word, document.own_name()).to_string())
}

/// Scope, role and principal; a role by its name is that of its GUID.
fn role_assignment(document: &Document<'_>) -> Option<(String, String)> {
    if document.kind.name != "RoleAssignment" {
        return None;
    }
    let (scope, role) = (document.text("scope")?, document.text("role")?);
    let principal = document.spec.get("principal")?;
    let key = |key: &&str| principal.get(key).and_then(Node::text);
    let named = ["gateway", "identity", "objectId"];
    let mut named = named.iter().filter_map(|k| Some((k, key(k)?)));
    let (Some((key, name)), None) = (named.next(), named.next()) else {
        return None;
    };
    let id = built_in_role(role).unwrap_or(role);
    Some((
        format!("{id} for {key} {name} at {scope}"),
        format!("the role {} of {}, for one scope", shown(role), shown(name)),
    ))
}

fn database(document: &Document<'_>) -> Option<Address> {
    Some(Address::database(
        document.text("server")?,
        document.text("database")?,
    ))
}

fn policy(document: &Document<'_>) -> Option<String> {
    let scope = document.spec.get("scope")?;
    let mut address = gateway(document)?;
    for word in ["product", "api", "operation"] {
        if let Some(name) = scope.get(word).and_then(Node::text) {
            address = address.child(word, name);
        }
    }
    Some(address.part("policy").to_string())
}

fn grant(document: &Document<'_>) -> Option<String> {
    let rule = ["permission", "on"].map(|key| document.text(key));
    let [Some(permission), Some(on)] = rule else {
        return None;
    };
    let column = document
        .text("column")
        .map(|c| format!(" ({c})"))
        .unwrap_or_default();
    let to = document.text("to")?;
    Some(format!(
        "{permission}{column} on {on} to {to} in {}",
        database(document)?
    ))
}

/// The Entra identity of a user: a database has one user for each.
fn identity(document: &Document<'_>) -> Option<(String, String)> {
    if document.kind.name != "SqlUser" {
        return None;
    }
    let database = database(document)?;
    let key = ["clientId", "objectId"]
        .into_iter()
        .find_map(|key| document.text(key))
        .and_then(|id| Sid::from_guid(id).ok())
        .map(|sid| sid.to_string())
        .or_else(|| document.text("gateway").map(|g| format!("gateway {g}")))
        .or_else(|| document.text("identity").map(|i| format!("identity {i}")))?;
    Some((
        format!("{key} in {database}"),
        format!("the user of one identity in {database}"),
    ))
}

/// Reports roles that are members of themselves, through whatever other roles.
pub(crate) fn cycles(documents: &[Document<'_>], found: &mut Vec<Diagnostic>) {
    let mut roles: BTreeMap<(String, String), &Document<'_>> = BTreeMap::new();
    for document in documents.iter().filter(|d| d.kind.name == "SqlRole") {
        if let Some(database) = database(document) {
            roles.insert(key(&database, document.own_name()), document);
        }
    }
    let mut done = BTreeSet::new();
    for start in roles.keys() {
        let mut path = Vec::new();
        walk(start, &roles, &mut path, &mut done, found);
    }
}

type Roles<'r> = BTreeMap<(String, String), &'r Document<'r>>;

fn key(database: &Address, name: &str) -> (String, String) {
    (database.to_string().to_lowercase(), name.to_lowercase())
}

/// Depth first, with the way as a list of its own so that a long chain cannot fill the stack.
fn walk<'r>(
    start: &(String, String),
    roles: &Roles<'r>,
    path: &mut Vec<(&'r Document<'r>, usize)>,
    done: &mut BTreeSet<(String, String)>,
    found: &mut Vec<Diagnostic>,
) {
    let keyed = |d: &Document<'_>| database(d).map(|db| key(&db, d.own_name()));
    if done.contains(start) {
        return;
    }
    path.extend(roles.get(start).map(|role| (*role, 0)));
    while let Some((role, next)) = path.last_mut() {
        let role = *role;
        let members = role.spec.get("members").map_or(&[][..], Node::items);
        let Some(member) = members.get(*next) else {
            done.extend(keyed(role));
            path.pop();
            continue;
        };
        *next += 1;
        let Some(name) = member.text() else { continue };
        let Some(target) = database(role).map(|db| key(&db, name)) else {
            continue;
        };
        if let Some(at) = path
            .iter()
            .position(|(d, _)| keyed(d).as_ref() == Some(&target))
        {
            let names: Vec<&str> = path[at..].iter().map(|(d, _)| d.own_name()).collect();
            let message = match names[..] {
                [one] => format!("the role “{one}” is a member of itself"),
                _ => format!("roles are members of one another: {}", names.join(" < ")),
            };
            let help = "take this member out";
            let error = role.error("KL0115", message, &member.range, "closes the circle");
            found.push(error.help(help));
        } else if !done.contains(&target)
            && let Some(role) = roles.get(&target)
        {
            path.push((*role, 0));
        }
    }
}
