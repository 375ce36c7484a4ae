//! Every change of one token, attribute or place is a change of meaning, and
//! told as one: checked on documents made here, and on public ones where a
//! checkout of them stands beside ours.
//!
//! Each run looks at some changes of each document; the test that is ignored looks at all.

#[path = "../public/mod.rs"]
mod public;

use std::ops::Range;

use crate::csharp::Kind;
use crate::parse::Node;
use crate::{Document, canonical, differences, same};

const MADE: [&str; 4] = [
    "<policies><inbound><base /><set-header name='A' exists-action=\"override\"><value>@(\"Bearer \" + \
     (string)context.Variables[\"t\"])</value></set-header><choose><when condition=\"@(a < b && c?.D \
     >= 1.5)\"><set-variable name=\"x\" value=\"@{ var l = new List<List<int>>(); // c\n return l.Count \
     > 0 ? 'y' : '\\n'; }\" /></when><otherwise /></choose></inbound><outbound><base /></outbound></policies>",
    "<fragment><set-body template=\"liquid\"> {\"a\": \"{{body.b}}\"} </set-body><x {{nv}} y='{{z}}'/>\
     <set-body>@($\"{{\\\"id\\\": {context.RequestId}, {{name}} }}\" + @\"v\"\"w\" + \"\"\"raw \" text\"\"\")</set-body></fragment>",
    "<a b=\"@(x &lt; 1 &amp;&amp; y == &quot;a &amp;amp; b&quot;)\">@(f(&quot;&lt;&quot;, (p, q) =&gt; p - -q))</a>",
    "<a><![CDATA[@(1 < 2 || z != w)]]></a>",
];

fn documents() -> Vec<String> {
    let mut out: Vec<String> = MADE.iter().map(|text| (*text).to_owned()).collect();
    let public = public::documents().into_iter().map(|(_, text)| text);
    out.extend(public.filter(|text| Document::parse(text).is_ok()));
    out
}

/// A replacement of a range that must count.
type Mutation = (Range<usize>, String);

/// Each token taken away, doubled, and changed in one character.
fn of_tokens(document: &Document, out: &mut Vec<Mutation>) {
    for range in document.expressions() {
        let mut at = range.start + 2;
        for token in document.tree.tokens_of(range) {
            gap(&document.text[at.min(token.range.start)..token.range.start]);
            at = token.range.end;
            let source = &document.text[token.range.clone()];
            out.push((token.range.clone(), String::new()));
            out.push((token.range.clone(), format!("{source} {source}")));
            let inside = source
                .char_indices()
                .filter(|(_, c)| c.is_ascii_alphanumeric());
            for (n, c) in inside.step_by(7) {
                if source[..n].ends_with('&') || source[..n].ends_with(['\\', '#']) {
                    continue;
                }
                let other = if c == 'q' { "k" } else { "q" };
                let place = token.range.start + n;
                out.push((place..place + 1, other.to_owned()));
            }
            if token.kind == Kind::Literal {
                // White space in a string counts; one more behind its first quote.
                let quote = source.find('"').or(source.find('\''));
                let behind = quote.map(|n| token.range.start + n + 1);
                out.extend(
                    behind
                        .filter(|_| !source.contains("\"\"\""))
                        .map(|n| (n..n, " ".to_owned())),
                );
            }
        }
    }
}

/// Between tokens there is nothing that could count.
fn gap(text: &str) {
    let rest = text.trim_start();
    let fine = rest.is_empty()
        || rest.starts_with("//")
        || rest.starts_with("/*")
        || rest.starts_with(['(', '{', '&']);
    assert!(fine, "between tokens: {rest}");
}

fn of_elements(document: &Document, out: &mut Vec<Mutation>) {
    for element in document.elements() {
        let raw = element.raw();
        for attribute in &raw.attributes {
            let (name, value) = (attribute.name.clone(), attribute.value.clone());
            out.push((name.start..value.end + 1, String::new()));
            out.push((name.end..name.end, "x".to_owned()));
            out.push((value.start..value.start, "x".to_owned()));
            out.push((value.end..value.end, "x".to_owned()));
            out.push((value.end..value.end, " ".to_owned()));
        }
        if element.parent().is_some() {
            out.push((raw.range.clone(), String::new()));
        }
        if let Some(text) = element.text().filter(|text| !text.trim().is_empty())
            && let Some(inner) = element.inner_range()
        {
            // Not beside a comment, which may stand first or last.
            let plain = !document.text[inner.clone()].contains("<!--") && !text.is_empty();
            out.extend(plain.then(|| (inner.start..inner.start, " ".to_owned())));
            out.extend(plain.then(|| (inner.end..inner.end, "x".to_owned())));
        }
        out.extend(swaps(document, &raw.nodes));
    }
}

/// Neighbours in the other order, if they are not alike.
fn swaps(document: &Document, nodes: &[Node]) -> Vec<Mutation> {
    let elements = nodes.iter().filter_map(|node| match node {
        Node::Element(at) => Some(document.tree.elements[*at].range.clone()),
        Node::Text(_) => None,
    });
    let elements: Vec<Range<usize>> = elements.collect();
    let pairs = elements
        .windows(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()));
    let swapped = pairs.filter_map(|(a, b)| {
        let text = &document.text;
        let (first, second) = (&text[a.clone()], &text[b.clone()]);
        let between = &text[a.end..b.start];
        (!same(first, second)).then(|| (a.start..b.end, format!("{second}{between}{first}")))
    });
    swapped.collect()
}

#[test]
fn single_mutations_are_changes_of_meaning() {
    check(60);
}

#[test]
#[ignore = "minutes in a debug build; run it after a change of the lexer or the canonical form"]
fn every_single_mutation_is_a_change_of_meaning() {
    check(usize::MAX);
}

/// Checks up to so many mutations of each document, spread over it.
fn check(most: usize) {
    for text in documents() {
        let document = Document::parse(&text).unwrap();
        let form = canonical(&text).unwrap();
        let mut mutations = Vec::new();
        of_tokens(&document, &mut mutations);
        of_elements(&document, &mut mutations);
        assert!(mutations.len() > 5);
        let step = mutations.len().div_ceil(most);
        let mut checked = 0;
        for (range, by) in mutations.into_iter().step_by(step) {
            let mut other = text.clone();
            other.replace_range(range.clone(), &by);
            let Ok(read) = Document::parse(&other) else {
                continue;
            };
            checked += 1;
            let place = document.line_column(range.start);
            assert_ne!(
                canonical(&other).as_ref(),
                Ok(&form),
                "{place:?} by {by:?} in\n{text}"
            );
            assert!(
                !differences(&document, &read).is_empty(),
                "{place:?} in\n{text}"
            );
        }
        assert!(checked > 0, "no change of it can be read:\n{text}");
    }
}
