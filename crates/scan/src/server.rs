//! The rules for SQL servers and databases: who can log in with a password.

use keyless_model::sql::{Authentication, Catalogue, Login, PrincipalKind, same_name};
use keyless_model::{Address, Entity, Live, Severity, Snapshot};

use crate::finding::{Finding, Opens};

/// Everything about passwords on the servers of a snapshot.
pub(crate) fn findings(snapshot: &Snapshot) -> Vec<Finding> {
    let mut out = Vec::new();
    let servers = snapshot
        .entities
        .iter()
        .filter(|(a, _)| a.last().0 == "sql");
    for (address, entity) in servers {
        out.extend(mode(address, entity));
        out.extend(admin(address, entity));
    }
    for (address, live) in &snapshot.logins {
        let Live::Present(logins) = live else {
            continue;
        };
        let server = Server::of(snapshot, address);
        out.extend(logins.iter().filter_map(|l| login(&server, l)));
    }
    for (address, live) in &snapshot.databases {
        let Live::Present(catalogue) = live else {
            continue;
        };
        let server = Server::of(snapshot, &address.root());
        out.extend(users(&server, address, catalogue));
        let logins = snapshot.logins(&address.root());
        out.extend(mapped(&server, address, catalogue, logins));
    }
    out
}

/// What the rules need to know of a server.
struct Server<'a> {
    address: Address,
    host: Option<&'a str>,
    admin: Option<&'a str>,
    entra_only: bool,
}

impl<'a> Server<'a> {
    fn of(snapshot: &'a Snapshot, address: &Address) -> Server<'a> {
        let entity = snapshot.entities.get(address);
        Server {
            address: address.clone(),
            host: entity.and_then(host),
            admin: entity.and_then(administrator),
            entra_only: entity.is_some_and(entra_only),
        }
    }

    fn opens(&self, database: Option<&str>, login: &str) -> Option<Opens> {
        Some(Opens {
            server: self.host?.to_lowercase(),
            database: database.map(str::to_owned),
            login: Some(login.to_owned()),
        })
    }
}

fn host(entity: &Entity) -> Option<&str> {
    entity.text("/properties/fullyQualifiedDomainName")
}

fn administrator(entity: &Entity) -> Option<&str> {
    entity
        .text("/properties/administratorLogin")
        .filter(|name| !name.is_empty())
}

/// Azure SQL REST, `servers`: `administrators.azureADOnlyAuthentication`.
fn entra_only(entity: &Entity) -> bool {
    entity.flag("/properties/administrators/azureADOnlyAuthentication") == Some(true)
}

fn mode(address: &Address, entity: &Entity) -> Option<Finding> {
    if entra_only(entity) {
        return None;
    }
    let has_admin = entity.text("/properties/administrators/sid").is_some();
    let what = match has_admin {
        true => "this server accepts passwords: Entra-only authentication is off",
        false => "this server accepts only passwords: it has no Entra administrator",
    };
    Some(Finding {
        place: "/properties/administrators/azureADOnlyAuthentication".into(),
        replacement: "`entraOnly: true` in the SqlServer document, once no path needs a password"
            .into(),
        ..Finding::new("KL0407", address, what.into())
    })
}

/// The one login that cannot be dropped.
fn admin(address: &Address, entity: &Entity) -> Option<Finding> {
    let name = administrator(entity)?;
    let only = entra_only(entity);
    let what = match only {
        true => "the server's own administrator login exists; Entra-only authentication refuses it",
        false => "the server's own administrator login works with a password",
    };
    Some(Finding {
        place: "/properties/administratorLogin".into(),
        opens: host(entity).map(|host| Opens {
            server: host.to_lowercase(),
            database: None,
            login: Some(name.to_owned()),
        }),
        severity: if only {
            Severity::Info
        } else {
            Severity::Warning
        },
        replacement: "it cannot be dropped: set a random password that nobody keeps, then turn \
                      Entra-only authentication on"
            .into(),
        ..Finding::new("KL0405", address, what.into())
    })
}

/// A login of the server. Logins in `##` are the service's own, as is the administrator, which
/// [`admin`] tells.
fn login(server: &Server, login: &Login) -> Option<Finding> {
    if login.name.starts_with("##") || server.admin.is_some_and(|a| same_name(a, &login.name)) {
        return None;
    }
    let (severity, what) = if login.disabled {
        (Severity::Info, "this login has a password and is disabled")
    } else if server.entra_only {
        (
            Severity::Info,
            "this login has a password; Entra-only authentication refuses it",
        )
    } else {
        (Severity::High, "this login works with a password")
    };
    Some(Finding {
        opens: server.opens(None, &login.name),
        severity,
        replacement: "an Access for each database that it is used for; then disable it, wait, and \
                      drop it"
            .into(),
        ..Finding::new(
            "KL0405",
            &server.address.child("login", &login.name),
            what.into(),
        )
    })
}

fn users<'a>(
    server: &'a Server,
    database: &'a Address,
    catalogue: &'a Catalogue,
) -> impl Iterator<Item = Finding> + 'a {
    let with_password = catalogue.principals.iter().filter(|p| {
        p.kind == PrincipalKind::SqlUser && p.authentication == Authentication::Database && !p.fixed
    });
    with_password.map(move |user| {
        let (severity, what) = if server.entra_only {
            (
                Severity::Info,
                "this user has a password; Entra-only authentication refuses it",
            )
        } else if !catalogue.may_connect(&user.name) {
            (
                Severity::Info,
                "this user has a password and may not connect",
            )
        } else {
            (
                Severity::High,
                "this user logs in with a password of its own",
            )
        };
        Finding {
            opens: server.opens(Some(database.last().1), &user.name),
            severity,
            replacement: "an Access for this database; then revoke CONNECT, wait, and drop it"
                .into(),
            ..Finding::new("KL0406", &database.child("user", &user.name), what.into())
        }
    })
}

