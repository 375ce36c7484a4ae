//! C# of a policy expression as tokens, with its strings read: escapes undone, holes apart.
//!
//! Only what constant strings need. The policy crate has already made sure that expressions close;
//! what does not close here ends with the text, and nothing panics on any input.

use keyless_policy::references;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Text(Vec<Piece>),
    Word(String),
    Comment(String),
    Open(char),
    Close,
    Plus,
    Assign,
    /// `+=`
    PlusAssign,
    /// `=>`
    Arrow,
    /// `.` and `?.`
    Dot,
    /// `<` and `>`, of a comparison or around types.
    Angle(char),
    Question,
    Colon,
    /// `??`
    Coalesce,
    Comma,
    Semicolon,
    Other,
}

/// A part of a string.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    Chars(String),
    /// `{…}` of an interpolated string.
    Hole(Vec<Token>),
}

/// How deep strings are followed into the holes of interpolated ones.
const MAX_NESTING: usize = 16;
/// Longest `{{name}}`, in bytes; a bound on how far its end is looked for.
const MAX_REFERENCE: usize = 1024;

/// The tokens of the code at the start of `text`, which begins after `@`. Ends after the bracket
/// that closes the first one; the second value is that end, or `None` when nothing closes it.
pub(crate) fn tokens(text: &str) -> (Vec<Token>, Option<usize>) {
    let mut lexer = Lexer {
        text,
        at: 0,
        nesting: 0,
    };
    let mut out = Vec::new();
    let closed = lexer.block(&mut out, Stop::FirstClosed);
    (out, closed.then_some(lexer.at))
}

