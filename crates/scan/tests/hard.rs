//! Texts that are made to be slow, large or deep. Nothing here depends on the speed of the machine: a
//! large text is held against as much text in small ones.

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

fn time(times: usize, bytes: usize, work: &impl Fn(usize)) -> Duration {
    let start = Instant::now();
    (0..times).for_each(|_| work(bytes));
    start.elapsed()
}

/// Whether a text takes about as long as eight of an eighth of it. Quadratic time would be eight
/// times; 3.5 leaves room for caches. Both sides last about as long, so that whoever else uses the
/// machine slows both alike. One bad turn may be the machine's all the same: it is taken again.
fn is_in_proportion(work: impl Fn(usize)) -> bool {
    const SMALL: usize = 12_000;
    (0..4).any(|_| 2 * time(1, 8 * SMALL, &work) < 7 * time(8, SMALL, &work))
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
