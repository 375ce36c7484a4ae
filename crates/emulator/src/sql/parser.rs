//! A cursor over tokens: names, types, parentheses, and where a statement ends.
//!
//! T-SQL needs no semicolons, so a query ends where a word stands that can only start another
//! statement.

use super::ast::{Name, Tokens};
use super::error::SqlError;
use super::lexer::{Lexed, Token};
use super::value::ColumnType;

/// Words that start a statement and never continue one.
pub const STARTERS: &[&str] = &[
    "ALTER",
    "BEGIN",
    "BREAK",
    "COMMIT",
    "CONTINUE",
    "CREATE",
    "DECLARE",
    "DELETE",
    "DENY",
    "DROP",
    "ELSE",
    "END",
    "EXEC",
    "EXECUTE",
    "GRANT",
    "IF",
    "INSERT",
    "MERGE",
    "PRINT",
    "RAISERROR",
    "RETURN",
    "REVERT",
    "REVOKE",
    "ROLLBACK",
    "SAVE",
    "THROW",
    "TRUNCATE",
    "UPDATE",
    "USE",
    "WAITFOR",
    "WHILE",
];

pub(super) struct Parser<'a> {
    pub source: &'a str,
    pub(super) tokens: &'a [Lexed],
    pub(super) at: usize,
    /// How many statements lie around this place, and how many of them are loops.
    pub(super) depth: u32,
    pub(super) loops: u32,
}

impl<'a> Parser<'a> {
    pub fn new(source: &'a str, tokens: &'a [Lexed]) -> Self {
        Self {
            source,
            tokens,
            at: 0,
            depth: 0,
            loops: 0,
        }
    }

