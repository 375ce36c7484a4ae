//! A small estate to plan for: what is wanted, what is really there, and what the reader sees of
//! it. Secret named values are really there and not seen.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "tests")]

pub mod callers;
pub mod http;
pub mod http_made;
pub mod look;
pub mod made;
pub mod whole;
pub mod world;

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::sql::{
    Authentication, Catalogue, Login, Permission, PermissionState, Principal, PrincipalKind,
    Securable,
};
use keyless_model::{
    Access, Address, ApiChoice, ArmId, Canary, Desired, Entity, EntraAdmin, Evidence,
    FingerprintKey, Gateway, Live, Prove, Replaces, Retire, Role, Selection, Sid, Snapshot, Span,
    SqlDatabase, SqlServer, State,
};
use keyless_plan::{Finding, Options, Plan, drift, plan};
use serde_json::{Value, json};

pub struct Estate {
    pub desired: Desired,
    /// What is there, secrets and all.
    pub truth: Snapshot,
    /// Named values whose value the reader does not see.
    pub hidden: BTreeSet<Address>,
    pub state: State,
    /// The passwords of logins, by server and name, and of contained users, by database and name.
    pub passwords: BTreeMap<(Address, String), String>,
    /// Every password that was planted, and may stand in no artefact.
    pub planted: BTreeSet<String>,
    /// Servers whose firewall asks where a caller comes from.
    pub walls: BTreeSet<Address>,
}

const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000001";

fn arm_id(kind: &str, name: &str) -> ArmId {
    ArmId::parse(&format!(
        "{SUBSCRIPTION}/resourceGroups/rg/providers/{kind}/{name}"
    ))
    .unwrap()
}

pub fn key() -> FingerprintKey {
    FingerprintKey::new([7; 32])
}

pub fn options() -> Options {
    Options {
        tool: "0.0.0".into(),
        manifests: "none".into(),
        key: key(),
    }
}

pub fn entity(properties: Value) -> Entity {
    Entity {
        id: String::new(),
        etag: None,
        body: json!({ "properties": properties }),
    }
}

pub fn rule(permission: &str, on: Securable, to: &str) -> Permission {
    let state = PermissionState::Grant;
    Permission {
        permission: permission.into(),
        on,
        column: None,
        to: to.into(),
        state,
    }
}

pub fn schema(name: &str) -> Securable {
    Securable::Schema(name.into())
}

