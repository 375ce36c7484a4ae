//! Soaks: they wait, end, begin anew, and ask a person for what cannot be seen.

use futures::FutureExt;
use keyless_model::{Evidence, Timestamp};
use keyless_plan::{Gate, Mark, Note, Op, Phase, Plan};

use super::plans::{Finish, address, change, make, plan, soak, switched};
use super::store::MemoryStore;
use super::world::World;
use super::{outcome, state};
use crate::{Fault, Probe, approve};

const WEEK: i64 = 604_800;

fn story(evidence: &[Evidence]) -> (Plan, World, MemoryStore) {
    let world = World::default();
    world.set(&address("p"), "old");
    world.inner().now = 1_000;
    let confirmed = Note::Confirmed { access: "a".into() };
    let plan = plan(vec![
        change(Phase::Switch, "p").noting(switched()),
        soak("soak", Mark::Switched, WEEK, evidence)
            .needing(&["switch/p"])
            .noting(confirmed),
        make(Phase::Disable, "d").needing(&["confirm/soak"]),
    ]);
    (plan, world, MemoryStore::default())
}

fn approved(store: &MemoryStore, plan: &Plan) -> Result<(), crate::EngineError> {
    let now = Timestamp::from_unix(0);
    approve(store, plan, "confirm/soak", "kim@contoso.example", now)
        .now_or_never()
        .unwrap()
}

#[test]
fn a_soak_waits_until_its_end_and_opens_on_a_clean_look_after_it() {
    let (plan, world, store) = story(&[Evidence::Sessions]);
    world.log_in("somebody_else", 2_000);
    let first = outcome(&plan, &world, &store);
    assert_eq!(
        first.waiting[0].until,
        Some(Timestamp::from_unix(1_000 + WEEK))
    );
    assert!(first.waiting[0].next.contains("keyless apply"), "{first:?}");
    assert!(!first.waiting[0].asks);
    assert_eq!(first.exit_code(), 3);

    world.inner().now = 1_000 + WEEK - 1;
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 3);
    world.inner().now = 1_000 + WEEK;
    assert_eq!(
        outcome(&plan, &world, &store).done,
        ["confirm/soak", "disable/d"]
    );
    let access = state(&store).accesses["a"].clone();
    assert_eq!(
        access.confirmed_at,
        Some(Timestamp::from_unix(1_000 + WEEK))
    );
    assert_eq!(access.samples.len(), 3);
    assert!(access.samples.iter().all(|s| s.seen.is_empty()));
}

#[test]
fn a_login_of_the_old_principal_begins_the_soak_anew() {
    let (plan, world, store) = story(&[Evidence::Sessions]);
    outcome(&plan, &world, &store);
    world.inner().now = 1_000 + WEEK;
    world.log_in("ORDERS_APP", 5_000);
    let again = outcome(&plan, &world, &store);
    assert!(
        again.waiting[0]
            .why
            .contains("ORDERS_APP from vm-7 logged in"),
        "{again:?}"
    );
    assert_eq!(
        again.waiting[0].until,
        Some(Timestamp::from_unix(5_000 + WEEK))
    );

    // As long as that session is open, its login is in use.
    world.inner().now = 5_000 + WEEK;
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 3);
    world.inner().sessions.clear();
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 0);
    let seen = &state(&store).accesses["a"].samples[1].seen;
    assert_eq!(seen, &["ORDERS_APP from vm-7"]);
}

#[test]
fn a_look_before_the_end_never_ends_a_soak_whose_last_look_saw_nothing_readable() {
    let (plan, world, store) = story(&[Evidence::Sessions]);
    outcome(&plan, &world, &store);
    world.inner().now = 1_000 + WEEK;
    world.next_probe(
        "confirm/soak",
        Ok(Probe::NoEvidence("VIEW DATABASE STATE is missing".into())),
    );
    let held = outcome(&plan, &world, &store);
    assert!(held.waiting[0].asks && held.waiting[0].why.contains("VIEW DATABASE STATE"));
    world.next_probe(
        "confirm/soak",
        Err(Fault::Refused {
            message: "login failed".into(),
        }),
    );
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 3);
    approved(&store, &plan).unwrap();
    world.next_probe(
        "confirm/soak",
        Ok(Probe::NoEvidence("still missing".into())),
    );
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 0);
    assert!(store.journal().contains("approved by kim@contoso.example"));
}

#[test]
fn audit_approval_and_no_evidence_at_all_ask_a_person_and_only_at_the_end() {
    for evidence in [
        &[Evidence::Audit, Evidence::Sessions][..],
        &[Evidence::Approval],
        &[],
    ] {
        let (plan, world, store) = story(evidence);
        assert_eq!(approved(&store, &plan).unwrap_err().code(), "KL0307");
        let first = outcome(&plan, &world, &store);
        assert!(!first.waiting[0].asks && !first.waiting[0].next.contains("approve"));
        assert!(
            first.waiting[0].why.contains("then a person is asked"),
            "{first:?}"
        );
        let early = approved(&store, &plan).unwrap_err();
        assert_eq!(
            early.code(),
            "KL0307",
            "on the first day nobody can answer for the seventh"
        );
        world.inner().now = 1_000 + WEEK;
        let asked = outcome(&plan, &world, &store);
        assert!(
            asked.waiting[0]
                .next
                .contains("keyless approve confirm/soak"),
            "{asked:?}"
        );
        approved(&store, &plan).unwrap();
        assert_eq!(
            outcome(&plan, &world, &store).exit_code(),
            0,
            "{evidence:?}"
        );
    }
}

#[test]
fn without_approval_time_alone_opens_nothing() {
    let (plan, world, store) = story(&[Evidence::Audit, Evidence::Sessions]);
    outcome(&plan, &world, &store);
    world.inner().now = 1_000 + 9 * WEEK;
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 3);
}

