//! Who reaches what, and as whom: callers → API → policy → identity → role → target, as a graph
//! of what is declared and, where it was read, of what is live.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{
    Access, Address, ApiChoice, Desired, Entity, HttpAccess, Identity, Role, Snapshot,
};
use keyless_policy::Document;
use keyless_scan::{Confidence, HttpCredential, http_credentials};

use crate::file::Plan;
use crate::phase::Phase;
use crate::stages::sources::{in_revision, on_identity};
use crate::stages::touched::touched;

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
    let to_sql = desired.accesses.values().map(sql);
    for access in to_sql.chain(desired.http_accesses.values().map(http)) {
        access.draw(&mut out, desired, live);
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

/// One Access, of either sort: what it draws from the identity on, and how its documents are known.
struct Drawn<'a> {
    name: &'a str,
    gateway: Address,
    choices: Option<&'a [ApiChoice]>,
    identity: &'a Identity,
    /// The ids and labels of the role and the target.
    role: (String, String),
    target: String,
    goal: Goal<'a>,
}

/// What a document that needs no key does to serve the Access.
enum Goal<'a> {
    /// It connects to the database.
    Sql(&'a Access),
    /// It asks for a token of the audience.
    Http(&'a HttpAccess),
}

fn sql(access: &Access) -> Drawn<'_> {
    let target = access.target();
    let role = match access.role {
        Role::Reader => "reader",
        Role::Writer => "writer",
        Role::Executor => "executor",
        Role::Custom => "custom",
    };
    let id = target.child("role", &access.role_name());
    Drawn {
        name: &access.name,
        gateway: Address::gateway(&access.gateway),
        choices: access.apis.as_deref(),
        identity: &Identity::System,
        role: (id.to_string(), format!("{} ({role})", access.role_name())),
        target: target.to_string(),
        goal: Goal::Sql(access),
    }
}

fn http(access: &HttpAccess) -> Drawn<'_> {
    let id = format!("{} {}", access.url, access.audience);
    Drawn {
        name: &access.name,
        gateway: Address::gateway(&access.gateway),
        choices: access.apis.as_deref(),
        identity: &access.identity,
        role: (id, access.audience.clone()),
        target: access.url.clone(),
        goal: Goal::Http(access),
    }
}

impl Drawn<'_> {
    /// From the identity to the target, and then from the callers to the identity.
    fn draw(&self, out: &mut Graph, desired: &Desired, live: Option<(&Snapshot, &Plan)>) {
        out.count += 1;
        let state = way(live, self.name);
        let end = out.node(Column::Target, &self.target, &self.target, state);
        let (id, label) = &self.role;
        let role = out.node(Column::Role, id, label, Way::Plain);
        let identity = identity(out, &self.gateway, self.identity);
        out.path(&[&identity, &role, &end]);
        self.ways_in(out, &identity, desired, live);
    }

    /// From the callers through the APIs and their policies to the identity.
    fn ways_in(
        &self,
        out: &mut Graph,
        identity: &str,
        desired: &Desired,
        live: Option<(&Snapshot, &Plan)>,
    ) {
        let documents = live.map(|(snapshot, plan)| self.documents(desired, snapshot, plan));
        let documents = documents.unwrap_or_default();
        let apis = apis(&self.gateway, self.choices, live);
        for (i, api) in apis.into_iter().enumerate() {
            out.count += usize::from(i > 0);
            let label = api.name_of("api").unwrap_or("every API");
            let node = out.node(Column::Api, api.as_str(), label, Way::Plain);
            if let Some((snapshot, _)) = live {
                let caller = caller(snapshot, &api);
                let id = format!("caller {caller}");
                let caller = out.node(Column::Caller, &id, caller, Way::Plain);
                out.path(&[&caller, &node]);
            }
            let mine = documents
                .iter()
                .filter(|(_, serves, _)| serves.contains(label));
            let mut alone = true;
            for (document, _, way) in mine {
                let below = document.as_str().strip_prefix(self.gateway.as_str());
                let label = below.unwrap_or_default().trim_start_matches('/');
                let document = out.node(Column::Policy, document.as_str(), label, *way);
                out.path(&[&node, &document, identity]);
                alone = false;
            }
            if alone {
                out.path(&[&node, identity]);
            }
        }
    }

    /// The documents by which calls reach the identity, now or once the plan has switched them, with
    /// the APIs whose calls run through each.
    fn documents(
        &self,
        desired: &Desired,
        snapshot: &Snapshot,
        plan: &Plan,
    ) -> Vec<(Address, BTreeSet<String>, Way)> {
        let here = snapshot.entities.range(self.gateway.clone()..);
        let here = here.take_while(|(a, _)| a.as_str().starts_with(self.gateway.as_str()));
        let here = here.filter(|(a, _)| a.within(&self.gateway) && !in_revision(a));
        let done = here.filter(|(a, e)| match &self.goal {
            Goal::Sql(access) => on_identity(desired, snapshot, access, a),
            Goal::Http(access) => asks_for(&access.audience, e),
        });
        let mut found: BTreeMap<Address, Way> =
            done.map(|(a, _)| (a.clone(), Way::Plain)).collect();
        if let Goal::Http(access) = &self.goal {
            found.extend(with_keys(snapshot, access, &self.gateway));
        }
        let switched = switched(plan, self.name).filter(|a| !in_revision(a));
        found.extend(switched.map(|a| (a.clone(), Way::Key)));
        let with_apis = |(a, way): (Address, Way)| (a.clone(), touched(snapshot, &a), way);
        found.into_iter().map(with_apis).collect()
    }
}

