//! What a scalar means: text, a number, true or false, or nothing.
//!
//! Quoted scalars are texts. Plain ones follow YAML's core schema as far as JSON goes along; the
//! forms in which YAML 1.1, YAML 1.2 and JSON differ (`007`, `0x1f`, `True`, `.5`) are
//! [`Meaning::Unclear`] and refused, so that nobody has to know which schema was used.

use serde_json::Number;

use crate::credential;

/// How a scalar is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    /// In quotes, or folded with `>`.
    Quoted,
    /// A block that starts with `|`: its lines are the source's lines.
    Literal,
}

/// It may hold a credential by mistake, so it has no `Debug`.
#[derive(Clone)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) style: Style,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meaning<'a> {
    Text(&'a str),
    Number(Number),
    Bool(bool),
    Null,
    /// Schemas disagree about it.
    Unclear,
}

impl Scalar {
    /// The same value at another place, whose lines are not its own.
    pub(crate) fn moved(&self) -> Self {
        let style = match self.style {
            Style::Plain => Style::Plain,
            Style::Quoted | Style::Literal => Style::Quoted,
        };
        let text = self.text.clone();
        Self { text, style }
    }

    pub(crate) fn meaning(&self) -> Meaning<'_> {
        match self.style {
            Style::Plain => plain(&self.text),
            Style::Quoted | Style::Literal => Meaning::Text(&self.text),
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self.meaning() {
            Meaning::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.meaning() {
            Meaning::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.meaning() == Meaning::Null
    }

    /// The text for a message.
    pub(crate) fn shown(&self) -> String {
        shown(&self.text)
    }
}

/// A text for a message: in quotes, cut short, and not at all when it looks like a credential.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 160;
    if credential::suspicious(text) {
        return "(not shown)".to_owned();
    }
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { '·' } else { c })
        .collect();
    match clean.char_indices().nth(MOST) {
        Some((cut, _)) => format!("“{}…”", &clean[..cut]),
        None => format!("“{clean}”"),
    }
}

fn plain(text: &str) -> Meaning<'_> {
    match text {
        "" | "~" | "null" => return Meaning::Null,
        "true" => return Meaning::Bool(true),
        "false" => return Meaning::Bool(false),
        "Null" | "NULL" | "True" | "TRUE" | "False" | "FALSE" => return Meaning::Unclear,
        _ => {}
    }
    if !looks_numeric(text) {
        return Meaning::Text(text);
    }
    match text.parse::<Number>() {
        // A whole number that only a float can hold would change on the way.
        Ok(n) if n.is_f64() && !text.contains(['.', 'e', 'E']) => Meaning::Unclear,
        Ok(n) => Meaning::Number(n),
        Err(_) => Meaning::Unclear,
    }
}

/// Whether the core schema, or YAML 1.1 with its leading zeros, takes a plain text for a number.
fn looks_numeric(text: &str) -> bool {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(body, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    if let Some(digits) = body.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    if let Some(digits) = body.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|b| (b'0'..b'8').contains(&b));
    }
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e.strip_prefix(['-', '+']).unwrap_or(e))),
        None => (body, None),
    };
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(whole)
        && digits(part)
        && whole.len() + part.len() > 0
        && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_json_says() {
        assert_eq!(plain("true"), Meaning::Bool(true));
        assert_eq!(plain("~"), Meaning::Null);
        assert_eq!(plain("-12"), Meaning::Number((-12).into()));
        assert!(matches!(plain("1.5e3"), Meaning::Number(_)));
        for text in [
            "yes",
            "on",
            "7d",
            "a1",
            "1.2.3",
            "-",
            ".",
            "1e",
            "0xg",
            "2026-01-31",
            "e5",
        ] {
            assert_eq!(plain(text), Meaning::Text(text));
        }
    }

    #[test]
    fn forms_that_schemas_read_differently_are_unclear() {
        for text in [
            "007",
            "0x1F",
            "0o17",
            "+1",
            ".5",
            "1.",
            "True",
            "NULL",
            ".inf",
            "-.INF",
            "01.5",
            "123456789012345678901234567890",
        ] {
            assert_eq!(plain(text), Meaning::Unclear, "{text}");
        }
    }

    #[test]
    fn messages_do_not_repeat_credentials_or_control_characters() {
        assert_eq!(shown("Server=x;Password=hunter2"), "(not shown)");
        assert_eq!(shown("a\u{1b}[2J"), "“a·[2J”");
        assert_eq!(shown(&"x".repeat(199)).chars().count(), 163);
    }
}