#[test]
fn an_approval_is_void_after_a_later_login() {
    let (plan, world, store) = story(&[Evidence::Audit, Evidence::Sessions]);
    outcome(&plan, &world, &store);
    world.inner().now = 1_000 + WEEK;
    outcome(&plan, &world, &store);
    approved(&store, &plan).unwrap();
    world.log_in("orders_app", 6_000);
    let void = outcome(&plan, &world, &store);
    assert!(void.waiting[0].why.contains("begins anew"), "{void:?}");
    assert!(approved(&store, &plan).is_err());
    world.inner().sessions.clear();
    world.inner().now = 6_000 + WEEK;
    assert!(outcome(&plan, &world, &store).waiting[0].asks);
    approved(&store, &plan).unwrap();
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 0);
}

#[test]
fn a_soak_of_which_nobody_knows_the_beginning_begins_now() {
    let (world, store) = (World::default(), MemoryStore::default());
    world.inner().now = 50;
    let plan = plan(vec![soak(
        "soak",
        Mark::Disabled,
        10,
        &[Evidence::Sessions],
    )]);
    let first = outcome(&plan, &world, &store);
    assert_eq!(first.waiting[0].until, Some(Timestamp::from_unix(60)));
    world.inner().now = 60;
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 0);
    assert_eq!(
        state(&store).accesses["a"].disabled_at,
        Some(Timestamp::from_unix(50))
    );
}

#[test]
fn a_person_who_decides_instead_is_told_of_logins() {
    let (plan, world, store) = story(&[Evidence::Approval]);
    outcome(&plan, &world, &store);
    world.inner().now = 1_000 + WEEK;
    world.log_in("orders_app", 6_000);
    let asked = outcome(&plan, &world, &store);
    assert!(
        asked.waiting[0]
            .why
            .contains("orders_app from vm-7 logged in"),
        "{asked:?}"
    );
    approved(&store, &plan).unwrap();
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 0);
    let journal = store.journal();
    assert!(
        !journal.contains("no session of") && journal.contains("approved by kim"),
        "{journal}"
    );
}

#[test]
fn a_session_from_before_the_switch_holds_the_soak_while_it_is_open_and_does_not_restart_it() {
    let (plan, world, store) = story(&[Evidence::Sessions]);
    world.log_in("orders_app", 999);
    let first = outcome(&plan, &world, &store);
    assert!(
        first.waiting[0].why.contains("orders_app from vm-7"),
        "{first:?}"
    );
    world.inner().now = 1_000 + WEEK;
    let held = outcome(&plan, &world, &store);
    assert_eq!((held.exit_code(), held.waiting[0].until), (3, None));
    assert!(
        held.waiting[0].next.contains("end those sessions"),
        "{held:?}"
    );
    assert!(!held.waiting[0].asks);
    world.inner().sessions.clear();
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 0);
}

#[test]
fn an_approval_is_void_while_an_old_session_is_open() {
    let (plan, world, store) = story(&[Evidence::Audit, Evidence::Sessions]);
    outcome(&plan, &world, &store);
    world.inner().now = 1_000 + WEEK;
    outcome(&plan, &world, &store);
    approved(&store, &plan).unwrap();
    world.log_in("orders_app", 999);
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 3);
    world.inner().sessions.clear();
    assert!(outcome(&plan, &world, &store).waiting[0].asks);
}

#[test]
fn a_person_who_decides_instead_is_told_of_old_sessions_too() {
    let (plan, world, store) = story(&[Evidence::Approval]);
    world.log_in("orders_app", 999);
    outcome(&plan, &world, &store);
    world.inner().now = 1_000 + WEEK;
    let asked = outcome(&plan, &world, &store);
    assert!(
        asked.waiting[0]
            .why
            .contains("orders_app from vm-7 is still logged in"),
        "{asked:?}"
    );
    approved(&store, &plan).unwrap();
    assert_eq!(outcome(&plan, &world, &store).exit_code(), 0);
    assert!(!store.journal().contains("no session of"));
}

#[test]
fn a_soak_without_a_principal_asks_a_person_and_claims_nothing() {
    for evidence in [&[Evidence::Sessions][..], &[Evidence::Approval]] {
        let (mut plan, world, store) = story(evidence);
        let Op::Gate {
            gate: Gate::Soak { principals, .. },
        } = &mut plan.steps[1].op
        else {
            panic!("the second step is the soak");
        };
        principals.clear();
        let first = outcome(&plan, &world, &store);
        assert!(first.waiting[0].why.contains("lasts until"), "{first:?}");
        world.inner().now = 1_000 + WEEK;
        let asked = outcome(&plan, &world, &store);
        assert!(asked.waiting[0].asks, "{asked:?}");
        approved(&store, &plan).unwrap();
        assert_eq!(outcome(&plan, &world, &store).exit_code(), 0);
        let journal = store.journal();
        assert!(!journal.contains("no session of"), "{journal}");
        assert!(state(&store).accesses["a"].samples.is_empty());
    }
}

#[test]
fn what_a_client_calls_itself_cannot_steer_a_terminal() {
    let (plan, world, store) = story(&[Evidence::Sessions]);
    outcome(&plan, &world, &store);
    world.log_in_from("orders_app", 5_000, "\u{1b}[2Jvm\r\n\u{9b}1m-\u{202e}8");
    world.inner().now = 6_000;
    let held = outcome(&plan, &world, &store);
    assert!(
        held.waiting[0]
            .why
            .starts_with("orders_app from [2Jvm1m-8 logged in"),
        "{held:?}"
    );
    assert_eq!(
        state(&store).accesses["a"].samples[1].seen,
        ["orders_app from [2Jvm1m-8"]
    );
}
