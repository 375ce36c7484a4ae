//! Whether API Management reads the Key Vault secret behind a named value.

use keyless_azure::{apim, redact};
use keyless_engine::Probe;
use keyless_model::Address;
use serde_json::Value;

use crate::error::LiveError;
use crate::provider::LiveProvider;
use crate::resource::now;

/// Asks the service to read the secret now, and says what came of it. A role takes minutes to show
/// (azure-facts D), so a failure is not the last word.
pub(crate) async fn health(
    provider: &LiveProvider,
    named_value: &Address,
) -> Result<Probe, LiveError> {
    let arm = &provider.services.arm;
    let root = provider.services.root(named_value)?;
    let refused = match arm
        .send(apim::refresh_named_value(&root.id, named_value.last().1)?)
        .await
    {
        Ok(_) => None,
        Err(error) if error.status().is_some() => Some(error.to_string()),
        Err(error) => return Err(error.into()),
    };
    let live = now(provider, named_value).await?;
    let live = live.ok_or_else(|| LiveError::Gone(named_value.clone()))?;
    Ok(judge(&live.body, refused))
}

fn judge(body: &Value, refused: Option<String>) -> Probe {
    let status = |name: &str| {
        let field = body.pointer(&format!("/properties/keyVault/lastStatus/{name}"));
        field.and_then(Value::as_str).unwrap_or_default()
    };
    match (status("code"), refused) {
        (code, None) if code.eq_ignore_ascii_case("Success") => {
            Probe::Holds(format!("the secret was read at {}", status("timeStampUtc")))
        }
        ("", None) => Probe::Waits("the service has not tried to read the secret yet".into()),
        (code, None) => {
            let message = redact(status("message"));
            let why = format!("the service cannot read the secret yet: {code} {message}");
            Probe::Waits(why.trim_end().to_owned())
        }
        // What it says of an earlier try proves nothing.
        (_, Some(refused)) => Probe::Waits(refused),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_old_success_does_not_stand_for_a_refused_try() {
        let body = json!({ "properties": { "keyVault": { "lastStatus": { "code": "Success" } } } });
        assert!(matches!(judge(&body, None), Probe::Holds(_)));
        let refused = judge(&body, Some("no".into()));
        assert_eq!(refused, Probe::Waits("no".into()));
        assert!(matches!(judge(&json!({}), None), Probe::Waits(_)));
    }
}
