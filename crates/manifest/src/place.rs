//! From byte ranges of a text to spans.

use std::ops::Range;

use keyless_model::Span;

const MARK: char = '\u{feff}';

/// How many bytes lie between two counts of characters.
const STRIDE: usize = 1024;

/// A text, its path, and where its lines start.
pub(crate) struct Places<'a> {
    path: &'a str,
    text: &'a str,
    lines: Vec<usize>,
    /// Characters that start before each multiple of [`STRIDE`], so that the column of something in
    /// a very long line is found without counting from its start.
    characters: Vec<usize>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(path: &'a str, text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let mut characters = vec![0];
        let mut count = 0;
        for block in text.as_bytes().chunks(STRIDE) {
            count += starts(block);
            characters.push(count);
        }
        Self {
            path,
            text,
            lines: std::iter::once(0)
                .chain(breaks.map(|(i, _)| i + 1))
                .collect(),
            characters,
        }
    }

    pub(crate) fn path(&self) -> &'a str {
        self.path
    }

    /// The span of a range, cut where its first line ends, so that a caret marks one line.
    pub(crate) fn span(&self, range: &Range<usize>) -> Span {
        let start = self.boundary(range.start);
        let line = self.line_of(start);
        let end = self.boundary(range.end).min(self.line_end(line)).max(start);
        let mark = usize::from(line == 0 && start > 0 && self.text.starts_with(MARK));
        let column = self.count(start) - self.count(self.lines[line]) - mark + 1;
        Span {
            file: self.path.to_owned(),
            start,
            end,
            line: line + 1,
            column,
        }
    }

    /// The part of a range from its `number`-th `open` to the next `close`; all of it where it has
    /// none, as in a text that is written with escapes.
    pub(crate) fn nth(
        &self,
        range: &Range<usize>,
        open: &str,
        close: &str,
        number: usize,
    ) -> Range<usize> {
        let text = self.text.get(range.clone()).unwrap_or_default();
        let part = || {
            let (start, _) = text.match_indices(open).nth(number)?;
            let end = start + text[start..].find(close)? + close.len();
            Some(range.start + start..range.start + end)
        };
        part().unwrap_or_else(|| range.clone())
    }

    /// The line, from 0, that holds an offset.
    pub(crate) fn line_of(&self, offset: usize) -> usize {
        self.lines
            .partition_point(|start| *start <= offset)
            .saturating_sub(1)
    }

    /// A line, from 0: where it starts, and its text without the line break.
    pub(crate) fn line(&self, line: usize) -> Option<(usize, &'a str)> {
        let start = *self.lines.get(line)?;
        Some((start, self.text.get(start..self.line_end(line))?))
    }

    fn line_end(&self, line: usize) -> usize {
        let end = self
            .lines
            .get(line + 1)
            .map_or(self.text.len(), |next| next - 1);
        let text = self.text.get(..end).unwrap_or_default();
        text.strip_suffix('\r').map_or(end, str::len)
    }

    /// How many characters start before an offset.
    fn count(&self, offset: usize) -> usize {
        let block = offset / STRIDE;
        let rest = self.text.as_bytes().get(block * STRIDE..offset);
        self.characters
            .get(block)
            .map_or(0, |n| n + rest.map_or(0, starts))
    }

    fn boundary(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// How many characters start in some bytes of a text.
fn starts(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| **b & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_spans_end_with_their_line() {
        let places = Places::new("a.yaml", "\u{feff}ä: b\r\nü: é\n");
        let span = places.span(&(3..20));
        assert_eq!((span.line, span.column, span.start, span.end), (1, 1, 3, 8));
        let span = places.span(&(13..15));
        assert_eq!((span.line, span.column), (2, 3));
        assert_eq!(places.span(&(15..15)).start, 14, "never inside a character");
        assert_eq!(places.span(&(99..120)).line, 3);
    }

    #[test]
    fn columns_of_a_long_line_are_right_across_every_stride() {
        let text = "aé€😀".repeat(1000);
        let places = Places::new("a.yaml", &text);
        for (number, (at, _)) in text.char_indices().enumerate() {
            assert_eq!(places.span(&(at..at)).column, number + 1);
        }
        let end = text.len()..text.len();
        assert_eq!(places.span(&end).column, 4001);
    }
}
