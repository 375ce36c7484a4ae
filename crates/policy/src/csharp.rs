//! Policy expressions as C# tokens: where one ends, and what it is made of.
//!
//! The lexer finds the bracket that closes `@(` or `@{`, past strings
//! (regular, verbatim, interpolated, raw), characters and comments. It reads
//! the source where it stands: ranges index the document, and entities count
//! as their [`Spelling`] says. It never guesses an end: an expression whose
//! brackets, strings or comments do not close is an error.

use std::borrow::Cow;
use std::ops::Range;

use crate::spelling::{Spelling, decode, entity};

/// How deep strings may nest in the holes of interpolated strings.
const MAX_NESTING: usize = 32;

/// Operators of more than one character, longest first. None starts with `>`:
/// `>>` closes two generic argument lists as often as it shifts.
const OPERATORS: [&str; 25] = [
    "<<=", "??=", "...", "++", "--", "&&", "||", "==", "!=", "<=", "=>", "+=", "-=", "*=", "/=",
    "%=", "&=", "|=", "^=", "<<", "??", "?.", "::", "->", "..",
];

/// What a token is, as far as white space around it depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, a keyword or a number.
    Word,
    /// A string or a character, with its prefix and quotes.
    Literal,
    /// An operator or a bracket.
    Sign,
    /// `{{name}}`, replaced by the service before C# is read.
    NamedValue,
    /// A preprocessor line.
    Directive,
}

/// One token of an expression.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// Where it stands in the document.
    pub range: Range<usize>,
    pub kind: Kind,
    /// Whether entities in it are characters.
    pub entities: bool,
    /// Whether entities next to it are.
    pub between: bool,
    /// Whether white space or a comment stands before it.
    pub spaced: bool,
}

impl Token {
    /// The token as C# has it.
    pub fn text<'a>(&self, document: &'a str) -> Cow<'a, str> {
        decode(&document[self.range.clone()], self.entities)
    }
}

/// The C# source of an expression, entities decoded where they count.
pub(crate) fn source(document: &str, range: &Range<usize>, tokens: &[Token]) -> String {
    let mut out = String::with_capacity(range.len());
    let mut at = range.start;
    for token in tokens {
        // Between tokens an entity is its character in any spelling but CDATA, where the parser
        // has found none.
        out.push_str(&decode(&document[at..token.range.start], token.between));
        out.push_str(&token.text(document));
        at = token.range.end;
    }
    out
}

/// Why an expression could not be read, and where.
#[derive(Debug)]
pub(crate) struct LexError {
    pub at: usize,
    pub message: &'static str,
    pub help: &'static str,
}

/// True if an expression starts at `at`.
pub(crate) fn starts(text: &str, at: usize, spelling: Spelling) -> bool {
    let entities = spelling != Spelling::Verbatim;
    let Some(('@', length)) = unit(text, at, entities) else {
        return false;
    };
    matches!(unit(text, at + length, entities), Some(('(' | '{', _)))
}

/// Reads the expression that starts at `start`, and looks no further than
/// `end`. Gives its range, from the `@` to the closing bracket; what follows
/// the opening `@(` or `@{`, the closing bracket included, goes to `tokens`.
pub(crate) fn read(
    text: &str,
    start: usize,
    end: usize,
    spelling: Spelling,
    tokens: &mut Vec<Token>,
) -> Result<Range<usize>, LexError> {
    let mut lexer = Lexer {
        text: &text[..end],
        at: start,
        spelling,
        tokens,
        spaced: false,
        line_start: false,
        nesting: 0,
    };
    lexer.advance();
    let close = match lexer.peek() {
        Some('(') => ')',
        Some('{') => '}',
        _ => {
            let message = "no expression starts here";
            return Err(error(start, message, "write @(…) or @{…}"));
        }
    };
    lexer.advance();
    lexer.block(close, start, false)?;
    Ok(start..lexer.at)
}

/// The character at `at`, and its length in the text.
fn unit(text: &str, at: usize, entities: bool) -> Option<(char, usize)> {
    let byte = *text.as_bytes().get(at)?;
    if byte == b'&'
        && entities
        && let Some(found) = entity(&text[at..])
    {
        return Some(found);
    }
    if byte.is_ascii() {
        return Some((char::from(byte), 1));
    }
    let c = text[at..].chars().next()?;
    Some((c, c.len_utf8()))
}

