//! What differs between two policies in meaning, element by element.
//!
//! Elements are matched from the root down. Under two that match, children that
//! mean the same are paired first, then those that share a name and what
//! identifies them, then those that share a name between the same neighbours.
//! What is left over was added or removed, or it was moved: the same element
//! stands elsewhere, perhaps inside of one that was added.
//!
//! Invariant: there is a difference exactly when the canonical forms differ.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Range;

use crate::ElementPath;
use crate::canonical::{self, Piece};
use crate::diff::{DiffLine, LineKind};
use crate::document::Document;
use crate::marks::{self, Value};
use crate::matching::{Prints, pair};
use crate::parse::{Node, RawAttribute};
use crate::spelling::{Spelling, decode, decode_attribute};

/// Most lines that are shown of an element that was added or removed; of a value
/// that changed, twice as many, as it has two sides.
const MAX_LINES: usize = 40;

/// A difference in meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The element, in the second document; one that was removed, in the first.
    pub path: ElementPath,
    /// What happened to it.
    pub what: What,
    /// The lines that changed, in the words of the documents. Of an element
    /// that was moved, the line it starts with.
    pub lines: Vec<DiffLine>,
}

/// What happened to an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It is in the second document only.
    Added,
    /// It is in the first document only.
    Removed,
    /// It stands elsewhere, or in another order.
    Moved {
        /// Where it stood in the first document.
        from: ElementPath,
    },
    /// An attribute has another value, came, or went.
    Attribute(String),
    /// Its text differs.
    Text,
}

/// What differs in meaning, in the order of the documents. Empty exactly when
/// [`crate::same`] says so of the texts.
pub fn differences(before: &Document, after: &Document) -> Vec<Difference> {
    if canonical::of(before) == canonical::of(after) {
        return Vec::new();
    }
    let mut search = Search {
        old: Prints::of(before),
        new: Prints::of(after),
        out: Vec::new(),
        removed: BTreeSet::new(),
        added: BTreeSet::new(),
    };
    if before.root().name() == after.root().name() {
        search.elements(0, 0);
    } else {
        search.removed.insert(0);
        search.added.insert(0);
    }
    search.unmatched();
    if search.out.is_empty() {
        // Only if two different elements had the same print.
        search.show(Side::Old, 0, &BTreeSet::new());
        search.show(Side::New, 0, &BTreeSet::new());
    }
    search.out.sort_by_key(|(place, _)| *place);
    search.out.into_iter().map(|(_, found)| found).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Old,
    New,
}

struct Search<'a> {
    old: Prints<'a>,
    new: Prints<'a>,
    /// With the place in the documents that they are sorted by.
    out: Vec<(usize, Difference)>,
    /// Elements of the first document that have no match so far.
    removed: BTreeSet<usize>,
    /// Elements of the second one.
    added: BTreeSet<usize>,
}

