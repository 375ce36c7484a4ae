//! The crate against an emulated Azure SQL server: real sockets, real TLS, real tokens.

#![expect(clippy::unwrap_used, reason = "the helpers of tests")]

mod server;

use std::cell::RefCell;
use std::future::{poll_fn, ready};
use std::pin::{Pin, pin};
use std::slice::from_ref;
use std::task::Poll;
use std::time::Duration;

use keyless_model::Sid;
use keyless_model::sql::{
    Authentication, FirewallRule, Permission, PermissionState, PrincipalKind, Securable, SidSource,
    Statement, effective,
};
use keyless_tsql::{SqlError, connect};
use server::{ADMIN, GATEWAY, READER, STRANGER, Server};

fn select_on_dbo(to: &str) -> Permission {
    Permission {
        permission: "SELECT".into(),
        on: Securable::Schema("dbo".into()),
        column: None,
        to: to.into(),
        state: PermissionState::Grant,
    }
}

/// What an Access of keyless sends to a database.
fn grant() -> Vec<Statement> {
    vec![
        Statement::CreateUser {
            name: "contoso".into(),
            sid: SidSource::Known(Sid::from_guid(GATEWAY.client).unwrap()),
            group: false,
        },
        Statement::CreateRole {
            name: "keyless_orders-read".into(),
        },
        Statement::AddMember {
            role: "keyless_orders-read".into(),
            member: "contoso".into(),
        },
        Statement::Permit {
            rule: select_on_dbo("keyless_orders-read"),
        },
    ]
}

#[tokio::test]
async fn one_read_brings_the_whole_security_of_a_database() {
    let server = Server::start().await;
    server.script(
        "orders",
        "CREATE ROLE clerks;
         ALTER ROLE clerks ADD MEMBER orders_app;
         ALTER ROLE db_datareader ADD MEMBER clerks;
         GRANT SELECT ON SCHEMA::sales TO clerks;
         GRANT UPDATE (Region) ON OBJECT::sales.Orders TO clerks;
         GRANT EXECUTE TO clerks WITH GRANT OPTION;
         DENY DELETE ON OBJECT::sales.Orders TO clerks",
    );
    let mut session = server.session(&ADMIN, "orders").await.unwrap();
    let catalogue = session.catalogue().await.unwrap();

    assert_eq!(catalogue.running_as, "dbo");
    let app = catalogue.principal("orders_app").unwrap();
    assert_eq!(app.kind, PrincipalKind::SqlUser);
    assert_eq!(app.authentication, Authentication::Instance);
    assert!(app.sid.is_some());
    let reader = catalogue
        .external(&Sid::from_guid(READER.client).unwrap())
        .unwrap();
    assert_eq!(
        (reader.name.as_str(), reader.kind),
        ("reader", PrincipalKind::ExternalUser)
    );
    assert!(catalogue.principal("db_datareader").unwrap().fixed);
    assert!(catalogue.is_member("clerks", "orders_app"));
    assert!(catalogue.is_member("db_datareader", "clerks"));
    assert_eq!(
        catalogue.schemas.get("sales").map(String::as_str),
        Some("dbo")
    );
    assert!(catalogue.may_connect("reader"));

    let mut clerks: Vec<String> = catalogue
        .permissions
        .iter()
        .filter(|p| p.to == "clerks")
        .map(|p| {
            let column = p.column.as_deref().unwrap_or("-");
            format!("{:?} {} {} {column}", p.state, p.permission, p.on)
        })
        .collect();
    clerks.sort();
    assert_eq!(
        clerks,
        [
            "Deny DELETE OBJECT::sales.Orders -",
            "Grant SELECT SCHEMA::sales -",
            "Grant UPDATE OBJECT::sales.Orders Region",
            "GrantWithGrantOption EXECUTE DATABASE -",
        ]
    );
}