fn error(at: usize, message: &'static str, help: &'static str) -> LexError {
    LexError { at, message, help }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    spelling: Spelling,
    tokens: &'a mut Vec<Token>,
    /// White space or a comment was passed since the last token.
    spaced: bool,
    /// Only white space was passed since the line began.
    line_start: bool,
    /// Depth in the holes of interpolated strings.
    nesting: usize,
}

impl<'a> Lexer<'a> {
    /// The character at `at` and its length, between tokens.
    fn unit(&self, at: usize) -> Option<(char, usize)> {
        self.spelled(at, self.spelling != Spelling::Verbatim)
    }

    fn spelled(&self, at: usize, entities: bool) -> Option<(char, usize)> {
        unit(self.text, at, entities)
    }

    fn peek(&self) -> Option<char> {
        self.unit(self.at).map(|(c, _)| c)
    }

    /// The character after the next one.
    fn peek_second(&self) -> Option<char> {
        let (_, length) = self.unit(self.at)?;
        self.unit(self.at + length).map(|(c, _)| c)
    }

    fn advance(&mut self) {
        if let Some((_, length)) = self.unit(self.at) {
            self.at += length;
        }
    }

    fn advance_while(&mut self, keep: impl Fn(char) -> bool) {
        while let Some((c, length)) = self.unit(self.at) {
            if !keep(c) {
                return;
            }
            self.at += length;
        }
    }

