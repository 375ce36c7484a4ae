//! YAML 1.2 text to nodes that know their place.
//!
//! Invariant: ranges index the bytes of the source. Anchors, aliases and tags are refused, and so
//! is a key that stands twice, so a document means what it shows and cannot grow when it is read.
//! What a plain scalar means is `scalar.rs`'s business.

use std::collections::BTreeSet;
use std::ops::Range;

use keyless_model::Diagnostic;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, StrInput};

use crate::place::Places;
use crate::scalar::{Scalar, Style};

/// How deep lists and mappings may nest.
const MAX_DEPTH: usize = 32;

/// How many values one file may hold; far more than a file of the largest size needs.
const MAX_NODES: usize = 500_000;

/// A value and where it stands.
pub(crate) struct Node {
    pub(crate) range: Range<usize>,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Reported already; every later stage passes over it.
    Refused,
}

/// One `key: value` of a mapping.
pub(crate) struct Entry {
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) at: Range<usize>,
    pub(crate) node: Node,
}

impl Node {
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|e| e.key == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.node)
    }

    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a scalar that means text.
    pub(crate) fn text(&self) -> Option<&str> {
        self.scalar().and_then(Scalar::as_text)
    }
}

/// What a file holds.
pub(crate) struct File {
    pub(crate) documents: Vec<Node>,
    /// False when an error kept documents of the file from being read.
    pub(crate) complete: bool,
}

/// Reads every document of a file; empty ones are passed over.
pub(crate) fn read(places: &Places<'_>, text: &str, found: &mut Vec<Diagnostic>) -> File {
    let mut reader = Reader {
        parser: Parser::new_from_str(text.trim_start_matches('\u{feff}')),
        offsets: Offsets::new(text),
        places,
        found,
        nodes: 0,
    };
    let mut documents = Vec::new();
    let complete = reader.documents(&mut documents).is_some();
    File {
        documents,
        complete,
    }
}

/// From the parser's character counts to byte offsets.
struct Offsets {
    /// Length of the byte order mark, which the parser does not get to see.
    mark: usize,
    /// The start of every character; empty when every character is one byte.
    starts: Vec<u32>,
    len: usize,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let body = text.trim_start_matches('\u{feff}');
        let small = |i: usize| u32::try_from(i).unwrap_or(u32::MAX);
        let starts = if body.is_ascii() {
            Vec::new()
        } else {
            body.char_indices().map(|(i, _)| small(i)).collect()
        };
        Self {
            mark: text.len() - body.len(),
            starts,
            len: body.len(),
        }
    }

    fn byte(&self, marker: Marker) -> usize {
        let at = if self.starts.is_empty() {
            marker.index().min(self.len)
        } else {
            self.starts
                .get(marker.index())
                .map_or(self.len, |i| *i as usize)
        };
        self.mark + at
    }
}

struct Reader<'s, 'r> {
    parser: Parser<'s, StrInput<'s>>,
    offsets: Offsets,
    places: &'r Places<'r>,
    found: &'r mut Vec<Diagnostic>,
    nodes: usize,
}

/// An event and its range.
type Step<'s> = (Event<'s>, Range<usize>);

