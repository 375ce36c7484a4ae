//! From text to tree.
//!
//! One pass, no recursion, no copy: the tree holds byte ranges. The same
//! parser reads `xml` and `rawxml`; the [`Spelling`] decides whether markup is
//! looked for inside of expressions (`xml`) or not (`rawxml`).
//!
//! Invariant: every element's ranges nest in its parent's, in order, and every
//! `&` outside of an expression starts an entity that XML allows.

use std::collections::HashMap;
use std::ops::Range;

use crate::csharp::{self, Token};
use crate::error::{Located, shown};
use crate::path::name_length;
use crate::references::named_value;
use crate::spelling::{Spelling, entity, is_space};

/// How deep elements may nest. Policies stay far under it.
pub(crate) const MAX_DEPTH: usize = 256;

/// A document as ranges of its text.
#[derive(Debug)]
pub(crate) struct Tree {
    /// In document order; the root is the first.
    pub elements: Vec<Element>,
    /// The expressions, in document order.
    pub expressions: Vec<Range<usize>>,
    /// The tokens of all of them, in their order.
    tokens: Vec<Token>,
    /// Where in `tokens` those of each expression end.
    token_ends: Vec<usize>,
    pub spelling: Spelling,
}

impl Tree {
    /// The tokens of the expression at a range.
    pub fn tokens_of(&self, range: &Range<usize>) -> &[Token] {
        let place = self
            .expressions
            .binary_search_by_key(&range.start, |e| e.start);
        let Ok(at) = place else { return &[] };
        let start = if at == 0 { 0 } else { self.token_ends[at - 1] };
        &self.tokens[start..self.token_ends[at]]
    }
}

