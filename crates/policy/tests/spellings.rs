//! A policy that is spelled otherwise is the same policy: checked on documents made here, and on
//! public ones where a checkout of them stands beside ours.

mod public;

use keyless_policy::{Document, canonical, differences, formatted, same};

const MADE: [&str; 3] = [
    "<policies>\n  <inbound>\n    <base />\n    <set-header name=\"A\" exists-action=\"override\">\n      \
     <value>@(\"a < b\" + f(x && y))</value>\n    </set-header>\n    <!-- why -->\n    <choose><when \
     condition=\"@(context.Request.Headers[\"A\"] == \"1\")\"><return-response/></when></choose>\n  \
     </inbound>\n</policies>\n",
    "<fragment><a b=\"it's\" c='say \"x\"' d=\"plain\">text &amp; more</a><e f=\"{{g}}\" h=\"\"/></fragment>",
    "<a b=\"@(x &lt; 1 &amp;&amp; y == &quot;q&quot;)\" c=\"d\">@(&quot;z&quot;)</a>",
];

/// Made with a line break in a regular C# string, which no compiler takes.
const BROKEN: &str = "<a>\n  <b>@{\n    return \"x\n\";\n  }</b>\n</a>";
/// Published with one.
const MALFORMED: &str = "examples-call-out-to-an-http-endpoint-and-cache-the-response-policy.xml";

/// All that can be read, with a name for messages.
fn documents() -> Vec<(String, String)> {
    let made = MADE
        .iter()
        .map(|text| ("made".to_owned(), (*text).to_owned()));
    let mut public = public::documents();
    public.retain(|(path, _)| !path.ends_with(MALFORMED));
    let public = public
        .into_iter()
        .map(|(path, text)| (path.display().to_string(), text));
    made.chain(public).collect()
}

fn read(name: &str, text: &str) -> Document {
    match Document::parse(text) {
        Ok(read) => read,
        Err(error) => panic!("{name}: {error}\n{text}"),
    }
}

/// Holds for every document: `spell` gives the same policy.
fn all(spell: impl Fn(&Document) -> String) {
    for (name, text) in documents() {
        let document = read(&name, &text);
        assert_eq!(document.text(), text);
        let other = spell(&document);
        assert!(same(&text, &other), "{name}: {text}\n--- and\n{other}");
        assert_eq!(differences(&document, &read(&name, &other)), []);
    }
}

#[test]
fn in_the_canonical_form_which_is_its_own() {
    all(|document| {
        let form = canonical(document.text()).expect("it was read before");
        assert_eq!(canonical(&form).as_ref(), Ok(&form));
        form
    });
}

#[test]
fn a_line_break_in_a_string_is_an_error() {
    let mut broken = vec![(BROKEN.to_owned(), "line 3, column 12")];
    let public = public::documents().into_iter();
    let public = public.filter(|(path, _)| path.ends_with(MALFORMED));
    broken.extend(public.map(|(_, text)| (text, "line 41, column 73")));
    for (text, place) in broken {
        let error = Document::parse(&text).unwrap_err().to_string();
        assert!(error.contains(place), "{error}");
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
    all(|document| document.text().replace("\r\n", "\n"));
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
