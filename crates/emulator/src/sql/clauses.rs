//! Where the parts of a query begin and end: clauses, set operators, table sources, items.

use std::collections::BTreeMap;

use super::ast::Tokens;
use super::error::SqlError;
use super::expression::group_length;
use super::lexer::{Lexed, Token};
use super::rewrite::quote;

/// Words that end a table source or cannot be its alias.
pub const AFTER_SOURCE: &[&str] = &[
    "APPLY", "CROSS", "FULL", "GROUP", "HAVING", "INNER", "JOIN", "LEFT", "ON", "OPTION", "ORDER",
    "OUTER", "OUTPUT", "RIGHT", "SELECT", "SET", "UNION", "VALUES", "WHERE", "WITH",
];

/// The clauses of one SELECT.
#[derive(Default)]
pub struct Clauses {
    pub distinct: bool,
    pub top: Option<Tokens>,
    pub by_name: BTreeMap<&'static str, Tokens>,
}

/// `a`, `a.b`, `a..b`, `a.b.c` and how many tokens that took.
pub fn chain(tokens: &[Lexed]) -> Result<(Vec<String>, usize), SqlError> {
    let unexpected = || SqlError::syntax("FROM");
    let mut parts = vec![
        tokens
            .first()
            .and_then(Lexed::name)
            .ok_or_else(unexpected)?
            .to_owned(),
    ];
    let mut length = 1;
    while tokens.get(length).is_some_and(|t| t.is(".")) {
        if tokens.get(length + 1).is_some_and(|t| t.is(".")) {
            parts.push("dbo".to_owned());
            length += 1;
        } else {
            let next = tokens
                .get(length + 1)
                .and_then(Lexed::name)
                .ok_or_else(unexpected)?;
            parts.push(next.to_owned());
            length += 2;
        }
    }
    Ok((parts, length))
}

pub fn is_alias(token: &Lexed) -> bool {
    match token.upper() {
        Some(word) => !AFTER_SOURCE.contains(&word.as_str()) && word != "FOR",
        None => token.name().is_some(),
    }
}

/// `(NOLOCK)` without WITH before it.
pub fn is_hint(tokens: &[Lexed]) -> bool {
    tokens
        .get(1)
        .is_some_and(|t| t.is_word("NOLOCK") || t.is_word("READUNCOMMITTED"))
}

pub fn hints_length(tokens: &[Lexed]) -> Result<usize, SqlError> {
    let with = usize::from(tokens.first().is_some_and(|t| t.is_word("WITH")));
    let open = tokens.get(with).is_some_and(|t| t.is("("));
    if open && (with == 1 || is_hint(tokens)) {
        return Ok(with + group_length(&tokens[with..])?);
    }
    Ok(0)
}

/// The tokens of a join's condition.
pub fn condition_length(tokens: &[Lexed]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        depth += i32::from(token.is("(")) - i32::from(token.is(")"));
        let word = token.upper().unwrap_or_default();
        let called = tokens.get(at + 1).is_some_and(|t| t.is("("));
        let ends = ["JOIN", "INNER", "FULL", "CROSS", "OUTER", "ON"].contains(&word.as_str())
            || (["LEFT", "RIGHT"].contains(&word.as_str()) && !called);
        if depth == 0 && (token.is(",") || ends) {
            return at;
        }
    }
    tokens.len()
}

pub fn column_names(tokens: &[Lexed]) -> String {
    let names: Vec<String> = tokens.iter().filter_map(Lexed::name).map(quote).collect();
    format!("({})", names.join(", "))
}

/// The parts between UNION, EXCEPT and INTERSECT, and those words.
pub fn set_parts(tokens: &[Lexed]) -> (Vec<Tokens>, Vec<String>) {
    let (mut parts, mut operators) = (vec![Tokens::new()], Vec::new());
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        depth += i32::from(token.is("(")) - i32::from(token.is(")"));
        let operator = ["UNION", "EXCEPT", "INTERSECT"]
            .iter()
            .find(|w| token.is_word(w));
        match operator {
            Some(word) if depth == 0 => {
                let all = tokens.get(at + 1).is_some_and(|t| t.is_word("ALL"));
                operators.push(if all {
                    format!("{word} ALL")
                } else {
                    (*word).to_owned()
                });
                parts.push(Tokens::new());
                at += usize::from(all);
            }
            _ => {
                if let Some(part) = parts.last_mut() {
                    part.push(token.clone());
                }
            }
        }
        at += 1;
    }
    (parts, operators)
}

