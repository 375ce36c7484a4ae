//! How text looks: colours by meaning, and lines that fit.

use keyless_model::Severity;

use crate::fit::{seen, words};

/// What the output can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    pub color: bool,
    /// In characters.
    pub width: usize,
}

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Heading,
    Added,
    Changed,
    Removed,
    Waiting,
    Faint,
    Urgent,
}

impl Style {
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Heading => "1",
            Tone::Added => "32",
            Tone::Changed => "33",
            Tone::Removed => "31",
            Tone::Waiting => "36",
            Tone::Faint => "2",
            Tone::Urgent => "1;31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// A changed word inside a line of this tone.
    pub(crate) fn emphasis(&self, tone: Tone, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = if tone == Tone::Added {
            "1;4;32"
        } else {
            "1;4;31"
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    pub(crate) fn severity(&self, severity: Severity) -> String {
        let tone = match severity {
            Severity::Critical => Tone::Urgent,
            Severity::High => Tone::Removed,
            Severity::Warning => Tone::Changed,
            Severity::Info => Tone::Faint,
        };
        self.paint(tone, severity.word())
    }

    /// `text` in lines that fit, each after `indent` spaces. A word longer than a line stands alone.
    pub(crate) fn wrapped(&self, indent: usize, text: &str) -> String {
        let room = self.width.saturating_sub(indent).max(20);
        let mut out = String::new();
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in words(paragraph) {
                let long = seen(&line) + 1 + seen(&word) > room;
                if long && !line.is_empty() {
                    push(&mut out, indent, &line);
                    line.clear();
                }
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(&word);
            }
            push(&mut out, indent, &line);
        }
        out
    }
}

fn push(out: &mut String, indent: usize, line: &str) {
    out.extend(std::iter::repeat_n(' ', indent));
    out.push_str(line);
    out.push('\n');
}

/// `3 steps`, `1 step`, `2 findings`.
pub fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_long_words_stay_whole() {
        let style = Style {
            color: false,
            width: 30,
        };
        let text = style.wrapped(
            4,
            "one two three four five six seven a-word-that-is-longer-than-the-line end",
        );
        assert!(
            text.lines()
                .all(|l| l.len() <= 30 || l.trim().starts_with("a-word"))
        );
        assert!(text.lines().all(|l| l.starts_with("    ")));
    }

    #[test]
    fn without_colour_there_is_no_escape() {
        let style = Style {
            color: false,
            width: 80,
        };
        assert_eq!(style.paint(Tone::Urgent, "x"), "x");
        assert_eq!(style.emphasis(Tone::Added, "x"), "x");
    }
}
