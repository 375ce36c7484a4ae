//! How fast policies are read and brought to their canonical form, on one core.
//!
//! On documents made here, in both formats, and on public ones where a checkout of them stands
//! beside ours. The bar is 50 MB/s for both together.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a document that is not read stops the bench"
)]

#[path = "../tests/public/mod.rs"]
mod public;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keyless_policy::{Document, canonical};

/// What an API's policy is made of, expressions as `rawxml` has them.
const BLOCK: &str = r#"
        <!-- Region NAME: where the call goes -->
        <set-variable name="region-NAME" value="@(context.Request.Headers.GetValueOrDefault("X-Region", "north"))" />
        <choose>
            <when condition="@(context.Variables.GetValueOrDefault<int>("tries-NAME") < 3 && context.Response.StatusCode >= 500)">
                <set-header name="X-Tenant" exists-action="override">
                    <value>@((string)context.Variables["region-NAME"])</value>
                </set-header>
                <set-backend-service base-url="https://NAME.services.example/{{path-NAME}}" />
            </when>
            <otherwise>
                <return-response>
                    <set-status code="429" reason="Too Many Requests" />
                    <set-body>@{
                        // The shape that clients know.
                        var answer = new JObject();
                        foreach (var pair in context.Request.Headers.Where(h => h.Key.StartsWith("X-")))
                        {
                            answer[pair.Key] = string.Join(", ", pair.Value);
                        }
                        return answer.ToString() + $"tries: {context.Variables["tries-NAME"]}";
                    }</set-body>
                </return-response>
            </otherwise>
        </choose>
        <rate-limit-by-key calls="100" renewal-period="60" counter-key="@(context.Subscription?.Id ?? "none")" />"#;

/// A policy of about `bytes` bytes in `rawxml`.
fn raw(bytes: usize) -> String {
    let blocks = (0..bytes / BLOCK.len()).map(|n| BLOCK.replace("NAME", &format!("r{n}")));
    let blocks: String = blocks.collect();
    format!(
        "<policies>\n    <inbound>\n        <base />{blocks}\n    </inbound>\n    <backend>\n        \
         <base />\n    </backend>\n</policies>\n"
    )
}

/// The same policy in `xml`: its expressions are escaped.
fn escaped(raw: &str) -> String {
    let document = Document::parse(raw).expect("the policy reads");
    let mut out = raw.to_owned();
    for range in document.expressions().iter().rev() {
        let plain = raw[range.clone()]
            .replace('&', "&amp;")
            .replace('<', "&lt;");
        out.replace_range(
            range.clone(),
            &plain.replace('>', "&gt;").replace('"', "&quot;"),
        );
    }
    out
}

fn speed(c: &mut Criterion) {
    let raw = raw(200 * 1024);
    let public = public::documents().into_iter().map(|(_, text)| text);
    let public = public
        .filter(|text| Document::parse(text).is_ok())
        .collect();
    let sets = [
        ("generated/xml", vec![escaped(&raw)]),
        ("generated/rawxml", vec![raw]),
        ("public", public),
    ];
    for (name, texts) in sets.iter().filter(|(_, texts)| !texts.is_empty()) {
        let mut group = c.benchmark_group(*name);
        let bytes: usize = texts.iter().map(String::len).sum();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function("parse", |b| {
            b.iter(|| {
                texts
                    .iter()
                    .map(|t| black_box(Document::parse(t)).unwrap().text().len())
                    .sum::<usize>()
            });
        });
        group.bench_function("parse and canonicalise", |b| {
            b.iter(|| {
                texts
                    .iter()
                    .map(|t| black_box(canonical(t)).unwrap().len())
                    .sum::<usize>()
            });
        });
        group.finish();
    }
}

/// Texts that make careless readers slow; each is repeated up to 256 KiB. The bar is 100 ms.
const TRAPS: [(&str, &str, &str, &str); 16] = [
    ("brackets", "<a>@(", "(", "</a>"),
    ("braces", "<a>@{", "{ ", "</a>"),
    ("named values cut short", "<a>@{", "{{a", "}</a>"),
    ("closed brackets", "<a>@{", "()[]{ }", "}</a>"),
    ("elements", "", "<a>", ""),
    ("siblings", "<a>", "<b/>", "</a>"),
    ("deep rows", "<a>", "<b><c d=''><e/></c></b>", "</a>"),
    ("quotes", "<a b='@(", "\"", ")'/>"),
    ("raw strings", "<a>@(\"\"\"", "\"\"{", "\"\"\")</a>"),
    ("holes", "<a>@(", "$\"{", ")</a>"),
    ("prefixes", "<a>@(", "$", ")</a>"),
    ("comments", "<a>@(", "/*", ")</a>"),
    ("ampersands", "<a>@(", "&", ")</a>"),
    ("references", "<a>", "&#x", "</a>"),
    ("attributes", "<a>", "<b c='&lt;' d=\"{{e}}\"/>", "</a>"),
    ("end tags", "<a>", "]]", "</a>"),
];

fn traps(c: &mut Criterion) {
    let mut group = c.benchmark_group("256 KiB");
    group.sample_size(10);
    for (name, before, one, after) in TRAPS {
        let times = (256 * 1024 - before.len() - after.len()) / one.len();
        let text = format!("{before}{}{after}", one.repeat(times));
        group.bench_function(name, |b| b.iter(|| black_box(canonical(&text)).is_ok()));
    }
    group.finish();
}

criterion_group!(benches, speed, traps);
criterion_main!(benches);
