//! Which Accesses speak of a policy, and which of those cannot go on. All desired Accesses count,
//! those that nothing is planned for too: what they choose may be theirs.

use keyless_model::{Access, Address, ApiChoice, Selection};

use crate::draft::Input;
use crate::stages::access::Move;

/// Every Access that chooses the API of this policy, and its resolver if it is one's.
pub(crate) fn claiming<'a>(input: Input<'a>, policy: &Address) -> Vec<&'a Access> {
    let all = input.desired.accesses.values();
    all.filter(|access| claims(access, policy)).collect()
}

fn claims(access: &Access, policy: &Address) -> bool {
    if Address::gateway(&access.gateway) != policy.root() {
        return false;
    }
    let (Some(api), Some(choices)) = (api(policy), &access.apis) else {
        // All APIs, or the policy of the whole service.
        return true;
    };
    let resolver = policy.name_of("resolver");
    let mut mine = choices.iter().filter(|c| c.name.eq_ignore_ascii_case(api));
    mine.any(|choice| resolver.is_none_or(|name| holds(choice, name)))
}

fn holds(choice: &ApiChoice, resolver: &str) -> bool {
    match &choice.resolvers {
        Selection::All => true,
        Selection::Named(names) => names.iter().any(|n| n.eq_ignore_ascii_case(resolver)),
    }
}

/// The API of a policy, whatever the revision.
fn api(policy: &Address) -> Option<&str> {
    let name = policy.name_of("api")?;
    Some(name.split(";rev=").next().unwrap_or(name))
}

/// The names of the Accesses, to databases and to HTTP services, that choose this API.
pub(crate) fn choosing<'a>(input: Input<'a>, gateway: &Address, api: &str) -> Vec<&'a str> {
    let desired = input.desired;
    let sql = desired.accesses.values();
    let sql = sql.map(|a| (&a.name, &a.gateway, &a.apis));
    let http = desired.http_accesses.values();
    let http = http.map(|a| (&a.name, &a.gateway, &a.apis));
    let chooses = |apis: &Option<Vec<ApiChoice>>| {
        let Some(choices) = apis else { return true };
        choices.iter().any(|c| c.name.eq_ignore_ascii_case(api))
    };
    sql.chain(http)
        .filter(|(_, root, apis)| Address::gateway(root) == *gateway && chooses(apis))
        .map(|(name, _, _)| name.as_str())
        .collect()
}

/// Whether the Access says in so many words that the resolver of this policy is its own: by the
/// resolver's name, or by an API that no other Access names.
pub(crate) fn names_it(input: Input, access: &Access, policy: &Address) -> bool {
    let (Some(api), Some(resolver)) = (api(policy), policy.name_of("resolver")) else {
        return false;
    };
    let named = |access: &Access| {
        let choices = access.apis.iter().flatten();
        choices.clone().any(|c| c.name.eq_ignore_ascii_case(api))
    };
    let alone =
        !input.desired.accesses.values().any(|other| {
            other.name != access.name && other.gateway == access.gateway && named(other)
        });
    let choices = access.apis.iter().flatten();
    let mut mine = choices.filter(|c| c.name.eq_ignore_ascii_case(api));
    mine.any(|choice| match &choice.resolvers {
        Selection::All => alone,
        Selection::Named(_) => holds(choice, resolver),
    })
}

/// Whether something keeps the Access from going on with the policy at `policy`.
pub(crate) fn held_up(moves: &[Move], access: &Access, policy: &Address) -> bool {
    let one = moves.iter().find(|m| m.access.name == access.name);
    one.is_none_or(|m| m.blocked || m.unclear.contains(policy))
}

/// Accesses among `these` that cannot go on, or of which not every credential is known: what they
/// may still need is left alone.
pub(crate) fn unfinished<'a>(
    moves: &[Move],
    these: impl Iterator<Item = &'a Access>,
) -> Vec<&'a str> {
    let goes_on = |access: &Access| {
        let mut mine = moves.iter().filter(|m| m.access.name == access.name);
        mine.any(|m| !m.blocked && m.all_known)
    };
    these
        .filter(|a| !goes_on(a))
        .map(|a| a.name.as_str())
        .collect()
}
