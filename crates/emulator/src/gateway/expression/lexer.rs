//! The tokens of C# that policy expressions are made of.

use super::{ExpressionError, fail};

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Name(String),
    Text(String),
    /// `$"…{source}…"`: literal parts and the sources between them.
    Interpolated(Vec<Part>),
    Whole(i64),
    Real(f64),
    Mark(&'static str),
}

/// A piece of an interpolated string.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(String),
    Source(String),
}

/// Longer marks first: the first that fits is taken.
const MARKS: [&str; 30] = [
    "?.", "??", "&&", "||", "==", "!=", "<=", ">=", "=>", "++", "--", "+=", "(", ")", "{", "}",
    "[", "]", ".", ",", ";", ":", "?", "<", ">", "+", "-", "*", "/", "%",
];
const LAST_MARKS: [&str; 2] = ["!", "="];

/// Cuts a text into tokens; comments and blanks are gone.
pub fn tokens(text: &str) -> Result<Vec<Token>, ExpressionError> {
    let mut lexer = Lexer { rest: text };
    let mut found = Vec::new();
    while let Some(token) = lexer.next()? {
        found.push(token);
    }
    Ok(found)
}

struct Lexer<'a> {
    rest: &'a str,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Option<Token>, ExpressionError> {
        self.skip()?;
        let Some(first) = self.rest.chars().next() else {
            return Ok(None);
        };
        if let Some(token) = self.string()? {
            return Ok(Some(token));
        }
        if first.is_alphabetic() || first == '_' {
            let name = self.take(|c| c.is_alphanumeric() || c == '_');
            return Ok(Some(Token::Name(name)));
        }
        if first.is_ascii_digit() {
            return self.number().map(Some);
        }
        for mark in MARKS.into_iter().chain(LAST_MARKS) {
            if let Some(rest) = self.rest.strip_prefix(mark) {
                self.rest = rest;
                return Ok(Some(Token::Mark(mark)));
            }
        }
        fail(format!("'{first}' is not emulated."))
    }

    fn skip(&mut self) -> Result<(), ExpressionError> {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.starts_with("//") {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.rest = &self.rest[end..];
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                let Some(end) = comment.find("*/") else {
                    return fail("A comment has no end.");
                };
                self.rest = &comment[end + 2..];
            } else {
                return Ok(());
            }
        }
    }

    fn take(&mut self, part: impl Fn(char) -> bool) -> String {
        let end = self
            .rest
            .find(|c: char| !part(c))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken.to_owned()
    }

    fn number(&mut self) -> Result<Token, ExpressionError> {
        let mut digits = self.take(|c| c.is_ascii_digit());
        let fraction = self.rest.strip_prefix('.');
        if fraction.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            self.rest = &self.rest[1..];
            digits = format!("{digits}.{}", self.take(|c| c.is_ascii_digit()));
        }
        let suffix = self.take(|c| c.is_alphabetic()).to_lowercase();
        let refused = || ExpressionError("A number of this kind is not emulated.".into());
        if !matches!(suffix.as_str(), "" | "l" | "m" | "d" | "f") {
            return Err(refused());
        }
        match digits.parse::<i64>() {
            Ok(whole) if matches!(suffix.as_str(), "" | "l") => Ok(Token::Whole(whole)),
            _ => digits.parse().map(Token::Real).map_err(|_| refused()),
        }
    }

    /// A string or character that begins here, with its prefixes `@` and `$`.
    fn string(&mut self) -> Result<Option<Token>, ExpressionError> {
        let prefix = self.rest.chars().take_while(|c| matches!(c, '@' | '$'));
        let prefix: String = prefix.collect();
        let body = &self.rest[prefix.len()..];
        let quote = match body.chars().next() {
            Some('"') => '"',
            Some('\'') if prefix.is_empty() => '\'',
            _ => return Ok(None),
        };
        let mut literal = Literal {
            rest: &body[1..],
            quote,
            verbatim: prefix.contains('@'),
            interpolated: prefix.contains('$'),
        };
        let parts = literal.parts()?;
        self.rest = literal.rest;
        Ok(Some(match <[Part; 1]>::try_from(parts) {
            Ok([Part::Text(text)]) => Token::Text(text),
            Ok(other) => Token::Interpolated(other.into()),
            Err(parts) if parts.is_empty() => Token::Text(String::new()),
            Err(parts) => Token::Interpolated(parts),
        }))
    }
}

/// The inside of a string, up to and with its closing quote.
struct Literal<'a> {
    rest: &'a str,
    quote: char,
    verbatim: bool,
    interpolated: bool,
}

impl Literal<'_> {
    fn parts(&mut self) -> Result<Vec<Part>, ExpressionError> {
        let (mut parts, mut text) = (Vec::new(), String::new());
        loop {
            let Some(c) = self.pop() else {
                return fail("A string has no end.");
            };
            let doubled = self.rest.starts_with(c);
            match c {
                '\\' if !self.verbatim => text.push(self.escape()?),
                c if c == self.quote && self.verbatim && doubled => {
                    self.pop();
                    text.push(c);
                }
                c if c == self.quote => break,
                '{' | '}' if self.interpolated && doubled => {
                    self.pop();
                    text.push(c);
                }
                '{' if self.interpolated => {
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    parts.push(Part::Source(self.hole()?));
                }
                c => text.push(c),
            }
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(parts)
    }

    fn pop(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn escape(&mut self) -> Result<char, ExpressionError> {
        match self.pop() {
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('r') => Ok('\r'),
            Some('0') => Ok('\0'),
            Some(c @ ('"' | '\\' | '\'')) => Ok(c),
            _ => fail("A string has an escape that is not emulated."),
        }
    }

    /// The source between `{` and its `}`; strings inside may hold braces.
    fn hole(&mut self) -> Result<String, ExpressionError> {
        let (mut depth, mut inside) = (0_usize, false);
        for (at, c) in self.rest.char_indices() {
            match c {
                '"' => inside = !inside,
                '{' if !inside => depth += 1,
                '}' if !inside && depth > 0 => depth -= 1,
                '}' if !inside => {
                    let source = self.rest[..at].to_owned();
                    self.rest = &self.rest[at + 1..];
                    return Ok(source);
                }
                _ => {}
            }
        }
        fail("An interpolated string has no end.")
    }
}
