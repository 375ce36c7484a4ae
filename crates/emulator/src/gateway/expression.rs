//! The policy expressions that resolvers use: `@(…)` over strings, numbers, `context`, casts,
//! `.ToString()`, `GetValueOrDefault`, `+` and `??`. Anything else is refused, never guessed.

use serde_json::{Value, json};

/// Why an expression has no value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Expression evaluation failed. {0}")]
pub struct ExpressionError(String);

fn fail<T>(what: impl Into<String>) -> Result<T, ExpressionError> {
    Err(ExpressionError(what.into()))
}

/// Evaluates `@(…)` with `context` as a tree of values.
pub fn evaluate(text: &str, context: &Value) -> Result<Value, ExpressionError> {
    let inner = text
        .trim()
        .strip_prefix("@(")
        .and_then(|text| text.strip_suffix(')'));
    let Some(inner) = inner else {
        return fail("Only expressions of the form @(…) are emulated.");
    };
    let mut parser = Parser {
        text: inner,
        context,
    };
    let value = parser.coalesce()?;
    parser.skip();
    if parser.text.is_empty() {
        Ok(value)
    } else {
        fail("The expression is not emulated.")
    }
}

struct Parser<'a> {
    text: &'a str,
    context: &'a Value,
}

impl Parser<'_> {
    fn coalesce(&mut self) -> Result<Value, ExpressionError> {
        let mut value = self.sum()?;
        while self.accept("??") {
            let other = self.sum()?;
            if value.is_null() {
                value = other;
            }
        }
        Ok(value)
    }

    fn sum(&mut self) -> Result<Value, ExpressionError> {
        let mut value = self.unary()?;
        while self.accept("+") {
            let other = self.unary()?;
            value = match (value.as_i64(), other.as_i64()) {
                (Some(a), Some(b)) => json!(a.wrapping_add(b)),
                _ => Value::String(text_of(&value) + &text_of(&other)),
            };
        }
        Ok(value)
    }

    /// A cast binds what follows it, with its members.
    fn unary(&mut self) -> Result<Value, ExpressionError> {
        for kind in ["string", "int", "long", "bool", "double", "decimal"] {
            let before = self.text;
            if self.accept("(") && self.accept(kind) && self.accept(")") {
                let value = self.unary()?;
                return cast(kind, value);
            }
            self.text = before;
        }
        let value = self.primary()?;
        self.members(value)
    }

    fn primary(&mut self) -> Result<Value, ExpressionError> {
        self.skip();
        let first = self.text.chars().next().unwrap_or(' ');
        if self.accept("(") {
            let value = self.coalesce()?;
            return if self.accept(")") {
                Ok(value)
            } else {
                fail("A bracket is not closed.")
            };
        }
        if first == '"' || self.text.starts_with("@\"") {
            return self.string().map(Value::String);
        }
        if first.is_ascii_digit() {
            let end = self
                .text
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(self.text.len());
            let (digits, rest) = self.text.split_at(end);
            self.text = rest;
            let number = digits
                .parse::<i64>()
                .map_err(|_| ExpressionError("Too large.".into()))?;
            return Ok(json!(number));
        }
        match self.name().as_str() {
            "context" => Ok(self.context.clone()),
            "null" => Ok(Value::Null),
            "true" => Ok(json!(true)),
            "false" => Ok(json!(false)),
            "Convert" => self.convert(),
            other => fail(format!("'{other}' is not emulated.")),
        }
    }

    /// `Convert.ToInt32(x)` and `Convert.ToString(x)`.
    fn convert(&mut self) -> Result<Value, ExpressionError> {
        if !self.accept(".") {
            return fail("'Convert' stands alone.");
        }
        let kind = match self.name().as_str() {
            "ToInt32" => "int",
            "ToInt64" => "long",
            "ToString" => "string",
            other => return fail(format!("'Convert.{other}' is not emulated.")),
        };
        let arguments = self.arguments()?;
        cast(kind, arguments.into_iter().next().unwrap_or_default())
    }

    fn members(&mut self, mut value: Value) -> Result<Value, ExpressionError> {
        loop {
            if self.accept("[") {
                let index = self.coalesce()?;
                if !self.accept("]") {
                    return fail("A bracket is not closed.");
                }
                value = match index.as_u64() {
                    Some(at) => value.get(at as usize).cloned().unwrap_or_default(),
                    None => member(&value, &text_of(&index)),
                };
            } else if self.accept("?.") || self.accept(".") {
                let name = self.name();
                value = match name.as_str() {
                    "ToString" => {
                        self.arguments()?;
                        Value::String(text_of(&value))
                    }
                    "GetValueOrDefault" => {
                        let arguments = self.arguments()?;
                        let name = arguments.first().map(text_of).unwrap_or_default();
                        match member(&value, &name) {
                            Value::Null => arguments.get(1).cloned().unwrap_or(json!("")),
                            found => found,
                        }
                    }
                    _ if self.text.trim_start().starts_with('(') => {
                        return fail(format!("The method '{name}' is not emulated."));
                    }
                    _ => member(&value, &name),
                };
            } else {
                return Ok(value);
            }
        }
    }

    fn arguments(&mut self) -> Result<Vec<Value>, ExpressionError> {
        let mut arguments = Vec::new();
        if !self.accept("(") {
            return fail("A method is called with brackets.");
        }
        while !self.accept(")") {
            arguments.push(self.coalesce()?);
            self.accept(",");
            if self.text.is_empty() {
                return fail("A bracket is not closed.");
            }
        }
        Ok(arguments)
    }

    fn string(&mut self) -> Result<String, ExpressionError> {
        let verbatim = self.text.starts_with('@');
        let mut chars = self.text[if verbatim { 2 } else { 1 }..]
            .char_indices()
            .peekable();
        let base = if verbatim { 2 } else { 1 };
        let mut out = String::new();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' if verbatim && chars.next_if(|(_, c)| *c == '"').is_some() => out.push('"'),
                '"' => {
                    self.text = &self.text[base + at + 1..];
                    return Ok(out);
                }
                '\\' if !verbatim => match chars.next().map(|(_, c)| c) {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some(c @ ('"' | '\\' | '\'')) => out.push(c),
                    _ => return fail("A string has an escape that is not emulated."),
                },
                c => out.push(c),
            }
        }
        fail("A string has no end.")
    }

    fn name(&mut self) -> String {
        self.skip();
        let end = self
            .text
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(self.text.len());
        let (name, rest) = self.text.split_at(end);
        self.text = rest;
        name.to_owned()
    }

    fn accept(&mut self, what: &str) -> bool {
        self.skip();
        match self.text.strip_prefix(what) {
            Some(rest) => {
                self.text = rest;
                true
            }
            None => false,
        }
    }

    fn skip(&mut self) {
        self.text = self.text.trim_start();
    }
}

