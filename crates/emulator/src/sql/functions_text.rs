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
    add("replace", |f| {
        let (Some(text), Some(old), Some(new)) = (text(f, 0), text(f, 1), text(f, 2)) else {
            return Ok(Value::Null);
        };
        Ok(Value::Text(replace(&text, &old, &new)))
    })?;
    add("reverse", |f| {
        Ok(maybe_text(text(f, 0).map(|t| t.chars().rev().collect())))
    })?;
    add("replicate", |f| Ok(replicate(f, 8000)))?;
    // What is declared `max` grows further, though here not to two gigabytes.
    add("replicate_max", |f| Ok(replicate(f, 16 * 1024 * 1024)))?;
    add("tsql_divisor", |f| match value(f, 0) {
        Value::Integer(0) => Err(failed(SqlError::divided_by_zero())),
        Value::Real(0.0) => Err(failed(SqlError::divided_by_zero())),
        divisor => Ok(divisor),
    })?;
    add("newid", |_| {
        let mut bytes = [0; 16];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::InvalidQuery)?;
        Ok(Value::Text(sid_to_guid(bytes)))
    })
}

/// Replaces without regard to case.
fn replace(text: &str, old: &str, new: &str) -> String {
    let folded = |c: &char| c.to_lowercase().collect::<String>();
    let old: Vec<String> = old.chars().map(|c| folded(&c)).collect();
    let chars: Vec<char> = text.chars().collect();
    let (mut replaced, mut at) = (String::new(), 0);
    while at < chars.len() {
        let end = at + old.len();
        let found = chars
            .get(at..end)
            .is_some_and(|part| part.iter().map(folded).eq(old.iter().cloned()));
        if found && !old.is_empty() {
            replaced.push_str(new);
            at = end;
        } else {
            replaced.push(chars[at]);
            at += 1;
        }
    }
    replaced
}

/// A text so often as its second argument says, at most `most` characters; NULL for a negative one.
fn replicate(context: &Context<'_>, most: usize) -> Value {
    let count = integer(context, 1).and_then(|n| usize::try_from(n).ok());
    let repeated = text(context, 0).zip(count).map(|(text, count)| {
        let length = text.chars().count().max(1);
        let count = count.min(most / length + 1);
        text.repeat(count).chars().take(most).collect()
    });
    maybe_text(repeated)
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

/// Goes through the subject once for each `%`: after a mismatch only the last `%` takes one more.
fn matches(pattern: &[char], subject: &[char], escape: Option<char>) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut last_many: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at) == Some(&'%') && escape != Some('%') {
            at += 1;
            last_many = Some((at, from));
            continue;
        }
        match one(&pattern[at..], subject.get(from).copied(), escape) {
            Some(length) => {
                at += length;
                from += 1;
            }
            None if at == pattern.len() && from == subject.len() => return true,
            None => match last_many {
                Some((after, start)) if start < subject.len() => {
                    last_many = Some((after, start + 1));
                    (at, from) = (after, start + 1);
                }
                _ => return false,
            },
        }
    }
}

/// The length of what stands for one character in the pattern, when that is this one.
fn one(pattern: &[char], c: Option<char>, escape: Option<char>) -> Option<usize> {
    let (first, c) = (*pattern.first()?, c?);
    if Some(first) == escape && pattern.len() > 1 {
        return (pattern[1] == c).then_some(2);
    }
    match first {
        '_' => Some(1),
        '[' => {
            let close = pattern
                .iter()
                .position(|c| *c == ']')
                .filter(|at| *at > 1)?;
            in_class(&pattern[1..close], c).then_some(close + 1)
        }
        first => (first == c).then_some(1),
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
    fn replacing_looks_over_case() {
        assert_eq!(replace("aXbx", "x", "--"), "a--b--");
        assert_eq!(replace("ŽLUTÝ", "žl", ""), "UTÝ");
        assert_eq!(replace("ab", "", "x"), "ab");
    }

    #[test]
    fn like_knows_classes_and_escapes() {
        assert!(like("##MS[_]%", "##ms_x", None));
        assert!(!like("##MS[_]%", "##msax", None));
        assert!(like("[^a-c]x", "dx", None));
        assert!(like("10!%", "10%", Some('!')));
        assert!(!like("10!%", "10x", Some('!')));
        assert!(like("a%b%c", "aXbYbZc", None) && !like("a%b%c", "aXcY", None));
        assert!(like("%", "", None) && !like("_", "", None));
    }

    #[test]
    fn a_pattern_of_many_wildcards_ends() {
        let subject = "a".repeat(20_000);
        assert!(!like(
            &"%a".repeat(50).replace("%a%a", "%aa"),
            &(subject.clone() + "b"),
            None
        ));
        assert!(like(&"%a".repeat(50), &subject, None));
    }
}