pub fn clauses(tokens: &[Lexed]) -> Result<Clauses, SqlError> {
    if !tokens.first().is_some_and(|t| t.is_word("SELECT")) {
        return Err(SqlError::syntax(
            &tokens.first().and_then(Lexed::upper).unwrap_or_default(),
        ));
    }
    let mut found = Clauses::default();
    let mut at = 1;
    if tokens
        .get(at)
        .is_some_and(|t| t.is_word("DISTINCT") || t.is_word("ALL"))
    {
        found.distinct = tokens[at].is_word("DISTINCT");
        at += 1;
    }
    if tokens.get(at).is_some_and(|t| t.is_word("TOP")) {
        let group = tokens.get(at + 1).is_some_and(|t| t.is("("));
        let length = if group {
            group_length(&tokens[at + 1..])?
        } else {
            1
        };
        let end = (at + 1 + length).min(tokens.len());
        found.top = Some(tokens[at + 1..end].to_vec());
        at = end;
    }
    let mut current = "SELECT";
    let mut depth = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        depth += i32::from(token.is("(")) - i32::from(token.is(")"));
        let within = at > 0 && tokens[at - 1].is_word("WITHIN");
        let next = [
            "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "OFFSET", "OPTION", "FOR", "INTO",
        ]
        .into_iter()
        .find(|word| depth == 0 && !within && token.is_word(word));
        match next {
            Some("FOR") => return Err(SqlError::unsupported("FOR JSON or FOR XML")),
            Some("INTO") => return Err(SqlError::unsupported("SELECT INTO")),
            // `IS [NOT] DISTINCT FROM`.
            Some("FROM") if tokens[at - 1].is_word("DISTINCT") && at > 2 => {
                found
                    .by_name
                    .entry(current)
                    .or_default()
                    .push(token.clone());
            }
            Some(word) => {
                current = word;
                found.by_name.insert(word, Tokens::new());
                let by = matches!(word, "GROUP" | "ORDER");
                at += usize::from(by && tokens.get(at + 1).is_some_and(|t| t.is_word("BY")));
            }
            None => found
                .by_name
                .entry(current)
                .or_default()
                .push(token.clone()),
        }
        at += 1;
    }
    Ok(found)
}

/// The name of a select item, the variable it goes to, and its expression.
pub fn item_name(part: &[Lexed]) -> (String, Option<String>, &[Lexed]) {
    if part.len() > 2 && part[1].is("=") {
        if let Token::Variable(variable) = &part[0].token {
            return (String::new(), Some(variable.clone()), &part[2..]);
        }
        if let Some(name) = part[0].name() {
            return (name.to_owned(), None, &part[2..]);
        }
    }
    let last = &part[part.len() - 1];
    if part.len() > 1 {
        let before = &part[part.len() - 2];
        let alias = match &last.token {
            Token::Quoted(name) => Some(name.clone()),
            Token::Text(name) if before.is_word("AS") => Some(name.clone()),
            Token::Word(word) if !["END", "NULL"].iter().any(|w| last.is_word(w)) => {
                Some(word.clone())
            }
            _ => None,
        };
        let separate = match &before.token {
            Token::Symbol(symbol) => *symbol == ")",
            Token::Word(_) => !["COLLATE", "NOT", "IS", "LIKE", "AND", "OR"]
                .iter()
                .any(|w| before.is_word(w)),
            _ => true,
        };
        if let Some(name) = alias.filter(|_| separate) {
            let explicit = usize::from(before.is_word("AS"));
            return (name, None, &part[..part.len() - 1 - explicit]);
        }
    }
    // A plain column keeps its name; an expression has none.
    let plain = part.iter().enumerate().all(|(at, t)| {
        if at % 2 == 0 {
            t.name().is_some()
        } else {
            t.is(".")
        }
    });
    let name = if plain {
        last.name().unwrap_or_default()
    } else {
        ""
    };
    (name.to_owned(), None, part)
}
