//! What holds for every estate of APIs in front of HTTP services.

#![allow(clippy::unwrap_used, reason = "tests")]

mod estate;

use std::collections::BTreeSet;

use estate::Estate;
use estate::http::{Call, Services};
use estate::http_made::{sketch, turn};
use estate::look::ids;
use estate::world::{run_some, run_with_luck};
use keyless_model::{Entity, Selection};
use keyless_plan::{Phase, Plan, Remains, rollback};
use proptest::prelude::*;

fn no_secret(e: &Estate, text: &str) -> Result<(), TestCaseError> {
    for secret in &e.planted {
        prop_assert!(!text.contains(secret), "{secret} is in an artefact");
    }
    Ok(())
}

/// Whether a resource says the same: a policy may have come back with other white space.
fn alike(a: &Entity, b: &Entity) -> bool {
    let text = |e: &Entity| e.text("/properties/value").map(str::to_owned);
    let texts = (text(a), text(b));
    a.body == b.body || matches!(texts, (Some(a), Some(b)) if keyless_policy::same(&a, &b))
}

fn refused(e: &Estate, services: &Services, calls: &BTreeSet<Call>, after: &str) -> Option<String> {
    calls.iter().find_map(|call| {
        let why = services.refuse(e, call)?;
        Some(format!("after {after} {call:?} is refused: {why}"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn no_call_is_refused_wherever_apply_stops_and_four_plans_are_enough(
        sketch in sketch(), luck in prop::collection::vec(0..4u8, 1..40)
    ) {
        let (mut e, services) = (sketch.estate(), sketch.services());
        let calls = services.answered(&e);
        // In the first two rounds gates and failures hold up any of the steps, and what needs them.
        for round in 0..6 {
            let plan = e.plan();
            no_secret(&e, &plan.to_json())?;
            let (mut turn, mut found) = (0, None);
            run_some(
                &mut e,
                &plan,
                |_| {
                    turn += 1;
                    round < 2 && luck[(turn * (round + 1)) % luck.len()] == 0
                },
                |e, step| {
                    found = found.take().or_else(|| refused(e, &services, &calls, &step.id));
                },
            );
            prop_assert_eq!(found, None);
        }
        let left = e.plan();
        prop_assert!(left.steps.is_empty(), "{:#?}", ids(&left));
        no_secret(&e, &format!("{:?}", e.drift()))?;
    }

    #[test]
    fn what_no_row_tells_of_sends_no_key_any_more(sketch in sketch()) {
        let (mut e, services) = (sketch.estate(), sketch.services());
        for _ in 0..4 {
            let plan = e.plan();
            e.run_all(&plan);
        }
        let plan = e.plan();
        prop_assert!(plan.steps.is_empty(), "{:#?}", ids(&plan));
        if !plan.waiting.is_empty() {
            return Ok(());
        }
        for call in services.with_keys(&e) {
            let chosen = e.desired.http_accesses.values().any(|a| {
                let name = call.api.split(';').next().unwrap_or_default();
                let operation = call.operation.as_deref();
                let named = a.apis.iter().flatten().any(|c| {
                    let chosen = match operation {
                        Some(operation) => c.operations.holds(operation),
                        None => c.operations == Selection::All,
                    };
                    c.name == name && chosen
                });
                let mut sent = estate::http::sends(&e, &call).unwrap_or_default();
                sent.retain(|r| r.url.starts_with(&a.url) && services.sends_its_key(r));
                (a.apis.is_none() || named) && !sent.is_empty()
            });
            prop_assert!(!chosen, "{call:?} still sends a key");
        }
    }

    #[test]
    fn no_token_goes_to_a_host_that_it_is_not_for(
        sketch in sketch(),
        first in prop::collection::vec(turn(), 0..2),
        then in prop::collection::vec(turn(), 0..3),
        luck in prop::collection::vec(0..4u8, 1..40)
    ) {
        let (mut e, services) = (sketch.estate(), sketch.services());
        first.iter().for_each(|turn| turn.declare(&mut e));
        for round in 0..5 {
            if round == 3 {
                then.iter().for_each(|turn| turn.declare(&mut e));
            }
            let plan = e.plan();
            let (mut turn, mut found) = (0, None);
            run_some(
                &mut e,
                &plan,
                |_| {
                    turn += 1;
                    round < 2 && luck[(turn * (round + 1)) % luck.len()] == 0
                },
                |e, step| {
                    let stray = services.astray(e).map(|call| format!("{}: {call:?}", step.id));
                    found = found.take().or(stray);
                },
            );
            prop_assert_eq!(found, None);
        }
    }

    #[test]
    fn a_plan_is_taken_back_wherever_it_stopped_and_no_call_is_refused(
        sketch in sketch(), luck in prop::collection::vec(0..6u8, 1..40)
    ) {
        let (mut e, services) = (sketch.estate(), sketch.services());
        let calls = services.answered(&e);
        let before = e.truth.clone();
        let plan = e.plan();
        let done = run_with_luck(&mut e, &plan, &luck);
        let stands = Remains { ours: done.clone(), ..Remains::default() };
        let back = rollback(&plan, &stands, "test", e.state.journal);
        no_secret(&e, &back.to_json())?;
        for step in &back.steps {
            e.run(step);
            prop_assert_eq!(refused(&e, &services, &calls, &step.id), None);
        }
        // A parked literal stays where it is, and is referred to instead: no plan can hold it.
        let parked = plan.steps.iter().any(|s| s.phase == Phase::Park && done.contains(&s.id));
        if back.waiting.is_empty() && !parked {
            for (address, entity) in &before.entities {
                let now = e.truth.entities.get(address);
                prop_assert!(now.is_some_and(|now| alike(entity, now)), "{}: {:?}", address, now);
            }
            let made: Vec<_> = e.truth.entities.keys().collect();
            let made: Vec<_> = made.iter().filter(|a| !before.entities.contains_key(a)).collect();
            prop_assert!(made.is_empty(), "{made:?}");
            // What was taken back is wanted as before.
            let again = e.plan();
            prop_assert_eq!(ids(&again), ids(&plan));
        }
    }

    #[test]
    fn equal_inputs_give_byte_equal_plans(sketch in sketch()) {
        let text = sketch.estate().plan().to_json();
        prop_assert_eq!(&text, &sketch.estate().plan().to_json());
        prop_assert_eq!(Plan::from_json(&text).map(|p| p.to_json()), Ok(text));
    }
}
