//! What the planner does, one idea a test. Long because the ideas are many; each stands alone, and
//! what must never happen to a caller is apart, in `safety.rs`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod estate;

use std::collections::BTreeSet;

use estate::world::run_some;
use estate::{Estate, at, policy, rule, schema, with_password, without};
use keyless_model::sql::{PermissionState, Securable, Statement};
use keyless_model::{
    Address, Applied, Live, NamedValue, Replaced, Replaces, Resolver, Role, Span, SqlRole,
    Timestamp,
};
use keyless_plan::{Class, Finding, Gate, Note, Op, Phase, Plan, Step, Undo};
use serde_json::json;

const SECRET: &str = "Wq7-canary-0001";

fn ids(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|s| s.id.as_str()).collect()
}

fn statements(step: &Step) -> Vec<String> {
    match &step.op {
        Op::Sql { statements, .. } => statements.iter().map(Statement::text).collect(),
        _ => panic!("{} runs no statements", step.id),
    }
}

fn step<'a>(plan: &'a Plan, id: &str) -> &'a Step {
    plan.step(id)
        .unwrap_or_else(|| panic!("no {id} in {:#?}", ids(plan)))
}

/// The waiting rows as `address: what: why`.
fn rows(plan: &Plan) -> Vec<String> {
    plan.waiting
        .iter()
        .map(|w| format!("{}: {}: {}", w.address, w.what, w.why))
        .collect()
}

fn has_row(plan: &Plan, parts: &[&str]) -> bool {
    rows(plan)
        .iter()
        .any(|row| parts.iter().all(|p| row.contains(p)))
}

fn in_phase(plan: &Plan, phase: Phase) -> Vec<&str> {
    plan.steps
        .iter()
        .filter(|s| s.phase == phase)
        .map(|s| s.id.as_str())
        .collect()
}

fn literal() -> String {
    with_password("sql", "orders", "orders_app", SECRET)
}

/// One resolver that connects with the login `orders_app`, and an Access for it.
fn with_text(connection: &str) -> Estate {
    let mut e = Estate::small();
    e.login("sql", "orders_app", SECRET);
    e.user_of("sql", "orders", "orders_app", "app user");
    e.resolver("contoso", "orders", "q", &policy(connection, false));
    e.access("read", "contoso", &["orders"], "sql", "orders");
    e
}

fn with_literal() -> Estate {
    with_text(&literal())
}

#[test]
fn a_literal_is_parked_switched_confirmed_disabled_and_retired() {
    let mut e = with_literal();
    let plan = e.plan();
    let parked = plan
        .steps
        .iter()
        .find(|s| s.phase == Phase::Park)
        .unwrap()
        .address
        .clone();
    assert_eq!(
        ids(&plan),
        [
            "grant/sql:sql/db:orders/user:contoso",
            "grant/sql:sql/db:orders/role:keyless_read",
            "grant/sql:sql/db:orders/user:contoso/rights",
            &format!("park/{parked}"),
            "park/apim:contoso/api:orders/resolver:q/policy",
            "prove/apim:contoso/access:read",
            "switch/apim:contoso/api:orders/resolver:q/policy",
            "confirm/apim:contoso/access:read",
            "disable/sql:sql/login:orders_app",
            "disable/apim:contoso/access:read",
            &format!("retire/{parked}"),
            "retire/sql:sql/db:orders/user:app user",
            "retire/sql:sql/login:orders_app",
        ]
    );
    assert_eq!(plan.waiting, []);
    e.run_all(&plan);
    let text = e.truth.policy_text(&at("contoso", "orders", "q")).unwrap();
    assert!(text.contains("use-managed-identity=\"true\""), "{text}");
    assert!(
        !text.contains("User ID") && !text.contains(SECRET),
        "{text}"
    );
    assert!(e.plan().is_empty(), "{:?}", ids(&e.plan()));
    assert_eq!(e.drift(), []);
}

