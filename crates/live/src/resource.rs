//! Steps on ARM resources: read, compare, write with the ETag that was read.

use keyless_engine::Standing;
use keyless_model::{Address, Fingerprint};
use keyless_plan::{ValueFrom, covers, managed_fingerprint, merged, text_at};
use serde_json::{Map, Value, json};

use crate::error::LiveError;
use crate::place::{Place, delete as delete_request, get, place, put as put_request};
use crate::provider::LiveProvider;

/// A resource as it is now.
pub(crate) struct Now {
    pub body: Value,
    pub etag: Option<String>,
}

/// Reads what is at `address`; none when nothing is there.
pub(crate) async fn now(
    provider: &LiveProvider,
    address: &Address,
) -> Result<Option<Now>, LiveError> {
    let root = provider.services.root(address)?;
    let request = get(&root.id, &place(address)?)?;
    let answer = provider.services.arm.find(request).await?;
    Ok(answer.map(|a| Now {
        body: a.body,
        etag: a.etag,
    }))
}

/// How live stands to a body that is to be written.
pub(crate) async fn check_put(
    provider: &LiveProvider,
    address: &Address,
    body: &Value,
    expect: Option<&Fingerprint>,
) -> Result<Standing, LiveError> {
    let live = now(provider, address).await?;
    let Some(live) = live else {
        return Ok(match expect {
            None => Standing::Ready,
            Some(_) => Standing::Conflict {
                found: "it is not there any more".into(),
            },
        });
    };
    // A value that may not be read came with the same request as the rest of the body.
    if covers(address, &live.body, body) {
        return Ok(Standing::Done);
    }
    let found = managed_fingerprint(&provider.key, address, &live.body, body);
    Ok(if expect == Some(&found) {
        Standing::Ready
    } else {
        Standing::Conflict {
            found: "its managed fields have other values than at the plan".into(),
        }
    })
}

async fn policy_text(
    provider: &LiveProvider,
    policy: &Address,
    path: &str,
) -> Result<Option<String>, LiveError> {
    let live = now(provider, policy).await?;
    let text = live
        .as_ref()
        .and_then(|n| n.body.pointer("/properties/value"));
    Ok(text
        .and_then(Value::as_str)
        .and_then(|text| text_at(text, path)))
}

/// What a write expects to find.
pub(crate) enum Expect<'a> {
    /// An undo puts back what was there, whatever is there now.
    Anything,
    /// The managed fields as the plan saw them; none: nothing was there.
    Planned(Option<&'a Fingerprint>),
}

/// Writes `body` merged over what is live.
pub(crate) async fn put(
    provider: &LiveProvider,
    address: &Address,
    body: &Value,
    value: Option<&ValueFrom>,
    expect: Expect<'_>,
) -> Result<(), LiveError> {
    let live = now(provider, address).await?;
    let found = live
        .as_ref()
        .map(|live| managed_fingerprint(&provider.key, address, &live.body, body));
    match expect {
        Expect::Anything => {}
        Expect::Planned(planned) if planned == found.as_ref() => {}
        Expect::Planned(_) => return Err(LiveError::Gone(address.clone())),
    }
    let mut body = match &live {
        Some(live) => merged(&writable(&live.body), body),
        None => body.clone(),
    };
    if let Some(from) = value {
        body["properties"]["value"] = Value::String(secret(provider, from).await?);
    }
    write(provider, address, body, live.and_then(|n| n.etag)).await
}

/// The value itself, for the request that carries it.
async fn secret(provider: &LiveProvider, from: &ValueFrom) -> Result<String, LiveError> {
    match from {
        ValueFrom::PolicyText { policy, path } => {
            let text = policy_text(provider, policy, path).await?;
            text.ok_or_else(|| LiveError::Gone(policy.clone()))
        }
        ValueFrom::Environment { name } => (provider.environment)(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| LiveError::Environment(name.clone())),
    }
}

/// What of a live body may be sent back: ids, types and states are the service's own.
fn writable(body: &Value) -> Value {
    let mut out = Map::new();
    if let Some(properties) = body.get("properties").and_then(Value::as_object) {
        let mut kept = properties.clone();
        kept.remove("provisioningState");
        out.insert("properties".into(), Value::Object(kept));
    }
    Value::Object(out)
}

/// Changes fields of the service itself. User-assigned identities that came since the plan are
/// kept: the service may take the set as a whole (azure-facts B.1).
pub(crate) async fn patch(
    provider: &LiveProvider,
    address: &Address,
    body: &Value,
) -> Result<(), LiveError> {
    let mut body = body.clone();
    if body.get("identity").is_some() {
        let live = now(provider, address)
            .await?
            .ok_or_else(|| LiveError::Gone(address.clone()))?;
        let users = live.body.pointer("/identity/userAssignedIdentities");
        if let Some(users) = users
            .and_then(Value::as_object)
            .filter(|users| !users.is_empty())
        {
            let kept: Map<String, Value> = users.keys().map(|id| (id.clone(), json!({}))).collect();
            body["identity"]["userAssignedIdentities"] = Value::Object(kept);
            body["identity"]["type"] = json!("SystemAssigned, UserAssigned");
        }
    }
    write(provider, address, body, None).await
}

/// Writes fields back as they were.
pub(crate) async fn put_back(
    provider: &LiveProvider,
    address: &Address,
    body: &Value,
) -> Result<(), LiveError> {
    match place(address)? {
        Place::Service | Place::Server => patch(provider, address, body).await,
        _ => put(provider, address, body, None, Expect::Anything).await,
    }
}

async fn write(
    provider: &LiveProvider,
    address: &Address,
    body: Value,
    etag: Option<String>,
) -> Result<(), LiveError> {
    let root = provider.services.root(address)?;
    let place = place(address)?;
    // Named values, resolvers and policies are made only where nothing is.
    let precondition = match place {
        Place::Service | Place::Server | Place::EntraAdmin | Place::EntraOnly => None,
        _ => etag,
    };
    let request = put_request(&root.id, &place, body, precondition.as_deref())?;
    provider.services.arm.send(request).await?;
    Ok(())
}

/// A thing that is gone was deleted.
pub(crate) async fn check_delete(
    provider: &LiveProvider,
    address: &Address,
) -> Result<Standing, LiveError> {
    let live = now(provider, address).await?;
    Ok(if live.is_none() {
        Standing::Done
    } else {
        Standing::Ready
    })
}

/// Deletes what is at `address`, as it was just read.
pub(crate) async fn delete(provider: &LiveProvider, address: &Address) -> Result<(), LiveError> {
    let Some(live) = now(provider, address).await? else {
        return Ok(());
    };
    let root = provider.services.root(address)?;
    let etag = live.etag.unwrap_or_else(|| "*".to_owned());
    provider
        .services
        .arm
        .send(delete_request(&root.id, address, &etag)?)
        .await?;
    Ok(())
}

/// The body of a policy.
pub(crate) fn policy_body(text: String) -> Value {
    json!({ "properties": { "format": "rawxml", "value": text } })
}
