//! Differences of two policies, and what is wrong with one.

use keyless_policy::{DiffLine, Difference, LineKind, Lint, What};
use keyless_scan::Finding;

use crate::style::{Style, Tone};

/// Lays differences out: each place, what happened there, and the lines that changed.
pub fn differences(found: &[Difference], style: &Style) -> String {
    let mut out = String::new();
    for one in found {
        let (tone, what) = match &one.what {
            What::Added => (Tone::Added, "added".to_owned()),
            What::Removed => (Tone::Removed, "removed".to_owned()),
            What::Moved { from } => (Tone::Changed, format!("moved from {from}")),
            What::Attribute(name) => (Tone::Changed, format!("attribute {name}")),
            What::Text => (Tone::Changed, "text".to_owned()),
        };
        out.push_str(&format!("{}: {}\n", one.path, style.paint(tone, &what)));
        for line in &one.lines {
            out.push_str(&format!("  {}\n", diff_line(style, line)));
        }
    }
    out
}

/// A line of a diff. Without colours, words that changed stand in brackets: `[-so-]` and `{+so+}`.
fn diff_line(style: &Style, line: &DiffLine) -> String {
    let (tone, mark, brackets) = match line.kind {
        LineKind::Removed => (Tone::Removed, "- ", ("[-", "-]")),
        LineKind::Added => (Tone::Added, "+ ", ("{+", "+}")),
        LineKind::Kept => (Tone::Faint, "  ", ("", "")),
        LineKind::Skipped(lines) => {
            return style.paint(Tone::Faint, &format!("… {lines} more lines"));
        }
    };
    let mut out = style.paint(tone, mark);
    let whole = line.pieces.iter().all(|(changed, _)| *changed);
    for (changed, text) in &line.pieces {
        out.push_str(&match (*changed, style.color) {
            (true, true) => style.emphasis(tone, text),
            (true, false) if !whole => format!("{}{text}{}", brackets.0, brackets.1),
            _ => style.paint(tone, text),
        });
    }
    out
}

/// What is wrong with the policy in `file`, a place each, with an empty line behind it.
pub fn lints(file: &str, findings: &[Finding], lints: &[Lint], style: &Style) -> String {
    let mut out = String::new();
    let mut told =
        |severity: &str, code: &str, place: (usize, usize), path: &str, rest: [&str; 2]| {
            let (line, column) = place;
            let code = style.paint(Tone::Faint, code);
            out.push_str(&format!("{severity} {code} {file}:{line}:{column}\n"));
            out.push_str(&format!(
                "  {}\n",
                style.paint(Tone::Faint, &format!("at {path}"))
            ));
            out.push_str(&style.wrapped(2, rest[0]));
            out.push_str(&style.wrapped(2, rest[1]));
            out.push('\n');
        };
    for finding in findings {
        let severity = style.severity(finding.severity);
        let instead = format!("instead: {}", finding.replacement);
        let line = finding.line.unwrap_or((1, 1));
        told(
            &severity,
            finding.rule,
            line,
            &finding.place,
            [&finding.what, &instead],
        );
    }
    for lint in lints {
        let rest = [lint.message.as_str(), lint.help];
        told(
            &style.paint(Tone::Changed, "warning"),
            lint.code,
            lint.line,
            lint.path.as_str(),
            rest,
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyless_policy::Document;

    #[test]
    fn words_that_changed_are_marked_with_colours_and_without() {
        let read = |text: &str| Document::parse(text).expect("a policy");
        let (before, after) = (read("<a b='x y'/>"), read("<a b='x z'/>"));
        let found = keyless_policy::differences(&before, &after);
        let plain = Style {
            color: false,
            width: 80,
        };
        let expect = "/a: attribute b\n  - x [-y-]\n  + x {+z+}\n";
        assert_eq!(differences(&found, &plain), expect);
        let colored = Style {
            color: true,
            width: 80,
        };
        assert!(differences(&found, &colored).contains("\u{1b}[1;4;32mz\u{1b}[0m"));
    }
}
