//! What people are shown of a plan beside its steps: the graph, and the count of what stays.

use keyless_plan::{Way, graph, unchanged};

use super::*;

const POLICY: &str = "apim:contoso/api:orders/resolver:q/policy";

/// Two Accesses that share the resolver of `with_literal`.
fn with_two() -> Estate {
    let mut e = with_literal();
    e.access("also", "contoso", &["orders"], "sql", "orders");
    e
}

#[test]
fn a_policy_stays_in_the_graph_once_it_is_switched() {
    let mut e = with_literal();
    let plan = e.plan();
    let before = graph(&e.desired, Some((&e.truth, &plan)));
    assert_eq!(before.nodes[POLICY].way, Way::Key);
    e.converge();
    let after = graph(&e.desired, Some((&e.truth, &e.plan())));
    assert_eq!(after.nodes[POLICY].way, Way::Plain);
    assert_eq!(before.edges, after.edges);
}

#[test]
fn a_document_that_two_accesses_share_is_on_the_ways_of_both() {
    let e = with_two();
    let drawn = graph(&e.desired, Some((&e.truth, &e.plan())));
    assert_eq!(drawn.nodes[POLICY].ways.len(), 2);
}

#[test]
fn an_access_whose_steps_are_those_of_another_is_not_unchanged() {
    let mut e = with_two();
    // Its role is there by now; what is left is the switch, which both share.
    let plan = e.plan();
    run_some(&mut e, &plan, |s| s.phase > Phase::Grant, |_, _| {});
    let plan = e.plan();
    let all = e.desired.addresses().len();
    assert_eq!(unchanged(&e.desired, &plan), all - 2);
    e.converge();
    assert_eq!(unchanged(&e.desired, &e.plan()), all);
}