impl Search<'_> {
    fn elements(&mut self, a: usize, b: usize) {
        if self.old.whole(a) == self.new.whole(b) {
            return;
        }
        self.attributes(a, b);
        self.texts(a, b);
        let pairs = pair(&self.old, a, &self.new, b);
        for (from, to) in &pairs.moved {
            self.moved(*from, *to);
        }
        self.removed.extend(pairs.removed);
        self.added.extend(pairs.added);
        for (from, to) in pairs.kept.into_iter().chain(pairs.moved) {
            self.elements(from, to);
        }
    }

    fn push(&mut self, b: usize, what: What, mut lines: Vec<DiffLine>) {
        if lines.len() > 2 * MAX_LINES {
            let more = lines.len() - 2 * MAX_LINES;
            lines.truncate(2 * MAX_LINES);
            lines.push(left_out(more));
        }
        let element = self.new.document.element(b);
        let found = Difference {
            path: element.path(),
            what,
            lines,
        };
        self.out.push((element.range().start, found));
    }

    fn moved(&mut self, a: usize, b: usize) {
        let from = self.old.document.element(a).path();
        let document = self.new.document;
        let text = source(document, b, &BTreeSet::new());
        let line = text.lines().next().unwrap_or_default();
        let line = DiffLine {
            kind: LineKind::Kept,
            pieces: vec![(false, line.to_owned())],
        };
        self.push(b, What::Moved { from }, vec![line]);
    }

    fn attributes(&mut self, a: usize, b: usize) {
        let by_name = |document: &Document, at: usize| -> BTreeMap<String, RawAttribute> {
            let all = &document.tree.elements[at].attributes;
            let named =
                |raw: &RawAttribute| (document.text[raw.name.clone()].to_owned(), raw.clone());
            all.iter().map(named).collect()
        };
        let (old, new) = (self.old.document, self.new.document);
        let (before, after) = (by_name(old, a), by_name(new, b));
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let (was, is) = (before.get(name), after.get(name));
            let form = |document, raw: Option<&RawAttribute>| {
                raw.map(|raw| canonical::attribute(document, raw))
            };
            if form(old, was) == form(new, is) {
                continue;
            }
            let value = |document, raw: Option<&RawAttribute>| {
                raw.map_or_else(Value::default, |raw| attribute_value(document, raw))
            };
            let mut lines = marks::lines(&value(old, was), &value(new, is));
            if lines.is_empty() {
                // It came or went, and is empty.
                let kind = if is.is_some() {
                    LineKind::Added
                } else {
                    LineKind::Removed
                };
                let pieces = vec![(true, format!("{name}=\"\""))];
                lines.push(DiffLine { kind, pieces });
            }
            self.push(b, What::Attribute(name.clone()), lines);
        }
        let pieces = |document: &Document, at: usize| -> Vec<String> {
            let all = document.tree.elements[at].pieces.iter();
            all.map(|r| document.text[r.clone()].to_owned()).collect()
        };
        let (was, is) = (pieces(old, a), pieces(new, b));
        if was != is {
            let lines = crate::diff(&was.join("\n"), &is.join("\n"), 0);
            self.push(b, What::Attribute("{{…}}".to_owned()), lines);
        }
    }

    /// Compares what is text in two elements, and where it stands between the
    /// elements in them.
    fn texts(&mut self, a: usize, b: usize) {
        let (old, new) = (self.old.document, self.new.document);
        let ((mut before, many), (mut after, others)) = (texts(old, a), texts(new, b));
        if many != others {
            // An element that came or went does not move the text behind it.
            let texts = before.iter_mut().chain(&mut after);
            texts.for_each(|(place, _)| *place = 0);
        }
        if before == after {
            return;
        }
        let mut lines = marks::lines(&text_value(old, a), &text_value(new, b));
        if lines.is_empty() {
            // The same words, parted by elements in other places.
            let joined = |texts: &[(usize, String)]| {
                let texts: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
                texts.join("\n…\n")
            };
            lines = crate::diff(&joined(&before), &joined(&after), 0);
        }
        self.push(b, What::Text, lines);
    }

    /// What has no match: it was moved, or it came or went.
    fn unmatched(&mut self) {
        let mut gone = self.by_print(Side::Old);
        let mut moved_in: BTreeSet<usize> = BTreeSet::new();
        // The outermost first, so that what is inside of a moved one is moved with it.
        for b in self.inside(Side::New) {
            if is_within(self.new.document, b, &moved_in) {
                continue;
            }
            let from = gone.get_mut(&self.new.whole(b));
            if let Some(a) = from.and_then(VecDeque::pop_front) {
                self.moved(a, b);
                self.removed.remove(&a);
                self.added.remove(&b);
                moved_in.insert(b);
            }
        }
        let mut come = self.by_print(Side::New);
        let mut moved_out: BTreeSet<usize> = BTreeSet::new();
        for a in self.inside(Side::Old) {
            if is_within(self.old.document, a, &moved_out) {
                continue;
            }
            let to = come.get_mut(&self.old.whole(a));
            if let Some(b) = to.and_then(VecDeque::pop_front) {
                self.moved(a, b);
                self.added.remove(&b);
                moved_out.insert(a);
            }
        }
        for at in self.removed.clone() {
            self.show(Side::Old, at, &moved_out);
        }
        for at in self.added.clone() {
            self.show(Side::New, at, &moved_in);
        }
    }

    /// The unmatched elements of one side by what they mean.
    fn by_print(&self, side: Side) -> HashMap<u64, VecDeque<usize>> {
        let (prints, all) = match side {
            Side::Old => (&self.old, &self.removed),
            Side::New => (&self.new, &self.added),
        };
        let mut out: HashMap<u64, VecDeque<usize>> = HashMap::new();
        for at in all {
            out.entry(prints.whole(*at)).or_default().push_back(*at);
        }
        out
    }

    /// The unmatched elements of one side and all inside of them, in order.
    fn inside(&self, side: Side) -> Vec<usize> {
        let (document, all) = match side {
            Side::Old => (self.old.document, &self.removed),
            Side::New => (self.new.document, &self.added),
        };
        let mut out = Vec::new();
        for at in all {
            let end = document.tree.elements[*at].range.end;
            let starts_inside = |n: &usize| document.tree.elements[*n].range.start < end;
            out.extend((*at..document.tree.elements.len()).take_while(starts_inside));
        }
        out
    }

    fn show(&mut self, side: Side, at: usize, moved: &BTreeSet<usize>) {
        let (document, what, kind) = match side {
            Side::Old => (self.old.document, What::Removed, LineKind::Removed),
            Side::New => (self.new.document, What::Added, LineKind::Added),
        };
        let text = source(document, at, moved);
        let all = text.lines().count();
        let line = |line: &str| DiffLine {
            kind,
            pieces: vec![(false, line.to_owned())],
        };
        let mut lines: Vec<DiffLine> = text.lines().take(MAX_LINES).map(line).collect();
        if all > MAX_LINES {
            lines.push(left_out(all - MAX_LINES));
        }
        let element = document.element(at);
        let found = Difference {
            path: element.path(),
            what,
            lines,
        };
        self.out.push((element.range().start, found));
    }
}

