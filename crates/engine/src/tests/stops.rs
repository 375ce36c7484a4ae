//! A run that is asked to stop ends the request under way and begins no other.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use keyless_plan::{Phase, Plan};

use super::plans::{address, make, plan};
use super::store::MemoryStore;
use super::world::World;
use super::{outcome, rebuilt};
use crate::{Event, Options, Outcome, apply};

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
