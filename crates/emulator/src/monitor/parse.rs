//! A query: a table and the steps that its rows go through.

use serde_json::{Value, json};

use super::lexer::{QueryError, Token, lex, syntax};

#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub table: String,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Where(Expr),
    /// Columns by their names; the others go, or stay for `extend`.
    Project(Vec<(String, Expr)>),
    Extend(Vec<(String, Expr)>),
    /// Aggregates, and what rows are put together by.
    Summarize(Vec<(String, Expr)>, Vec<(String, Expr)>),
    /// Columns, each with whether the largest comes first.
    Order(Vec<(Expr, bool)>),
    Take(usize),
    Count,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Column(String),
    Literal(Value),
    /// An operator or a function with its operands.
    Apply(String, Vec<Expr>),
}

pub fn parse(text: &str) -> Result<Query, QueryError> {
    let tokens = lex(text)?;
    if tokens.len() > LONGEST {
        let long = format!("a query of more than {LONGEST} words");
        return Err(QueryError::Unknown(long));
    }
    let mut parser = Parser {
        tokens,
        at: 0,
        depth: 0,
    };
    let table = parser.name()?;
    let mut steps = Vec::new();
    while parser.symbol("|") {
        steps.push(parser.step()?);
    }
    match parser.peek() {
        None => Ok(Query { table, steps }),
        Some(_) => Err(parser.wrong()),
    }
}

/// The comparisons that are written between their operands.
const BETWEEN: [&str; 20] = [
    "==",
    "!=",
    "=~",
    "!~",
    ">=",
    "<=",
    ">",
    "<",
    "has",
    "!has",
    "contains",
    "!contains",
    "startswith",
    "!startswith",
    "endswith",
    "!endswith",
    "in",
    "!in",
    "between",
    "!between",
];
/// Aggregates and functions.
const FUNCTIONS: [&str; 13] = [
    "ago",
    "now",
    "tolower",
    "toupper",
    "tostring",
    "isempty",
    "isnotempty",
    "not",
    "count",
    "countif",
    "dcount",
    "min",
    "max",
];

