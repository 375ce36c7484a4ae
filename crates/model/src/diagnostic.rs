//! Findings about what the user wrote: located, coded, with a next step.

use crate::severity::Severity;
use crate::span::Span;

/// One thing that is wrong with the input. All of a run are reported together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A permanent code of [`crate::codes::CODES`], such as `KL0103`.
    pub code: &'static str,
    /// One sentence: what happened.
    pub message: String,
    /// The document or file it is about; none when it is about the run.
    pub span: Option<Span>,
    /// A few words at the caret.
    pub label: String,
    /// What to do next.
    pub help: Option<String>,
    pub severity: Severity,
}

/// All that is wrong, in the order of file and place.
pub type Diagnostics = Vec<Diagnostic>;

impl Diagnostic {
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            span: None,
            label: String::new(),
            help: None,
            severity: Severity::High,
        }
    }

    #[must_use]
    pub fn at(mut self, span: &Span, label: impl Into<String>) -> Self {
        self.span = Some(span.clone());
        self.label = label.into();
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
