//! The few lines that differ between two texts, with the words that do.
//!
//! For any text: policies and T-SQL alike. Line ends do not count, so that a
//! text which came back with others is not shown as changed throughout.

use similar::{Algorithm, ChangeTag, DiffOp, DiffTag, capture_diff_slices, group_diff_ops, utils};

/// Replaced lines with more words than this get no marks: nobody reads them.
const MAX_MARKED: usize = 4_000;

/// Texts that differ in more lines than this are shown as one change: finding
/// the least one takes time that grows with the square.
const MAX_COMPARED: usize = 8_000;

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
    let before: Vec<&str> = before.lines().collect();
    let after: Vec<&str> = after.lines().collect();
    let mut lines = Vec::new();
    if before == after {
        return lines;
    }
    let mut shown = 0;
    for group in group_diff_ops(ops(&before, &after), context) {
        let start = group.first().map_or(0, |op| op.old_range().start);
        skip(&mut lines, start.saturating_sub(shown));
        for op in &group {
            let (old, new) = (&before[op.old_range()], &after[op.new_range()]);
            match op.tag() {
                DiffTag::Equal => push(&mut lines, LineKind::Kept, unmarked(old)),
                DiffTag::Delete => push(&mut lines, LineKind::Removed, unmarked(old)),
                DiffTag::Insert => push(&mut lines, LineKind::Added, unmarked(new)),
                DiffTag::Replace => {
                    let (old, new) = marked(old, new);
                    push(&mut lines, LineKind::Removed, old);
                    push(&mut lines, LineKind::Added, new);
                }
            }
        }
        shown = group.last().map_or(shown, |op| op.old_range().end);
    }
    skip(&mut lines, before.len().saturating_sub(shown));
    lines
}

/// What differs, as ranges of lines. No deadline anywhere: the same texts always
/// give the same marks.
fn ops(before: &[&str], after: &[&str]) -> Vec<DiffOp> {
    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (old, new) = (before.len() - head, after.len() - head);
    if old + new <= MAX_COMPARED {
        return capture_diff_slices(Algorithm::Myers, before, after);
    }
    let pairs = before[head..].iter().rev().zip(after[head..].iter().rev());
    let tail = pairs.take_while(|(a, b)| a == b).count();
    let equal = |old_index, new_index, len| DiffOp::Equal {
        old_index,
        new_index,
        len,
    };
    let replace = DiffOp::Replace {
        old_index: head,
        old_len: old - tail,
        new_index: head,
        new_len: new - tail,
    };
    let last = equal(before.len() - tail, after.len() - tail, tail);
    let all = [equal(0, 0, head), replace, last];
    all.into_iter()
        .filter(|op| !(op.old_range().is_empty() && op.new_range().is_empty()))
        .collect()
}

/// The pieces of one line.
type Pieces = Vec<(bool, String)>;

fn skip(lines: &mut Vec<DiffLine>, count: usize) {
    if count > 0 {
        push(lines, LineKind::Skipped(count), vec![Vec::new()]);
    }
}

fn push(lines: &mut Vec<DiffLine>, kind: LineKind, texts: Vec<Pieces>) {
    lines.extend(texts.into_iter().map(|pieces| DiffLine { kind, pieces }));
}

fn unmarked(lines: &[&str]) -> Vec<Pieces> {
    let line = |line: &&str| match line.is_empty() {
        true => Vec::new(),
        false => vec![(false, (*line).to_owned())],
    };
    lines.iter().map(line).collect()
}

/// Replaced lines, with the words marked that differ. Lines with less than half
/// of their words in common are another text: no marks.
fn marked(old: &[&str], new: &[&str]) -> (Vec<Pieces>, Vec<Pieces>) {
    let (old_text, new_text) = (old.join("\n"), new.join("\n"));
    let (old_words, new_words) = (words(&old_text), words(&new_text));
    let total = old_words.len() + new_words.len();
    if total > MAX_MARKED {
        return (unmarked(old), unmarked(new));
    }
    let changes = utils::diff_slices(Algorithm::Myers, &old_words, &new_words);
    let kept: usize = changes
        .iter()
        .filter(|(tag, _)| *tag == ChangeTag::Equal)
        .map(|(_, words)| words.len())
        .sum();
    if kept * 4 < total {
        return (unmarked(old), unmarked(new));
    }
    let (mut removed, mut added) = (vec![Vec::new()], vec![Vec::new()]);
    for (tag, words) in changes {
        for word in words {
            if tag != ChangeTag::Insert {
                push_word(&mut removed, tag == ChangeTag::Delete, word);
            }
            if tag != ChangeTag::Delete {
                push_word(&mut added, tag == ChangeTag::Insert, word);
            }
        }
    }
    (removed, added)
}

fn push_word(lines: &mut Vec<Pieces>, mark: bool, word: &str) {
    if word == "\n" {
        lines.push(Vec::new());
        return;
    }
    let Some(line) = lines.last_mut() else { return };
    match line.last_mut() {
        Some((marked, piece)) if *marked == mark => piece.push_str(word),
        _ => line.push((mark, word.to_owned())),
    }
}

/// Words, runs of blanks, and every other character on its own.
pub(crate) fn words(text: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 'w',
        ' ' | '\t' => ' ',
        c => c,
    };
    let mut out = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        let joins = matches!(kind(c), 'w' | ' ') && last == Some(kind(c));
        if !joins && at > start {
            out.push(&text[start..at]);
            start = at;
        }
        last = Some(kind(c));
    }
    if start < text.len() {
        out.push(&text[start..]);
    }
    out
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
    fn marks_are_as_small_as_words() {
        let before = "<a b='1'>Server=x;Password=y;</a>";
        let after = "<a b='2'>Server=x;</a>";
        let expect = "-<a b='[1]'>Server=x[;Password=y];</a>\n+<a b='[2]'>Server=x;</a>\n";
        assert_eq!(print(&diff(before, after, 3)), expect);
    }

    #[test]
    fn lines_with_little_in_common_get_no_marks() {
        let expect = "-select one from a\n+exec(two)\n";
        assert_eq!(print(&diff("select one from a", "exec(two)", 3)), expect);
    }

    #[test]
    fn groups_far_apart_are_parted() {
        let before = "x\na\nb\nc\ny\n";
        let after = "X\na\nb\nc\nY\n";
        assert_eq!(print(&diff(before, after, 0)), "-x\n+X\n…3\n-y\n+Y\n");
    }

    #[test]
    fn long_texts_take_no_square_time() {
        let many =
            |n: usize| -> String { (0..200_000).map(|at| format!("{}\n", at * 2 + n)).collect() };
        let lines = diff(
            &format!("a\n{}b\n", many(0)),
            &format!("a\n{}b\n", many(1)),
            1,
        );
        assert_eq!(lines.len(), 400_002);
        assert_eq!(
            (lines[0].kind, lines[400_001].kind),
            (LineKind::Kept, LineKind::Kept)
        );
    }

    #[test]
    fn a_new_text_is_all_added() {
        assert_eq!(print(&diff("", "a\nb", 3)), "+a\n+b\n");
    }
}
