//! Credentials in a text: connection strings, `key=value` pairs, tokens, logins in URLs.
//!
//! A hit's value is the credential itself or the `{{references}}` that stand for it; which of the
//! two is for the caller to tell. Placeholders and computed values make no hit.

use keyless_model::Secret;

use crate::connection_string::ConnectionString;
use crate::constants::HOLE;
use crate::finding::{Confidence, Opens};
use crate::looks;
use crate::source::names;
use crate::url::in_url;

/// What was found.
#[derive(Clone)]
pub(crate) struct Hit {
    pub sort: Sort,
    /// The credential, or a text of references that holds it.
    pub value: Secret,
    /// A noun: “a bearer token”.
    pub what: &'static str,
    pub confidence: Confidence,
}

#[derive(Clone, PartialEq)]
pub(crate) enum Sort {
    /// A password of a SQL login, and what it opens if the text says so.
    Sql(Option<Opens>),
    /// Any other key, token or password, and the host that it opens if the text says so.
    Key(Option<Opens>),
}

impl Hit {
    pub(crate) fn key(value: &str, what: &'static str, confidence: Confidence) -> Hit {
        Hit {
            sort: Sort::Key(None),
            value: Secret::new(value),
            what,
            confidence,
        }
    }
}

/// Names that come before a credential in `name=value`: the name, the least length of a value,
/// whether the name must follow `?` or `&`, and what it is.
const PAIRS: [(&str, usize, bool, &str); 23] = [
    ("password", 3, false, "a password"),
    ("passwd", 3, false, "a password"),
    ("pwd", 3, false, "a password"),
    ("accountkey", 8, false, "an account key"),
    ("sharedaccesskey", 8, false, "a shared access key"),
    (
        "sharedaccesssignature",
        8,
        false,
        "a shared access signature",
    ),
    ("client_secret", 3, false, "a client secret"),
    ("clientsecret", 3, false, "a client secret"),
    ("client-secret", 3, false, "a client secret"),
    ("client_assertion", 20, false, "a client assertion"),
    ("refresh_token", 16, false, "a refresh token"),
    ("access_token", 16, false, "an access token"),
    ("api_key", 8, false, "an API key"),
    ("api-key", 8, false, "an API key"),
    ("apikey", 8, false, "an API key"),
    ("access_key", 8, false, "an access key"),
    ("accesskey", 8, false, "an access key"),
    ("secret_key", 8, false, "a secret key"),
    ("secretkey", 8, false, "a secret key"),
    ("subscription-key", 8, false, "a subscription key"),
    ("functionkey", 8, false, "a function key"),
    ("sig", 20, true, "a shared access signature"),
    ("code", 20, true, "a function key"),
];

/// Every credential in a text, the most telling first, each value once.
pub(crate) fn find(text: &str) -> Vec<Hit> {
    let mut out = inner(text);
    if out.is_empty()
        && text.trim().len() >= 16
        && let Some(said) = looks::decoded(text)
    {
        out = inner(&said);
    }
    out
}

fn inner(text: &str) -> Vec<Hit> {
    let mut out = Vec::new();
    sql(text, &mut out);
    let lower = text.to_ascii_lowercase();
    for start in strings(&lower) {
        sql(connection(&text[start..]), &mut out);
    }
    urls(text, &mut out);
    pairs(text, &lower, &mut out);
    schemes(text, &lower, &mut out);
    private_key(text, &mut out);
    // Of several keys nobody knows which one the host is for.
    let mut open = out.iter_mut().filter(|h| h.sort == Sort::Key(None));
    if let (Some(hit), None) = (open.next(), open.next()) {
        hit.sort = Sort::Key(told(text, &lower).map(Opens::host));
    }
    out
}

/// Where connection strings may begin inside a longer text.
fn strings(lower: &str) -> impl Iterator<Item = usize> + '_ {
    const STARTS: [&str; 4] = ["server", "data source", "addr", "jdbc:sqlserver://"];
    let starts = STARTS.iter().flat_map(|s| lower.match_indices(s));
    starts
        .map(|(at, _)| at)
        .filter(|at| starts_word(lower, *at))
        .take(MAX_STRINGS)
}

/// The connection string at the start of a text, up to what cannot belong to it.
fn connection(text: &str) -> &str {
    let text = short(text);
    let mut before = ' ';
    let mut quote = None;
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') if before == '=' => quote = Some(c),
            (None, '"' | '\'' | '<' | '\n' | '\\') => return &text[..i],
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    text
}