#[test]
fn the_undo_of_a_switch_refers_to_the_parked_value() {
    let plan = with_literal().plan();
    let switch = step(&plan, "switch/apim:contoso/api:orders/resolver:q/policy");
    let Undo::Splice { edits } = &switch.undo else {
        panic!("{:?}", switch.undo)
    };
    assert!(
        format!("{edits:?}").contains("{{keyless-read-"),
        "{edits:?}"
    );
    assert!(!plan.to_json().contains(SECRET));
}

#[test]
fn a_plain_named_value_needs_no_parking_and_goes_in_the_end() {
    let mut e = with_text("{{orders-db}}");
    let value = e.named_value("contoso", "orders-db", &literal());
    let plan = e.plan();
    assert_eq!(in_phase(&plan, Phase::Park), [""; 0]);
    assert!(matches!(
        step(&plan, &format!("retire/{value}")).op,
        Op::Delete {}
    ));
    step(&plan, "retire/sql:sql/login:orders_app");
    e.run_all(&plan);
    assert!(e.plan().is_empty());
}

#[test]
fn a_reference_with_blanks_in_its_braces_is_followed() {
    let mut e = with_text("{{ orders-db }}");
    e.named_value("contoso", "orders-db", &literal());
    step(&e.plan(), "retire/sql:sql/login:orders_app");
}

#[test]
fn an_unreadable_named_value_is_switched_and_its_login_waits() {
    let mut e = with_text("{{orders-db}}");
    let value = e.secret_value("contoso", "orders-db", &literal());
    let plan = e.plan();
    step(&plan, "switch/apim:contoso/api:orders/resolver:q/policy");
    assert_eq!(in_phase(&plan, Phase::Disable), [""; 0]);
    assert_eq!(in_phase(&plan, Phase::Retire), [""; 0]);
    assert!(
        has_row(&plan, &[value.as_str(), "close and drop the login"]),
        "{:?}",
        rows(&plan)
    );
    e.run_all(&plan);
    let again = e.plan();
    assert_eq!(ids(&again), [""; 0]);
    assert_eq!(again.waiting, plan.waiting);
}

#[test]
fn a_listed_login_stands_in_for_a_value_that_cannot_be_read() {
    let mut e = with_text("{{orders-db}}");
    let value = e.secret_value("contoso", "orders-db", &literal());
    e.wanted("read").replaces = Replaces::Listed(BTreeSet::from([
        Replaced::NamedValue("orders-db".into()),
        Replaced::SqlLogin("orders_app".into()),
    ]));
    let plan = e.plan();
    assert_eq!(plan.waiting, []);
    step(&plan, "disable/sql:sql/login:orders_app");
    step(&plan, "retire/sql:sql/login:orders_app");
    step(&plan, &format!("retire/{value}"));
}

#[test]
fn a_hidden_password_in_a_readable_string_can_be_switched_and_undone() {
    let text = "Server=tcp:sql.database.windows.net;Database=orders;User ID=orders_app;\
                Password={{pw}};Connect Timeout=30";
    let mut e = with_text(text);
    e.secret_value("contoso", "pw", SECRET);
    let plan = e.plan();
    let switch = step(&plan, "switch/apim:contoso/api:orders/resolver:q/policy");
    assert!(
        matches!(switch.undo, Undo::Splice { .. }),
        "{:?}",
        switch.undo
    );
    e.run_all(&plan);
    let after = e.truth.policy_text(&at("contoso", "orders", "q")).unwrap();
    assert!(
        after.contains("Connect Timeout=30") && !after.contains("{{pw}}"),
        "{after}"
    );
}

#[test]
fn a_login_in_clear_beside_a_hidden_password_is_closed_and_dropped() {
    let text = "Server=tcp:sql.database.windows.net;Database=orders;User ID=orders_app;\
                Password={{pw}};";
    let mut e = with_text(text);
    e.secret_value("contoso", "pw", SECRET);
    let plan = e.plan();
    assert_eq!(rows(&plan), [""; 0]);
    step(&plan, "disable/sql:sql/login:orders_app");
    // After the switch nothing in the gateway tells the login any more; the state does.
    for one in plan.steps.iter().filter(|s| s.phase <= Phase::Switch) {
        e.run(one);
    }
    let plan = e.plan();
    assert_eq!(rows(&plan), [""; 0]);
    step(&plan, "retire/sql:sql/login:orders_app");
    step(&plan, "retire/apim:contoso/namedValue:pw");
}

