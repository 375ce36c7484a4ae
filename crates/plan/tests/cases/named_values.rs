//! Named values and literals that stay or go.

use super::*;

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