/// The policies of the chosen APIs that send a key, whether the plan can switch them or not.
fn with_keys(
    snapshot: &Snapshot,
    access: &HttpAccess,
    gateway: &Address,
) -> BTreeMap<Address, Way> {
    let mut out = BTreeMap::new();
    for choice in access.apis.iter().flatten() {
        let api = gateway.child("api", &choice.name);
        let operations = snapshot.children(&api, "operation").map(|(a, _)| a);
        let chosen = operations.filter(|a| choice.operations.holds(a.last().1));
        let scopes = std::iter::once(&api).chain(chosen);
        for policy in scopes.map(|scope| scope.part("policy")) {
            let text = snapshot.policy_text(&policy).map(Document::parse);
            let credentials = text.and_then(Result::ok).map(|d| http_credentials(&d));
            let certain = |c: &HttpCredential| c.confidence != Confidence::Possible;
            if credentials.is_some_and(|found| found.iter().any(certain)) {
                out.insert(policy, Way::Key);
            }
        }
    }
    out
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
    let all = snapshot.children(gateway, "api").map(|(a, _)| a.clone());
    all.filter(|a| !in_revision(a)).collect()
}

/// Documents that the plan switches for this Access, alone or with others.
fn switched<'a>(plan: &'a Plan, access: &'a str) -> impl Iterator<Item = &'a Address> {
    let steps = plan.steps.iter().filter(|s| s.phase == Phase::Switch);
    let mine = steps.filter(move |s| !s.is_gate() && s.accesses().contains(access));
    mine.map(|s| &s.address)
}

/// Whether a document asks for a token of this audience: a policy with
/// `authentication-managed-identity`, or a backend with `credentials.managedIdentity` (azure-facts
/// B.3, B.4).
fn asks_for(audience: &str, entity: &Entity) -> bool {
    if entity.text("/properties/credentials/managedIdentity/resource") == Some(audience) {
        return true;
    }
    let text = entity.text("/properties/value");
    let text = text.filter(|t| t.contains("authentication-managed-identity"));
    let Some(Ok(document)) = text.map(Document::parse) else {
        return false;
    };
    document.elements().iter().any(|element| {
        let resource = element.attribute("resource");
        element.name() == "authentication-managed-identity"
            && resource.is_some_and(|a| a.value == audience)
    })
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

    fn policy(text: &str) -> Entity {
        Entity {
            id: String::new(),
            body: serde_json::json!({ "properties": { "value": text } }),
            etag: None,
        }
    }

    #[test]
    fn what_asks_for_the_token_is_drawn_without_any_plan_to_switch_it() {
        let mut desired = Desired::default();
        let one = access("one", "orders", "https://one.example", Identity::System);
        desired.http_accesses.insert("one".into(), one);
        let mut live = Snapshot::default();
        let text = |audience: &str| {
            format!(
                "<policies><inbound><authentication-managed-identity resource=\"{audience}\"/>\
                 </inbound></policies>"
            )
        };
        let g = Address::gateway("g");
        let shared = g.child("product", "all");
        for (place, entity) in [
            (g.child("api", "orders"), policy("")),
            (
                g.child("api", "orders").part("policy"),
                policy(&text("api://one")),
            ),
            (
                g.child("api", "other").part("policy"),
                policy(&text("api://one")),
            ),
            (
                g.child("api", "orders")
                    .child("operation", "o")
                    .part("policy"),
                policy(&text("api://two")),
            ),
            (shared.clone(), policy("")),
            (shared.child("api", "orders"), policy("")),
            (shared.part("policy"), policy(&text("api://one"))),
        ] {
            live.entities.insert(place, entity);
        }
        let plan = Plan::sealed(
            "t",
            crate::file::Inputs::default(),
            BTreeMap::new(),
            vec![],
            vec![],
        );
        let graph = graph(&desired, Some((&live, &plan)));
        let documents: Vec<&str> = graph
            .nodes
            .values()
            .filter(|n| n.column == Column::Policy && n.way == Way::Plain)
            .map(|n| n.label.as_str())
            .collect();
        assert_eq!(documents, ["api:orders/policy", "product:all/policy"]);
        let edge = |from: &str, to: &str| graph.edges.contains(&(from.to_owned(), to.to_owned()));
        assert!(edge("apim:g/product:all/policy", "apim:g/identity"));
        assert!(!edge("apim:g/api:orders", "apim:g/identity"));
    }
}
