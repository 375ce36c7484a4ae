//! The canary: the declared request, sent as a caller would send it, to a revision that already
//! uses the identity, or to the API as it is after its switch.

use std::collections::BTreeMap;

use keyless_azure::{Probe as CallerRequest, apim};
use keyless_engine::Probe;
use keyless_model::{Address, ArmId, ProbeRequest, Secret};
use keyless_plan::{Splice, edited};
use serde_json::{Value, json};

use crate::error::LiveError;
use crate::place::{get, place, put};
use crate::provider::LiveProvider;
use crate::resource::{now, policy_body};

/// Names a revision as keyless's own.
const DESCRIPTION: &str = "keyless: tries the identity, and goes away again";

/// What a canary gate asks for.
pub(crate) struct Asked<'a> {
    pub api: &'a Address,
    pub current: bool,
    pub request: &'a ProbeRequest,
    /// Header and environment variable.
    pub auth: Option<&'a (String, String)>,
    /// The edits of each policy, by its address below the API.
    pub edits: &'a BTreeMap<String, Vec<Splice>>,
}

/// Sends the request and says whether it succeeded.
pub(crate) async fn probe(provider: &LiveProvider, asked: Asked<'_>) -> Result<Probe, LiveError> {
    if asked.current {
        return call(provider, &asked, None).await;
    }
    let root = provider.services.root(asked.api)?.id.clone();
    let number = free_revision(provider, &root, asked.api).await?;
    let revision = make(provider, &root, asked.api, &number).await?;
    let outcome = async {
        for (below, edits) in asked.edits {
            edit(provider, &root, asked.api, &revision, below, edits).await?;
        }
        call(provider, &asked, Some(&number)).await
    }
    .await;
    // The revision goes away whatever the outcome.
    remove(provider, &root, &revision).await?;
    outcome
}

/// A revision number that the API does not have yet. A canary that a killed run left behind is
/// removed first: it would hold on to the named values that are to go.
async fn free_revision(
    provider: &LiveProvider,
    root: &ArmId,
    api: &Address,
) -> Result<String, LiveError> {
    let list = provider
        .services
        .arm
        .list(apim::revisions(root, api.last().1)?)
        .await?;
    let number = |r: &Value| r.get("apiRevision")?.as_str()?.parse::<u32>().ok();
    for revision in &list {
        let ours = revision.get("description").and_then(Value::as_str) == Some(DESCRIPTION);
        let current = revision.get("isCurrent").and_then(Value::as_bool) != Some(false);
        if let (true, false, Some(left)) = (ours, current, number(revision)) {
            let name = format!("{};rev={left}", api.last().1);
            remove(
                provider,
                root,
                &Address::gateway(api.root_name()).child("api", &name),
            )
            .await?;
        }
    }
    let highest = list.iter().filter_map(number).max().unwrap_or(1);
    Ok((highest + 1).to_string())
}

/// A non-current revision with everything that the current one has.
async fn make(
    provider: &LiveProvider,
    root: &ArmId,
    api: &Address,
    number: &str,
) -> Result<Address, LiveError> {
    let source = now(provider, api)
        .await?
        .ok_or_else(|| LiveError::Gone(api.clone()))?;
    let field = |name: &str| source.body.pointer(&format!("/properties/{name}")).cloned();
    let body = json!({ "properties": {
        "sourceApiId": format!("{root}/apis/{}", api.last().1),
        "apiRevision": number,
        "apiRevisionDescription": DESCRIPTION,
        "path": field("path"),
        "displayName": field("displayName"),
        "protocols": field("protocols"),
        "type": field("type"),
        "subscriptionRequired": field("subscriptionRequired"),
    }});
    let name = format!("{};rev={number}", api.last().1);
    let revision = Address::gateway(api.root_name()).child("api", &name);
    let request = put(root, &place(&revision)?, body, None)?;
    provider.services.arm.send(request).await?;
    Ok(revision)
}