// Every function below gives `None` when the rest of the file cannot be read, after saying why.
impl<'s> Reader<'s, '_> {
    fn documents(&mut self, documents: &mut Vec<Node>) -> Option<()> {
        loop {
            let (event, range) = self.next()?;
            match event {
                Event::StreamEnd => return Some(()),
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing => {}
                event => {
                    let node = self.node(event, range, 0)?;
                    if !node.scalar().is_some_and(Scalar::is_null) {
                        documents.push(node);
                    }
                }
            }
        }
    }

    fn next(&mut self) -> Option<Step<'s>> {
        match self.parser.next_event()? {
            Ok((event, span)) => Some((
                event,
                self.offsets.byte(span.start)..self.offsets.byte(span.end),
            )),
            Err(error) => {
                let at = self.offsets.byte(*error.marker());
                let message = format!("the file is not YAML: {}", error.info());
                self.refuse(at..at + 1, message, "here", self.advice(at));
                None
            }
        }
    }

    fn node(&mut self, event: Event<'s>, range: Range<usize>, depth: usize) -> Option<Node> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            let message = if depth > MAX_DEPTH {
                format!("the file nests deeper than {MAX_DEPTH} levels")
            } else {
                format!("the file holds more than {MAX_NODES} values")
            };
            self.refuse(
                range,
                message,
                "not read from here on",
                "split or flatten the file",
            );
            return None;
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = if self.plain(anchor, tag.is_some(), &range) {
                    Value::Scalar(Scalar {
                        text: text.into_owned(),
                        style: style_of(style),
                    })
                } else {
                    Value::Refused
                };
                Some(Node { range, value })
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain(anchor, tag.is_some(), &range);
                self.list(range, depth)
            }
            Event::MappingStart(anchor, tag) => {
                self.plain(anchor, tag.is_some(), &range);
                self.map(range, depth)
            }
            _ => {
                self.refuse(
                    range.clone(),
                    "aliases are not used in manifests",
                    "an alias",
                    "write the value out, or put a text that starts with `*` in quotes",
                );
                Some(Node {
                    range,
                    value: Value::Refused,
                })
            }
        }
    }

    fn list(&mut self, mut range: Range<usize>, depth: usize) -> Option<Node> {
        let mut items = Vec::new();
        loop {
            let (event, at) = self.next()?;
            range.end = range.end.max(at.end);
            if event == Event::SequenceEnd {
                return Some(Node {
                    range,
                    value: Value::List(items),
                });
            }
            items.push(self.node(event, at, depth + 1)?);
        }
    }

    fn map(&mut self, mut range: Range<usize>, depth: usize) -> Option<Node> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut keys = BTreeSet::new();
        loop {
            let (event, at) = self.next()?;
            range.end = range.end.max(at.end);
            if event == Event::MappingEnd {
                return Some(Node {
                    range,
                    value: Value::Map(entries),
                });
            }
            let key = self.node(event, at, depth + 1)?;
            let (event, at) = self.next()?;
            let node = self.node(event, at, depth + 1)?;
            range.end = range.end.max(node.range.end);
            if let Some(key) = self.key(&key, &mut keys) {
                entries.push(Entry {
                    key: key.0,
                    at: key.1,
                    node,
                });
            }
        }
    }

    /// A key that is a text and stands there for the first time.
    fn key(&mut self, key: &Node, keys: &mut BTreeSet<String>) -> Option<(String, Range<usize>)> {
        let Some(scalar) = key.scalar() else {
            if !matches!(key.value, Value::Refused) {
                let message = "a key must be a text";
                let help = "write a field's name here, or, if a text was meant that starts with \
                            `{`, put it in quotes";
                self.refuse(key.range.clone(), message, "not a text", help);
            }
            return None;
        };
        if !keys.insert(scalar.text.clone()) {
            let message = format!("the key {} stands twice in one mapping", scalar.shown());
            self.refuse(key.range.clone(), message, "again here", "keep one of them");
            return None;
        }
        Some((scalar.text.clone(), key.range.clone()))
    }

    /// Refuses anchors and tags.
    fn plain(&mut self, anchor: usize, tag: bool, range: &Range<usize>) -> bool {
        if anchor > 0 {
            let help = "write the value out where it is needed, or put a text that starts with \
                        `&` in quotes";
            self.refuse(
                range.clone(),
                "anchors are not used in manifests",
                "has an anchor",
                help,
            );
        }
        if tag {
            let help = "take the tag out: each field has one type; a text that starts with `!` \
                        stands in quotes";
            self.refuse(
                range.clone(),
                "tags are not used in manifests",
                "has a tag",
                help,
            );
        }
        anchor == 0 && !tag
    }

    fn refuse(&mut self, range: Range<usize>, message: impl Into<String>, label: &str, help: &str) {
        let span = self.places.span(&range);
        self.found.push(
            Diagnostic::error("KL0101", message)
                .at(&span, label)
                .help(help),
        );
    }

    /// What to do about the commonest slips.
    fn advice(&self, at: usize) -> &'static str {
        let line = self
            .places
            .line(self.places.line_of(at))
            .map_or("", |(_, line)| line);
        let before = line.trim_start_matches([' ', '-']);
        if before.starts_with('\t') {
            "indent with spaces: YAML allows no tabs there"
        } else if line.contains(": *") || line.contains("[*") || before.starts_with('*') {
            "a text that starts with `*` stands in quotes: \"*\""
        } else if line.contains("${{") {
            "inside brackets a variable stands in quotes: \"${{ var.name }}\""
        } else if line.contains("{{") {
            "a text that starts with `{` stands in quotes: \"{{name}}\""
        } else {
            "look for a missing quote, bracket, colon or a wrong indentation at or above this line"
        }
    }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted | ScalarStyle::Folded => {
            Style::Quoted
        }
    }
}