/// The brackets that may be open at once.
const DEEPEST: usize = 64;
/// The words that may stand in a query, so that long chains of `and` do not go too deep either.
const LONGEST: usize = 1_000;

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// How many brackets are open.
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn wrong(&self) -> QueryError {
        match self.peek() {
            Some(Token::Word(word)) => syntax(word),
            Some(Token::Literal(value)) => syntax(&value.to_string()),
            Some(Token::Symbol(symbol)) => syntax(symbol),
            None => syntax("the end"),
        }
    }

    fn symbol(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(symbol)) if *symbol == wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &str) -> Result<(), QueryError> {
        if self.symbol(wanted) {
            Ok(())
        } else {
            Err(self.wrong())
        }
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word)) if word == wanted);
        self.at += usize::from(found);
        found
    }

    fn name(&mut self) -> Result<String, QueryError> {
        let Some(Token::Word(name)) = self.peek() else {
            return Err(self.wrong());
        };
        let name = name.clone();
        self.at += 1;
        Ok(name)
    }

    fn step(&mut self) -> Result<Step, QueryError> {
        let name = self.name()?;
        Ok(match name.as_str() {
            "where" | "filter" => Step::Where(self.or()?),
            "project" => Step::Project(self.columns()?),
            "extend" => Step::Extend(self.columns()?),
            "distinct" => Step::Summarize(Vec::new(), self.columns()?),
            "summarize" => self.summarize()?,
            "order" | "sort" => {
                if !self.word("by") {
                    return Err(self.wrong());
                }
                Step::Order(self.order()?)
            }
            "take" | "limit" => Step::Take(self.whole()?),
            "count" => Step::Count,
            _ => return Err(QueryError::Unknown(name)),
        })
    }

    fn summarize(&mut self) -> Result<Step, QueryError> {
        let aggregates = match self.peek() {
            Some(Token::Word(word)) if word == "by" => Vec::new(),
            _ => self.columns()?,
        };
        let by = if self.word("by") {
            self.columns()?
        } else {
            Vec::new()
        };
        Ok(Step::Summarize(aggregates, by))
    }

    fn whole(&mut self) -> Result<usize, QueryError> {
        let number = match self.peek() {
            Some(Token::Literal(value)) => value.as_u64(),
            _ => None,
        };
        let number = number.and_then(|number| usize::try_from(number).ok());
        let number = number.ok_or_else(|| self.wrong())?;
        self.at += 1;
        Ok(number)
    }

    /// `a, b = f(c)`: what has no name gets one from the expression, as the service gives it.
    fn columns(&mut self) -> Result<Vec<(String, Expr)>, QueryError> {
        let mut columns = Vec::new();
        loop {
            let named = matches!(self.tokens.get(self.at + 1), Some(Token::Symbol("=")));
            let name = if named { Some(self.name()?) } else { None };
            self.at += usize::from(named);
            let expression = self.or()?;
            let name = name.unwrap_or_else(|| name_of(&expression));
            columns.push((name, expression));
            if !self.symbol(",") {
                return Ok(columns);
            }
        }
    }

    fn order(&mut self) -> Result<Vec<(Expr, bool)>, QueryError> {
        let mut columns = Vec::new();
        loop {
            let expression = self.primary()?;
            let falls = self.word("desc") || !self.word("asc");
            columns.push((expression, falls));
            if !self.symbol(",") {
                return Ok(columns);
            }
        }
    }

    fn or(&mut self) -> Result<Expr, QueryError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong());
        }
        let either = self.either();
        self.depth -= 1;
        either
    }

    fn either(&mut self) -> Result<Expr, QueryError> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Expr::Apply("or".into(), vec![left, self.and()?]);
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, QueryError> {
        let mut left = self.comparison()?;
        while self.word("and") {
            left = Expr::Apply("and".into(), vec![left, self.comparison()?]);
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Expr, QueryError> {
        let left = self.primary()?;
        let operator = match self.peek() {
            Some(Token::Symbol(symbol)) => (*symbol).to_owned(),
            Some(Token::Word(word)) => word.clone(),
            _ => return Ok(left),
        };
        if !BETWEEN.contains(&operator.as_str()) {
            return Ok(left);
        }
        self.at += 1;
        let mut operands = vec![left];
        match operator.as_str() {
            "in" | "!in" => {
                self.expect("(")?;
                operands.extend(self.list()?);
            }
            "between" | "!between" => {
                self.expect("(")?;
                operands.push(self.primary()?);
                self.expect("..")?;
                operands.push(self.primary()?);
                self.expect(")")?;
            }
            _ => operands.push(self.primary()?),
        }
        Ok(Expr::Apply(operator, operands))
    }

    /// Expressions up to the closing bracket.
    fn list(&mut self) -> Result<Vec<Expr>, QueryError> {
        let mut items = Vec::new();
        if self.symbol(")") {
            return Ok(items);
        }
        loop {
            items.push(self.or()?);
            if !self.symbol(",") {
                self.expect(")")?;
                return Ok(items);
            }
        }
    }

    fn primary(&mut self) -> Result<Expr, QueryError> {
        if self.symbol("(") {
            let inner = self.or()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if let Some(Token::Literal(value)) = self.peek() {
            let value = value.clone();
            self.at += 1;
            return Ok(Expr::Literal(value));
        }
        let name = self.name()?;
        match name.as_str() {
            "true" | "false" => return Ok(Expr::Literal(json!(name == "true"))),
            _ if !self.symbol("(") => return Ok(Expr::Column(name)),
            _ => {}
        }
        if !FUNCTIONS.contains(&name.as_str()) {
            return Err(QueryError::Unknown(name));
        }
        Ok(Expr::Apply(name, self.list()?))
    }
}

/// `count_` for `count()`, `dcount_a` for `dcount(a)`, `a` for `a`.
fn name_of(expression: &Expr) -> String {
    match expression {
        Expr::Column(name) => name.clone(),
        Expr::Literal(_) => "Column1".to_owned(),
        Expr::Apply(function, operands) => match operands.first() {
            Some(Expr::Column(column)) => format!("{function}_{column}"),
            _ => format!("{function}_"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_one_another() {
        let query = parse(
            "T | where a == 'x' and b in ('y', 'z') | summarize n = count(), dcount(c) by d \
             | order by n desc | take 5",
        )
        .unwrap();
        assert_eq!((query.table.as_str(), query.steps.len()), ("T", 4));
        let Step::Summarize(aggregates, by) = &query.steps[1] else {
            panic!("{query:?}");
        };
        assert_eq!(
            (aggregates[0].0.as_str(), aggregates[1].0.as_str()),
            ("n", "dcount_c")
        );
        assert_eq!(by[0].0, "d");
    }

    #[test]
    fn what_is_not_emulated_is_named() {
        let join = parse("T | join U on a");
        assert_eq!(join, Err(QueryError::Unknown("join".into())));
        let function = parse("T | where parse_json(a) == 1");
        assert_eq!(function, Err(QueryError::Unknown("parse_json".into())));
        assert!(parse("T | where a ==").is_err());
    }
}
