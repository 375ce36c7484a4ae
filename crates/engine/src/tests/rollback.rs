//! A plan that ran is taken back, killed anywhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use keyless_plan::{Note, Phase, Plan, Remains, rollback};

use super::plans::{Finish, address, change, make, plan, remove, switched};
use super::store::MemoryStore;
use super::world::{Fuse, World};
use super::{outcome, rebuilt, run, state};
use crate::{Options, Record, StateStore, ran_since, remains};

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
    let stands = remains(plan, &records, others).unwrap();
    let state = records.last().map_or(0, |r| r.seq);
    rollback(plan, &stands, "test", state)
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
        let left = remains(&plan, &records(&store), &taken).unwrap();
        assert_eq!(left, Remains::default());
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
    let on_it = "retire/parked stands on it, and stays";
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
    assert_eq!(since.as_ref(), Some(&later.id));
    let taken = back(&later, &store, &plans);
    outcome(&taken, &world, &store);
    let plans = [first.clone(), later, taken];
    assert_eq!(ran_since(&first, &records(&store), &plans).unwrap(), None);
}

#[test]
fn a_step_in_doubt_or_done_by_others_blocks_what_is_under_it() {
    let plan = story();
    let ours = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    for stands in [
        Remains {
            ours: ours(&["identify/identity", "park/parked"]),
            doubtful: ours(&["switch/p"]),
            ..Remains::default()
        },
        Remains {
            ours: ours(&["identify/identity", "park/parked"]),
            before: ours(&["switch/p"]),
            ..Remains::default()
        },
    ] {
        let back = rollback(&plan, &stands, "test", 1);
        assert_eq!(back.steps, [], "{stands:?}");
        assert!(back.waiting.len() >= 2);
    }
}

#[test]
fn what_prepares_a_switch_stays_while_anything_behind_it_does() {
    // No `needs` tells that the right is used by the policy.
    let mut plan = story();
    plan.steps.insert(1, make(Phase::Grant, "right"));
    plan.steps.push(remove(Phase::Retire, "gone"));
    let stands = Remains {
        ours: plan.steps.iter().map(|s| s.id.clone()).collect(),
        ..Remains::default()
    };
    let back = rollback(&plan, &stands, "test", 1);
    let ids: Vec<&str> = back.steps.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["back/disable/login", "back/switch/p"]);
}

#[test]
fn a_rollback_made_before_something_else_ran_is_refused() {
    let plan = story();
    let (world, store) = setting(&Arc::default());
    outcome(&plan, &world, &store);
    let stale = back(&plan, &store, &[]);
    let mut later = super::plans::plan(vec![make(Phase::Park, "z")]);
    later.id = "0b".repeat(32);
    outcome(&later, &world, &store);
    let error = run(&stale, &world, &store, Options::default()).unwrap().0;
    assert_eq!(error.unwrap_err().code(), "KL0302");
    assert_eq!(world.inner().live[&address("p")], "new");
}

#[test]
fn a_later_run_whose_plan_is_lost_may_stand_on_it() {
    let first = story();
    let (world, store) = setting(&Arc::default());
    outcome(&first, &world, &store);
    let mut later = super::plans::plan(vec![make(Phase::Park, "z")]);
    later.id = "0b".repeat(32);
    outcome(&later, &world, &store);
    let known = [first.clone()];
    let since = ran_since(&first, &records(&store), &known).unwrap();
    assert_eq!(since, Some(later.id));
}

#[test]
fn what_a_later_run_found_done_may_stand_on_it_too() {
    let first = story();
    let (world, store) = setting(&Arc::default());
    outcome(&first, &world, &store);
    // Somebody did by hand what the later run was to do.
    world.set(&address("z"), "new");
    let mut later = plan(vec![make(Phase::Switch, "z")]);
    later.id = "0b".repeat(32);
    assert_eq!(outcome(&later, &world, &store).already, ["switch/z"]);
    let plans = [first.clone(), later.clone()];
    let since = ran_since(&first, &records(&store), &plans).unwrap();
    assert_eq!(since, Some(later.id));
}