    /// Moves on over bytes, up to one that `stop` names. They are all ASCII, so
    /// that it stands on a character then.
    fn pass(&mut self, stop: impl Fn(u8) -> bool) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().position(|b| stop(*b)).unwrap_or(rest.len());
    }

    fn token(&mut self, start: usize, kind: Kind, entities: bool) {
        if self.nesting == 0 {
            let between = self.spelling != Spelling::Verbatim;
            let (range, spaced) = (start..self.at, self.spaced);
            self.tokens.push(Token {
                range,
                kind,
                entities: entities && between,
                between,
                spaced,
            });
        }
        self.spaced = false;
        self.line_start = false;
    }

    /// Reads up to and with the bracket that closes what was opened at
    /// `opened`. In the hole of an interpolated string a colon outside of
    /// brackets starts the format, which goes up to the closing brace.
    fn block(&mut self, close: char, opened: usize, hole: bool) -> Result<(), LexError> {
        let mut open = vec![(close, opened)];
        while let Some(&(want, opened)) = open.last() {
            let start = self.at;
            let Some(c) = self.peek() else {
                return Err(error(
                    opened,
                    "an expression or bracket opened here is not closed",
                    "close it before the value ends",
                ));
            };
            match c {
                c if c.is_whitespace() => self.space(c),
                '/' if self.peek_second() == Some('/') => self.line_comment(),
                '/' if self.peek_second() == Some('*') => self.block_comment()?,
                '#' if self.line_start => self.directive(),
                '"' | '$' | '@' => self.string()?,
                '\'' => self.character()?,
                '{' if self.named_value() => {}
                '(' | '[' | '{' => {
                    open.push((closing(c), start));
                    self.advance();
                    self.token(start, Kind::Sign, true);
                }
                ')' | ']' | '}' if c == want => {
                    open.pop();
                    self.advance();
                    self.token(start, Kind::Sign, true);
                }
                ')' | ']' | '}' => {
                    return Err(error(
                        start,
                        "this bracket does not close the one opened last",
                        "balance the brackets of the expression",
                    ));
                }
                ':' if hole && open.len() == 1 && self.peek_second() != Some(':') => {
                    self.advance_while(|c| c != '}');
                }
                c if is_word_start(c) || self.number_starts(c) => self.word(c),
                _ => self.operator(),
            }
        }
        Ok(())
    }

    fn space(&mut self, c: char) {
        self.advance();
        self.pass(|b| b != b' ');
        self.spaced = true;
        if c == '\n' || c == '\r' {
            self.line_start = true;
        }
    }

    fn line_comment(&mut self) {
        self.pass(|b| matches!(b, b'\n' | b'\r' | b'&'));
        self.advance_while(|c| c != '\n' && c != '\r');
        self.spaced = true;
    }

    fn block_comment(&mut self) -> Result<(), LexError> {
        let start = self.at;
        self.advance();
        self.advance();
        while let Some(c) = self.peek() {
            let done = c == '*' && self.peek_second() == Some('/');
            self.advance();
            if done {
                self.advance();
                self.spaced = true;
                return Ok(());
            }
        }
        Err(error(
            start,
            "a comment opened here is not closed",
            "close it with */",
        ))
    }

    fn directive(&mut self) {
        let start = self.at;
        self.advance_while(|c| c != '\n' && c != '\r');
        self.token(start, Kind::Directive, true);
    }

    /// `'x'`, `'\n'`, `'\u0041'`. More than one character is not C#, but ends
    /// as clearly. Entities are characters in any spelling.
    fn character(&mut self) -> Result<(), LexError> {
        let start = self.at;
        self.advance();
        while let Some(c) = self.peek() {
            match c {
                '\'' => {
                    self.advance();
                    self.token(start, Kind::Literal, true);
                    return Ok(());
                }
                '\n' | '\r' => break,
                '\\' if !matches!(self.peek_second(), Some('\n' | '\r')) => self.advance(),
                _ => {}
            }
            self.advance();
        }
        Err(error(
            start,
            "a character literal opened here is not closed",
            "close it, or use a string",
        ))
    }

    fn named_value(&mut self) -> bool {
        let Some(length) = crate::references::named_value(&self.text[self.at..]) else {
            return false;
        };
        let start = self.at;
        self.at += length;
        self.token(start, Kind::NamedValue, false);
        true
    }

    fn number_starts(&self, c: char) -> bool {
        c.is_ascii_digit() || c == '.' && self.peek_second().is_some_and(|c| c.is_ascii_digit())
    }

    fn word(&mut self, first: char) {
        let start = self.at;
        self.advance();
        if first == '.' || first.is_ascii_digit() {
            self.number(first);
        } else {
            self.pass(|b| !b.is_ascii_alphanumeric() && b != b'_');
            self.advance_while(is_word_part);
        }
        self.token(start, Kind::Word, true);
    }

    /// The rest of a number. Whether C# allows it is not checked.
    fn number(&mut self, first: char) {
        let mut last = first;
        let prefixed = first == '0' && matches!(self.peek(), Some('x' | 'X' | 'b' | 'B'));
        while let Some(c) = self.peek() {
            let exponent = !prefixed && matches!(last, 'e' | 'E') && matches!(c, '+' | '-');
            let point = c == '.' && self.peek_second().is_some_and(|c| c.is_ascii_digit());
            if !(is_word_part(c) || point || exponent) {
                return;
            }
            last = c;
            self.advance();
        }
    }

    fn operator(&mut self) {
        let start = self.at;
        let mut units = ['\0'; 3];
        let mut at = self.at;
        for place in &mut units {
            let Some((c, length)) = self.unit(at) else {
                break;
            };
            *place = c;
            at += length;
        }
        // `a ?.5 : 1`
        let conditional = units[..2] == ['?', '.'] && units[2].is_ascii_digit();
        let is_here = |operator: &&str| {
            let mut pairs = operator.chars().zip(units);
            pairs.all(|(wanted, is)| wanted == is)
        };
        let alone = conditional || matches!(units[0], ',' | ';' | '>' | '!' | '~');
        let alone = alone && units[..2] != ['!', '='];
        let found = (!alone).then(|| OPERATORS.iter().find(|o| is_here(o)));
        for _ in 0..found.flatten().map_or(1, |operator| operator.len()) {
            self.advance();
        }
        self.token(start, Kind::Sign, true);
    }

    /// A string with its prefix of `$` and `@`, or a name with an `@`. A prefix
    /// of neither is one token: to read it sign by sign would take quadratic
    /// time.
    fn string(&mut self) -> Result<(), LexError> {
        let start = self.at;
        let (mut dollars, mut verbatim) = (0, false);
        while let Some(c) = self.peek() {
            match c {
                '$' => dollars += 1,
                '@' if !verbatim => verbatim = true,
                _ => break,
            }
            self.advance();
        }
        match self.peek() {
            Some('"') => {
                let entities = self.quoted(start, dollars, verbatim)?;
                self.token(start, Kind::Literal, entities);
            }
            Some(c) if verbatim && dollars == 0 && is_word_start(c) => {
                self.advance_while(is_word_part);
                self.token(start, Kind::Word, true);
            }
            _ => self.token(start, Kind::Sign, true),
        }
        Ok(())
    }

    /// Reads a string from its opening quote on; says whether entities in it
    /// are characters. In `rawxml` they are if the quote itself is one.
    fn quoted(&mut self, start: usize, dollars: usize, verbatim: bool) -> Result<bool, LexError> {
        let encoded = self.unit(self.at).is_some_and(|(_, length)| length > 1);
        let entities = match self.spelling {
            Spelling::Xml => true,
            Spelling::Raw => encoded,
            Spelling::Verbatim => false,
        };
        let body = Body {
            start,
            entities,
            no_plain: self.spelling == Spelling::Raw && encoded,
        };
        let quotes = if verbatim {
            1
        } else {
            self.count_quotes(&body)
        };
        match quotes {
            0 | 1 => {
                self.at += self
                    .spelled(self.at, entities)
                    .map_or(1, |(_, length)| length);
                self.regular(&body, dollars > 0, verbatim)?;
            }
            2 => self.skip(&body, 2),
            n => {
                self.skip(&body, n);
                self.raw(&body, n, dollars)?;
            }
        }
        Ok(entities)
    }

    /// Up to and with the closing quote of a regular or verbatim string.
    fn regular(&mut self, body: &Body, holes: bool, verbatim: bool) -> Result<(), LexError> {
        loop {
            self.pass(|b| matches!(b, b'"' | b'&' | b'\\' | b'{' | b'\n' | b'\r'));
            let Some((c, length)) = self.spelled(self.at, body.entities) else {
                break;
            };
            if body.is_quote(c, length)? {
                self.at += length;
                match self.spelled(self.at, body.entities) {
                    Some((c, length)) if verbatim && body.is_quote(c, length)? => self.at += length,
                    _ => return Ok(()),
                }
                continue;
            }
            match c {
                '\n' | '\r' if !verbatim => break,
                '\\' if !verbatim => {
                    self.at += length;
                    match self.spelled(self.at, body.entities) {
                        Some(('\n' | '\r', _)) | None => break,
                        Some((_, length)) => self.at += length,
                    }
                }
                '{' if holes => self.hole(body, 1)?,
                _ => self.at += length,
            }
        }
        Err(body.unclosed())
    }

    /// Up to and with the closing quotes of a raw string.
    fn raw(&mut self, body: &Body, quotes: usize, dollars: usize) -> Result<(), LexError> {
        while let Some((c, length)) = self.spelled(self.at, body.entities) {
            if body.is_quote(c, length)? {
                let run = self.count_quotes(body);
                self.skip(body, run);
                if run >= quotes {
                    return Ok(());
                }
            } else if c == '{' && dollars > 0 {
                self.hole(body, dollars)?;
            } else {
                self.at += length;
            }
        }
        Err(body.unclosed())
    }

    /// At a run of `{` in an interpolated string: a hole if the run is long
    /// enough, text if not. With one `$` a pair of braces is text.
    fn hole(&mut self, body: &Body, braces: usize) -> Result<(), LexError> {
        let opened = self.at;
        let mut run = 0;
        while let Some(('{', length)) = self.spelled(self.at, body.entities) {
            self.at += length;
            run += 1;
        }
        let opens = if braces == 1 {
            run % 2 == 1
        } else {
            run >= braces
        };
        if !opens {
            return Ok(());
        }
        if self.nesting == MAX_NESTING {
            return Err(error(
                opened,
                "interpolated strings nest too deeply here",
                "compute the inner ones first",
            ));
        }
        self.nesting += 1;
        let read = self.block('}', opened, true);
        self.nesting -= 1;
        read?;
        for _ in 1..braces {
            if let Some(('}', length)) = self.spelled(self.at, body.entities) {
                self.at += length;
            }
        }
        Ok(())
    }

    fn count_quotes(&self, body: &Body) -> usize {
        let (mut at, mut run) = (self.at, 0);
        while let Some((c, length)) = self.spelled(at, body.entities) {
            if c != '"' || body.no_plain && length == 1 {
                break;
            }
            at += length;
            run += 1;
        }
        run
    }

    fn skip(&mut self, body: &Body, units: usize) {
        for _ in 0..units {
            self.at += self
                .spelled(self.at, body.entities)
                .map_or(0, |(_, length)| length);
        }
    }
}

