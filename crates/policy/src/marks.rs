//! Two values of an attribute or a text, token by token: the lines that differ,
//! with what differs in them marked.
//!
//! White space and comments between the tokens of an expression do not count,
//! so that a value which was only laid out anew beside its change is not shown
//! whole. What does count is shown in the lines that people wrote.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::csharp::{Kind, Token};
use crate::diff::{DiffLine, LineKind, words};
use crate::spelling::decode;

/// Values that differ in more tokens than this are marked as one change: nobody
/// reads finer marks, and finding them takes time that grows with the square.
const MAX_COMPARED: usize = 4_000;

/// Longest stretch of a line that did not change and is shown whole, and what
/// is left of a longer one at both ends, in characters.
const MAX_KEPT: (usize, usize) = (160, 50);

/// A value to be shown: its text, and where the pieces stand that are compared.
#[derive(Default)]
pub(crate) struct Value {
    text: String,
    pieces: Vec<Range<usize>>,
}

impl Value {
    /// Adds plain text: each word and each blank counts.
    pub fn plain(&mut self, text: &str) {
        for word in words(text) {
            let start = self.text.len();
            self.text.push_str(word);
            self.pieces.push(start..self.text.len());
        }
    }

    /// Adds an expression: each token counts, and of strings each word.
    pub fn expression(&mut self, document: &str, range: &Range<usize>, tokens: &[Token]) {
        let mut at = range.start;
        for token in tokens {
            let between = decode(&document[at..token.range.start], token.between);
            if at == range.start {
                // `@(` or `@{`, and the white space behind it.
                let opening = between.len().min(2);
                self.plain(&between[..opening]);
                self.text.push_str(&between[opening..]);
            } else {
                self.text.push_str(&between);
            }
            let source = token.text(document);
            if token.kind == Kind::Literal {
                self.plain(&source);
            } else {
                let start = self.text.len();
                self.text.push_str(&source);
                self.pieces.push(start..self.text.len());
            }
            at = token.range.end;
        }
    }

    fn words(&self) -> Vec<&str> {
        self.pieces.iter().map(|r| &self.text[r.clone()]).collect()
    }
}

/// The lines of two values that differ.
pub(crate) fn lines(old: &Value, new: &Value) -> Vec<DiffLine> {
    let ops = compare(&old.words(), &new.words());
    let mut old = Side::of(old);
    let mut new = Side::of(new);
    for op in &ops {
        old.mark(op.old_range());
        new.mark(op.new_range());
    }
    let mut out = Vec::new();
    for op in &ops {
        let (gone, come) = (op.old_range(), op.new_range());
        // Lines that only come or only go need no other beside them.
        let only_new = gone.is_empty() && new.is_whole(&come);
        let only_old = come.is_empty() && old.is_whole(&gone);
        if !only_new {
            old.show(&gone, LineKind::Removed, &mut out);
        }
        if !only_old {
            new.show(&come, LineKind::Added, &mut out);
        }
    }
    out
}

/// What differs, as ranges of both.
fn compare(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let pairs = old_rest.iter().rev().zip(new_rest.iter().rev());
    let tail = pairs.take_while(|(a, b)| a == b).count();
    let old_middle = &old_rest[..old_rest.len() - tail];
    let new_middle = &new_rest[..new_rest.len() - tail];
    if old_middle.len() + new_middle.len() > MAX_COMPARED {
        return vec![DiffOp::Replace {
            old_index: head,
            old_len: old_middle.len(),
            new_index: head,
            new_len: new_middle.len(),
        }];
    }
    let ops = capture_diff_slices(Algorithm::Myers, old_middle, new_middle);
    let changed = ops
        .into_iter()
        .filter(|op| !matches!(op, DiffOp::Equal { .. }));
    changed.map(|op| moved_on(op, head)).collect()
}

/// An operation on slices that start `by` further on.
fn moved_on(op: DiffOp, by: usize) -> DiffOp {
    let (old, new) = (op.old_range(), op.new_range());
    DiffOp::Replace {
        old_index: old.start + by,
        old_len: old.len(),
        new_index: new.start + by,
        new_len: new.len(),
    }
}

struct Side<'a> {
    value: &'a Value,
    marked: Vec<bool>,
    /// The ranges of the lines, without their ends.
    lines: Vec<Range<usize>>,
    /// The first line that was not shown yet.
    next: usize,
}

