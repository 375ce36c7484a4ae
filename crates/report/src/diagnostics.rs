//! Diagnostics as a compiler shows them: file, line, the text itself, a caret, and what to do.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use keyless_model::Diagnostic;

use crate::style::{Style, Tone};

/// Lays all diagnostics out. `source` gives the text of a file that a span names.
pub fn diagnostics<'a>(
    list: &[Diagnostic],
    source: &dyn Fn(&str) -> Option<&'a str>,
    style: &Style,
) -> String {
    let renderer = if style.color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let renderer = renderer.term_width(style.width);
    let mut out = String::new();
    for one in list {
        let title = Level::ERROR
            .primary_title(one.message.as_str())
            .id(one.code);
        // The line of a found credential is never shown.
        let text = one.span.as_ref().filter(|_| one.code != "KL0110");
        let text = text.and_then(|s| source(&s.file).map(|t| (s, t)));
        let mut group = match text {
            Some((span, text)) => {
                let range = within(text, span.start, span.end);
                let annotation = AnnotationKind::Primary
                    .span(range)
                    .label(one.label.as_str());
                let snippet = Snippet::source(text)
                    .path(span.file.as_str())
                    .annotation(annotation);
                title.element(snippet)
            }
            None => match &one.span {
                Some(span) => {
                    let place = Origin::path(span.file.as_str());
                    title.element(place.line(span.line).char_column(span.column))
                }
                None => {
                    out.push_str(&renderer.render(&[Group::with_title(title)]));
                    out.push_str(&without_place(one, style));
                    continue;
                }
            },
        };
        if let Some(help) = &one.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    out
}

/// The help of a diagnostic that has no place: no line of text to set it off from.
fn without_place(one: &Diagnostic, style: &Style) -> String {
    let word = style.paint(Tone::Waiting, "help");
    let help = one
        .help
        .as_ref()
        .map(|help| format!("\n  = {word}: {help}"));
    help.unwrap_or_default() + "\n\n"
}

/// The range, cut to the text and to whole characters.
fn within(text: &str, start: usize, end: usize) -> std::ops::Range<usize> {
    let mut start = start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_place_has_no_empty_line_of_text() {
        let one = Diagnostic::error("KL0116", "no such environment").help("choose one");
        let style = Style {
            color: false,
            width: 80,
        };
        assert_eq!(
            diagnostics(&[one], &|_| None, &style),
            "error[KL0116]: no such environment\n  = help: choose one\n\n"
        );
    }
}
