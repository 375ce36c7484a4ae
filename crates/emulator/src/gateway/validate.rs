//! `check-header`, `validate-azure-ad-token` and `validate-jwt`: the caller's proof is really held
//! to our own Entra, or to the symmetric keys of the policy.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::builder::{Builder, Variable};
use super::draft::{Draft, value_of};
use super::element::Element;
use super::error::PolicyError;
use super::expression::jwt;
use crate::estate::Estate;

/// Refuses the call, or sets the variable that the element asks for.
pub fn check(
    builder: &Builder<'_>,
    draft: &Draft,
    element: &Element,
) -> Result<Option<Variable>, PolicyError> {
    if element.name == "check-header" {
        return check_header(builder, draft, element).map(|()| None);
    }
    let token = token(builder, draft, element)?.unwrap_or_default();
    if let Err(reason) = validate(builder, element, &token)? {
        return Err(refusal(builder, element, "failed-validation", &reason)?);
    }
    let variable = element.attribute("output-token-variable-name");
    Ok(variable.map(|name| (name.to_owned(), jwt(&token).unwrap_or_default())))
}

fn refusal(
    builder: &Builder<'_>,
    element: &Element,
    prefix: &str,
    reason: &str,
) -> Result<PolicyError, PolicyError> {
    let status = builder.attribute(element, &format!("{prefix}-httpcode"))?;
    let message = builder.attribute(element, &format!("{prefix}-error-message"))?;
    Ok(PolicyError::Refused {
        status: status.and_then(|status| status.parse().ok()).unwrap_or(401),
        message: message.unwrap_or_else(|| reason.to_owned()),
    })
}

fn check_header(
    builder: &Builder<'_>,
    draft: &Draft,
    element: &Element,
) -> Result<(), PolicyError> {
    let name = builder.required(element, "name")?;
    let wanted = builder.strings(element, "value")?;
    let ignores_case = element.attribute("ignore-case") != Some("false");
    let sent = value_of(&draft.headers, &name);
    let is_right = sent.is_some_and(|sent| {
        let same = |one: &String| match ignores_case {
            true => one.eq_ignore_ascii_case(sent),
            false => one == sent,
        };
        wanted.is_empty() || wanted.iter().any(same)
    });
    if is_right {
        return Ok(());
    }
    let reason = format!("The header {name} is missing or wrong.");
    Err(refusal(builder, element, "failed-check", &reason)?)
}

/// Whether the token is taken, or why not.
fn validate(
    builder: &Builder<'_>,
    element: &Element,
    token: &str,
) -> Result<Result<(), String>, PolicyError> {
    if token.is_empty() {
        return Ok(Err("JWT not present.".into()));
    }
    let estate = builder.texts.estate;
    let verified = match signing_keys(builder, element)? {
        Some(keys) => by_key(estate, token, &keys),
        None => match issuer_fits(builder, element)? {
            true => by_entra(estate, token),
            false => Err("The token's issuer is not accepted.".into()),
        },
    };
    let claims = match verified {
        Ok(claims) => claims,
        Err(reason) => return Ok(Err(reason)),
    };
    let wanted = [
        ("aud", list(builder, element, "audiences", "audience")?),
        ("iss", list(builder, element, "issuers", "issuer")?),
        (
            "appid",
            list(builder, element, "client-application-ids", "application-id")?,
        ),
    ];
    for (claim, accepted) in wanted {
        if !accepted.is_empty() && !accepted.iter().any(|one| has(&claims[claim], one)) {
            return Ok(Err(format!("The token's claim '{claim}' is not accepted.")));
        }
    }
    let missing = missing_claim(builder, element, &claims)?;
    Ok(match missing {
        None => Ok(()),
        Some(name) => Err(format!("The token's claim '{name}' is missing or wrong.")),
    })
}

fn token(
    builder: &Builder<'_>,
    draft: &Draft,
    element: &Element,
) -> Result<Option<String>, PolicyError> {
    if let Some(value) = builder.attribute(element, "token-value")? {
        return Ok(Some(value));
    }
    if let Some(name) = builder.attribute(element, "query-parameter-name")? {
        return Ok(value_of(&draft.query, &name).map(str::to_owned));
    }
    let header = builder.attribute(element, "header-name")?;
    let sent = value_of(&draft.headers, header.as_deref().unwrap_or("Authorization"));
    let bare = sent.map(|sent| match sent.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => sent,
    });
    Ok(bare.map(str::to_owned))
}

