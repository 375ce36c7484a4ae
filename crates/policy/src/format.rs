//! Laying a policy out: one element a line, four spaces a level.
//!
//! Kept as they are: the order and the quotes of attributes, their values, the
//! text of elements, comments, empty lines between elements (one of them), the
//! line breaks between attributes, the spelling of expressions. Lines of an
//! expression move with the element that they belong to, never those inside of
//! a string.
//!
//! Invariant: the policy means the same before and after, and one that was laid
//! out is laid out.

use std::ops::Range;

use crate::PolicyError;
use crate::canonical::{self, Piece};
use crate::document::Document;
use crate::parse::{Node, RawAttribute, Run};
use crate::spelling::is_blank;

const LEVEL: &str = "    ";

/// The policy, laid out.
///
/// # Errors
/// [`PolicyError::Layout`] if that would change what the policy means; the text
/// is better left alone then.
pub fn formatted(document: &Document) -> Result<String, PolicyError> {
    let mut layout = Layout {
        document,
        out: String::with_capacity(document.text.len()),
    };
    layout.whole();
    let end = if uses_crlf(&document.text) {
        "\r\n"
    } else {
        "\n"
    };
    let out = layout.out.replace("\r\n", "\n").replace('\n', end);
    let read = Document::parse(&out).map_err(|_| PolicyError::Layout)?;
    let same = canonical::of(&read) == canonical::of(document);
    if same && read.needs_rawxml() == document.needs_rawxml() {
        Ok(out)
    } else {
        Err(PolicyError::Layout)
    }
}

fn uses_crlf(text: &str) -> bool {
    text.find('\n').is_some_and(|at| text[..at].ends_with('\r'))
}

/// What stands in an element, or around the root.
enum Item {
    Element(usize),
    /// A comment or a processing instruction.
    Markup(Range<usize>),
    Space(Range<usize>),
}

struct Layout<'a> {
    document: &'a Document,
    out: String,
}

