//! Every policy of a gateway: where there is one, by the service's index, and the text of each.
//! Fragments are texts too.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use keyless_azure::apim;
use keyless_model::{Address, ArmId};
use serde_json::Value;

use super::apis::Revision;
use super::reader::{Reader, children, name_of};
use crate::error::LiveError;
use crate::place::{place, policy_address};
use crate::requests::get;

/// Where the index says that there are policies.
pub(crate) enum Index {
    At(BTreeSet<Address>),
    /// The service has none, or it speaks of places that are not known: each scope is asked.
    Unusable,
    /// It may not be read, and that is told already.
    Hidden,
}

/// Reads the index.
pub(crate) async fn index(
    reader: &Reader<'_>,
    gateway: &Address,
    id: &ArmId,
) -> Result<Index, LiveError> {
    match reader.list(apim::all_policies(id)?).await {
        Ok(items) => Ok(places(gateway, id, &items).map_or(Index::Unusable, Index::At)),
        // Older tiers do not have it.
        Err(error) if matches!(error.status(), Some(400 | 404 | 405)) => Ok(Index::Unusable),
        Err(error) => {
            let error = LiveError::from(error);
            if error.ends_the_run() {
                return Err(error);
            }
            let why = error.to_string();
            let mut snapshot = reader.snapshot();
            for scope in [
                format!("{gateway}/policy"),
                children(gateway, "product"),
                children(gateway, "api"),
            ] {
                snapshot.unreadable.insert(scope, why.clone());
            }
            Ok(Index::Hidden)
        }
    }
}

/// The addresses that the index names; none when it names a place that is not known.
fn places(gateway: &Address, id: &ArmId, items: &[Value]) -> Option<BTreeSet<Address>> {
    let mut out = BTreeSet::new();
    for item in items {
        let place = scope_of(item).unwrap_or_default();
        match policy_address(gateway, id, place) {
            Some(address) => drop(out.insert(address)),
            // A workspace has policies of its own, and fragments have a list.
            None if elsewhere(place) => {}
            None => return None,
        }
    }
    Some(out)
}

fn elsewhere(place: &str) -> bool {
    let place = place.to_lowercase();
    place.contains("/workspaces/") || place.contains("/policyfragments/")
}

/// The id of the policy that an item of the index speaks of; the item's own id names only the item
/// (Azure REST specification, `AllPoliciesContract`).
fn scope_of(item: &Value) -> Option<&str> {
    let referred = item.pointer("/properties/referencePolicyId");
    referred.or_else(|| item.get("id")).and_then(Value::as_str)
}

/// Reads the text of every policy and of every fragment.
pub(crate) async fn read(
    reader: &Reader<'_>,
    gateway: &Address,
    id: &ArmId,
    index: Index,
    products: &[Address],
    apis: &[Revision],
) -> Result<(), LiveError> {
    let policies = to_read(gateway, index, products, apis);
    let policies = try_join_all(policies.iter().map(|address| text(reader, id, address)));
    tokio::try_join!(policies, fragments(reader, gateway, id))?;
    Ok(())
}

/// The policies to ask for. Resolvers are always asked for theirs. Whether an index knows other
/// revisions than the current one shows when it names one of that API; where it does not, each
/// of its revisions is asked itself.
fn to_read(
    gateway: &Address,
    index: Index,
    products: &[Address],
    apis: &[Revision],
) -> BTreeSet<Address> {
    let resolvers = apis.iter().flat_map(|r| &r.resolvers);
    let mut out: BTreeSet<Address> = resolvers.map(|r| r.part("policy")).collect();
    match index {
        Index::At(places) => {
            let unnamed = apis.iter().filter(|r| r.is_old() && !names(&places, r));
            out.extend(unnamed.flat_map(Revision::policies));
            out.extend(places);
        }
        Index::Unusable => {
            out.insert(gateway.part("policy"));
            out.extend(products.iter().map(|p| p.part("policy")));
            out.extend(apis.iter().flat_map(Revision::policies));
        }
        Index::Hidden => {}
    }
    out
}

/// Whether the index names anything of any other revision of the same API.
fn names(places: &BTreeSet<Address>, revision: &Revision) -> bool {
    let name = revision.api.last().1;
    let base = name.split(";rev=").next().unwrap_or(name);
    let head = format!("{base};rev=");
    let mut named = places.iter().filter_map(|place| place.name_of("api"));
    named.any(|api| api.starts_with(&head))
}

/// The list says which fragments there are; its texts are encoded (azure-facts A.7).
async fn fragments(reader: &Reader<'_>, gateway: &Address, id: &ArmId) -> Result<(), LiveError> {
    let word = "policyFragment";
    let items = reader.items(gateway, word, apim::fragments(id)).await?;
    let names = items.iter().filter_map(name_of);
    let found: Vec<Address> = names.map(|name| gateway.child(word, &name)).collect();
    try_join_all(found.iter().map(|address| text(reader, id, address))).await?;
    Ok(())
}

async fn text(reader: &Reader<'_>, id: &ArmId, address: &Address) -> Result<(), LiveError> {
    let request = get(id, &place(address)?);
    reader.item(address, request).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(api: &str) -> Revision {
        let api = Address::gateway("g").child("api", api);
        Revision {
            operations: vec![api.child("operation", "o")],
            resolvers: vec![],
            api,
        }
    }

    fn asked(index: Index) -> Vec<String> {
        let products = [Address::gateway("g").child("product", "p")];
        let apis = [revision("a"), revision("a;rev=2"), revision("b;rev=3")];
        let found = to_read(&Address::gateway("g"), index, &products, &apis);
        found.iter().map(Address::to_string).collect()
    }

    fn at(places: &[&str]) -> Index {
        Index::At(places.iter().map(|p| p.parse().unwrap()).collect())
    }

    #[test]
    fn a_revision_is_asked_itself_where_the_index_names_none_of_its_api() {
        assert_eq!(
            asked(at(&["apim:g/policy", "apim:g/api:a;rev=9/policy"])),
            [
                "apim:g/api:a;rev=9/policy",
                "apim:g/api:b;rev=3/operation:o/policy",
                "apim:g/api:b;rev=3/policy",
                "apim:g/policy",
            ]
        );
    }

    #[test]
    fn without_an_index_every_scope_is_asked() {
        assert_eq!(asked(Index::Unusable).len(), 8);
        assert!(asked(Index::Hidden).is_empty());
    }

    #[test]
    fn an_index_of_unknown_places_is_not_used() {
        let service =
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ApiManagement/service/x";
        let id = ArmId::parse(&service.replace("/s/", "/00000000-0000-0000-0000-000000000001/"));
        let id = id.unwrap();
        let item = |below: &str| serde_json::json!({ "id": format!("{id}/{below}") });
        let gateway = Address::gateway("g");
        let known = [
            item("apis/a/policies/policy"),
            item("workspaces/w/policies/policy"),
            item("policyFragments/f"),
        ];
        let found = places(&gateway, &id, &known).unwrap();
        assert_eq!(found.len(), 1);
        assert!(places(&gateway, &id, &[item("tags/t/policies/policy")]).is_none());
    }
}
