//! One API Management service: itself, its identity, named values, APIs, resolvers and every
//! policy.

use std::collections::BTreeSet;

use futures::StreamExt;
use keyless_azure::{Answer, ArmError, apim, system_identity};
use keyless_model::{Address, ArmId, Snapshot};
use serde_json::Value;

use super::{Reading, children, entity, name_of, unreadable};
use crate::error::LiveError;
use crate::place::{get, place, policy_address};
use crate::services::Services;

/// Reads in flight at once (azure-facts A.5: start with about eight).
const AT_ONCE: usize = 8;

/// Reads a gateway into `snapshot`.
pub(crate) async fn read(
    services: &Services,
    gateway: &Address,
    id: &ArmId,
    reading: Reading,
    snapshot: &mut Snapshot,
) -> Result<(), LiveError> {
    let arm = &services.arm;
    match arm.find(apim::service(id)?).await {
        Ok(Some(answer)) => {
            let has_identity = answer
                .body
                .pointer("/identity/type")
                .and_then(Value::as_str);
            let system = has_identity.is_some_and(|t| t.to_lowercase().contains("systemassigned"));
            snapshot
                .entities
                .insert(gateway.clone(), entity(answer.body, answer.etag));
            if system {
                identity(services, gateway, id, snapshot).await?;
            }
        }
        Ok(None) => return Ok(()),
        Err(error) => return unreadable(snapshot, gateway.to_string(), error.into()),
    }
    named_values(services, gateway, id, reading, snapshot).await?;
    let apis = list(services, gateway, "api", apim::apis(id)?, snapshot).await?;
    let mut policies = BTreeSet::new();
    let graphql: Vec<Address> = apis
        .into_iter()
        .filter(|a| is_graphql(snapshot, a))
        .collect();
    for api in graphql {
        let request = apim::resolvers(id, api.last().1)?;
        let found = list(services, &api, "resolver", request, snapshot).await?;
        policies.extend(found.iter().map(|r| r.part("policy")));
    }
    index(services, gateway, id, snapshot, &mut policies).await?;
    texts(services, id, policies, snapshot).await
}

fn is_graphql(snapshot: &Snapshot, api: &Address) -> bool {
    let kind = snapshot.entities.get(api).and_then(|e| {
        e.text("/properties/type")
            .or_else(|| e.text("/properties/apiType"))
    });
    kind.is_some_and(|t| t.eq_ignore_ascii_case("graphql"))
}

/// The client id of the system-assigned identity, which the service's own body leaves out.
async fn identity(
    services: &Services,
    gateway: &Address,
    id: &ArmId,
    snapshot: &mut Snapshot,
) -> Result<(), LiveError> {
    let address = gateway.part("identity");
    match services.arm.find(system_identity(id)).await {
        Ok(Some(answer)) => {
            snapshot
                .entities
                .insert(address, entity(answer.body, answer.etag));
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) => unreadable(snapshot, address.to_string(), error.into()),
    }
}

async fn named_values(
    services: &Services,
    gateway: &Address,
    id: &ArmId,
    reading: Reading,
    snapshot: &mut Snapshot,
) -> Result<(), LiveError> {
    let request = apim::named_values(id)?;
    let found = list(services, gateway, "namedValue", request, snapshot).await?;
    if !reading.inspect_secrets {
        return Ok(());
    }
    for address in found {
        let secret = snapshot.entities.get(&address).is_some_and(|e| {
            e.flag("/properties/secret") == Some(true)
                && e.body
                    .pointer("/properties/keyVault")
                    .is_none_or(Value::is_null)
        });
        if !secret {
            continue;
        }
        let request = apim::named_value_secret(id, address.last().1)?;
        match services.arm.send(request).await {
            Ok(answer) => {
                if let (Some(entity), Some(value)) = (
                    snapshot.entities.get_mut(&address),
                    answer.body.get("value"),
                ) {
                    entity.body["properties"]["value"] = value.clone();
                }
            }
            Err(error) => unreadable(snapshot, format!("{address}/value"), error.into())?,
        }
    }
    Ok(())
}

