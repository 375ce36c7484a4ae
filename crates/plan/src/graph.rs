//! Who reaches what, and as whom: callers → API → policy → identity → role → target, as a graph
//! of what is declared and, where it was read, of what is live.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Access, Address, ApiChoice, Desired, HttpAccess, Identity, Role, Snapshot};

use crate::file::Plan;
use crate::phase::Phase;

/// Where a node stands, from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    Caller,
    Api,
    Policy,
    Identity,
    Role,
    Target,
}

/// What is known of a node's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// It needs no key, as far as was read.
    Plain,
    /// A key is still in it: the plan switches it.
    Key,
    /// The plan holds something of it up.
    HeldUp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub column: Column,
    pub label: String,
    pub way: Way,
    /// The ways that run through it, by number: nodes of one way belong in one line.
    pub ways: BTreeSet<usize>,
}

/// The nodes by id, and the edges between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    pub nodes: BTreeMap<String, Node>,
    pub edges: BTreeSet<(String, String)>,
    /// How many ways were drawn so far.
    count: usize,
}

/// The graph of every Access. `live` and the plan made from it add policies, callers, and which
/// ways still hold a key.
pub fn graph(desired: &Desired, live: Option<(&Snapshot, &Plan)>) -> Graph {
    let mut out = Graph::default();
    for access in desired.accesses.values() {
        sql(&mut out, access, live);
    }
    for access in desired.http_accesses.values() {
        http(&mut out, access, live);
    }
    out
}

impl Graph {
    fn node(&mut self, column: Column, id: &str, label: &str, way: Way) -> String {
        let node = self.nodes.entry(id.to_owned()).or_insert_with(|| Node {
            column,
            label: label.to_owned(),
            way,
            ways: BTreeSet::new(),
        });
        node.way = node.way.max(way);
        node.ways.insert(self.count);
        id.to_owned()
    }

    fn path(&mut self, nodes: &[&str]) {
        for pair in nodes.windows(2) {
            self.edges.insert((pair[0].to_owned(), pair[1].to_owned()));
        }
    }
}

fn sql(out: &mut Graph, access: &Access, live: Option<(&Snapshot, &Plan)>) {
    out.count += 1;
    let gateway = Address::gateway(&access.gateway);
    let target = access.target();
    let end = out.node(
        Column::Target,
        target.as_str(),
        target.as_str(),
        way(live, &access.name),
    );
    let role = match access.role {
        Role::Reader => "reader",
        Role::Writer => "writer",
        Role::Executor => "executor",
        Role::Custom => "custom",
    };
    let id = target.child("role", &access.role_name());
    let label = format!("{} ({role})", access.role_name());
    let role = out.node(Column::Role, id.as_str(), &label, Way::Plain);
    let identity = identity(out, &gateway, &Identity::System);
    out.path(&[&identity, &role, &end]);
    ways_in(
        out,
        &gateway,
        access.apis.as_deref(),
        &access.name,
        &identity,
        live,
    );
}

fn http(out: &mut Graph, access: &HttpAccess, live: Option<(&Snapshot, &Plan)>) {
    out.count += 1;
    let gateway = Address::gateway(&access.gateway);
    let state = way(live, &access.name);
    let end = out.node(Column::Target, &access.url, &access.url, state);
    let id = format!("{} {}", access.url, access.audience);
    let role = out.node(Column::Role, &id, &access.audience, Way::Plain);
    let identity = identity(out, &gateway, &access.identity);
    out.path(&[&identity, &role, &end]);
    ways_in(
        out,
        &gateway,
        access.apis.as_deref(),
        &access.name,
        &identity,
        live,
    );
}

fn identity(out: &mut Graph, gateway: &Address, identity: &Identity) -> String {
    match identity {
        Identity::System => {
            let label = format!("{} (system)", gateway.root_name());
            out.node(
                Column::Identity,
                gateway.part("identity").as_str(),
                &label,
                Way::Plain,
            )
        }
        Identity::User(name) => {
            let address = Address::identity(name);
            out.node(Column::Identity, address.as_str(), name, Way::Plain)
        }
    }
}

