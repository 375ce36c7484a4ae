//! Names that go with a credential: of headers, of query parameters, of settings.

/// Headers whose value is a credential whatever it looks like (azure-docs, API keys of Functions,
/// API Management, Cognitive Services, Search and Event Grid).
const KEY_HEADERS: [&str; 14] = [
    "x-functions-key",
    "x-functions-code",
    "api-key",
    "apikey",
    "x-api-key",
    "ocp-apim-subscription-key",
    "subscription-key",
    "aeg-sas-key",
    "aeg-sas-token",
    "x-auth-token",
    "x-access-token",
    "x-client-secret",
    "client-secret",
    "client_secret",
];

/// Query parameters whose value is a credential.
const KEY_PARAMETERS: [&str; 15] = [
    "code",
    "sig",
    "key",
    "api_key",
    "api-key",
    "apikey",
    "subscription-key",
    "access_token",
    "token",
    "client_secret",
    "password",
    "pwd",
    "secret",
    "sas",
    "signature",
];

/// Least length of a key whose place may hold other things too.
pub(crate) const MIN_KEY: usize = 8;

/// A name as it is compared.
pub(crate) fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

pub(crate) fn is_authorization(name: &str) -> bool {
    matches!(
        folded(name).as_str(),
        "authorization" | "proxy-authorization"
    )
}

pub(crate) fn is_key_header(name: &str) -> bool {
    KEY_HEADERS.contains(&folded(name).as_str())
}

pub(crate) fn is_key_parameter(name: &str) -> bool {
    KEY_PARAMETERS.contains(&folded(name).as_str())
}

/// A name that could be a credential's.
pub(crate) fn sounds_secret(name: &str) -> bool {
    let name = folded(name);
    ["key", "secret", "token", "password", "sas", "auth"]
        .iter()
        .any(|w| name.contains(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_blanks() {
        assert!(is_key_header(" X-Functions-Key ") && !is_key_header("x-region"));
        assert!(is_key_parameter("Code") && !is_key_parameter("page"));
        assert!(is_authorization("AUTHORIZATION") && !is_authorization("x-authorization-id"));
        assert!(sounds_secret("X-Partner-Key") && !sounds_secret("x-region"));
    }
}
