//! Literals that look like credentials: in scalars of a manifest and in the pieces of a policy.
//!
//! Patterns only, and few of them: each names a form that is a credential whenever it is a literal.
//! `{{name}}` is a reference to a named value and no literal. What a policy element means (the
//! password of `authentication-basic`) is `policy_text.rs`'s business.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Where a text stands, which decides what in it is a literal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// A scalar, an attribute, the text of an element.
    Text,
    /// A string of a C# expression, where `{x}` may be filled in later.
    Expression,
    /// T-SQL, where `password = @p` compares.
    Sql,
}

/// One literal and what it looks like.
pub(crate) struct Found {
    pub(crate) range: Range<usize>,
    pub(crate) what: &'static str,
}

/// Keys whose value is a credential, in `key=value` and in `"key": "value"`.
const KEYS: &[(&str, &str)] = &[
    ("password", "a password"),
    ("pwd", "a password"),
    ("accountkey", "an account key"),
    ("sharedaccesskey", "a shared access key"),
    ("client_secret", "a client secret"),
    ("clientsecret", "a client secret"),
];

/// Everything in a text that looks like a credential.
pub(crate) fn find(text: &str, context: Context) -> Vec<Found> {
    // Same bytes, so the ranges fit both.
    let lower = text.to_ascii_lowercase();
    let connects = connects(text);
    let mut found = Vec::new();
    for (key, what) in KEYS {
        found.extend(
            assigned(text, &lower, key, (context, connects)).map(|range| Found { range, what }),
        );
    }
    found.extend(signatures(text, &lower));
    found.extend(headers(text, &lower));
    found.extend(web_tokens(text));
    found.extend(url_passwords(text));
    found.extend(url_keys(text));
    found.extend(private_keys(text));
    // One literal can have two of these forms.
    found.sort_by_key(|f| f.range.start);
    found.dedup_by_key(|f| f.range.start);
    found
}

/// Whether a text must not be repeated in a message.
pub(crate) fn suspicious(text: &str) -> bool {
    !find(text, Context::Text).is_empty()
}

/// The text with a dot for each character of whatever looks like a credential, so that a line of a
/// source can be shown. What only its place makes a credential is not seen: show no line at all
/// under a `KL0110`.
pub fn masked(text: &str) -> String {
    let found = find(text, Context::Text);
    let hidden = |at: usize| found.iter().any(|f| f.range.contains(&at));
    let mask = |(at, c): (usize, char)| if hidden(at) && c != '\n' { '•' } else { c };
    text.char_indices().map(mask).collect()
}

/// Headers and query parameters that hold a key.
const KEY_NAMES: &[&str] = &[
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "client_secret",
    "code",
    "key",
    "ocp-apim-subscription-key",
    "password",
    "secret",
    "sig",
    "subscription-key",
    "token",
    "x-api-key",
    "x-functions-key",
];

/// Whether a header or query parameter of this name holds a key.
pub(crate) fn names_key(name: &str) -> bool {
    KEY_NAMES.iter().any(|k| k.eq_ignore_ascii_case(name))
}

/// Whether a name in a place for credentials is one's, not only a setting's.
pub(crate) fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words = ["key", "secret", "token", "password", "sas", "auth", "pwd"];
    names_key(&name) || words.iter().any(|w| name.contains(w))
}

/// Whether a value of Azure's is written out: not empty, and no named value in it.
pub(crate) fn written_out(value: &str) -> bool {
    !value.trim().is_empty() && !value.contains("{{")
}

/// Whether a URL names a user before its host.
pub(crate) fn user_in_url(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    user.is_some_and(written_out)
}

/// Where `needle` stands with no letter, digit or `_` before it: the offsets behind it.
fn ends<'a>(lower: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    lower.match_indices(needle).filter_map(move |(at, _)| {
        let before = lower[..at].chars().next_back();
        let free = before.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        free.then_some(at + needle.len())
    })
}

/// The literals given to a key.
fn assigned<'a>(
    text: &'a str,
    lower: &'a str,
    key: &'a str,
    within: (Context, bool),
) -> impl Iterator<Item = Range<usize>> + 'a {
    ends(lower, key).filter_map(move |end| assignment(text, end, within))
}

