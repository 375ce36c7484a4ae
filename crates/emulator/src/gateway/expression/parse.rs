//! From tokens to a tree: expressions, and the few statements that `@{…}` is made of.

use serde_json::{Value, json};

use super::lexer::{Part, Token, tokens};
use super::{ExpressionError, fail};

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Value(Value),
    Name(String),
    Member {
        of: Box<Expr>,
        name: String,
        /// `?.`: null stays null.
        safe: bool,
    },
    Index(Box<Expr>, Box<Expr>),
    Call {
        of: Box<Expr>,
        name: String,
        generic: Option<String>,
        arguments: Vec<Expr>,
        safe: bool,
    },
    Cast(String, Box<Expr>),
    New(String, Vec<Expr>),
    Not(Box<Expr>),
    Minus(Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    /// The parts of an interpolated string.
    Joined(Vec<Expr>),
}

/// A statement of `@{…}`.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// A local that is declared or set.
    Set(String, Expr),
    Return(Expr),
    If(Expr, Vec<Statement>, Vec<Statement>),
}

/// Types that a cast can name.
const TYPES: [&str; 13] = [
    "string",
    "String",
    "int",
    "long",
    "bool",
    "double",
    "decimal",
    "object",
    "IResponse",
    "JObject",
    "JArray",
    "JToken",
    "JValue",
];

