//! The APIs of a gateway in every revision, with their operations and resolvers.

use futures::future::try_join_all;
use keyless_azure::apim;
use keyless_model::{Address, ArmId};
use serde_json::Value;

use super::reader::Reader;
use crate::error::LiveError;

/// One revision of an API, and what has a policy of its own in it.
pub(crate) struct Revision {
    pub api: Address,
    pub operations: Vec<Address>,
    pub resolvers: Vec<Address>,
}

impl Revision {
    /// Whether it is another than the current one.
    pub(crate) fn is_old(&self) -> bool {
        self.api.last().1.contains(";rev=")
    }

    /// Everything in it that may have a policy.
    pub(crate) fn policies(&self) -> impl Iterator<Item = Address> {
        let below = self.operations.iter().chain(&self.resolvers);
        [&self.api]
            .into_iter()
            .chain(below)
            .map(|a| a.part("policy"))
    }
}

/// Reads all APIs, the current revisions first in what it gives.
pub(crate) async fn read(
    reader: &Reader<'_>,
    gateway: &Address,
    id: &ArmId,
) -> Result<Vec<Revision>, LiveError> {
    let found = reader.children(gateway, "api", apim::apis(id)).await?;
    // Some services list every revision, some only the current ones.
    let current = found.iter().filter(|a| !a.last().1.contains(";rev="));
    let old = try_join_all(current.map(|api| old_revisions(reader, gateway, id, api))).await?;
    let mut all = found.clone();
    all.extend(old.into_iter().flatten().filter(|a| !found.contains(a)));
    try_join_all(all.into_iter().map(|api| revision(reader, id, api))).await
}

/// The revisions of an API that are not current. The list of them has no bodies.
async fn old_revisions(
    reader: &Reader<'_>,
    gateway: &Address,
    id: &ArmId,
    api: &Address,
) -> Result<Vec<Address>, LiveError> {
    let name = api.last().1;
    let items = match apim::revisions(id, name) {
        Ok(request) => reader.list(request).await,
        Err(error) => Err(error),
    };
    let items = match items {
        Ok(items) => items,
        Err(error) => {
            reader.unreadable(api.part("revisions").to_string(), error.into())?;
            return Ok(Vec::new());
        }
    };
    let old = items.iter().filter(|r| !is_current(r));
    let numbers = old.filter_map(|r| r.get("apiRevision").and_then(Value::as_str));
    let addresses = numbers.map(|n| gateway.child("api", &format!("{name};rev={n}")));
    Ok(addresses.collect())
}

fn is_current(revision: &Value) -> bool {
    revision.get("isCurrent").and_then(Value::as_bool) != Some(false)
}

/// One revision with what is inside it.
async fn revision(reader: &Reader<'_>, id: &ArmId, api: Address) -> Result<Revision, LiveError> {
    let name = api.last().1;
    if !reader.snapshot().entities.contains_key(&api) {
        reader.item(&api, apim::api(id, name)).await?;
    }
    let operations = reader.children(&api, "operation", apim::operations(id, name));
    let resolvers = async {
        match is_graphql(reader, &api) {
            true => {
                let request = apim::resolvers(id, name);
                reader.children(&api, "resolver", request).await
            }
            false => Ok(Vec::new()),
        }
    };
    let (operations, resolvers) = tokio::try_join!(operations, resolvers)?;
    Ok(Revision {
        api,
        operations,
        resolvers,
    })
}

fn is_graphql(reader: &Reader<'_>, api: &Address) -> bool {
    let snapshot = reader.snapshot();
    let kind = snapshot.entities.get(api).and_then(|e| {
        e.text("/properties/type")
            .or_else(|| e.text("/properties/apiType"))
    });
    kind.is_some_and(|t| t.eq_ignore_ascii_case("graphql"))
}
