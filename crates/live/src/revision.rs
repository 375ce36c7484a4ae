//! The revision that a canary tries: made from the current one, edited, and taken away again.

use keyless_azure::apim;
use keyless_model::Address;
use keyless_plan::{Splice, edited};
use serde_json::{Map, Value, json};

use crate::error::LiveError;
use crate::provider::LiveProvider;
use crate::requests::put;
use crate::resource::{Now, now, policy_body};

/// Names a revision as keyless's own.
const DESCRIPTION: &str = "keyless: tries the identity, and goes away again";

/// What a revision has to have like its API for the service to take it.
const LIKE_THE_API: [&str; 9] = [
    "path",
    "displayName",
    "protocols",
    "type",
    "serviceUrl",
    "subscriptionRequired",
    "subscriptionKeyParameterNames",
    "apiVersion",
    "apiVersionSetId",
];

/// Makes a non-current revision with everything that the current one has.
pub(crate) async fn make(provider: &LiveProvider, api: &Address) -> Result<Address, LiveError> {
    let root = &provider.services.root(api)?.id;
    let number = free_number(provider, api).await?;
    let source = now(provider, api).await?;
    let source = source.ok_or_else(|| LiveError::Gone(api.clone()))?;
    let mut properties: Map<String, Value> = Map::new();
    for name in LIKE_THE_API {
        let field = source.body.pointer(&format!("/properties/{name}"));
        if let Some(value) = field.filter(|v| !v.is_null()) {
            properties.insert(name.to_owned(), value.clone());
        }
    }
    let source = format!("{root}/apis/{}", api.last().1);
    properties.insert("sourceApiId".into(), json!(source));
    properties.insert("apiRevision".into(), json!(number));
    properties.insert("apiRevisionDescription".into(), json!(DESCRIPTION));
    let revision = numbered(api, &number);
    let request = put(root, &revision, json!({ "properties": properties }), None)?;
    provider.services.arm.send(request).await?;
    Ok(revision)
}

/// A revision number that the API does not have yet. A canary that a killed run left behind is
/// removed first: it would hold on to the named values that are to go.
async fn free_number(provider: &LiveProvider, api: &Address) -> Result<String, LiveError> {
    let root = &provider.services.root(api)?.id;
    let request = apim::revisions(root, api.last().1)?;
    let list = provider.services.arm.list(request).await?;
    let number = |r: &Value| r.get("apiRevision")?.as_str()?.parse::<u32>().ok();
    for revision in &list {
        let ours = revision.get("description").and_then(Value::as_str) == Some(DESCRIPTION);
        let current = revision.get("isCurrent").and_then(Value::as_bool) != Some(false);
        if let (true, false, Some(left)) = (ours, current, number(revision)) {
            remove(provider, &numbered(api, &left.to_string())).await?;
        }
    }
    let highest = list.iter().filter_map(number).max().unwrap_or(1);
    Ok((highest + 1).to_string())
}

fn numbered(api: &Address, number: &str) -> Address {
    let name = format!("{};rev={number}", api.last().1);
    Address::gateway(api.root_name()).child("api", &name)
}

/// Edits one policy of the revision, which must be that of the current one.
pub(crate) async fn edit(
    provider: &LiveProvider,
    api: &Address,
    revision: &Address,
    below: &str,
    edits: &[Splice],
) -> Result<(), LiveError> {
    let at = |api: &Address| format!("{api}/{below}").parse::<Address>();
    let bad = |_| LiveError::Place(revision.clone());
    let (source, target) = (at(api).map_err(bad)?, at(revision).map_err(bad)?);
    let live = now(provider, &source).await?;
    let live = live.ok_or_else(|| LiveError::Gone(source.clone()))?;
    let copy = now(provider, &target).await?;
    let copied = copy.as_ref().map(text).unwrap_or_default();
    if !keyless_policy::same(text(&live), copied) {
        let why = "the revision's policy is not that of the current one; the canary would prove \
                   nothing"
            .to_owned();
        return Err(LiveError::Canary(target, why));
    }
    let after = edited(copied, edits).map_err(|why| LiveError::Policy(target.clone(), why))?;
    let root = &provider.services.root(api)?.id;
    let etag = copy.as_ref().and_then(|n| n.etag.clone());
    let body = policy_body(&Value::Null, after);
    let request = put(root, &target, body, etag.as_deref())?;
    provider.services.arm.send(request).await?;
    Ok(())
}

fn text(now: &Now) -> &str {
    let text = now.body.pointer("/properties/value");
    text.and_then(Value::as_str).unwrap_or_default()
}

pub(crate) async fn remove(provider: &LiveProvider, revision: &Address) -> Result<(), LiveError> {
    let root = &provider.services.root(revision)?.id;
    let request = apim::delete_api(root, revision.last().1, "*")?;
    provider.services.arm.send(request).await?;
    Ok(())
}
