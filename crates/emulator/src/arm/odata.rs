//! `$filter` of API Management's lists: comparisons, `contains`, `startswith`, `endswith`,
//! `substringof`, `any` and `all` over a list, joined by `and`, `or` and `not` (the `filter`
//! parameters of the specification, 2024-05-01). Texts compare exactly.

use serde_json::Value;

use super::error::ArmError;

/// A parsed filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    /// `a eq b` and its kind.
    Compare(String, Operand, Operand),
    /// `contains(a, b)` and its kind.
    Text(String, Operand, Operand),
    /// `tags/any(t: t eq 'x')`: the list, whether all must fit, the variable, the condition.
    Each(Operand, bool, String, Box<Filter>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    Literal(Value),
    /// A field, with `/` between the steps.
    Field(String),
}

impl Filter {
    /// Whether an entity as a reader sees it passes.
    pub fn passes(&self, body: &Value) -> bool {
        self.holds(body, None)
    }

    fn holds(&self, body: &Value, bound: Option<(&str, &Value)>) -> bool {
        match self {
            Self::And(a, b) => a.holds(body, bound) && b.holds(body, bound),
            Self::Or(a, b) => a.holds(body, bound) || b.holds(body, bound),
            Self::Not(inner) => !inner.holds(body, bound),
            Self::Compare(how, a, b) => compare(how, &a.value(body, bound), &b.value(body, bound)),
            Self::Text(how, a, b) => text(how, &a.value(body, bound), &b.value(body, bound)),
            Self::Each(list, all, name, inner) => {
                let list = list.value(body, bound);
                let mut items = list.as_array().into_iter().flatten();
                let mut fits = |item: &Value| inner.holds(body, Some((name, item)));
                if *all {
                    items.all(fits)
                } else {
                    items.any(&mut fits)
                }
            }
        }
    }
}

impl Operand {
    fn value(&self, body: &Value, bound: Option<(&str, &Value)>) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Field(path) => match bound {
                Some((name, item)) if name == path => item.clone(),
                _ => field(body, path),
            },
        }
    }
}

/// `name` and `id` stand at the top, everything else among the properties; case does not matter.
fn field(body: &Value, path: &str) -> Value {
    let top = ["name", "id", "type", "location"].contains(&path);
    let mut at = if top { body } else { &body["properties"] };
    for step in path.split('/') {
        let fields = at.as_object().into_iter().flatten();
        let found = fields
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(step));
        let Some((_, value)) = found else {
            return Value::Null;
        };
        at = value;
    }
    at.clone()
}

fn compare(how: &str, a: &Value, b: &Value) -> bool {
    let order = match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
        _ => None,
    };
    match (how, order) {
        ("eq", _) => a == b,
        ("ne", _) => a != b,
        ("gt", Some(order)) => order.is_gt(),
        ("ge", Some(order)) => order.is_ge(),
        ("lt", Some(order)) => order.is_lt(),
        ("le", Some(order)) => order.is_le(),
        _ => false,
    }
}

fn text(how: &str, a: &Value, b: &Value) -> bool {
    let (Some(a), Some(b)) = (a.as_str(), b.as_str()) else {
        return false;
    };
    match how {
        "contains" => a.contains(b),
        "startswith" => a.starts_with(b),
        "endswith" => a.ends_with(b),
        // The older spelling has its arguments the other way round.
        _ => b.contains(a),
    }
}

const COMPARISONS: [&str; 6] = ["eq", "ne", "gt", "ge", "lt", "le"];
const FUNCTIONS: [&str; 4] = ["contains", "startswith", "endswith", "substringof"];
/// Parentheses and `not` inside one another; more is no filter that anybody means.
const DEPTH: u32 = 32;
/// The words that may stand in a filter, so that long chains of `and` do not go too deep either.
const LONGEST: usize = 1_000;