/// The literal behind `key`, where `key` ends at `end`.
fn assignment(
    text: &str,
    end: usize,
    (context, connects): (Context, bool),
) -> Option<Range<usize>> {
    let rest = &text[end..];
    let closed = rest.trim_start_matches(['"', '\'', '\\']);
    let sign = closed.trim_start();
    let spaced = closed.len() != sign.len();
    let json = closed.len() != rest.len();
    let value = match sign.strip_prefix('=') {
        Some(value) if !value.starts_with(['=', '>']) => value,
        Some(_) => return None,
        None => sign.strip_prefix(':').filter(|_| json)?,
    };
    let trimmed = value.trim_start_matches(' ');
    // With spaces around the sign it is prose or code, unless the text is a connection string.
    let loose = !json && (spaced || trimmed.len() != value.len());
    if loose && !connects {
        return None;
    }
    let quote = trimmed
        .trim_start_matches('\\')
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\''));
    if context == Context::Sql && quote != Some('\'') || json && quote.is_none() {
        return None;
    }
    let body = match quote {
        Some(_) => trimmed.trim_start_matches('\\').get(1..)?,
        None => trimmed,
    };
    let stop = |c: char| match quote {
        Some(quote) => c == quote || c == '\\',
        None => matches!(c, ';' | '&' | '"' | '\'' | '<' | '\n' | '\r'),
    };
    let literal = head(body).split(stop).next()?.trim_end();
    let start = text.len() - body.len();
    is_literal(literal, context).then(|| start..start + literal.len())
}

/// Whether a value is written out, and not a reference or something to be filled in.
fn is_literal(value: &str, context: Context) -> bool {
    let filled = match context {
        Context::Expression => value.starts_with('{'),
        Context::Sql => value.starts_with('@'),
        Context::Text => value.starts_with("@(") || value.starts_with("@{"),
    };
    !(value.is_empty() || value.starts_with("{{") || value.starts_with("${") || filled)
}

/// Whether the text names a server, as a connection string does.
fn connects(text: &str) -> bool {
    let key = |part: &str| {
        let key = part
            .split('=')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let known = [
            "server",
            "data source",
            "addr",
            "address",
            "network address",
            "host",
        ];
        part.contains('=') && known.contains(&key.as_str())
    };
    text.contains(';') && text.split(';').any(key)
}

/// `sig=` of a shared access signature.
fn signatures<'a>(text: &'a str, lower: &'a str) -> impl Iterator<Item = Found> + 'a {
    ends(lower, "sig=").filter_map(move |start| {
        let token = run(&text[start..], "%+/=_-");
        (token.len() >= 20).then(|| Found {
            range: start..start + token.len(),
            what: "a shared access signature",
        })
    })
}

/// `Bearer …` and `Basic …`.
fn headers<'a>(text: &'a str, lower: &'a str) -> impl Iterator<Item = Found> + 'a {
    let bearer = ends(lower, "bearer ").filter_map(move |start| {
        let token = run(&text[start..], "-._~+/=");
        let mixed = token
            .bytes()
            .any(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        (token.len() >= 20 && mixed).then(|| Found {
            range: start..start + token.len(),
            what: "a bearer token",
        })
    });
    let basic = ends(lower, "basic ").filter_map(move |start| {
        let token = run(&text[start..], "-_+/=");
        decodes_to_pair(token).then(|| Found {
            range: start..start + token.len(),
            what: "a user and password in base64",
        })
    });
    bearer.chain(basic)
}

fn decodes_to_pair(token: &str) -> bool {
    let bytes = STANDARD
        .decode(token)
        .or_else(|_| URL_SAFE.decode(token))
        .unwrap_or_default();
    let printable = |text: &str| !text.chars().any(char::is_control);
    std::str::from_utf8(&bytes).is_ok_and(|text| text.contains(':') && printable(text))
}

/// JSON web tokens: two objects in base64 with a dot between.
fn web_tokens(text: &str) -> impl Iterator<Item = Found> + '_ {
    ends(text, "eyJ").filter_map(move |end| {
        let start = end - 3;
        let token = run(&text[start..], "-_.");
        token.contains(".eyJ").then(|| Found {
            range: start..start + token.len(),
            what: "a JSON web token",
        })
    })
}

/// `scheme://user:password@host`
fn url_passwords(text: &str) -> impl Iterator<Item = Found> + '_ {
    text.match_indices("://").filter_map(move |(at, sign)| {
        let start = at + sign.len();
        let authority = text[start..]
            .split(['/', '?', '#', ' ', '"', '\'', '\n'])
            .next()?;
        let (user, _) = authority.rsplit_once('@')?;
        let (name, password) = user.split_once(':')?;
        let range = start + name.len() + 1..start + user.len();
        is_literal(password, Context::Expression).then_some(Found {
            range,
            what: "a password in a URL",
        })
    })
}

/// `scheme://host/path?code=…`: a key in the query (azure-facts B.5, rows 6 and 26).
fn url_keys(text: &str) -> impl Iterator<Item = Found> + '_ {
    text.match_indices("://").flat_map(move |(at, _)| {
        let url = head(&text[at..]);
        let stop = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '#');
        let url = url.split(stop).next().unwrap_or_default();
        let query = url.find('?').map_or(url.len(), |i| i + 1);
        let mut start = at + query;
        url[query..].split('&').filter_map(move |pair| {
            let from = start;
            start += pair.len() + 1;
            let (name, value) = pair.trim_start_matches("amp;").split_once('=')?;
            let filled = value.starts_with(['{', '@', '$', '(']);
            let key = names_key(name) && value.len() >= SHORTEST_KEY && !filled;
            let range = from + pair.len() - value.len()..from + pair.len();
            key.then_some(Found {
                range,
                what: "a key in a URL",
            })
        })
    })
}

