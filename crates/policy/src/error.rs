//! What can go wrong with a policy document, and where.
//!
//! Invariant: no message repeats document text other than the name of an
//! element or an attribute, cut to [`SHOWN`] characters.

use std::fmt;

use crate::ElementPath;

/// Longest name that a message repeats, in characters.
const SHOWN: usize = 64;

/// Why a policy document could not be read or edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The text is neither XML nor `rawxml`.
    #[error("the policy is malformed at {0}")]
    Malformed(Located),

    /// The text is longer than [`crate::MAX_POLICY_BYTES`].
    #[error(
        "the policy has {bytes} bytes, and goes in line {line} past the {limit} that API \
         Management takes; move parts of it into policy fragments"
    )]
    TooLarge {
        /// Length of the text, in bytes.
        bytes: usize,
        /// The most that is accepted, in bytes.
        limit: usize,
        /// The line in which it gets too long.
        line: usize,
    },

    /// A text is not an element path.
    #[error("this is not an element path; write it like /policies/inbound/set-header[2]")]
    BadPath,

    /// No element has the path of an edit.
    #[error("the policy has no element {path}; read it again and plan the edit anew")]
    UnknownPath {
        /// The path that was looked for.
        path: ElementPath,
    },

    /// The attribute to remove is not there.
    #[error("element {path} has no attribute `{name}`; read the policy again and plan anew")]
    UnknownAttribute {
        /// The element.
        path: ElementPath,
        /// The attribute that was looked for.
        name: String,
    },

    /// A text was to be set on an element that holds elements.
    #[error("element {path} holds other elements, not text; edit those or replace it whole")]
    NotText {
        /// The element.
        path: ElementPath,
    },

    /// An attribute was to get a name that XML does not allow.
    #[error("an edit of {path} gives an attribute a name that XML does not allow")]
    BadName {
        /// The element.
        path: ElementPath,
    },

    /// XML to be inserted is not one element. Places count in that XML.
    #[error("the XML to insert at {path} is malformed at {problem}")]
    BadInsert {
        /// The element that the edit names.
        path: ElementPath,
        /// What is wrong with the inserted text.
        problem: Located,
    },

    /// A value starts as an expression and is not one. Places count in the value.
    #[error("the new value for {path} is malformed at {problem}")]
    BadValue {
        /// The element that the edit names.
        path: ElementPath,
        /// What is wrong with the value.
        problem: Located,
    },

    /// An edit would take away the root element, or add a second one.
    #[error("an edit of {path} would leave the policy without exactly one root element")]
    Root {
        /// The root element.
        path: ElementPath,
    },

    /// Two edits touch the same bytes.
    #[error("the edits of {first} and {second} overlap; make them one after the other")]
    Overlap {
        /// The edit that starts first.
        first: ElementPath,
        /// The edit that starts within it.
        second: ElementPath,
    },

    /// Laying the policy out would change what it means.
    #[error(
        "this policy cannot be laid out without a change of meaning; leave its layout as it is"
    )]
    Layout,

    /// After the edits nothing tells `xml` from `rawxml`, and they differ.
    #[error(
        "after these edits an entity inside a C# string would read differently as xml and as \
         rawxml; write that string without `&`"
    )]
    Ambiguous,
}

/// A problem and its place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// Offset from the start of the text, in bytes.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: &'static str,
}

impl Located {
    pub(crate) fn new(
        text: &str,
        offset: usize,
        message: impl Into<String>,
        help: &'static str,
    ) -> Located {
        let (line, column) = line_column(text, offset);
        Located {
            line,
            column,
            offset,
            message: message.into(),
            help,
        }
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}; {}",
            self.line, self.column, self.message, self.help
        )
    }
}

/// Line and column, both from 1, of a byte offset. A byte order mark at the
/// start has no column.
pub(crate) fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let last = before.rsplit('\n').next().unwrap_or(before);
    (
        line,
        last.trim_start_matches('\u{feff}').chars().count() + 1,
    )
}

/// A name, short enough for a message.
pub(crate) fn shown(name: &str) -> String {
    match name.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", &name[..cut]),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_not_the_byte_order_mark() {
        let text = "\u{feff}äb\r\n  ü<";
        assert_eq!(line_column(text, 3), (1, 1));
        assert_eq!(line_column(text, 5), (1, 2));
        assert_eq!(line_column(text, text.len() - 1), (2, 4));
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(shown("base"), "base");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), SHOWN + 1);
    }
}