#[tokio::test]
async fn what_ran_reads_back_as_done_and_works_for_the_identity() {
    let server = Server::start().await;
    let refused = server.session(&GATEWAY, "orders").await.unwrap_err();
    assert_eq!(refused.number(), Some(18456), "{refused}");

    let mut session = server.session(&ADMIN, "orders").await.unwrap();
    let before = session.catalogue().await.unwrap();
    session.run(&grant()).await.unwrap();
    let after = session.catalogue().await.unwrap();
    for statement in grant() {
        assert!(!statement.done(&before), "{}", statement.text());
        assert!(statement.done(&after), "{}", statement.text());
    }
    let can = effective(&after, "contoso");
    let expected = ("SELECT".to_owned(), "SCHEMA::dbo".to_owned(), None);
    assert_eq!(can.allowed.into_iter().collect::<Vec<_>>(), [expected]);

    server.session(&GATEWAY, "orders").await.unwrap();
    let undo: Vec<Statement> = grant().iter().rev().filter_map(Statement::undo).collect();
    session.run(&undo).await.unwrap();
    assert_eq!(session.catalogue().await.unwrap(), before);
    assert!(server.session(&GATEWAY, "orders").await.is_err());
}

#[tokio::test]
async fn after_a_failure_nothing_remains_and_the_session_goes_on() {
    let server = Server::start().await;
    let mut session = server.session(&ADMIN, "orders").await.unwrap();
    let before = session.catalogue().await.unwrap();
    let mut statements = grant();
    statements.push(Statement::CreateRole {
        name: "keyless_orders-read".into(),
    });
    let error = session.run(&statements).await.unwrap_err();
    assert_eq!(error.number(), Some(15023), "{error}");
    assert!(
        error
            .to_string()
            .contains("CREATE ROLE [keyless_orders-read]"),
        "{error}"
    );
    assert_eq!(session.catalogue().await.unwrap(), before);
    session.run(&grant()).await.unwrap();
}

#[tokio::test]
async fn an_unresolved_identity_is_an_error_before_anything_is_sent() {
    let server = Server::start().await;
    let mut session = server.session(&ADMIN, "orders").await.unwrap();
    let before = session.catalogue().await.unwrap();
    let gateway = keyless_model::Address::gateway("contoso");
    let statements = [
        Statement::CreateRole { name: "r".into() },
        Statement::CreateUser {
            name: "contoso".into(),
            sid: SidSource::ClientIdOf(gateway),
            group: false,
        },
    ];
    let error = session.run(&statements).await.unwrap_err();
    assert!(matches!(error, SqlError::Statement { .. }), "{error}");
    assert_eq!(session.catalogue().await.unwrap(), before);
}

#[tokio::test]
async fn refusals_carry_the_servers_numbers() {
    let server = Server::start().await;
    server.script(
        "orders",
        "CREATE ROLE owner_role; CREATE SCHEMA owned AUTHORIZATION owner_role",
    );
    let mut session = server.session(&ADMIN, "orders").await.unwrap();
    let missing = Statement::DropUser {
        name: "nobody".into(),
    };
    let owner = Statement::DropRole {
        name: "owner_role".into(),
    };
    for (statement, number) in [(missing, 15151), (owner, 15138)] {
        let error = session.run(&[statement]).await.unwrap_err();
        assert_eq!(error.number(), Some(number), "{error}");
    }
    let nowhere = server.session(&ADMIN, "nowhere").await.unwrap_err();
    assert_eq!(nowhere.number(), Some(4060), "{nowhere}");
    assert!(nowhere.is_transient());
}

#[tokio::test]
async fn a_transient_refusal_is_tried_again_until_a_wait_is_cut_short() {
    let server = Server::start().await;
    let waits = RefCell::new(Vec::new());
    let rest = |wait: Duration| {
        let mut waits = waits.borrow_mut();
        waits.push(wait.as_secs());
        ready(waits.len() < 3)
    };
    let token = server.token(&ADMIN);
    let hour = Duration::from_secs(3_600);
    let error = connect(&server.endpoint(), "nowhere", &token, hour, rest).await;
    assert_eq!(error.unwrap_err().number(), Some(4060));
    assert_eq!(*waits.borrow(), [5, 10, 20]);
}