/// Whether the element trusts our tenant.
fn issuer_fits(builder: &Builder<'_>, element: &Element) -> Result<bool, PolicyError> {
    let tenant = builder.texts.estate.directory.tenant();
    if element.name == "validate-azure-ad-token" {
        let wanted = builder.required(element, "tenant-id")?;
        let any = ["common", "organizations"].contains(&wanted.as_str());
        return Ok(any || wanted.eq_ignore_ascii_case(tenant));
    }
    for config in element.all("openid-config") {
        let url = builder.required(config, "url")?.to_lowercase();
        let ours = [
            "login.localhost",
            "login.microsoftonline.com",
            "sts.windows.net",
        ];
        if !ours.iter().any(|host| url.contains(host)) {
            let what = "The openid-config of another issuer".to_owned();
            return Err(PolicyError::NotEmulated(what));
        }
        if [tenant, "/common/", "/organizations/"]
            .iter()
            .any(|one| url.contains(one))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The signature, time and tenant; the audience is the policy's to check.
fn by_entra(estate: &Estate, token: &str) -> Result<Value, String> {
    let claims = payload(token)?;
    let audience = claims["aud"].as_str().unwrap_or_default();
    match estate.directory.verify(token, &[audience]) {
        Ok(_) => Ok(claims),
        Err(error) => Err(format!("JWT validation failed: {error}.")),
    }
}

fn signing_keys(
    builder: &Builder<'_>,
    element: &Element,
) -> Result<Option<Vec<String>>, PolicyError> {
    let keys = element.child("issuer-signing-keys");
    keys.map(|keys| builder.strings(keys, "key")).transpose()
}

/// HS256 by any of the keys, which are written in Base64.
fn by_key(estate: &Estate, token: &str, keys: &[String]) -> Result<Value, String> {
    let refused = || "JWT validation failed: the token's signature does not hold.".to_owned();
    let (signed, signature) = token.rsplit_once('.').ok_or_else(refused)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| refused())?;
    let holds = keys.iter().any(|key| {
        let mac = STANDARD.decode(key).ok();
        let mac = mac.and_then(|key| Hmac::<Sha256>::new_from_slice(&key).ok());
        mac.is_some_and(|mut mac| {
            mac.update(signed.as_bytes());
            mac.verify_slice(&signature).is_ok()
        })
    });
    let claims = payload(token)?;
    let expired = claims["exp"]
        .as_i64()
        .is_some_and(|exp| exp <= estate.clock.now());
    match holds {
        true if expired => Err("JWT validation failed: the token has expired.".into()),
        true => Ok(claims),
        false => Err(refused()),
    }
}

fn payload(token: &str) -> Result<Value, String> {
    let claims = token.split('.').nth(1);
    let claims = claims.and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    let claims = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
    claims.ok_or_else(|| "JWT validation failed: the token is malformed.".into())
}

fn list(
    builder: &Builder<'_>,
    element: &Element,
    holder: &str,
    name: &str,
) -> Result<Vec<String>, PolicyError> {
    let holder = element.child(holder);
    holder.map_or(Ok(Vec::new()), |holder| builder.strings(holder, name))
}

fn has(claim: &Value, wanted: &str) -> bool {
    let same = |one: &Value| {
        let one = one.as_str().unwrap_or_default();
        one.trim_end_matches('/') == wanted.trim_end_matches('/')
    };
    match claim {
        Value::Array(all) => all.iter().any(same),
        one => same(one),
    }
}

/// The first of `required-claims` that the token does not meet.
fn missing_claim(
    builder: &Builder<'_>,
    element: &Element,
    claims: &Value,
) -> Result<Option<String>, PolicyError> {
    let Some(required) = element.child("required-claims") else {
        return Ok(None);
    };
    for claim in required.all("claim") {
        let name = builder.required(claim, "name")?;
        let wanted = builder.strings(claim, "value")?;
        let mut met = wanted.iter().map(|one| has(&claims[&name], one));
        let holds = match claim.attribute("match") {
            _ if wanted.is_empty() => !claims[&name].is_null(),
            Some("any") => met.any(|one| one),
            _ => met.all(|one| one),
        };
        if !holds {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