/// The host that a text names for its key: `AccountEndpoint=`, `Endpoint=sb://`, `AccountName=` of
/// Storage, the address before `,password=` of a cache.
fn told(text: &str, lower: &str) -> Option<String> {
    const END: [char; 8] = [';', ',', '&', '"', '\'', ' ', '\n', '\r'];
    let after = |word: &str| {
        let at = lower.find(word)? + word.len();
        text[at..].split(END).next()
    };
    let plain = |host: &str| {
        let sound = |c: char| c.is_alphanumeric() || ".-".contains(c);
        (!host.is_empty() && host.chars().all(sound)).then(|| host.to_lowercase())
    };
    if let Some(url) = after("endpoint=")
        && let Some(host) = crate::url::host(url)
    {
        return Some(host);
    }
    if let Some(name) = after("accountname=") {
        let suffix = after("endpointsuffix=").unwrap_or("core.windows.net");
        return plain(&format!("{name}.{suffix}"));
    }
    let (address, _) = text
        .split_once(',')
        .filter(|_| lower.contains(",password="))?;
    let (host, port) = address.split_whitespace().next_back()?.rsplit_once(':')?;
    port.chars()
        .all(|c| c.is_ascii_digit())
        .then(|| plain(host))?
}

/// Longest value that is looked at, and most hits of one text: bounds on time. Azure's longest
/// credential, a named value, has 4,096 characters (azure docs, API Management limits).
const MAX_VALUE: usize = 4096;
const MAX_HITS: usize = 256;
/// How many URLs of one text are looked at with the URLs inside them.
const MAX_URLS: usize = 256;
/// Longest scheme of a URL.
const MAX_SCHEME: usize = 16;
/// How many connection strings of one text are looked at.
const MAX_STRINGS: usize = 32;

fn push(out: &mut Vec<Hit>, hit: Hit) {
    if out.len() < MAX_HITS && !out.iter().any(|h| h.value == hit.value) {
        out.push(hit);
    }
}

fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_VALUE)]
}

/// What a connection string opens, as far as it says so without a reference.
pub(crate) fn opens(parsed: &ConnectionString) -> Option<Opens> {
    // A string that is broken in a strange way must not show a part of its password as a name.
    let password = parsed.password();
    let plain = |name: String| {
        let known = name.len() <= 128 && !name.contains(['=', ';', '"', '\'', '{', HOLE]);
        let leaks = password.as_ref().is_some_and(|p| {
            let secret = p.expose();
            secret.len() > 3 && name != secret && name.contains(secret)
        });
        (known && !leaks).then_some(name)
    };
    Some(Opens {
        server: parsed.server().and_then(plain)?,
        database: parsed.database().and_then(plain),
        login: parsed.user().and_then(plain),
    })
}

fn sql(text: &str, out: &mut Vec<Hit>) {
    // JDBC has the server before the pairs (Microsoft docs, "Building the connection URL").
    let jdbc = text
        .strip_prefix("jdbc:sqlserver://")
        .map(|t| format!("Server={t}"));
    let Some(parsed) = ConnectionString::parse(jdbc.as_deref().unwrap_or(text)) else {
        return;
    };
    let Some(password) = parsed.password() else {
        return;
    };
    if !given(password.expose()) {
        return;
    }
    let sort = Sort::Sql(opens(&parsed));
    let what = "a connection string with a password";
    push(
        out,
        Hit {
            sort,
            value: password,
            what,
            confidence: Confidence::Certain,
        },
    );
}

/// A literal, or references alone; not computed, and no placeholder.
fn given(value: &str) -> bool {
    looks::is_literal(value) || !names(value).is_empty() && !value.contains(HOLE)
}

fn pairs(text: &str, lower: &str, out: &mut Vec<Hit>) {
    let is_sql = [
        "initial catalog",
        "data source=",
        "server=",
        "jdbc:sqlserver",
    ]
    .iter()
    .any(|word| lower.contains(word));
    for (name, least, in_query, what) in PAIRS {
        let mut read_to = 0;
        for (at, _) in lower.match_indices(name) {
            if at < read_to {
                continue;
            }
            let before = text[..at].chars().next_back();
            let opens = match before {
                None => !in_query,
                Some(c) if in_query => matches!(c, '?' | '&' | ';'),
                Some(c) => !c.is_alphanumeric(),
            };
            let Some(value) = opens
                .then(|| value(short(&text[at + name.len()..])))
                .flatten()
            else {
                continue;
            };
            read_to = at + name.len() + value.len();
            let literal = value.len() >= least && !looks::is_stand_in(value);
            if !given(value) || !literal && names(value).is_empty() {
                continue;
            }
            let is_password = what == "a password";
            let sort = if is_sql && is_password {
                Sort::Sql(None)
            } else {
                Sort::Key(None)
            };
            let confidence = if is_password {
                Confidence::Likely
            } else {
                sure(value)
            };
            push(
                out,
                Hit {
                    sort,
                    value: Secret::new(value),
                    what,
                    confidence,
                },
            );
        }
    }
}

