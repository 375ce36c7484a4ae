//! The lines of a manifest that a diagnostic shows, without anything in them that may be a
//! credential.
//!
//! Invariant: a covered text has as many characters as the text, so that columns stay.

use keyless_manifest::masked;
use keyless_model::Diagnostic;

/// Parts of keys whose values are never shown.
const SECRET_KEYS: [&str; 12] = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "key",
    "value",
    "sas",
    "credential",
    "connection",
    "signature",
    "code",
];

const COVER: char = '•';

/// The text as it may be shown next to these diagnostics of its file.
pub fn covered(text: &str, diagnostics: &[&Diagnostic]) -> String {
    let on_line = |code: &str, line: usize| {
        let mut here = diagnostics.iter().filter(|d| d.code == code);
        here.any(|d| d.span.as_ref().is_some_and(|s| s.line == line))
    };
    let mut out = String::with_capacity(text.len());
    for (at, line) in masked(text).split_inclusive('\n').enumerate() {
        let line_number = at + 1;
        if on_line("KL0110", line_number) {
            out.extend(
                line.chars()
                    .map(|c| if c.is_whitespace() { c } else { COVER }),
            );
        } else if on_line("KL0101", line_number) || on_line("KL0103", line_number) {
            // Of an unknown field or a broken line nothing is known, so no value is shown.
            out.push_str(&values_covered(line, |_| true));
        } else {
            out.push_str(&values_covered(line, is_secret));
        }
    }
    out
}

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    SECRET_KEYS.iter().any(|word| key.contains(word))
}

/// The line with the value of each key that `hide` names covered, up to the end of the value or of
/// the line.
fn values_covered(line: &str, hide: impl Fn(&str) -> bool) -> String {
    let chars: Vec<char> = line.chars().collect();
    let mut out = chars.clone();
    for at in 0..chars.len() {
        let ends_a_key = chars[at] == ':' && chars.get(at + 1).is_none_or(|c| c.is_whitespace());
        if !ends_a_key {
            continue;
        }
        let is_name = |c: &&char| c.is_alphanumeric() || "_-.\"'".contains(**c);
        let key: String = chars[..at].iter().rev().take_while(is_name).collect();
        let key: String = key.chars().rev().filter(|c| !"\"'".contains(*c)).collect();
        if hide(&key) {
            let value = value_of(&chars[at + 1..]);
            for c in out[at + 1..at + 1 + value]
                .iter_mut()
                .filter(|c| !c.is_whitespace())
            {
                *c = COVER;
            }
        }
    }
    out.into_iter().collect()
}

/// How many characters a value takes: to its closing quote, else to what ends it in a flow mapping,
/// else all of the rest. An opening brace is no value: its own keys are looked at.
fn value_of(rest: &[char]) -> usize {
    let blank = rest.iter().take_while(|c| **c == ' ').count();
    match rest.get(blank) {
        Some('{') => 0,
        Some(quote @ ('"' | '\'')) => {
            let inner = &rest[blank + 1..];
            let closed = inner.iter().position(|c| c == quote);
            closed.map_or(rest.len(), |n| blank + n + 2)
        }
        _ => rest.len(),
    }
}

#[cfg(test)]
mod tests {
    use keyless_model::Span;

    use super::*;

    fn on(code: &'static str, line: usize) -> Diagnostic {
        Diagnostic::error(code, "m").at(
            &Span {
                line,
                ..Span::default()
            },
            "l",
        )
    }

    #[test]
    fn no_value_that_may_be_secret_is_shown() {
        let text = "spec: { gatewya: contoso, properties: { secret: true, value: canary-1 } }\n\
                    password: canary-2\nvalue: [canary-3]\nadministratorLoginPassword: \"canary-4\"\n\
                    passwrod: canary-5\nname: ok\nbroken: { value: canary-6\nx: canary-7\n";
        let wrong = [
            on("KL0103", 1),
            on("KL0103", 5),
            on("KL0101", 7),
            on("KL0110", 8),
        ];
        let shown = covered(text, &wrong.iter().collect::<Vec<_>>());
        assert!(!shown.contains("canary"), "{shown}");
        assert!(
            shown.contains("gatewya") && shown.contains("name: ok"),
            "{shown}"
        );
        assert_eq!(shown.chars().count(), text.chars().count());
    }
}
