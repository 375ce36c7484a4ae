//! What is not there or could not be read.

use super::*;
use crate::estate::entity;

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
fn what_keeps_a_database_unread_decides_the_next_step() {
    let login_failed = || Live::Unreadable("login failed".into());
    let orders = Address::database("sql", "orders");

    let mut no_admin = with_literal();
    let databases = &mut no_admin.truth.databases;
    databases.insert(orders.clone(), login_failed());
    let wanted = ["no Entra administrator", "declare `entraAdmin`"];
    assert!(
        has_row(&no_admin.plan(), &wanted),
        "{:?}",
        rows(&no_admin.plan())
    );

    let mut refused = no_admin;
    let admin = Address::server("sql").part("entraAdmin");
    refused.truth.entities.insert(admin, entity(json!({})));
    let wanted = ["login failed", "VIEW SECURITY DEFINITION"];
    assert!(
        has_row(&refused.plan(), &wanted),
        "{:?}",
        rows(&refused.plan())
    );

    let mut mistyped = with_literal();
    mistyped.wanted("read").database = "0rders".into();
    let wanted = ["no database of the name 0rders", "there are orders"];
    assert!(
        has_row(&mistyped.plan(), &wanted),
        "{:?}",
        rows(&mistyped.plan())
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
