//! What is proposed for small gateways, and what is not.

use std::collections::BTreeMap;

use keyless_model::sql::Login;
use keyless_model::{Address, ArmId, Entity, Live, Replaced, Role, Snapshot};
use serde_json::{Value, json};

use super::{Database, Proposal, ProposedAccess, Reached, propose};
use crate::file::Root;

const SECRET: &str = "hunter22-made-up-1234";

struct World {
    snapshot: Snapshot,
    roots: BTreeMap<Address, Root>,
}

fn gateway() -> Address {
    Address::gateway("g")
}

impl World {
    /// A gateway and one server.
    fn new() -> Self {
        let mut out = Self {
            snapshot: Snapshot::default(),
            roots: BTreeMap::new(),
        };
        out.root(gateway(), "Microsoft.ApiManagement/service", "g");
        out.root(Address::server("s"), "Microsoft.Sql/servers", "s");
        out
    }

    fn root(&mut self, address: Address, kind: &str, name: &str) {
        let subscription = "00000000-0000-0000-0000-000000000001";
        let id = ArmId::new(subscription, "rg", kind, name).unwrap();
        self.put(&address, json!({}));
        self.roots.insert(address, Root { id, host: None });
    }

    fn put(&mut self, address: &Address, properties: Value) {
        let entity = Entity {
            id: String::new(),
            etag: None,
            body: json!({ "properties": properties }),
        };
        self.snapshot.entities.insert(address.clone(), entity);
    }

    fn api(&mut self, name: &str, url: &str, inbound: &str) {
        let api = gateway().child("api", name);
        self.put(&api, json!({ "serviceUrl": url }));
        let text = format!("<policies><inbound><base/>{inbound}</inbound></policies>");
        self.put(&api.part("policy"), json!({ "value": text }));
    }

    fn resolver(&mut self, api: &str, name: &str, connection: &str, statement: &str) {
        let api = gateway().child("api", api);
        self.put(&api, json!({}));
        let resolver = api.child("resolver", name);
        self.put(&resolver, json!({ "path": format!("Query/{name}") }));
        let text = format!(
            "<sql-data-source><connection-info><connection-string>{connection}\
             </connection-string></connection-info><request><sql-statement>{statement}\
             </sql-statement></request></sql-data-source>"
        );
        self.put(&resolver.part("policy"), json!({ "value": text }));
    }

    fn value(&mut self, name: &str, properties: Value) {
        let mut properties = properties;
        properties["displayName"] = json!(name);
        self.put(&gateway().child("namedValue", name), properties);
    }

    /// Nothing that is proposed may hold what was planted.
    fn proposed(&self) -> Proposal {
        let out = propose(&self.snapshot, &self.roots);
        assert!(!format!("{out:?}").contains(SECRET), "{out:?}");
        out
    }
}

fn connection(server: &str, database: &str) -> String {
    format!("Server=tcp:{server}.database.windows.net,1433;Database={database};Uid=u;Pwd={SECRET};")
}

fn key() -> String {
    format!("<set-header name=\"x-api-key\"><value>{SECRET}</value></set-header>")
}

fn database(access: &ProposedAccess) -> &Database {
    match &access.to {
        Reached::Database(database) => database,
        Reached::Service(url) => panic!("{url} is no database"),
    }
}

/// Each Access as `name: apis -> url`.
fn told(proposal: &Proposal) -> Vec<String> {
    let one = |a: &ProposedAccess| {
        let apis: Vec<&str> = a.apis.iter().map(String::as_str).collect();
        let to = match &a.to {
            Reached::Database(d) => format!("{}/{}", d.server, d.name),
            Reached::Service(url) => url.clone(),
        };
        format!("{}: {} -> {to}", a.name, apis.join(" "))
    };
    proposal.accesses.iter().map(one).collect()
}

fn reasons(proposal: &Proposal) -> Vec<&str> {
    proposal.left.iter().map(|l| l.why.as_str()).collect()
}

