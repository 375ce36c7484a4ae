//! The value of a tree. Only the branch that is taken is evaluated.

use serde_json::{Map, Value, json};

use super::methods::{self, member};
use super::parse::{Expr, Statement};
use super::{ExpressionError, fail, text_of};

/// What names stand for.
pub struct Scope<'a> {
    pub context: &'a Value,
    pub locals: Map<String, Value>,
}

impl Scope<'_> {
    /// Runs statements until one returns.
    pub fn run(&mut self, statements: &[Statement]) -> Result<Option<Value>, ExpressionError> {
        for statement in statements {
            match statement {
                Statement::Set(name, value) => {
                    let value = self.value(value)?;
                    self.locals.insert(name.clone(), value);
                }
                Statement::Return(value) => return self.value(value).map(Some),
                Statement::If(condition, then, otherwise) => {
                    let taken = if self.truth(condition)? {
                        then
                    } else {
                        otherwise
                    };
                    if let Some(value) = self.run(taken)? {
                        return Ok(Some(value));
                    }
                }
            }
        }
        Ok(None)
    }

    pub fn value(&self, expr: &Expr) -> Result<Value, ExpressionError> {
        match expr {
            Expr::Value(value) => Ok(value.clone()),
            Expr::Name(name) => self.name(name),
            Expr::Member { of, name, safe } => self.member(of, name, *safe),
            Expr::Index(of, index) => self.index(of, index),
            Expr::Call {
                of,
                name,
                generic,
                arguments,
                safe,
            } => {
                let arguments = self.values(arguments)?;
                if let Some(path) = path(of).filter(|path| self.is_type(path)) {
                    return methods::of_type(&path, name, &arguments);
                }
                let value = self.value(of)?;
                if value.is_null() {
                    return null(*safe || is_safe(of), name);
                }
                methods::of_value(&value, name, generic.as_deref(), &arguments)
            }
            Expr::Cast(kind, inner) => cast(kind, self.value(inner)?),
            Expr::New(kind, arguments) => methods::new_object(kind, self.values(arguments)?),
            Expr::Not(inner) => Ok(json!(!self.truth(inner)?)),
            Expr::Minus(inner) => arithmetic("-", &json!(0), &self.value(inner)?),
            Expr::Binary(operator, left, right) => self.binary(operator, left, right),
            Expr::Choice(condition, then, otherwise) => {
                let taken = if self.truth(condition)? {
                    then
                } else {
                    otherwise
                };
                self.value(taken)
            }
            Expr::Joined(parts) => {
                let parts = self.values(parts)?;
                Ok(Value::String(parts.iter().map(text_of).collect()))
            }
        }
    }

    fn values(&self, all: &[Expr]) -> Result<Vec<Value>, ExpressionError> {
        all.iter().map(|one| self.value(one)).collect()
    }

    fn truth(&self, expr: &Expr) -> Result<bool, ExpressionError> {
        match self.value(expr)? {
            Value::Bool(value) => Ok(value),
            _ => fail("A condition is not a boolean."),
        }
    }

    fn name(&self, name: &str) -> Result<Value, ExpressionError> {
        if name == "context" {
            return Ok(self.context.clone());
        }
        match self.locals.get(name) {
            Some(value) => Ok(value.clone()),
            None => fail(format!("'{name}' is not emulated.")),
        }
    }

    /// A dotted name that begins with neither `context` nor a local.
    fn is_type(&self, path: &str) -> bool {
        let first = path.split('.').next().unwrap_or_default();
        first != "context" && !self.locals.contains_key(first)
    }

    fn member(&self, of: &Expr, name: &str, safe: bool) -> Result<Value, ExpressionError> {
        if let Some(path) = path(of).filter(|path| self.is_type(path)) {
            return methods::constant(&path, name, self.context);
        }
        match self.value(of)? {
            Value::Null => null(safe || is_safe(of), name),
            Value::String(text) if name == "Length" => Ok(json!(text.chars().count())),
            Value::Array(items) if matches!(name, "Length" | "Count") => Ok(json!(items.len())),
            Value::Object(fields) if fields.contains_key(name) => Ok(fields[name].clone()),
            _ => fail(format!("The member '{name}' is not emulated.")),
        }
    }

    fn index(&self, of: &Expr, index: &Expr) -> Result<Value, ExpressionError> {
        let index = self.value(index)?;
        match (self.value(of)?, index.as_u64()) {
            (Value::Null, _) => null(is_safe(of), "[…]"),
            (Value::Array(items), Some(at)) => match items.get(at as usize) {
                Some(item) => Ok(item.clone()),
                None => fail("Index was outside the bounds of the array."),
            },
            (object @ Value::Object(_), None) => match member(&object, &text_of(&index)) {
                None if is_dictionary(of) => {
                    fail("The given key was not present in the dictionary.")
                }
                found => Ok(found.cloned().unwrap_or_default()),
            },
            _ => fail("An index of this kind is not emulated."),
        }
    }

    fn binary(&self, operator: &str, left: &Expr, right: &Expr) -> Result<Value, ExpressionError> {
        match operator {
            "&&" => Ok(json!(self.truth(left)? && self.truth(right)?)),
            "||" => Ok(json!(self.truth(left)? || self.truth(right)?)),
            "??" => match self.value(left)? {
                Value::Null => self.value(right),
                value => Ok(value),
            },
            _ => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                match operator {
                    "==" => Ok(json!(equal(&left, &right))),
                    "!=" => Ok(json!(!equal(&left, &right))),
                    "+" if !(left.is_number() && right.is_number()) => {
                        Ok(Value::String(text_of(&left) + &text_of(&right)))
                    }
                    _ => arithmetic(operator, &left, &right),
                }
            }
        }
    }
}