/// One value of a connection string, in quotes where ADO.NET wants them.
fn in_string(value: &str) -> String {
    if value.contains([';', '\'', '"', '=', '{']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

pub fn host(server: &str) -> String {
    format!("{server}.database.windows.net")
}

/// A connection string with a password.
pub fn with_password(server: &str, database: &str, user: &str, password: &str) -> String {
    format!(
        "Server=tcp:{},1433;Initial Catalog={};User ID={};Password={};Encrypt=True;",
        host(server),
        in_string(database),
        in_string(user),
        in_string(password),
    )
}

/// A connection string without any credential.
pub fn without(server: &str, database: &str) -> String {
    format!(
        "Server=tcp:{},1433;Initial Catalog={};",
        host(server),
        in_string(database)
    )
}

/// A resolver's policy.
pub fn policy(connection: &str, identity: bool) -> String {
    let text = connection.replace('&', "&amp;").replace('<', "&lt;");
    let flag = if identity {
        " use-managed-identity=\"true\""
    } else {
        ""
    };
    format!(
        "<sql-data-source>\n  <connection-info>\n    <connection-string{flag}>{text}\
         </connection-string>\n  </connection-info>\n  <request>\n    <sql-statement>SELECT 1\
         </sql-statement>\n  </request>\n</sql-data-source>"
    )
}

/// A soak of a week, shown by sessions.
pub fn retire(drop: bool) -> Retire {
    let evidence = BTreeSet::from([Evidence::Sessions]);
    Retire {
        after: 604_800,
        disabled_for: 604_800,
        evidence,
        drop,
    }
}

/// The address of a resolver's policy.
pub fn at(gateway: &str, api: &str, resolver: &str) -> Address {
    Address::gateway(gateway)
        .child("api", api)
        .child("resolver", resolver)
        .part("policy")
}

impl Estate {
    pub fn new() -> Self {
        Self {
            desired: Desired::default(),
            truth: Snapshot {
                tenant: "t".into(),
                ..Snapshot::default()
            },
            hidden: BTreeSet::new(),
            state: State::empty(),
            passwords: BTreeMap::new(),
            planted: BTreeSet::new(),
            walls: BTreeSet::new(),
        }
    }

    /// One gateway with an identity, one server, one database: most cases need no more.
    pub fn small() -> Self {
        let mut out = Self::new();
        out.gateway("contoso", Some(1));
        out.server("sql");
        out.database("sql", "orders");
        out
    }

    /// A gateway; with a number it has an identity, of that number.
    pub fn gateway(&mut self, name: &str, identity: Option<u32>) {
        let document = Gateway {
            span: Span::default(),
            id: arm_id("Microsoft.ApiManagement/service", name),
            system_identity: false,
            user_identities: BTreeSet::new(),
            owns: BTreeSet::new(),
            prune: false,
        };
        self.desired.gateways.insert(name.into(), document);
        let address = Address::gateway(name);
        let mut body = entity(json!({}));
        if let Some(number) = identity {
            body.body["identity"] = json!({ "type": "SystemAssigned" });
            self.identity(name, number);
        }
        self.truth.entities.insert(address, body);
    }

    /// Gives a gateway the identity of this number, as if the old one had never been.
    pub fn identity(&mut self, gateway: &str, number: u32) {
        let address = Address::gateway(gateway).part("identity");
        self.truth.entities.insert(
            address,
            entity(json!({
                "clientId": guid(number), "principalId": guid(100_000 + number),
            })),
        );
    }

    pub fn server(&mut self, name: &str) {
        let document = SqlServer {
            span: Span::default(),
            id: arm_id("Microsoft.Sql/servers", name),
            entra_admin: None,
            entra_only: None,
            partners: BTreeSet::new(),
            auditing: None,
            owns_firewall: false,
            prune: false,
            properties: Default::default(),
        };
        self.desired.servers.insert(name.into(), document);
        let address = Address::server(name);
        let body = json!({
            "fullyQualifiedDomainName": host(name), "administratorLogin": "sqladmin",
        });
        let only = entity(json!({ "azureADOnlyAuthentication": false }));
        self.truth.entities.insert(address.part("entraOnly"), only);
        self.truth.entities.insert(address.clone(), entity(body));
        self.truth.logins.insert(address, Live::Present(vec![]));
        self.login(name, "sqladmin", "Admin-Passw0rd-of-the-server");
    }

    pub fn declare_admin(&mut self, server: &str) {
        let admin = EntraAdmin {
            login: "sql-admins".into(),
            object_id: guid(999),
            principal_type: "Group".into(),
        };
        self.desired.servers.get_mut(server).unwrap().entra_admin = Some(admin);
    }

    pub fn entra_only(&mut self, server: &str) {
        self.desired.servers.get_mut(server).unwrap().entra_only = Some(true);
    }

    pub fn database(&mut self, server: &str, name: &str) {
        let catalogue = Catalogue {
            schemas: BTreeMap::from([("dbo".to_owned(), "dbo".to_owned())]),
            running_as: "keyless-planner".into(),
            ..Catalogue::default()
        };
        let address = Address::database(server, name);
        self.truth
            .databases
            .insert(address.clone(), Live::Present(catalogue));
        let user = PrincipalKind::SqlUser;
        self.principal(server, name, "dbo", user, None, Authentication::Instance);
        for role in ["public", "db_owner", "db_datareader"] {
            let kind = PrincipalKind::Role;
            self.principal(server, name, role, kind, None, Authentication::None);
            let fixed = self.catalogue(server, name).principals.last_mut().unwrap();
            fixed.fixed = true;
        }
    }

    pub fn declare_database(&mut self, server: &str, name: &str, exclusive: bool) {
        let document = SqlDatabase {
            span: Span::default(),
            server: server.into(),
            name: name.into(),
            owns: true,
            exclusive,
            keep: BTreeSet::new(),
        };
        let documents = &mut self.desired.databases;
        documents.insert(format!("db{}", documents.len()), document);
    }

    pub fn catalogue(&mut self, server: &str, name: &str) -> &mut Catalogue {
        match self
            .truth
            .databases
            .get_mut(&Address::database(server, name))
        {
            Some(Live::Present(catalogue)) => catalogue,
            _ => panic!("there is no readable database {name}"),
        }
    }

    pub fn logins(&mut self, server: &str) -> &mut Vec<Login> {
        match self.truth.logins.get_mut(&Address::server(server)) {
            Some(Live::Present(logins)) => logins,
            _ => panic!("the logins of {server} are not readable"),
        }
    }

    pub fn principal(
        &mut self,
        server: &str,
        database: &str,
        name: &str,
        kind: PrincipalKind,
        sid: Option<Sid>,
        authentication: Authentication,
    ) {
        let name = name.to_owned();
        let principal = Principal {
            name,
            kind,
            sid,
            authentication,
            fixed: false,
        };
        self.catalogue(server, database).principals.push(principal);
    }

    /// Lets a principal connect and read.
    fn may_read(&mut self, server: &str, database: &str, name: &str) {
        let rules = [
            rule("CONNECT", Securable::Database, name),
            rule("SELECT", schema("dbo"), name),
        ];
        self.catalogue(server, database).permissions.extend(rules);
    }

    pub fn login(&mut self, server: &str, name: &str, password: &str) {
        let number = 5_000 + u32::try_from(self.passwords.len()).unwrap();
        let sid = Some(Sid::from_guid(&guid(number)).unwrap());
        self.logins(server).push(Login {
            name: name.into(),
            sid,
            disabled: false,
        });
        self.keep_password(Address::server(server), name, password);
    }

    fn keep_password(&mut self, place: Address, name: &str, password: &str) {
        self.passwords.insert((place, name.into()), password.into());
        self.planted.insert(password.into());
    }

    /// A user of a login, with a name of its own.
    pub fn user_of(&mut self, server: &str, database: &str, login: &str, user: &str) {
        let sid = self
            .logins(server)
            .iter()
            .find(|l| l.name == login)
            .unwrap()
            .sid
            .clone();
        let kind = PrincipalKind::SqlUser;
        self.principal(server, database, user, kind, sid, Authentication::Instance);
        self.may_read(server, database, user);
    }

    /// A contained user with a password.
    pub fn contained(&mut self, server: &str, database: &str, user: &str, password: &str) {
        let kind = PrincipalKind::SqlUser;
        self.principal(server, database, user, kind, None, Authentication::Database);
        self.may_read(server, database, user);
        self.keep_password(Address::database(server, database), user, password);
    }

    /// A user for an Entra identity of this number.
    pub fn external(&mut self, server: &str, database: &str, user: &str, number: u32) {
        let sid = Some(Sid::from_guid(&guid(number)).unwrap());
        let kind = PrincipalKind::ExternalUser;
        self.principal(server, database, user, kind, sid, Authentication::External);
        let connect = rule("CONNECT", Securable::Database, user);
        self.catalogue(server, database).permissions.insert(connect);
    }

    pub fn api(&mut self, gateway: &str, api: &str) {
        let address = Address::gateway(gateway).child("api", api);
        let body = entity(json!({ "type": "graphql", "isCurrent": true, "path": api }));
        self.truth.entities.insert(address, body);
    }

    /// A resolver with this policy text.
    pub fn resolver(&mut self, gateway: &str, api: &str, resolver: &str, policy: &str) {
        let policy_address = at(gateway, api, resolver);
        let address = policy_address.parent().unwrap();
        let api_address = address.parent().unwrap();
        if !self.truth.entities.contains_key(&api_address) {
            self.api(gateway, api);
        }
        let path = format!("Query/{resolver}");
        self.truth
            .entities
            .insert(address, entity(json!({ "path": path })));
        let body = json!({ "format": "rawxml", "value": policy });
        self.truth.entities.insert(policy_address, entity(body));
    }

    pub fn named_value(&mut self, gateway: &str, name: &str, value: &str) -> Address {
        let address = Address::gateway(gateway).child("namedValue", name);
        let body = json!({ "displayName": name, "value": value, "secret": false });
        self.truth.entities.insert(address.clone(), entity(body));
        address
    }

    /// A secret named value, whose value is not seen.
    pub fn secret_value(&mut self, gateway: &str, name: &str, value: &str) -> Address {
        let address = self.named_value(gateway, name, value);
        self.truth.entities.get_mut(&address).unwrap().body["properties"]["secret"] = json!(true);
        self.hidden.insert(address.clone());
        address
    }

    /// An Access to a database for the APIs named, or for all.
    pub fn access(&mut self, name: &str, gateway: &str, apis: &[&str], server: &str, db: &str) {
        let choice = |name: &&str| ApiChoice {
            name: (*name).to_owned(),
            resolvers: Selection::All,
            operations: Selection::All,
        };
        let access = Access {
            span: Span::default(),
            name: name.into(),
            gateway: gateway.into(),
            apis: (!apis.is_empty()).then(|| apis.iter().map(choice).collect()),
            server: server.into(),
            database: db.into(),
            role: Role::Reader,
            schemas: vec!["dbo".into()],
            grants: vec![],
            replaces: Replaces::Derive,
            prove: Prove {
                canary: Canary::None,
                request: None,
                auth: None,
            },
            retire: Some(retire(true)),
        };
        self.desired.accesses.insert(name.into(), access);
    }

    pub fn wanted(&mut self, access: &str) -> &mut Access {
        self.desired.accesses.get_mut(access).unwrap()
    }

    /// What the reader sees.
    pub fn seen(&self) -> Snapshot {
        let mut out = self.truth.clone();
        for address in &self.hidden {
            if let Some(entity) = out.entities.get_mut(address) {
                entity.body["properties"]
                    .as_object_mut()
                    .unwrap()
                    .remove("value");
            }
        }
        out
    }

    pub fn plan(&self) -> Plan {
        plan(&self.desired, &self.seen(), &self.state, &options())
    }

    pub fn drift(&self) -> Vec<Finding> {
        drift(&self.desired, &self.seen(), &self.state, &key())
    }
}

/// A GUID of this number.
pub fn guid(number: u32) -> String {
    format!("00000000-0000-0000-0000-{number:012x}")
}
