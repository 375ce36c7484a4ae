//! SQL servers, their databases, and the GraphQL APIs in front of them.

use std::ops::Range;

use serde_json::{Value, json};

use crate::generated::connection::{Used, Way, connection, resolver};
use crate::generated::names;
use crate::generated::sketch::{Api, Login, Sketch, drops};

/// Where the gateway calls from.
pub const OUTBOUND: &str = "10.20.30.40";

pub struct Server {
    pub document: String,
    pub name: String,
}

pub struct Database {
    pub name: String,
    pub user: String,
    /// The login of the server that the user is for; None is a contained user.
    pub login: Option<String>,
    pub password: String,
    /// A contained user and its password, which only a stale revision still comes with.
    pub older: Option<(String, String)>,
}

impl Database {
    /// Who comes in by a revision.
    fn way<'a>(&'a self, server: &'a Server, old: bool) -> Way<'a> {
        let user = self.login.as_ref().unwrap_or(&self.user);
        let (user, password) = match &self.older {
            Some((user, password)) if old => (user, password),
            _ => (user, &self.password),
        };
        Way {
            server,
            database: &self.name,
            user,
            password,
        }
    }
}

pub fn add(sketch: &mut Sketch, apis: &mut usize) {
    for _ in 0..sketch.chance.between(1, 3) {
        if *apis > 0 {
            server(sketch, apis);
        }
    }
}

fn server(sketch: &mut Sketch, apis: &mut usize) {
    let (document, word) = (sketch.names.word(), sketch.names.word());
    let name = format!("{}-sql", names::root(&mut sketch.chance, &word));
    let server = Server { document, name };
    let count = sketch.chance.between(1, 3).min(*apis);
    let databases = databases(sketch, count);
    put_server(sketch, &server);
    let mut moved = Vec::new();
    let mut before: Option<Api> = None;
    for (index, database) in databases.into_iter().enumerate() {
        let spare = *apis > count - index && sketch.chance.once_in(3);
        let own = if spare { 2 } else { 1 };
        *apis -= own;
        let own: Vec<Api> = (0..own).map(|_| sketch.api(true, None)).collect();
        // An API may lead to two databases, where nothing hides to which.
        let guest = before.filter(|_| sketch.inspects && sketch.chance.once_in(3));
        let one = access(sketch, &server, database, &own, guest.as_ref());
        before = own.into_iter().next();
        if sketch.chance.once_in(2) {
            let word = sketch.names.word();
            let owns = sketch.chance.once_in(2);
            let spec =
                json!({ "server": server.document, "name": one.database.name, "owns": owns });
            sketch.document("SqlDatabase", &word, spec);
        }
        moved.push(one);
    }
    scripts(sketch, &server, &moved);
    let only = moved.iter().all(|m| m.retire.is_some()) && sketch.chance.once_in(2);
    expect(sketch, &server, &moved, only);
    server_document(sketch, &server, only);
}

/// A database and what becomes of its old way in.
struct Moved {
    database: Database,
    access: String,
    /// What `retire` of the Access says.
    retire: Option<Value>,
}

impl Moved {
    fn shares_login(&self, other: &Self) -> bool {
        self.database.login.is_some() && self.database.login == other.database.login
    }
}

/// A login is closed when nobody needs it any more, or when the server takes no passwords.
fn expect(sketch: &mut Sketch, server: &Server, moved: &[Moved], only_entra: bool) {
    for one in moved {
        let sharing = moved.iter().filter(|other| one.shares_login(other));
        let (mut needed, mut kept) = (false, false);
        for other in sharing {
            needed |= other.retire.is_none();
            kept |= !drops(other.retire.as_ref());
        }
        let mut login = |old: bool, closed: Option<bool>| {
            let way = one.database.way(server, old);
            sketch.expected.logins.push(Login {
                server: server.name.clone(),
                database: way.database.to_owned(),
                user: way.user.to_owned(),
                password: way.password.to_owned(),
                closed: if only_entra { Some(true) } else { closed },
            });
        };
        let retires = one.retire.is_some();
        login(false, (!(retires && needed)).then_some(retires));
        if one.database.older.is_some() {
            login(true, Some(retires));
        }
        if one.retire.is_none() {
            sketch.expected.unretired.push(one.access.clone());
        } else if needed || (drops(one.retire.as_ref()) && kept) {
            sketch.expected.waiting.push(one.access.clone());
        }
    }
}

