//! Estates made from a number: other names, scopes and shapes than anybody thought of, from keys
//! in every place to none that an Access covers, while every API is called all the time.
//!
//! Three small ones are always tried. `KEYLESS_ESTATES=100..120 cargo test -- --ignored more_estates`
//! tries others; what fails can be made again from its number.

mod chance;
mod connection;
mod databases;
mod detours;
mod end;
mod files;
mod keys;
mod names;
mod services;
mod sketch;
mod xml;

use crate::estate::{Estate, Said};
use sketch::Sketch;

const EIGHT_DAYS: i64 = 8 * 86_400;

/// Plans that must be enough for any estate.
const ROUNDS: usize = 10;

/// The estate of a number.
fn sketched(number: u64) -> Sketch {
    let mut sketch = Sketch::new(number);
    let apis = sketch.chance.between(6, 12);
    let mut graphql = sketch.chance.between(2, apis / 2);
    let http = apis - graphql;
    if sketch.chance.once_in(5) {
        // The key for the one service is sent with every call of the gateway.
        if sketch.chance.once_in(2) {
            databases::add(&mut sketch, &mut graphql);
        }
        services::add_one_for_all(&mut sketch);
    } else {
        databases::add(&mut sketch, &mut graphql);
        services::add(&mut sketch, http + graphql);
    }
    sketch
}

async fn start(sketch: &mut Sketch) -> Estate {
    let seed = files::seed(sketch);
    let manifests = files::manifests(sketch);
    let manifests: Vec<(&str, &str)> = manifests
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let secrets: Vec<&str> = sketch.expected.secrets.iter().map(String::as_str).collect();
    let estate = Estate::start(&seed, &manifests, &secrets).await;
    estate.write("environments/made.yaml", &files::environment(sketch));
    estate
}

/// Runs the program while every call is made over and over.
async fn keyless(estate: &Estate, arguments: &[&str]) -> Said {
    let arguments = [arguments, &["--env", "made"]].concat();
    estate.under_traffic(estate.keyless(&arguments)).await
}

async fn plan(estate: &Estate, sketch: &Sketch, arguments: &[&str]) -> Said {
    let looks: &[&str] = if sketch.inspects {
        &["--inspect-secrets"]
    } else {
        &[]
    };
    keyless(estate, &[&["plan"], arguments, looks].concat()).await
}

/// Plans and applies, as somebody who knows nothing of the estate would, until nothing is left.
/// Gives the last plan.
async fn carry_out(estate: &Estate, sketch: &Sketch) -> Said {
    for _ in 0..ROUNDS {
        let said = plan(estate, sketch, &["-o", "plan.json"]).await;
        if said.out.contains("No changes") {
            assert!(matches!(said.code, 0 | 3), "exit {}", said.code);
            return said;
        }
        said.exits(2);
        for arguments in [
            &["apply", "plan.json"][..],
            &["approve", "plan.json", "--all", "--by", "somebody"],
            &["apply", "plan.json", "--allow-irreversible"],
        ] {
            let said = keyless(estate, arguments).await;
            let code = said.code;
            assert!(
                matches!(code, 0 | 3),
                "{arguments:?}: {code}\n{}\n{}",
                said.out,
                said.err
            );
        }
        estate.emulator.advance(EIGHT_DAYS);
    }
    panic!(
        "there is no end to it: {}",
        plan(estate, sketch, &[]).await.out
    );
}

#[expect(
    clippy::print_stdout,
    reason = "what fails is found again by its number"
)]
async fn becomes_keyless(number: u64) {
    println!("the estate of {number}");
    let mut sketch = sketched(number);
    let estate = start(&mut sketch).await;
    let last = carry_out(&estate, &sketch).await;
    end::nobody_waits_but_who_must(&sketch, &last);
    end::no_credential_is_left(&estate, &sketch).await;
    end::old_logins_are_closed(&estate, &sketch).await;
    end::services_see_tokens(&estate, &sketch);
    keyless(&estate, &["drift"]).await.exits(0);
    estate.keeps_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_estate_becomes_keyless() {
    becomes_keyless(39).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_estate_becomes_keyless() {
    becomes_keyless(41).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_estate_becomes_keyless() {
    becomes_keyless(37).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes as long as the numbers that KEYLESS_ESTATES asks for"]
async fn more_estates_become_keyless() {
    let asked = std::env::var("KEYLESS_ESTATES").expect("KEYLESS_ESTATES=FROM..TO");
    let (from, to) = asked.split_once("..").expect("FROM..TO");
    for number in from.parse::<u64>().unwrap()..to.parse().unwrap() {
        becomes_keyless(number).await;
    }
}
