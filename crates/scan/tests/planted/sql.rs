//! What a SQL server and its databases keep or accept (azure-facts C.6). These are no texts: each
//! row is a fact that makes a finding of one rule at one address, beside a fact that makes none.

use keyless_model::sql::{
    Authentication, Catalogue, FirewallRule, Login, Permission, PermissionState, Principal,
    PrincipalKind, Securable,
};
use keyless_model::{Address, Live};
use serde_json::json;

use super::Dice;
use crate::estate::Estate;

/// A server with everything of the catalogue, and what has to be told of it: row, rule, address.
pub fn server(dice: &mut Dice) -> (Estate, Vec<(&'static str, &'static str, Address)>) {
    let name = dice.text("abcdefgh", 6);
    let server = Address::server(&name);
    let database = Address::database(&name, &dice.text("klmnop", 5));
    let admin = dice.text("rstuvw", 7);
    let properties = json!({
        "fullyQualifiedDomainName": format!("{name}.database.windows.net"),
        "administratorLogin": admin,
        "administrators": { "sid": "x", "azureADOnlyAuthentication": false },
        "minimalTlsVersion": dice.pick(&["1.0", "1.1", "None"]),
    });
    let audit = json!({ "state": "Enabled", "storageEndpoint": "https://a.blob.core.windows.net" });
    let mut estate = Estate::default()
        .put(server.clone(), properties)
        .put(server.part("auditing"), audit);
    let rules = [
        ("AllowAll", "0.0.0.0", "0.0.0.0"),
        ("wide", "20.0.0.0", "20.3.255.255"),
        ("office", "20.9.9.1", "20.9.9.7"),
    ];
    for (word, start, end) in rules {
        let rule = json!({ "startIpAddress": start, "endIpAddress": end });
        estate = estate.put(server.child("firewallRule", word), rule);
    }
    let (app, report) = (dice.text("abcdef", 8), dice.text("ghijkl", 8));
    let logins = [app.as_str(), "##MS_Agent##", admin.as_str()].map(|name| Login {
        name: name.into(),
        sid: None,
        disabled: false,
    });
    let snapshot = &mut estate.0;
    snapshot
        .logins
        .insert(server.clone(), Live::Present(logins.to_vec()));
    let catalogue = catalogue(&app, &report);
    snapshot
        .databases
        .insert(database.clone(), Live::Present(catalogue));
    let wanted = vec![
        ("SQL 1, administrator", "KL0405", server.clone()),
        ("SQL 2, login", "KL0405", server.child("login", &app)),
        (
            "SQL 3, user with a password",
            "KL0406",
            database.child("user", &report),
        ),
        (
            "SQL 4, user of a login",
            "KL0406",
            database.child("user", &app),
        ),
        (
            "SQL 5, scoped credential",
            "KL0423",
            database.child("scopedCredential", "blob"),
        ),
        ("SQL 7, audit with a key", "KL0420", server.part("auditing")),
        (
            "SQL 14, all of Azure",
            "KL0418",
            server.child("firewallRule", "AllowAll"),
        ),
        (
            "SQL 14, wide rule",
            "KL0419",
            server.child("firewallRule", "wide"),
        ),
        (
            "SQL 14, rule of a database",
            "KL0418",
            database.child("firewallRule", "azure"),
        ),
        (
            "SQL 15, application role",
            "KL0422",
            database.child("role", "payroll"),
        ),
        ("SQL 16, old TLS", "KL0421", server.clone()),
        ("SQL, passwords are on", "KL0407", server),
    ];
    (estate, wanted)
}

fn catalogue(app: &str, report: &str) -> Catalogue {
    let user = |name: &str, kind, authentication| Principal {
        name: name.into(),
        kind,
        sid: None,
        authentication,
        fixed: false,
    };
    let mut out = Catalogue {
        principals: vec![
            user("dbo", PrincipalKind::SqlUser, Authentication::Instance),
            user(app, PrincipalKind::SqlUser, Authentication::Instance),
            user(report, PrincipalKind::SqlUser, Authentication::Database),
            user(
                "contoso-apim",
                PrincipalKind::ExternalUser,
                Authentication::External,
            ),
            user(
                "payroll",
                PrincipalKind::ApplicationRole,
                Authentication::None,
            ),
        ],
        ..Catalogue::default()
    };
    out.permissions.insert(Permission {
        permission: "CONNECT".into(),
        on: Securable::Database,
        column: None,
        to: report.into(),
        state: PermissionState::Grant,
    });
    out.firewall_rules.push(FirewallRule {
        name: "azure".into(),
        start: "0.0.0.0".into(),
        end: "0.0.0.0".into(),
    });
    let credentials = [
        ("blob", "SHARED ACCESS SIGNATURE"),
        ("mi", "Managed Identity"),
    ];
    out.scoped_credentials
        .extend(credentials.map(|(name, of)| (name.to_owned(), of.to_owned())));
    out
}
