//! Estates made up by proptest.

use std::collections::BTreeSet;

use keyless_model::{Address, Owned, PolicyScope, Principal, Replaced, Replaces, Role};
use proptest::prelude::*;
use serde_json::json;

use super::whole::{inside, vault};
use super::{Estate, policy, retire, with_password, without};

/// Names of databases, users and named values as people and migrations make them.
const NAMES: [&str; 8] = [
    "orders",
    "Größe",
    "o'brien",
    "a]b",
    "x[y]z",
    "sales data",
    "na\"me",
    "件名",
];
/// Passwords: plain ones, and ones that no named value can stand for. Each ends in its number.
const PASSWORDS: [&str; 5] = ["Canary-", "Can;ary=", "Can&ary<", "Can\"ary'", "Cänäry {}"];

#[derive(Clone, Debug)]
pub struct Sketch {
    /// Whether each gateway has an identity, and whether it prunes.
    gateways: Vec<(bool, bool)>,
    /// Whether each server has its administrator declared, and is to be locked.
    servers: Vec<(bool, bool)>,
    /// Server, name, exclusive, and who else is in it.
    databases: Vec<(usize, usize, bool, usize)>,
    /// Gateway and resolvers.
    apis: Vec<(usize, Vec<Path>)>,
    accesses: Vec<Wish>,
    password: usize,
}

/// A resolver: its database, where its credential is, and whose that is.
#[derive(Clone, Debug)]
struct Path {
    database: usize,
    held: Held,
    principal: Who,
    /// It stands in a revision of the API that is not the current one.
    old: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Held {
    Literal,
    Plain,
    Hidden,
    /// A literal but for the password, which is hidden.
    HiddenPassword,
    Identity,
}

#[derive(Clone, Copy, Debug)]
enum Who {
    Shared,
    Own,
    Contained,
    Admin,
}

#[derive(Clone, Debug)]
struct Wish {
    gateway: usize,
    database: usize,
    every_api: bool,
    writer: bool,
    /// 0 none, 1 stop at disabled, 2 drop, 3 drop with a list.
    retire: usize,
}

fn path() -> impl Strategy<Value = Path> {
    let held = prop_oneof![
        3 => Just(Held::Literal), 2 => Just(Held::Plain), 2 => Just(Held::Hidden),
        1 => Just(Held::HiddenPassword), 1 => Just(Held::Identity)
    ];
    let who = prop_oneof![
        3 => Just(Who::Shared), 2 => Just(Who::Own), 2 => Just(Who::Contained), 1 => Just(Who::Admin)
    ];
    let old = prop::bool::weighted(0.3);
    (0..4usize, held, who, old).prop_map(|(database, held, principal, old)| Path {
        database,
        held,
        principal,
        old,
    })
}

fn wish() -> impl Strategy<Value = Wish> {
    let parts = (
        0..3usize,
        0..4usize,
        any::<bool>(),
        any::<bool>(),
        0..4usize,
    );
    parts.prop_map(|(gateway, database, every_api, writer, retire)| Wish {
        gateway,
        database,
        every_api,
        writer,
        retire,
    })
}

pub fn sketch() -> impl Strategy<Value = Sketch> {
    let gateway = (any::<bool>(), prop::bool::weighted(0.2));
    let database = (
        0..2usize,
        0..NAMES.len(),
        prop::bool::weighted(0.3),
        0..4usize,
    );
    let api = (0..3usize, prop::collection::vec(path(), 0..=3));
    (
        prop::collection::vec(gateway, 1..=3),
        prop::collection::vec(any::<(bool, bool)>(), 1..=2),
        prop::collection::vec(database, 1..=4),
        prop::collection::vec(api, 1..=6),
        prop::collection::vec(wish(), 0..=5),
        0..PASSWORDS.len(),
    )
        .prop_map(
            |(gateways, servers, databases, apis, accesses, password)| Sketch {
                gateways,
                servers,
                databases,
                apis,
                accesses,
                password,
            },
        )
}

impl Sketch {
    fn server(&self, database: usize) -> String {
        format!("srv{}", self.databases[database].0 % self.servers.len())
    }

