//! What holds for every policy, checked on generated ones and on noise.

use keyless_policy::{
    Change, Document, Edit, canonical, diff, differences, formatted, references, same,
};
use proptest::prelude::*;

/// C# tokens, each as it may stand next to any other.
const TOKENS: &[&str] = &[
    "a",
    "context",
    "1",
    "0x1F",
    ".5",
    "1e+3",
    "\"s \\\" )\"",
    "@\"v\"\" (\n\"",
    "$\"{a + \"x\"} }}\"",
    "'c'",
    "'\\''",
    "\"\"",
    "+",
    "++",
    "-",
    "=",
    "==",
    "=>",
    ">=",
    ">",
    ">>",
    "<",
    "<=",
    "&&",
    "&",
    "?",
    "?.",
    "??",
    ".",
    "..",
    ":",
    "::",
    ";",
    ",",
    "!",
    "{{nv-1}}",
    "@class",
    "(b)",
    "[0]",
    "{ }",
    "{ {a} }",
    "{{1}}",
    "/",
    "\"<b>&amp;\"",
    "$@\"{x:0)}\"",
    "\"\"\"raw \" )\"\"\"",
];

fn spaces() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![" ", "  ", "\n", "\t", " /* ) */", " // (\n", "\r\n"])
}

/// An expression twice: with different white space between the same tokens.
fn expression() -> impl Strategy<Value = (String, String)> {
    let token = (prop::sample::select(TOKENS), spaces(), spaces());
    (prop::collection::vec(token, 0..12), any::<bool>()).prop_map(|(tokens, block)| {
        let (mut one, mut two) = (String::new(), String::new());
        for (token, first, second) in tokens {
            one.push_str(first);
            one.push_str(token);
            two.push_str(second);
            two.push_str(token);
        }
        let wrap = |s: String| {
            if block {
                format!("@{{{s} }}")
            } else {
                format!("@({s} )")
            }
        };
        (wrap(one), wrap(two))
    })
}

fn escape(s: &str) -> String {
    let escape_one = |c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' | '"' | '\'' | '\n' | '\r' | '\t' => format!("&#{};", u32::from(c)),
        c => c.to_string(),
    };
    s.chars().map(escape_one).collect()
}

/// Pieces that make noise likely to be nearly a policy.
fn noise() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<a>",
        "</a>",
        "<a b=\"",
        "\"",
        "'",
        "/>",
        ">",
        "<",
        "@(",
        "@{",
        ")",
        "}",
        "{{",
        "}}",
        "&amp;",
        "&quot;",
        "&",
        ";",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?x",
        "?>",
        "$\"",
        "@\"",
        "\"\"\"",
        "{",
        "\\",
        "/*",
        "*/",
        "//",
        "\n",
        "\r\n",
        "x",
        "é",
        "\u{feff}",
        "#",
        " ",
        "=",
        "&#10;",
        ":",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// A policy in which the element `/p/v` has an attribute `x` and a text.