fn sure(value: &str) -> Confidence {
    if looks::is_random(value) {
        Confidence::Certain
    } else {
        Confidence::Likely
    }
}

/// The value after a name: `=v`, `="v"`, `":"v"`; up to what ends it.
fn value(rest: &str) -> Option<&str> {
    let escaped = rest.strip_prefix('\\').unwrap_or(rest);
    let unquoted = escaped.strip_prefix(['"', '\'']);
    let before = unquoted.unwrap_or(escaped);
    let sign = before.trim_start_matches([' ', '\t']);
    let after = match sign.strip_prefix('=') {
        Some(value) if !value.starts_with(['=', '>', '~']) => value,
        None if unquoted.is_some() => sign.strip_prefix(':')?,
        _ => return None,
    };
    let value = after.trim_start_matches([' ', '\t']);
    let value = value.strip_prefix('\\').unwrap_or(value);
    if let Some(quote @ ('"' | '\'')) = value.chars().next() {
        let inner = &value[1..];
        let end = inner.find(quote)?;
        return Some(inner[..end].trim_end_matches('\\'));
    }
    if value.len() < after.len() && sign.len() == before.len() && unquoted.is_none() {
        return None; // “the password= field”
    }
    let end = value.find(|c: char| c.is_whitespace() || ";&\"'<>,|)".contains(c));
    let end = end.unwrap_or(value.len());
    let in_list = value[end..].starts_with([';', '&', ',']);
    let value = value[..end].trim_end_matches('\\');
    // Outside of a list of pairs, a point ends a sentence.
    let value = if in_list {
        value
    } else {
        value.trim_end_matches('.')
    };
    // `{` opens JSON or a template, unless it is a reference.
    let structure = value.starts_with(['{', '[', '(', '$', '@']) && names(value).is_empty();
    (!value.is_empty() && !structure).then_some(value)
}

/// `Bearer …` and `Basic …`, and signed tokens without a word before them.
fn schemes(text: &str, lower: &str, out: &mut Vec<Hit>) {
    for (at, word) in lower.match_indices("bearer ") {
        if !starts_word(text, at) {
            continue;
        }
        let token = token(short(&text[at + word.len()..]));
        if looks::is_random(token) {
            push(out, Hit::key(token, "a bearer token", Confidence::Certain));
        }
    }
    for (at, word) in lower.match_indices("basic ") {
        let rest = short(&text[at + word.len()..]);
        if starts_word(text, at)
            && let Some(hit) = basic(rest)
        {
            push(out, hit);
        }
    }
    for (at, _) in text.match_indices("eyJ") {
        if !starts_word(text, at) {
            continue;
        }
        let token = token(short(&text[at..]));
        if looks::is_jwt(token) {
            push(out, Hit::key(token, "a signed token", Confidence::Certain));
        }
    }
}

/// The login after `Basic`: base64 of `user:password`, or its parts by reference.
pub(crate) fn basic(rest: &str) -> Option<Hit> {
    let what = "a basic login";
    let rest = rest
        .trim_start()
        .split([' ', '\t', '\r', '\n', '"', ','])
        .next()?;
    if let Some((user, password)) = rest.split_once(':')
        && given(password)
        && (!names(password).is_empty() || !names(user).is_empty() || user.contains(HOLE))
    {
        return Some(Hit::key(password, what, Confidence::Certain));
    }
    let said = looks::decoded(token(rest))?;
    let (user, password) = said.split_once(':')?;
    let name = |c: char| c.is_alphanumeric() || "._-@\\+".contains(c);
    let is_login = !user.is_empty() && user.chars().all(name) && given(password);
    is_login.then(|| Hit::key(password, what, Confidence::Certain))
}

fn starts_word(text: &str, at: usize) -> bool {
    !text[..at]
        .chars()
        .next_back()
        .is_some_and(|c| c.is_alphanumeric() || c == '.' || c == '_')
}

/// The characters of RFC 6750's `b64token` at the start.
fn token(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-._~+/=".contains(c)));
    &text[..end.unwrap_or(text.len())]
}

/// `scheme://user:password@host`, and the keys in a query.
fn urls(text: &str, out: &mut Vec<Hit>) {
    for (turn, (at, _)) in text.match_indices("://").enumerate() {
        let before = &text[..at];
        let scheme = before.len()
            - before
                .trim_end_matches(|c: char| c.is_ascii_alphanumeric())
                .len();
        let mut rest = short(&text[at - scheme.min(MAX_SCHEME)..]);
        if turn >= MAX_URLS {
            // Time stays linear: no URL inside another any more.
            let next = rest.match_indices("://").nth(1);
            rest = &rest[..next.map_or(rest.len(), |(i, _)| i)];
        }
        let end = rest.find(|c: char| c.is_whitespace() || "\"'<>\\".contains(c));
        let url = &rest[..end.unwrap_or(rest.len())];
        for hit in in_url(url).into_iter().filter(|h| given(h.value.expose())) {
            push(out, hit);
        }
    }
}