#[test]
fn a_hidden_string_that_two_databases_may_claim_is_left_alone() {
    let mut e = with_text("{{orders-db}}");
    e.secret_value("contoso", "orders-db", &literal());
    e.database("sql", "people");
    e.access("people", "contoso", &["orders"], "sql", "people");
    let plan = e.plan();
    assert_eq!(in_phase(&plan, Phase::Switch), [""; 0]);
    assert!(
        has_row(&plan, &["/resolver:q/policy", "several Accesses choose it"]),
        "{:?}",
        rows(&plan)
    );
}

#[test]
fn a_connection_string_that_is_an_expression_is_not_passed_over() {
    let e = with_text("@(\"Server=sql;\" + (string)context.Variables[\"rest\"])");
    let plan = e.plan();
    assert_eq!(in_phase(&plan, Phase::Switch), [""; 0]);
    assert!(
        has_row(&plan, &["/resolver:q/policy", "expression"]),
        "{:?}",
        rows(&plan)
    );
}

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

/// As if keyless had made this user of the database.
fn made_by_keyless(e: &mut Estate, user: &str) {
    let address = Address::database("sql", "orders").child("user", user);
    let made = Applied {
        made: true,
        ..Applied::default()
    };
    e.state.applied.insert(address, made);
}

#[test]
fn an_identity_that_was_made_anew_gets_its_user_anew_in_one_transaction() {
    let mut e = with_literal();
    e.external("sql", "orders", "contoso", 7);
    made_by_keyless(&mut e, "contoso");
    let select = rule("VIEW DEFINITION", Securable::Database, "contoso");
    e.catalogue("sql", "orders").permissions.insert(select);
    e.catalogue("sql", "orders")
        .memberships
        .insert(("public".into(), "contoso".into()));
    let plan = e.plan();
    let texts = statements(step(&plan, "grant/sql:sql/db:orders/user:contoso"));
    assert_eq!(texts[0], "DROP USER [contoso]");
    assert!(
        texts[1].starts_with("CREATE USER [contoso] WITH SID = 0x"),
        "{texts:?}"
    );
    assert_eq!(
        texts[2..],
        [
            "ALTER ROLE [public] ADD MEMBER [contoso]",
            "GRANT VIEW DEFINITION TO [contoso]"
        ]
    );
}

#[test]
fn an_identity_is_enabled_first_and_its_client_id_flows_on() {
    let mut e = with_literal();
    e.truth
        .entities
        .remove(&Address::gateway("contoso").part("identity"));
    e.truth
        .entities
        .get_mut(&Address::gateway("contoso"))
        .unwrap()
        .body["identity"] =
        json!({ "type": "UserAssigned", "userAssignedIdentities": { "/x": { "clientId": "c" } } });
    let plan = e.plan();
    let Op::Patch { body, .. } = &step(&plan, "identify/apim:contoso").op else {
        panic!()
    };
    assert_eq!(body["identity"]["type"], "SystemAssigned, UserAssigned");
    assert_eq!(
        body["identity"]["userAssignedIdentities"],
        json!({ "/x": {} })
    );
    let user = step(&plan, "grant/sql:sql/db:orders/user:contoso");
    assert!(user.needs.contains("identify/apim:contoso"));
    assert!(plan.to_json().contains("clientIdOf"));
    e.run_all(&plan);
    assert!(e.plan().is_empty());
}

