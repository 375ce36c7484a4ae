//! Logins and users of the old way in: who still needs them, how they are closed and dropped.

use super::*;

#[test]
fn a_login_that_an_uncovered_database_uses_loses_only_its_connection() {
    let mut e = with_literal();
    e.database("sql", "people");
    e.user_of("sql", "people", "orders_app", "people_app");
    let plan = e.plan();
    let close = step(&plan, "disable/sql:sql/db:orders/user:app user");
    assert_eq!(statements(close), ["REVOKE CONNECT FROM [app user]"]);
    assert!(!plan.to_json().contains("ALTER LOGIN"));
    assert!(!plan.to_json().contains("DROP LOGIN"));
    assert!(
        has_row(
            &plan,
            &[
                "login:orders_app",
                "disable",
                "the user people_app in sql:sql/db:people"
            ]
        ),
        "{:?}",
        rows(&plan)
    );
}

#[test]
fn an_access_that_is_held_up_keeps_a_login_that_it_shares() {
    let mut e = with_literal();
    e.gateway("fabrikam", Some(2));
    e.resolver("fabrikam", "orders", "q", &policy(&literal(), false));
    e.access("other", "fabrikam", &["orders", "gone"], "sql", "orders");
    let plan = e.plan();
    assert!(!plan.to_json().contains("ALTER LOGIN"));
    assert!(!ids(&plan).contains(&"disable/sql:sql/db:orders/user:app user"));
    assert!(
        has_row(
            &plan,
            &["disable the login", "the Access other, which is held up"]
        ),
        "{:?}",
        rows(&plan)
    );
}

#[test]
fn a_shared_login_waits_for_every_access_that_uses_it() {
    let mut e = with_literal();
    e.database("sql", "people");
    e.user_of("sql", "people", "orders_app", "people_app");
    let text = with_password("sql", "people", "orders_app", SECRET);
    e.resolver("contoso", "people", "q", &policy(&text, false));
    e.access("people", "contoso", &["people"], "sql", "people");
    let plan = e.plan();
    let needs = &step(&plan, "disable/sql:sql/login:orders_app").needs;
    for access in ["read", "people"] {
        assert!(
            needs.contains(&format!("confirm/apim:contoso/access:{access}")),
            "{needs:?}"
        );
    }
    assert_eq!(
        in_phase(&plan, Phase::Retire)
            .iter()
            .filter(|id| id.contains("/login:"))
            .count(),
        1
    );
}

#[test]
fn a_contained_user_may_no_longer_connect_and_is_dropped() {
    let mut e = Estate::small();
    e.contained("sql", "orders", "report", SECRET);
    let text = with_password("sql", "orders", "report", SECRET);
    e.resolver("contoso", "orders", "q", &policy(&text, false));
    e.access("read", "contoso", &[], "sql", "orders");
    let plan = e.plan();
    let close = step(&plan, "disable/sql:sql/db:orders/user:report");
    assert_eq!(statements(close), ["REVOKE CONNECT FROM [report]"]);
    let drop = step(&plan, "retire/sql:sql/db:orders/user:report");
    assert_eq!(statements(drop), ["DROP USER [report]"]);
    assert!(
        drop.needs.contains("disable/apim:contoso/access:read"),
        "{:?}",
        drop.needs
    );
    assert!(matches!(drop.undo, Undo::Never { .. }));
}

#[test]
fn an_owner_is_shut_out_by_a_deny_that_can_be_taken_back() {
    let mut e = Estate::small();
    e.contained("sql", "orders", "report", SECRET);
    let text = with_password("sql", "orders", "report", SECRET);
    e.resolver("contoso", "orders", "q", &policy(&text, false));
    e.access("read", "contoso", &[], "sql", "orders");
    let catalogue = e.catalogue("sql", "orders");
    catalogue
        .memberships
        .insert(("db_owner".into(), "report".into()));
    let plan = e.plan();
    let close = step(&plan, "disable/sql:sql/db:orders/user:report");
    assert_eq!(statements(close), ["DENY CONNECT TO [report]"]);
    let Undo::Sql { statements: back } = &close.undo else {
        panic!("{:?}", close.undo);
    };
    assert_eq!(back[0].text(), "GRANT CONNECT TO [report]");
}

#[test]
fn the_servers_own_administrator_is_neither_disabled_nor_dropped() {
    let mut e = Estate::small();
    let password = "Admin-Passw0rd-of-the-server";
    let text = with_password("sql", "orders", "sqladmin", password);
    e.resolver("contoso", "orders", "q", &policy("{{db}}", false));
    let value = e.named_value("contoso", "db", &text);
    e.access("read", "contoso", &[], "sql", "orders");
    let plan = e.plan();
    assert!(!plan.to_json().contains("LOGIN [sqladmin]"));
    step(&plan, &format!("retire/{value}"));
    assert_eq!(plan.waiting, []);
    e.wanted("read").replaces =
        Replaces::Listed(BTreeSet::from([Replaced::SqlLogin("SqlAdmin".into())]));
    assert!(
        !e.plan()
            .to_json()
            .to_lowercase()
            .contains("login [sqladmin]")
    );
}
