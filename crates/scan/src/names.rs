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

/// Words of which one alone names a credential, or with `key` behind them.
const SECRETS: [&str; 9] = [
    "secret",
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "credential",
    "credentials",
    "apikey",
];
const KEYS: [&str; 8] = [
    "api",
    "access",
    "shared",
    "function",
    "private",
    "signing",
    "account",
    "subscription",
];
/// Words by which a name is about a credential and not one: `secretName`, `token-url`.
const ABOUT: [&str; 26] = [
    "url",
    "uri",
    "name",
    "issuer",
    "audience",
    "scope",
    "header",
    "parameter",
    "expiry",
    "expires",
    "id",
    "endpoint",
    "version",
    "length",
    "lifetime",
    "type",
    "policy",
    "vault",
    "mode",
    "status",
    "count",
    "required",
    "enabled",
    "location",
    "path",
    "provider",
];

/// Whether a name says that a credential stands there.
pub(crate) fn says_secret(name: &str) -> bool {
    let words = words(name);
    let about = |w: &String| ABOUT.contains(&w.as_str());
    let joined = |w: &String| SECRETS.iter().any(|s| w.ends_with(s));
    let key = |pair: &[String]| KEYS.contains(&pair[0].as_str()) && pair[1] == "key";
    !words.iter().any(about) && (words.iter().any(joined) || words.windows(2).any(key))
}

/// Whether a name is about a credential and not that of one.
pub(crate) fn is_about(name: &str) -> bool {
    let words = words(name);
    let joined = |w: &String| ["id", "url", "name"].iter().any(|a| w.ends_with(a));
    words.iter().any(|w| ABOUT.contains(&w.as_str())) || words.last().is_some_and(joined)
}

/// The words of `x-api-key`, `apiKey`, `API_KEY`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if c.is_uppercase() && before.is_lowercase() || !c.is_alphanumeric() {
            out.push(String::new());
        }
        if let Some(last) = out.last_mut().filter(|_| c.is_alphanumeric()) {
            last.extend(c.to_lowercase());
        }
        before = c;
    }
    out.retain(|w| !w.is_empty());
    out
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

    #[test]
    fn names_of_credentials_are_told_from_names_about_them() {
        for name in [
            "X-Partner-Secret",
            "crmPassword",
            "crmpassword",
            "API_KEY",
            "x-apikey",
            "accountKey",
            "platform-api-key",
        ] {
            assert!(says_secret(name) && !is_about(name), "{name}");
        }
        for name in [
            "x-secret-name",
            "apiKeyHeader",
            "passwordResetUrl",
            "secret_id",
            "clientid",
        ] {
            assert!(!says_secret(name) && is_about(name), "{name}");
        }
        assert!(!says_secret("x-region") && !says_secret("token") && !says_secret(""));
    }
}