/// Databases with a contained user, a login for each, or one login for two of them.
fn databases(sketch: &mut Sketch, count: usize) -> Vec<Database> {
    let shared = sketch.chance.once_in(2);
    let mut out: Vec<Database> = Vec::new();
    for index in 0..count {
        let (word, person) = (sketch.names.word(), sketch.names.word());
        let name = names::database(&mut sketch.chance, &word);
        let user = names::login(&mut sketch.chance, &person);
        let (login, password) = match out.first() {
            Some(first) if shared && index == 1 => (first.login.clone(), first.password.clone()),
            _ => {
                let contained = !(shared && index == 0) && sketch.chance.once_in(2);
                let login = names::login(&mut sketch.chance, &person);
                ((!contained).then_some(login), sketch.password())
            }
        };
        let older = sketch.chance.once_in(3).then(|| {
            let person = sketch.names.word();
            (names::login(&mut sketch.chance, &person), sketch.password())
        });
        out.push(Database {
            name,
            user,
            login,
            password,
            older,
        });
    }
    out
}

fn put_server(sketch: &mut Sketch, server: &Server) {
    let id = format!("Microsoft.Sql/servers/{}", server.name);
    sketch.resource(&id, json!({ "administratorLogin": "root_of_all" }));
    if sketch.chance.once_in(2) {
        let properties = json!({
            "administratorType": "ActiveDirectory", "login": "dbas",
            "sid": sketch.admins, "tenantId": sketch.tenant,
        });
        sketch.resource(&format!("{id}/administrators/ActiveDirectory"), properties);
    }
}

/// What the server's document asks for; with `only_entra` that passwords are refused.
fn server_document(sketch: &mut Sketch, server: &Server, only_entra: bool) {
    let id = format!(
        "{}/providers/Microsoft.Sql/servers/{}",
        sketch.group, server.name
    );
    let mut spec = json!({
        "id": id,
        "entraAdmin": { "login": "dbas", "sid": "${{ var.azure.admins }}", "principalType": "Group" },
    });
    if only_entra {
        spec["entraOnly"] = json!(true);
    }
    if sketch
        .sql
        .iter()
        .any(|s| s["server"] == json!(server.name) && s.get("clientAddress").is_some())
    {
        spec["owns"] = json!(["firewallRules"]);
        spec["prune"] = json!(true);
    }
    sketch.document("SqlServer", &server.document, spec);
}

fn scripts(sketch: &mut Sketch, server: &Server, moved: &[Moved]) {
    let databases = || moved.iter().map(|m| &m.database);
    let mut logins: Vec<String> = databases()
        .filter_map(|d| {
            let name = bracketed(d.login.as_ref()?);
            Some(format!(
                "CREATE LOGIN {name} WITH PASSWORD = '{}'",
                text(&d.password)
            ))
        })
        .collect();
    logins.dedup();
    let mut list = Vec::new();
    if !logins.is_empty() {
        list.push(json!({ "name": "master", "script": logins.join("\nGO\n") }));
    }
    for database in databases() {
        let script = script(sketch, database);
        let id = format!(
            "Microsoft.Sql/servers/{}/databases/{}",
            server.name, database.name
        );
        sketch.resource(&id, json!({}));
        list.push(json!({ "name": database.name, "script": script }));
    }
    let password = sketch.secret();
    let mut sql = json!({ "server": server.name, "adminPassword": password, "databases": list });
    if sketch.chance.once_in(3) {
        firewall(sketch, server);
        sql["clientAddress"] = json!(OUTBOUND);
    }
    sketch.sql.push(sql);
}

/// All of Azure may knock; only the gateway's own address is to.
fn firewall(sketch: &mut Sketch, server: &Server) {
    let open = json!({ "startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0" });
    let id = format!(
        "Microsoft.Sql/servers/{}/firewallRules/AllowAllWindowsAzureIps",
        server.name
    );
    sketch.resource(&id, open);
    let rule = format!(
        "sql:{}/firewallRule:AllowAllWindowsAzureIps",
        server.document
    );
    sketch.expected.clean.push(rule);
    let word = sketch.names.word();
    let spec = json!({
        "server": server.document, "startIpAddress": OUTBOUND, "endIpAddress": "10.20.30.47",
    });
    sketch.document("FirewallRule", &word, spec);
}

