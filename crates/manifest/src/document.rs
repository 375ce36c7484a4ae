//! A document between its envelope and its meaning.

use std::ops::Range;

use keyless_model::{Diagnostic, Kind, Span};

use crate::node::Node;
use crate::place::Places;

/// A document whose kind and name are known. Its `spec` may still be wrong in any way.
pub(crate) struct Document<'a> {
    pub(crate) places: &'a Places<'a>,
    pub(crate) kind: &'static Kind,
    pub(crate) name: &'a str,
    pub(crate) name_at: Range<usize>,
    pub(crate) spec: &'a Node,
    /// Where the key `spec` stands.
    pub(crate) spec_at: Range<usize>,
}

impl<'a> Document<'a> {
    /// Where its name stands: the place of the whole document.
    pub(crate) fn span(&self) -> Span {
        self.places.span(&self.name_at)
    }

    /// A text of the spec.
    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        self.spec.get(key).and_then(Node::text)
    }

    /// `spec.name`, or the document's own name where it is left out.
    pub(crate) fn own_name(&self) -> &'a str {
        self.text("name").unwrap_or(self.name)
    }

    /// An error at a place of this document.
    pub(crate) fn error(
        &self,
        code: &'static str,
        message: impl Into<String>,
        at: &Range<usize>,
        label: &str,
    ) -> Diagnostic {
        Diagnostic::error(code, message).at(&self.places.span(at), label)
    }

    /// `Gateway “contoso”`
    pub(crate) fn title(&self) -> String {
        format!("{} “{}”", self.kind.name, self.name)
    }
}