/// How the string being read is delimited.
struct Body {
    start: usize,
    entities: bool,
    /// In `rawxml`, where its quotes are entities: a plain one in it could be
    /// the end or not.
    no_plain: bool,
}

impl Body {
    /// Whether a character closes the string.
    fn is_quote(&self, c: char, length: usize) -> Result<bool, LexError> {
        match c == '"' && self.no_plain && length == 1 {
            true => Err(self.unclosed()),
            false => Ok(c == '"'),
        }
    }

    fn unclosed(&self) -> LexError {
        error(
            self.start,
            "a string opened here is not closed",
            "close it with its quote, or close the expression before it",
        )
    }
}

fn closing(open: char) -> char {
    match open {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

fn is_word_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '\\'
}

fn is_word_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str, spelling: Spelling) -> Result<Vec<String>, LexError> {
        let mut tokens = Vec::new();
        let range = read(text, 0, text.len(), spelling, &mut tokens)?;
        assert_eq!(range, 0..text.len(), "stops early: {text}");
        let texts = tokens.iter().map(|t| t.text(text).into_owned());
        Ok(texts.collect())
    }

    #[test]
    fn every_kind_of_string_hides_its_brackets() {
        for text in [
            r#"@("a)b")"#,
            r#"@("a\")b")"#,
            r#"@(@"a"")\")"#,
            r#"@($"a{f(")")}b)")"#,
            r#"@($"{{)}}{x:HH')'mm}")"#,
            r#"@($@"{x["k)"]}"" )")"#,
            r#"@(@$"{(a ? ")" : "(")}")"#,
            r####"@("""a")"b""")"####,
            r####"@($$"""a{)}{{f(")")}}b""")"####,
            r####"@(""""a""")b"""")"####,
            r#"@(')' + '\'' + '"' + '\u0029')"#,
            "@(a /* ) */ + b // )\n)",
            "@{\n#region don't )\nreturn 1;\n#endregion\n}",
            r#"@{ if (a[0] < 1) { return new List<List<int>>(); } return "" + ""; }"#,
            "@({{name-1.x}} + 1)",
        ] {
            for spelling in [Spelling::Raw, Spelling::Xml, Spelling::Verbatim] {
                assert!(whole(text, spelling).is_ok(), "{text} {spelling:?}");
            }
        }
    }

    #[test]
    fn an_open_end_is_an_error_at_what_is_open() {
        for (text, at) in [
            ("@(a", 0),
            ("@{ f(1 }", 7),
            ("@(\"a)", 2),
            ("@(\"a\n\")", 2),
            ("@(@\"a)", 2),
            ("@(a /* )", 4),
            ("@('ab)", 2),
            ("@($\"{x\")", 2),
            ("@(\"\"\"a)", 2),
        ] {
            let error = whole(text, Spelling::Raw).unwrap_err();
            // A string in an open hole starts further on, never before.
            assert!(error.at >= at, "{text}: {}", error.at);
        }
    }

    #[test]
    fn encoded_expressions_read_as_plain_ones() {
        let encoded = "@(a &lt; 1 &amp;&amp; b == &quot;x&amp;y)&quot;)";
        let expect = ["a", "<", "1", "&&", "b", "==", "\"x&y)\"", ")"];
        assert_eq!(whole(encoded, Spelling::Xml).unwrap(), expect);
        assert_eq!(whole(encoded, Spelling::Raw).unwrap(), expect);
    }

    #[test]
    fn quotes_of_two_spellings_do_not_pair() {
        for text in [
            "@(&quot;a\")",
            "@(&quot;a\"b&quot;)",
            "@(@&quot;a\"\"b&quot;)",
            "@(\"a&quot;)",
        ] {
            assert!(whole(text, Spelling::Raw).is_err(), "{text}");
        }
        assert!(whole(r#"@(&quot;a\"b&quot; + "&quot;")"#, Spelling::Raw).is_ok());
    }

    #[test]
    fn in_rawxml_a_plain_string_is_verbatim() {
        let text = "@(x.Replace(\"&quot;\", \"&amp;\"))";
        let tokens = whole(text, Spelling::Raw).unwrap();
        assert!(tokens.contains(&"\"&quot;\"".to_owned()));
        assert!(tokens.contains(&"\"&amp;\"".to_owned()));
        assert!(whole(text, Spelling::Xml).is_err());
    }

    #[test]
    fn operators_are_cut_as_csharp_cuts_them() {
        let text = "@(a+ +b++>=c=>d??e?.f?.5:1..ToString()>>2)";
        let expect = [
            "a", "+", "+", "b", "++", ">", "=", "c", "=>", "d", "??", "e", "?.", "f", "?", ".5",
            ":", "1", "..", "ToString", "(", ")", ">", ">", "2", ")",
        ];
        assert_eq!(whole(text, Spelling::Raw).unwrap(), expect);
    }

    #[test]
    fn nesting_is_bounded() {
        let text = format!("@({}", "$\"{".repeat(100_000));
        assert!(read(&text, 0, text.len(), Spelling::Raw, &mut Vec::new()).is_err());
    }
}