#[test]
fn rights_that_nobody_asked_for_block_the_switch() {
    let mut e = with_literal();
    e.external("sql", "orders", "contoso", 1);
    e.catalogue("sql", "orders")
        .memberships
        .insert(("db_owner".into(), "contoso".into()));
    let plan = e.plan();
    assert!(
        has_row(&plan, &["user:contoso/rights", "membership of db_owner"]),
        "{:?}",
        rows(&plan)
    );
    let late = plan.steps.iter().find(|s| s.phase > Phase::Grant);
    assert_eq!(late.map(|s| &s.id), None);
    e.declare_database("sql", "orders", true);
    let plan = e.plan();
    let revoke = step(&plan, "grant/sql:sql/db:orders/user:contoso/extra");
    assert_eq!(
        statements(revoke),
        ["ALTER ROLE [db_owner] DROP MEMBER [contoso]"]
    );
    step(&plan, "switch/apim:contoso/api:orders/resolver:q/policy");
    e.run_all(&plan);
    assert!(
        e.plan().is_empty(),
        "{:?} {:?}",
        ids(&e.plan()),
        rows(&e.plan())
    );
}

#[test]
fn a_declared_membership_is_not_revoked_as_extra() {
    let mut e = with_literal();
    e.declare_database("sql", "orders", true);
    e.external("sql", "orders", "contoso", 1);
    e.catalogue("sql", "orders")
        .memberships
        .insert(("db_owner".into(), "contoso".into()));
    let role = SqlRole {
        span: Span::default(),
        database: Address::database("sql", "orders"),
        name: "auditors".into(),
        members: Some(BTreeSet::from(["contoso".to_owned()])),
    };
    e.desired.roles.insert("auditors".into(), role);
    let plan = e.plan();
    let extra = statements(step(&plan, "grant/sql:sql/db:orders/user:contoso/extra"));
    assert_eq!(extra, ["ALTER ROLE [db_owner] DROP MEMBER [contoso]"]);
    e.run_all(&plan);
    assert!(e.plan().is_empty(), "{:?}", ids(&e.plan()));
}

#[test]
fn a_role_may_name_the_user_that_the_same_plan_makes() {
    let mut e = with_literal();
    let role = SqlRole {
        span: Span::default(),
        database: Address::database("sql", "orders"),
        name: "auditors".into(),
        members: Some(BTreeSet::from(["contoso".to_owned()])),
    };
    e.desired.roles.insert("auditors".into(), role);
    let plan = e.plan();
    assert_eq!(plan.waiting, []);
    let needs = &step(&plan, "grant/sql:sql/db:orders/role:auditors").needs;
    assert!(
        needs.contains("grant/sql:sql/db:orders/user:contoso"),
        "{needs:?}"
    );
}

#[test]
fn two_accesses_of_one_identity_add_up() {
    let mut e = with_literal();
    e.access("write", "contoso", &["orders"], "sql", "orders");
    e.wanted("write").role = Role::Executor;
    let plan = e.plan();
    let gates: Vec<&Step> = plan
        .steps
        .iter()
        .filter(|s| {
            matches!(
                &s.op,
                Op::Gate {
                    gate: Gate::Effective { .. }
                }
            )
        })
        .collect();
    let Op::Gate {
        gate: Gate::Effective { rights, .. },
    } = &gates[0].op
    else {
        panic!()
    };
    let words: Vec<&str> = rights.iter().map(|(p, _, _)| p.as_str()).collect();
    assert_eq!((gates.len(), words), (1, vec!["EXECUTE", "SELECT"]));
    // They share the resolver: one switch, for which both must be proven.
    let switch = step(&plan, "switch/apim:contoso/api:orders/resolver:q/policy");
    for access in ["read", "write"] {
        assert!(
            switch
                .needs
                .contains(&format!("prove/apim:contoso/access:{access}"))
        );
        assert!(switch.notes.contains(&Note::Switched {
            access: access.into()
        }));
    }
    assert_eq!(plan.waiting, []);
    e.run_all(&plan);
    assert!(e.plan().is_empty(), "{:?}", ids(&e.plan()));
}

#[test]
fn schemas_are_spelled_as_the_database_spells_them() {
    let mut e = with_literal();
    e.wanted("read").schemas = vec!["DBO".into()];
    e.external("sql", "orders", "contoso", 1);
    let plan = e.plan();
    let role = statements(step(&plan, "grant/sql:sql/db:orders/role:keyless_read"));
    assert!(
        role.contains(&"GRANT SELECT ON SCHEMA::[dbo] TO [keyless_read]".to_owned()),
        "{role:?}"
    );
}

