//! A run that is asked to stop ends the request under way and begins no other.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use keyless_plan::{Phase, Plan};

use super::plans::{address, effective, make, plan};
use super::store::MemoryStore;
use super::world::World;
use super::{outcome, rebuilt};
use crate::{Event, Fault, Options, Outcome, Probe, apply};

/// Runs `plan` and asks it to stop once an event fits.
fn stopped_at(
    plan: &Plan,
    world: &World,
    store: &MemoryStore,
    fits: impl Fn(&Event) -> bool + Send + Sync,
) -> Outcome {
    let stop: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
    let options = Options {
        looks: 5,
        stop: Some(stop),
        ..Options::default()
    };
    let mut tell = |event: Event| {
        if fits(&event) {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let run = apply(plan, world, store, &options, &mut tell).now_or_never();
    run.unwrap().unwrap()
}

#[test]
fn the_step_under_way_is_recorded_and_the_next_run_goes_on() {
    let (world, store) = (World::default(), MemoryStore::default());
    let plan = plan(vec![
        make(Phase::Grant, "a"),
        make(Phase::Grant, "b"),
        make(Phase::Grant, "c"),
    ]);
    let first = stopped_at(
        &plan,
        &world,
        &store,
        |e| matches!(e, Event::Started { step } if step == "grant/b"),
    );
    assert_eq!(first.done, ["grant/a", "grant/b"]);
    assert_eq!(first.not_started[0].because, "the run was asked to stop");
    assert_eq!((first.exit_code(), world.writes("grant/c")), (3, 0));
    rebuilt(&store);

    let second = outcome(&plan, &world, &store);
    assert_eq!(second.done, ["grant/c"]);
    assert_eq!(world.writes("grant/b"), 1);
}

#[test]
fn a_switch_that_does_not_show_yet_is_left_to_the_next_run() {
    let (world, store) = (World::default(), MemoryStore::default());
    world.set(&address("p"), "old");
    let switch = super::plans::change(Phase::Switch, "p");
    let plan = plan(vec![switch]);
    world.inner().mangled.insert("switch/p".into());
    let first = stopped_at(
        &plan,
        &world,
        &store,
        |e| matches!(e, Event::Verifying { step, .. } if step == "switch/p"),
    );
    assert!(first.undone.is_empty());
    assert!(first.failed[0].message.contains("asked to stop"));
    // The next run sees that the earlier one's switch reads otherwise, and takes it back.
    world.inner().mangled.clear();
    let second = outcome(&plan, &world, &store);
    assert!(
        second.failed[0].message.contains("taken back"),
        "{second:?}"
    );
    assert_eq!(world.value(&address("p")).as_deref(), Some("old"));
}

fn in_a_moment() -> Fault {
    Fault::Transient {
        message: "not now".into(),
    }
}

/// A world in which somebody asks to stop during the first wait.
fn impatient() -> World {
    let world = World::default();
    world.inner().asked_while_waiting = true;
    world
}

#[test]
fn no_request_follows_the_wait_that_was_cut_short() {
    let (world, store) = (impatient(), MemoryStore::default());
    let plan = plan(vec![make(Phase::Grant, "a")]);
    for _ in 0..3 {
        world.next_act("grant/a", in_a_moment(), false);
    }
    let first = stopped_at(&plan, &world, &store, |_| false);
    assert_eq!((world.writes("grant/a"), world.inner().waits), (0, 1));
    assert!(first.failed[0].next.contains("asked to stop"), "{first:?}");
    world.inner().acts.clear();
    world.inner().asked_while_waiting = false;
    assert_eq!(outcome(&plan, &world, &store).done, ["grant/a"]);
}

#[test]
fn no_look_follows_the_wait_that_was_cut_short() {
    let (world, store) = (impatient(), MemoryStore::default());
    let plan = plan(vec![make(Phase::Grant, "a")]);
    world.next_check("grant/a", Err(in_a_moment()));
    let first = stopped_at(&plan, &world, &store, |_| false);
    assert!(first.failed[0].message.contains("nothing was written"));
    assert_eq!((world.writes("grant/a"), world.inner().waits), (0, 1));
    world.inner().asked_while_waiting = false;
    assert_eq!(outcome(&plan, &world, &store).done, ["grant/a"]);
}

#[test]
fn a_probe_is_not_tried_again_after_the_wait_that_was_cut_short() {
    let (world, store) = (impatient(), MemoryStore::default());
    let plan = plan(vec![effective("r")]);
    let gate = plan.steps[0].id.clone();
    for _ in 0..3 {
        world.next_probe(&gate, Ok(Probe::Waits("the role".into())));
    }
    let first = stopped_at(&plan, &world, &store, |_| false);
    assert_eq!((first.waiting.len(), world.inner().waits), (1, 1));
    assert_eq!(world.inner().probes[&gate].len(), 2);
}

#[test]
fn a_switch_that_is_being_taken_back_is_taken_back_first_by_the_next_run() {
    let (world, store) = (impatient(), MemoryStore::default());
    world.set(&address("p"), "old");
    let plan = plan(vec![super::plans::change(Phase::Switch, "p")]);
    // It reads back otherwise, and the way back is not open either.
    world.inner().mangled.insert("switch/p".into());
    world
        .inner()
        .undos
        .insert("switch/p".into(), vec![in_a_moment(); 4].into());
    let sent = stopped_at(&plan, &world, &store, |_| false);
    assert!(sent.failed[0].message.contains("asked to stop"), "{sent:?}");
    let left = stopped_at(&plan, &world, &store, |_| false);
    assert!(left.failed[0].message.contains("could not be taken back"));
    assert_eq!(world.inner().undos["switch/p"].len(), 3);

    world.inner().asked_while_waiting = false;
    world.inner().undos.clear();
    world.inner().mangled.clear();
    assert_eq!(outcome(&plan, &world, &store).done, ["switch/p"]);
    rebuilt(&store);
}
