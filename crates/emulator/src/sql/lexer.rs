//! T-SQL text into tokens. Comments and white space go; every token keeps where it starts, so
//! that the text of a procedure can be kept as it was written.

use super::error::SqlError;

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A bare word: a keyword or a regular identifier, as written.
    Word(String),
    /// `[x]` or `"x"`: never a keyword.
    Quoted(String),
    /// `'x'` or `N'x'`.
    Text(String),
    /// `0x…`.
    Binary(Vec<u8>),
    Number(String),
    /// `@x`, lower case, without the sign.
    Variable(String),
    /// `@@X`, upper case, without the signs.
    Global(String),
    Symbol(&'static str),
}

#[derive(Clone, Debug)]
pub struct Lexed {
    pub token: Token,
    pub start: usize,
    /// Counted from 1.
    pub line: u32,
}

impl Lexed {
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.token, Token::Word(w) if w.eq_ignore_ascii_case(word))
    }

    pub fn is(&self, symbol: &str) -> bool {
        matches!(self.token, Token::Symbol(s) if s == symbol)
    }

    /// The word in upper case, when it is a bare one.
    pub fn upper(&self) -> Option<String> {
        match &self.token {
            Token::Word(word) => Some(word.to_ascii_uppercase()),
            _ => None,
        }
    }

    /// The name, when this can be an identifier.
    pub fn name(&self) -> Option<&str> {
        match &self.token {
            Token::Word(name) | Token::Quoted(name) => Some(name),
            _ => None,
        }
    }
}

/// Longest first.
const SYMBOLS: &[&str] = &[
    "::", "<=", ">=", "<>", "!=", "!<", "!>", "+=", "-=", "*=", "/=", "%=", "||", "(", ")", ",",
    ".", ";", "=", "<", ">", "+", "-", "*", "/", "%", "&", "|", "^", "~", ":",
];

pub fn lex(source: &str) -> Result<Vec<Lexed>, SqlError> {
    let bytes = source.as_bytes();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let rest = &source[at..];
        let length = match skipped(rest).map_err(|error| error.at(line, None))? {
            Some(length) => length,
            None => {
                let (token, length) = next(rest).map_err(|error| error.at(line, None))?;
                tokens.push(Lexed {
                    token,
                    start: at,
                    line,
                });
                length
            }
        };
        let ends = rest.as_bytes()[..length].iter().filter(|b| **b == b'\n');
        line += ends.count() as u32;
        at += length;
    }
    Ok(tokens)
}

/// The length of white space or a comment at the start.
fn skipped(rest: &str) -> Result<Option<usize>, SqlError> {
    if rest.starts_with("--") {
        return Ok(Some(rest.find('\n').map_or(rest.len(), |at| at + 1)));
    }
    if rest.starts_with("/*") {
        return block_comment(rest).map(Some);
    }
    Ok(rest
        .chars()
        .next()
        .filter(|c| c.is_whitespace() || *c == '\u{feff}' || *c == '\0')
        .map(char::len_utf8))
}

/// Block comments nest.
fn block_comment(rest: &str) -> Result<usize, SqlError> {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Ok(at);
                }
            }
            _ => at += 1,
        }
    }
    Err(SqlError::new(113, 15, "Missing end comment mark '*/'."))
}

fn next(rest: &str) -> Result<(Token, usize), SqlError> {
    let first = rest.chars().next().unwrap_or(' ');
    match first {
        '\'' => quoted(rest, '\'').map(|(text, length)| (Token::Text(text), length)),
        'N' | 'n' if rest[1..].starts_with('\'') => {
            quoted(&rest[1..], '\'').map(|(text, length)| (Token::Text(text), length + 1))
        }
        '[' => quoted(rest, ']').map(|(name, length)| (Token::Quoted(name), length)),
        '"' => quoted(rest, '"').map(|(name, length)| (Token::Quoted(name), length)),
        '0' if rest[1..].starts_with(['x', 'X']) => binary(rest),
        '@' => {
            let signs = if rest[1..].starts_with('@') { 2 } else { 1 };
            let length = signs + word_length(&rest[signs..]);
            let name = &rest[signs..length];
            Ok(if signs == 2 {
                (Token::Global(name.to_ascii_uppercase()), length)
            } else {
                (Token::Variable(name.to_lowercase()), length)
            })
        }
        c if c.is_ascii_digit() => number(rest),
        '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number(rest),
        c if c.is_alphabetic() || c == '_' || c == '#' => {
            let length = word_length(rest);
            Ok((Token::Word(rest[..length].to_owned()), length))
        }
        _ => SYMBOLS
            .iter()
            .find(|symbol| rest.starts_with(**symbol))
            .map(|symbol| (Token::Symbol(symbol), symbol.len()))
            .ok_or_else(|| SqlError::syntax(&first.to_string())),
    }
}

fn word_length(rest: &str) -> usize {
    rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '#' | '$' | '@')))
        .unwrap_or(rest.len())
}

/// Text up to the closing mark; the mark doubled stands for itself.
fn quoted(rest: &str, close: char) -> Result<(String, usize), SqlError> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != close {
            text.push(c);
        } else if chars.peek().is_some_and(|(_, c)| *c == close) {
            text.push(close);
            chars.next();
        } else {
            return Ok((text, at + close.len_utf8()));
        }
    }
    Err(SqlError::new(
        105,
        15,
        "Unclosed quotation mark after a character string.",
    ))
}

fn binary(rest: &str) -> Result<(Token, usize), SqlError> {
    let digits = rest[2..]
        .find(|c: char| !c.is_ascii_hexdigit())
        .unwrap_or(rest.len() - 2);
    let mut hex = rest[2..2 + digits].to_owned();
    if hex.len() % 2 == 1 {
        hex.insert(0, '0');
    }
    let bytes = hex
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            std::str::from_utf8(pair)
                .ok()
                .and_then(|p| u8::from_str_radix(p, 16).ok())
        })
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(|| SqlError::syntax("0x"))?;
    Ok((Token::Binary(bytes), 2 + digits))
}

fn number(rest: &str) -> Result<(Token, usize), SqlError> {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while at < bytes.len() && (bytes[at].is_ascii_digit() || bytes[at] == b'.') {
        at += 1;
    }
    if at < bytes.len() && matches!(bytes[at], b'e' | b'E') {
        let sign = usize::from(bytes.get(at + 1).is_some_and(|b| matches!(b, b'+' | b'-')));
        if bytes.get(at + 1 + sign).is_some_and(u8::is_ascii_digit) {
            at += 1 + sign;
            while at < bytes.len() && bytes[at].is_ascii_digit() {
                at += 1;
            }
        }
    }
    Ok((Token::Number(rest[..at].to_owned()), at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(source: &str) -> Vec<Token> {
        lex(source)
            .unwrap()
            .into_iter()
            .map(|lexed| lexed.token)
            .collect()
    }

    #[test]
    fn quotes_brackets_and_binaries_are_taken_apart() {
        assert_eq!(
            tokens("[a]]b] N'it''s' 0x0aF @P1 @@spid -- end"),
            vec![
                Token::Quoted("a]b".into()),
                Token::Text("it's".into()),
                Token::Binary(vec![0x00, 0xaf]),
                Token::Variable("p1".into()),
                Token::Global("SPID".into()),
            ]
        );
    }

    #[test]
    fn comments_nest() {
        assert_eq!(tokens("a /* x /* y */ z */ b").len(), 2);
    }

    #[test]
    fn an_unclosed_quote_is_error_105() {
        assert_eq!(lex("select 'abc").unwrap_err().number, 105);
    }
}
