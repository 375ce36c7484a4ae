//! Fuzzing of the lexer, the parser, the canonical form and what is built on them.
//!
//! As ordinary tests these run a bounded number of inputs. To run one for longer, with coverage to
//! guide it: `cargo install cargo-bolero`, then
//! `cargo bolero test -p keyless-policy --test fuzz documents -T 10min`; without it,
//! `BOLERO_RANDOM_ITERATIONS=10000000 cargo test --release -p keyless-policy --test fuzz`.

use bolero::check;
use keyless_policy::{
    Document, canonical, diff, differences, expressions, formatted, references, same,
};

/// Words that policies are made of; each byte of an input picks one.
const WORDS: [&str; 64] = [
    "<a>",
    "</a>",
    "<b",
    "</b>",
    "/>",
    ">",
    "<",
    " c=\"",
    " d='",
    "\"",
    "'",
    "@(",
    "@{",
    ")",
    "}",
    "(",
    "{",
    "[",
    "]",
    "{{n}}",
    "{{",
    "}}",
    "$\"",
    "@\"",
    "$@\"",
    "@$\"",
    "\"\"\"",
    "$$\"\"\"",
    "\\",
    "\\\"",
    "'x'",
    "&amp;",
    "&lt;",
    "&quot;",
    "&#10;",
    "&#xD800;",
    "&",
    ";",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?p",
    "?>",
    "/*",
    "*/",
    "//",
    "\n",
    "\r\n",
    "\t",
    " ",
    "#if",
    "x",
    "1.5",
    ".",
    "?.",
    "=>",
    "<<",
    "--",
    "=",
    ":",
    "é",
    "\u{feff}",
    "\u{0}",
];

fn words(input: &[u8]) -> String {
    input
        .iter()
        .map(|b| WORDS[usize::from(*b) % WORDS.len()])
        .collect()
}

/// What holds for every text.
fn holds(text: &str) {
    references(text);
    let Ok(document) = Document::parse(text) else {
        assert!(expressions(text).is_err() && canonical(text).is_err());
        return;
    };
    assert_eq!(document.text(), text);
    let ranges = document.expressions();
    assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
    for element in document.elements() {
        assert_eq!(
            document.find(&element.path()).map(|found| found.range()),
            Some(element.range())
        );
        assert!(text[element.range()].starts_with('<') && text[element.range()].ends_with('>'));
    }
    let form = canonical(text).expect("what is read has a form");
    assert_eq!(canonical(&form).as_ref(), Ok(&form), "not stable: {text:?}");
    assert!(same(text, &form), "{text:?}");
    let laid_out = formatted(&document).expect("what is read can be laid out");
    assert!(same(text, &laid_out), "{text:?}");
}

fn iterations() -> usize {
    let asked = std::env::var("BOLERO_RANDOM_ITERATIONS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(2_000)
}

#[test]
fn bytes() {
    check!()
        .with_iterations(iterations())
        .for_each(|input: &[u8]| {
            holds(&String::from_utf8_lossy(input));
        });
}

#[test]
fn expressions_in_attributes_and_text() {
    check!()
        .with_iterations(iterations())
        .for_each(|input: &[u8]| {
            let inside = words(input);
            holds(&format!("<a b=\"@({inside})\"/>"));
            holds(&format!("<a>@{{{inside}}}</a>"));
        });
}

#[test]
fn documents() {
    check!()
        .with_iterations(iterations())
        .for_each(|input: &[u8]| {
            let inside = words(input);
            holds(&inside);
            holds(&format!("<r>{inside}</r>"));
        });
}

#[test]
fn two_documents() {
    check!()
        .with_iterations(iterations())
        .for_each(|input: &[u8]| {
            let (one, two) = input.split_at(input.len() / 2);
            let (one, two) = (
                format!("<r>{}</r>", words(one)),
                format!("<r>{}</r>", words(two)),
            );
            diff(&one, &two, 1);
            if let (Ok(a), Ok(b)) = (Document::parse(&one), Document::parse(&two)) {
                assert_eq!(
                    differences(&a, &b).is_empty(),
                    same(&one, &two),
                    "{one}\n{two}"
                );
            }
        });
}
