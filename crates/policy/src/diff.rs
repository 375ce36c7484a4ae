//! The few lines that differ between two texts, with the words that do.
//!
//! For any text: policies and T-SQL alike. Line ends do not count, so that a
//! text which came back with others is not shown as changed throughout.

use similar::{ChangeTag, TextDiff};

/// What a line of a diff is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// In both texts.
    Kept,
    /// In the first only.
    Removed,
    /// In the second only.
    Added,
    /// So many lines, in both texts, are left out here.
    Skipped(usize),
}

/// A line of a diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffLine {
    /// What it is.
    pub kind: LineKind,
    /// The line in pieces, without its end; true for those that changed. Empty
    /// for [`LineKind::Skipped`].
    pub pieces: Vec<(bool, String)>,
}

/// The lines that changed, with up to `context` kept ones around them. Empty
/// when the texts have the same lines.
pub fn diff(before: &str, after: &str, context: usize) -> Vec<DiffLine> {
    let (before, after) = (before.replace("\r\n", "\n"), after.replace("\r\n", "\n"));
    let mut lines = Vec::new();
    if before.lines().eq(after.lines()) {
        return lines;
    }
    let changes = TextDiff::from_lines(&before, &after);
    let total = before.split_inclusive('\n').count();
    let mut shown = 0;
    for group in changes.grouped_ops(context) {
        let starts = group.first().map_or(0, |op| op.old_range().start);
        skip(&mut lines, starts.saturating_sub(shown));
        for op in &group {
            // No deadline: the same texts always give the same marks.
            for change in changes.iter_inline_changes_deadline(op, None) {
                let kind = match change.tag() {
                    ChangeTag::Equal => LineKind::Kept,
                    ChangeTag::Delete => LineKind::Removed,
                    ChangeTag::Insert => LineKind::Added,
                };
                let pieces = change.iter_strings_lossy();
                lines.push(DiffLine {
                    kind,
                    pieces: trim_end(pieces.map(|(m, p)| (m, p.into()))),
                });
            }
        }
        shown = group.last().map_or(shown, |op| op.old_range().end);
    }
    skip(&mut lines, total.saturating_sub(shown));
    lines
}

fn skip(lines: &mut Vec<DiffLine>, count: usize) {
    if count > 0 {
        lines.push(DiffLine {
            kind: LineKind::Skipped(count),
            pieces: Vec::new(),
        });
    }
}

/// Takes the line end away, and pieces that are empty then.
fn trim_end(pieces: impl Iterator<Item = (bool, String)>) -> Vec<(bool, String)> {
    pieces
        .map(|(marked, piece)| (marked, piece.trim_end_matches('\n').to_owned()))
        .filter(|(_, piece)| !piece.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(lines: &[DiffLine]) -> String {
        let line = |line: &DiffLine| {
            let mark = match line.kind {
                LineKind::Kept => ' ',
                LineKind::Removed => '-',
                LineKind::Added => '+',
                LineKind::Skipped(n) => return format!("…{n}\n"),
            };
            let piece = |(on, text): &(bool, String)| match on {
                true => format!("[{text}]"),
                false => text.clone(),
            };
            format!(
                "{mark}{}\n",
                line.pieces.iter().map(piece).collect::<String>()
            )
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn only_what_changed_is_shown() {
        let before = "a\nb\nc\nuse password here\ne\nf\ng\n";
        let after = "a\nb\nc\nuse identity here\ne\nf\ng\n";
        let expect = "…2\n c\n-use [password] here\n+use [identity] here\n e\n…2\n";
        assert_eq!(print(&diff(before, after, 1)), expect);
    }

    #[test]
    fn the_same_lines_give_nothing() {
        assert_eq!(diff("a\nb\n", "a\nb\n", 3), []);
        assert_eq!(diff("a\r\nb\r\n", "a\nb\n", 3), []);
        assert_eq!(diff("", "", 3), []);
    }

    #[test]
    fn groups_far_apart_are_parted() {
        let before = "x\na\nb\nc\ny\n";
        let after = "X\na\nb\nc\nY\n";
        assert_eq!(
            print(&diff(before, after, 0)),
            "-[x]\n+[X]\n…3\n-[y]\n+[Y]\n"
        );
    }

    #[test]
    fn a_new_text_is_all_added() {
        assert_eq!(print(&diff("", "a\nb", 3)), "+a\n+b\n");
    }
}
