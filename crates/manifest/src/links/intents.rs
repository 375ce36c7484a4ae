//! What Accesses mean together: no two of them may pull one thing in two directions.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Callers, Claim, Diagnostic};

use crate::build;
use crate::document::Document;
use crate::node::{Node, Value};
use crate::scalar::shown;

/// Reports Accesses that contradict one another or their gateway.
pub(crate) fn intents(documents: &[Document<'_>], found: &mut Vec<Diagnostic>) {
    let accesses: Vec<&Document<'_>> = documents
        .iter()
        .filter(|d| d.kind.name == "Access")
        .collect();
    identities(documents, &accesses, found);
    let http: Vec<Http<'_>> = accesses.iter().filter_map(|d| Http::of(d)).collect();
    for (i, second) in http.iter().enumerate() {
        if let Some(first) = http[..i].iter().find(|first| first.meets(second)) {
            contradiction(first, second, found);
        }
    }
    credentials(&accesses, found);
    callers(&accesses, found);
}

/// One call cannot be held to two demands: each API has one.
fn callers(accesses: &[&Document<'_>], found: &mut Vec<Diagnostic>) {
    let of = |access: &&Document<'_>| build::callers(access);
    let demands: Vec<_> = accesses
        .iter()
        .filter_map(|access| Some((*access, access.spec.entry("callers")?, of(access)?)))
        .collect();
    for (i, (access, entry, callers)) in demands.iter().enumerate() {
        let mut before = demands[..i].iter();
        let differs =
            before.find(|(_, _, c)| share_an_api(c, callers) && demand(c) != demand(callers));
        if let Some((first, ..)) = differs {
            let message = format!(
                "{} and {} demand different callers of one API",
                first.title(),
                access.title()
            );
            let span = first.span();
            let help = format!(
                "the other is at {}:{}; write the same in both, or in one alone",
                span.file, span.line
            );
            let error = access.error("KL0113", message, &entry.at, "contradicts the other");
            found.push(error.help(help));
        }
    }
}

/// What they demand, in whatever order it is written.
fn demand(callers: &Callers) -> impl Eq + '_ {
    let lower = |id: &String| id.to_lowercase();
    let claim = |c: &Claim| {
        let values: BTreeSet<String> = c.values.iter().cloned().collect();
        (c.name.clone(), c.any && values.len() > 1, values)
    };
    let audiences: BTreeSet<&String> = callers.audiences.iter().collect();
    let client_ids: BTreeSet<String> = callers.client_ids.iter().map(lower).collect();
    let claims: BTreeSet<_> = callers.claims.iter().map(claim).collect();
    (&callers.tenant, audiences, client_ids, claims)
}

fn share_an_api(a: &Callers, b: &Callers) -> bool {
    let names = |callers: &Callers| -> Option<BTreeSet<String>> {
        let names = callers.apis.as_ref()?.iter();
        Some(names.map(|name| name.to_lowercase()).collect())
    };
    let apart = |(a, b): (BTreeSet<String>, BTreeSet<String>)| a.is_disjoint(&b);
    a.gateway == b.gateway && !names(a).zip(names(b)).is_some_and(apart)
}

/// An Access cannot use a user-assigned identity that its gateway does not have.
fn identities(documents: &[Document<'_>], accesses: &[&Document<'_>], found: &mut Vec<Diagnostic>) {
    let users = |gateway: &Document<'_>| -> BTreeSet<String> {
        let identity = gateway.spec.get("identity").and_then(|i| i.get("user"));
        let names = identity.map_or(&[][..], Node::items);
        names
            .iter()
            .filter_map(|n| n.text().map(str::to_owned))
            .collect()
    };
    for access in accesses {
        // That a database knows no such identity is said already.
        let Some(Http { gateway, .. }) = Http::of(access) else {
            continue;
        };
        let named = access.spec.get("identity").and_then(|i| i.get("user"));
        let Some((node, user)) = named.and_then(|n| n.text().map(|t| (n, t))) else {
            continue;
        };
        let same = |d: &&Document<'_>| d.kind.name == "Gateway" && d.name == gateway;
        let Some(gateway) = documents.iter().find(same) else {
            continue;
        };
        let declared = |d: &Document<'_>| d.kind.name == "ManagedIdentity" && d.name == user;
        // That no document has the name is said already.
        if users(gateway).contains(user) || !documents.iter().any(declared) {
            continue;
        }
        let message = format!(
            "the user-assigned identity {} is not on the gateway “{}”",
            shown(user),
            gateway.name
        );
        let span = gateway.span();
        let help = format!(
            "add it to `identity.user` of the Gateway document ({}:{}), or use the \
             system-assigned one",
            span.file, span.line
        );
        let error = access.error("KL0113", message, &node.range, "not on the gateway");
        found.push(error.help(help));
    }
}

/// What counts of an Access to an HTTP service here.
struct Http<'a> {
    document: &'a Document<'a>,
    gateway: &'a str,
    apis: &'a Node,
    /// Host and path, in lower case, without a `/` at the end.
    place: String,
}

impl<'a> Http<'a> {
    fn of(document: &'a Document<'a>) -> Option<Self> {
        let from = document.spec.get("from")?;
        let url = document.spec.get("to")?.get("url")?.text()?;
        Some(Self {
            document,
            gateway: from.get("gateway")?.text()?,
            apis: from.get("apis")?,
            place: place(url),
        })
    }