impl Layout<'_> {
    fn whole(&mut self) {
        let text = &self.document.text;
        let root = self.document.root().range();
        let mark = if text.starts_with('\u{feff}') { 3 } else { 0 };
        self.out.push_str(&text[..mark]);
        let mut items = markup(text, mark..root.start);
        items.push(Item::Element(0));
        items.extend(markup(text, root.end..text.len()));
        self.items(&items, 0);
        self.out.push('\n');
    }

    /// Items on lines of their own, the first where the output ends.
    fn items(&mut self, items: &[Item], depth: usize) {
        let text = &self.document.text;
        let (mut breaks, mut behind_element) = (0, false);
        let mut first = true;
        for item in items {
            let range = match item {
                Item::Space(range) => {
                    breaks += text[range.clone()].matches('\n').count();
                    continue;
                }
                Item::Markup(range) => range.clone(),
                Item::Element(at) => self.document.tree.elements[*at].range.clone(),
            };
            let is_markup = matches!(item, Item::Markup(_));
            if is_markup && behind_element && breaks == 0 {
                self.out.push(' ');
            } else if !first {
                self.out.push_str(if breaks > 1 { "\n\n" } else { "\n" });
                self.indent(depth);
            }
            match item {
                Item::Element(at) => self.element(*at, depth),
                _ => self.out.push_str(&text[range]),
            }
            (breaks, behind_element, first) = (0, !is_markup, false);
        }
    }

    fn indent(&mut self, depth: usize) {
        self.out.extend(std::iter::repeat_n(LEVEL, depth));
    }

    fn element(&mut self, at: usize, depth: usize) {
        let text = &self.document.text;
        let element = &self.document.tree.elements[at];
        let shift = self.shift(element.range.start, depth);
        let name = &text[element.name.clone()];
        self.out.push('<');
        self.out.push_str(name);
        self.attributes(at, depth, shift);
        let Some(inner) = element.inner.clone() else {
            return self.out.push_str(" />");
        };
        self.out.push('>');
        let pieces = canonical::content(self.document, self.document.element(at));
        if pieces.iter().any(|piece| matches!(piece, Piece::Text(_))) {
            self.text(at, inner, shift);
        } else {
            let items = self.inside(at, inner);
            if items.iter().any(|item| !matches!(item, Item::Space(_))) {
                self.out.push('\n');
                self.indent(depth + 1);
                self.items(&items, depth + 1);
                self.out.push('\n');
                self.indent(depth);
            }
        }
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// How far an element moves to the right, if it stands first on its line.
    fn shift(&self, start: usize, depth: usize) -> Option<isize> {
        let before = &self.document.text[..start];
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let indent = before[line..].trim_start_matches('\u{feff}');
        let spaces = indent.bytes().all(|b| b == b' ');
        let wide = |n: usize| isize::try_from(n).unwrap_or(0);
        spaces.then(|| wide(depth * LEVEL.len()) - wide(indent.len()))
    }

    fn attributes(&mut self, at: usize, depth: usize, shift: Option<isize>) {
        let text = &self.document.text;
        let element = &self.document.tree.elements[at];
        let attributes = element.attributes.iter();
        let mut all: Vec<(Range<usize>, Option<&RawAttribute>)> = attributes
            .map(|raw| (raw.name.start..raw.value.end + 1, Some(raw)))
            .chain(element.pieces.iter().map(|piece| (piece.clone(), None)))
            .collect();
        all.sort_by_key(|(range, _)| range.start);
        let mut from = element.name.end;
        for (range, raw) in all {
            if text[from..range.start].contains('\n') {
                self.out.push('\n');
                self.indent(depth + 1);
            } else {
                self.out.push(' ');
            }
            from = range.end;
            match raw {
                None => self.out.push_str(&text[range]),
                Some(raw) => {
                    let quote = &text[raw.value.end..raw.value.end + 1];
                    self.out.push_str(&text[raw.name.clone()]);
                    self.out.push('=');
                    self.out.push_str(quote);
                    self.value(&raw.value, &raw.expression, shift);
                    self.out.push_str(quote);
                }
            }
        }
    }

    /// What stands in an element that holds text: every byte may count.
    fn text(&mut self, at: usize, inner: Range<usize>, shift: Option<isize>) {
        let nodes = &self.document.tree.elements[at].nodes;
        match nodes.as_slice() {
            [
                Node::Text(Run {
                    content,
                    expression: Some(inside),
                    range,
                    ..
                }),
            ] if *content == inner && *range == inner => {
                self.value(&inner, &Some(inside.clone()), shift);
            }
            _ => self.out.push_str(&self.document.text[inner]),
        }
    }

    /// A value as it is; lines of an expression move with their element, where
    /// they start between two tokens.
    fn value(
        &mut self,
        range: &Range<usize>,
        expression: &Option<Range<usize>>,
        shift: Option<isize>,
    ) {
        let text = &self.document.text;
        let (Some(inside), Some(shift)) = (expression, shift) else {
            return self.out.push_str(&text[range.clone()]);
        };
        let mut at = inside.start;
        self.out.push_str(&text[range.start..at]);
        for token in self.document.tree.tokens_of(inside) {
            let between = &text[at..token.range.start];
            let mut lines = between.split('\n');
            self.out.push_str(lines.next().unwrap_or_default());
            for line in lines {
                self.out.push('\n');
                self.out.push_str(&moved(line, shift));
            }
            self.out.push_str(&text[token.range.clone()]);
            at = token.range.end;
        }
        self.out.push_str(&text[at..range.end]);
    }

    fn inside(&self, at: usize, inner: Range<usize>) -> Vec<Item> {
        let text = &self.document.text;
        let mut out = Vec::new();
        let mut from = inner.start;
        for node in &self.document.tree.elements[at].nodes {
            let (range, item) = match node {
                Node::Element(at) => {
                    let range = self.document.tree.elements[*at].range.clone();
                    (range, Item::Element(*at))
                }
                Node::Text(run) => (run.range.clone(), Item::Space(run.range.clone())),
            };
            out.extend(markup(text, from..range.start));
            from = range.end;
            out.push(item);
        }
        out.extend(markup(text, from..inner.end));
        out
    }
}