/// A member by its name; headers and arguments alike compare without case.
fn member(value: &Value, name: &str) -> Value {
    let fields = value.as_object();
    let found = fields.and_then(|fields| fields.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)));
    found.map_or(Value::Null, |(_, value)| value.clone())
}

/// A value as text: nothing for null, no quotes for strings.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => other.to_string(),
    }
}

fn cast(kind: &str, value: Value) -> Result<Value, ExpressionError> {
    if value.is_null() {
        return Ok(value);
    }
    let text = text_of(&value);
    let refused = || ExpressionError(format!("A value cannot be converted to {kind}."));
    match kind {
        "int" | "long" => text
            .trim()
            .parse::<i64>()
            .map(|n| json!(n))
            .map_err(|_| refused()),
        "double" | "decimal" => text
            .trim()
            .parse::<f64>()
            .map(|n| json!(n))
            .map_err(|_| refused()),
        "bool" => text
            .to_lowercase()
            .parse::<bool>()
            .map(|b| json!(b))
            .map_err(|_| refused()),
        _ => Ok(Value::String(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Value, ExpressionError> {
        let context = json!({"GraphQL": {"Arguments": {"id": 7, "name": "a\"b"}},
            "RequestId": "r", "Request": {"Headers": {"X-Id": "h"}}});
        evaluate(text, &context)
    }

    #[test]
    fn arguments_casts_and_methods_have_their_values() {
        let id = "context.GraphQL.Arguments[\"id\"]";
        assert_eq!(value(&format!("@({id})")), Ok(json!(7)));
        assert_eq!(value(&format!("@({id}.ToString())")), Ok(json!("7")));
        assert_eq!(value(&format!("@((string){id})")), Ok(json!("7")));
        assert_eq!(value(&format!("@((int){id} + 1)")), Ok(json!(8)));
        assert_eq!(
            value(&format!("@(((string){id}) + \"-\" + context.RequestId)")),
            Ok(json!("7-r"))
        );
        assert_eq!(
            value("@(context.GraphQL.Arguments[\"none\"] ?? 5)"),
            Ok(json!(5))
        );
        let header = "@(context.Request.Headers.GetValueOrDefault(\"x-id\", \"\"))";
        assert_eq!(value(header), Ok(json!("h")));
        assert_eq!(value("@(Convert.ToInt32(\"12\"))"), Ok(json!(12)));
    }

    #[test]
    fn what_is_not_emulated_is_refused() {
        for text in [
            "@{ return 1; }",
            "@(1",
            "@(Guid.NewGuid())",
            "@(context.X.Substring(1))",
        ] {
            assert!(value(text).is_err(), "{text}");
        }
    }
}
