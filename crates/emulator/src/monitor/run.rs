//! Rows through the steps of a query. Times are text and compare as such: all have one form.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::lexer::QueryError;
use super::parse::{Expr, Step};
use crate::clock::Clock;

/// Values by column.
pub type Row = Map<String, Value>;

/// Rows with named columns.
pub struct Table {
    /// Name and type, in order.
    pub columns: Vec<(String, &'static str)>,
    pub rows: Vec<Row>,
}

/// Carries the steps out; `now` is the time that `ago` counts from.
pub fn run(mut table: Table, steps: &[Step], now: i64) -> Result<Table, QueryError> {
    for step in steps {
        table = table.step(step, now)?;
    }
    Ok(table)
}

impl Table {
    fn step(mut self, step: &Step, now: i64) -> Result<Self, QueryError> {
        match step {
            Step::Where(condition) => {
                self.check(condition)?;
                self.rows.retain(|row| holds(&value(condition, row, now)));
                Ok(self)
            }
            Step::Project(columns) => self.project(columns, false, now),
            Step::Extend(columns) => self.project(columns, true, now),
            Step::Summarize(aggregates, by) => self.summarize(aggregates, by, now),
            Step::Order(columns) => {
                for (column, _) in columns {
                    self.check(column)?;
                }
                self.rows.sort_by(|a, b| {
                    let orders = columns.iter().map(|(column, falls)| {
                        let order = compare(&value(column, a, now), &value(column, b, now));
                        if *falls { order.reverse() } else { order }
                    });
                    orders.fold(Ordering::Equal, Ordering::then)
                });
                Ok(self)
            }
            Step::Take(count) => {
                self.rows.truncate(*count);
                Ok(self)
            }
            Step::Count => {
                let count = Map::from_iter([("Count".to_owned(), json!(self.rows.len()))]);
                Ok(Self {
                    columns: vec![("Count".to_owned(), "long")],
                    rows: vec![count],
                })
            }
        }
    }

    /// Every column has to be there; aggregates belong to `summarize`.
    fn check(&self, expression: &Expr) -> Result<(), QueryError> {
        match expression {
            Expr::Literal(_) => Ok(()),
            Expr::Column(name) if self.columns.iter().any(|(known, _)| known == name) => Ok(()),
            Expr::Column(name) => Err(QueryError::Unknown(name.clone())),
            Expr::Apply(name, _) if is_aggregate(name) => Err(QueryError::Unknown(name.clone())),
            Expr::Apply(_, operands) => operands.iter().try_for_each(|one| self.check(one)),
        }
    }

    fn type_of(&self, expression: &Expr) -> &'static str {
        let column = |name: &String| self.columns.iter().find(|(known, _)| known == name);
        match expression {
            Expr::Column(name) => column(name).map_or("string", |(_, found)| found),
            Expr::Literal(Value::Number(_)) => "long",
            Expr::Apply(name, _) if matches!(name.as_str(), "count" | "countif" | "dcount") => {
                "long"
            }
            Expr::Apply(name, operands) if matches!(name.as_str(), "min" | "max") => operands
                .first()
                .map_or("string", |operand| self.type_of(operand)),
            Expr::Apply(name, _) if matches!(name.as_str(), "ago" | "now") => "datetime",
            Expr::Apply(name, _) if name.starts_with("to") => "string",
            Expr::Apply(..) | Expr::Literal(Value::Bool(_)) => "bool",
            Expr::Literal(_) => "string",
        }
    }

    fn project(
        mut self,
        columns: &[(String, Expr)],
        keep: bool,
        now: i64,
    ) -> Result<Self, QueryError> {
        let mut shown = Vec::new();
        for (name, expression) in columns {
            self.check(expression)?;
            shown.push((name.clone(), self.type_of(expression)));
        }
        for row in &mut self.rows {
            let made = columns
                .iter()
                .map(|(name, expression)| (name.clone(), value(expression, row, now)));
            let made: Row = made.collect();
            if keep {
                row.extend(made);
            } else {
                *row = made;
            }
        }
        if keep {
            let is_new = |name: &String| !shown.iter().any(|(made, _)| made == name);
            self.columns.retain(|(name, _)| is_new(name));
            self.columns.extend(shown);
        } else {
            self.columns = shown;
        }
        Ok(self)
    }