    fn database(&self, database: usize) -> String {
        format!("{} {database}", NAMES[self.databases[database].1])
    }

    fn gateway(&self, number: usize) -> String {
        format!("gw{}", number % self.gateways.len())
    }

    fn password(&self, number: usize) -> String {
        format!(
            "{}{number:04}",
            PASSWORDS[(self.password + number) % PASSWORDS.len()]
        )
    }

    pub fn estate(&self) -> Estate {
        let mut e = Estate::new();
        for (index, (identity, prune)) in self.gateways.iter().enumerate() {
            let name = self.gateway(index);
            e.gateway(&name, identity.then_some(u32::try_from(index).unwrap() + 1));
            let document = e.desired.gateways.get_mut(&name).unwrap();
            document.prune = *prune;
            if *prune {
                document.owns = BTreeSet::from([Owned::NamedValues]);
            }
        }
        for (index, (admin, lock)) in self.servers.iter().enumerate() {
            let name = format!("srv{index}");
            e.server(&name);
            if *admin {
                e.declare_admin(&name);
            }
            if *lock {
                e.entra_only(&name);
            }
            e.login(&name, "shared o'app", &self.password(90 + index));
        }
        self.databases(&mut e);
        for (api, (gateway, paths)) in self.apis.iter().enumerate() {
            for (index, path) in paths.iter().enumerate() {
                self.resolver(&mut e, &self.gateway(*gateway), api, index, path);
            }
            e.api(&self.gateway(*gateway), &format!("api{api}"));
        }
        for (index, wish) in self.accesses.iter().enumerate() {
            self.access(&mut e, index, wish);
        }
        e
    }

    fn databases(&self, e: &mut Estate) {
        for (index, (_, _, exclusive, others)) in self.databases.iter().enumerate() {
            let (server, name) = (self.server(index), self.database(index));
            e.database(&server, &name);
            if *exclusive {
                e.declare_database(&server, &name, true);
            }
            e.user_of(&server, &name, "shared o'app", "shared ]user");
            let own = format!("own{index}");
            e.login(&server, &own, &self.password(index));
            e.user_of(&server, &name, &own, &own);
            let contained = format!("contained [{index}]");
            e.contained(&server, &name, &contained, &self.password(10 + index));
            if *others & 1 == 1 {
                e.external(&server, &name, "stranger", 800);
            }
            if *others & 2 == 2 {
                // What an identity that is gone left behind.
                e.external(&server, &name, "gw0", 900);
            }
        }
    }

    fn who(&self, who: Who, index: usize) -> (String, String) {
        let server = self.databases[index].0 % self.servers.len();
        match who {
            Who::Shared => ("shared o'app".into(), self.password(90 + server)),
            Who::Own => (format!("own{index}"), self.password(index)),
            Who::Contained => (format!("contained [{index}]"), self.password(10 + index)),
            Who::Admin => ("sqladmin".into(), "Admin-Passw0rd-of-the-server".into()),
        }
    }

    fn resolver(&self, e: &mut Estate, gateway: &str, api: usize, index: usize, path: &Path) {
        let database = path.database % self.databases.len();
        let (server, name) = (self.server(database), self.database(database));
        let (user, password) = self.who(path.principal, database);
        let whole = with_password(&server, &name, &user, &password);
        let value = format!("nv-{api}-{index}");
        let reference = format!("{{{{{value}}}}}");
        let text = match path.held {
            Held::Literal => whole,
            Held::Plain => {
                e.named_value(gateway, &value, &whole);
                reference
            }
            Held::Hidden => {
                e.secret_value(gateway, &value, &whole);
                reference
            }
            Held::HiddenPassword => {
                e.secret_value(gateway, &value, &password);
                with_password(&server, &name, &user, &reference)
                    .replace(&format!("\"{reference}\""), &reference)
            }
            Held::Identity => without(&server, &name),
        };
        let policy = policy(&text, path.held == Held::Identity);
        let resolver = format!("r{index}");
        if path.old {
            e.old_resolver(gateway, &format!("api{api}"), &resolver, &policy);
        } else {
            e.resolver(gateway, &format!("api{api}"), &resolver, &policy);
        }
    }