fn null(safe: bool, what: &str) -> Result<Value, ExpressionError> {
    if safe {
        return Ok(Value::Null);
    }
    fail(format!(
        "Object reference not set to an instance of an object (before '{what}')."
    ))
}

/// `a?.b` makes the rest of its chain null as well.
fn is_safe(expr: &Expr) -> bool {
    match expr {
        Expr::Member { of, safe, .. } | Expr::Call { of, safe, .. } => *safe || is_safe(of),
        Expr::Index(of, _) => is_safe(of),
        _ => false,
    }
}

/// Dictionaries of the context refuse a key that they do not have; JSON answers null.
fn is_dictionary(expr: &Expr) -> bool {
    let names = ["Variables", "Headers", "MatchedParameters", "Query"];
    matches!(expr, Expr::Member { name, .. } if names.contains(&name.as_str()))
}

/// `Encoding.UTF8` of `System.Text.Encoding.UTF8`; nothing for what is no dotted name.
fn path(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Name(name) => Some(name.clone()),
        Expr::Member { of, name, .. } => Some(match path(of)?.as_str() {
            // Namespaces are left out.
            "System" | "Text" | "Net" => name.clone(),
            before => format!("{before}.{name}"),
        }),
        _ => None,
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => (left - right).abs() < f64::EPSILON,
        _ => left == right,
    }
}

fn arithmetic(operator: &str, left: &Value, right: &Value) -> Result<Value, ExpressionError> {
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
        let result = match operator {
            "+" => left.checked_add(right),
            "-" => left.checked_sub(right),
            "*" => left.checked_mul(right),
            "/" => left.checked_div(right),
            "%" => left.checked_rem(right),
            _ => return Ok(json!(compare(operator, left.cmp(&right)))),
        };
        return result.map_or_else(|| fail("A calculation has no result."), |n| Ok(json!(n)));
    }
    let (Some(left), Some(right)) = (left.as_f64(), right.as_f64()) else {
        return fail(format!("'{operator}' is emulated for numbers only."));
    };
    Ok(match operator {
        "+" => json!(left + right),
        "-" => json!(left - right),
        "*" => json!(left * right),
        "/" => json!(left / right),
        "%" => json!(left % right),
        _ => json!(
            left.partial_cmp(&right)
                .is_some_and(|order| compare(operator, order))
        ),
    })
}

fn compare(operator: &str, order: std::cmp::Ordering) -> bool {
    match operator {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

/// A cast or a conversion; null stays null.
pub fn cast(kind: &str, value: Value) -> Result<Value, ExpressionError> {
    if value.is_null() {
        return Ok(value);
    }
    let text = text_of(&value);
    let text = text.trim();
    let refused = || ExpressionError(format!("A value cannot be converted to {kind}."));
    match kind {
        "int" | "long" => text.parse::<i64>().map(|n| json!(n)).map_err(|_| refused()),
        "double" | "decimal" => text.parse::<f64>().map(|n| json!(n)).map_err(|_| refused()),
        "bool" => match text.to_lowercase().parse::<bool>() {
            Ok(value) => Ok(json!(value)),
            Err(_) => Err(refused()),
        },
        "string" | "String" => Ok(Value::String(text_of(&value))),
        _ => Ok(value),
    }
}
