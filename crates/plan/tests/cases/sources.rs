//! Where a credential stands, and what is known of it.

use super::*;

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