    fn summarize(
        self,
        aggregates: &[(String, Expr)],
        by: &[(String, Expr)],
        now: i64,
    ) -> Result<Self, QueryError> {
        for (_, expression) in by {
            self.check(expression)?;
        }
        for (column, expression) in aggregates {
            match expression {
                Expr::Apply(name, operands) if is_aggregate(name) => {
                    operands.iter().try_for_each(|one| self.check(one))?;
                }
                _ => {
                    let what = format!("{column} without an aggregate");
                    return Err(QueryError::Unknown(what));
                }
            }
        }
        let named = by.iter().chain(aggregates);
        let columns = named
            .map(|(name, expression)| (name.clone(), self.type_of(expression)))
            .collect();
        let mut groups: BTreeMap<String, (Row, Vec<&Row>)> = BTreeMap::new();
        // Without `by` there is one group, even of no rows.
        if by.is_empty() {
            groups.insert(json!({}).to_string(), (Map::new(), Vec::new()));
        }
        for row in &self.rows {
            let key: Row = by
                .iter()
                .map(|(name, expression)| (name.clone(), value(expression, row, now)))
                .collect();
            groups
                .entry(json!(key).to_string())
                .or_insert_with(|| (key, Vec::new()))
                .1
                .push(row);
        }
        let rows = groups.into_values().map(|(mut row, members)| {
            for (name, expression) in aggregates {
                row.insert(name.clone(), aggregate(expression, &members, now));
            }
            row
        });
        Ok(Self {
            columns,
            rows: rows.collect(),
        })
    }
}

fn is_aggregate(name: &str) -> bool {
    matches!(name, "count" | "countif" | "dcount" | "min" | "max")
}

fn aggregate(expression: &Expr, rows: &[&Row], now: i64) -> Value {
    let Expr::Apply(name, operands) = expression else {
        return Value::Null;
    };
    let operand = operands.first().unwrap_or(&Expr::Literal(Value::Null));
    let mut values: Vec<Value> = rows.iter().map(|row| value(operand, row, now)).collect();
    match name.as_str() {
        "count" => json!(values.len()),
        "countif" => json!(values.iter().filter(|value| holds(value)).count()),
        "dcount" => {
            values.sort_by(compare);
            values.dedup_by(|a, b| compare(a, b).is_eq());
            json!(values.len())
        }
        "min" => values.into_iter().min_by(compare).unwrap_or_default(),
        _ => values.into_iter().max_by(compare).unwrap_or_default(),
    }
}

fn holds(value: &Value) -> bool {
    *value == json!(true)
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => text(a).cmp(&text(b)),
    }
}

/// What an expression is for a row; columns have been checked.
fn value(expression: &Expr, row: &Row, now: i64) -> Value {
    match expression {
        Expr::Literal(value) => value.clone(),
        Expr::Column(name) => row.get(name).cloned().unwrap_or_default(),
        Expr::Apply(name, operands) => {
            let values: Vec<Value> = operands.iter().map(|one| value(one, row, now)).collect();
            apply(name, &values, now)
        }
    }
}

