//! API Management policy documents: read without loss, located, edited by
//! splicing, brought to a canonical form, compared by meaning, laid out,
//! checked for statements out of place.
//!
//! A policy is XML whose attribute values and texts may be C# expressions,
//! `@(…)` or `@{…}`. The service takes it in two formats. In `xml` the
//! expressions are escaped like any other text. In `rawxml` they stand
//! verbatim, quotes and angle brackets included, so that the document is
//! mostly not XML. [`Document::parse`] accepts both and keeps the text byte
//! for byte; every range it gives indexes that text.
//!
//! Which format a text is in is not written in it. A text that is well-formed
//! XML, and whose expressions are complete once decoded, is read as `xml`;
//! every other is read as `rawxml`. What is neither is an error with a place.
//!
//! The crate is pure: no input or output, no clock, no type of ours. Nothing it
//! says in an error repeats the document beyond the name of an element or an
//! attribute, because a policy may hold a password.

mod canonical;
mod csharp;
mod diff;
mod differences;
mod document;
mod edit;
mod error;
mod format;
mod lint;
mod marks;
mod matching;
// It sees the tokens, and reads files: so it is a part of the crate and stands among the tests.
#[cfg(test)]
#[path = "../tests/inside/mutations.rs"]
mod mutations;
mod parse;
mod path;
mod references;
mod spelling;

pub use canonical::{canonical, same};
pub use diff::{DiffLine, LineKind, diff};
pub use differences::{Difference, What, differences};
pub use document::{Attribute, Document, ElementRef, MAX_POLICY_BYTES, expressions};
pub use edit::{Change, Edit};
pub use error::{Located, PolicyError};
pub use format::formatted;
pub use lint::{Lint, lints};
pub use path::ElementPath;
pub use references::{Reference, references};
