//! One write and all the ways in which it can go wrong.

use keyless_plan::{Note, Phase, Step, Undo};

use super::plans::{Finish, address, change, make, plan, switched};
use super::store::MemoryStore;
use super::world::World;
use super::{outcome, run_through, state};
use crate::{Event, Fault, Standing};

fn unanswered() -> Fault {
    Fault::OutcomeUnknown {
        message: "no answer came".into(),
    }
}

fn one(step: Step) -> (keyless_plan::Plan, World, MemoryStore) {
    (plan(vec![step]), World::default(), MemoryStore::default())
}

#[test]
fn a_step_is_journalled_before_its_request_and_after_its_answer() {
    let (plan, world, store) = one(make(Phase::Grant, "a"));
    outcome(&plan, &world, &store);
    let whats: Vec<String> = store
        .journal()
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["what"].to_string())
        .collect();
    assert_eq!(whats, ["\"started\"", "\"done\""]);
}

#[test]
fn what_somebody_else_made_is_done_already_and_not_ours() {
    let (plan, world, store) = one(make(Phase::Grant, "a"));
    world.set(&address("a"), "new");
    assert_eq!(outcome(&plan, &world, &store).already, ["grant/a"]);
    assert_eq!(world.writes("grant/a"), 0);
    let state = state(&store);
    assert!(state.applied.contains_key(&address("a")) && !state.made(&address("a")));
}

#[test]
fn what_has_changed_since_the_plan_is_left_alone() {
    let (plan, world, store) = one(change(Phase::Switch, "a"));
    world.set(&address("a"), "a change by hand");
    let outcome = outcome(&plan, &world, &store);
    assert_eq!(outcome.failed[0].code, "KL0302");
    assert!(outcome.failed[0].next.contains("keyless plan"));
    assert_eq!(
        world.value(&address("a")).as_deref(),
        Some("a change by hand")
    );
}

#[test]
fn nothing_is_written_on_what_cannot_be_read() {
    let (plan, world, store) = one(make(Phase::Grant, "a"));
    world.next_check("grant/a", Ok(Standing::Unreadable("403".into())));
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 1);
    assert_eq!(world.writes("grant/a"), 0);
}

#[test]
fn a_slow_read_is_waited_for() {
    let (plan, world, store) = one(make(Phase::Grant, "a"));
    world.next_check(
        "grant/a",
        Err(Fault::Transient {
            message: "busy".into(),
        }),
    );
    world.next_check("grant/a", Ok(Standing::Ready));
    world.next_check("grant/a", Ok(Standing::Ready));
    let (outcome, events) = run_through(&plan, &world, &store);
    assert_eq!(outcome.done, ["grant/a"]);
    assert_eq!(world.inner().waits, 2);
    let waited = Some("it still reads as before".to_owned());
    let again = Event::Verifying {
        step: "grant/a".into(),
        look: 2,
        waits_for: waited,
    };
    assert!(events.contains(&again), "{events:?}");
}

#[test]
fn a_write_without_an_answer_that_landed_is_done_and_ours() {
    let (plan, world, store) = one(make(Phase::Grant, "a"));
    world.next_act("grant/a", unanswered(), true);
    assert_eq!(outcome(&plan, &world, &store).done, ["grant/a"]);
    assert_eq!(world.writes("grant/a"), 1);
    assert!(state(&store).made(&address("a")));
}

#[test]
fn a_write_without_an_answer_that_did_not_land_is_unknown_and_sent_again_by_the_next_run() {
    let (plan, world, store) = one(make(Phase::Grant, "a"));
    world.next_act("grant/a", unanswered(), false);
    let first = outcome(&plan, &world, &store);
    assert_eq!(
        first.failed[0].message,
        "no answer came; it still reads as before"
    );
    assert!(store.journal().contains("\"unknown\""));
    assert_eq!(outcome(&plan, &world, &store).done, ["grant/a"]);
    assert_eq!(world.writes("grant/a"), 1);
}