fn apply(name: &str, values: &[Value], now: i64) -> Value {
    if let Some(negated) = name
        .strip_prefix('!')
        .filter(|name| !name.starts_with(['=', '~']))
    {
        return json!(!holds(&apply(negated, values, now)));
    }
    let (none, first) = (Value::Null, values.first());
    let (a, b) = (first.unwrap_or(&none), values.get(1).unwrap_or(&none));
    let (low_a, low_b) = (text(a).to_lowercase(), text(b).to_lowercase());
    let order = compare(a, b);
    json!(match name {
        "and" => holds(a) && holds(b),
        "or" => holds(a) || holds(b),
        "not" => !holds(a),
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "=~" => low_a == low_b,
        "!~" => low_a != low_b,
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        "in" => values.iter().skip(1).any(|one| compare(a, one).is_eq()),
        "between" => {
            let end = values.get(2).unwrap_or(&none);
            order.is_ge() && compare(a, end).is_le()
        }
        "has" => has_term(&low_a, &low_b),
        "contains" => low_a.contains(&low_b),
        "startswith" => low_a.starts_with(&low_b),
        "endswith" => low_a.ends_with(&low_b),
        "isempty" => low_a.is_empty(),
        "isnotempty" => !low_a.is_empty(),
        "ago" => return json!(Clock::iso_of(now - a.as_i64().unwrap_or_default())),
        "now" => return json!(Clock::iso_of(now)),
        "tolower" => return json!(low_a),
        "toupper" => return json!(text(a).to_uppercase()),
        _ => return json!(text(a)),
    })
}

/// Whether a term stands in a text with no letter or digit beside it.
fn has_term(text: &str, term: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(term).any(|(at, found)| {
        let (before, after) = (&text[..at], &text[at + found.len()..]);
        !is_part(before.chars().next_back()) && !is_part(after.chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn rows(query: &str) -> Result<Vec<Value>, QueryError> {
        let row = |who: &str, n: i64, at: &str| {
            let row = json!({"who": who, "n": n, "at": at});
            row.as_object().cloned().unwrap_or_default()
        };
        let table = Table {
            columns: vec![
                ("who".into(), "string"),
                ("n".into(), "real"),
                ("at".into(), "datetime"),
            ],
            rows: vec![
                row("ana", 1, "2026-01-31T08:00:00Z"),
                row("Ana", 2, "2026-01-31T09:00:00Z"),
                row("bo", 3, "2026-01-31T10:00:00Z"),
            ],
        };
        // 2026-01-31T10:00:00Z
        let done = run(table, &parse(query)?.steps, 1_769_853_600)?;
        Ok(done.rows.into_iter().map(Value::Object).collect())
    }

    #[test]
    fn conditions_mean_what_they_mean_in_azure() {
        for (condition, count) in [
            ("who == 'ana'", 1),
            ("who =~ 'ANA'", 2),
            ("who !in ('ana', 'bo')", 1),
            ("n >= 2 and not(who has 'bo')", 1),
            ("n == 1 or n == 3", 2),
            ("at > ago(90m)", 2),
            ("at between (datetime(2026-01-31T08:30:00Z) .. now())", 2),
            ("who contains 'n' and who !startswith 'A'", 0),
            ("isempty(who)", 0),
            ("who !endswith 'A'", 1),
            ("n !between (1 .. 2)", 1),
        ] {
            assert_eq!(
                rows(&format!("T | where {condition}")).unwrap().len(),
                count,
                "{condition}"
            );
        }
    }

    #[test]
    fn rows_are_put_together_and_sorted() {
        let query = "T | summarize n = count(), last = max(at) by who = tolower(who) | order by n";
        let expected = json!([
            {"who": "ana", "n": 2, "last": "2026-01-31T09:00:00Z"},
            {"who": "bo", "n": 1, "last": "2026-01-31T10:00:00Z"},
        ]);
        assert_eq!(json!(rows(query).unwrap()), expected);
        let counted = rows("T | where n > 9 | summarize countif(n > 1)").unwrap();
        assert_eq!(json!(counted), json!([{"countif_": 0}]));
    }

    #[test]
    fn a_column_that_is_not_there_is_an_error() {
        for query in [
            "T | where x == 1",
            "T | project who | where n == 1",
            "T | where count() > 1",
        ] {
            assert!(
                matches!(rows(query), Err(QueryError::Unknown(_))),
                "{query}"
            );
        }
    }
}