/// A line that moves to the right, or to the left as far as it can.
fn moved(line: &str, shift: isize) -> String {
    let rest = line.trim_start_matches(' ');
    if is_blank(rest) && line.ends_with('\r') || rest.starts_with('\t') {
        return line.to_owned();
    }
    let spaces = line.len() - rest.len();
    format!("{}{rest}", " ".repeat(spaces.saturating_add_signed(shift)))
}

/// The comments, processing instructions and white space of a stretch that
/// holds nothing else.
fn markup(text: &str, range: Range<usize>) -> Vec<Item> {
    let mut out = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let rest = &text[at..range.end];
        let closing = match rest {
            _ if rest.starts_with("<!--") => Some((4, "-->")),
            _ if rest.starts_with("<?") => Some((2, "?>")),
            _ => None,
        };
        let end = match closing {
            Some((skip, mark)) => rest[skip..].find(mark).map(|n| skip + n + mark.len()),
            None => rest.find('<'),
        };
        let end = at + end.unwrap_or(rest.len());
        out.push(match closing {
            Some(_) => Item::Markup(at..end),
            None => Item::Space(at..end),
        });
        at = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> String {
        let once = formatted(&Document::parse(text).unwrap()).unwrap();
        let twice = formatted(&Document::parse(&once).unwrap()).unwrap();
        assert_eq!(twice, once, "not stable: {text}");
        once
    }

    #[test]
    fn elements_stand_on_lines_of_their_own() {
        let text = "<?xml version='1.0'?><!-- top --><policies><inbound><base/><a   b = '1'\n\tc=\"2\"/>\
                    </inbound><outbound></outbound></policies><!-- end -->";
        let expect = "<?xml version='1.0'?>\n<!-- top -->\n<policies>\n    <inbound>\n        <base />\n        \
                      <a b='1'\n            c=\"2\" />\n    </inbound>\n    <outbound></outbound>\n\
                      </policies> <!-- end -->\n";
        assert_eq!(form(text), expect);
    }

    #[test]
    fn comments_and_empty_lines_stay_where_they_are() {
        let text = "<a>\n\n\n<!-- one -->\n<b/> <!-- of b -->\n\n\n\n<c/>\n\n</a>";
        let expect = "<a>\n    <!-- one -->\n    <b /> <!-- of b -->\n\n    <c />\n</a>\n";
        assert_eq!(form(text), expect);
        assert_eq!(form("<a><!-- c --></a>"), "<a>\n    <!-- c -->\n</a>\n");
    }

    #[test]
    fn text_is_not_touched() {
        for text in [
            "<a> x </a>\n",
            "<a>\n  x\n</a>\n",
            "<a> </a>\n",
            "<a>x <b/><c/></a>\n",
            "<a><![CDATA[ <b/> ]]> <!-- c --></a>\n",
            "<a {{x}} b='{{y}}' {{z}}>{{w}}</a>\n",
        ] {
            assert_eq!(form(text), text);
        }
    }

    #[test]
    fn lines_of_an_expression_move_with_their_element() {
        let text =
            "<a>\n<b c=\"@{\n  var x = @\"1\n  2\";\n  return x; // y\n}\">@(\n  f(\"<\"))</b></a>";
        let expect = "<a>\n    <b c=\"@{\n      var x = @\"1\n  2\";\n      return x; // y\n    }\">@(\n      \
                      f(\"<\"))</b>\n</a>\n";
        assert_eq!(form(text), expect);
    }

    #[test]
    fn line_ends_and_the_byte_order_mark_stay() {
        let text = "\u{feff}<a>\r\n<b/>\n<c/></a>";
        assert_eq!(
            form(text),
            "\u{feff}<a>\r\n    <b />\r\n    <c />\r\n</a>\r\n"
        );
    }
}