#[derive(Clone, Copy, PartialEq)]
enum Stop {
    /// After the bracket that closes the first one.
    FirstClosed,
    /// After a bracket that was not opened: the end of a hole.
    Unopened,
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    nesting: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.at += prefix.len();
        }
        found
    }

    /// Reads tokens up to where `stop` says; whether it came so far.
    fn block(&mut self, out: &mut Vec<Token>, stop: Stop) -> bool {
        let mut depth = 0usize;
        loop {
            if self.comment(out) || self.string(out) || self.reference(out) {
                continue;
            }
            let Some(c) = self.next() else { return false };
            match c {
                '(' | '[' | '{' => {
                    depth += 1;
                    out.push(Token::Open(c));
                }
                ')' | ']' | '}' => {
                    if depth == 0 {
                        return stop == Stop::Unopened;
                    }
                    depth -= 1;
                    out.push(Token::Close);
                    if depth == 0 && stop == Stop::FirstClosed {
                        return true;
                    }
                }
                ':' if stop == Stop::Unopened && depth == 0 && !self.rest().starts_with(':') => {
                    self.format();
                    return true;
                }
                '\'' => self.character(out),
                c if c.is_whitespace() => {}
                c if c.is_alphanumeric() || c == '_' => {
                    let start = self.at - c.len_utf8();
                    let length = self.rest().find(|c: char| !c.is_alphanumeric() && c != '_');
                    self.at += length.unwrap_or(self.rest().len());
                    out.push(Token::Word(self.text[start..self.at].to_owned()));
                }
                _ => self.sign(c, out),
            }
        }
    }

    /// The format of a hole, `:HH:mm`, up to its brace.
    fn format(&mut self) {
        self.at += self.rest().find('}').map_or(self.rest().len(), |n| n + 1);
    }

    fn sign(&mut self, c: char, out: &mut Vec<Token>) {
        out.push(match c {
            '+' if self.eat("=") => Token::PlusAssign,
            '+' if !self.eat("+") => Token::Plus,
            '=' if self.eat(">") => Token::Arrow,
            '=' if !self.eat("=") => Token::Assign,
            '!' | '<' | '>' | '-' | '*' | '/' | '%' | '&' | '|' | '^' if self.eat("=") => {
                Token::Other
            }
            '?' if self.eat(".") => Token::Dot,
            '?' if self.eat("?") => Token::Coalesce,
            // `x?["y"]` reads as `x["y"]`.
            '?' if self.rest().starts_with('[') => return,
            '?' => Token::Question,
            ':' => Token::Colon,
            '<' | '>' => Token::Angle(c),
            '.' => Token::Dot,
            ',' => Token::Comma,
            ';' => Token::Semicolon,
            _ => Token::Other,
        });
    }

    fn comment(&mut self, out: &mut Vec<Token>) -> bool {
        let (skip, end, closer) = if self.rest().starts_with("//") {
            (2, self.rest().find(['\r', '\n']), 0)
        } else if self.rest().starts_with("/*") {
            (2, self.rest()[2..].find("*/").map(|n| n + 2), 2)
        } else {
            return false;
        };
        let rest = self.rest();
        let (end, closer) = end.map_or((rest.len(), 0), |end| (end, closer));
        out.push(Token::Comment(rest[skip..end].to_owned()));
        self.at += end + closer;
        true
    }

    fn reference(&mut self, out: &mut Vec<Token>) -> bool {
        match self.named_value() {
            Some(text) => {
                out.push(Token::Text(vec![Piece::Chars(text)]));
                true
            }
            None => false,
        }
    }

    /// A `{{name}}` right here, passed over. The service puts its value in before C# is read.
    fn named_value(&mut self) -> Option<String> {
        if !self.rest().starts_with("{{") {
            return None;
        }
        let near = self.rest().floor_char_boundary(MAX_REFERENCE);
        let end = self.rest()[..near].find("}}")? + 2;
        let found = references(&self.rest()[..end]).into_iter().next()?;
        if found.range != (0..end) {
            return None;
        }
        let text = self.rest()[..end].to_owned();
        self.at += end;
        Some(text)
    }

    fn character(&mut self, out: &mut Vec<Token>) {
        let mut value = String::new();
        match self.next() {
            Some('\\') => self.escape(&mut value),
            Some(c) => value.push(c),
            None => {}
        }
        self.eat("'");
        out.push(Token::Text(vec![Piece::Chars(value)]));
    }

    /// What follows a backslash.
    fn escape(&mut self, value: &mut String) {
        let Some(c) = self.next() else { return };
        let digits = match c {
            'u' => 4,
            'x' => 4,
            'U' => 8,
            '0' => return value.push('\0'),
            'n' => return value.push('\n'),
            'r' => return value.push('\r'),
            't' => return value.push('\t'),
            c => return value.push(c),
        };
        let hex: String = self
            .rest()
            .chars()
            .take(digits)
            .take_while(char::is_ascii_hexdigit)
            .collect();
        self.at += hex.len();
        value.extend(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32));
    }

    /// A string of any form, with its prefix of `$` and `@`.
    fn string(&mut self, out: &mut Vec<Token>) -> bool {
        let prefix = self
            .rest()
            .bytes()
            .take_while(|b| matches!(b, b'$' | b'@'))
            .count();
        let (dollars, verbatim) = {
            let prefix = &self.rest()[..prefix];
            (prefix.matches('$').count(), prefix.contains('@'))
        };
        let body = &self.rest()[prefix..];
        let quotes = body.bytes().take_while(|b| *b == b'"').count();
        if quotes == 0 {
            return false;
        }
        self.at += prefix;
        let mut pieces = Pieces::default();
        if quotes >= 3 && !verbatim {
            self.at += quotes;
            self.raw(&mut pieces, quotes, dollars);
        } else {
            self.at += 1;
            self.quoted(&mut pieces, dollars > 0, verbatim);
        }
        out.push(Token::Text(pieces.done()));
        true
    }

    fn quoted(&mut self, pieces: &mut Pieces, holes: bool, verbatim: bool) {
        loop {
            if let Some(reference) = self.named_value() {
                pieces.chars.push_str(&reference);
                continue;
            }
            let Some(c) = self.next() else { return };
            match c {
                '"' if verbatim && self.eat("\"") => pieces.chars.push('"'),
                '"' => return,
                '\\' if !verbatim => self.escape(&mut pieces.chars),
                '{' if holes && !self.eat("{") && self.nesting < MAX_NESTING => self.hole(pieces),
                '}' if holes => {
                    self.eat("}");
                    pieces.chars.push('}');
                }
                c => pieces.chars.push(c),
            }
        }
    }

    fn hole(&mut self, pieces: &mut Pieces) {
        let mut tokens = Vec::new();
        self.nesting += 1;
        self.block(&mut tokens, Stop::Unopened);
        self.nesting -= 1;
        pieces.hole(tokens);
    }

    /// A raw string up to its closing run of quotes.
    fn raw(&mut self, pieces: &mut Pieces, quotes: usize, dollars: usize) {
        let fence = "\"".repeat(quotes);
        let brace = "{".repeat(dollars);
        while !self.rest().is_empty() {
            if self.eat(&fence) {
                return;
            }
            if let Some(reference) = self.named_value() {
                pieces.chars.push_str(&reference);
            } else if dollars > 0 && self.nesting < MAX_NESTING && self.eat(&brace) {
                self.hole(pieces);
                for _ in 1..dollars {
                    self.eat("}");
                }
            } else {
                pieces.chars.extend(self.next());
            }
        }
    }
}

