//! Estates made up by proptest.

use std::collections::BTreeSet;

use keyless_model::{Owned, Replaced, Replaces, Role};
use proptest::prelude::*;

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
    (0..4usize, held, who).prop_map(|(database, held, principal)| Path {
        database,
        held,
        principal,
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
        e.resolver(gateway, &format!("api{api}"), &format!("r{index}"), &policy);
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
