//! Tokens of a query in Kusto's language.

use serde_json::{Value, json};

use crate::clock::Clock;

/// Why a query cannot be answered; the service calls both kinds a bad argument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("Query could not be parsed at '{0}'")]
    Syntax(String),
    #[error("'{0}' could not be resolved, or is not emulated")]
    Unknown(String),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A name, a keyword or an operator in letters, `!` before it included.
    Word(String),
    /// A text, a number, a span in seconds, or a time as text.
    Literal(Value),
    Symbol(&'static str),
}

/// Longest first.
const SYMBOLS: [&str; 14] = [
    "==", "!=", "=~", "!~", ">=", "<=", "..", ">", "<", "=", "|", "(", ")", ",",
];

/// Seconds of the units of a span.
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

pub fn lex(query: &str) -> Result<Vec<Token>, QueryError> {
    let mut tokens = Vec::new();
    let mut rest = query.trim_start();
    while !rest.is_empty() {
        let (token, end) = if rest.starts_with("//") {
            let end = rest.find('\n').unwrap_or(rest.len());
            (None, end)
        } else {
            let (token, end) = next(rest)?;
            (Some(token), end)
        };
        tokens.extend(token);
        rest = rest[end..].trim_start();
    }
    Ok(tokens)
}

/// The token at the beginning, and where it ends.
fn next(rest: &str) -> Result<(Token, usize), QueryError> {
    let first = rest.chars().next().unwrap_or_default();
    if matches!(first, '\'' | '"' | '@') {
        return text(rest);
    }
    if first.is_ascii_digit() {
        return number(rest);
    }
    let is_negated = first == '!' && rest[1..].starts_with(|c: char| c.is_ascii_alphabetic());
    if first.is_ascii_alphabetic() || first == '_' || is_negated {
        return word(rest);
    }
    let symbol = SYMBOLS.into_iter().find(|one| rest.starts_with(one));
    let symbol = symbol.ok_or_else(|| syntax(rest))?;
    Ok((Token::Symbol(symbol), symbol.len()))
}

pub fn syntax(rest: &str) -> QueryError {
    QueryError::Syntax(rest.chars().take(20).collect())
}

/// A word, or `datetime(…)` with what is in it.
fn word(rest: &str) -> Result<(Token, usize), QueryError> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = rest[1..]
        .find(|c| !is_part(c))
        .map_or(rest.len(), |end| end + 1);
    let found = &rest[..end];
    let inner = rest[end..].strip_prefix('(');
    if let Some((time, _)) = inner.and_then(|inner| inner.split_once(')'))
        && found == "datetime"
    {
        let end = end + time.len() + 2;
        let time = moment(time).ok_or_else(|| syntax(rest))?;
        return Ok((Token::Literal(json!(time)), end));
    }
    Ok((Token::Word(found.to_owned()), end))
}

/// A day or a time in UTC, as the emulator writes times: only then do they compare as texts.
pub fn moment(text: &str) -> Option<String> {
    let text = text.trim().trim_matches(['\'', '"']);
    if text.len() == 10 {
        return Clock::whole_seconds(&format!("{text}T00:00:00"));
    }
    Clock::whole_seconds(&text.replacen(' ', "T", 1))
}

fn number(rest: &str) -> Result<(Token, usize), QueryError> {
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let value: u64 = rest[..digits].parse().map_err(|_| syntax(rest))?;
    let unit = &rest[digits..];
    let unit = &unit[..unit
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(unit.len())];
    if unit.is_empty() {
        return Ok((Token::Literal(json!(value)), digits));
    }
    let seconds = UNITS.into_iter().find(|(name, _)| *name == unit);
    let (_, seconds) = seconds.ok_or_else(|| syntax(rest))?;
    let span = value.saturating_mul(seconds);
    Ok((Token::Literal(json!(span)), digits + unit.len()))
}

/// `'x'`, `"x"` with escapes, or `@'x'` without.
fn text(rest: &str) -> Result<(Token, usize), QueryError> {
    let verbatim = rest.starts_with('@');
    let open = usize::from(verbatim);
    let quote = rest[open..].chars().next().unwrap_or_default();
    if !matches!(quote, '\'' | '"') {
        return Err(syntax(rest));
    }
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in rest.char_indices().skip(open + 1) {
        if escaped {
            value.push(match c {
                'n' => '\n',
                't' => '\t',
                other => other,
            });
            escaped = false;
        } else if c == '\\' && !verbatim {
            escaped = true;
        } else if c == quote {
            return Ok((Token::Literal(json!(value)), at + 1));
        } else {
            value.push(c);
        }
    }
    Err(syntax(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_texts_spans_and_times_are_told_apart() {
        let tokens =
            lex("T | where a !has 'it\\'s' // why\n and b > ago(2h) or c==datetime(2026-01-31)");
        let tokens = tokens.unwrap();
        assert_eq!(tokens[4], Token::Word("!has".into()));
        assert_eq!(tokens[5], Token::Literal(json!("it's")));
        assert!(tokens.contains(&Token::Literal(json!(7_200))));
        let midnight = Token::Literal(json!("2026-01-31T00:00:00Z"));
        assert_eq!(tokens.last(), Some(&midnight));
        let spaced = lex("datetime('2026-01-31 08:05:09.5')").unwrap();
        assert_eq!(spaced, [Token::Literal(json!("2026-01-31T08:05:09Z"))]);
        assert!(lex("T | where b > datetime(2026-01-31 08:05)").is_err());
        assert!(lex("T | where a == 'open").is_err());
        assert!(lex("T ; drop").is_err());
    }
}