fn left_out(lines: usize) -> DiffLine {
    DiffLine {
        kind: LineKind::Skipped(lines),
        pieces: Vec::new(),
    }
}

fn is_within(document: &Document, at: usize, moved: &BTreeSet<usize>) -> bool {
    let parent = |at: &usize| document.tree.elements[*at].parent;
    std::iter::successors(parent(&at), parent).any(|around| moved.contains(&around))
}

/// The source of an element without the indentation of where it stands; what
/// was moved is told at its own place.
fn source(document: &Document, at: usize, moved: &BTreeSet<usize>) -> String {
    let range = document.tree.elements[at].range.clone();
    let mut out = String::new();
    let mut from = range.start;
    // Elements are numbered in the order of the text.
    let behind = moved.range(at + 1..);
    let parts = behind.map(|inner| document.tree.elements[*inner].range.clone());
    for part in parts.take_while(|part| part.start < range.end) {
        out.push_str(&document.text[from..part.start]);
        out.push_str("… (moved)");
        from = part.end;
    }
    out.push_str(&document.text[from..range.end]);
    let before = &document.text[..range.start];
    let indent = before.len() - before.trim_end_matches([' ', '\t']).len();
    let mut lines = out.lines();
    let mut shown = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        shown.push('\n');
        shown.push_str(&line[blank.min(indent)..]);
    }
    shown
}

/// The texts of an element as the canonical form has them, each with the number
/// of elements before it; and how many elements there are.
fn texts(document: &Document, at: usize) -> (Vec<(usize, String)>, usize) {
    let (mut out, mut elements) = (Vec::new(), 0);
    for piece in canonical::content(document, document.element(at)) {
        match piece {
            Piece::Text(text) => out.push((elements, text)),
            Piece::Element(_) => elements += 1,
        }
    }
    (out, elements)
}

fn attribute_value(document: &Document, raw: &RawAttribute) -> Value {
    let plain = |part: Range<usize>| decode_attribute(&document.text[part]).into_owned();
    let mut out = Value::default();
    add(document, &raw.value, &raw.expression, plain, &mut out);
    out
}