fn script(sketch: &mut Sketch, database: &Database) -> String {
    let user = bracketed(&database.user);
    let create = match &database.login {
        Some(login) => format!("CREATE USER {user} FOR LOGIN {}", bracketed(login)),
        None => format!(
            "CREATE USER {user} WITH PASSWORD = '{}'",
            text(&database.password)
        ),
    };
    let mut older = String::new();
    if let Some((user, password)) = &database.older {
        let (user, password) = (bracketed(user), text(password));
        older = format!(
            "\nGO\nCREATE USER {user} WITH PASSWORD = '{password}'\nGO\n\
             ALTER ROLE db_datareader ADD MEMBER {user}"
        );
    }
    let right = match sketch.chance.below(3) {
        0 => format!("ALTER ROLE db_owner ADD MEMBER {user}"),
        1 => format!("GRANT SELECT, INSERT ON SCHEMA::dbo TO {user}"),
        _ => format!("ALTER ROLE db_datareader ADD MEMBER {user}"),
    };
    format!(
        "CREATE TABLE dbo.Things (id int PRIMARY KEY, label nvarchar(40))\nGO\n\
         INSERT INTO dbo.Things (id, label) VALUES (1, N'Käse')\nGO\n{create}\nGO\n{right}{older}"
    )
}

/// The resolvers of the APIs, and one of a guest, which mostly leads elsewhere; and the Access that
/// moves them. What becomes of them.
fn access(
    sketch: &mut Sketch,
    server: &Server,
    mut database: Database,
    apis: &[Api],
    guest: Option<&Api>,
) -> Moved {
    let mut used = Used::default();
    for api in apis {
        let last = sketch.chance.between(1, 2);
        resolvers(sketch, server, &database, api, 0..last, &mut used);
        sketch.clean(&format!("api:{}", api.id));
    }
    if let Some(api) = guest {
        resolvers(sketch, server, &database, api, 5..6, &mut used);
    }
    if !used.older {
        database.older = None;
    }
    let name = sketch.names.word();
    let retire = sketch.retire(true);
    sketch.answered(retire.as_ref());
    let mut spec = spec(sketch, server, &database, apis, &used, retire.as_ref());
    let chosen = spec["from"]["apis"].as_array_mut();
    if let (Some(api), Some(chosen)) = (guest, chosen) {
        chosen.push(json!({ "name": api.id, "resolvers": ["q-5"] }));
    }
    sketch.document("Access", &name, spec);
    Moved {
        access: name,
        retire,
        database,
    }
}

/// Resolvers in each revision of an API, and the calls that run through them.
fn resolvers(
    sketch: &mut Sketch,
    server: &Server,
    database: &Database,
    api: &Api,
    numbers: Range<usize>,
    used: &mut Used,
) {
    for revision in api.revisions() {
        for number in numbers.clone() {
            let old = api.stale && revision != api.id;
            used.older |= old && database.older.is_some();
            let connection = connection(sketch, &database.way(server, old), used);
            resolver(sketch, &revision, number, &connection);
        }
    }
    for number in numbers {
        let query = format!("{{ thing{number}(id: 1) {{ id label }} }}");
        let call = json!({ "api": api.id, "method": "POST", "body": { "query": query } });
        sketch.traffic.push(call);
    }
}

fn spec(
    sketch: &mut Sketch,
    server: &Server,
    database: &Database,
    apis: &[Api],
    used: &Used,
    retire: Option<&Value>,
) -> Value {
    // What is hidden is not known to lead elsewhere, so only named APIs can be chosen.
    let proven = apis.len() == 1 && sketch.chance.once_in(2);
    let all = sketch.inspects && !proven;
    let mut spec = json!({
        "from": { "gateway": sketch.gateway, "apis": sketch.choice(apis, all) },
        "to": { "server": server.document, "database": database.name },
    });
    match sketch.chance.below(3) {
        0 => {
            spec["role"] = json!("custom");
            spec["grants"] = json!([{ "permission": "SELECT", "on": "OBJECT::dbo.Things" }]);
        }
        1 => spec["role"] = json!("writer"),
        _ => spec["role"] = json!("reader"),
    }
    if proven {
        let body = "{\"query\":\"{ thing0(id: 1) { id label } }\"}";
        spec["prove"] = json!({ "canary": "revision", "request": { "path": "/", "body": body } });
    }
    if used.hidden && !sketch.inspects {
        let values = used.values.iter().map(|v| json!({ "namedValue": v }));
        let user = match &database.login {
            Some(login) => json!({ "sqlLogin": login }),
            None => json!({ "sqlUser": database.user }),
        };
        let older = database
            .older
            .iter()
            .map(|(user, _)| json!({ "sqlUser": user }));
        spec["replaces"] = values.chain([user]).chain(older).collect();
    }
    if let Some(retire) = retire {
        spec["retire"] = retire.clone();
    }
    spec
}

fn bracketed(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

fn text(value: &str) -> String {
    value.replace('\'', "''")
}
