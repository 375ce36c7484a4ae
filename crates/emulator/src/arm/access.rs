//! Who asks, with which right, for which API version.

use super::action;
use super::authorization::{self, Ask, covers, definition};
use super::error::ArmError;
use super::store::Store;
use super::target::{Shape, Target};
use crate::directory::{Claims, TokenError};
use crate::estate::Estate;
use crate::http::Request;

pub const AUDIENCES: [&str; 2] = [
    "https://management.azure.com",
    "https://management.core.windows.net",
];

/// Who calls, and under which id the log joins what follows from the call.
pub struct Who<'a> {
    pub claims: &'a Claims,
    pub correlation: &'a str,
}

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
    let own = estate.arm_url();
    let [first, second] = AUDIENCES;
    estate
        .directory
        .verify(token, &[first, second, &own])
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

/// Whether the version that a request asks for is older than this date.
pub fn is_before(version: Option<&str>, date: &str) -> bool {
    let asked = version.and_then(|version| version.get(..10));
    asked.is_some_and(|asked| asked < date)
}

/// A body is JSON and says so.
pub fn content_type(request: &Request) -> Result<(), ArmError> {
    let sent = request.header("content-type");
    let media = sent.and_then(|sent| sent.split(';').next()).map(str::trim);
    let is_json = media.is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    if is_json || request.body.is_empty() {
        return Ok(());
    }
    let media = media.unwrap_or("<null>");
    let message = format!(
        "The content media type '{media}' is not supported. Only 'application/json' is supported."
    );
    Err(ArmError::new(415, "UnsupportedMediaType", message))
}

/// The operation as role definitions name it.
pub fn action_name(verb: &str, target: &Target) -> String {
    match (&target.shape, verb) {
        (Shape::Action(action), _) => {
            format!("{}/{}/action", target.type_name, action::written(action))
        }
        (_, "GET" | "HEAD") => format!("{}/read", target.type_name),
        (_, "DELETE") => format!("{}/delete", target.type_name),
        _ => format!("{}/write", target.type_name),
    }
}

/// A role of the seed or an assignment that has taken effect has to allow the action.
pub fn authorize(
    estate: &Estate,
    store: &Store,
    claims: &Claims,
    id: &str,
    action: &str,
) -> Result<(), ArmError> {
    let ask = Ask {
        object_id: &claims.oid,
        groups: &claims.groups,
        operation: action,
        on_data: false,
        to: id,
    };
    if seeded(estate, &ask) || authorization::allows(estate, store, &ask) {
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

fn seeded(estate: &Estate, ask: &Ask<'_>) -> bool {
    estate.roles.iter().any(|role| {
        let who = &role.principal;
        let is_theirs = who.eq_ignore_ascii_case(ask.object_id)
            || ask
                .groups
                .iter()
                .any(|group| group.eq_ignore_ascii_case(who));
        let covers = role
            .scope
            .as_ref()
            .is_none_or(|scope| covers(scope, ask.to));
        let allows = definition::by_name(&role.role).is_some_and(|role| role.allows(ask.operation));
        is_theirs && covers && allows
    })
}