fn policy() -> impl Strategy<Value = (String, String)> {
    let plain = "[a-z {}@&<>'\"\n\t\r]{0,12}".prop_map(|s| escape(&format!("t{s}")));
    (expression(), expression(), plain, any::<bool>()).prop_map(
        |((a1, a2), (b1, b2), plain, xml)| {
            let (a2, b2) = if xml {
                (escape(&a2), escape(&b2))
            } else {
                (a2, b2)
            };
            let one = format!("<p>\n  <v y='{plain}' x=\"{a1}\">{b1}</v>\n  <w>{plain}</w></p>");
            let two = format!(
                "<!-- c --><p>\r\n<v x=\"{a2}\"\r\n y=\"{plain}\" >{b2}</v><w>{plain}</w>\r\n\t</p>"
            );
            (one, two)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reformatting_changes_nothing((one, two) in policy()) {
        // Unbalanced tokens make an expression malformed, in both alike.
        let (read, other) = (canonical(&one), canonical(&two));
        prop_assert_eq!(read.is_ok(), other.is_ok(), "{}\n{}", one, two);
        if let (Ok(read), Ok(other)) = (read, other) {
            prop_assert_eq!(&read, &other);
            prop_assert_eq!(canonical(&read).unwrap(), read);
        }
    }

    #[test]
    fn another_token_is_another_policy(
        tokens in prop::collection::vec(prop::sample::select(TOKENS), 1..12),
        at in any::<prop::sample::Index>(),
        by in prop::sample::select(TOKENS),
        block in any::<bool>(),
    ) {
        let at = at.index(tokens.len());
        prop_assume!(tokens[at] != by);
        let mut other = tokens.clone();
        other[at] = by;
        let policy = |tokens: &[&str]| match block {
            true => format!("<a>@{{ {} }}</a>", tokens.join(" ")),
            false => format!("<a b=\"@( {} )\"/>", tokens.join(" ")),
        };
        let (one, two) = (policy(&tokens), policy(&other));
        if let (Ok(one), Ok(two)) = (canonical(&one), canonical(&two)) {
            prop_assert_ne!(one, two);
        }
    }

    #[test]
    fn differences_are_told_exactly_when_there_are_some((one, two) in policy(), (other, _) in policy()) {
        let read = |text: &str| Document::parse(text);
        let (Ok(one), Ok(two), Ok(other)) = (read(&one), read(&two), read(&other)) else { return Ok(()) };
        prop_assert_eq!(differences(&one, &two), vec![]);
        prop_assert_eq!(differences(&one, &other).is_empty(), same(one.text(), other.text()));
    }

    #[test]
    fn laying_out_changes_no_meaning((one, _) in policy(), text in noise()) {
        for text in [one, format!("<r>{text}</r>")] {
            let Ok(document) = Document::parse(&text) else { continue };
            let once = formatted(&document);
            prop_assert!(once.is_ok(), "{}", text);
            let Ok(once) = once else { continue };
            prop_assert!(same(&text, &once), "{}\n{}", text, once);
            let twice = formatted(&Document::parse(&once).unwrap());
            prop_assert_eq!(twice, Ok(once), "{}", text);
        }
    }

    #[test]
    fn noise_never_panics_and_is_idempotent_if_it_parses(text in noise()) {
        for text in [text.clone(), format!("<r>{text}</r>"), format!("<r q=\"{text}\"/>")] {
            references(&text);
            if let Ok(once) = canonical(&text) {
                let twice = canonical(&once);
                prop_assert_eq!(twice.as_ref(), Ok(&once), "{}", text);
            }
        }
    }

    #[test]
    fn any_text_never_panics(text in any::<String>(), other in any::<String>()) {
        let _ = Document::parse(&text);
        references(&text);
        diff(&text, &other, 1);
        prop_assert!(diff(&text, &text, 3).is_empty());
        prop_assert!(same(&text, &text));
    }

    #[test]
    fn an_edit_changes_its_range_only((text, _) in policy(), value in "t[ -~]{0,20}") {
        let Ok(document) = Document::parse(&text) else { return Ok(()) };
        let path = "/p/v".parse().unwrap();
        let x = document.find(&path).unwrap().attribute("x").unwrap();
        let change = Change::SetAttribute { name: "x".into(), value: value.clone() };
        match document.edit(&[Edit { path: path.clone(), change }]) {
            Ok(edited) => {
                prop_assert_eq!(&edited[..x.range.start], &text[..x.range.start]);
                prop_assert!(edited.ends_with(&text[x.range.end..]));
                let read = Document::parse(&edited).unwrap();
                let v = read.find(&path).unwrap();
                prop_assert_eq!(v.attribute("x").unwrap().value, value);
            }
            Err(error) => prop_assert_eq!(error, keyless_policy::PolicyError::Ambiguous),
        }
    }

    #[test]
    fn a_set_text_is_read_back((text, _) in policy(), (value, _) in expression()) {
        let Ok(document) = Document::parse(&text) else { return Ok(()) };
        let path: keyless_policy::ElementPath = "/p/w".parse().unwrap();
        let change = Change::SetText(value.clone());
        if let Ok(edited) = document.edit(&[Edit { path: path.clone(), change }]) {
            let read = Document::parse(&edited).unwrap();
            let expect = value.replace("\r\n", "\n");
            let text = read.find(&path).unwrap().text().unwrap().replace("\r\n", "\n");
            prop_assert_eq!(text, expect);
        }
    }

    #[test]
    fn well_formed_xml_reads_as_others_read_it((_, text) in policy()) {
        let Ok(document) = Document::parse(&text) else { return Ok(()) };
        prop_assert_eq!(document.needs_rawxml(), roxmltree::Document::parse(&text).is_err());
    }
}
