//! Which steps get their turn.

use keyless_plan::Phase;

use super::plans::{Finish, address, change, make, plan, remove};
use super::store::MemoryStore;
use super::world::World;
use super::{outcome, run, run_through, state};
use crate::{Event, Fault, Options};

fn refused() -> Fault {
    Fault::Refused {
        message: "the service said no".into(),
    }
}

#[test]
fn a_plan_runs_to_its_end_and_a_second_run_does_nothing() {
    let (world, store) = (World::default(), MemoryStore::default());
    world.set(&address("policy"), "old");
    let plan = plan(vec![
        make(Phase::Identify, "identity"),
        change(Phase::Switch, "policy").needing(&["identify/identity", "grant/not-in-this-plan"]),
    ]);
    let first = outcome(&plan, &world, &store);
    assert_eq!(first.done, ["identify/identity", "switch/policy"]);
    assert_eq!(first.exit_code(), 0);
    assert_eq!(world.value(&address("policy")).as_deref(), Some("new"));
    assert!(state(&store).made(&address("identity")));
    assert_eq!(
        store.kept_plans().as_slice(),
        std::slice::from_ref(&plan.id)
    );

    let journal = store.journal();
    let second = outcome(&plan, &world, &store);
    assert_eq!(
        (second.done.len(), second.already.len(), second.exit_code()),
        (0, 2, 0)
    );
    assert_eq!(store.journal(), journal);
    assert_eq!(world.writes("switch/policy"), 1);
}

#[test]
fn a_failure_stops_what_depends_on_it_and_nothing_else() {
    let (world, store) = (World::default(), MemoryStore::default());
    let plan = plan(vec![
        make(Phase::Grant, "a"),
        make(Phase::Grant, "b"),
        make(Phase::Park, "a2").needing(&["grant/a"]),
        make(Phase::Retire, "a3").needing(&["park/a2"]),
        make(Phase::Retire, "b2").needing(&["grant/b"]),
    ]);
    world.next_act("grant/a", refused(), false);
    let (outcome, events) = run_through(&plan, &world, &store);
    assert_eq!(outcome.done, ["grant/b", "retire/b2"]);
    assert_eq!(outcome.failed[0].message, "the service said no");
    let reasons: Vec<&str> = outcome
        .not_started
        .iter()
        .map(|n| n.because.as_str())
        .collect();
    assert_eq!(reasons, ["grant/a failed", "park/a2 was not started"]);
    assert_eq!(outcome.exit_code(), 1);
    let skipped = events
        .iter()
        .filter(|e| matches!(e, Event::Skipped { .. }))
        .count();
    assert_eq!(skipped, 2);

    // The next run goes on from there.
    let outcome = super::outcome(&plan, &world, &store);
    assert_eq!(outcome.done, ["grant/a", "park/a2", "retire/a3"]);
    assert_eq!(outcome.exit_code(), 0);
}

#[test]
fn an_irreversible_step_waits_for_its_flag_and_is_not_asked_for_when_it_is_done() {
    let (world, store) = (World::default(), MemoryStore::default());
    world.set(&address("key"), "old");
    let plan = plan(vec![
        remove(Phase::Retire, "gone"),
        remove(Phase::Retire, "key"),
    ]);
    let held = outcome(&plan, &world, &store);
    assert_eq!(held.already, ["retire/gone"]);
    assert_eq!(held.waiting[0].code, Some("KL0304"));
    assert!(held.waiting[0].next.contains("--allow-irreversible"));
    assert_eq!((held.exit_code(), world.writes("retire/key")), (3, 0));

    let options = Options {
        allow_irreversible: true,
        ..Options::default()
    };
    let (allowed, _) = run(&plan, &world, &store, options).unwrap();
    assert_eq!(allowed.unwrap().done, ["retire/key"]);
    assert_eq!(world.value(&address("key")), None);
}

#[test]
fn rows_of_the_plan_that_are_blocked_end_in_3() {
    let (world, store) = (World::default(), MemoryStore::default());
    let mut plan = plan(vec![]);
    plan.waiting.push(keyless_plan::Waiting {
        address: address("x"),
        access: None,
        what: "read".into(),
        why: "blocked".into(),
        next: "plan again".into(),
    });
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 3);
}

#[test]
fn a_plan_out_of_order_or_a_held_lease_ends_the_run_before_it_begins() {
    use crate::StateStore;
    use futures::FutureExt;
    let (world, store) = (World::default(), MemoryStore::default());
    let late = plan(vec![
        make(Phase::Grant, "a").needing(&["identify/b"]),
        make(Phase::Identify, "b"),
    ]);
    let twice = plan(vec![make(Phase::Grant, "a"), make(Phase::Grant, "a")]);
    for bad in [late, twice] {
        let (result, _) = run(&bad, &world, &store, Options::default()).unwrap();
        assert_eq!(result.unwrap_err().code(), "KL0301");
    }
    world.inner().now = 0;
    let (result, _) = run(&plan(vec![]), &world, &store, Options::default()).unwrap();
    assert_eq!(result.unwrap_err().code(), "KL0203");
    world.inner().now = 1;
    let good = plan(vec![make(Phase::Grant, "a")]);
    store.take_lease().now_or_never().unwrap().unwrap();
    let (result, _) = run(&good, &world, &store, Options::default()).unwrap();
    let error = result.unwrap_err();
    assert_eq!(error.code(), "KL0306");
    assert!(error.to_string().contains("process 1"), "{error}");
    assert!(store.journal().is_empty() && world.inner().writes.is_empty());
}
