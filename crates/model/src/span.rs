//! A place in a source file.

/// Where something stands: a file of the project and a byte range of its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The path as the user would write it, relative to the project.
    pub file: String,
    pub start: usize,
    pub end: usize,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
}
