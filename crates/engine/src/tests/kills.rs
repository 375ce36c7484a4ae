//! The process dies anywhere, twice, and the end is the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use keyless_model::{Address, Evidence, State, Timestamp};
use keyless_plan::{Mark, Note, Phase, Plan, Step};
use serde_json::Value;

use super::plans::{
    Finish, address, canary, change, effective, make, person, plan, remove, soak, switched,
};
use super::store::MemoryStore;
use super::world::{Fuse, World};
use super::{rebuilt, run, state};
use crate::{Fault, Options, Outcome, Probe, approve};

const OPTIONS: Options = Options {
    allow_irreversible: true,
    looks: 2,
    stop: None,
};

struct Setting {
    fuse: Arc<Fuse>,
    world: World,
    store: MemoryStore,
}

fn migration() -> Plan {
    let access = || "a".to_owned();
    plan(vec![
        make(Phase::Identify, "identity"),
        effective("rights").needing(&["identify/identity"]),
        make(Phase::Park, "parked")
            .needing(&["grant/rights"])
            .noting(Note::Parked {
                access: access(),
                address: address("parked"),
            }),
        person("ask"),
        change(Phase::Switch, "p")
            .needing(&["park/parked", "prove/ask"])
            .noting(switched()),
        canary("canary").needing(&["switch/p"]),
        soak("soak", Mark::Switched, 0, &[Evidence::Sessions])
            .needing(&["switch/canary"])
            .noting(Note::Confirmed { access: access() }),
        change(Phase::Disable, "login")
            .needing(&["confirm/soak"])
            .noting(Note::Disabled { access: access() }),
        remove(Phase::Retire, "parked")
            .needing(&["disable/login"])
            .noting(Note::Retired { access: access() }),
    ])
}

/// The migration beside steps on another service, which it needs and which need it.
fn two_services() -> Plan {
    let mut plan = migration();
    let elsewhere = |mut step: Step| {
        let (_, name) = step.address.last();
        step.address = Address::gateway("h").child("namedValue", name);
        step
    };
    let more = [
        elsewhere(make(Phase::Identify, "other")),
        elsewhere(make(Phase::Grant, "theirs")).needing(&["identify/identity"]),
        elsewhere(make(Phase::Grant, "third")),
        elsewhere(remove(Phase::Retire, "theirs")).needing(&["retire/parked"]),
    ];
    for step in more {
        let after = plan.steps.iter().rposition(|s| s.phase <= step.phase);
        plan.steps.insert(after.map_or(0, |at| at + 1), step);
    }
    for step in plan.steps.iter_mut().filter(|s| s.id == "park/parked") {
        step.needs.insert("grant/third".into());
    }
    plan
}

fn setting(plan: &Plan) -> Setting {
    let fuse = Arc::new(Fuse::default());
    let (world, store) = (World::new(&fuse), MemoryStore::new(&fuse));
    world.set(&address("p"), "old");
    world.set(&address("login"), "old");
    world.inner().now = 100;
    let now = Timestamp::from_unix(1);
    approve(&store, plan, "prove/ask", "kim", now)
        .now_or_never()
        .unwrap()
        .unwrap();
    Setting { fuse, world, store }
}

/// Runs until killed after `points`; whether it was.
fn killed(s: &Setting, plan: &Plan, points: i64) -> bool {
    s.fuse.set(points);
    let ended = run(plan, &s.world, &s.store, OPTIONS);
    s.fuse.set(i64::MAX);
    s.store.process_ended();
    ended.is_none()
}

fn finished(s: &Setting, plan: &Plan) -> Outcome {
    let (outcome, _) = run(plan, &s.world, &s.store, OPTIONS).unwrap();
    assert_eq!(state(&s.store), rebuilt(&s.store));
    outcome.unwrap()
}

type End = (BTreeMap<Address, Value>, BTreeMap<String, usize>, State);

/// What must be the same; how many looks and records it took may differ.
fn end(s: &Setting) -> End {
    let mut state = state(&s.store);
    state.journal = 0;
    for access in state.accesses.values_mut() {
        assert!(!access.samples.is_empty());
        access.samples.clear();
    }
    let inner = s.world.inner();
    (inner.live.clone(), inner.writes.clone(), state)
}

