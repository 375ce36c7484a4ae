//! A policy that is spelled otherwise is the same policy: checked on documents made here, and on
//! public ones where a checkout of them stands beside ours.

use std::fs;
use std::path::Path;

use keyless_policy::{Document, differences, formatted, same};

const MADE: [&str; 3] = [
    "<policies>\n  <inbound>\n    <base />\n    <set-header name=\"A\" exists-action=\"override\">\n      \
     <value>@(\"a < b\" + f(x && y))</value>\n    </set-header>\n    <!-- why -->\n    <choose><when \
     condition=\"@(context.Request.Headers[\"A\"] == \"1\")\"><return-response/></when></choose>\n  \
     </inbound>\n</policies>\n",
    "<fragment><a b=\"it's\" c='say \"x\"' d=\"plain\">text &amp; more</a><e f=\"{{g}}\" h=\"\"/></fragment>",
    "<a b=\"@(x &lt; 1 &amp;&amp; y == &quot;q&quot;)\" c=\"d\">@(&quot;z&quot;)</a>",
];

fn documents() -> Vec<String> {
    let mut out: Vec<String> = MADE.iter().map(|text| (*text).to_owned()).collect();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/policies")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "xml") {
                let text = fs::read_to_string(path).expect("a text");
                out.extend(Document::parse(&text).is_ok().then_some(text));
            }
        }
    }
    out
}

/// Holds for every document: `spell` gives the same policy.
fn all(spell: impl Fn(&Document) -> String) {
    for text in documents() {
        let document = Document::parse(&text).expect("it was read before");
        assert_eq!(document.text(), text);
        let other = spell(&document);
        let read = match Document::parse(&other) {
            Ok(read) => read,
            Err(error) => panic!("{error}\n{other}"),
        };
        assert!(same(&text, &other), "{text}\n--- and\n{other}");
        assert_eq!(differences(&document, &read), []);
    }
}

/// The text with each attribute written by `write`: name, and value with its quotes.
fn attributes(document: &Document, write: impl Fn(&str, &str, bool) -> String) -> String {
    let text = document.text();
    let mut out = text.to_owned();
    for element in document.elements().into_iter().rev() {
        for attribute in element.attributes().into_iter().rev() {
            let quoted = attribute.range.start - 1..attribute.range.end + 1;
            let written = write(
                &attribute.name,
                &text[quoted.clone()],
                attribute.is_expression,
            );
            out.replace_range(quoted, &written);
        }
    }
    out
}

#[test]
fn laid_out_anew() {
    all(|document| formatted(document).expect("it can be laid out"));
    all(|document| document.text().replace("\r\n", "\n").replace('\n', "\r\n"));
}

#[test]
fn with_attributes_in_another_order() {
    all(|document| {
        let mut out = document.text().to_owned();
        for element in document.elements().into_iter().rev() {
            let attributes = element.attributes();
            let (Some(first), Some(last)) = (attributes.first(), attributes.last()) else {
                continue;
            };
            let start = document.text()[..first.range.start].rfind(&first.name);
            let end = last.range.end + 1;
            let written = attributes.iter().rev().map(|a| {
                let quoted = &document.text()[a.range.start - 1..a.range.end + 1];
                format!("{}={quoted}", a.name)
            });
            let written: Vec<String> = written.collect();
            out.replace_range(start.expect("its name")..end, &written.join("\n "));
        }
        out
    });
}

#[test]
fn with_other_quotes() {
    all(|document| {
        attributes(document, |_, quoted, is_expression| {
            let (value, quote) = (&quoted[1..quoted.len() - 1], &quoted[..1]);
            if is_expression && document.needs_rawxml() {
                // C# stands verbatim; the quote around it is free all the same.
                let free = !value.contains(if quote == "\"" { '\'' } else { '"' });
                return if free {
                    format!("\"{value}\"")
                } else {
                    quoted.to_owned()
                };
            }
            match quote {
                "\"" => format!("'{}'", value.replace('\'', "&apos;")),
                _ => format!("\"{}\"", value.replace('"', "&quot;")),
            }
        })
    });
}

#[test]
fn with_character_references() {
    all(|document| {
        attributes(document, |_, quoted, is_expression| {
            if is_expression || quoted.contains('&') || quoted.contains("{{") {
                return quoted.to_owned();
            }
            quoted.replace('e', "&#101;").replace('s', "&#x73;")
        })
    });
}

fn escaped(source: &str) -> String {
    let out = source.replace('&', "&amp;").replace('<', "&lt;");
    out.replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[test]
fn in_xml_and_in_rawxml() {
    // From rawxml to xml: what stands between tokens may be spelled already.
    all(|document| {
        let mut out = document.text().to_owned();
        if document.needs_rawxml() {
            for range in document.expressions().iter().rev() {
                let source = &document.text()[range.clone()];
                let is_cdata = document.text()[..range.start].ends_with("<![CDATA[");
                if !is_cdata && !source.contains("&amp;") && !source.contains("&lt;") {
                    out.replace_range(range.clone(), &escaped(source));
                }
            }
        }
        out
    });
    // And back, where that does not make an entity of what is none.
    all(|document| {
        let mut out = document.text().to_owned();
        if !document.needs_rawxml() {
            let decoded = |s: &str| {
                let s = s
                    .replace("&lt;", "<")
                    .replace("&gt;", ">")
                    .replace("&quot;", "\"");
                s.replace("&apos;", "'").replace("&amp;", "&")
            };
            let mut raw = out.clone();
            for range in document.expressions().iter().rev() {
                raw.replace_range(range.clone(), &decoded(&out[range.clone()]));
            }
            let is_raw = Document::parse(&raw).is_ok_and(|read| read.needs_rawxml());
            if is_raw && !out.contains("&amp;amp;") && !raw.contains("&quot;") {
                out = raw;
            }
        }
        out
    });
}