#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    chars: String,
}

impl Pieces {
    fn hole(&mut self, tokens: Vec<Token>) {
        if !self.chars.is_empty() {
            self.done
                .push(Piece::Chars(std::mem::take(&mut self.chars)));
        }
        self.done.push(Piece::Hole(tokens));
    }

    fn done(mut self) -> Vec<Piece> {
        if !self.chars.is_empty() || self.done.is_empty() {
            self.done.push(Piece::Chars(self.chars));
        }
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(code: &str) -> Vec<String> {
        let (tokens, end) = tokens(code);
        assert_eq!(end, Some(code.len()), "{code}");
        let chars = |t: Token| match t {
            Token::Text(pieces) => Some(
                pieces
                    .into_iter()
                    .map(|p| match p {
                        Piece::Chars(c) => c,
                        Piece::Hole(_) => "<>".into(),
                    })
                    .collect(),
            ),
            _ => None,
        };
        tokens.into_iter().filter_map(chars).collect()
    }

    #[test]
    fn every_form_of_string_is_read() {
        for (code, value) in [
            (r#"("a\"\\b\u0041\n")"#, "a\"\\bA\n"),
            (r#"(@"a""\b")"#, "a\"\\b"),
            (r#"($"a{f(")", x[0])}b")"#, "a<>b"),
            (r#"($"a{{b}c}}d{x:HH:mm}")"#, "a{b}c}d<>"),
            (r#"($@"a""{x}")"#, "a\"<>"),
            (r####"("""a"b""")"####, "a\"b"),
            (r####"($$"""{a}{{x}}b""")"####, "{a}{{x}}b"),
            (r####"($$"""{a}{{x + 1}}b""")"####, "{a}<>b"),
            (r#"("Password={{pw}};")"#, "Password={{pw}};"),
            (r#"($"Password={{pw}};")"#, "Password={{pw}};"),
            ("('\\'')", "'"),
        ] {
            assert_eq!(strings(code), [value], "{code}");
        }
    }

    #[test]
    fn comments_and_brackets_in_strings_do_not_close() {
        assert_eq!(strings("{ /* ) } */ f(\"}\"); // }\n}"), ["}"]);
    }

    #[test]
    fn text_after_the_closing_bracket_is_left() {
        assert_eq!(tokens("(a) b)").1, Some(3));
        assert_eq!(tokens("(a").1, None);
        assert_eq!(tokens("(\"a)").1, None);
    }

    #[test]
    fn assignment_is_told_from_comparison() {
        let (found, _) = tokens("{a = b == c => d += e + f ?? g?.h}");
        assert_eq!(found.iter().filter(|t| **t == Token::Assign).count(), 1);
        assert_eq!(found.iter().filter(|t| **t == Token::Plus).count(), 1);
        let added = found.iter().filter(|t| **t == Token::PlusAssign);
        assert_eq!(added.count(), 1);
        assert_eq!(found.iter().filter(|t| **t == Token::Dot).count(), 1);
    }
}
