//! The path of an element, from the root.

use std::fmt;
use std::str::FromStr;

use crate::PolicyError;
use crate::references::named_value;
use crate::spelling::is_space;

/// Where an element stands: `/policies/inbound/set-header[2]`.
///
/// A step is the element's name as written, with its place among its siblings
/// of the same name, from 1, when there is more than one of them. Two elements
/// of a document never share a path. Paths order as their texts do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementPath(String);

impl ElementPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its steps, from the root: a name, and the place among namesakes.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&str, Option<usize>)> {
        self.0.split('/').skip(1).map(|step| {
            let indexed = step.strip_suffix(']').and_then(|s| s.split_once('['));
            match indexed {
                Some((name, index)) => (name, index.parse().ok()),
                None => (step, None),
            }
        })
    }

    /// Builds a path of steps that the parser has read.
    pub(crate) fn of<'a>(steps: impl Iterator<Item = (&'a str, Option<usize>)>) -> ElementPath {
        let mut out = String::new();
        for (name, index) in steps {
            out.push('/');
            out.push_str(name);
            if let Some(index) = index {
                out.push_str(&format!("[{index}]"));
            }
        }
        ElementPath(out)
    }
}

impl fmt::Display for ElementPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ElementPath {
    type Err = PolicyError;

    /// # Errors
    /// [`PolicyError::BadPath`] if a step is not a name with or without `[n]`.
    fn from_str(text: &str) -> Result<ElementPath, PolicyError> {
        let steps = text.strip_prefix('/').ok_or(PolicyError::BadPath)?;
        if steps.split('/').all(is_step) {
            Ok(ElementPath(text.to_owned()))
        } else {
            Err(PolicyError::BadPath)
        }
    }
}

fn is_step(step: &str) -> bool {
    let (name, index) = match step.split_once('[') {
        Some((name, rest)) => (name, Some(rest)),
        None => (step, None),
    };
    let index_is_good = index.is_none_or(|rest| {
        rest.strip_suffix(']').is_some_and(|n| {
            !n.starts_with('0') && n.bytes().all(|b| b.is_ascii_digit()) && n.parse::<u32>().is_ok()
        })
    });
    !name.is_empty() && name_length(name) == name.len() && index_is_good
}

/// True for a name that XML allows for an element or an attribute.
pub(crate) fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_part)
}

/// Length of the name at the start of a text: one that XML allows, or one in
/// which named values stand for parts.
pub(crate) fn name_length(text: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let ascii = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':' | b'-' | b'.');
        let first = rest.chars().next();
        if first.is_some_and(|c| is_name_start(c) || at > 0 && is_name_part(c)) {
            at += first.map_or(0, char::len_utf8);
            at += text[at..].bytes().take_while(|b| ascii(*b)).count();
        } else if let Some(length) = named_value(rest) {
            at += length;
        } else {
            return at;
        }
    }
}

pub(crate) fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == ':'
}

pub(crate) fn is_name_part(c: char) -> bool {
    !is_space(c) && (c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.' | '\u{b7}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_print_as_they_parse() {
        for text in [
            "/policies",
            "/policies/inbound/set-header[2]",
            "/a/b:c.d[10]/e",
        ] {
            assert_eq!(text.parse::<ElementPath>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "", "a", "/", "/a/", "/a[0]", "/a[x]", "/a[1", "/a[]", "/a b", "/a[+1]", "/-",
        ] {
            assert_eq!(
                text.parse::<ElementPath>(),
                Err(PolicyError::BadPath),
                "{text}"
            );
        }
    }
}
