//! What a gateway cannot do for an Access to a database, said before anything is written.
//!
//! A policy connects to SQL in a resolver alone, with `sql-data-source`: in the classic and v2
//! tiers, not in Consumption, and not on a self-hosted gateway, which passes over it in silence
//! (azure-facts B.4). `authentication-managed-identity`, which an Access to an HTTP service needs,
//! is there in every tier.

use keyless_model::{Address, Live};

use crate::draft::{Draft, Input};
use crate::stages::access::Move;
use crate::stages::sources::Source;
use crate::stages::touched::{of_any_revision, serving};

const WHAT: &str = "move its resolvers to the identity";

/// Whether the gateway's tier has resolvers that connect to SQL. One that has not leaves a row.
pub(crate) fn has_sql(input: Input, draft: &mut Draft, one: &Move) -> bool {
    let gateway = input.live.entities.get(&one.gateway);
    let tier = gateway.and_then(|e| e.text("/sku/name"));
    if !tier.is_some_and(|t| t.eq_ignore_ascii_case("Consumption")) {
        return true;
    }
    let why = "the gateway is of the Consumption tier, which has no `sql-data-source`";
    let next = "let a service of its own reach the database, and declare an Access to its URL; or \
                move the gateway to another tier";
    draft.wait(&one.gateway, Some(one.name()), WHAT, why, next);
    false
}

/// Holds the Access up where a self-hosted gateway serves what it would switch, or may do so.
pub(crate) fn self_hosted(input: Input, draft: &mut Draft, one: &mut Move) {
    let switches = |api: &str| {
        let inside = |s: &Source| s.policy.name_of("api").map(of_any_revision) == Some(api);
        one.sources.iter().any(|s| s.needs_switch() && inside(s))
    };
    let list = one.gateway.child("gateway", "");
    let found: Vec<Address> = serving(input.live, &one.gateway, "gateway")
        .filter(|a| switches(of_any_revision(a.last().1)))
        .cloned()
        .collect();
    for place in &found {
        let why = "a self-hosted gateway serves the API, and passes over resolvers in silence";
        let next = "take the API off that gateway, or leave it out of the Access";
        draft.wait(place, Some(one.name()), WHAT, why, next);
    }
    one.blocked |= !found.is_empty();
    if let Live::Unreadable(why) = input.live.get(&list)
        && one.sources.iter().any(Source::needs_switch)
    {
        let why = format!("the self-hosted gateways could not be listed: {why}");
        let next = "give the identity that plans the Reader role on the gateway";
        draft.wait(&one.gateway, Some(one.name()), WHAT, &why, next);
        one.blocked = true;
    }
}
