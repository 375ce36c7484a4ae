//! Fuzzing of the connection-string reader and of the scan.
//!
//! As ordinary tests these run a bounded number of inputs; to run one for longer see the fuzz
//! targets of `keyless-policy`, which are started alike.

mod estate;

use bolero::check;
use estate::{Estate, gateway};
use keyless_model::Live;
use keyless_policy::Document;
use keyless_scan::{ConnectionString, http_credentials, leads_to, secret_ranges, url_credentials};
use serde_json::json;

/// Words that credentials and what is around them are made of; each byte of an input picks one.
const WORDS: [&str; 64] = [
    "Server=",
    "Data Source=",
    "tcp:",
    "h.net",
    ",1433",
    ";",
    "Database=",
    "d",
    "User ID=",
    "u@h",
    "Password=",
    "Pwd",
    "=",
    "\"",
    "'",
    "{",
    "}",
    "{{pw}}",
    "\\",
    "hunter22",
    " ",
    "\n",
    "ü",
    "\u{fffc}",
    "<",
    ">",
    "&amp;",
    "&",
    "<!--",
    "-->",
    "@(",
    "@{",
    ")",
    "(",
    "+",
    ",",
    ".",
    "string.Concat(",
    "Format(\"{0}\"",
    "Append(",
    "new[]{",
    "return ",
    "?",
    ":",
    "??",
    "[",
    "]",
    "(string)",
    "$\"",
    "@\"",
    "\"\"\"",
    "+=",
    "context.Variables[\"a\"]",
    "ToBase64String(",
    "Basic ",
    "Bearer ",
    "https://",
    "u:p@",
    "?code=",
    "&sig=",
    "AccountKey=",
    "<set-header name=\"api-key\"><value>",
    "</value></set-header>",
    "//",
];

fn text(bytes: &[u8]) -> String {
    let word = |b: &u8| WORDS[usize::from(*b) % WORDS.len()];
    bytes.iter().map(word).collect()
}

#[test]
fn connection_strings() {
    check!().for_each(|bytes: &[u8]| {
        let text = text(bytes);
        let Some(parsed) = ConnectionString::parse(&text) else {
            return;
        };
        let clean = parsed.without_credentials();
        assert!(clean.len() <= text.len());
        if let Some(again) = ConnectionString::parse(&clean) {
            assert!(!again.has_password() && again.user().is_none());
            assert_eq!(again.without_credentials(), clean);
        }
        let (server, user) = (parsed.server(), parsed.user());
        let masked = parsed.masked(|_| "***".into());
        if let Some(masked) = ConnectionString::parse(&masked) {
            assert_eq!((masked.server(), masked.user()), (server, user));
        }
    });
}

#[test]
fn urls() {
    check!().for_each(|bytes: &[u8]| {
        let text = text(bytes);
        if let Some(found) = url_credentials(&text) {
            assert!(found.clean.len() < text.len());
            assert!(
                url_credentials(&found.clean).is_none_or(|f| f.clean.len() < found.clean.len())
            );
        }
        let _ = leads_to(&text, "https://h.net/a", |_| Live::Present(text.clone()));
    });
}

#[test]
fn policies() {
    check!().for_each(|bytes: &[u8]| {
        let text = format!("<policies><inbound>{}</inbound></policies>", text(bytes));
        let estate = Estate::default()
            .put(gateway().part("policy"), json!({ "value": text }))
            .plain("pw", &text);
        assert_eq!(estate.scan(), estate.scan());
        let Ok(document) = Document::parse(&text) else {
            return;
        };
        for range in secret_ranges(&document) {
            assert!(text.get(range).is_some());
        }
        http_credentials(&document);
    });
}