#[test]
fn apis_that_reach_one_database_share_an_access() {
    let mut world = World::new();
    world.resolver(
        "a",
        "x",
        &connection("s", "Orders"),
        "SELECT 1 FROM sales.O",
    );
    world.resolver("b", "y", &connection("S", "orders"), "EXEC api.Put");
    world.resolver("b;rev=2", "y", &connection("s", "other"), "SELECT 1");
    let proposal = world.proposed();
    let wanted = [
        "orders-db: a b -> sql:s/orders",
        "other-db: b -> sql:s/other",
    ];
    assert_eq!(told(&proposal), wanted);
    let rights = &database(&proposal.accesses[0]).rights;
    assert_eq!(rights.role, Role::Custom);
    assert_eq!(rights.schemas, ["api", "sales"]);
    assert_eq!(rights.permissions, ["SELECT", "EXECUTE"]);
    assert_eq!(database(&proposal.accesses[1]).rights.schemas, ["dbo"]);
    assert!(database(&proposal.accesses[0]).replaces.is_none());
    let names = [("orders", "orders"), ("other", "other")];
    let names = names.map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(proposal.servers[0].databases, names);
}

#[test]
fn what_only_a_secret_tells_is_named_in_replaces() {
    let mut world = World::new();
    world.resolver("a", "x", "{{db}}", "SELECT 1 FROM dbo.O");
    world.value("db", json!({ "secret": true }));
    let proposal = world.proposed();
    assert!(proposal.accesses.is_empty());
    let why = "its connection string is the secret named value db";
    assert_eq!(reasons(&proposal), [why]);

    world.value(
        "db",
        json!({ "secret": true, "value": connection("s", "d") }),
    );
    let proposal = world.proposed();
    let found = database(&proposal.accesses[0]);
    assert_eq!(
        found.replaces,
        Some(vec![Replaced::NamedValue("db".into())])
    );
    assert!(found.unplaced.contains("u"));

    let login = Login {
        name: "U".into(),
        sid: None,
        disabled: false,
    };
    let logins = Live::Present(vec![login]);
    world.snapshot.logins.insert(Address::server("s"), logins);
    let proposal = world.proposed();
    let found = database(&proposal.accesses[0]);
    let login = Replaced::SqlLogin("u".into());
    assert!(found.replaces.as_ref().is_some_and(|r| r.contains(&login)));
    assert!(found.unplaced.is_empty());
}

#[test]
fn strings_that_do_not_tell_where_they_lead_are_left() {
    let mut world = World::new();
    world.resolver("a", "x", "@(context.Variables[\"c\"])", "SELECT 1");
    world.resolver("b", "x", "{{vault}}", "SELECT 1");
    let vault = json!({ "secret": true, "keyVault": { "secretIdentifier": "https://v" } });
    world.value("vault", vault);
    world.resolver("c", "x", "{{gone}}", "SELECT 1");
    // A server that no root is.
    world.resolver("d", "x", &connection("elsewhere", "d"), "SELECT 1");
    // Nothing to move.
    world.resolver(
        "e",
        "x",
        "Server=s.database.windows.net;Database=d",
        "SELECT 1",
    );
    let proposal = world.proposed();
    assert!(proposal.accesses.is_empty(), "{:?}", told(&proposal));
    assert_eq!(
        reasons(&proposal),
        [
            "its connection string names no server and database in clear",
            "its connection string lies in Key Vault, behind vault",
            "its connection string refers to gone, which is not listed",
        ]
    );
    let hosts: Vec<&String> = proposal.hosts.keys().collect();
    assert_eq!(hosts, ["elsewhere.database.windows.net"]);
}

#[test]
fn a_string_that_runs_its_parts_together_shows_none_of_them() {
    let mut world = World::new();
    let text = format!("Server=s.database.windows.net;Database={SECRET};Uid=u;Pwd={SECRET}");
    world.resolver("a", "x", &text, "SELECT 1");
    let text = format!("Server={SECRET};Database=d;Uid=u;Pwd={SECRET}");
    world.resolver("b", "x", &text, "SELECT 1");
    let proposal = world.proposed();
    assert!(proposal.accesses.is_empty() && proposal.hosts.is_empty());
    assert_eq!(proposal.left.len(), 2);
}

