//! Texts that are made to be slow, large or deep. Nothing here looks at a clock: time is taken as a
//! ratio of two runs on the same machine.

mod estate;

use std::time::{Duration, Instant};

use estate::{Estate, gateway};
use keyless_policy::Document;
use keyless_scan::{
    ConnectionString, http_credentials, secret_ranges, sql_sources, targets, url_credentials,
};
use serde_json::json;

/// Pieces of which a reader that looks too far ahead makes quadratic time.
const PIECES: [&str; 33] = [
    "password=",
    "basic ",
    "Bearer ",
    "://",
    "https://u:p@h?code=",
    "eyJ",
    "@(",
    "{{",
    "$\"{",
    "a+\"b\"+",
    "<!--",
    "x=\"a\"+x;",
    "x+=\"a\";",
    "\"p\"+",
    "code=",
    "Server=s;",
    "server",
    "PRIVATE KEY-----",
    "b.Append(\"a\");",
    "new[]{\"a\"},",
    "new[",
    "(string)",
    "(a.",
    "<string>(",
    "f<",
    "return \"a\";",
    "?\"a\":",
    "??",
    "[\"a\"]=\"b\";",
    "string.Format(\"{0}\",",
    "\"a\".Replace(\"a\",",
    "(",
    "{\"password\",\"w\"},",
];

/// The least time of two for a text of so many bytes: others on the machine only add to it.
fn least(bytes: usize, work: &impl Fn(usize)) -> Duration {
    let once = |_| {
        let start = Instant::now();
        work(bytes);
        start.elapsed()
    };
    (0..2).map(once).min().unwrap_or_default()
}

/// Whether eight times the text takes about eight times as long. Quadratic time would be 64 times;
/// 28 leaves room for caches. One bad turn may be the machine's: it is taken again.
fn is_in_proportion(work: impl Fn(usize)) -> bool {
    const SMALL: usize = 12_000;
    (0..4).any(|_| least(8 * SMALL, &work) < 28 * least(SMALL, &work))
}

#[test]
fn hard_texts_take_time_in_proportion() {
    for piece in PIECES {
        for form in ["%", "@(%)", "@{%}"] {
            let scan = |bytes: usize| {
                let text = form.replace('%', &piece.repeat(bytes / piece.len()));
                Estate::default().plain("v", &text).scan();
            };
            assert!(is_in_proportion(scan), "{form} {piece}");
        }
    }
}

#[test]
fn large_documents_take_time_in_proportion() {
    for piece in [
        "<a b=\"1\" />\n",
        "<set-header name=\"x-partner-key\"><value>3f2504e04f8911d39a0c0305e82c3301</value></set-header>\n",
        "<set-variable name=\"a\" value=\"b\" /><set-body>@((string)context.Variables[\"a\"])</set-body>",
        "<set-header name=\"api-key\"><value>{{k}}</value></set-header>",
        "<!-- Password=hunter22; -->",
        "<sql-data-source><connection-info><connection-string>{{c}}</connection-string></connection-info></sql-data-source>",
    ] {
        let scan = |bytes: usize| {
            let text = format!(
                "<policies><inbound>{}</inbound></policies>",
                piece.repeat(bytes / piece.len())
            );
            let document = Document::parse(&text).expect("it is well-formed");
            secret_ranges(&document);
            http_credentials(&document);
            let policy = gateway().part("policy");
            Estate::default()
                .put(policy, json!({ "value": text }))
                .scan();
        };
        assert!(is_in_proportion(scan), "{piece}");
    }
}

#[test]
fn ten_megabytes_of_anything_end() {
    for piece in ["(", "://", "a+\"b\"+"] {
        let text = piece.repeat(10 * 1024 * 1024 / piece.len());
        let policy = gateway().part("policy");
        let estate = Estate::default()
            .put(policy, json!({ "value": text }))
            .plain("v", &text);
        estate.scan();
        keyless_scan::unsearched(&estate.0);
        let _ = ConnectionString::parse(&text);
        let _ = url_credentials(&text);
    }
}

#[test]
fn deep_nesting_ends_in_every_reader() {
    for (open, close) in [
        ("(", ")"),
        ("{", "}"),
        ("[", "]"),
        ("f(", ")"),
        ("$\"{", "}\""),
        ("new[]{", "}"),
    ] {
        for depth in [60, 70, 300, 20_000] {
            let text = format!("@({}\"x\"{})", open.repeat(depth), close.repeat(depth));
            let xml = text.replace('&', "&amp;").replace('<', "&lt;");
            Estate::default()
                .plain("v", &text)
                .inbound(&format!("<set-body>{xml}</set-body>"))
                .scan();
        }
    }
    let elements = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
    let document = Document::parse(&elements).expect("200 deep is allowed");
    assert!(http_credentials(&document).is_empty() && targets(&document).is_empty());
    assert!(sql_sources(&document).is_empty());
}
