//! Steps on policy documents and fragments: the edits are found again in the live text, and every other byte of
//! it stays.

use keyless_engine::Standing;
use keyless_model::{Address, Fingerprint};
use keyless_plan::{Splice, edited};

use crate::error::LiveError;
use crate::provider::LiveProvider;
use crate::requests::put;
use crate::resource::{Now, now, policy_body};

/// How the live document stands to the edit: by meaning, so that a service that formats what it
/// stores makes no conflict.
pub(crate) async fn check(
    provider: &LiveProvider,
    address: &Address,
    expect: &Fingerprint,
    leads_to: &Fingerprint,
) -> Result<Standing, LiveError> {
    let Some((text, _)) = text(provider, address).await? else {
        return Ok(Standing::Conflict {
            found: "the policy is not there any more".into(),
        });
    };
    let found = fingerprint(provider, address, &text)?;
    Ok(if found == *leads_to {
        Standing::Done
    } else if found == *expect {
        Standing::Ready
    } else {
        Standing::Conflict {
            found: "the policy has another text than at the plan".into(),
        }
    })
}

/// Writes the edited document, if the text is still the one that the edits belong to.
pub(crate) async fn splice(
    provider: &LiveProvider,
    address: &Address,
    edits: &[Splice],
    expect: &Fingerprint,
) -> Result<(), LiveError> {
    let Some((text, live)) = text(provider, address).await? else {
        return Err(LiveError::Gone(address.clone()));
    };
    if fingerprint(provider, address, &text)? != *expect {
        let why = "it has another text than expected".to_owned();
        return Err(LiveError::Policy(address.clone(), why));
    }
    let after = edited(&text, edits).map_err(|why| LiveError::Policy(address.clone(), why))?;
    if after == text {
        return Ok(());
    }
    let root = provider.services.root(address)?;
    let body = policy_body(&live.body, after);
    let request = put(&root.id, address, body, live.etag.as_deref())?;
    provider.services.arm.send(request).await?;
    Ok(())
}

/// Takes an edit back: only from the text that it led to, and not at all where the text is as
/// before.
pub(crate) async fn undo(
    provider: &LiveProvider,
    address: &Address,
    edits: &[Splice],
    before: &Fingerprint,
    after: &Fingerprint,
) -> Result<(), LiveError> {
    let Some((text, _)) = text(provider, address).await? else {
        return Err(LiveError::Gone(address.clone()));
    };
    if fingerprint(provider, address, &text)? == *before {
        return Ok(());
    }
    splice(provider, address, edits, after).await
}

async fn text(
    provider: &LiveProvider,
    address: &Address,
) -> Result<Option<(String, Now)>, LiveError> {
    let live = now(provider, address).await?;
    Ok(live.and_then(|live| {
        let text = live.body.pointer("/properties/value")?.as_str()?.to_owned();
        Some((text, live))
    }))
}

fn fingerprint(
    provider: &LiveProvider,
    address: &Address,
    text: &str,
) -> Result<Fingerprint, LiveError> {
    let canonical = keyless_policy::canonical(text)
        .map_err(|error| LiveError::Policy(address.clone(), error.to_string()))?;
    Ok(provider.key.of(&canonical))
}
