//! What the tier of a gateway, or another gateway of it, keeps from working.

use super::*;
use crate::estate::entity;

fn of_tier(name: &str) -> Estate {
    let mut e = with_literal();
    let gateway = e.truth.entities.get_mut(&Address::gateway("contoso"));
    gateway.unwrap().body["sku"] = json!({ "name": name });
    e
}

#[test]
fn in_the_consumption_tier_nothing_is_written_for_a_database() {
    let plan = of_tier("Consumption").plan();
    assert_eq!(ids(&plan), Vec::<&str>::new());
    let wanted = ["apim:contoso", "Consumption tier", "declare an Access"];
    assert!(has_row(&plan, &wanted), "{:?}", rows(&plan));
    for other in ["Developer", "BasicV2", "StandardV2", "Premium"] {
        let plan = of_tier(other).plan();
        assert!(plan.waiting.is_empty(), "{other}: {:?}", rows(&plan));
    }
}

fn serves(e: &mut Estate, gateway: &str, api: &str) {
    let place = Address::gateway("contoso").child("gateway", gateway);
    let place = place.child("api", api);
    e.truth.entities.insert(place, entity(json!({})));
}

#[test]
fn a_self_hosted_gateway_that_serves_the_api_holds_the_switch_up() {
    let mut e = with_literal();
    serves(&mut e, "edge", "orders");
    let plan = e.plan();
    assert_eq!(in_phase(&plan, Phase::Switch), Vec::<&str>::new());
    let wanted = ["gateway:edge/api:orders", "self-hosted"];
    assert!(has_row(&plan, &wanted), "{:?}", rows(&plan));
}

#[test]
fn a_self_hosted_gateway_that_serves_something_else_holds_nothing_up() {
    let mut e = with_literal();
    serves(&mut e, "edge", "billing");
    assert!(e.plan().waiting.is_empty());
    // What is on the identity already is not held up either.
    let mut done = with_literal();
    done.converge();
    serves(&mut done, "edge", "orders");
    assert!(done.plan().is_empty(), "{:?}", rows(&done.plan()));
}

#[test]
fn self_hosted_gateways_that_could_not_be_listed_may_serve_it() {
    let mut e = with_literal();
    let list = Address::gateway("contoso").child("gateway", "");
    e.truth.unreadable.insert(list.to_string(), "403".into());
    let plan = e.plan();
    assert_eq!(in_phase(&plan, Phase::Switch), Vec::<&str>::new());
    assert!(has_row(&plan, &["could not be listed", "403"]));
}