#[test]
fn a_migration_killed_at_any_two_points_ends_the_same_and_does_nothing_twice() {
    let plan = migration();
    let clean = setting(&plan);
    assert_eq!(finished(&clean, &plan).exit_code(), 0);
    let expected = end(&clean);
    assert!(expected.1.values().all(|writes| *writes == 1) && expected.1.len() == 5);

    let mut points = 0;
    loop {
        let once = setting(&plan);
        if !killed(&once, &plan, points) {
            break;
        }
        assert_eq!(finished(&once, &plan).exit_code(), 0, "{points}");
        assert_eq!(end(&once), expected, "killed at {points}");
        for second in (0..).step_by(3) {
            let twice = setting(&plan);
            killed(&twice, &plan, points);
            let more = killed(&twice, &plan, second);
            assert_eq!(finished(&twice, &plan).exit_code(), 0, "{points} {second}");
            assert_eq!(end(&twice), expected, "killed at {points} and {second}");
            if !more {
                break;
            }
        }
        points += 1;
    }
    assert!(points > 60, "{points}");
}

#[test]
fn two_services_side_by_side_killed_at_any_point_end_the_same() {
    let plan = two_services();
    let clean = setting(&plan);
    assert_eq!(finished(&clean, &plan).exit_code(), 0);
    let expected = end(&clean);
    assert!(expected.1.values().all(|writes| *writes == 1) && expected.1.len() == 9);
    let mut points = 0;
    loop {
        let s = setting(&plan);
        if !killed(&s, &plan, points) {
            break;
        }
        assert_eq!(finished(&s, &plan).exit_code(), 0, "{points}");
        assert_eq!(end(&s), expected, "killed at {points}");
        points += 1;
    }
    assert!(points > 80, "{points}");
}

#[test]
fn after_an_append_in_doubt_no_lane_writes_and_the_journal_can_be_read() {
    let plan = two_services();
    let clean = setting(&plan);
    finished(&clean, &plan);
    let expected = end(&clean);
    for append in 0.. {
        let s = setting(&plan);
        s.store.doubt(append);
        let (ended, _) = run(&plan, &s.world, &s.store, OPTIONS).unwrap();
        s.store.process_ended();
        if ended.is_ok() {
            assert!(append > 20, "{append}");
            break;
        }
        assert_eq!(finished(&s, &plan).exit_code(), 0, "{append}");
        assert_eq!(end(&s), expected, "doubted at {append}");
    }
}

#[test]
fn a_failing_canary_killed_at_any_point_leaves_the_old_path() {
    let plan = migration();
    let fails = || {
        Ok(Probe::Fails {
            why: "500".into(),
            next: "look".into(),
        })
    };
    let failing = || {
        let s = setting(&plan);
        (0..9).for_each(|_| s.world.next_probe("switch/canary", fails()));
        s
    };
    let mut points = 0;
    loop {
        let s = failing();
        let more = killed(&s, &plan, points);
        assert_eq!(finished(&s, &plan).exit_code(), 1, "{points}");
        assert_eq!(
            s.world.value(&address("p")).as_deref(),
            Some("old"),
            "{points}"
        );
        assert_eq!(state(&s.store).accesses["a"].switched_at, None, "{points}");
        assert_eq!(s.world.writes("disable/login"), 0);
        if !more {
            break;
        }
        points += 1;
    }
}

#[test]
fn an_unverified_switch_killed_at_any_point_is_taken_back() {
    let plan = migration();
    let mut points = 0;
    loop {
        let s = setting(&plan);
        s.world.inner().mangled.insert("switch/p".into());
        s.world.next_act(
            "switch/p",
            Fault::OutcomeUnknown {
                message: "lost".into(),
            },
            true,
        );
        let more = killed(&s, &plan, points);
        let code = finished(&s, &plan).exit_code();
        assert_eq!(code, 1, "{points}");
        assert_eq!(
            s.world.value(&address("p")).as_deref(),
            Some("old"),
            "{points}"
        );
        if !more {
            break;
        }
        points += 1;
    }
}

#[test]
fn a_journal_cut_anywhere_and_a_lost_state_lead_to_the_same_end() {
    let plan = migration();
    let whole = setting(&plan);
    finished(&whole, &plan);
    let expected = end(&whole);
    let length = whole.store.journal().len();
    let approval = whole.store.journal().find('\n').unwrap() + 1;
    for cut in approval..=length {
        let s = setting(&plan);
        finished(&s, &plan);
        s.store.cut(cut);
        let outcome = finished(&s, &plan);
        let (live, writes, _) = end(&s);
        // The parked value is gone when the journal forgets that it was made: making and removing it
        // again is all that may happen twice.
        assert_eq!(outcome.exit_code(), 0, "{cut}: {outcome:?}");
        assert_eq!(live, expected.0, "{cut}");
        for (step, count) in writes {
            let again = step.ends_with("/parked");
            assert!(
                count == 1 || again && count == 2,
                "{cut}: {step} ran {count} times"
            );
        }
    }
}
