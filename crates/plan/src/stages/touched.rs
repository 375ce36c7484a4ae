//! Which APIs a change of a shared document touches.

use std::collections::BTreeSet;

use keyless_model::{Address, Snapshot};
use keyless_policy::Document;
use keyless_scan::includes;

use crate::stages::arm::is_policy;
use crate::step::Shown;

/// The APIs whose calls run the policy document at `address`: all of the gateway for the policy of
/// the service, those of the product for a product's, those of every policy that includes it for a
/// fragment. Revisions of one API are one.
pub(crate) fn touched(world: &Snapshot, address: &Address) -> BTreeSet<String> {
    let gateway = address.root();
    if address.last().0 == "policyFragment" {
        let including = including(world, address);
        return including.iter().flat_map(|p| touched(world, p)).collect();
    }
    if let Some(api) = address
        .name_of("api")
        .filter(|_| address.name_of("product").is_none())
    {
        return BTreeSet::from([of_any_revision(api).to_owned()]);
    }
    let parent = match address.name_of("product") {
        Some(product) => gateway.child("product", product),
        None => gateway,
    };
    let apis = world.children(&parent, "api");
    apis.map(|(a, _)| of_any_revision(a.last().1).to_owned())
        .collect()
}

/// The policies that include the fragment at `address`. Fragments include none (Microsoft docs,
/// `include-fragment` policy).
pub(crate) fn including(world: &Snapshot, address: &Address) -> BTreeSet<Address> {
    let fragment = address.last().1;
    let gateway = address.root();
    let policies = world
        .entities
        .range(gateway.clone()..)
        .take_while(|(a, _)| a.as_str().starts_with(gateway.as_str()))
        .filter(|(a, _)| a.within(&gateway) && a.last().0 == "policy");
    let includes_it = |text: &str| {
        // Whether ids differ by case alone is not known of Azure, so they do not here.
        text.contains("include-fragment")
            && Document::parse(text).is_ok_and(|d| {
                let mut found = includes(&d).into_iter();
                found.any(|i| i.fragment.eq_ignore_ascii_case(fragment))
            })
    };
    policies
        .filter(|(_, e)| e.text("/properties/value").is_some_and(includes_it))
        .map(|(a, _)| a.clone())
        .collect()
}

/// The APIs that self-hosted gateways (`gateway`) or workspaces (`workspace`) of a gateway serve,
/// where each of them does.
pub(crate) fn serving<'a>(
    live: &'a Snapshot,
    gateway: &Address,
    word: &'static str,
) -> impl Iterator<Item = &'a Address> {
    let list = gateway.child(word, "");
    let here = live.entities.range(list.clone()..).map(|(a, _)| a);
    let here = here.take_while(move |a| a.as_str().starts_with(list.as_str()));
    let around = move |a: &Address| a.parent().is_some_and(|p| p.last().0 == word);
    here.filter(move |a| a.last().0 == "api" && around(a))
}

/// The API's own name, whatever the revision.
pub(crate) fn of_any_revision(api: &str) -> &str {
    api.split(";rev=").next().unwrap_or(api)
}

/// What people are told of a change of a shared document. None for one of a single API.
pub(crate) fn remark(world: &Snapshot, address: &Address) -> Option<Shown> {
    if !is_policy(address) || address.name_of("api").is_some() {
        return None;
    }
    let apis = touched(world, address);
    let names: Vec<&str> = apis.iter().map(String::as_str).collect();
    let text = match apis.len() {
        0 => "touches: no API".to_owned(),
        1 => format!("touches: {} (1 API)", names[0]),
        n => format!("touches: {} ({n} APIs)", names.join(", ")),
    };
    Some(Shown::Remark { text })
}
