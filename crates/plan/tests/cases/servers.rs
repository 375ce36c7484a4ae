//! Servers, soaks and the lock.

use super::*;

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
    assert_eq!(e.state.accesses["read"].settled_at, None);
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
