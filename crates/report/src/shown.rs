//! The pieces of a change: fields, lines of a text with word marks, statements.

use keyless_plan::{Line, Shown};

use crate::style::{Style, Tone};

/// Lays the pieces out below a step or finding.
pub(crate) fn pieces(out: &mut String, style: &Style, indent: usize, shown: &[Shown]) {
    let pad = " ".repeat(indent);
    let fields: Vec<usize> = shown
        .iter()
        .filter_map(|s| match s {
            Shown::Field { path, .. } => Some(path.chars().count()),
            _ => None,
        })
        .collect();
    let column = fields.into_iter().max().unwrap_or(0);
    for piece in shown {
        match piece {
            Shown::Field {
                path,
                before,
                after,
            } => {
                let change = match (before, after) {
                    (None, Some(after)) => style.paint(Tone::Added, after),
                    (Some(before), None) => {
                        format!("{} → absent", style.paint(Tone::Removed, before))
                    }
                    (Some(before), Some(after)) => {
                        let before = style.paint(Tone::Removed, before);
                        format!("{before} → {}", style.paint(Tone::Added, after))
                    }
                    (None, None) => "absent".to_owned(),
                };
                out.push_str(&format!("{pad}{path:column$}  {change}\n"));
            }
            Shown::Lines { title, lines } => {
                out.push_str(&format!("{pad}{}\n", style.paint(Tone::Faint, title)));
                for line in lines {
                    out.push_str(&format!("{pad}{}\n", text_line(style, line)));
                }
            }
            Shown::Sql { text } => out.push_str(&format!("{pad}{text}\n")),
            Shown::Remark { text } => out.push_str(&style.wrapped(indent, text)),
        }
    }
}

fn text_line(style: &Style, line: &Line) -> String {
    let tone = match line.mark {
        '+' => Tone::Added,
        '-' => Tone::Removed,
        _ => Tone::Faint,
    };
    let mut out = style.paint(tone, &format!("{} ", line.mark));
    let marked = line.mark != ' ' && line.mark != '…';
    for (changed, text) in &line.pieces {
        let text = text.trim_end_matches(['\n', '\r']);
        out.push_str(&match (*changed && marked, style.color) {
            (true, true) => style.emphasis(tone, text),
            _ => style.paint(tone, text),
        });
    }
    out
}
