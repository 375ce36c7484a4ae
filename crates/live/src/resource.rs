//! Steps on ARM resources: read, compare, write with the ETag that was read.

use keyless_engine::Standing;
use keyless_model::{Address, Fingerprint};
use keyless_plan::{ValueFrom, attribute_at, covers, managed_fingerprint, merged, text_at};
use serde_json::{Map, Value, json};

use crate::error::LiveError;
use crate::place::{Place, place};
use crate::provider::LiveProvider;
use crate::{requests, service_identity};

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
    let request = requests::get(&root.id, &place(address)?)?;
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
    if covers(address, &service_identity::as_asked(&live.body, body), body) {
        return Ok(Standing::Done);
    }
    let found = fingerprint(provider, address, &live.body, body);
    Ok(if expect == Some(&found) {
        Standing::Ready
    } else {
        Standing::Conflict {
            found: "its managed fields have other values than at the plan".into(),
        }
    })
}

/// The fingerprint of the fields of `live` that `body` names.
fn fingerprint(
    provider: &LiveProvider,
    address: &Address,
    live: &Value,
    body: &Value,
) -> Fingerprint {
    let live = service_identity::as_asked(live, body);
    managed_fingerprint(&provider.key, address, &live, body)
}

/// What a write expects to find.
pub(crate) enum Expect<'a> {
    /// An undo puts back what was there, whatever is there now.
    Anything,
    /// The managed fields as the plan saw them; none: nothing was there.
    Planned(Option<&'a Fingerprint>),
}

impl Expect<'_> {
    /// Whether live is still as expected.
    fn met(
        &self,
        provider: &LiveProvider,
        address: &Address,
        live: Option<&Now>,
        body: &Value,
    ) -> Result<(), LiveError> {
        let found = live.map(|live| fingerprint(provider, address, &live.body, body));
        match self {
            Self::Anything => Ok(()),
            Self::Planned(planned) if *planned == found.as_ref() => Ok(()),
            Self::Planned(Some(_)) if live.is_none() => Err(LiveError::Gone(address.clone())),
            Self::Planned(_) => Err(LiveError::Changed(address.clone())),
        }
    }
}

/// Writes `body` merged over what is live, a value that is secret with it.
pub(crate) async fn put(
    provider: &LiveProvider,
    address: &Address,
    body: &Value,
    value: Option<&ValueFrom>,
    expect: Expect<'_>,
) -> Result<(), LiveError> {
    let live = now(provider, address).await?;
    expect.met(provider, address, live.as_ref(), body)?;
    // A PUT of an API is an import of the whole of it.
    if let (Some(live), Place::Api(_)) = (&live, place(address)?) {
        return change(provider, address, live, body).await;
    }
    let mut body = over(live.as_ref(), body);
    if let Some(from) = value {
        body["properties"]["value"] = Value::String(secret(provider, from).await?);
    }
    write(provider, address, body, live.and_then(|n| n.etag)).await
}

/// `body` merged over what of live may be sent back.
fn over(live: Option<&Now>, body: &Value) -> Value {
    match live {
        Some(live) => merged(&writable(&live.body), body),
        None => merged(&Value::Null, body),
    }
}

/// The value itself, for the request that carries it.
async fn secret(provider: &LiveProvider, from: &ValueFrom) -> Result<String, LiveError> {
    let (address, pointer) = match from {
        ValueFrom::Environment { name } => {
            return (provider.environment)(name)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| LiveError::Environment(name.clone()));
        }
        ValueFrom::Field { address, pointer } => (address, pointer.as_str()),
        ValueFrom::PolicyText { policy, .. } | ValueFrom::PolicyAttribute { policy, .. } => {
            (policy, "/properties/value")
        }
    };
    let live = now(provider, address).await?;
    let text = live.as_ref().and_then(|n| n.body.pointer(pointer));
    let text = text.and_then(Value::as_str);
    let found = text.and_then(|text| match from {
        ValueFrom::PolicyText { path, .. } => text_at(text, path),
        ValueFrom::PolicyAttribute { path, name, .. } => attribute_at(text, path, name),
        ValueFrom::Field { .. } | ValueFrom::Environment { .. } => Some(text.to_owned()),
    });
    found.ok_or_else(|| LiveError::Gone(address.clone()))
}