/// Binary operators, the loosest first.
const LEVELS: [&[&str]; 6] = [
    &["||"],
    &["&&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["+", "-"],
    &["*", "/", "%"],
];

/// Reads what stands in `@(…)`.
pub fn expression(text: &str) -> Result<Expr, ExpressionError> {
    let mut parser = Parser::new(text)?;
    let expr = parser.expr()?;
    parser.end()?;
    Ok(expr)
}

/// Reads what stands in `@{…}`.
pub fn block(text: &str) -> Result<Vec<Statement>, ExpressionError> {
    let mut parser = Parser::new(text)?;
    let mut statements = Vec::new();
    while parser.at < parser.tokens.len() {
        statements.push(parser.statement()?);
    }
    Ok(statements)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn new(text: &str) -> Result<Self, ExpressionError> {
        let tokens = tokens(text)?;
        Ok(Self { tokens, at: 0 })
    }

    fn end(&self) -> Result<(), ExpressionError> {
        match self.tokens.get(self.at) {
            None => Ok(()),
            Some(token) => fail(format!("{} is not expected here.", shown(token))),
        }
    }

    fn accept(&mut self, mark: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Mark(found)) if *found == mark);
        self.at += usize::from(found);
        found
    }

    fn accept_name(&mut self, name: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Name(found)) if found == name);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, mark: &str) -> Result<(), ExpressionError> {
        if self.accept(mark) {
            return Ok(());
        }
        fail(format!("'{mark}' is missing."))
    }

    fn name(&mut self) -> Option<String> {
        let Some(Token::Name(name)) = self.tokens.get(self.at) else {
            return None;
        };
        self.at += 1;
        Some(name.clone())
    }

    fn statement(&mut self) -> Result<Statement, ExpressionError> {
        if self.accept_name("return") {
            let value = self.expr()?;
            self.expect(";")?;
            return Ok(Statement::Return(value));
        }
        if self.accept_name("if") {
            self.expect("(")?;
            let condition = self.expr()?;
            self.expect(")")?;
            let then = self.branch()?;
            let otherwise = if self.accept_name("else") {
                self.branch()?
            } else {
                Vec::new()
            };
            return Ok(Statement::If(condition, then, otherwise));
        }
        self.assignment()
    }

    /// `var x = …;`, `string x = …;` or `x = …;`.
    fn assignment(&mut self) -> Result<Statement, ExpressionError> {
        let first = self.name();
        let name = self.name().or(first);
        let (Some(name), true) = (name, self.accept("=")) else {
            return fail("A statement is not emulated.");
        };
        let value = self.expr()?;
        self.expect(";")?;
        Ok(Statement::Set(name, value))
    }

    fn branch(&mut self) -> Result<Vec<Statement>, ExpressionError> {
        if !self.accept("{") {
            return Ok(vec![self.statement()?]);
        }
        let mut statements = Vec::new();
        while !self.accept("}") {
            statements.push(self.statement()?);
        }
        Ok(statements)
    }

    fn expr(&mut self) -> Result<Expr, ExpressionError> {
        let condition = self.coalesce()?;
        if !self.accept("?") {
            return Ok(condition);
        }
        let then = self.expr()?;
        self.expect(":")?;
        let otherwise = self.expr()?;
        Ok(Expr::Choice(
            condition.into(),
            then.into(),
            otherwise.into(),
        ))
    }

    fn coalesce(&mut self) -> Result<Expr, ExpressionError> {
        let left = self.binary(0)?;
        if !self.accept("??") {
            return Ok(left);
        }
        let right = self.coalesce()?;
        Ok(Expr::Binary("??", left.into(), right.into()))
    }

    fn binary(&mut self, level: usize) -> Result<Expr, ExpressionError> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = operators.iter().find(|operator| self.accept(operator)) {
            let right = self.binary(level + 1)?;
            left = Expr::Binary(operator, left.into(), right.into());
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, ExpressionError> {
        if self.accept("!") {
            return Ok(Expr::Not(self.unary()?.into()));
        }
        if self.accept("-") {
            return Ok(Expr::Minus(self.unary()?.into()));
        }
        if let Some(kind) = self.cast() {
            return Ok(Expr::Cast(kind, self.unary()?.into()));
        }
        let first = self.primary()?;
        self.members(first)
    }

    /// `(string)` before something that can be cast.
    fn cast(&mut self) -> Option<String> {
        let from = self.at;
        let kind = self.accept("(").then(|| self.name()).flatten();
        let kind = kind.filter(|kind| TYPES.contains(&kind.as_str()));
        let closed = kind.is_some() && self.accept(")");
        let follows = matches!(
            self.tokens.get(self.at),
            Some(Token::Name(_) | Token::Text(_) | Token::Interpolated(_) | Token::Whole(_))
                | Some(Token::Real(_) | Token::Mark("("))
        );
        if closed && follows {
            return kind;
        }
        self.at = from;
        None
    }

    fn primary(&mut self) -> Result<Expr, ExpressionError> {
        if self.accept("(") {
            let inner = self.expr()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let Some(token) = self.tokens.get(self.at).cloned() else {
            return fail("The expression ends too early.");
        };
        self.at += 1;
        Ok(match token {
            Token::Text(text) => Expr::Value(Value::String(text)),
            Token::Interpolated(parts) => joined(parts)?,
            Token::Whole(number) => Expr::Value(json!(number)),
            Token::Real(number) => Expr::Value(json!(number)),
            Token::Name(name) => match name.as_str() {
                "null" => Expr::Value(Value::Null),
                "true" => Expr::Value(json!(true)),
                "false" => Expr::Value(json!(false)),
                "new" => self.new_object()?,
                _ => Expr::Name(name),
            },
            Token::Mark(mark) => return fail(format!("'{mark}' is not expected here.")),
        })
    }

    fn new_object(&mut self) -> Result<Expr, ExpressionError> {
        match self.name() {
            Some(kind) => Ok(Expr::New(kind, self.arguments()?)),
            None => fail("'new' without a type is not emulated."),
        }
    }

    fn members(&mut self, mut of: Expr) -> Result<Expr, ExpressionError> {
        loop {
            let safe = self.accept("?.");
            if safe || self.accept(".") {
                let Some(name) = self.name() else {
                    return fail("A name is missing after '.'.");
                };
                let generic = self.generic();
                let is_call = self.tokens.get(self.at) == Some(&Token::Mark("("));
                of = if is_call {
                    let arguments = self.arguments()?;
                    Expr::Call {
                        of: of.into(),
                        name,
                        generic,
                        arguments,
                        safe,
                    }
                } else {
                    Expr::Member {
                        of: of.into(),
                        name,
                        safe,
                    }
                };
            } else if self.accept("[") {
                let index = self.expr()?;
                self.expect("]")?;
                of = Expr::Index(of.into(), index.into());
            } else {
                return Ok(of);
            }
        }
    }

    /// `<JObject>` before an opening bracket; anything else stays a comparison.
    fn generic(&mut self) -> Option<String> {
        let from = self.at;
        let kind = self.accept("<").then(|| self.name()).flatten();
        // `byte[]` is the only type with marks of its own that bodies are read as.
        let array = self.accept("[") && self.accept("]");
        let closed = kind.is_some() && self.accept(">");
        if closed && self.tokens.get(self.at) == Some(&Token::Mark("(")) {
            return kind.map(|kind| if array { kind + "[]" } else { kind });
        }
        self.at = from;
        None
    }

    fn arguments(&mut self) -> Result<Vec<Expr>, ExpressionError> {
        let mut arguments = Vec::new();
        self.expect("(")?;
        while !self.accept(")") {
            let named = matches!(
                self.tokens.get(self.at..self.at + 2),
                Some([Token::Name(_), Token::Mark(":")])
            );
            self.at += if named { 2 } else { 0 };
            arguments.push(self.expr()?);
            if !self.accept(",") && self.tokens.get(self.at) != Some(&Token::Mark(")")) {
                return fail("A bracket is not closed.");
            }
        }
        Ok(arguments)
    }
}

fn joined(parts: Vec<Part>) -> Result<Expr, ExpressionError> {
    let parts = parts.into_iter().map(|part| match part {
        Part::Text(text) => Ok(Expr::Value(Value::String(text))),
        Part::Source(source) => expression(&source),
    });
    parts.collect::<Result<_, _>>().map(Expr::Joined)
}

/// A token for a message. Texts may be secrets.
fn shown(token: &Token) -> String {
    match token {
        Token::Name(name) => format!("'{name}'"),
        Token::Mark(mark) => format!("'{mark}'"),
        _ => "A literal".into(),
    }
}
