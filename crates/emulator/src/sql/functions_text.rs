//! Built-in functions that know nothing of the session: text and conversions.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Value;
use rusqlite::{Connection, Error, Result};

use super::error::SqlError;
use super::functions::{failed, integer, maybe_int, maybe_text, text, value};
use super::value::{ColumnType, cast, sid_to_guid};

pub fn register(storage: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let add = |name: &str, answer: fn(&Context<'_>) -> Result<Value>| {
        storage.create_scalar_function(name, -1, flags, move |context| answer(context))
    };
    storage.create_scalar_function("like", 2, flags, |f| {
        let (pattern, subject) = (text(f, 0), text(f, 1));
        Ok(pattern.zip(subject).map(|(p, s)| like(&p, &s, None)))
    })?;
    storage.create_scalar_function("like", 3, flags, |f| {
        let escape = text(f, 2).and_then(|e| e.chars().next());
        Ok(text(f, 0)
            .zip(text(f, 1))
            .map(|(p, s)| like(&p, &s, escape)))
    })?;
    add("tsql_cast", |f| {
        let declared = text(f, 1).unwrap_or_default();
        let Some(ty) = ColumnType::from_declaration(&declared) else {
            return Err(failed(SqlError::syntax(&declared)));
        };
        cast(value(f, 0), ty, integer(f, 2).unwrap_or(0)).map_err(failed)
    })?;
    add("tsql_try_cast", |f| {
        let ty = text(f, 1).and_then(|declared| ColumnType::from_declaration(&declared));
        Ok(ty
            .and_then(|ty| cast(value(f, 0), ty, 0).ok())
            .unwrap_or(Value::Null))
    })?;
    add("quotename", |f| {
        let (open, close) = match text(f, 1).as_deref() {
            Some("'") => ('\'', '\''),
            Some("\"") => ('"', '"'),
            _ => ('[', ']'),
        };
        let doubled: String = [close, close].iter().collect();
        let quoted = |name: String| format!("{open}{}{close}", name.replace(close, &doubled));
        Ok(maybe_text(text(f, 0).map(quoted)))
    })?;
    add("len", |f| {
        Ok(maybe_int(text(f, 0).map(|t| {
            t.trim_end_matches(' ').encode_utf16().count() as i64
        })))
    })?;
    add("datalength", |f| {
        Ok(match value(f, 0) {
            Value::Null => Value::Null,
            Value::Text(t) => Value::Integer(2 * t.encode_utf16().count() as i64),
            Value::Blob(b) => Value::Integer(b.len() as i64),
            _ => Value::Integer(4),
        })
    })?;
    add("tsql_left", |f| {
        let count = usize::try_from(integer(f, 1).unwrap_or(0)).unwrap_or(0);
        Ok(maybe_text(
            text(f, 0).map(|t| t.chars().take(count).collect()),
        ))
    })?;
    add("tsql_right", |f| {
        let count = usize::try_from(integer(f, 1).unwrap_or(0)).unwrap_or(0);
        Ok(maybe_text(text(f, 0).map(|t| {
            let skip = t.chars().count().saturating_sub(count);
            t.chars().skip(skip).collect()
        })))
    })?;
    add("charindex", |f| {
        let found = text(f, 0).zip(text(f, 1)).map(|(needle, hay)| {
            let (needle, hay) = (needle.to_lowercase(), hay.to_lowercase());
            hay.find(&needle)
                .map_or(0, |at| hay[..at].chars().count() as i64 + 1)
        });
        Ok(maybe_int(found))
    })?;
    add("reverse", |f| {
        Ok(maybe_text(text(f, 0).map(|t| t.chars().rev().collect())))
    })?;
    add("replicate", |f| {
        let count = usize::try_from(integer(f, 1).unwrap_or(0))
            .unwrap_or(0)
            .min(8000);
        Ok(maybe_text(text(f, 0).map(|t| t.repeat(count))))
    })?;
    add("newid", |_| {
        let mut bytes = [0; 16];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::InvalidQuery)?;
        Ok(Value::Text(sid_to_guid(bytes)))
    })
}

/// T-SQL's LIKE: `%`, `_`, `[abc]`, `[^a-z]`, without case.
fn like(pattern: &str, subject: &str, escape: Option<char>) -> bool {
    let lower = |t: &str| {
        t.chars()
            .flat_map(char::to_lowercase)
            .collect::<Vec<char>>()
    };
    matches(&lower(pattern), &lower(subject), escape)
}

fn matches(pattern: &[char], subject: &[char], escape: Option<char>) -> bool {
    let Some(first) = pattern.first() else {
        return subject.is_empty();
    };
    if Some(*first) == escape && pattern.len() > 1 {
        return subject.first() == Some(&pattern[1])
            && matches(&pattern[2..], &subject[1..], escape);
    }
    match first {
        '%' => (0..=subject.len()).any(|at| matches(&pattern[1..], &subject[at..], escape)),
        '_' => !subject.is_empty() && matches(&pattern[1..], &subject[1..], escape),
        '[' => match pattern.iter().position(|c| *c == ']').filter(|at| *at > 1) {
            Some(close) => subject.first().is_some_and(|c| {
                in_class(&pattern[1..close], *c)
                    && matches(&pattern[close + 1..], &subject[1..], escape)
            }),
            None => false,
        },
        c => subject.first() == Some(c) && matches(&pattern[1..], &subject[1..], escape),
    }
}

fn in_class(class: &[char], c: char) -> bool {
    let (negated, class) = match class {
        ['^', rest @ ..] => (true, rest),
        class => (false, class),
    };
    let mut at = 0;
    let mut found = false;
    while at < class.len() {
        if at + 2 < class.len() && class[at + 1] == '-' {
            found |= (class[at]..=class[at + 2]).contains(&c);
            at += 3;
        } else {
            found |= class[at] == c;
            at += 1;
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_knows_classes_and_escapes() {
        assert!(like("##MS[_]%", "##ms_x", None));
        assert!(!like("##MS[_]%", "##msax", None));
        assert!(like("[^a-c]x", "dx", None));
        assert!(like("10!%", "10%", Some('!')));
    }
}