    fn access(&self, e: &mut Estate, index: usize, wish: &Wish) {
        let gateway = self.gateway(wish.gateway);
        let database = wish.database % self.databases.len();
        let (server, name) = (self.server(database), self.database(database));
        let apis: Vec<String> = self
            .apis
            .iter()
            .enumerate()
            .filter(|(_, (g, _))| self.gateway(*g) == gateway)
            .map(|(api, _)| format!("api{api}"))
            .collect();
        let apis: Vec<&str> = apis.iter().map(String::as_str).collect();
        let chosen = if wish.every_api || apis.is_empty() {
            &[]
        } else {
            &apis[..1]
        };
        let access = format!("access{index}");
        e.access(&access, &gateway, chosen, &server, &name);
        let wanted = e.wanted(&access);
        wanted.role = if wish.writer {
            Role::Writer
        } else {
            Role::Reader
        };
        wanted.retire = (wish.retire > 0).then(|| retire(wish.retire > 1));
        if wish.retire == 3 {
            wanted.replaces = Replaces::Listed(BTreeSet::from([
                Replaced::SqlLogin(format!("own{database}")),
                Replaced::SqlLogin("shared o'app".into()),
                Replaced::SqlUser(format!("contained [{database}]")),
            ]));
        }
    }
}

/// What else an estate holds: fragments, products, backends, firewall rules, role assignments.
#[derive(Clone, Debug)]
pub struct Extras {
    /// Which of the documents below are declared otherwise than live, and which are not there.
    documents: u8,
    /// What the first gateway owns and whether it prunes, by bits.
    owns: u8,
    /// By server: which rules are there, which are declared, whether it owns and prunes them,
    /// whether it is to be shut, whether it has a private endpoint.
    walls: Vec<(u8, u8, u8)>,
    /// What is there of the role assignment.
    role: u8,
}

pub fn extras() -> impl Strategy<Value = Extras> {
    let walls = prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>()), 2);
    (any::<u8>(), 0..32u8, walls, 0..6u8).prop_map(|(documents, owns, walls, role)| Extras {
        documents,
        owns,
        walls,
        role,
    })
}

const TEXT: &str = "<policies><inbound><base/><include-fragment fragment-id=\"common\"/>\
                    <set-backend-service backend-id=\"stock\"/></inbound></policies>";

impl Extras {
    pub fn add(&self, e: &mut Estate) {
        self.gateway(e);
        let servers: Vec<String> = e.desired.servers.keys().cloned().collect();
        for (server, bits) in servers.iter().zip(&self.walls) {
            Self::wall(e, server, *bits);
        }
        self.role(e);
    }

    /// A fragment, a backend, a product and the policies that speak of them.
    fn gateway(&self, e: &mut Estate) {
        let there = |bit: u8| self.documents >> bit & 1 == 0;
        let root = Address::gateway("gw0");
        e.api("gw0", "rest");
        let fragment = "<fragment><set-header name=\"x\"><value>{{mark}}</value></set-header>\
                        </fragment>";
        if there(0) {
            let old = json!({ "format": "rawxml", "value": "<fragment />" });
            e.put(&root.child("policyFragment", "common"), old);
        }
        e.declare_policy("gw0", PolicyScope::Fragment("common".into()), fragment);
        if there(1) {
            e.put(
                &root.child("backend", "stock"),
                json!({ "url": "https://old.example" }),
            );
        }
        let url = json!({ "url": "https://stock.example", "protocol": "http" });
        e.declare("Backend", &root.child("backend", "stock"), url);
        let mark = json!({ "displayName": "mark", "value": "1", "secret": false });
        if there(2) {
            e.put(&root.child("namedValue", "mark"), mark.clone());
        }
        e.declare_value("gw0", "mark", mark);
        let product = root.child("product", "gold");
        if there(3) {
            e.put(
                &product,
                json!({ "displayName": "Gold", "state": "notPublished" }),
            );
        }
        e.declare(
            "Product",
            &product,
            json!({ "displayName": "Gold", "state": "published" }),
        );
        e.declare_policy("gw0", PolicyScope::Product("gold".into()), TEXT);
        e.declare_policy("gw0", PolicyScope::Api("rest".into()), TEXT);
        if there(4) {
            e.put(
                &root.child("policyFragment", "unused"),
                json!({ "value": "<fragment/>" }),
            );
            e.put(
                &root.child("backend", "unused"),
                json!({ "url": "https://unused.example" }),
            );
        }
        if there(5) {
            let used = json!({ "url": "https://used.example" });
            e.put(&root.child("backend", "used"), used);
            let text = "<policies><inbound><set-backend-service backend-id=\"used\"/></inbound>\
                        </policies>";
            let operation = root.child("api", "rest").child("operation", "get");
            e.put(&operation, json!({ "urlTemplate": "/" }));
            e.put(&operation.part("policy"), json!({ "value": text }));
        }
        let document = e.desired.gateways.get_mut("gw0").unwrap();
        for (bit, owned) in [Owned::Backends, Owned::Fragments, Owned::NamedValues]
            .iter()
            .enumerate()
        {
            if self.owns >> bit & 1 == 1 {
                document.owns.insert(*owned);
            }
        }
        document.prune |= self.owns >> 3 & 1 == 1;
    }

