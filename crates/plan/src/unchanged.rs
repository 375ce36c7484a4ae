//! What a plan leaves as it is: counted, so that a report can be quiet about it.

use std::collections::BTreeSet;

use keyless_model::{Address, Desired};

use crate::file::Plan;
use crate::stages::resources::policy_address;

/// How many documents ask for nothing that the plan would change or holds up.
pub fn unchanged(desired: &Desired, plan: &Plan) -> usize {
    let steps = plan.steps.iter().map(|s| (&s.address, &s.access));
    let rows = plan.waiting.iter().map(|w| (&w.address, &w.access));
    let touched: Vec<(&Address, &Option<String>)> = steps.chain(rows).collect();
    let accesses: BTreeSet<&str> = touched.iter().filter_map(|(_, a)| a.as_deref()).collect();
    let names = desired.accesses.keys().chain(desired.http_accesses.keys());
    let still = names.filter(|n| !accesses.contains(n.as_str())).count();
    let places: BTreeSet<&Address> = touched.iter().map(|(a, _)| *a).collect();
    let untouched = |address: &Address| !places.contains(address);
    still + addresses(desired).iter().filter(|a| untouched(a)).count()
}

/// The address of every document that is no Access.
fn addresses(desired: &Desired) -> Vec<Address> {
    let mut out: Vec<Address> = Vec::new();
    out.extend(desired.gateways.keys().map(|n| Address::gateway(n)));
    out.extend(desired.servers.keys().map(|n| Address::server(n)));
    out.extend(desired.identities.keys().map(|n| Address::identity(n)));
    let databases = desired.databases.values();
    out.extend(databases.map(|d| Address::database(&d.server, &d.name)));
    let values = desired.named_values.values();
    out.extend(values.map(|v| Address::gateway(&v.gateway).child("namedValue", &v.name)));
    let policies = desired.policies.values();
    out.extend(policies.map(|p| policy_address(&p.gateway, &p.scope)));
    out.extend(desired.resolvers.values().map(|r| {
        let api = Address::gateway(&r.gateway).child("api", &r.api);
        api.child("resolver", &r.name)
    }));
    out.extend(desired.resources.keys().cloned());
    out.extend(
        desired
            .role_assignments
            .keys()
            .map(|n| Address::role_assignment(n)),
    );
    let users = desired.users.values();
    out.extend(users.map(|u| u.database.child("user", &u.name)));
    let roles = desired.roles.values();
    out.extend(roles.map(|r| r.database.child("role", &r.name)));
    let grants = desired.grants.iter();
    out.extend(grants.map(|(n, g)| g.database.child("grant", n)));
    let rules = desired.database_rules.values();
    out.extend(rules.map(|r| r.database.child("firewallRule", &r.rule.name)));
    out
}