impl<'a> Side<'a> {
    fn of(value: &'a Value) -> Side<'a> {
        let mut lines = Vec::new();
        let mut start = 0;
        for line in value.text.split('\n') {
            lines.push(start..start + line.len());
            start += line.len() + 1;
        }
        Side {
            value,
            marked: vec![false; value.pieces.len()],
            lines,
            next: 0,
        }
    }

    fn mark(&mut self, pieces: Range<usize>) {
        self.marked[pieces].fill(true);
    }

    fn line_at(&self, offset: usize) -> usize {
        self.lines
            .partition_point(|line| line.end < offset)
            .min(self.lines.len() - 1)
    }

    /// The lines of these pieces; of none, the line where they would stand.
    fn lines_of(&self, pieces: &Range<usize>) -> Range<usize> {
        let all = &self.value.pieces;
        let start = match all.get(pieces.start) {
            Some(piece) => piece.start,
            None => all.last().map_or(0, |piece| piece.end),
        };
        let end = match pieces.is_empty() {
            true => start,
            false => all[pieces.end - 1].end,
        };
        self.line_at(start)..self.line_at(end) + 1
    }

    /// Whether these pieces have their lines to themselves.
    fn is_whole(&self, pieces: &Range<usize>) -> bool {
        let lines = self.lines_of(pieces);
        let (start, end) = (self.lines[lines.start].start, self.lines[lines.end - 1].end);
        let all = &self.value.pieces;
        let before = pieces.start.checked_sub(1).map(|at| &all[at]);
        before.is_none_or(|piece| piece.end <= start)
            && all.get(pieces.end).is_none_or(|piece| piece.start >= end)
    }

    fn show(&mut self, pieces: &Range<usize>, kind: LineKind, out: &mut Vec<DiffLine>) {
        let lines = self.lines_of(pieces);
        for line in lines.start.max(self.next)..lines.end {
            let pieces = self.line(&self.lines[line]);
            out.push(DiffLine { kind, pieces });
            self.next = line + 1;
        }
    }

    fn line(&self, line: &Range<usize>) -> Vec<(bool, String)> {
        let all = &self.value.pieces;
        let first = all.partition_point(|piece| piece.end <= line.start);
        let mut out: Vec<(bool, String)> = Vec::new();
        let mut at = line.start;
        for (piece, marked) in all[first..].iter().zip(&self.marked[first..]) {
            if piece.start >= line.end {
                break;
            }
            let (start, end) = (piece.start.max(line.start), piece.end.min(line.end));
            push(&mut out, false, &self.value.text[at..start.max(at)]);
            push(&mut out, *marked, &self.value.text[start..end]);
            at = end;
        }
        push(&mut out, false, &self.value.text[at..line.end]);
        out.into_iter().map(shortened).collect()
    }
}

fn push(pieces: &mut Vec<(bool, String)>, mark: bool, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some((marked, piece)) if *marked == mark => piece.push_str(text),
        _ => pieces.push((mark, text.to_owned())),
    }
}

/// A stretch that did not change, without its middle if it is long.
fn shortened((mark, text): (bool, String)) -> (bool, String) {
    let (longest, ends) = MAX_KEPT;
    let length = text.chars().count();
    if mark || length <= longest {
        return (mark, text);
    }
    let head: String = text.chars().take(ends).collect();
    let tail: String = text.chars().skip(length - ends).collect();
    (mark, format!("{head} … {tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csharp;
    use crate::spelling::Spelling;

    fn plain(text: &str) -> Value {
        let mut value = Value::default();
        value.plain(text);
        value
    }

    fn expression(text: &str) -> Value {
        let mut tokens = Vec::new();
        let range = csharp::read(text, 0, text.len(), Spelling::Raw, &mut tokens).unwrap();
        let mut value = Value::default();
        value.expression(text, &range, &tokens);
        assert_eq!(value.text, text);
        value
    }

    fn print(old: &Value, new: &Value) -> String {
        let piece = |(on, text): &(bool, String)| match on {
            true => format!("[{text}]"),
            false => text.clone(),
        };
        let line = |line: &DiffLine| {
            let mark = if line.kind == LineKind::Removed {
                '-'
            } else {
                '+'
            };
            format!(
                "{mark}{}\n",
                line.pieces.iter().map(piece).collect::<String>()
            )
        };
        lines(old, new).iter().map(line).collect()
    }

    #[test]
    fn only_the_token_that_changed_is_marked() {
        let old = expression("@{\n    var a = b < 1;\n    return \"Bearer \" + a;\n}");
        let new = expression("@{ var a = b<1; // laid out anew\n  return \"Bearer\" + a;\n}");
        let expect = "-    return \"Bearer[ ]\" + a;\n+  return \"Bearer\" + a;\n";
        assert_eq!(print(&old, &new), expect);
        assert_eq!(print(&old, &old), "");
    }

    #[test]
    fn a_line_that_only_comes_stands_alone() {
        let old = expression("@{\n a();\n return 1;\n}");
        let new = expression("@{\n a();\n b();\n return 1;\n}");
        assert_eq!(print(&old, &new), "+ [b();]\n");
        assert_eq!(print(&new, &old), "- [b();]\n");
    }

    #[test]
    fn words_of_plain_text_are_marked() {
        let (old, new) = (plain("Server=x;Password=y;"), plain("Server=x;"));
        assert_eq!(print(&old, &new), "-Server=x;[Password=y;]\n+Server=x;\n");
        assert_eq!(print(&plain(""), &plain("x")), "+[x]\n");
    }

    #[test]
    fn long_lines_are_cut_where_nothing_changed() {
        let long = "word ".repeat(200);
        let shown = print(&plain(&format!("{long}a")), &plain(&format!("{long}b")));
        assert!(shown.contains(" … ") && shown.len() < 300, "{shown}");
        assert!(shown.contains("[a]") && shown.contains("[b]"));
    }

    #[test]
    fn values_without_anything_in_common_take_no_square_time() {
        let many = |n: usize| {
            (0..200_000)
                .map(|at| format!("{} ", at * 2 + n))
                .collect::<String>()
        };
        assert_eq!(lines(&plain(&many(0)), &plain(&many(1))).len(), 2);
    }
}