/// Reads one list into the snapshot. Returns the addresses of its items.
async fn list(
    services: &Services,
    parent: &Address,
    word: &str,
    request: keyless_azure::Request,
    snapshot: &mut Snapshot,
) -> Result<Vec<Address>, LiveError> {
    let mut out = Vec::new();
    match services.arm.list(request).await {
        Ok(items) => {
            for item in items {
                let Some(name) = name_of(&item) else { continue };
                let address = parent.child(word, &name);
                snapshot
                    .entities
                    .insert(address.clone(), entity(item, None));
                out.push(address);
            }
        }
        Err(error) => unreadable(snapshot, children(parent, word), error.into())?,
    }
    Ok(out)
}

/// Where policies are. A service without the index (older tiers) is asked scope by scope.
async fn index(
    services: &Services,
    gateway: &Address,
    id: &ArmId,
    snapshot: &mut Snapshot,
    policies: &mut BTreeSet<Address>,
) -> Result<(), LiveError> {
    match services.arm.list(apim::all_policies(id)?).await {
        Ok(items) => {
            let mut strange = false;
            for item in &items {
                let place = scope_of(item).unwrap_or_default();
                match policy_address(gateway, id, place) {
                    Some(address) => drop(policies.insert(address)),
                    // A workspace has named values and policies of its own.
                    None => strange |= !place.to_lowercase().contains("/workspaces/"),
                }
            }
            if strange {
                return scope_by_scope(services, gateway, id, snapshot, policies).await;
            }
            Ok(())
        }
        Err(error) if matches!(error.status(), Some(400 | 404 | 405)) => {
            scope_by_scope(services, gateway, id, snapshot, policies).await
        }
        Err(error) => {
            let error = LiveError::from(error);
            if error.ends_the_run() {
                return Err(error);
            }
            let why = error.to_string();
            snapshot
                .unreadable
                .insert(format!("{gateway}/policy"), why.clone());
            snapshot
                .unreadable
                .insert(children(gateway, "product"), why);
            Ok(())
        }
    }
}

/// The id of the policy that an item of the index speaks of; the item's own id names only the item
/// (Azure REST specification, `AllPoliciesContract`).
fn scope_of(item: &Value) -> Option<&str> {
    let referred = item.pointer("/properties/referencePolicyId");
    referred.or_else(|| item.get("id")).and_then(Value::as_str)
}

async fn scope_by_scope(
    services: &Services,
    gateway: &Address,
    id: &ArmId,
    snapshot: &mut Snapshot,
    policies: &mut BTreeSet<Address>,
) -> Result<(), LiveError> {
    policies.insert(gateway.part("policy"));
    let products = list(services, gateway, "product", apim::products(id)?, snapshot).await?;
    policies.extend(products.iter().map(|p| p.part("policy")));
    let apis: Vec<Address> = snapshot
        .children(gateway, "api")
        .map(|(a, _)| a.clone())
        .collect();
    for api in apis {
        policies.insert(api.part("policy"));
        let request = apim::operations(id, api.last().1)?;
        let operations = list(services, &api, "operation", request, snapshot).await?;
        policies.extend(operations.iter().map(|o| o.part("policy")));
    }
    Ok(())
}

/// Reads the text of every policy, a few at a time.
async fn texts(
    services: &Services,
    id: &ArmId,
    policies: BTreeSet<Address>,
    snapshot: &mut Snapshot,
) -> Result<(), LiveError> {
    let reads = policies.into_iter().map(|address| async move {
        let answer = text(services, id, &address).await;
        (address, answer)
    });
    let mut answers = futures::stream::iter(reads).buffer_unordered(AT_ONCE);
    while let Some((address, answer)) = answers.next().await {
        match answer {
            Ok(Some(answer)) => {
                snapshot
                    .entities
                    .insert(address, entity(answer.body, answer.etag));
            }
            Ok(None) => {}
            Err(error) => unreadable(snapshot, address.to_string(), error)?,
        }
    }
    Ok(())
}

async fn text(
    services: &Services,
    id: &ArmId,
    address: &Address,
) -> Result<Option<Answer>, LiveError> {
    let request = get(id, &place(address)?)?;
    let answer: Result<_, ArmError> = services.arm.find(request).await;
    Ok(answer?)
}