    fn value(&self, key: &str) -> Option<(&'a Node, String)> {
        match key {
            "audience" => {
                let node = self.document.spec.get("to")?.get("audience")?;
                Some((node, node.text()?.to_owned()))
            }
            _ => {
                let identity = self.document.spec.get("identity")?;
                let user = identity.get("user").and_then(Node::text);
                Some((identity, user.map(|u| format!("user {u}"))?))
            }
        }
    }

    /// Whether both speak of one path from an API to a service.
    fn meets(&self, other: &Self) -> bool {
        let below = |a: &str, b: &str| {
            a.strip_prefix(b)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.gateway == other.gateway
            && (below(&self.place, &other.place) || below(&other.place, &self.place))
            && overlap(self.apis, other.apis)
    }
}

fn place(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.trim_end_matches('/').to_lowercase();
    match rest.split_once('/') {
        Some((host, path)) => format!("{}/{path}", host.trim_end_matches(":443")),
        None => rest.trim_end_matches(":443").to_owned(),
    }
}

/// Whether two choices of APIs have an operation or resolver in common.
fn overlap(a: &Node, b: &Node) -> bool {
    if a.text() == Some("*") || b.text() == Some("*") {
        return true;
    }
    let name = |api: &Node| api.get("name").and_then(Node::text).map(str::to_lowercase);
    a.items().iter().any(|x| {
        b.items().iter().any(|y| {
            let same = name(x).is_some() && name(x) == name(y);
            let shared = |key: &str| match (chosen(x, key), chosen(y, key)) {
                (Some(x), Some(y)) => !x.is_disjoint(&y),
                (Some(one), None) | (None, Some(one)) => !one.is_empty(),
                (None, None) => true,
            };
            same && (shared("resolvers") || shared("operations"))
        })
    })
}

/// The names that an API's entry chooses; `None` is all of them.
fn chosen(api: &Node, key: &str) -> Option<BTreeSet<String>> {
    let names = |node: &Node| {
        let texts = node.items().iter().filter_map(Node::text);
        texts.map(str::to_lowercase).collect()
    };
    match api.get(key) {
        Some(node) if matches!(node.value, Value::List(_)) => Some(names(node)),
        Some(_) => None,
        None if api.get("resolvers").is_none() && api.get("operations").is_none() => None,
        None => Some(BTreeSet::new()),
    }
}

fn contradiction(first: &Http<'_>, second: &Http<'_>, found: &mut Vec<Diagnostic>) {
    for (key, what) in [("audience", "audiences"), ("identity", "identities")] {
        let (a, b) = (first.value(key), second.value(key));
        let text = |value: &Option<(&Node, String)>| value.as_ref().map(|(_, t)| t.clone());
        if text(&a) == text(&b) {
            continue;
        }
        let (one, other) = (first.document, second.document);
        let at = match (&b, other.spec.entry("to")) {
            (Some((node, _)), _) => node.range.clone(),
            (None, Some(to)) => to.at.clone(),
            (None, None) => other.name_at.clone(),
        };
        let message = format!(
            "{} and {} reach one service from the same API with different {what}",
            one.title(),
            other.title()
        );
        let span = one.span();
        let help = format!(
            "the other is at {}:{}; choose other operations in one of them, or make them one",
            span.file, span.line
        );
        let error = other.error("KL0113", message, &at, "contradicts the other");
        found.push(error.help(help));
    }
}

/// A named value or backend holds one credential, which opens one service. A login may open several
/// databases of its server, so it can stand in several Accesses.
fn credentials(accesses: &[&Document<'_>], found: &mut Vec<Diagnostic>) {
    let mut listed: BTreeMap<(String, &str, String), (&Document<'_>, String)> = BTreeMap::new();
    for access in accesses {
        let gateway = access.spec.get("from").and_then(|f| f.get("gateway"));
        let Some((gateway, target)) = gateway.and_then(Node::text).zip(opens(access)) else {
            continue;
        };
        let entries = access.spec.get("replaces").map_or(&[][..], Node::items);
        for one in entries.iter().flat_map(Node::entries) {
            let kind = match one.key.as_str() {
                "namedValue" => "named value",
                "backend" => "backend",
                _ => continue,
            };
            let Some(name) = one.node.text() else {
                continue;
            };
            let key = (gateway.to_owned(), kind, name.to_lowercase());
            let Some((first, other)) = listed.get(&key) else {
                listed.insert(key, (access, target.clone()));
                continue;
            };
            if *other == target {
                continue;
            }
            let message = format!(
                "{} and {} replace one credential, the {kind} {}, for two targets",
                first.title(),
                access.title(),
                shown(name)
            );
            let span = first.span();
            let help = format!(
                "a credential opens one of them: {other} ({}:{}) or {target}",
                span.file, span.line
            );
            let error = access.error("KL0113", message, &one.node.range, "for another target");
            found.push(error.help(help));
        }
    }
}

/// The server or host that an Access reaches.
fn opens(access: &Document<'_>) -> Option<String> {
    let to = access.spec.get("to")?;
    if let Some(server) = to.get("server").and_then(Node::text) {
        return Some(format!("the server “{server}”"));
    }
    let place = place(to.get("url")?.text()?);
    let host = place.split('/').next().unwrap_or_default();
    Some(format!("the host {}", shown(host)))
}