#[test]
fn nothing_is_planned_on_a_database_that_cannot_be_read_yet() {
    let mut e = with_literal();
    e.declare_admin("sql");
    let database = Address::database("sql", "orders");
    e.truth
        .databases
        .insert(database, Live::Unreadable("login failed".into()));
    let plan = e.plan();
    assert_eq!(ids(&plan), ["identify/sql:sql/entraAdmin"]);
    assert!(
        has_row(
            &plan,
            &[
                "sql:sql/db:orders",
                "readable after identify/sql:sql/entraAdmin"
            ]
        ),
        "{:?}",
        rows(&plan)
    );
}

#[test]
fn a_list_that_could_not_be_read_is_no_empty_list() {
    for prefix in ["apim:contoso/api:", "apim:contoso/api:orders/resolver:"] {
        let mut e = with_literal();
        e.access("read", "contoso", &[], "sql", "orders");
        e.truth
            .entities
            .retain(|a, _| !a.as_str().starts_with(prefix));
        e.truth.unreadable.insert(prefix.into(), "forbidden".into());
        let plan = e.plan();
        assert!(
            has_row(&plan, &["find the credentials", "forbidden"]),
            "{prefix} {:?}",
            rows(&plan)
        );
    }
}

#[test]
fn a_gateway_that_is_not_there_is_said_to_be_absent() {
    let mut e = with_literal();
    e.truth.entities.retain(|a, _| !a.is_gateway());
    let plan = e.plan();
    assert_eq!(ids(&plan), [""; 0]);
    assert!(
        has_row(&plan, &["apim:contoso", "the gateway does not exist"]),
        "{:?}",
        rows(&plan)
    );
}

#[test]
fn an_api_that_is_not_there_holds_its_access_up() {
    let mut e = with_literal();
    e.access("read", "contoso", &["orders", "people"], "sql", "orders");
    let plan = e.plan();
    assert!(
        has_row(&plan, &["apim:contoso/api:people", "not in the gateway"]),
        "{:?}",
        rows(&plan)
    );
    assert_eq!(in_phase(&plan, Phase::Switch), [""; 0]);
}

#[test]
fn a_declared_named_value_is_not_deleted() {
    let mut e = with_text("{{orders-db}}");
    let value = e.named_value("contoso", "orders-db", &literal());
    let document = NamedValue {
        span: Span::default(),
        gateway: "contoso".into(),
        name: "orders-db".into(),
        properties: serde_json::Map::new(),
        value_from: None,
    };
    e.desired.named_values.insert("orders-db".into(), document);
    let plan = e.plan();
    assert!(!ids(&plan).contains(&format!("retire/{value}").as_str()));
    assert!(has_row(
        &plan,
        &[value.as_str(), "a NamedValue document declares it"]
    ));
}

#[test]
fn a_named_value_that_an_uncovered_api_uses_is_not_deleted() {
    let mut e = with_text("{{orders-db}}");
    let value = e.named_value("contoso", "orders-db", &literal());
    e.resolver("contoso", "legacy", "q", &policy("{{orders-db}}", false));
    let plan = e.plan();
    assert!(!ids(&plan).contains(&format!("retire/{value}").as_str()));
    assert!(
        has_row(&plan, &[value.as_str(), "api:legacy/resolver:q/policy"]),
        "{:?}",
        rows(&plan)
    );
}

#[test]
fn a_named_value_stays_for_an_access_without_retire() {
    let mut e = with_text("{{orders-db}}");
    let value = e.named_value("contoso", "orders-db", &literal());
    e.resolver("contoso", "legacy", "q", &policy("{{orders-db}}", false));
    e.access("legacy", "contoso", &["legacy"], "sql", "orders");
    e.wanted("legacy").retire = None;
    let plan = e.plan();
    assert!(!ids(&plan).contains(&format!("retire/{value}").as_str()));
    assert!(
        has_row(&plan, &[value.as_str(), "the Access legacy"]),
        "{:?}",
        rows(&plan)
    );
    assert!(!plan.to_json().contains("ALTER LOGIN"));
}