/// From the callers through the APIs and their policies to the identity.
fn ways_in(
    out: &mut Graph,
    gateway: &Address,
    choices: Option<&[ApiChoice]>,
    access: &str,
    identity: &str,
    live: Option<(&Snapshot, &Plan)>,
) {
    for (i, api) in apis(gateway, choices, live).into_iter().enumerate() {
        out.count += usize::from(i > 0);
        let label = api.name_of("api").unwrap_or("every API");
        let node = out.node(Column::Api, api.as_str(), label, Way::Plain);
        if let Some((snapshot, _)) = live {
            let caller = caller(snapshot, &api);
            let id = format!("caller {caller}");
            let caller = out.node(Column::Caller, &id, caller, Way::Plain);
            out.path(&[&caller, &node]);
        }
        let policies = live.map(|(_, plan)| switched(plan, access, &api));
        let policies = policies.unwrap_or_default();
        if policies.is_empty() {
            out.path(&[&node, identity]);
        }
        for policy in policies {
            let below = policy.as_str().strip_prefix(gateway.as_str());
            let label = below.unwrap_or_default().trim_start_matches('/');
            let policy = out.node(Column::Policy, policy.as_str(), label, Way::Key);
            out.path(&[&node, &policy, identity]);
        }
    }
}

/// The chosen APIs; for all of them only what is live tells which there are.
fn apis(
    gateway: &Address,
    choices: Option<&[ApiChoice]>,
    live: Option<(&Snapshot, &Plan)>,
) -> Vec<Address> {
    if let Some(choices) = choices {
        let named = choices.iter().map(|c| gateway.child("api", &c.name));
        return named.collect();
    }
    let Some((snapshot, _)) = live else {
        return vec![gateway.part("api")];
    };
    let current = |a: &Address| !a.last().1.contains(";rev=");
    let all = snapshot.children(gateway, "api").map(|(a, _)| a.clone());
    all.filter(current).collect()
}

/// Documents that the plan switches for this Access and that every call of the API, or one of its
/// operations, runs through.
fn switched(plan: &Plan, access: &str, api: &Address) -> Vec<Address> {
    let mine = plan.steps.iter().filter(|s| {
        s.phase == Phase::Switch && s.access.as_deref() == Some(access) && !s.is_gate()
    });
    let shared = |a: &Address| a.name_of("api").is_none();
    mine.map(|s| s.address.clone())
        .filter(|a| a.within(api) || shared(a))
        .collect()
}

/// How callers get in, as far as the API itself says.
fn caller(snapshot: &Snapshot, api: &Address) -> &'static str {
    let entity = snapshot.entities.get(api);
    match entity.and_then(|e| e.flag("/properties/subscriptionRequired")) {
        Some(true) => "callers with a subscription key",
        Some(false) => "callers without a subscription key",
        None => "callers",
    }
}

fn way(live: Option<(&Snapshot, &Plan)>, access: &str) -> Way {
    let Some((_, plan)) = live else {
        return Way::Plain;
    };
    if plan
        .waiting
        .iter()
        .any(|w| w.access.as_deref() == Some(access))
    {
        Way::HeldUp
    } else {
        Way::Plain
    }
}

#[cfg(test)]
mod tests {
    use keyless_model::{Canary, Prove, Replaces, Selection, Span};

    use super::*;

    fn access(name: &str, api: &str, url: &str, identity: Identity) -> HttpAccess {
        let choice = ApiChoice {
            name: api.into(),
            resolvers: Selection::All,
            operations: Selection::All,
        };
        HttpAccess {
            span: Span::default(),
            name: name.into(),
            gateway: "g".into(),
            apis: Some(vec![choice]),
            identity,
            url: url.into(),
            audience: format!("api://{name}"),
            accepts_token: true,
            accepts_key: true,
            replaces: Replaces::Derive,
            prove: Prove {
                canary: Canary::None,
                request: None,
                auth: None,
            },
            retire: None,
        }
    }

    #[test]
    fn every_access_is_a_way_from_its_api_to_its_target() {
        let mut desired = Desired::default();
        for (name, api, identity) in [
            ("one", "orders", Identity::System),
            ("two", "orders", Identity::User("ops".into())),
        ] {
            let url = format!("https://{name}.example");
            let access = access(name, api, &url, identity);
            desired.http_accesses.insert(name.into(), access);
        }
        let graph = graph(&desired, None);
        let edge = |from: &str, to: &str| graph.edges.contains(&(from.to_owned(), to.to_owned()));
        assert!(edge("apim:g/api:orders", "apim:g/identity"));
        assert!(edge("apim:g/api:orders", "identity:ops"));
        assert!(edge("identity:ops", "https://two.example api://two"));
        assert!(edge("https://two.example api://two", "https://two.example"));
        // Nothing was read, so nothing is said of callers and policies.
        assert!(graph.nodes.values().all(|n| n.way == Way::Plain));
        assert_eq!(graph.nodes["https://two.example"].ways, [2].into());
    }
}
