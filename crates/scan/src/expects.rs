//! What the places of a policy are for: a scheme and a token, a key, a URL, any text (azure-facts
//! B.4 and B.5 rows 25 to 29).

use keyless_policy::ElementRef;

use crate::names::{
    MIN_KEY, is_authorization, is_key_header, is_key_parameter, says_secret, sounds_secret,
};

/// What a place says about the credential in it.
#[derive(Clone, Copy)]
pub(crate) enum Expects {
    /// A scheme and a token.
    Authorization,
    /// A credential and nothing else, of at least this length.
    Secret {
        rule: &'static str,
        what: &'static str,
        least: usize,
    },
    /// Perhaps a credential: its name sounds like one, or even says so.
    Suspect {
        said: bool,
    },
    Url,
    Text,
}

const fn key(what: &'static str, least: usize) -> Expects {
    let rule = "KL0409";
    Expects::Secret { rule, what, least }
}

/// What the text of an element is for.
pub(crate) fn expected(element: ElementRef) -> Expects {
    let parent = element.parent();
    let name = parent.and_then(|p| p.attribute("name"));
    let name = name.map(|a| a.value).unwrap_or_default();
    match (parent.map_or("", |p| p.name()), element.name()) {
        ("issuer-signing-keys" | "decryption-keys", "key") => key("a symmetric token key", 8),
        ("set-header" | "check-header", "value") if is_authorization(&name) => {
            Expects::Authorization
        }
        ("set-header", "value") if is_key_header(&name) => key("a key in a header", MIN_KEY),
        ("check-header", "value") if is_key_header(&name) => {
            key("a key that callers show", MIN_KEY)
        }
        ("set-query-parameter", "value") if is_key_parameter(&name) => {
            key("a key in a query parameter", MIN_KEY)
        }
        ("set-header", "value") if name.eq_ignore_ascii_case("location") => Expects::Url,
        ("set-header" | "set-query-parameter" | "check-header", "value") => suspect(&name),
        (_, "set-url") => Expects::Url,
        _ => Expects::Text,
    }
}

fn suspect(name: &str) -> Expects {
    let said = says_secret(name);
    match said || sounds_secret(name) {
        true => Expects::Suspect { said },
        false => Expects::Text,
    }
}

/// What an attribute is for.
pub(crate) fn expected_of(element: ElementRef, attribute: &str) -> Expects {
    let named = |by: &str| element.attribute(by).map(|a| a.value).unwrap_or_default();
    match (element.name(), attribute) {
        ("authentication-basic" | "proxy", "password") => Expects::Secret {
            rule: "KL0408",
            what: "a password",
            least: 1,
        },
        ("authentication-certificate", "password") => key("the password of a certificate", 1),
        ("authentication-certificate", "body") => key("a certificate with its private key", 40),
        ("rewrite-uri", "template")
        | ("set-backend-service", "base-url")
        | ("find-and-replace", "to")
        | ("proxy" | "openid-config", "url") => Expects::Url,
        ("set-variable" | "metadata" | "dimension", "value") => suspect(&named("name")),
        ("cache-store-value", "value") => suspect(&named("key")),
        ("cache-lookup-value", "default-value") => suspect(&named("variable-name")),
        _ => Expects::Text,
    }
}