#[test]
fn an_unknown_write_that_lands_late_is_ours() {
    let (plan, world, store) = one(make(Phase::Grant, "a"));
    world.next_act("grant/a", unanswered(), false);
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 1);
    world.set(&address("a"), "new");
    assert_eq!(outcome(&plan, &world, &store).done, ["grant/a"]);
    assert!(state(&store).made(&address("a")));
}

#[test]
fn a_precondition_that_fails_is_looked_at_again() {
    let (plan, world, store) = one(make(Phase::Grant, "a"));
    world.next_act(
        "grant/a",
        Fault::Changed {
            message: "412".into(),
        },
        false,
    );
    world.next_act(
        "grant/a",
        Fault::Transient {
            message: "429".into(),
        },
        false,
    );
    assert_eq!(outcome(&plan, &world, &store).done, ["grant/a"]);

    let (plan, world, store) = one(change(Phase::Grant, "a"));
    world.set(&address("a"), "old");
    world.next_check("grant/a", Ok(Standing::Ready));
    world.next_check(
        "grant/a",
        Ok(Standing::Conflict {
            found: "a longer text".into(),
        }),
    );
    world.next_act(
        "grant/a",
        Fault::Changed {
            message: "412".into(),
        },
        false,
    );
    let outcome = outcome(&plan, &world, &store);
    assert_eq!(outcome.failed[0].code, "KL0302");
    assert_eq!(world.writes("grant/a"), 0);
}

#[test]
fn a_switch_that_does_not_read_back_is_taken_back_at_once() {
    let applied = Note::Applied {
        address: address("p"),
        made: false,
        sent: None,
    };
    let step = change(Phase::Switch, "p")
        .noting(switched())
        .noting(applied);
    let (plan, world, store) = one(step);
    world.set(&address("p"), "old");
    world.inner().mangled.insert("switch/p".into());
    let (outcome, events) = run_through(&plan, &world, &store);
    assert_eq!(world.value(&address("p")).as_deref(), Some("old"));
    assert!(
        outcome.failed[0].message.contains("was taken back"),
        "{outcome:?}"
    );
    assert!(events.iter().any(|e| matches!(e, Event::Undone { .. })));
    assert!(state(&store).accesses.is_empty() && state(&store).applied.is_empty());

    // Mended, the same plan goes through.
    world.inner().mangled.clear();
    assert_eq!(super::outcome(&plan, &world, &store).exit_code(), 0);
    assert!(state(&store).accesses["a"].switched_at.is_some());
}

#[test]
fn a_switch_that_cannot_be_taken_back_says_so_and_is_taken_back_by_the_next_run() {
    let (plan, world, store) = one(change(Phase::Switch, "p"));
    world.set(&address("p"), "old");
    world.inner().mangled.insert("switch/p".into());
    let refused = Fault::Refused {
        message: "the service is locked".into(),
    };
    world
        .inner()
        .undos
        .insert("switch/p".into(), [refused].into());
    let (outcome, events) = run_through(&plan, &world, &store);
    assert!(
        outcome.failed[0].message.contains("the service is locked"),
        "{outcome:?}"
    );
    assert!(events.iter().any(|e| matches!(e, Event::NotUndone { .. })));
    assert_eq!(world.value(&address("p")).as_deref(), Some("mangled"));

    world.inner().mangled.clear();
    assert_eq!(super::outcome(&plan, &world, &store).done, ["switch/p"]);
    assert_eq!(world.value(&address("p")).as_deref(), Some("new"));
}

#[test]
fn an_unverified_switch_without_an_undo_stays_and_says_why() {
    let mut step = change(Phase::Switch, "p");
    step.undo = Undo::Never {
        why: "the literal could not be parked".into(),
    };
    let (plan, world, store) = one(step);
    world.inner().mangled.insert("switch/p".into());
    let options = crate::Options {
        allow_irreversible: true,
        looks: 2,
        stop: None,
    };
    let (outcome, _) = super::run(&plan, &world, &store, options).unwrap();
    let failed = &outcome.unwrap().failed[0];
    assert!(
        failed.message.contains("the literal could not be parked"),
        "{failed:?}"
    );
}
