//! A person's word.

use futures::FutureExt;
use keyless_model::Timestamp;
use keyless_plan::{Phase, Plan};

use super::plans::{Finish, address, effective, make, person, plan, remove};
use super::store::MemoryStore;
use super::world::World;
use super::{outcome, state};
use crate::{EngineError, approve};

fn say(store: &MemoryStore, plan: &Plan, step: &str, who: &str) -> Result<(), EngineError> {
    approve(store, plan, step, who, Timestamp::from_unix(7))
        .now_or_never()
        .unwrap()
}

fn story() -> (Plan, World, MemoryStore) {
    let plan = plan(vec![
        effective("rights"),
        person("ask"),
        make(Phase::Park, "x").needing(&["prove/ask"]),
    ]);
    (plan, World::default(), MemoryStore::default())
}

#[test]
fn a_gate_for_a_person_waits_and_opens_after_the_approval() {
    let (plan, world, store) = story();
    let first = outcome(&plan, &world, &store);
    assert_eq!(first.waiting[0].why, "is it right?");
    assert!(first.waiting[0].asks && first.exit_code() == 3);
    say(&store, &plan, "prove/ask", " kim ").unwrap();
    let journal = store.journal();
    say(&store, &plan, "prove/ask", "robin").unwrap();
    assert_eq!(store.journal(), journal);
    assert_eq!(outcome(&plan, &world, &store).done, ["prove/ask", "park/x"]);
    assert!(store.journal().contains("approved by kim"));
    assert_eq!(
        state(&store).journal,
        store.journal().lines().count() as u64
    );
}

#[test]
fn what_cannot_be_undone_waits_for_a_person_or_the_flag() {
    let (world, store) = (World::default(), MemoryStore::default());
    let plan = plan(vec![make(Phase::Park, "x"), remove(Phase::Retire, "y")]);
    world.set(&address("y"), "old");
    // Nobody answers for what apply has not come to.
    assert_eq!(
        say(&store, &plan, "retire/y", "kim").unwrap_err().code(),
        "KL0307"
    );
    let held = outcome(&plan, &world, &store);
    assert_eq!(held.waiting[0].code, Some("KL0304"));
    assert!(held.waiting[0].asks);
    assert!(world.inner().live.contains_key(&address("y")));
    say(&store, &plan, "retire/y", "kim").unwrap();
    assert_eq!(outcome(&plan, &world, &store).done, ["retire/y"]);
    assert!(!world.inner().live.contains_key(&address("y")));
}

#[test]
fn an_approval_may_come_before_the_first_apply_and_counts_for_its_plan_only() {
    let (plan, world, store) = story();
    say(&store, &plan, "prove/ask", "kim").unwrap();
    let mut other = super::plans::plan(vec![person("ask")]);
    other.id = "0b".repeat(32);
    assert_eq!(outcome(&other, &world, &store).exit_code(), 3);
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 0);
}

#[test]
fn nobody_is_asked_before_all_that_the_gate_needs_is_done() {
    let (world, store) = (World::default(), MemoryStore::default());
    let plan = plan(vec![
        make(Phase::Park, "x"),
        effective("rights").needing(&["park/x"]),
        person("ask").needing(&["grant/rights", "grant/not-in-this-plan"]),
    ]);
    let early = say(&store, &plan, "prove/ask", "kim").unwrap_err();
    assert_eq!(early.code(), "KL0307");
    assert!(early.to_string().contains("behind grant/rights"), "{early}");
    assert!(store.journal().is_empty());
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 3);
    say(&store, &plan, "prove/ask", "kim").unwrap();
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 0);
}

#[test]
fn what_asks_nobody_cannot_be_approved() {
    let (plan, world, store) = story();
    for step in ["grant/rights", "park/x", "nowhere"] {
        assert_eq!(
            say(&store, &plan, step, "kim").unwrap_err().code(),
            "KL0307",
            "{step}"
        );
    }
    for who in ["", "  ", "a\nb", &"x".repeat(201)] {
        assert!(say(&store, &plan, "prove/ask", who).is_err());
    }
    assert!(store.journal().is_empty());
    say(&store, &plan, "prove/ask", "kim").unwrap();
    outcome(&plan, &world, &store);
    assert!(say(&store, &plan, "prove/ask", "kim").is_err());
}