#[test]
fn services_are_told_apart_by_host_and_keys_by_the_call_that_sends_them() {
    let mut world = World::new();
    world.api("a", "https://A.net/one", &key());
    world.api("b", "https://a.net/two", &key());
    world.api("plain", "https://plain.net", "");
    let request = format!(
        "<send-request response-variable-name=\"r\"><set-url>https://api.other.net/x</set-url>{}\
         </send-request>",
        key()
    );
    world.api("c", "https://plain.net", &request);
    world.api(
        "d",
        "https://d.net",
        "<set-backend-service backend-id=\"e\"/>",
    );
    let backend = gateway().child("backend", "e");
    let credentials = json!({ "header": { "x-functions-key": [SECRET] } });
    world.put(
        &backend,
        json!({ "url": "https://e.net", "credentials": credentials }),
    );
    world.api("f", &format!("https://u:{SECRET}@f.net/?code={SECRET}"), "");
    let proposal = world.proposed();
    let wanted = [
        "a: a b -> https://a.net",
        "other-api: c -> https://api.other.net",
        "e: d -> https://e.net",
        "f: f -> https://f.net",
    ];
    assert_eq!(told(&proposal), wanted);
    assert!(proposal.accesses[2].places.contains(&backend));
    assert!(proposal.left.is_empty(), "{:?}", proposal.left);
}

#[test]
fn calls_that_nobody_can_follow_are_left() {
    let mut world = World::new();
    let to = |url: &str| format!("<set-backend-service base-url=\"{url}\"/>{}", key());
    world.api(
        "a",
        "",
        &to("@(context.Variables.GetValueOrDefault(&quot;u&quot;))"),
    );
    world.api("b", "", &to("https://{{host}}/x"));
    world.value("host", json!({ "secret": true, "value": SECRET }));
    world.api("c", "", &to("http://c.net"));
    // One that everybody may see is followed.
    world.api("d", "", &to("https://{{open}}.net"));
    world.value("open", json!({ "secret": false, "value": "d" }));
    let proposal = world.proposed();
    assert_eq!(told(&proposal), ["d: d -> https://d.net"]);
    assert_eq!(proposal.left.len(), 3, "{:?}", proposal.left);
}

#[test]
fn a_client_secret_belongs_to_where_its_token_goes() {
    let mut world = World::new();
    let fetch = format!(
        "<send-request response-variable-name=\"t\">\
         <set-url>https://login.microsoftonline.com/t/oauth2/v2.0/token</set-url>\
         <set-body>client_id=a&amp;client_secret={SECRET}</set-body></send-request>\
         <set-header name=\"Authorization\"><value>@(\"Bearer \" + \
         ((IResponse)context.Variables[\"t\"]).Body.As&lt;JObject>()[\"access_token\"])</value>\
         </set-header>"
    );
    world.api("a", "https://a.net", &fetch);
    let proposal = world.proposed();
    assert_eq!(told(&proposal), ["a: a -> https://a.net"]);
    assert!(proposal.left.is_empty(), "{:?}", proposal.left);
}

#[test]
fn the_example_reads_and_never_writes() {
    let mut world = World::new();
    world.api("a", "https://a.net", &key());
    let api = gateway().child("api", "a");
    for (name, method, path) in [
        ("1", "DELETE", "/"),
        ("2", "GET", "/x/{id}"),
        ("3", "GET", "/x"),
    ] {
        let operation = api.child("operation", name);
        world.put(&operation, json!({ "method": method, "urlTemplate": path }));
    }
    let example = world.proposed().accesses.remove(0).example.unwrap();
    assert_eq!((example.method, example.path.as_str()), ("GET", "/x"));

    let mut world = World::new();
    world.resolver("a", "x", &connection("s", "d"), "UPDATE dbo.T SET a = 1");
    let resolver = gateway().child("api", "a").child("resolver", "x");
    world.put(&resolver, json!({ "path": "Mutation/x" }));
    assert!(world.proposed().accesses[0].example.is_none());
}