/// The users of logins (azure-facts C.6 row 4). Where the logins were read each is told with its
/// own finding, and the user is a note; where they were not, the user is all that tells of one.
fn mapped<'a>(
    server: &'a Server,
    database: &'a Address,
    catalogue: &'a Catalogue,
    logins: Live<&'a Vec<Login>>,
) -> impl Iterator<Item = Finding> + 'a {
    let users = catalogue.principals.iter().filter(|p| {
        p.kind == PrincipalKind::SqlUser
            && p.authentication == Authentication::Instance
            && !p.fixed
            && !same_name(&p.name, "dbo")
            && !p.name.starts_with("##")
    });
    users.map(move |user| {
        let unread = logins.present().is_none();
        let (severity, what) = if unread && !server.entra_only {
            let what = "this user logs in through a login of the server, which was not read";
            (Severity::Warning, what)
        } else {
            let what = "this user logs in through a login of the server";
            (Severity::Info, what)
        };
        Finding {
            opens: server.opens(Some(database.last().1), &user.name),
            severity,
            replacement: "an Access for this database; then drop it with its login".into(),
            ..Finding::new("KL0406", &database.child("user", &user.name), what.into())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyless_model::sql::{Permission, PermissionState, Principal, Securable};
    use serde_json::json;

    fn snapshot(entra_only: bool) -> Snapshot {
        let server = Address::server("orders-sql");
        let mut s = Snapshot::default();
        let body = json!({ "properties": {
            "fullyQualifiedDomainName": "Orders-SQL.database.windows.net",
            "administratorLogin": "sqladmin",
            "administrators": { "sid": "x", "azureADOnlyAuthentication": entra_only },
        }});
        s.entities.insert(
            server.clone(),
            Entity {
                id: String::new(),
                etag: None,
                body,
            },
        );
        let login = |name: &str, disabled| Login {
            name: name.into(),
            sid: None,
            disabled,
        };
        let logins = vec![
            login("SqlAdmin", false),
            login("orders_app", false),
            login("old", true),
            login("##MS_x##", false),
        ];
        s.logins.insert(server, Live::Present(logins));
        let user = |name: &str, kind, authentication| Principal {
            name: name.into(),
            kind,
            sid: None,
            authentication,
            fixed: false,
        };
        let mut catalogue = Catalogue {
            principals: vec![
                user("dbo", PrincipalKind::SqlUser, Authentication::Instance),
                user("app", PrincipalKind::SqlUser, Authentication::Instance),
                user("report", PrincipalKind::SqlUser, Authentication::Database),
                user("shut", PrincipalKind::SqlUser, Authentication::Database),
                user(
                    "contoso",
                    PrincipalKind::ExternalUser,
                    Authentication::External,
                ),
            ],
            ..Catalogue::default()
        };
        catalogue.permissions.insert(Permission {
            permission: "CONNECT".into(),
            on: Securable::Database,
            column: None,
            to: "report".into(),
            state: PermissionState::Grant,
        });
        let database = Address::database("orders-sql", "orders");
        s.databases.insert(database, Live::Present(catalogue));
        s
    }

    fn told(entra_only: bool) -> Vec<(&'static str, String, Severity)> {
        let found = findings(&snapshot(entra_only));
        found
            .iter()
            .map(|f| (f.rule, f.address.to_string(), f.severity))
            .collect()
    }

    #[test]
    fn passwords_that_work_are_told_from_those_that_do_not() {
        assert_eq!(
            told(false),
            [
                ("KL0407", "sql:orders-sql".to_owned(), Severity::High),
                ("KL0405", "sql:orders-sql".to_owned(), Severity::Warning),
                (
                    "KL0405",
                    "sql:orders-sql/login:orders_app".to_owned(),
                    Severity::High
                ),
                (
                    "KL0405",
                    "sql:orders-sql/login:old".to_owned(),
                    Severity::Info
                ),
                (
                    "KL0406",
                    "sql:orders-sql/db:orders/user:report".to_owned(),
                    Severity::High
                ),
                (
                    "KL0406",
                    "sql:orders-sql/db:orders/user:shut".to_owned(),
                    Severity::Info
                ),
                (
                    "KL0406",
                    "sql:orders-sql/db:orders/user:app".to_owned(),
                    Severity::Info
                ),
            ]
        );
    }

    #[test]
    fn entra_only_leaves_nothing_urgent() {
        let told = told(true);
        assert!(
            told.iter()
                .all(|(rule, _, s)| *rule != "KL0407" && *s == Severity::Info)
        );
        assert_eq!(told.len(), 6);
    }

    #[test]
    fn a_login_says_where_it_leads() {
        let found = findings(&snapshot(false));
        let opens = found[4].opens.as_ref().unwrap();
        assert_eq!(opens.server, "orders-sql.database.windows.net");
        assert_eq!(opens.database.as_deref(), Some("orders"));
        assert_eq!(opens.login.as_deref(), Some("report"));
    }

    #[test]
    fn a_user_of_a_login_that_was_not_read_tells_of_it() {
        let mut s = snapshot(false);
        s.logins.clear();
        let found = findings(&s);
        let app = found.iter().find(|f| f.address.last().1 == "app");
        assert_eq!(app.map(|f| f.severity), Some(Severity::Warning));
    }

    #[test]
    fn identities_and_role_assignments_are_no_servers() {
        let mut s = Snapshot::default();
        for address in [Address::identity("x"), Address::role_assignment("x")] {
            let body = json!({ "properties": {} });
            s.entities.insert(
                address,
                Entity {
                    id: String::new(),
                    etag: None,
                    body,
                },
            );
        }
        assert!(findings(&s).is_empty());
    }

    #[test]
    fn what_could_not_be_read_makes_no_finding() {
        let mut s = Snapshot::default();
        s.logins
            .insert(Address::server("x"), Live::Unreadable("no".into()));
        assert!(findings(&s).is_empty());
    }
}
