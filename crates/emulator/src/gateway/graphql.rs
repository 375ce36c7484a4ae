//! A reader for GraphQL requests: one operation, fields with arguments and aliases, variables.
//! Fragments and directives are refused.

use std::iter::Peekable;
use std::vec::IntoIter;

use serde_json::{Map, Number, Value};

const DEPTH: usize = 32;

/// Why a request is not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("GraphQL: {0}")]
pub struct GraphqlError(String);

/// The operation that runs.
#[derive(Debug, PartialEq)]
pub struct Operation {
    /// The root type: `Query` or `Mutation`.
    pub kind: &'static str,
    pub fields: Vec<Field>,
}

/// One selected field, its variables replaced by their values.
#[derive(Debug, PartialEq)]
pub struct Field {
    /// The name in the answer: the alias if there is one.
    pub key: String,
    pub name: String,
    pub arguments: Map<String, Value>,
    pub selection: Vec<Field>,
}

/// Reads a document; `name` picks one of several operations.
pub fn parse(text: &str, variables: &Value, name: &Value) -> Result<Operation, GraphqlError> {
    let mut parser = Parser {
        tokens: lex(text)?.into_iter().peekable(),
        variables: Map::new(),
    };
    let mut operations = Vec::new();
    while parser.tokens.peek().is_some() {
        parser.variables = variables.as_object().cloned().unwrap_or_default();
        operations.push(parser.operation()?);
    }
    let wanted = name.as_str();
    let several = operations.len() > 1;
    let mut fitting = operations.into_iter().filter(|(own, _)| match wanted {
        Some(wanted) => own.as_deref() == Some(wanted),
        None => !several,
    });
    let (_, operation) = fitting
        .next()
        .ok_or_else(|| fail("no operation of this name"))?;
    Ok(operation)
}

fn fail(what: impl Into<String>) -> GraphqlError {
    GraphqlError(what.into())
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(Number),
    Mark(char),
}

fn lex(text: &str) -> Result<Vec<Token>, GraphqlError> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            c if c.is_whitespace() || c == ',' || c == '\u{feff}' => {
                chars.next();
            }
            '#' => while chars.next_if(|&c| c != '\n').is_some() {},
            '{' | '}' | '(' | ')' | '[' | ']' | ':' | '!' | '$' | '=' => {
                chars.next();
                tokens.push(Token::Mark(c));
            }
            '"' => {
                chars.next();
                tokens.push(Token::Text(string(&mut chars)?));
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let mut name = String::new();
                while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                }
                tokens.push(Token::Name(name));
            }
            c if c.is_ascii_digit() || c == '-' => {
                let mut digits = String::new();
                let part = |c: &char| c.is_ascii_digit() || "+-.eE".contains(*c);
                while let Some(c) = chars.next_if(part) {
                    digits.push(c);
                }
                let number = serde_json::from_str(&digits)
                    .map_err(|_| fail(format!("`{digits}` is not a number")))?;
                tokens.push(Token::Number(number));
            }
            other => return Err(fail(format!("`{other}` is not supported"))),
        }
    }
    Ok(tokens)
}

fn string(chars: &mut Peekable<std::str::Chars<'_>>) -> Result<String, GraphqlError> {
    let mut out = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' if out.is_empty() && chars.peek() == Some(&'"') => {
                return Err(fail("block strings are not supported"));
            }
            '"' => return Ok(out),
            '\n' => break,
            '\\' => out.push(match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('u') => {
                    let hex: String = chars.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
                    code.ok_or_else(|| fail("a string has a broken escape"))?
                }
                Some(c @ ('"' | '\\' | '/')) => c,
                _ => return Err(fail("a string has a broken escape")),
            }),
            c => out.push(c),
        }
    }
    Err(fail("a string has no end"))
}

struct Parser {
    tokens: Peekable<IntoIter<Token>>,
    variables: Map<String, Value>,
}

impl Parser {
    fn operation(&mut self) -> Result<(Option<String>, Operation), GraphqlError> {
        let mut name = None;
        let kind = match self.tokens.peek() {
            Some(Token::Mark('{')) => "Query",
            _ => match self.name()?.as_str() {
                "query" => "Query",
                "mutation" => "Mutation",
                other => return Err(fail(format!("`{other}` is not supported"))),
            },
        };
        if matches!(self.tokens.peek(), Some(Token::Name(_))) {
            name = Some(self.name()?);
        }
        if self.accept('(') {
            while !self.accept(')') {
                self.variable()?;
            }
        }
        self.expect('{')?;
        let fields = self.selection(0)?;
        Ok((name, Operation { kind, fields }))
    }