/// All text right inside of an element.
fn text_value(document: &Document, at: usize) -> Value {
    let mut out = Value::default();
    for node in &document.tree.elements[at].nodes {
        let Node::Text(run) = node else { continue };
        let entities = run.spelling != Spelling::Verbatim;
        let plain = |part: Range<usize>| decode(&document.text[part], entities).into_owned();
        add(document, &run.content, &run.expression, plain, &mut out);
    }
    out
}

/// Adds what stands in a range to a value.
fn add(
    document: &Document,
    range: &Range<usize>,
    expression: &Option<Range<usize>>,
    plain: impl Fn(Range<usize>) -> String,
    out: &mut Value,
) {
    let Some(inside) = expression else {
        return out.plain(&plain(range.clone()));
    };
    out.plain(&plain(range.start..inside.start));
    out.expression(&document.text, inside, document.tree.tokens_of(inside));
    out.plain(&plain(inside.end..range.end));
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "<policies>\n  <inbound>\n    <base />\n    \
        <set-header name=\"A\">\n      <value>@(\"Bearer \" + t)</value>\n    </set-header>\n    \
        <rate-limit calls=\"5\" />\n    <trace />\n  </inbound>\n  <outbound>\n    \
        <base />\n  </outbound>\n</policies>\n";

    fn print(before: &str, after: &str) -> String {
        let read = |text: &str| Document::parse(text).unwrap();
        let (before, after) = (read(before), read(after));
        let mut out = String::new();
        for found in differences(&before, &after) {
            let what = match found.what {
                What::Added => "added".to_owned(),
                What::Removed => "removed".to_owned(),
                What::Moved { from } => format!("from {from}"),
                What::Attribute(name) => format!("@{name}"),
                What::Text => "text".to_owned(),
            };
            out.push_str(&format!("{} {what}\n", found.path));
            for line in found.lines {
                let mark = match line.kind {
                    LineKind::Kept => ' ',
                    LineKind::Removed => '-',
                    LineKind::Added => '+',
                    LineKind::Skipped(_) => '…',
                };
                let piece = |(on, text): (bool, String)| match on {
                    true => format!("[{text}]"),
                    false => text,
                };
                let line: String = line.pieces.into_iter().map(piece).collect();
                out.push_str(&format!("{mark}{line}\n"));
            }
        }
        out
    }

    fn edited(from: &str, to: &str) -> String {
        assert!(POLICY.contains(from), "{from}");
        print(POLICY, &POLICY.replacen(from, to, 1))
    }

    #[test]
    fn a_cosmetic_change_is_none() {
        let other = POLICY
            .replace('\n', "\r\n\t")
            .replace("<base />", "<!-- c --><base/>");
        assert_eq!(print(POLICY, &other), "");
        assert_eq!(edited("\"Bearer \" + t", "\"Bearer \"+t /* c */"), "");
    }

    #[test]
    fn one_place_is_told_as_one() {
        let text =
            "/policies/inbound/set-header/value text\n-@(\"Bearer[ ]\" + t)\n+@(\"Bearer\" + t)\n";
        assert_eq!(edited("Bearer \"", "Bearer\""), text);
        let attribute = "/policies/inbound/rate-limit @calls\n-[5]\n+[6]\n";
        assert_eq!(edited("\"5\"", "\"6\""), attribute);
        let come = "/policies/inbound/rate-limit @key\n+[]\n".replace("[]", "[key=\"\"]");
        assert_eq!(edited("calls=\"5\"", "calls=\"5\" key=\"\""), come);
        let gone = "/policies/inbound/trace removed\n-<trace />\n";
        assert_eq!(edited("    <trace />\n", ""), gone);
        let name = "/policies/inbound/set-header @name\n-[A]\n+[B]\n";
        assert_eq!(edited("\"A\"", "\"B\""), name);
    }

    #[test]
    fn what_is_added_is_shown_without_its_indentation() {
        let added = "\n    <choose>\n      <when/>\n    </choose>\n    <trace />";
        let expect = "/policies/inbound/choose added\n+<choose>\n+  <when/>\n+</choose>\n";
        assert_eq!(edited("\n    <trace />", added), expect);
        let many = format!("<x>\n{}</x>", "<y/>\n".repeat(100));
        let shown = edited("<trace />", &format!("<trace />{many}"));
        assert_eq!(shown.lines().count(), 1 + MAX_LINES + 1);
        let long = |word: &str| format!("<a>{}</a>", format!("{word}\n").repeat(500));
        let shown = print(&long("x"), &long("y"));
        assert_eq!(shown.lines().count(), 1 + 2 * MAX_LINES + 1);
    }

    #[test]
    fn order_and_section_are_moves() {
        let order = edited(
            "<rate-limit calls=\"5\" />\n    <trace />",
            "<trace />\n    <rate-limit calls=\"5\" />",
        );
        assert_eq!(order.lines().count(), 2);
        assert!(order.contains(" from /policies/inbound/"), "{order}");
        let section = POLICY.replace("    <trace />\n", "");
        let section = section.replace("  </outbound>", "    <trace />\n  </outbound>");
        let expect = "/policies/outbound/trace from /policies/inbound/trace\n <trace />\n";
        assert_eq!(print(POLICY, &section), expect);
    }

    #[test]
    fn what_is_wrapped_is_moved_into_what_is_added() {
        let wrapped = "<choose>\n      <when condition=\"@(a)\"><trace /></when>\n    </choose>";
        let shown = edited("<trace />", wrapped);
        let expect = "/policies/inbound/choose added\n+<choose>\n+  <when condition=\"@(a)\">… \
                      (moved)</when>\n+</choose>\n/policies/inbound/choose/when/trace from \
                      /policies/inbound/trace\n <trace />\n";
        assert_eq!(shown, expect);
        let back = print(&POLICY.replacen("<trace />", wrapped, 1), POLICY);
        assert!(back.contains("/policies/inbound/trace from /policies/inbound/choose/when/trace"));
        assert!(back.contains("/policies/inbound/choose removed"));
    }

    #[test]
    fn what_is_inside_of_a_moved_one_is_not_moved_again() {
        let small = "<a><c><d/></c><d/></a>";
        let large = "<a><x><c><d/></c></x><y><d/></y></a>";
        let places = |shown: String| -> Vec<String> {
            let places = shown.lines().filter(|line| line.starts_with('/'));
            places.map(str::to_owned).collect()
        };
        let into = [
            "/a/x added",
            "/a/x/c from /a/c",
            "/a/y added",
            "/a/y/d from /a/d",
        ];
        assert_eq!(places(print(small, large)), into);
        let out_of = [
            "/a/c from /a/x/c",
            "/a/x removed",
            "/a/d from /a/y/d",
            "/a/y removed",
        ];
        assert_eq!(places(print(large, small)), out_of);
    }

    #[test]
    fn text_between_elements_counts_where_it_stands() {
        assert_eq!(print("<a>x<b/></a>", "<a>x</a>"), "/a/b removed\n-<b/>\n");
        assert!(print("<a>x<b/></a>", "<a><b/>x</a>").starts_with("/a text\n"));
        assert_eq!(
            print("<a>x<b/></a>", "<a>y<b/></a>"),
            "/a text\n-[x]\n+[y]\n"
        );
    }

    #[test]
    fn other_roots_have_nothing_in_common() {
        let expect = "/a removed\n-<a/>\n/b added\n+<b/>\n";
        assert_eq!(print("<a/>", "<b/>"), expect);
    }

    #[test]
    fn many_children_take_no_square_time() {
        let many = |n: usize| -> String {
            let rows = (0..30_000).map(|at| format!("<r n='{}'/>", at * 2 + n));
            format!("<a>{}</a>", rows.collect::<String>())
        };
        let (before, after) = (many(0), many(1));
        let read = |text: &str| Document::parse(text).unwrap();
        assert_eq!(differences(&read(&before), &read(&after)).len(), 30_000);
    }
}
