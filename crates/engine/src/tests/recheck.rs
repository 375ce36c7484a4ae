//! What was changed back in the weeks that a plan lives.

use futures::FutureExt;
use keyless_model::{Evidence, Timestamp};
use keyless_plan::{Mark, Note, Phase, Plan};

use super::plans::{Finish, address, change, make, person, plan, remove, soak, switched};
use super::store::MemoryStore;
use super::world::World;
use super::{outcome, run, state};
use crate::{Fault, Options, Outcome, Standing, approve};

/// A migration that waits at its soak: an identity, a switch, the soak, then three closings of
/// which one stands alone, and what they make needless.
fn parked() -> (Plan, World, MemoryStore) {
    let (world, store) = (World::default(), MemoryStore::default());
    for name in ["p", "login", "user", "alone"] {
        world.set(&address(name), "old");
    }
    let plan = plan(vec![
        make(Phase::Identify, "identity"),
        make(Phase::Park, "literal").needing(&["identify/identity"]),
        change(Phase::Switch, "p")
            .needing(&["park/literal"])
            .noting(switched()),
        soak("soak", Mark::Switched, 100, &[Evidence::Sessions])
            .needing(&["switch/p"])
            .noting(Note::Confirmed { access: "a".into() }),
        change(Phase::Disable, "alone"),
        change(Phase::Disable, "login").needing(&["confirm/soak"]),
        change(Phase::Disable, "user").needing(&["confirm/soak"]),
        remove(Phase::Retire, "literal").needing(&["disable/login", "disable/user"]),
        remove(Phase::Retire, "login").needing(&["disable/login", "retire/literal"]),
        remove(Phase::Retire, "user").needing(&["disable/login", "disable/user", "retire/login"]),
    ]);
    world.inner().now = 10;
    world.next_check("disable/alone", unreadable());
    assert_eq!(outcome(&plan, &world, &store).done.len(), 3);
    world.inner().now = 200;
    (plan, world, store)
}

fn unreadable() -> Result<Standing, Fault> {
    Ok(Standing::Unreadable("403".into()))
}

fn allowed(plan: &Plan, world: &World, store: &MemoryStore) -> Outcome {
    let options = Options {
        allow_irreversible: true,
        looks: 3,
        stop: None,
    };
    run(plan, world, store, options).unwrap().0.unwrap()
}

#[test]
fn nothing_is_closed_while_the_switch_it_stands_on_was_changed_back() {
    let (plan, world, store) = parked();
    world.set(&address("p"), "old");
    let held = allowed(&plan, &world, &store);
    assert_eq!(held.done, ["confirm/soak", "disable/alone"]);
    let failed: Vec<&str> = held.failed.iter().map(|f| f.step.as_str()).collect();
    assert_eq!(failed, ["disable/login", "disable/user"]);
    for failure in &held.failed {
        assert_eq!(failure.code, "KL0302");
        assert_eq!(
            failure.message,
            "switch/p was changed back since it was done"
        );
        assert!(failure.next.contains("keyless plan"), "{failure:?}");
    }
    assert_eq!(held.not_started.len(), 3);
    assert_eq!(held.exit_code(), 1);
    assert_eq!(world.value(&address("login")).as_deref(), Some("old"));

    world.set(&address("p"), "new");
    assert_eq!(allowed(&plan, &world, &store).exit_code(), 0);
}

#[test]
fn nothing_is_switched_to_an_identity_that_went_while_the_gate_waited() {
    let (world, store) = (World::default(), MemoryStore::default());
    world.set(&address("p"), "old");
    let plan = plan(vec![
        make(Phase::Identify, "identity"),
        person("ask").needing(&["identify/identity"]),
        change(Phase::Switch, "p").needing(&["prove/ask"]),
    ]);
    assert_eq!(outcome(&plan, &world, &store).waiting.len(), 1);
    world.inner().live.remove(&address("identity"));
    let now = Timestamp::from_unix(2);
    approve(&store, &plan, "prove/ask", "kim", now)
        .now_or_never()
        .unwrap()
        .unwrap();
    let held = allowed(&plan, &world, &store);
    assert_eq!(held.failed[0].step, "switch/p");
    assert_eq!(world.value(&address("p")).as_deref(), Some("old"));
}

#[test]
fn what_a_gate_stands_on_is_looked_at_too_and_any_other_text_counts_as_changed() {
    let (plan, world, store) = parked();
    world.inner().live.remove(&address("identity"));
    let held = allowed(&plan, &world, &store);
    assert!(
        held.failed[0]
            .message
            .starts_with("identify/identity was changed back"),
        "{held:?}"
    );

    world.set(&address("identity"), "new");
    world.set(&address("p"), "a third text");
    let held = allowed(&plan, &world, &store);
    assert_eq!(
        held.failed[0].message,
        "switch/p was changed since it was done: another value"
    );
    assert_eq!(
        world.writes("disable/login") + world.writes("disable/user"),
        0
    );
}

#[test]
fn what_cannot_be_looked_at_again_holds_what_stands_on_it() {
    let (plan, world, store) = parked();
    world.next_check("switch/p", unreadable());
    let held = allowed(&plan, &world, &store);
    assert!(
        held.failed[0]
            .message
            .contains("switch/p could not be looked at again"),
        "{held:?}"
    );
    assert_eq!(held.failed[0].code, "KL0305");
    assert_eq!(world.writes("disable/login"), 0);
    assert_eq!(allowed(&plan, &world, &store).exit_code(), 0);
}

#[test]
fn a_login_that_was_enabled_again_stays_and_what_this_plan_removed_is_not_looked_for() {
    let (plan, world, store) = parked();
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 3);
    world.set(&address("login"), "old");
    let held = allowed(&plan, &world, &store);
    assert!(
        held.failed[0]
            .message
            .starts_with("disable/login was changed back"),
        "{held:?}"
    );
    assert!(world.value(&address("literal")).is_some());

    // Each removal takes away what an earlier step made or changed, over several runs too.
    world.set(&address("login"), "new");
    world.next_act(
        "retire/user",
        Fault::Refused {
            message: "no".into(),
        },
        false,
    );
    assert_eq!(allowed(&plan, &world, &store).failed.len(), 1);
    assert_eq!(world.value(&address("login")), None);
    let last = allowed(&plan, &world, &store);
    assert_eq!(
        (last.done.as_slice(), last.exit_code()),
        (&["retire/user".to_owned()][..], 0)
    );
    assert!(!state(&store).made(&address("literal")));
}

#[test]
fn a_step_is_looked_at_once_a_run_however_much_stands_on_it() {
    let (plan, world, store) = parked();
    world.inner().looks.clear();
    assert_eq!(allowed(&plan, &world, &store).exit_code(), 0);
    let looks = |step: &str| world.inner().looks.get(step).copied();
    assert_eq!(
        (looks("switch/p"), looks("identify/identity")),
        (Some(1), Some(1))
    );
    assert_eq!(looks("park/literal"), None);
    // Before and after its own write, and not again for what is removed after it.
    assert_eq!(looks("disable/login"), Some(2));
}