    /// `$id: Int! = 1`: only the default matters here; types are the database's to check.
    fn variable(&mut self) -> Result<(), GraphqlError> {
        self.expect('$')?;
        let name = self.name()?;
        self.expect(':')?;
        let mut lists = 0;
        while self.accept('[') {
            lists += 1;
        }
        self.name()?;
        let mut required = self.accept('!');
        for _ in 0..lists {
            self.expect(']')?;
            required = self.accept('!');
        }
        if self.accept('=') {
            let value = self.value(0)?;
            self.variables.entry(name.clone()).or_insert(value);
        }
        if required && self.variables.get(&name).is_none_or(Value::is_null) {
            return Err(fail(format!("the variable `${name}` is required")));
        }
        Ok(())
    }

    fn selection(&mut self, depth: usize) -> Result<Vec<Field>, GraphqlError> {
        if depth > DEPTH {
            return Err(fail("the selection is nested too deeply"));
        }
        let mut fields = Vec::new();
        while !self.accept('}') {
            let mut name = self.name()?;
            let key = name.clone();
            if self.accept(':') {
                name = self.name()?;
            }
            let mut arguments = Map::new();
            if self.accept('(') {
                while !self.accept(')') {
                    let argument = self.name()?;
                    self.expect(':')?;
                    arguments.insert(argument, self.value(0)?);
                }
            }
            let selection = if self.accept('{') {
                self.selection(depth + 1)?
            } else {
                Vec::new()
            };
            fields.push(Field {
                key,
                name,
                arguments,
                selection,
            });
        }
        Ok(fields)
    }

    fn value(&mut self, depth: usize) -> Result<Value, GraphqlError> {
        if depth > DEPTH {
            return Err(fail("a value is nested too deeply"));
        }
        Ok(match self.tokens.next() {
            Some(Token::Text(text)) => Value::String(text),
            Some(Token::Number(number)) => Value::Number(number),
            Some(Token::Name(name)) => match name.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                _ => Value::String(name),
            },
            Some(Token::Mark('$')) => {
                let name = self.name()?;
                self.variables.get(&name).cloned().unwrap_or(Value::Null)
            }
            Some(Token::Mark('[')) => {
                let mut items = Vec::new();
                while !self.accept(']') {
                    items.push(self.value(depth + 1)?);
                }
                Value::Array(items)
            }
            Some(Token::Mark('{')) => {
                let mut fields = Map::new();
                while !self.accept('}') {
                    let name = self.name()?;
                    self.expect(':')?;
                    fields.insert(name, self.value(depth + 1)?);
                }
                Value::Object(fields)
            }
            other => return Err(unexpected(other)),
        })
    }

    fn accept(&mut self, mark: char) -> bool {
        self.tokens.next_if_eq(&Token::Mark(mark)).is_some()
    }

    fn expect(&mut self, mark: char) -> Result<(), GraphqlError> {
        match self.tokens.next() {
            Some(Token::Mark(found)) if found == mark => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    fn name(&mut self) -> Result<String, GraphqlError> {
        match self.tokens.next() {
            Some(Token::Name(name)) => Ok(name),
            other => Err(unexpected(other)),
        }
    }
}

fn unexpected(token: Option<Token>) -> GraphqlError {
    match token {
        None => fail("the request ends too early"),
        Some(Token::Mark(mark)) => fail(format!("`{mark}` is not expected here")),
        Some(Token::Name(name)) => fail(format!("`{name}` is not expected here")),
        Some(_) => fail("a literal is not expected here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn aliases_arguments_variables_and_defaults_are_read() {
        let text = "query Q($id: Int!, $n: [String!] = [\"a\"]) { o: order(id: $id, f: {n: $n, \
                    ok: true}) { id lines { sku } } }";
        let operation = parse(text, &json!({"id": 7}), &Value::Null).unwrap();
        let field = &operation.fields[0];
        assert_eq!((field.key.as_str(), field.name.as_str()), ("o", "order"));
        let expected = json!({"id": 7, "f": {"n": ["a"], "ok": true}});
        assert_eq!(Value::Object(field.arguments.clone()), expected);
        assert_eq!(field.selection[1].selection[0].name, "sku");
    }

    #[test]
    fn one_of_several_operations_is_picked_by_name() {
        let text = "query A { a } mutation B { b }";
        assert_eq!(
            parse(text, &Value::Null, &json!("B")).unwrap().kind,
            "Mutation"
        );
        assert!(parse(text, &Value::Null, &Value::Null).is_err());
    }

    #[test]
    fn broken_requests_are_refused() {
        for text in [
            "{ a(",
            "{ a(id: \"x) }",
            "{ ...f }",
            "query($x: Int!) { a }",
            "{ a } }",
        ] {
            assert!(parse(text, &Value::Null, &Value::Null).is_err(), "{text}");
        }
    }
}
