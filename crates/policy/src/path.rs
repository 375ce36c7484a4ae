//! The path of an element, from the root.

use std::fmt;
use std::str::FromStr;

use crate::PolicyError;
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
    is_name(name) && index_is_good
}

/// True for a name that XML allows for an element or an attribute.
pub(crate) fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_part)
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
