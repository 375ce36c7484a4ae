//! Runs of whole plans against a world and a store in memory.

mod approvals;
mod gates;
mod kills;
mod order;
mod overtaken;
mod plans;
mod recheck;
mod rollback;
mod soaks;
mod stops;
mod store;
mod world;
mod writes;

use futures::FutureExt;
use keyless_model::State;
use keyless_plan::Plan;

use crate::{EngineError, Event, Options, Outcome, StateStore, apply, fold, load};
use store::MemoryStore;
use world::World;

/// One run and what it told; none when it was killed.
fn run(
    plan: &Plan,
    world: &World,
    store: &MemoryStore,
    options: Options,
) -> Option<(Result<Outcome, EngineError>, Vec<Event>)> {
    let mut events = Vec::new();
    let mut tell = |event| events.push(event);
    let result = apply(plan, world, store, &options, &mut tell).now_or_never()?;
    Some((result, events))
}

/// A run that nobody kills.
fn run_through(plan: &Plan, world: &World, store: &MemoryStore) -> (Outcome, Vec<Event>) {
    let (outcome, events) = run(
        plan,
        world,
        store,
        Options {
            looks: 3,
            ..Options::default()
        },
    )
    .unwrap();
    let saved = store.load().now_or_never().unwrap().unwrap().state;
    assert_eq!(saved, rebuilt(store));
    (outcome.unwrap(), events)
}

fn outcome(plan: &Plan, world: &World, store: &MemoryStore) -> Outcome {
    run_through(plan, world, store).0
}

fn state(store: &MemoryStore) -> State {
    load(store).now_or_never().unwrap().unwrap().state
}

/// The state made again from the journal alone.
fn rebuilt(store: &MemoryStore) -> State {
    let mut state = State::empty();
    for record in load(store).now_or_never().unwrap().unwrap().records {
        fold(&mut state, &record);
    }
    state
}