async fn edit(
    provider: &LiveProvider,
    root: &ArmId,
    api: &Address,
    revision: &Address,
    below: &str,
    edits: &[Splice],
) -> Result<(), LiveError> {
    let at = |api: &Address| format!("{api}/{below}").parse::<Address>();
    let bad = || LiveError::Place(revision.clone());
    let (source, target) = (
        at(api).map_err(|_| bad())?,
        at(revision).map_err(|_| bad())?,
    );
    let text = |body: &Value| {
        body.pointer("/properties/value")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let live = now(provider, &source).await?.and_then(|n| text(&n.body));
    let live = live.ok_or_else(|| LiveError::Gone(source.clone()))?;
    let request = get(root, &place(&target)?)?;
    let copy = provider.services.arm.find(request).await?;
    let etag = copy.as_ref().and_then(|a| a.etag.clone());
    let copied = copy
        .as_ref()
        .and_then(|a| text(&a.body))
        .unwrap_or_default();
    if !keyless_policy::same(&live, &copied) {
        let why = "the revision's policy is not that of the current one; the canary would prove \
                   nothing"
            .to_owned();
        return Err(LiveError::Canary(target, why));
    }
    let after = edited(&copied, edits).map_err(|why| LiveError::Policy(target.clone(), why))?;
    let request = put(root, &place(&target)?, policy_body(after), etag.as_deref())?;
    provider.services.arm.send(request).await?;
    Ok(())
}

async fn remove(
    provider: &LiveProvider,
    root: &ArmId,
    revision: &Address,
) -> Result<(), LiveError> {
    let request = apim::delete_api(root, revision.last().1, "*")?;
    provider.services.arm.send(request).await?;
    Ok(())
}

async fn call(
    provider: &LiveProvider,
    asked: &Asked<'_>,
    revision: Option<&str>,
) -> Result<Probe, LiveError> {
    let services = &provider.services;
    let base = services.gateway_url(&asked.api.root())?;
    let entity = now(provider, asked.api)
        .await?
        .ok_or_else(|| LiveError::Gone(asked.api.clone()))?;
    let path = entity
        .body
        .pointer("/properties/path")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let revision = revision.map(|n| format!(";rev={n}")).unwrap_or_default();
    let below = asked.request.path.trim_start_matches('/');
    let slash = if below.is_empty() { "" } else { "/" };
    let url = format!(
        "{}/{path}{revision}{slash}{below}",
        base.trim_end_matches('/')
    );
    let mut headers = Vec::new();
    if let Some((name, variable)) = asked.auth {
        let value = (provider.environment)(variable);
        let value = value.ok_or_else(|| LiveError::Environment(variable.clone()))?;
        headers.push((name.clone(), Secret::new(value)));
    }
    let request = asked.request;
    if request.body.is_some() {
        headers.push(("Content-Type".into(), Secret::new("application/json")));
    }
    let probe = CallerRequest {
        url,
        method: request.method.clone(),
        headers,
        body: request.body.clone(),
    };
    let answer = services.arm.probe(&probe).await?;
    Ok(judge(request, asked.current, answer.status, &answer.body))
}

/// Whether an answer is what the document expects. Its text may hold rows, so none of it is shown.
fn judge(request: &ProbeRequest, switched: bool, status: u16, text: &str) -> Probe {
    let then = if switched {
        "the switch is taken back"
    } else {
        "the switch was not made"
    };
    let next = format!("look at the gateway's trace of this call; {then}");
    if status != request.expect.status {
        let why = format!(
            "the answer was {status} instead of {}",
            request.expect.status
        );
        return Probe::Fails { why, next };
    }
    if request.expect.no_graphql_errors {
        let Ok(answer) = serde_json::from_str::<Value>(text) else {
            let why = "the answer is not JSON, and GraphQL answers in JSON".to_owned();
            return Probe::Fails { why, next };
        };
        let errors = answer
            .get("errors")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        if errors > 0 {
            let why = format!("the answer holds {errors} GraphQL errors");
            return Probe::Fails { why, next };
        }
    }
    Probe::Holds(format!("{status}, as expected"))
}

#[cfg(test)]
mod tests {
    use keyless_model::Expected;

    use super::*;

    #[test]
    fn an_answer_is_judged_by_status_and_graphql_errors() {
        let request = ProbeRequest {
            method: "POST".into(),
            path: String::new(),
            body: None,
            expect: Expected {
                status: 200,
                no_graphql_errors: true,
            },
        };
        assert!(matches!(
            judge(&request, false, 200, r#"{"data":{}}"#),
            Probe::Holds(_)
        ));
        assert!(matches!(
            judge(&request, false, 500, "{}"),
            Probe::Fails { .. }
        ));
        assert!(matches!(
            judge(&request, false, 200, "<html>"),
            Probe::Fails { .. }
        ));
        let errors = r#"{"errors":[{"message":"secret row"}]}"#;
        let Probe::Fails { why, .. } = judge(&request, false, 200, errors) else {
            panic!("holds")
        };
        assert!(!why.contains("secret"));
    }
}