/// Parses the text of `$filter`.
pub fn parse(text: &str) -> Result<Filter, ArmError> {
    let refused = || ArmError::validation("$filter", format!("The filter '{text}' is not valid."));
    let tokens = tokens(text).filter(|tokens| tokens.len() <= LONGEST);
    let mut parser = Parser {
        tokens: tokens.ok_or_else(refused)?,
        at: 0,
    };
    let filter = parser.either(0).ok_or_else(refused)?;
    if parser.at == parser.tokens.len() {
        Ok(filter)
    } else {
        Err(refused())
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(&next) = rest.peek() {
        if next.is_whitespace() {
            rest.next();
        } else if "(),:".contains(next) {
            rest.next();
            found.push(Token::Sign(next));
        } else if next == '\'' {
            rest.next();
            found.push(Token::Text(quoted(&mut rest)?));
        } else {
            let mut word = String::new();
            while let Some(c) = rest.next_if(|c| !c.is_whitespace() && !"(),:'".contains(*c)) {
                word.push(c);
            }
            found.push(Token::Word(word));
        }
    }
    Some(found)
}

/// The text up to the closing quote; a doubled one stands for itself.
fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    loop {
        match rest.next()? {
            '\'' if rest.next_if_eq(&'\'').is_none() => return Some(text),
            c => text.push(c),
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn either(&mut self, depth: u32) -> Option<Filter> {
        let mut left = self.both(depth)?;
        while self.word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.both(depth)?));
        }
        Some(left)
    }

    fn both(&mut self, depth: u32) -> Option<Filter> {
        let mut left = self.one(depth)?;
        while self.word("and") {
            left = Filter::And(Box::new(left), Box::new(self.one(depth)?));
        }
        Some(left)
    }

    fn one(&mut self, depth: u32) -> Option<Filter> {
        if depth > DEPTH {
            return None;
        }
        if self.word("not") {
            return Some(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.sign('(') {
            let inner = self.either(depth + 1)?;
            return self.sign(')').then_some(inner);
        }
        let name = match self.tokens.get(self.at)? {
            Token::Word(name) => name.clone(),
            _ => String::new(),
        };
        let called = self.tokens.get(self.at + 1) == Some(&Token::Sign('('));
        match name.rsplit_once('/') {
            Some((list, how @ ("any" | "all"))) if called => self.each(list, how == "all", depth),
            _ if called => self.call(&name.to_lowercase()),
            _ => self.comparison(),
        }
    }

    fn each(&mut self, list: &str, all: bool, depth: u32) -> Option<Filter> {
        self.at += 2;
        let Operand::Field(name) = self.operand()? else {
            return None;
        };
        if !self.sign(':') {
            return None;
        }
        let inner = self.either(depth + 1)?;
        let list = Operand::Field(list.to_owned());
        self.sign(')')
            .then(|| Filter::Each(list, all, name, Box::new(inner)))
    }

    fn call(&mut self, name: &str) -> Option<Filter> {
        self.at += 2;
        let first = self.operand()?;
        let second = self.sign(',').then(|| self.operand())??;
        let known = FUNCTIONS.contains(&name) && self.sign(')');
        known.then(|| Filter::Text(name.to_owned(), first, second))
    }

    fn comparison(&mut self) -> Option<Filter> {
        let left = self.operand()?;
        let how = COMPARISONS.iter().find(|how| self.word(how))?;
        Some(Filter::Compare((*how).to_owned(), left, self.operand()?))
    }

    fn operand(&mut self) -> Option<Operand> {
        let token = self.tokens.get(self.at)?.clone();
        self.at += 1;
        Some(match token {
            Token::Text(text) => Operand::Literal(Value::String(text)),
            Token::Word(word) => match serde_json::from_str::<Value>(&word) {
                Ok(value) => Operand::Literal(value),
                Err(_) => Operand::Field(word),
            },
            Token::Sign(_) => return None,
        })
    }

    fn word(&mut self, wanted: &str) -> bool {
        let is_it = matches!(self.tokens.get(self.at), Some(Token::Word(w)) if w == wanted);
        self.at += usize::from(is_it);
        is_it
    }

    fn sign(&mut self, wanted: char) -> bool {
        let is_it = self.tokens.get(self.at) == Some(&Token::Sign(wanted));
        self.at += usize::from(is_it);
        is_it
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn passes(filter: &str) -> bool {
        let body = json!({"name": "tides", "properties": {
            "displayName": "Tides", "isCurrent": true, "tags": ["red", "it's"], "count": 3,
        }});
        parse(filter).unwrap().passes(&body)
    }

    #[test]
    fn conditions_hold_or_not() {
        for (filter, holds) in [
            ("name eq 'tides'", true),
            ("displayName ne 'Tides'", false),
            ("isCurrent eq true and count ge 3", true),
            (
                "contains(displayName,'ide') and not startswith(name, 'x')",
                true,
            ),
            ("endswith(name,'x') or substringof('id', name)", true),
            ("(name eq 'x' or name eq 'tides') and count lt 3", false),
            ("tags/any(t: t eq 'it''s')", true),
            ("tags/all(t: t eq 'red')", false),
            ("nothing eq null", true),
            ("nothing gt 'a'", false),
        ] {
            assert_eq!(passes(filter), holds, "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let deep = "(".repeat(1_000);
        // As much as fits into an address.
        let long = "''eq''or".repeat(8_000) + "''eq''";
        for filter in [
            "",
            "name",
            "name is 'x'",
            "name eq 'x",
            "name eq 'x' and",
            "f(a,'b')",
            &deep,
            &long,
        ] {
            let error = parse(filter).unwrap_err();
            assert_eq!(error.details[0].0, "$filter", "{filter}");
        }
    }
}