/// What the service says about a resource and does not take back.
const READ_ONLY: [&str; 4] = [
    "provisioningState",
    "isCurrent",
    "isOnline",
    "apiVersionSet",
];

/// What of a live body may be sent back: ids, types and states are the service's own.
pub(crate) fn writable(body: &Value) -> Value {
    let mut out = Map::new();
    if let Some(properties) = body.get("properties").and_then(Value::as_object) {
        let mut kept = properties.clone();
        kept.retain(|name, _| !READ_ONLY.contains(&name.as_str()));
        if let Some(vault) = kept.get_mut("keyVault").and_then(Value::as_object_mut) {
            vault.remove("lastStatus");
        }
        out.insert("properties".into(), Value::Object(kept));
    }
    Value::Object(out)
}

/// Changes fields of what is there: with a PATCH where Azure has one, else by writing the whole
/// body. User-assigned identities that came since the plan are kept.
pub(crate) async fn patch(
    provider: &LiveProvider,
    address: &Address,
    body: &Value,
    expect: Expect<'_>,
) -> Result<(), LiveError> {
    let live = now(provider, address).await?;
    let live = live.ok_or_else(|| LiveError::Gone(address.clone()))?;
    expect.met(provider, address, Some(&live), body)?;
    change(provider, address, &live, body).await
}

async fn change(
    provider: &LiveProvider,
    address: &Address,
    live: &Now,
    body: &Value,
) -> Result<(), LiveError> {
    let sent = service_identity::union(&live.body, body);
    let etag = live.etag.as_deref().unwrap_or("*");
    let root = provider.services.root(address)?;
    match requests::patch(&root.id, &place(address)?, &sent, etag)? {
        Some(request) => {
            provider.services.arm.send(request).await?;
            Ok(())
        }
        None => write(provider, address, over(Some(live), body), live.etag.clone()).await,
    }
}

/// Writes fields back as they were.
pub(crate) async fn put_back(
    provider: &LiveProvider,
    address: &Address,
    body: &Value,
) -> Result<(), LiveError> {
    match place(address)? {
        Place::Service
        | Place::Server
        | Place::Api(_)
        | Place::Operation { .. }
        | Place::Product(_) => patch(provider, address, body, Expect::Anything).await,
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
    let request = requests::put(&root.id, address, body, etag.as_deref())?;
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
        .send(requests::delete(&root.id, address, &etag)?)
        .await?;
    Ok(())
}

/// The body of a policy or a fragment with this text, and what else `live` has, such as the
/// description of a fragment.
pub(crate) fn policy_body(live: &Value, text: String) -> Value {
    let text = json!({ "properties": { "format": "rawxml", "value": text } });
    merged(&writable(live), &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_service_says_of_itself_is_not_sent_back() {
        let live = json!({ "id": "x", "type": "t", "properties": {
            "provisioningState": "Succeeded",
            "isCurrent": true,
            "keyVault": { "secretIdentifier": "https://v/secrets/s", "lastStatus": { "code": "Success" } },
            "unknown": [1],
        }});
        let kept = json!({ "properties": {
            "keyVault": { "secretIdentifier": "https://v/secrets/s" },
            "unknown": [1],
        }});
        assert_eq!(writable(&live), kept);
    }

    #[test]
    fn a_fragment_keeps_its_description_when_its_text_changes() {
        let live =
            json!({ "properties": { "description": "d", "format": "rawxml", "value": "<a/>" } });
        let body = policy_body(&live, "<b/>".into());
        assert_eq!(body["properties"]["description"], "d");
        assert_eq!(body["properties"]["value"], "<b/>");
    }
}
