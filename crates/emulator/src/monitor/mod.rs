//! `api.loganalytics.localhost`: the query endpoint of Log Analytics (azure-facts E.3), with the
//! tables that the emulator writes. Every workspace holds the same rows; of these a caller sees the
//! ones of resources whose logs it may read.

mod lexer;
mod parse;
mod run;
mod tables;

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::directory::Claims;
use crate::estate::Estate;
use crate::http::{Request, Response};
use lexer::QueryError;
use parse::{Expr, Step};

const AUDIENCE: &str = "https://api.loganalytics.azure.com";

/// Answers a request to the query endpoint.
pub fn answer(estate: &Estate, request: &Request) -> Response {
    let token = request.bearer().unwrap_or_default();
    let Ok(claims) = estate.directory.verify(token, &[AUDIENCE]) else {
        let message = "The access token is missing, has expired or is for another audience.";
        return refused(401, "InvalidTokenError", "TokenError", message);
    };
    let segments = request.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let body = request.json().unwrap_or_default();
    let (query, timespan) = match (request.verb.as_str(), path.as_slice()) {
        ("POST", ["v1", "workspaces", _, "query"]) => {
            (body["query"].as_str(), body["timespan"].as_str())
        }
        ("GET", ["v1", "workspaces", _, "query"]) => {
            (request.query("query"), request.query("timespan"))
        }
        _ => {
            return refused(
                404,
                "PathNotFoundError",
                "PathNotFound",
                "Not a known path.",
            );
        }
    };
    let Some(query) = query else {
        return bad("The request names no query.");
    };
    match asked(estate, &claims, query, timespan) {
        Ok(table) => shown(table),
        Err(error) => bad(&error.to_string()),
    }
}

fn asked(
    estate: &Estate,
    claims: &Claims,
    query: &str,
    timespan: Option<&str>,
) -> Result<run::Table, QueryError> {
    let parse::Query { table, mut steps } = parse::parse(query)?;
    let now = estate.clock.now();
    if let Some(timespan) = timespan {
        let (from, to) = span(timespan, now).ok_or_else(|| lexer::syntax(timespan))?;
        let time = Expr::Column("TimeGenerated".into());
        let ends = [from, to].map(|end| Expr::Literal(json!(end)));
        let between = [time].into_iter().chain(ends).collect();
        steps.insert(0, Step::Where(Expr::Apply("between".into(), between)));
    }
    let table = tables::find(estate, claims, &table).ok_or(QueryError::Unknown(table))?;
    run::run(table, &steps, now)
}

/// `PT1H` back from now, or two times with a slash between them.
fn span(text: &str, now: i64) -> Option<(String, String)> {
    if let Some((from, to)) = text.split_once('/') {
        return Some((lexer::moment(from)?, lexer::moment(to)?));
    }
    let (days, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((days, time)) => (days, time),
        None => (&text[1..], ""),
    };
    let mut seconds = 0_i64;
    for (part, units) in [(days, "D"), (time, "HMS")] {
        let mut number = 0_i64;
        for c in part.chars() {
            if let Some(digit) = c.to_digit(10) {
                number = number.checked_mul(10)?.checked_add(digit.into())?;
                continue;
            }
            let unit = match units.find(c).map(|_| c)? {
                'D' => 86_400,
                'H' => 3_600,
                'M' => 60,
                _ => 1,
            };
            seconds = seconds.checked_add(number.checked_mul(unit)?)?;
            number = 0;
        }
        if number != 0 {
            return None;
        }
    }
    Some((
        Clock::iso_of(now.checked_sub(seconds)?.max(0)),
        Clock::iso_of(now),
    ))
}

fn shown(table: run::Table) -> Response {
    let columns: Vec<Value> = table
        .columns
        .iter()
        .map(|(name, kind)| json!({"name": name, "type": kind}))
        .collect();
    let cells = |mut row: run::Row| -> Value {
        let names = table.columns.iter();
        names
            .map(|(name, _)| row.remove(name).unwrap_or_default())
            .collect()
    };
    let rows: Vec<Value> = table.rows.into_iter().map(cells).collect();
    let primary = json!({"name": "PrimaryResult", "columns": columns, "rows": rows});
    Response::json(200, &json!({"tables": [primary]}))
}

fn bad(message: &str) -> Response {
    refused(400, "BadArgumentError", "SemanticError", message)
}

fn refused(status: u16, code: &str, inner: &str, message: &str) -> Response {
    let inner = json!({"code": inner, "message": message});
    let outer = "The request had some invalid properties";
    let error = json!({"code": code, "message": outer, "innererror": inner});
    Response::json(status, &json!({"error": error}))
}

#[cfg(test)]
mod tests {
    use bolero::check;

    use super::*;

    /// Parts of queries; each byte of an input picks one.
    const PARTS: &str = "T| | |where|a|b|project|extend|summarize|by|order|take|count|distinct|==|!=|in|!in|between\
        |..|(|)|,|=|'x'|\"é|@'|'|1|9d|99999999999999999999|datetime(|datetime(é)|ago|now|not|has|!has|min\
        |dcount|countif|tolower|and|or|//|\n|é|!|desc|asc|true";

    /// Whatever the text, it is answered or refused.
    #[test]
    fn fuzz_queries() {
        let parts: Vec<&str> = PARTS.split('|').map(str::trim).collect();
        check!().for_each(|input: &[u8]| {
            let picked = input
                .iter()
                .map(|byte| match parts[usize::from(*byte) % parts.len()] {
                    "" => "|",
                    part => part,
                });
            let words = picked.collect::<Vec<_>>().join(" ");
            for text in [format!("T | where {words}"), words] {
                let Ok(query) = parse::parse(&text) else {
                    continue;
                };
                let row = json!({"a": "x", "b": 1});
                let table = run::Table {
                    columns: vec![("a".into(), "string"), ("b".into(), "real")],
                    rows: row.as_object().cloned().into_iter().collect(),
                };
                let _ = run::run(table, &query.steps, 0);
                let _ = span(&text, 0);
            }
        });
    }

    #[test]
    fn a_query_can_be_neither_deep_nor_long() {
        let deep = format!("T | where {}1{}", "(".repeat(400), ")".repeat(400));
        assert!(parse::parse(&deep).is_err());
        let long = format!("T | where 1 {}", "and 1 ".repeat(2_000));
        assert!(parse::parse(&long).is_err());
        let most = format!("T | where true {}", "and true ".repeat(490));
        let steps = parse::parse(&most).unwrap().steps;
        let table = run::Table {
            columns: Vec::new(),
            rows: vec![run::Row::new()],
        };
        assert_eq!(run::run(table, &steps, 0).unwrap().rows.len(), 1);
    }

    #[test]
    fn a_span_counts_back_or_has_two_ends() {
        let now = 1_769_853_600;
        let back = span("P1DT2H30M", now).unwrap();
        assert_eq!(back.0, "2026-01-30T07:30:00Z");
        assert_eq!(back.1, "2026-01-31T10:00:00Z");
        let both = span("2026-01-30T07:30:00.5Z/2026-01-31T10:00:00Z", now).unwrap();
        assert_eq!(both, back);
        let days = span("2026-01-30/2026-01-31", now).unwrap();
        assert_eq!(days.1, "2026-01-31T00:00:00Z");
        for bad in ["an hour", "PT10", "yesterday-evening-late/now"] {
            assert_eq!(span(bad, now), None, "{bad}");
        }
        assert_eq!(span("P99999999999999999999D", now), None);
    }
}
