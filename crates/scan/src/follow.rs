//! Context variables of a policy that hold a constant, and the texts that read them.

use std::collections::{BTreeMap, BTreeSet};

use keyless_policy::{Document, ElementRef};

use crate::constants::{Part, parts};

/// The constant text that a `set-variable` puts into a variable.
pub(crate) struct Constant {
    pub text: String,
    /// Of the `value` attribute.
    pub place: String,
    pub line: (usize, usize),
}

/// Attributes by which elements other than `set-variable` put something into a variable.
pub const VARIABLE_SETTERS: [&str; 4] = [
    "response-variable-name",
    "variable-name",
    "output-token-variable-name",
    "context-variable-name",
];

/// The variables that hold nothing but constants, with each of them. One that is also set from a
/// request, a cache or a computation may hold that instead, and is left out.
pub(crate) fn constants(document: &Document) -> BTreeMap<String, Vec<Constant>> {
    let mut out: BTreeMap<String, Vec<Constant>> = BTreeMap::new();
    let mut computed = BTreeSet::new();
    for element in document.elements() {
        for name in VARIABLE_SETTERS.iter().filter_map(|s| element.attribute(s)) {
            computed.insert(name.value);
        }
        let Some((name, value)) = variable(element) else {
            continue;
        };
        match constant(&value.value) {
            Some(text) => out.entry(name).or_default().push(Constant {
                place: format!("{}/@value", element.path()),
                line: document.line_column(value.range.start),
                text,
            }),
            None => {
                computed.insert(name);
            }
        }
    }
    out.retain(|name, _| !computed.contains(name));
    out
}

fn variable(element: ElementRef) -> Option<(String, keyless_policy::Attribute)> {
    if element.name() != "set-variable" {
        return None;
    }
    let name = element.attribute("name")?.value;
    Some((name, element.attribute("value")?))
}

/// What a value is, if it is the same for each call.
pub(crate) fn constant(text: &str) -> Option<String> {
    let mut cut = parts(text);
    match cut.as_mut_slice() {
        [Part::Expression(found)] if found.values.len() == 1 => found.values.pop(),
        cut => {
            let literal = cut.iter().all(|p| matches!(p, Part::Literal(_)));
            literal.then(|| text.to_owned())
        }
    }
}

/// A text with the variables in it replaced by their constants, and those. A variable that is set
/// in several places makes a text for each. None for a text that uses no such variable.
pub(crate) fn put_in<'a>(
    text: &str,
    known: &'a BTreeMap<String, Vec<Constant>>,
) -> Vec<(String, Vec<&'a Constant>)> {
    let used: Vec<(&String, &Vec<Constant>)> =
        known.iter().filter(|(n, _)| mentions(text, n)).collect();
    let turns = used.iter().map(|(_, all)| all.len()).max().unwrap_or(0);
    let turn = |turn: usize| {
        let mut out = text.to_owned();
        let mut sent = Vec::new();
        for (name, all) in &used {
            let Some(constant) = all.get(turn).or(all.last()) else {
                continue;
            };
            if let Some(replaced) = replaced(&out, name, &constant.text) {
                out = replaced;
                sent.push(constant);
            }
        }
        (out, sent)
    };
    let turns = (0..turns.min(MAX_TURNS)).map(turn);
    turns.filter(|(_, sent)| !sent.is_empty()).collect()
}

/// A bound on time: how many values of a variable are looked at.
const MAX_TURNS: usize = 16;

/// The text with a string of C# in the place of each read of the variable: `context.Variables["x"]`
/// and `context.Variables.GetValueOrDefault<string>("x", …)`, with or without a cast before it.
fn replaced(text: &str, variable: &str, value: &str) -> Option<String> {
    let string = format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    let quoted = format!("\"{variable}\"");
    let mut out = String::new();
    let mut at = 0;
    for (found, _) in text.match_indices(&quoted) {
        let before = &text[at.min(found)..found];
        let after = &text[found + quoted.len()..];
        let (Some(before), Some(length)) = (before_read(before), after_read(after)) else {
            continue;
        };
        out.push_str(before);
        out.push_str(&string);
        at = found + quoted.len() + length;
    }
    out.push_str(&text[at..]);
    (at > 0).then_some(out)
}

/// What stands before the start of a read that goes up to here.
fn before_read(text: &str) -> Option<&str> {
    const STARTS: [&str; 4] = [
        "context.Variables[",
        "context.Variables.GetValueOrDefault<string>(",
        "context.Variables.GetValueOrDefault<String>(",
        "context.Variables.GetValueOrDefault(",
    ];
    let before = STARTS.iter().find_map(|s| text.strip_suffix(s))?;
    let cast = before.trim_end();
    let cast = cast
        .strip_suffix("(string)")
        .or(cast.strip_suffix("(String)"));
    Some(cast.unwrap_or(before))
}

/// How much follows the name in a read: its bracket, after a default value or none.
fn after_read(text: &str) -> Option<usize> {
    if text.starts_with(']') {
        return Some(1);
    }
    text.starts_with([')', ','])
        .then(|| text.find(')'))?
        .map(|n| n + 1)
}

/// Whether a text names the variable, as `context.Variables["name"]` and its like do.
fn mentions(text: &str, variable: &str) -> bool {
    text.contains(&format!("\"{variable}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_variables_that_nothing_else_sets_are_constant() {
        let document = Document::parse(
            r#"<policies><inbound>
            <set-variable name="a" value="{{key}}" /><set-variable name="a" value="@("x" + "y")" />
            <set-variable name="b" value="none" /><cache-lookup-value key="k" variable-name="b" />
            <set-variable name="c" value="none" /><set-variable name="c" value="@(f())" />
            <set-variable value="no name" />
            </inbound></policies>"#,
        )
        .unwrap();
        let found = constants(&document);
        let names: Vec<_> = found.keys().cloned().collect();
        assert_eq!(names, ["a"]);
        let a = &found["a"];
        assert_eq!(a.len(), 2);
        assert_eq!(a[0].place, "/policies/inbound/set-variable[1]/@value");
    }

    #[test]
    fn reads_of_a_variable_are_replaced_and_other_mentions_are_not() {
        let known = |text: &str| Constant {
            text: text.into(),
            place: String::new(),
            line: (1, 1),
        };
        let known = BTreeMap::from([("k".to_owned(), vec![known("a\"b")])]);
        for (text, wanted) in [
            (r#"@((string)context.Variables["k"])"#, r#"@("a\"b")"#),
            (
                r#"x @(context.Variables.GetValueOrDefault<string>("k", "") + "k")"#,
                r#"x @("a\"b" + "k")"#,
            ),
            (
                r#"@(f(context.Variables["k"], context.Variables["k"]))"#,
                r#"@(f("a\"b", "a\"b"))"#,
            ),
        ] {
            let found = put_in(text, &known);
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(found[0].0, wanted);
        }
        for text in [
            r#"@(context.Variables.ContainsKey("k"))"#,
            "k",
            r#"@(context.Variables["k"#,
        ] {
            assert!(put_in(text, &known).is_empty(), "{text}");
        }
    }
}
