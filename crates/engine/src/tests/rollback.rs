//! A plan that ran is taken back, killed anywhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use keyless_plan::{Note, Phase, Plan, rollback};

use super::plans::{Finish, address, change, make, plan, remove, switched};
use super::store::MemoryStore;
use super::world::{Fuse, World};
use super::{outcome, rebuilt, run, state};
use crate::{Options, Record, StateStore, ran_since, standing};

use futures::FutureExt;

fn story() -> Plan {
    plan(vec![
        make(Phase::Identify, "identity"),
        make(Phase::Park, "parked")
            .needing(&["identify/identity"])
            .noting(Note::Parked {
                access: "a".into(),
                address: address("parked"),
            }),
        change(Phase::Switch, "p")
            .needing(&["park/parked"])
            .noting(switched()),
        change(Phase::Disable, "login").needing(&["switch/p"]),
    ])
}

fn setting(fuse: &Arc<Fuse>) -> (World, MemoryStore) {
    let (world, store) = (World::new(fuse), MemoryStore::new(fuse));
    world.set(&address("p"), "old");
    world.set(&address("login"), "old");
    world.inner().now = 100;
    (world, store)
}

fn records(store: &MemoryStore) -> Vec<Record> {
    store.load().now_or_never().unwrap().unwrap().records
}

fn back(plan: &Plan, store: &MemoryStore, others: &[Plan]) -> Plan {
    let records = records(store);
    let done = standing(plan, &records, others).unwrap();
    let state = records.last().map_or(0, |r| r.seq);
    rollback(plan, &done, "test", state)
}

#[test]
fn a_plan_taken_back_and_killed_anywhere_leaves_all_as_it_was() {
    let plan = story();
    let mut points = 0;
    loop {
        let fuse = Arc::new(Fuse::default());
        let (world, store) = setting(&fuse);
        let before = world.inner().live.clone();
        assert_eq!(outcome(&plan, &world, &store).exit_code(), 0);
        let first = back(&plan, &store, &[]);
        assert_eq!(first.steps.len(), 4);
        assert_eq!(first.steps[0].id, "back/disable/login");
        fuse.set(points);
        let killed = run(&first, &world, &store, Options::default()).is_none();
        fuse.set(i64::MAX);
        store.process_ended();
        // The next run makes the plan anew, of what still stands.
        let rest = back(&plan, &store, std::slice::from_ref(&first));
        if !rest.steps.is_empty() {
            assert_eq!(outcome(&rest, &world, &store).exit_code(), 0, "{points}");
        }
        assert_eq!(world.inner().live, before, "{points}");
        assert_eq!(state(&store), rebuilt(&store));
        let state = state(&store);
        assert!(state.applied.is_empty(), "{points}: {:?}", state.applied);
        let access = &state.accesses["a"];
        assert_eq!((access.switched_at, access.parked.len()), (None, 0));
        let taken = [first, rest];
        assert!(
            standing(&plan, &records(&store), &taken)
                .unwrap()
                .is_empty()
        );
        if !killed {
            return;
        }
        points += 1;
    }
}

#[test]
fn what_was_changed_since_is_left_alone_with_all_under_it() {
    let plan = story();
    let (world, store) = setting(&Arc::default());
    outcome(&plan, &world, &store);
    world.set(&address("p"), "by hand");
    let found = outcome(&back(&plan, &store, &[]), &world, &store);
    assert_eq!(found.done, ["back/disable/login"]);
    assert_eq!(found.failed[0].step, "back/switch/p");
    assert_eq!(found.failed[0].code, "KL0302");
    assert_eq!(found.not_started.len(), 2);
    assert_eq!(world.inner().live[&address("p")], "by hand");
}

#[test]
fn nothing_under_a_step_that_cannot_be_taken_back_goes() {
    let mut plan = story();
    let retire = remove(Phase::Retire, "parked").needing(&["switch/p"]);
    plan.steps.push(retire);
    let (world, store) = setting(&Arc::default());
    let options = Options {
        allow_irreversible: true,
        ..Options::default()
    };
    run(&plan, &world, &store, options).unwrap().0.unwrap();
    let back = back(&plan, &store, &[]);
    let ids: Vec<&str> = back.steps.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["back/disable/login"]);
    let rows: BTreeSet<&str> = back.waiting.iter().map(|w| w.why.as_str()).collect();
    let on_it = "retire/parked stands on it and cannot be taken back";
    assert_eq!(
        rows,
        BTreeSet::from([on_it, "its value is known to nobody"])
    );
    assert_eq!(back.waiting.len(), 4);
}

#[test]
fn a_later_plan_may_stand_on_it() {
    let first = story();
    let (world, store) = setting(&Arc::default());
    outcome(&first, &world, &store);
    let mut later = plan(vec![make(Phase::Park, "z")]);
    later.id = "0b".repeat(32);
    let plans = [first.clone(), later.clone()];
    assert_eq!(ran_since(&first, &records(&store), &plans).unwrap(), None);
    outcome(&later, &world, &store);
    let since = ran_since(&first, &records(&store), &plans).unwrap();
    assert_eq!(since, Some(&later));
    let taken = back(&later, &store, &plans);
    outcome(&taken, &world, &store);
    let plans = [first.clone(), later, taken];
    assert_eq!(ran_since(&first, &records(&store), &plans).unwrap(), None);
}
