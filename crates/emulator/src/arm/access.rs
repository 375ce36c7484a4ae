//! Who asks, with which right, for which API version.

use super::error::ArmError;
use super::target::{Shape, Target};
use crate::directory::{Claims, TokenError};
use crate::estate::Estate;
use crate::http::Request;
use crate::seed::Role;

const AUDIENCES: [&str; 2] = [
    "https://management.azure.com",
    "https://management.core.windows.net",
];

/// Reads the bearer token.
pub fn authenticate(estate: &Estate, request: &Request) -> Result<Claims, ArmError> {
    let refuse = |code: &str, message: &str| {
        let challenge = format!(
            "Bearer authorization_uri=\"{}/{}\", error=\"invalid_token\", \
             error_description=\"{message}\"",
            estate.login_url(),
            estate.directory.tenant()
        );
        ArmError::new(401, code, message).with("WWW-Authenticate", challenge)
    };
    let Some(token) = request.bearer() else {
        let message = "Authentication failed. The 'Authorization' header is missing.";
        return Err(refuse("AuthenticationFailed", message));
    };
    estate
        .directory
        .verify(token, &AUDIENCES)
        .map_err(|error| match error {
            TokenError::Expired => refuse(
                "ExpiredAuthenticationToken",
                "The access token expiry UTC time has passed.",
            ),
            TokenError::Audience => refuse(
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for the wrong audience or resource.",
            ),
            TokenError::Tenant => refuse(
                "InvalidAuthenticationTokenTenant",
                "The access token is from the wrong issuer.",
            ),
            TokenError::Malformed | TokenError::Signature => {
                refuse("InvalidAuthenticationToken", "The access token is invalid.")
            }
        })
}

/// Every call has an `api-version` that is a date, perhaps with a suffix.
pub fn api_version(request: &Request) -> Result<(), ArmError> {
    let Some(version) = request.query("api-version") else {
        let message =
            "The api-version query parameter (?api-version=) is required for all requests.";
        return Err(ArmError::new(400, "MissingApiVersionParameter", message));
    };
    let date = version.get(..10).unwrap_or_default();
    let dated = date.len() == 10
        && date.bytes().enumerate().all(|(at, byte)| {
            if at == 4 || at == 7 {
                byte == b'-'
            } else {
                byte.is_ascii_digit()
            }
        })
        && matches!(version.as_bytes().get(10), None | Some(b'-'));
    if dated {
        return Ok(());
    }
    let message = format!("The api-version '{version}' is invalid.");
    Err(ArmError::new(400, "InvalidApiVersionParameter", message))
}

/// The operation as role definitions name it.
pub fn action_name(verb: &str, target: &Target) -> String {
    match (&target.shape, verb) {
        (Shape::Action(action), _) => format!("{}/{action}/action", target.type_name),
        (_, "GET" | "HEAD") => format!("{}/read", target.type_name),
        (_, "DELETE") => format!("{}/delete", target.type_name),
        _ => format!("{}/write", target.type_name),
    }
}

/// Reader may read; a POST hands out secrets and needs what a write needs.
pub fn authorize(
    estate: &Estate,
    claims: &Claims,
    request: &Request,
    id: &str,
    action: &str,
) -> Result<(), ArmError> {
    let needed = match request.verb.as_str() {
        "GET" | "HEAD" => Role::Reader,
        _ => Role::Contributor,
    };
    let held = estate.roles.iter().any(|assignment| {
        let who = &assignment.principal;
        let is_theirs = who.eq_ignore_ascii_case(&claims.oid)
            || claims
                .groups
                .iter()
                .any(|group| group.eq_ignore_ascii_case(who));
        let covers = assignment
            .scope
            .as_ref()
            .is_none_or(|scope| covers(scope, id));
        is_theirs && covers && assignment.role >= needed
    });
    if held {
        return Ok(());
    }
    let client = claims.appid.as_deref().unwrap_or(&claims.oid);
    Err(ArmError::new(
        403,
        "AuthorizationFailed",
        format!(
            "The client '{client}' with object id '{}' does not have authorization to perform \
             action '{action}' over scope '{id}' or the scope is invalid. If access was recently \
             granted, please refresh your credentials.",
            claims.oid
        ),
    ))
}

fn covers(scope: &str, id: &str) -> bool {
    let (scope, id) = (
        scope.trim_end_matches('/').to_lowercase(),
        id.to_lowercase(),
    );
    id.strip_prefix(&scope)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_scope_covers_itself_and_below_but_not_its_namesakes() {
        assert!(covers(
            "/subscriptions/S",
            "/subscriptions/s/resourceGroups/rg"
        ));
        assert!(covers("/subscriptions/s/", "/subscriptions/s"));
        assert!(!covers("/subscriptions/s", "/subscriptions/s2"));
    }
}