#[test]
fn a_literal_that_cannot_be_parked_makes_its_switch_irreversible() {
    for password in ["a&b-canary", "it's-canary", "a<b-canary", "a\"b-canary"] {
        let mut e = with_text(&with_password("sql", "orders", "orders_app", password));
        e.passwords.insert(
            (Address::server("sql"), "orders_app".into()),
            password.into(),
        );
        let plan = e.plan();
        assert_eq!(in_phase(&plan, Phase::Park), [""; 0], "{password}");
        let switch = step(&plan, "switch/apim:contoso/api:orders/resolver:q/policy");
        assert!(switch.irreversible().is_some(), "{password}");
        assert!(!plan.to_json().contains("canary"), "{password}");
    }
}

#[test]
fn another_literal_is_parked_under_another_name() {
    let parked = |e: &Estate| {
        let plan = e.plan();
        let value = plan
            .steps
            .iter()
            .find(|s| s.address.last().0 == "namedValue");
        value.unwrap().address.clone()
    };
    let first = parked(&with_literal());
    assert_eq!(first, parked(&with_literal()));
    let mut e = with_text(&literal().replace("Password=", "Password=x"));
    e.secret_value("contoso", first.last().1, "an older literal");
    assert_ne!(first, parked(&e));
}

#[test]
fn declared_properties_of_a_server_are_changed_and_nothing_else_of_it() {
    let mut e = with_literal();
    let server = Address::server("sql");
    let wanted = serde_json::json!({ "minimalTlsVersion": "1.2" });
    let document = e.desired.servers.get_mut("sql").unwrap();
    document.properties = wanted.as_object().unwrap().clone();
    let plan = e.plan();
    let change = step(&plan, &format!("switch/{server}"));
    let Op::Patch { body, .. } = &change.op else {
        panic!("{:?}", change.op)
    };
    assert_eq!(*body, serde_json::json!({ "properties": wanted }));
    e.run(change);
    let again = e.plan();
    assert!(!again.steps.iter().any(|s| s.address == server));
}

#[test]
fn nothing_is_planned_inside_a_gateway_that_is_not_there() {
    let mut e = with_literal();
    let value = keyless_model::NamedValue {
        span: Default::default(),
        gateway: "contoso".into(),
        name: "region".into(),
        properties: Default::default(),
        value_from: None,
    };
    e.desired.named_values.insert("region".into(), value);
    e.truth.entities.remove(&Address::gateway("contoso"));
    let plan = e.plan();
    let place = Address::gateway("contoso").child("namedValue", "region");
    assert!(!plan.steps.iter().any(|s| s.address == place));
    assert!(plan.waiting.iter().any(|w| w.address == place));
}

#[test]
fn the_lock_waits_for_a_login_that_stays_open() {
    let mut e = with_literal();
    e.entra_only("sql");
    let plan = e.plan();
    assert!(ids(&plan).contains(&"lock/sql:sql/entraOnly"));
    let needs = &step(&plan, "lock/sql:sql/entraOnly").needs;
    assert!(
        needs.contains("disable/sql:sql/login:orders_app"),
        "{needs:?}"
    );
    e.database("sql", "people");
    e.user_of("sql", "people", "orders_app", "people_app");
    let plan = e.plan();
    assert_eq!(in_phase(&plan, Phase::Lock), [""; 0]);
    let row = [
        "entraOnly",
        "passwords are still needed by",
        "the login orders_app",
    ];
    assert!(has_row(&plan, &row), "{:?}", rows(&plan));
}

#[test]
fn without_retire_the_plan_ends_with_the_switch() {
    let mut e = with_literal();
    e.wanted("read").retire = None;
    let plan = e.plan();
    assert_eq!(plan.steps.last().unwrap().phase, Phase::Switch);
    e.run_all(&plan);
    assert!(e.plan().is_empty());
    let told = e.drift();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((told[0].class, told[0].code), (Class::Pending, "KL0508"));
}