#[derive(Debug)]
pub(crate) struct Element {
    pub name: Range<usize>,
    pub parent: Option<usize>,
    /// Place among siblings of the same name, from 1, if there are several.
    pub index: Option<usize>,
    pub attributes: Vec<RawAttribute>,
    /// Named values among the attributes that are none themselves.
    pub pieces: Vec<Range<usize>>,
    /// From `<` to the last `>`.
    pub range: Range<usize>,
    /// Between the tags; `None` for `<a/>`.
    pub inner: Option<Range<usize>>,
    pub nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
pub(crate) struct RawAttribute {
    pub name: Range<usize>,
    /// Between the quotes.
    pub value: Range<usize>,
    pub expression: Option<Range<usize>>,
}

#[derive(Debug)]
pub(crate) enum Node {
    Element(usize),
    Text(Run),
}

/// Text between two pieces of markup.
#[derive(Debug)]
pub(crate) struct Run {
    /// With the marks of a CDATA section.
    pub range: Range<usize>,
    /// Without them.
    pub content: Range<usize>,
    pub expression: Option<Range<usize>>,
    pub spelling: Spelling,
}

/// The attributes of a start tag, and the named values between them.
type Attributes = (Vec<RawAttribute>, Vec<Range<usize>>);

/// Reads a document in one spelling.
pub(crate) fn parse(text: &str, spelling: Spelling) -> Result<Tree, Located> {
    let mut parser = Parser {
        text,
        at: if text.starts_with('\u{feff}') { 3 } else { 0 },
        tree: Tree {
            elements: Vec::new(),
            expressions: Vec::new(),
            tokens: Vec::new(),
            token_ends: Vec::new(),
            spelling,
        },
        open: Vec::new(),
    };
    parser.document()?;
    number_siblings(text, &mut parser.tree.elements);
    Ok(parser.tree)
}

/// Gives every element with namesakes its place among them.
fn number_siblings(text: &str, elements: &mut [Element]) {
    // The first of a name under a parent, and how many there are so far.
    let mut seen: HashMap<(Option<usize>, &str), (usize, usize)> = HashMap::new();
    for at in 0..elements.len() {
        let name = &text[elements[at].name.clone()];
        let (first, count) = seen.entry((elements[at].parent, name)).or_insert((at, 0));
        *count += 1;
        if *count > 1 {
            elements[at].index = Some(*count);
            elements[*first].index = Some(1);
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    tree: Tree,
    /// Elements whose end tag has not come.
    open: Vec<usize>,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fail<T>(
        &self,
        at: usize,
        message: impl Into<String>,
        help: &'static str,
    ) -> Result<T, Located> {
        Err(Located::new(self.text, at, message, help))
    }

    fn name_of(&self, element: usize) -> &'a str {
        &self.text[self.tree.elements[element].name.clone()]
    }

    fn document(&mut self) -> Result<(), Located> {
        while self.at < self.text.len() {
            let rest = self.rest();
            if rest.starts_with("<!--") {
                self.comment()?;
            } else if rest.starts_with("<?") {
                self.instruction()?;
            } else if rest.starts_with("<![CDATA[") {
                self.cdata()?;
            } else if rest.starts_with("<!") {
                return self.fail(
                    self.at,
                    "a document type or other declaration is not allowed",
                    "remove it, and write the five entities of XML only",
                );
            } else if rest.starts_with("</") {
                self.end_tag()?;
            } else if rest.starts_with('<') {
                self.start_tag()?;
            } else {
                self.text()?;
            }
        }
        if let Some(open) = self.open.last() {
            let (name, at) = (
                shown(self.name_of(*open)),
                self.tree.elements[*open].range.start,
            );
            return self.fail(
                at,
                format!("element `{name}` is not closed"),
                "add its end tag",
            );
        }
        if self.tree.elements.is_empty() {
            return self.fail(self.at, "there is no element", "write one root element");
        }
        Ok(())
    }

    /// Moves behind the next `mark`, which must come.
    fn pass(&mut self, mark: &str, skip: usize, what: &str) -> Result<Range<usize>, Located> {
        let start = self.at;
        match self.text[start + skip..].find(mark) {
            Some(length) => {
                let inside = start + skip..start + skip + length;
                self.at = inside.end + mark.len();
                Ok(inside)
            }
            None => self.fail(start, format!("{what} is not closed"), "close it"),
        }
    }

    fn comment(&mut self) -> Result<(), Located> {
        let start = self.at;
        let inside = self.pass("-->", 4, "a comment")?;
        // APIM's reader is strict here, and XML says so.
        if self.text[inside.clone()].contains("--") || self.text[inside].ends_with('-') {
            return self.fail(start, "a comment holds `--`", "use another dash in it");
        }
        Ok(())
    }

    fn instruction(&mut self) -> Result<(), Located> {
        self.pass("?>", 2, "a processing instruction").map(|_| ())
    }

    fn cdata(&mut self) -> Result<(), Located> {
        let start = self.at;
        let content = self.pass("]]>", 9, "a CDATA section")?;
        let Some(&parent) = self.open.last() else {
            return self.fail(
                start,
                "text stands outside of the root element",
                "move it inside",
            );
        };
        let expression = self.expression(&content, Spelling::Verbatim)?;
        let run = Run {
            range: start..self.at,
            content,
            expression,
            spelling: Spelling::Verbatim,
        };
        self.tree.elements[parent].nodes.push(Node::Text(run));
        Ok(())
    }

    /// The expression that `within` begins with, after white space, if one does.
    fn expression(
        &mut self,
        within: &Range<usize>,
        spelling: Spelling,
    ) -> Result<Option<Range<usize>>, Located> {
        let bounded = &self.text[..within.end];
        let blanks = bounded[within.start..]
            .find(|c| !is_space(c))
            .unwrap_or(within.len());
        let start = within.start + blanks;
        if !csharp::starts(bounded, start, spelling) {
            return Ok(None);
        }
        match csharp::read(
            self.text,
            start,
            within.end,
            spelling,
            &mut self.tree.tokens,
        ) {
            Ok(range) => {
                self.tree.expressions.push(range.clone());
                self.tree.token_ends.push(self.tree.tokens.len());
                Ok(Some(range))
            }
            Err(error) => self.fail(error.at, error.message, error.help),
        }
    }

    /// Text up to the next tag. In `rawxml` an expression hides tags.
    fn text(&mut self) -> Result<(), Located> {
        let start = self.at;
        let to_tag = |from: usize| {
            self.text[from..]
                .find('<')
                .map_or(self.text.len(), |n| from + n)
        };
        let spelling = self.tree.spelling;
        let Some(&parent) = self.open.last() else {
            let end = to_tag(start);
            if let Some(at) = self.text[start..end].find(|c| !is_space(c)) {
                let at = start + at;
                return self.fail(at, "text stands outside of the root element", "remove it");
            }
            self.at = end;
            return Ok(());
        };
        let (expression, end) = if spelling == Spelling::Raw {
            let expression = self.expression(&(start..self.text.len()), spelling)?;
            let end = match &expression {
                Some(range) => self.text[range.end..].find('<').map(|n| range.end + n),
                None => self.text[start..].find('<').map(|n| start + n),
            };
            (expression, end.unwrap_or(self.text.len()))
        } else {
            let end = to_tag(start);
            (self.expression(&(start..end), spelling)?, end)
        };
        self.check_plain(start..end, &expression)?;
        let plain_from = expression.as_ref().map_or(start, |e| e.end);
        let plain = &self.text[plain_from..end];
        if plain.contains(']')
            && let Some(at) = plain.find("]]>")
        {
            return self.fail(plain_from + at, "`]]>` stands in text", "write `]]&gt;`");
        }
        self.at = end;
        let content = start..end;
        let run = Run {
            range: content.clone(),
            content,
            expression,
            spelling,
        };
        self.tree.elements[parent].nodes.push(Node::Text(run));
        Ok(())
    }

    /// Checks that every `&` starts an entity; in `rawxml` not in expressions.
    fn check_plain(
        &self,
        within: Range<usize>,
        expression: &Option<Range<usize>>,
    ) -> Result<(), Located> {
        let verbatim = match expression {
            Some(range) if self.tree.spelling == Spelling::Raw => range.clone(),
            _ => within.end..within.end,
        };
        for (at, _) in self.text[within.clone()].match_indices('&') {
            let at = within.start + at;
            if !verbatim.contains(&at) && entity(&self.text[at..]).is_none() {
                return self.fail(
                    at,
                    "an `&` starts no entity that XML allows",
                    "write `&amp;`; only amp, lt, gt, quot, apos and character references exist",
                );
            }
        }
        Ok(())
    }

    fn name(&mut self, what: &str) -> Result<Range<usize>, Located> {
        let start = self.at;
        let length = name_length(self.rest());
        if length == 0 {
            let message = format!("{what} should start here");
            return self.fail(start, message, "write a name of XML");
        }
        self.at += length;
        Ok(start..self.at)
    }

    fn skip_space(&mut self) -> bool {
        let rest = self.rest();
        let length = rest.find(|c| !is_space(c)).unwrap_or(rest.len());
        self.at += length;
        length > 0
    }

    fn start_tag(&mut self) -> Result<(), Located> {
        let start = self.at;
        if self.open.is_empty() && !self.tree.elements.is_empty() {
            return self.fail(start, "a second root element starts here", "keep one");
        }
        if self.open.len() == MAX_DEPTH {
            return self.fail(start, "elements nest too deeply", "nest fewer than 256");
        }
        self.at += 1;
        let name = self.name("the name of an element")?;
        let (attributes, pieces) = self.attributes(&name)?;
        let closed = self.rest().starts_with("/>");
        self.at += if closed { 2 } else { 1 };
        let this = self.tree.elements.len();
        let parent = self.open.last().copied();
        if let Some(parent) = parent {
            self.tree.elements[parent].nodes.push(Node::Element(this));
        }
        self.tree.elements.push(Element {
            name,
            parent,
            index: None,
            attributes,
            pieces,
            range: start..self.at,
            inner: (!closed).then_some(self.at..self.at),
            nodes: Vec::new(),
        });
        if !closed {
            self.open.push(this);
        }
        Ok(())
    }

    /// Attributes, up to the `>` or `/>`, which stays.
    fn attributes(&mut self, element: &Range<usize>) -> Result<Attributes, Located> {
        let (mut found, mut pieces) = (Vec::new(), Vec::new());
        loop {
            let spaced = self.skip_space();
            if self.rest().starts_with('>') || self.rest().starts_with("/>") {
                break;
            }
            if !spaced || self.at == self.text.len() {
                let name = shown(&self.text[element.clone()]);
                let message = format!("the start tag of `{name}` is malformed");
                let help = "separate attributes by white space and end the tag with `>`";
                return self.fail(self.at, message, help);
            }
            match self.piece() {
                Some(piece) => pieces.push(piece),
                None => found.push(self.attribute()?),
            }
        }
        if found.len() < 2 {
            return Ok((found, pieces));
        }
        let mut names: Vec<&RawAttribute> = found.iter().collect();
        names.sort_by_key(|a| &self.text[a.name.clone()]);
        let same = |pair: &&[&RawAttribute]| {
            self.text[pair[0].name.clone()] == self.text[pair[1].name.clone()]
        };
        match names.windows(2).find(same) {
            None => Ok((found, pieces)),
            Some(pair) => {
                let name = shown(&self.text[pair[1].name.clone()]);
                let message = format!("attribute `{name}` stands twice");
                self.fail(pair[1].name.start, message, "keep one")
            }
        }
    }

    /// A named value that stands where an attribute could: the service puts its
    /// value in before it reads XML, so it may be one, or several, or none.
    fn piece(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let end = start + named_value(self.rest())?;
        let after = self.text[end..].chars().next();
        let alone = |c: char| is_space(c) || matches!(c, '>' | '/');
        let assigned = self.text[end..]
            .trim_start_matches(is_space)
            .starts_with('=');
        if assigned || !after.is_some_and(alone) {
            return None;
        }
        self.at = end;
        Some(start..end)
    }

    fn attribute(&mut self) -> Result<RawAttribute, Located> {
        let name = self.name("the name of an attribute")?;
        let label = shown(&self.text[name.clone()]);
        self.skip_space();
        if !self.rest().starts_with('=') {
            let message = format!("attribute `{label}` has no value");
            return self.fail(self.at, message, "write name=\"value\"");
        }
        self.at += 1;
        self.skip_space();
        let quote = match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => quote,
            _ => {
                let message = format!("the value of `{label}` has no quotes");
                return self.fail(self.at, message, "write name=\"value\"");
            }
        };
        self.at += 1;
        let start = self.at;
        let to_quote = |from: usize| self.text[from..].find(quote).map(|n| from + n);
        let spelling = self.tree.spelling;
        let (expression, end) = if spelling == Spelling::Raw {
            let expression = self.expression(&(start..self.text.len()), spelling)?;
            let from = expression.as_ref().map_or(start, |range| range.end);
            (expression, self.text[from..].find(quote).map(|n| from + n))
        } else {
            let end = to_quote(start);
            match end {
                Some(end) => (self.expression(&(start..end), spelling)?, Some(end)),
                None => (None, None),
            }
        };
        let Some(end) = end else {
            let message = format!("the value of `{label}` is not closed");
            return self.fail(start, message, "close it with the quote that opens it");
        };
        let value = start..end;
        let plain_from = match &expression {
            Some(range) if spelling == Spelling::Raw => range.end,
            _ => start,
        };
        if let Some(at) = self.text[plain_from..end].find('<') {
            let message = format!("a `<` stands in the value of `{label}`");
            return self.fail(plain_from + at, message, "write `&lt;`, or close the value");
        }
        self.check_plain(value.clone(), &expression)?;
        self.at = end + 1;
        Ok(RawAttribute {
            name,
            value,
            expression,
        })
    }

    fn end_tag(&mut self) -> Result<(), Located> {
        let start = self.at;
        self.at += 2;
        let name = self.name("the name of an element")?;
        self.skip_space();
        let name = &self.text[name];
        if !self.rest().starts_with('>') {
            let message = format!("the end tag of `{}` is malformed", shown(name));
            return self.fail(self.at, message, "end it with `>`");
        }
        self.at += 1;
        match self.open.pop() {
            Some(open) if self.name_of(open) == name => {
                let end = self.at;
                let element = &mut self.tree.elements[open];
                element.range.end = end;
                if let Some(inner) = &mut element.inner {
                    inner.end = start;
                }
                Ok(())
            }
            Some(open) => {
                let (open, name) = (shown(self.name_of(open)), shown(name));
                let message = format!("`</{name}>` closes nothing; `{open}` is open");
                self.fail(
                    start,
                    message,
                    "close elements in the order they were opened",
                )
            }
            None => {
                let message = format!("`</{}>` closes nothing", shown(name));
                self.fail(start, message, "remove it")
            }
        }
    }
}
