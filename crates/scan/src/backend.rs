//! The credentials that a backend entity holds (azure-facts B.3, B.5 rows 3, 5, 6).

use keyless_model::Secret;
use serde_json::Value;

use crate::finding::Confidence;
use crate::looks;
use crate::names::{MIN_KEY, is_authorization, is_key_header, is_key_parameter, sounds_secret};
use crate::source::names;
use crate::url::url_credentials;

/// One credential of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendCredential {
    /// The JSON pointer of its text in the ARM body.
    pub pointer: String,
    pub kind: BackendKind,
    /// The whole text there.
    pub text: Secret,
    /// Whether a credential stands in it itself, and not only by reference.
    pub literal: bool,
    /// Display names of the named values in it.
    pub references: Vec<String>,
    /// `Possible` when only the place says so: headers and parameters that are the same for each
    /// call may be kept there too.
    pub confidence: Confidence,
}

/// The field that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendKind {
    Header {
        name: String,
    },
    Query {
        name: String,
    },
    /// `credentials.authorization`: scheme and parameter go together.
    Authorization,
    /// The password for the proxy, which the service behind never sees.
    Proxy,
    /// A login or key in the URL, which is this without it.
    Url {
        clean: String,
    },
}

/// Every credential of a backend's ARM body, in the order of its pointers.
pub fn backend_credentials(body: &Value) -> Vec<BackendCredential> {
    let mut out = Vec::new();
    let authorization = "/properties/credentials/authorization/parameter";
    out.extend(plain(body, authorization, BackendKind::Authorization));
    lists(body, "header", &mut out);
    lists(body, "query", &mut out);
    out.extend(plain(
        body,
        "/properties/proxy/password",
        BackendKind::Proxy,
    ));
    out.extend(url(body, "/properties/url"));
    out
}

/// A field that holds a credential and nothing else.
fn plain(body: &Value, pointer: &str, kind: BackendKind) -> Option<BackendCredential> {
    let text = body.pointer(pointer)?.as_str()?;
    credential(pointer.to_owned(), kind, text, text, Confidence::Certain)
}

/// `credentials.header` or `credentials.query`: name to values.
fn lists(body: &Value, word: &str, out: &mut Vec<BackendCredential>) {
    let pointer = format!("/properties/credentials/{word}");
    let entries = body.pointer(&pointer).and_then(Value::as_object);
    for (name, values) in entries.into_iter().flatten() {
        let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
        for (i, value) in values.iter().enumerate() {
            let Some(text) = value.as_str() else { continue };
            let segment = name.replace('~', "~0").replace('/', "~1");
            let place = format!("{pointer}/{segment}/{i}");
            let (kind, known) = match word {
                "header" => (
                    BackendKind::Header { name: name.clone() },
                    is_key_header(name) || is_authorization(name),
                ),
                _ => (
                    BackendKind::Query { name: name.clone() },
                    is_key_parameter(name),
                ),
            };
            let value = token(name, text);
            let confidence = match known {
                true => Confidence::Certain,
                false => by_look(name, value),
            };
            out.extend(credential(place, kind, text, value, confidence));
        }
    }
}

/// `Authorization: Bearer x` is x.
pub(crate) fn token<'a>(name: &str, text: &'a str) -> &'a str {
    match text.trim().split_once(' ') {
        Some((_, token)) if is_authorization(name) => token.trim(),
        _ => text.trim(),
    }
}

fn by_look(name: &str, value: &str) -> Confidence {
    let long = value.len() >= MIN_KEY || !names(value).is_empty();
    if looks::is_random(value) || sounds_secret(name) && long {
        Confidence::Likely
    } else {
        Confidence::Possible
    }
}

fn credential(
    pointer: String,
    kind: BackendKind,
    text: &str,
    value: &str,
    confidence: Confidence,
) -> Option<BackendCredential> {
    let references = names(value);
    let literal = looks::has_literal(value);
    (literal || !references.is_empty()).then(|| BackendCredential {
        pointer,
        kind,
        text: Secret::new(text),
        literal,
        references,
        confidence,
    })
}

fn url(body: &Value, pointer: &str) -> Option<BackendCredential> {
    let text = body.pointer(pointer)?.as_str()?;
    let found = url_credentials(text)?;
    Some(BackendCredential {
        pointer: pointer.to_owned(),
        kind: BackendKind::Url { clean: found.clean },
        text: Secret::new(text),
        literal: !found.secrets.is_empty(),
        references: found.references,
        confidence: Confidence::Certain,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(properties: Value) -> Vec<String> {
        let found = backend_credentials(&json!({ "properties": properties }));
        let told = |c: &BackendCredential| {
            format!(
                "{} literal={} {:?} {:?}",
                c.pointer, c.literal, c.references, c.confidence
            )
        };
        found.iter().map(told).collect()
    }

    #[test]
    fn every_field_that_holds_one_is_told_with_its_pointer() {
        let found = told(json!({
            "url": "https://f.net/api?code=abcdefgh",
            "credentials": {
                "authorization": { "scheme": "Basic", "parameter": "opensesame" },
                "header": {
                    "X-Functions-Key": ["abcdefgh", "{{orders-key}}"],
                    "authorization": ["Bearer {{token}}"],
                    "x-region": ["west"],
                    "a/b": ["3f2504e04f8911d39a0c0305e82c3301"],
                },
                "query": { "code": ["{{orders-key}}"] },
            },
            "proxy": { "url": "http://p", "username": "u", "password": "hunter22" },
        }));
        let credentials = "/properties/credentials";
        assert_eq!(
            found,
            [
                format!("{credentials}/authorization/parameter literal=true [] Certain"),
                format!("{credentials}/header/X-Functions-Key/0 literal=true [] Certain"),
                format!(
                    "{credentials}/header/X-Functions-Key/1 literal=false [\"orders-key\"] Certain"
                ),
                format!("{credentials}/header/a~1b/0 literal=true [] Likely"),
                format!("{credentials}/header/authorization/0 literal=false [\"token\"] Certain"),
                format!("{credentials}/header/x-region/0 literal=true [] Possible"),
                format!("{credentials}/query/code/0 literal=false [\"orders-key\"] Certain"),
                "/properties/proxy/password literal=true [] Certain".to_owned(),
                "/properties/url literal=true [] Certain".to_owned(),
            ]
        );
    }

    #[test]
    fn placeholders_and_managed_identity_are_no_credentials() {
        let none: Vec<String> = Vec::new();
        assert_eq!(
            told(json!({
                "url": "https://orders.contoso.net",
                "credentials": {
                    "managedIdentity": { "resource": "api://orders" },
                    "header": { "api-key": ["<your key>"], "x-key": [7], "y": "z" },
                    "query": {},
                },
                "proxy": { "url": "http://p", "username": "u", "password": "<password>" },
            })),
            none
        );
        assert_eq!(told(json!({})), none);
    }

    #[test]
    fn the_url_is_told_without_its_key() {
        let body = json!({ "properties": { "url": "https://u:hunter22@h/a" } });
        let found = backend_credentials(&body);
        let clean = "https://h/a".to_owned();
        assert_eq!(found[0].kind, BackendKind::Url { clean });
        assert!(!format!("{found:?}").contains("hunter22"));
    }
}
