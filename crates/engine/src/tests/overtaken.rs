//! Two plans on one journal.

use futures::FutureExt;
use keyless_model::Timestamp;
use keyless_plan::{Phase, Plan};

use super::plans::{Finish, address, change, make, person, plan};
use super::store::MemoryStore;
use super::world::World;
use super::{outcome, run};
use crate::{EngineError, Options, approve};

fn refused(plan: &Plan, world: &World, store: &MemoryStore) -> EngineError {
    run(plan, world, store, Options::default())
        .unwrap()
        .0
        .unwrap_err()
}

fn named(mut plan: Plan, id: &str) -> Plan {
    plan.id = id.repeat(32);
    plan
}

fn story() -> (Plan, World, MemoryStore) {
    let plan = plan(vec![
        make(Phase::Park, "x"),
        person("ask").needing(&["park/x"]),
        make(Phase::Retire, "y").needing(&["prove/ask"]),
    ]);
    (plan, World::default(), MemoryStore::default())
}

#[test]
fn a_plan_that_another_one_overtook_goes_on_no_more() {
    let (plan, world, store) = story();
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 3);
    world.set(&address("p"), "old");
    let later = named(super::plans::plan(vec![change(Phase::Switch, "p")]), "0b");
    assert_eq!(outcome(&later, &world, &store).exit_code(), 0);

    let journal = store.journal();
    let approval = approve(&store, &plan, "prove/ask", "kim", Timestamp::from_unix(7));
    let approval = approval.now_or_never().unwrap().unwrap_err();
    for error in [refused(&plan, &world, &store), approval] {
        assert_eq!(error.code(), "KL0302");
        let text = error.to_string();
        assert!(
            text.contains(&plan.id[..12]) && text.contains(&later.id[..12]),
            "{text}"
        );
        assert!(text.contains("keyless plan"), "{text}");
    }
    assert_eq!(store.journal(), journal);

    // The later plan, and a third that has no record yet, are free to run.
    assert_eq!(outcome(&later, &world, &store).exit_code(), 0);
    let third = named(super::plans::plan(vec![make(Phase::Park, "z")]), "0c");
    assert_eq!(outcome(&third, &world, &store).done, ["park/z"]);
    assert_eq!(refused(&later, &world, &store).code(), "KL0302");
}

#[test]
fn a_plan_that_only_waited_overtakes_nobody() {
    let (plan, world, store) = story();
    outcome(&plan, &world, &store);
    let waiting = named(super::plans::plan(vec![person("ask")]), "0b");
    assert_eq!(outcome(&waiting, &world, &store).exit_code(), 3);
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 3);
}