#[test]
fn a_soak_that_is_over_is_not_waited_for_again_until_the_next_switch() {
    let mut e = with_literal();
    let plan = e.plan();
    run_some(&mut e, &plan, |s| s.phase > Phase::Confirm, |_, _| {});
    assert_eq!(in_phase(&e.plan(), Phase::Confirm), [""; 0]);
    // The credential comes back, and with it both soaks.
    e.converge();
    e.login("sql", "orders_app", SECRET);
    e.resolver("contoso", "orders", "q", &policy(&literal(), false));
    let again = e.plan();
    assert_eq!(
        in_phase(&again, Phase::Confirm),
        ["confirm/apim:contoso/access:read"]
    );
    assert!(ids(&again).contains(&"disable/apim:contoso/access:read"));
}

#[test]
fn an_earlier_second_soak_does_not_count_for_a_later_switch() {
    let mut e = with_literal();
    e.converge();
    e.resolver("contoso", "orders", "q", &policy(&literal(), false));
    let plan = e.plan();
    run_some(&mut e, &plan, |s| s.phase > Phase::Confirm, |_, _| {});
    assert!(e.state.accesses["read"].settled_at > Some(Timestamp::from_unix(0)));
    let plan = e.plan();
    let parked = plan
        .steps
        .iter()
        .find(|s| s.phase == Phase::Retire)
        .unwrap();
    assert!(
        parked.needs.contains("disable/apim:contoso/access:read"),
        "{:?}",
        parked.needs
    );
}

/// Declares a resolver of contoso with this policy.
fn declare(e: &mut Estate, api: &str, resolver: &str, text: &str) {
    let document = Resolver {
        span: Span::default(),
        gateway: "contoso".into(),
        api: api.into(),
        name: resolver.into(),
        properties: serde_json::Map::new(),
        policy: Some(text.to_owned()),
    };
    e.desired.resolvers.insert(resolver.into(), document);
}

#[test]
fn a_declared_policy_text_is_the_wanted_one() {
    let mut e = with_literal();
    let text = policy(&without("sql", "orders"), true);
    declare(&mut e, "orders", "q", &text);
    let plan = e.plan();
    let switch = step(&plan, "switch/apim:contoso/api:orders/resolver:q/policy");
    let Op::Put { body, .. } = &switch.op else {
        panic!("{:?}", switch.op)
    };
    assert_eq!(body["properties"]["value"], text);
    let Undo::Put { body } = &switch.undo else {
        panic!("{:?}", switch.undo)
    };
    let before = body["properties"]["value"].as_str().unwrap();
    assert!(
        before.contains("{{keyless-read-") && before.contains("SELECT 1"),
        "{before}"
    );
    assert!(!plan.to_json().contains(SECRET));
    e.run_all(&plan);
    assert!(e.plan().is_empty());
}

#[test]
fn an_old_user_is_not_cut_off_by_exclusive_before_its_soak_is_over() {
    let mut e = with_literal();
    e.declare_database("sql", "orders", true);
    e.external("sql", "orders", "stranger", 77);
    let plan = e.plan();
    let stranger = step(&plan, "disable/sql:sql/db:orders/principal:stranger");
    assert!(stranger.needs.contains("confirm/apim:contoso/access:read"));
    run_some(&mut e, &plan, |s| s.phase > Phase::Switch, |_, _| {});
    let next = e.plan();
    assert!(
        !ids(&next)
            .iter()
            .any(|id| id.contains("principal:app user")),
        "{:?}",
        ids(&next)
    );
    e.converge();
    assert!(e.plan().is_empty());
}

#[test]
fn an_exclusive_database_is_left_alone_while_an_access_is_held_up() {
    let mut e = with_literal();
    e.declare_database("sql", "orders", true);
    e.external("sql", "orders", "stranger", 77);
    e.access("read", "contoso", &["orders", "gone"], "sql", "orders");
    let plan = e.plan();
    assert!(
        !ids(&plan).iter().any(|id| id.contains("/principal:")),
        "{:?}",
        ids(&plan)
    );
    assert!(has_row(
        &plan,
        &["revoke what no document declares", "held up"]
    ));
}