    pub fn peek(&self) -> Option<&'a Lexed> {
        self.tokens.get(self.at)
    }

    pub fn ahead(&self, ahead: usize) -> Option<&'a Lexed> {
        self.tokens.get(self.at + ahead)
    }

    pub fn advance(&mut self) -> Option<&'a Lexed> {
        let token = self.tokens.get(self.at);
        self.at += usize::from(token.is_some());
        token
    }

    pub fn at_word(&self, word: &str) -> bool {
        self.peek().is_some_and(|token| token.is_word(word))
    }

    pub fn at_symbol(&self, symbol: &str) -> bool {
        self.peek().is_some_and(|token| token.is(symbol))
    }

    /// Takes these words, when all of them come next.
    pub fn words(&mut self, words: &str) -> bool {
        let all = words.split(' ').enumerate();
        let mut count = 0;
        for (ahead, word) in all {
            if !self.ahead(ahead).is_some_and(|token| token.is_word(word)) {
                return false;
            }
            count += 1;
        }
        self.at += count;
        true
    }

    pub fn symbol(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    pub fn expect(&mut self, words: &str) -> Result<(), SqlError> {
        if self.words(words) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    pub fn expect_symbol(&mut self, symbol: &str) -> Result<(), SqlError> {
        if self.symbol(symbol) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// 102 at the token that comes next. A string is not shown: it may be a password.
    pub fn unexpected(&self) -> SqlError {
        let Some(token) = self.peek().or(self.tokens.last()) else {
            return SqlError::syntax("");
        };
        let near = match token.token {
            Token::Text(_) => "a string".to_owned(),
            _ => super::parse_ddl::to_text(std::slice::from_ref(token)),
        };
        SqlError::syntax(&near).at(token.line, None)
    }

    pub fn identifier(&mut self) -> Result<String, SqlError> {
        match self.peek().and_then(Lexed::name) {
            Some(name) => {
                self.at += 1;
                Ok(name.to_owned())
            }
            None => Err(self.unexpected()),
        }
    }

    /// `a`, `a.b`, `a..b`, `a.b.c`.
    pub fn name(&mut self) -> Result<Name, SqlError> {
        let mut parts = vec![self.identifier()?];
        while self.symbol(".") {
            parts.push(if self.at_symbol(".") {
                "dbo".to_owned()
            } else {
                self.identifier()?
            });
        }
        Ok(Name(parts))
    }

    pub fn names(&mut self) -> Result<Vec<Name>, SqlError> {
        let mut names = vec![self.name()?];
        while self.symbol(",") {
            names.push(self.name()?);
        }
        Ok(names)
    }

    pub fn text(&mut self) -> Result<String, SqlError> {
        match self.peek().map(|token| &token.token) {
            Some(Token::Text(text)) => {
                self.at += 1;
                Ok(text.clone())
            }
            _ => Err(self.unexpected()),
        }
    }

    pub fn binary(&mut self) -> Result<Vec<u8>, SqlError> {
        match self.peek().map(|token| &token.token) {
            Some(Token::Binary(bytes)) => {
                self.at += 1;
                Ok(bytes.clone())
            }
            _ => Err(self.unexpected()),
        }
    }

    pub fn variable(&mut self) -> Result<String, SqlError> {
        match self.peek().map(|token| &token.token) {
            Some(Token::Variable(name)) => {
                self.at += 1;
                Ok(name.clone())
            }
            _ => Err(self.unexpected()),
        }
    }

    /// A type, such as `nvarchar(max)` or `[dbo].[x]`, which is refused.
    pub fn column_type(&mut self) -> Result<ColumnType, SqlError> {
        let name = self.name()?;
        let mut args = Vec::new();
        if self.symbol("(") {
            loop {
                match self.advance().map(|token| &token.token) {
                    Some(Token::Number(n)) => args.push(n.parse().unwrap_or(1)),
                    Some(Token::Word(w)) if w.eq_ignore_ascii_case("max") => args.push(-1),
                    _ => return Err(self.unexpected()),
                }
                if !self.symbol(",") {
                    break;
                }
            }
            self.expect_symbol(")")?;
        }
        ColumnType::parse(name.last(), &args).ok_or_else(|| {
            let message = format!("Cannot find data type {}.", name.dotted());
            SqlError::new(2715, 16, message)
        })
    }

    /// The tokens inside the parenthesis that comes next.
    pub fn parenthesised(&mut self) -> Result<Tokens, SqlError> {
        self.expect_symbol("(")?;
        let start = self.at;
        let mut depth = 1;
        while let Some(token) = self.advance() {
            if token.is("(") {
                depth += 1;
            } else if token.is(")") {
                depth -= 1;
                if depth == 0 {
                    return Ok(self.tokens[start..self.at - 1].to_vec());
                }
            }
        }
        Err(self.unexpected())
    }

    /// The tokens up to the end of the statement, or up to a token at this depth that `stop` takes.
    pub fn until(&mut self, stop: impl Fn(&Lexed) -> bool) -> Tokens {
        self.scan(self.at, stop)
    }

    /// The tokens of the statement that began at `start`, up to where it ends or `stop` says so.
    pub fn scan(&mut self, start: usize, stop: impl Fn(&Lexed) -> bool) -> Tokens {
        let (mut depth, mut cases) = (0_i32, 0_i32);
        while let Some(token) = self.peek() {
            if depth == 0 {
                if token.is(";") || (cases == 0 && stop(token)) {
                    break;
                }
                if token.is_word("CASE") {
                    cases += 1;
                } else if token.is_word("END") && cases > 0 {
                    cases -= 1;
                } else if cases == 0 && self.starts_statement(start) {
                    break;
                }
            }
            match token.token {
                Token::Symbol("(") => depth += 1,
                Token::Symbol(")") if depth == 0 => break,
                Token::Symbol(")") => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        self.tokens[start..self.at].to_vec()
    }

    /// Whether the next word starts another statement than the one that began at `start`.
    fn starts_statement(&self, start: usize) -> bool {
        let Some(word) = self.peek().and_then(Lexed::upper) else {
            return false;
        };
        let previous = self
            .at
            .checked_sub(1)
            .filter(|at| *at >= start)
            .map(|at| &self.tokens[at]);
        let after = |words: &[&str]| {
            previous
                .and_then(Lexed::upper)
                .is_some_and(|p| words.contains(&p.as_str()))
        };
        if previous.is_some_and(|token| token.is(".")) || after(&["AS"]) {
            return false;
        }
        match word.as_str() {
            "UPDATE" | "DELETE" => !after(&["FOR", "ON", "AFTER", "BEFORE"]),
            "SELECT" => {
                previous.is_some()
                    && !after(&["UNION", "ALL", "EXCEPT", "INTERSECT"])
                    && !self.select_belongs(start)
            }
            "SET" => !self.set_belongs(start),
            word => STARTERS.contains(&word),
        }
    }

    /// The SELECT that feeds an INSERT, or that follows CTEs, belongs to the statement.
    fn select_belongs(&self, start: usize) -> bool {
        let so_far = &self.tokens[start..self.at];
        let mut depth = 0;
        let selects = so_far.iter().filter(|token| {
            match token.token {
                Token::Symbol("(") => depth += 1,
                Token::Symbol(")") => depth -= 1,
                _ => {}
            }
            depth == 0 && token.is_word("SELECT")
        });
        let opens = |word| so_far.first().is_some_and(|token| token.is_word(word));
        let values = so_far.iter().any(|token| token.is_word("VALUES"));
        selects.count() == 0 && ((opens("INSERT") && !values) || opens("WITH"))
    }

    fn set_belongs(&self, start: usize) -> bool {
        let so_far = &self.tokens[start..self.at];
        let updates = so_far.iter().any(|token| token.is_word("UPDATE"));
        updates && !so_far.iter().any(|token| token.is_word("SET"))
    }
}

/// Splits at a symbol outside parentheses.
pub fn split(tokens: &[Lexed], symbol: &str) -> Vec<Tokens> {
    let mut parts = vec![Vec::new()];
    let mut depth = 0;
    for token in tokens {
        match token.token {
            Token::Symbol("(") => depth += 1,
            Token::Symbol(")") => depth -= 1,
            _ => {}
        }
        if depth == 0 && token.is(symbol) {
            parts.push(Vec::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(token.clone());
        }
    }
    parts
}