#[tokio::test]
async fn who_may_not_see_definitions_gets_an_error_and_no_clean_catalogue() {
    let server = Server::start().await;
    let mut reader = server.session(&READER, "orders").await.unwrap();
    let error = reader.catalogue().await.unwrap_err();
    assert!(
        matches!(error, SqlError::CannotSeeDefinitions { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("“reader”"), "{error}");

    server.script("orders", "GRANT VIEW SECURITY DEFINITION TO reader");
    let mut reader = server.session(&READER, "orders").await.unwrap();
    let seen = reader.catalogue().await.unwrap();
    assert!(seen.principal("orders_app").is_some());
    assert_eq!(seen.running_as, "reader");
}

#[tokio::test]
async fn logins_are_read_and_changed_in_master() {
    let server = Server::start().await;
    let mut master = server.session(&ADMIN, "master").await.unwrap();
    let disable = Statement::DisableLogin {
        name: "orders_app".into(),
    };
    let logins = master.logins().await.unwrap();
    assert!(!disable.done_in_master(&logins));
    let user = server
        .session(&ADMIN, "orders")
        .await
        .unwrap()
        .catalogue()
        .await
        .unwrap();
    let login = logins.iter().find(|l| l.name == "orders_app").unwrap();
    assert_eq!(user.users_of_login(login).count(), 1);

    let elsewhere = server
        .session(&ADMIN, "orders")
        .await
        .unwrap()
        .run(from_ref(&disable))
        .await;
    assert!(
        matches!(elsewhere, Err(SqlError::Unfit { .. })),
        "{elsewhere:?}"
    );
    master.run(from_ref(&disable)).await.unwrap();
    assert!(disable.done_in_master(&master.logins().await.unwrap()));
    assert!(server.password_session("orders").await.is_err());
    master.run(&[disable.undo().unwrap()]).await.unwrap();
    server.password_session("orders").await.unwrap();
}

#[tokio::test]
async fn who_may_not_see_logins_gets_an_error_and_no_empty_list() {
    let server = Server::start().await;
    server.user("master", "reader", &READER);
    let mut master = server.session(&READER, "master").await.unwrap();
    let error = master.logins().await.unwrap_err();
    assert!(matches!(error, SqlError::CannotSeeLogins { .. }), "{error}");
}

#[tokio::test]
async fn a_session_of_the_old_login_is_seen_by_those_who_may() {
    let server = Server::start().await;
    let before = server.now();
    let _old = server.password_session("orders").await.unwrap();
    let after = server.now();
    let mut reader = server.session(&READER, "orders").await.unwrap();
    let error = reader.sessions().await.unwrap_err();
    assert!(
        matches!(error, SqlError::CannotSeeSessions { .. }),
        "{error}"
    );

    server.script("orders", "GRANT VIEW DATABASE STATE TO reader");
    drop(reader);
    let mut reader = server.session(&READER, "orders").await.unwrap();
    let sessions = reader.sessions().await.unwrap();
    let old: Vec<_> = sessions
        .iter()
        .filter(|s| s.original_login == "orders_app")
        .collect();
    assert_eq!(old.len(), 1, "{sessions:?}");
    assert_eq!(old[0].program, "apim");
    assert!(
        (before..=after).contains(&old[0].login_time.unix()),
        "{sessions:?}"
    );
    assert!(
        sessions.iter().all(|s| s.program != "keyless"),
        "{sessions:?}"
    );
}

#[tokio::test]
async fn the_server_says_whether_it_takes_tokens_only() {
    let server = Server::start().await;
    let mut session = server.session(&ADMIN, "master").await.unwrap();
    assert!(!session.entra_only().await.unwrap());
    server.set_entra_only(true);
    let mut session = server.session(&ADMIN, "master").await.unwrap();
    assert!(session.entra_only().await.unwrap());
    assert!(server.password_session("orders").await.is_err());
}

#[tokio::test]
async fn a_database_says_whether_it_captures_changes() {
    let server = Server::start().await;
    let mut session = server.session(&ADMIN, "orders").await.unwrap();
    assert!(!session.captures_changes().await.unwrap());
}

#[tokio::test]
async fn firewall_rules_of_a_database_are_set_read_and_dropped() {
    let server = Server::start().await;
    let mut session = server.session(&ADMIN, "orders").await.unwrap();
    assert!(session.firewall_rules().await.unwrap().is_empty());
    let rule = FirewallRule {
        name: "the office's".into(),
        start: "10.0.0.1".into(),
        end: "10.0.0.9".into(),
    };
    let set = Statement::SetFirewallRule { rule: rule.clone() };
    session.run(from_ref(&set)).await.unwrap();
    let rules = session.firewall_rules().await.unwrap();
    assert_eq!(rules, from_ref(&rule));
    let drop = Statement::DropFirewallRule { rule };
    session.run(&[drop]).await.unwrap();
    assert!(session.firewall_rules().await.unwrap().is_empty());
}

#[tokio::test]
async fn scoped_credentials_are_no_empty_list_to_who_may_not_see_them() {
    let server = Server::start().await;
    let mut admin = server.session(&ADMIN, "orders").await.unwrap();
    assert!(admin.scoped_credentials().await.unwrap().is_empty());
    let mut reader = server.session(&READER, "orders").await.unwrap();
    let error = reader.scoped_credentials().await.unwrap_err();
    assert!(
        matches!(error, SqlError::CannotSeeCredentials { .. }),
        "{error}"
    );
    // The session goes on, and so does what else it may read.
    assert!(reader.firewall_rules().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_stranger_is_refused_and_its_token_is_in_no_error() {
    let server = Server::start().await;
    let error = server.session(&STRANGER, "orders").await.unwrap_err();
    assert_eq!(error.number(), Some(18456), "{error}");
    let shown = format!("{error} {error:?}");
    let token = server.token(&STRANGER);
    let signature = token.expose().rsplit('.').next().unwrap();
    assert!(
        !shown.contains(signature) && !shown.contains("eyJ"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_server_whose_certificate_is_not_trusted_gets_no_token() {
    let server = Server::start().await;
    let other = Server::start().await;
    let mut endpoint = server.endpoint();
    endpoint.ca_pem = other.endpoint().ca_pem;
    for ca_pem in [endpoint.ca_pem.clone(), Some("no certificate".into())] {
        endpoint.ca_pem = ca_pem;
        let error = server
            .session_at(&endpoint, &ADMIN, "orders")
            .await
            .unwrap_err();
        assert!(matches!(error, SqlError::Tls { .. }), "{error}");
        assert!(!error.to_string().contains("trust_cert"), "{error}");
    }
}

#[tokio::test]
async fn a_lost_connection_ends_the_session() {
    let server = Server::start().await;
    let (endpoint, wire) = server.behind_a_wire().await;
    let mut session = server
        .session_at(&endpoint, &ADMIN, "orders")
        .await
        .unwrap();
    session.catalogue().await.unwrap();
    wire.cut().await;
    let lost = session.catalogue().await.unwrap_err();
    assert!(matches!(lost, SqlError::Lost { .. }), "{lost}");
    let over = session.catalogue().await.unwrap_err();
    assert!(matches!(over, SqlError::Over { .. }), "{over}");
}

#[tokio::test]
async fn a_call_that_was_given_up_ends_the_session() {
    let server = Server::start().await;
    let mut session = server.session(&ADMIN, "orders").await.unwrap();
    {
        // Polled once, so that the question may be on its way, and then dropped.
        let call = pin!(session.catalogue());
        let waiting = poll_once(call).await;
        assert!(waiting.is_none());
    }
    let over = session.catalogue().await.unwrap_err();
    assert!(matches!(over, SqlError::Over { .. }), "{over}");
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}