fn private_key(text: &str, out: &mut Vec<Hit>) {
    const MARK: &str = "PRIVATE KEY-----";
    let body = text
        .split_once(MARK)
        .filter(|(before, _)| before.contains("-----BEGIN "));
    if let Some((_, body)) = body
        && body
            .split("-----")
            .next()
            .is_some_and(|b| b.trim().len() > 40 && given(b))
    {
        push(out, Hit::key(body, "a private key", Confidence::Certain));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        find(text)
            .iter()
            .map(|h| h.value.expose().to_owned())
            .collect()
    }

    #[test]
    fn credentials_are_found_in_many_spellings() {
        for (text, value) in [
            ("Server=s;Uid=u;Pwd='a b'", "a b"),
            ("x&client_secret=s3cr3t&y", "s3cr3t"),
            ("{\"password\": \"p w\"}", "p w"),
            ("{\\\"client_secret\\\":\\\"abc\\\"}", "abc"),
            (
                "AccountEndpoint=https://c.documents.azure.com/;AccountKey=abcdefgh12==;",
                "abcdefgh12==",
            ),
            ("h:6380,password=abcdef,ssl=True", "abcdef"),
            ("Authorization: Basic dXNlcjpwYXNz", "pass"),
            ("https://u:p4ss@host/x", "p4ss"),
            (
                "https://f/api?code=abcDEF0123456789abcDEF==&x",
                "abcDEF0123456789abcDEF==",
            ),
            (
                "jdbc:sqlserver://h:1433;databaseName=d;user=u;password=pw1",
                "pw1",
            ),
            ("U2VydmVyPXM7VWlkPXU7UHdkPWh1bnRlcjI=", "hunter2"),
            ("Server=s;Uid=u;Pwd={{pw}}", "{{pw}}"),
            ("client_secret={{cs}}&x=1", "{{cs}}"),
            ("Basic {{u}}:{{p}}", "{{p}}"),
        ] {
            assert_eq!(values(text), [value], "{text}");
        }
    }

    #[test]
    fn a_host_is_told_for_the_one_key_beside_it() {
        let opens = |text: &str| -> Vec<Option<String>> {
            let hits = find(text).into_iter().map(|h| match h.sort {
                Sort::Sql(opens) | Sort::Key(opens) => opens.map(|o| o.server),
            });
            hits.collect()
        };
        let one = "Endpoint=sb://hub.example/;SharedAccessKey=abcdefgh12";
        assert_eq!(opens(one), [Some("hub.example".to_owned())]);
        let other = format!("{one}\nclient_secret=s3cr3t");
        assert_eq!(opens(&other), [None, None]);
    }

    #[test]
    fn a_sql_password_is_told_from_another() {
        let is_sql = |t: &str| matches!(find(t)[0].sort, Sort::Sql(_));
        assert!(is_sql("Server=s;Uid=u;Pwd=abc"));
        assert!(is_sql("<c>Data Source=s;Password=abc;</c>"));
        assert!(!is_sql("host:6380,password=abc"));
    }

    #[test]
    fn talk_about_credentials_is_no_credential() {
        for text in [
            "",
            "Password=",
            "Password=\u{fffc};",
            "Bearer \u{fffc}",
            "Bearer error=\"invalid_token\", realm=\"x\"",
            "Basic realm=\"contoso\"",
            "Bearer {{token}}",
            "the password is required",
            "{\"password\": \"string\"}",
            "{\"password\":{\"type\":\"string\"}}",
            "password == null",
            "if (password => x)",
            "https://host:443/a@b",
            "https://contoso.com/a:b@c",
            "Server=s;Database=d;Password=<your password>",
            "Server=s;Database=d",
            "?code=200",
            "keyPassword2=abc",
            "eyJust.some.words",
        ] {
            assert!(values(text).is_empty(), "{text}: {:?}", values(text));
        }
    }

    #[test]
    fn names_of_a_broken_string_never_show_its_password() {
        let parsed = ConnectionString::parse("Server=hunter22x;Uid=a;Pwd=hunter22").unwrap();
        assert!(opens(&parsed).is_none());
        let parsed = ConnectionString::parse("Server=s;Uid=a Pwd=hunter2;x=y").unwrap();
        assert_eq!(opens(&parsed).unwrap().login, None);
    }
}
