//! Other revisions than the current one: they hold the old credential too.

#![allow(clippy::unwrap_used, reason = "tests")]

mod estate;

use std::collections::BTreeSet;

use estate::look::{ids, in_phase, needs, step, waits};
use estate::world::run_some;
use estate::{Estate, at, policy, with_password, without};
use keyless_model::{Canary, Expected, ProbeRequest, Selection};
use keyless_plan::{Gate, Op, Phase, Plan};

const SECRET: &str = "Wq7-canary-0003";
const CURRENT: &str = "switch/apim:contoso/api:orders/resolver:q/policy";
const OLD: &str = "switch/apim:contoso/api:orders;rev=1/resolver:q/policy";

fn literal() -> String {
    policy(&with_password("sql", "orders", "app", SECRET), false)
}

/// A resolver whose credential stands in the current revision and in an old one.
fn small() -> Estate {
    let mut e = Estate::small();
    e.login("sql", "app", SECRET);
    e.user_of("sql", "orders", "app", "app");
    e.resolver("contoso", "orders", "q", &literal());
    e.old_resolver("contoso", "orders", "q", &literal());
    e.access("read", "contoso", &["orders"], "sql", "orders");
    e
}

fn probed(e: &mut Estate, canary: Canary) {
    let prove = &mut e.wanted("read").prove;
    prove.canary = canary;
    prove.request = Some(ProbeRequest {
        method: "POST".into(),
        path: "/graphql".into(),
        url: None,
        body: None,
        expect: Expected {
            status: 200,
            no_graphql_errors: true,
        },
    });
}

fn gate<'a>(plan: &'a Plan, id: &str) -> &'a Gate {
    match &step(plan, id).op {
        Op::Gate { gate } => gate,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_old_revision_is_switched_after_the_current_one_answers() {
    let mut e = small();
    probed(&mut e, Canary::Revision);
    let plan = e.plan();
    let answers = "switch/apim:contoso/api:orders/access:read/answers";
    needs(&plan, OLD, &[CURRENT, answers]);
    let Gate::Canary {
        edits,
        current: false,
        ..
    } = gate(&plan, "prove/apim:contoso/api:orders/access:read/canary")
    else {
        panic!("no canary")
    };
    assert_eq!(edits.keys().collect::<Vec<_>>(), ["resolver:q/policy"]);
    assert_eq!(
        in_phase(&plan, Phase::Prove).len(),
        1,
        "old revisions are not tried"
    );
    needs(&plan, "confirm/apim:contoso/access:read", &[CURRENT, OLD]);
    needs(&plan, "disable/sql:sql/login:app", &[OLD]);
    e.run_all(&plan);
    assert!(e.plan().is_empty());
    assert_eq!(e.drift(), []);
    assert_eq!(e.logins("sql").len(), 1, "the old login is dropped");
    assert!(
        !format!(
            "{:?}",
            e.truth.policy_text(&at("contoso", "orders;rev=1", "q"))
        )
        .contains(SECRET)
    );
}

#[test]
fn an_old_revision_alone_is_switched_once_the_current_one_shows_the_identity() {
    let mut e = small();
    probed(&mut e, Canary::Revision);
    e.resolver(
        "contoso",
        "orders",
        "q",
        &policy(&without("sql", "orders"), true),
    );
    let plan = e.plan();
    let canary = "prove/apim:contoso/api:orders/access:read/canary";
    let Gate::Canary {
        edits,
        current: true,
        ..
    } = gate(&plan, canary)
    else {
        panic!("no request to the current revision")
    };
    assert!(edits.is_empty());
    needs(&plan, OLD, &[canary]);
    // Where the current revision has no such source, no request shows anything.
    e.truth.entities.remove(&at("contoso", "orders", "q"));
    let plan = e.plan();
    let Gate::Approve { question } = gate(&plan, "prove/apim:contoso/access:read") else {
        panic!("nobody is asked")
    };
    assert!(question.contains("older revisions of orders"), "{question}");
    needs(&plan, OLD, &["prove/apim:contoso/access:read"]);
}

#[test]
fn an_old_revision_that_cannot_be_switched_keeps_the_login_and_not_the_switch() {
    let mut e = small();
    let expression = policy("@(context.Variables[\"db\"])", false);
    e.old_resolver("contoso", "orders", "q", &expression);
    let plan = e.plan();
    step(&plan, CURRENT);
    waits(
        &plan,
        &["api:orders;rev=1/resolver:q/policy", "an expression"],
    );
    assert_eq!(in_phase(&plan, Phase::Disable), [""; 0]);
    assert_eq!(in_phase(&plan, Phase::Retire), [""; 0]);
}

#[test]
fn revisions_that_could_not_be_read_keep_the_login_and_not_the_switch() {
    let places = [
        "apim:contoso/api:orders/revisions",
        "apim:contoso/api:orders;rev=1/resolver:",
    ];
    for place in places {
        let mut e = small();
        e.truth.entities.remove(&at("contoso", "orders;rev=1", "q"));
        e.truth
            .entities
            .remove(&at("contoso", "orders;rev=1", "q").parent().unwrap());
        e.truth.unreadable.insert(place.into(), "forbidden".into());
        let plan = e.plan();
        step(&plan, CURRENT);
        waits(&plan, &["forbidden"]);
        assert_eq!(in_phase(&plan, Phase::Disable), [""; 0], "{place}");
        assert_eq!(in_phase(&plan, Phase::Retire), [""; 0], "{place}");
    }
}

#[test]
fn an_access_to_every_api_means_every_revision_and_a_choice_of_resolvers_holds_for_all() {
    let mut e = small();
    e.wanted("read").apis = None;
    step(&e.plan(), OLD);
    let mut e = small();
    e.resolver(
        "contoso",
        "orders",
        "other",
        &policy(&without("sql", "orders"), true),
    );
    let choice = &mut e.wanted("read").apis.as_mut().unwrap()[0];
    choice.resolvers = Selection::Named(BTreeSet::from(["other".to_owned()]));
    assert!(!ids(&e.plan()).iter().any(|id| id.starts_with("switch/")));
}

#[test]
fn a_parked_value_of_one_access_holds_no_other_up() {
    let mut e = small();
    e.database("sql", "people");
    e.login("sql", "hr", "Wq7-canary-0004");
    e.user_of("sql", "people", "hr", "hr");
    let people = policy(
        &with_password("sql", "people", "hr", "Wq7-canary-0004"),
        false,
    );
    e.resolver("contoso", "orders", "p", &people);
    e.access("people", "contoso", &["orders"], "sql", "people");
    let plan = e.plan();
    run_some(&mut e, &plan, |s| s.phase > Phase::Park, |_, _| {});
    let plan = e.plan();
    assert_eq!(plan.waiting, [], "{:#?}", plan.waiting);
    step(&plan, "disable/sql:sql/login:app");
    step(&plan, "disable/sql:sql/login:hr");
    e.run_all(&plan);
    assert!(e.plan().is_empty());
    // Whose Access is not desired any more, may lead anywhere.
    let mut e = small();
    let plan = e.plan();
    run_some(&mut e, &plan, |s| s.phase > Phase::Park, |_, _| {});
    let mut access = e.desired.accesses.remove("read").unwrap();
    access.name = "other".into();
    e.desired.accesses.insert("other".into(), access);
    e.database("sql", "people");
    e.access("people", "contoso", &["orders"], "sql", "people");
    waits(
        &e.plan(),
        &["resolver:q/policy", "several Accesses choose it"],
    );
}
