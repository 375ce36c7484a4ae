//! Gates that the provider can find out about.

use keyless_plan::{Phase, Plan};

use super::plans::{Finish, address, canary, change, effective, make, plan, switched};
use super::store::MemoryStore;
use super::world::World;
use super::{outcome, run_through, state};
use crate::{Event, Fault, Probe};

fn fails() -> Result<Probe, Fault> {
    Ok(Probe::Fails {
        why: "500 from the resolver".into(),
        next: "look at the trace".into(),
    })
}

/// Two switches, one of which somebody else has done, and a canary behind them.
fn switches() -> (Plan, World, MemoryStore) {
    let world = World::default();
    world.set(&address("p"), "old");
    world.set(&address("q"), "new");
    let plan = plan(vec![
        change(Phase::Switch, "p").noting(switched()),
        change(Phase::Switch, "q"),
        canary("canary").needing(&["switch/p", "switch/q"]),
        make(Phase::Disable, "d").needing(&["switch/canary"]),
    ]);
    (plan, world, MemoryStore::default())
}

#[test]
fn a_gate_opens_with_its_evidence_in_the_journal() {
    let (world, store) = (World::default(), MemoryStore::default());
    let plan = plan(vec![
        effective("rights"),
        make(Phase::Park, "x").needing(&["grant/rights"]),
    ]);
    world.next_probe("grant/rights", Ok(Probe::Waits("the grant to show".into())));
    world.next_probe(
        "grant/rights",
        Ok(Probe::Holds("SELECT on dbo, and nothing else".into())),
    );
    let (outcome, events) = run_through(&plan, &world, &store);
    assert_eq!(outcome.done, ["grant/rights", "park/x"]);
    assert!(store.journal().contains("SELECT on dbo, and nothing else"));
    let opened = |e: &Event| matches!(e, Event::GateOpened { .. });
    assert!(events.iter().any(opened), "{events:?}");
}

#[test]
fn a_gate_that_keeps_waiting_parks_what_needs_it() {
    let (world, store) = (World::default(), MemoryStore::default());
    let plan = plan(vec![
        effective("rights"),
        make(Phase::Park, "x").needing(&["grant/rights"]),
    ]);
    for _ in 0..3 {
        world.next_probe("grant/rights", Ok(Probe::Waits("the grant to show".into())));
    }
    let parked = outcome(&plan, &world, &store);
    assert_eq!(parked.waiting[0].why, "the grant to show");
    assert_eq!(parked.not_started[0].because, "grant/rights waits");
    assert_eq!(parked.exit_code(), 3);
    assert_eq!(
        outcome(&plan, &world, &store).done,
        ["grant/rights", "park/x"]
    );
}

#[test]
fn a_failing_canary_takes_back_the_switches_of_this_plan_and_no_others() {
    let (plan, world, store) = switches();
    world.next_probe("switch/canary", fails());
    let failed = outcome(&plan, &world, &store);
    assert_eq!(world.value(&address("p")).as_deref(), Some("old"));
    assert_eq!(world.value(&address("q")).as_deref(), Some("new"));
    assert_eq!(failed.undone, ["switch/p"]);
    assert_eq!(failed.already, ["switch/q"]);
    assert!(failed.done.is_empty());
    assert_eq!(failed.failed[0].next, "look at the trace");
    assert_eq!(failed.not_started[0].because, "switch/canary failed");
    assert_eq!(state(&store).accesses["a"].switched_at, None);

    let again = outcome(&plan, &world, &store);
    assert_eq!(again.done, ["switch/p", "switch/canary", "disable/d"]);
    assert!(state(&store).accesses["a"].switched_at.is_some());
}

#[test]
fn a_canary_that_cannot_be_tried_takes_the_switch_back_too() {
    let (plan, world, store) = switches();
    world.next_probe(
        "switch/canary",
        Err(Fault::OutcomeUnknown {
            message: "timeout".into(),
        }),
    );
    assert_eq!(outcome(&plan, &world, &store).undone, ["switch/p"]);
}

#[test]
fn an_undo_that_fails_is_a_failure_of_the_switch() {
    let (plan, world, store) = switches();
    world.next_probe("switch/canary", fails());
    let refused = Fault::Refused {
        message: "the service is locked".into(),
    };
    world
        .inner()
        .undos
        .insert("switch/p".into(), [refused].into());
    let outcome = outcome(&plan, &world, &store);
    let failed: Vec<&str> = outcome.failed.iter().map(|f| f.step.as_str()).collect();
    assert_eq!(failed, ["switch/p", "switch/canary"]);
    assert!(outcome.done.is_empty() && outcome.undone.is_empty());
}

#[test]
fn no_evidence_is_not_a_pass() {
    let (world, store) = (World::default(), MemoryStore::default());
    let plan = plan(vec![effective("rights")]);
    world.next_probe(
        "grant/rights",
        Ok(Probe::NoEvidence("no right to look".into())),
    );
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 3);
}