/// What is shorter is a number or a word of the service's own.
const SHORTEST_KEY: usize = 8;

fn private_keys(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("-----BEGIN ").map(|i| at + i) {
        at = start + 11;
        if run(&text[at..], " ").ends_with("PRIVATE KEY") {
            at = text[start..]
                .find("-----END")
                .map_or(text.len(), |end| start + end);
            found.push(Found {
                range: start..at,
                what: "a private key",
            });
        }
    }
    found
}

/// The letters, digits and `more` that a text starts with.
fn run<'a>(text: &'a str, more: &str) -> &'a str {
    let text = head(text);
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !more.contains(c));
    &text[..end.unwrap_or(text.len())]
}

/// As much of a text as a credential can be long, so that a large text is not read once for each
/// thing in it.
fn head(text: &str) -> &str {
    const MOST: usize = 8192;
    let mut end = text.len().min(MOST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(text: &str, context: Context) -> Vec<&str> {
        find(text, context)
            .into_iter()
            .map(|f| &text[f.range])
            .collect()
    }

    #[test]
    fn literals_are_found() {
        for (text, literal) in [
            (
                "Server=tcp:s;Database=d;User ID=u;Password=hunter2;",
                "hunter2",
            ),
            ("Server=s; Password = hunter 2 ;x=y", "hunter 2"),
            ("pwd='hun;ter2'", "hun;ter2"),
            (
                "DefaultEndpointsProtocol=https;AccountKey=abc/d==;",
                "abc/d==",
            ),
            (
                "Endpoint=sb://x;SharedAccessKeyName=n;SharedAccessKey=k1=",
                "k1=",
            ),
            (
                "grant_type=client_credentials&client_secret=s3cr3t&x=1",
                "s3cr3t",
            ),
            (r#"{"user":"u","password":"hunter2"}"#, "hunter2"),
            (r#"{\"password\": \"hunter2\"}"#, "hunter2"),
            (
                "Authorization: Bearer abcdefghijklmnopqrst0123",
                "abcdefghijklmnopqrst0123",
            ),
            ("Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy"),
            (
                "https://b/c?sv=1&sig=abcdefghij0123456789%3D",
                "abcdefghij0123456789%3D",
            ),
            ("https://user:hunter2@host/x", "hunter2"),
            (
                "https://host/api?a=b&code=hunter2hunter2#c",
                "hunter2hunter2",
            ),
            (
                "see https://h?a=b&amp;key=hunter2hunter2 .",
                "hunter2hunter2",
            ),
            ("x eyJhbGciOi.eyJzdWIi.c2ln y", "eyJhbGciOi.eyJzdWIi.c2ln"),
            ("PÄSSE;Password=hünter2", "hünter2"),
        ] {
            assert_eq!(hits(text, Context::Text), [literal], "{text}");
            assert!(!masked(text).contains(literal), "{text}");
            assert_eq!(masked(text).chars().count(), text.chars().count());
        }
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----";
        assert_eq!(hits(key, Context::Text).len(), 1);
    }

    #[test]
    fn a_user_stands_before_the_host_of_a_url() {
        for url in [
            "https://user:hunter2@host/x",
            "https://hunter2@host",
            "u@h?x",
        ] {
            assert!(user_in_url(url), "{url}");
        }
        for url in [
            "https://host/a@b?a=b",
            "https://{{user}}@host",
            "https://@host",
            "",
        ] {
            assert!(!user_in_url(url), "{url}");
        }
    }

    #[test]
    fn references_and_prose_are_not() {
        for text in [
            "Server=s;Database=d;Password={{orders-password}};",
            "Server=s;Authentication=Active Directory Managed Identity",
            "reset password = ask the desk",
            "password",
            "passwordless=true",
            "the Bearer token of the caller",
            "Basic authentication",
            "sig=short",
            "https://host/a:b@c",
            "https://host/?page=2&keyword=keykeykeykey",
            "https://host?code={{functions-key}}&key={key-of-caller}&code=404",
            "SharedAccessKeyName=send",
            "Pwd=;Server=x",
        ] {
            assert!(hits(text, Context::Text).is_empty(), "{text}");
        }
        assert!(hits("Server=s;Password={0};", Context::Expression).is_empty());
        assert_eq!(hits("Server=s;Password={0};", Context::Text), ["{0}"]);
        assert!(hits("select 1 where password=u.password", Context::Sql).is_empty());
        assert_eq!(
            hits("create user u with password='hunter2'", Context::Sql),
            ["hunter2"]
        );
    }
}