    /// Gateways call from addresses of their own, which one rule or the other lets in.
    fn wall(e: &mut Estate, server: &str, (there, declared, own): (u8, u8, u8)) {
        let root = e.wall(server);
        let gateways: Vec<String> = e.desired.gateways.keys().cloned().collect();
        for (number, gateway) in gateways.iter().enumerate() {
            e.calls_from(gateway, &format!("20.0.0.{number}"));
        }
        let rules = [
            ("azure", "0.0.0.0", "0.0.0.0"),
            ("gateways", "20.0.0.0", "20.0.0.99"),
            ("first", "20.0.0.0", "20.0.0.0"),
            ("office", "9.9.9.9", "9.9.9.9"),
        ];
        for (bit, (name, start, end)) in rules.iter().enumerate() {
            if there >> bit & 1 == 1 {
                e.rule(server, name, start, end);
            }
            if declared >> bit & 1 == 1 {
                // Some are to let in less, some more.
                let end = match declared >> (bit + 4) & 1 {
                    1 if *name == "gateways" => "20.0.0.1",
                    1 if *name == "office" => "9.9.9.20",
                    _ => end,
                };
                e.declare_rule(server, name, start, end);
            }
        }
        if own & 1 == 1 {
            e.owns_firewall(server, own >> 1 & 1 == 1);
        }
        let databases: Vec<Address> = e.truth.databases.keys().cloned().collect();
        for database in databases.iter().filter(|d| d.root() == root) {
            if own >> 2 & 1 == 1 {
                let rule = inside("inside", "20.0.0.0", "20.0.0.50");
                let name = e.truth.databases.get_mut(database).unwrap();
                if let keyless_model::Live::Present(catalogue) = name {
                    catalogue.firewall_rules.push(rule);
                }
            }
        }
        if own >> 3 & 3 == 3 {
            let properties = &mut e.desired.servers.get_mut(server).unwrap().properties;
            properties.insert("publicNetworkAccess".into(), "Disabled".into());
            let entity = e.truth.entities.get_mut(&root).unwrap();
            entity.body["properties"]["privateEndpointConnections"] = json!([{ "id": "pe" }]);
        }
    }

    fn role(&self, e: &mut Estate) {
        let scope = vault("kv");
        e.declare_role("reader", &scope, Principal::Gateway("gw0".into()));
        let group = scope.split("/providers").next().unwrap().to_owned();
        match self.role {
            1 => e.assigned(&scope, &scope.to_uppercase(), &Estate::object_id(1), ""),
            2 => e.assigned(&scope, &group, &Estate::object_id(1), ""),
            3 => {
                e.assigned(&scope, &scope, &Estate::object_id(77), "keyless: reader");
                let address = Address::role_assignment("reader");
                e.state.applied.entry(address).or_default().made = true;
            }
            4 => {
                let why = keyless_model::Live::Unreadable("forbidden".into());
                e.truth.assignments.insert(scope.to_lowercase(), why);
            }
            5 => e.assigned(&scope, &group, &Estate::object_id(2), "keyless: other"),
            _ => {}
        }
        e.declare_reference("gw0", "partner", "kv");
    }
}