#[test]
fn pruning_spares_what_an_access_looks_after() {
    use keyless_model::Owned;
    let mut e = with_text("{{orders-db}}");
    e.named_value("contoso", "orders-db", &literal());
    let stray = e.named_value("contoso", "stray", "x");
    let gateway = e.desired.gateways.get_mut("contoso").unwrap();
    gateway.owns = BTreeSet::from([Owned::NamedValues, Owned::Policies]);
    gateway.prune = true;
    e.resolver(
        "contoso",
        "orders",
        "new",
        &policy(&without("sql", "orders"), true),
    );
    let plan = e.plan();
    let deleted: Vec<&Address> = plan
        .steps
        .iter()
        .filter(|s| matches!(s.op, Op::Delete {}))
        .map(|s| &s.address)
        .collect();
    assert!(deleted.contains(&&stray));
    assert!(
        !deleted.iter().any(|a| a.last().0 == "policy"),
        "{deleted:?}"
    );
    e.run_all(&plan);
    assert!(e.plan().is_empty(), "{:?}", ids(&e.plan()));
}

#[test]
fn a_deny_in_the_role_of_the_access_is_mended() {
    let mut e = with_literal();
    e.converge();
    let mut deny = rule("SELECT", schema("dbo"), "keyless_read");
    deny.state = PermissionState::Deny;
    let catalogue = e.catalogue("sql", "orders");
    catalogue.permissions.retain(|p| p.to != "keyless_read");
    catalogue.permissions.insert(deny);
    let plan = e.plan();
    assert_eq!(
        statements(step(&plan, "grant/sql:sql/db:orders/role:keyless_read")),
        ["GRANT SELECT ON SCHEMA::[dbo] TO [keyless_read]"]
    );
}

#[test]
fn a_user_named_like_the_gateway_that_is_no_identity_keeps_its_name() {
    let mut e = with_literal();
    e.contained("sql", "orders", "contoso", "Other-canary-0002");
    let plan = e.plan();
    step(&plan, "grant/sql:sql/db:orders/user:keyless_contoso");
    assert!(!plan.to_json().contains("DROP USER [contoso]"));
}

#[test]
fn logins_that_could_not_be_read_are_recorded_and_left_open() {
    let mut e = with_literal();
    let server = Address::server("sql");
    let logins = e
        .truth
        .logins
        .insert(server.clone(), Live::Unreadable("forbidden".into()));
    let plan = e.plan();
    let row = ["close and drop the old login orders_app", "forbidden"];
    assert!(has_row(&plan, &row), "{:?}", rows(&plan));
    e.run_all(&plan);
    // Once they can be read the login is still known, although the policy no longer names it.
    e.truth.logins.insert(server, logins.unwrap());
    step(&e.plan(), "disable/sql:sql/login:orders_app");
}

#[test]
fn a_user_that_an_unread_access_may_replace_is_no_finding_until_the_switch() {
    let mut e = with_text("{{orders-db}}");
    e.secret_value("contoso", "orders-db", &literal());
    e.declare_database("sql", "orders", false);
    assert!(
        e.drift().iter().all(|f| f.class == Class::Pending),
        "{:#?}",
        e.drift()
    );
    e.converge();
    let unmanaged = |f: &Finding| f.class == Class::Unmanaged && f.address.last().1 == "app user";
    assert!(e.drift().iter().any(unmanaged), "{:#?}", e.drift());
}

#[test]
fn a_service_that_is_not_there_is_no_empty_estate() {
    let mut e = Estate::small();
    e.truth.entities.remove(&Address::server("sql"));
    let plan = e.plan();
    assert!(
        has_row(&plan, &["sql:sql", "it does not exist"]),
        "{:?}",
        rows(&plan)
    );
    let found = e.drift();
    let missing = found
        .iter()
        .any(|f| f.class == Class::Missing && f.address == Address::server("sql"));
    assert!(missing, "{found:#?}");
}
