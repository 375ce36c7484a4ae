//! Tokens of the gateway's identities that went to somebody who must not have them: whoever gets
//! such a token can use it wherever that identity may go.

use super::upstream::Wire;
use crate::directory::Claims;
use crate::estate::{Estate, HttpService};

/// Counts a request that brings a token of the gateway's to a host which it does not open. It may
/// stand anywhere in the request.
pub fn watch(estate: &Estate, host: &str, service: Option<&HttpService>, wire: &Wire) {
    let stray = tokens(estate, wire)
        .iter()
        .any(|claims| !service.is_some_and(|service| opens(estate, service, claims)));
    if stray {
        estate.calls().stray(host);
    }
}

/// Whether a service lets in whom these claims speak for.
fn opens(estate: &Estate, service: &HttpService, claims: &Claims) -> bool {
    service.audience.as_deref().map(bare) == Some(bare(&claims.aud))
        && is_let_in(estate, service, claims)
}

pub fn is_let_in(estate: &Estate, service: &HttpService, claims: &Claims) -> bool {
    let principal = estate.directory.by_object_id(&claims.oid);
    let name = principal.map(|principal| principal.display_name);
    let own = [claims.appid.as_deref(), Some(&claims.oid), name.as_deref()];
    let mut wanted = service.principals.iter();
    service.principals.is_empty()
        || wanted.any(|wanted| {
            let mut own = own.into_iter().flatten();
            own.any(|own| own.eq_ignore_ascii_case(wanted))
        })
}

fn bare(audience: &str) -> &str {
    audience.trim_end_matches('/')
}

/// The tokens in a request that were issued to the gateway itself, not to one of its callers.
fn tokens(estate: &Estate, wire: &Wire) -> Vec<Claims> {
    let body = String::from_utf8_lossy(&wire.body);
    let headers = wire.headers.iter().map(|(_, value)| value.as_str());
    let words = headers
        .chain([wire.url.as_str(), &body])
        .flat_map(|text| text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))));
    words
        .filter(|word| word.starts_with("eyJ"))
        .filter_map(|word| estate.directory.read(word).ok())
        .filter(|claims| estate.calls().speaks_for(&claims.oid))
        .collect()
}
