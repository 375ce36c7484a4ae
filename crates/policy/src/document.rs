//! A policy document and its elements.
//!
//! Invariant: the text is kept byte for byte; every range indexes it.

use std::borrow::Cow;
use std::ops::Range;

use crate::csharp;
use crate::error::{Located, line_column};
use crate::parse::{Element, Node, Run, Tree, parse};
use crate::spelling::{Spelling, decode, decode_attribute, forbidden, is_blank};
use crate::{ElementPath, PolicyError};

/// The longest policy that is read, in bytes. API Management takes 256 KiB for
/// a policy and 512 KB for a fragment (azure-facts B.4).
pub const MAX_POLICY_BYTES: usize = 512 * 1024;

/// A policy, a fragment or a resolver's data source: one root element.
#[derive(Debug)]
pub struct Document {
    pub(crate) text: String,
    pub(crate) tree: Tree,
    /// Where each line starts, so that a place costs no walk through the text.
    lines: Vec<usize>,
    /// Whether a character is a byte, so that a column costs none either.
    ascii: bool,
}

impl Document {
    /// Reads a policy in either format; see the crate's documentation for how
    /// they are told apart.
    ///
    /// # Errors
    /// [`PolicyError::TooLarge`], or [`PolicyError::Malformed`] with the place.
    pub fn parse(text: &str) -> Result<Document, PolicyError> {
        check(text)?;
        let tree = match parse(text, Spelling::Xml) {
            Ok(tree) => tree,
            Err(_) => parse(text, Spelling::Raw).map_err(PolicyError::Malformed)?,
        };
        Ok(Document::of(text, tree))
    }

    /// Reads a policy as `rawxml`, even if it could be `xml`.
    pub(crate) fn parse_raw(text: &str) -> Result<Document, PolicyError> {
        check(text)?;
        let tree = parse(text, Spelling::Raw).map_err(PolicyError::Malformed)?;
        Ok(Document::of(text, tree))
    }

    fn of(text: &str, tree: Tree) -> Document {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Document {
            text: text.to_owned(),
            tree,
            lines: std::iter::once(0).chain(breaks).collect(),
            ascii: text.is_ascii(),
        }
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True if the text is not XML, so that the service takes it as `rawxml`
    /// only.
    pub fn needs_rawxml(&self) -> bool {
        self.tree.spelling == Spelling::Raw
    }

    /// The root element.
    pub fn root(&self) -> ElementRef<'_> {
        ElementRef {
            document: self,
            at: 0,
        }
    }

    /// All elements, in document order.
    pub fn elements(&self) -> Vec<ElementRef<'_>> {
        (0..self.tree.elements.len())
            .map(|at| self.element(at))
            .collect()
    }

    pub(crate) fn element(&self, at: usize) -> ElementRef<'_> {
        ElementRef { document: self, at }
    }

    /// The element with a path.
    pub fn find(&self, path: &ElementPath) -> Option<ElementRef<'_>> {
        let mut steps = path.steps();
        let root = self.root();
        let mut found = steps
            .next()
            .filter(|step| root.is_step(*step))
            .map(|_| root)?;
        for step in steps {
            found = found.children().into_iter().find(|c| c.is_step(step))?;
        }
        Some(found)
    }

    /// Byte ranges of the expressions, `@` and brackets included, in order.
    pub fn expressions(&self) -> &[Range<usize>] {
        &self.tree.expressions
    }

    /// Line and column, both from 1, of a byte offset of the text.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines[line.saturating_sub(1)];
        match self.ascii {
            true => (line, offset.min(self.text.len()).saturating_sub(start) + 1),
            false => (line, line_column(&self.text[start..], offset - start).1),
        }
    }
}

/// Byte ranges of the expressions of a policy, in order.
///
/// # Errors
/// As [`Document::parse`].
pub fn expressions(text: &str) -> Result<Vec<Range<usize>>, PolicyError> {
    Ok(Document::parse(text)?.tree.expressions)
}

fn check(text: &str) -> Result<(), PolicyError> {
    if text.len() > MAX_POLICY_BYTES {
        return Err(PolicyError::TooLarge {
            bytes: text.len(),
            limit: MAX_POLICY_BYTES,
            line: text.as_bytes()[..MAX_POLICY_BYTES]
                .split(|b| *b == b'\n')
                .count(),
        });
    }
    let Some(at) = forbidden(text) else {
        return Ok(());
    };
    let message = "a character stands here that XML does not allow";
    Err(PolicyError::Malformed(Located::new(
        text,
        at,
        message,
        "remove it",
    )))
}

/// An attribute of an element.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name as written.
    pub name: String,
    /// Its value: entities decoded, an expression as C# has it.
    pub value: String,
    /// Byte range of the value, without its quotes.
    pub range: Range<usize>,
    /// Whether the value is an expression.
    pub is_expression: bool,
}

// The value may be a credential, so it is not shown.
impl std::fmt::Debug for Attribute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attribute")
            .field("name", &self.name)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

/// An element of a [`Document`].
#[derive(Clone, Copy)]
pub struct ElementRef<'a> {
    document: &'a Document,
    pub(crate) at: usize,
}

impl<'a> ElementRef<'a> {
    pub(crate) fn raw(&self) -> &'a Element {
        &self.document.tree.elements[self.at]
    }

    fn of(&self, at: usize) -> ElementRef<'a> {
        ElementRef {
            document: self.document,
            at,
        }
    }

    /// The name as written, prefix included.
    pub fn name(&self) -> &'a str {
        &self.document.text[self.raw().name.clone()]
    }

    /// Whether a path step names it among its siblings.
    fn is_step(&self, (name, index): (&str, Option<usize>)) -> bool {
        self.name() == name && self.raw().index == index
    }

    /// Where it stands in the document.
    pub fn path(&self) -> ElementPath {
        let mut steps = Vec::new();
        let mut next = Some(self.at);
        while let Some(at) = next {
            let element = self.of(at);
            steps.push((element.name(), element.raw().index));
            next = element.raw().parent;
        }
        ElementPath::of(steps.into_iter().rev())
    }

    /// The element around it.
    pub fn parent(&self) -> Option<ElementRef<'a>> {
        self.raw().parent.map(|at| self.of(at))
    }

    /// The elements right under it, in order.
    pub fn children(&self) -> Vec<ElementRef<'a>> {
        let nodes = self.raw().nodes.iter();
        nodes
            .filter_map(|node| match node {
                Node::Element(at) => Some(self.of(*at)),
                Node::Text(_) => None,
            })
            .collect()
    }

    /// Its attributes, in the order they are written.
    pub fn attributes(&self) -> Vec<Attribute> {
        let text = &self.document.text;
        let read = |raw: &crate::parse::RawAttribute| Attribute {
            name: text[raw.name.clone()].to_owned(),
            value: value(self.document, &raw.value, &raw.expression, |part| {
                decode_attribute(&text[part])
            }),
            range: raw.value.clone(),
            is_expression: raw.expression.is_some(),
        };
        self.raw().attributes.iter().map(read).collect()
    }

    /// The attribute of a name.
    pub fn attribute(&self, name: &str) -> Option<Attribute> {
        self.attributes()
            .into_iter()
            .find(|attribute| attribute.name == name)
    }

    /// The text of an element that holds no elements: entities decoded,
    /// expressions as C# has them, CDATA included, comments left out. `None`
    /// if it holds elements.
    pub fn text(&self) -> Option<String> {
        let runs = self.runs()?;
        Some(
            runs.iter()
                .map(|run| run_text(self.document, run))
                .collect(),
        )
    }

    /// Whether the text is one expression, with or without white space around.
    pub fn is_expression(&self) -> bool {
        let filled = |run: &&&Run| !is_blank(&self.document.text[run.range.clone()]);
        let runs = self.runs().unwrap_or_default();
        let mut filled = runs.iter().filter(filled);
        matches!((filled.next(), filled.next()), (Some(run), None) if run.expression.is_some())
    }

    /// The runs of text, if it holds nothing else.
    pub(crate) fn runs(&self) -> Option<Vec<&'a Run>> {
        let nodes = self.raw().nodes.iter();
        nodes
            .map(|node| match node {
                Node::Element(_) => None,
                Node::Text(run) => Some(run),
            })
            .collect()
    }

    /// Byte range from the `<` of its start tag to the `>` of its end.
    pub fn range(&self) -> Range<usize> {
        self.raw().range.clone()
    }

    /// Byte range between its tags; `None` for `<a/>`.
    pub fn inner_range(&self) -> Option<Range<usize>> {
        self.raw().inner.clone()
    }

    /// Line and column where it starts, from 1.
    pub fn line_column(&self) -> (usize, usize) {
        self.document.line_column(self.raw().range.start)
    }
}

impl std::fmt::Debug for ElementRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ElementRef({})", self.path())
    }
}

pub(crate) fn run_text(document: &Document, run: &Run) -> String {
    let entities = run.spelling != Spelling::Verbatim;
    value(document, &run.content, &run.expression, |part| {
        decode(&document.text[part], entities)
    })
}

/// A value as the service understands it.
fn value<'a>(
    document: &'a Document,
    range: &Range<usize>,
    expression: &Option<Range<usize>>,
    plain: impl Fn(Range<usize>) -> Cow<'a, str>,
) -> String {
    let Some(inside) = expression else {
        return plain(range.clone()).into_owned();
    };
    let mut out = plain(range.start..inside.start).into_owned();
    let tokens = document.tree.tokens_of(inside);
    out.push_str(&csharp::source(&document.text, inside, tokens));
    out.push_str(&plain(inside.end..range.end));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element<'a>(document: &'a Document, path: &str) -> ElementRef<'a> {
        document.find(&path.parse().unwrap()).unwrap()
    }

    #[test]
    fn rawxml_keeps_its_text_and_ranges() {
        let text = "\u{feff}<!-- @( -->\r\n<policies>\r\n  <inbound a='1' b=\"@(f(\"<\")\t)\">\r\n    \
                    <v>@{ return a < b ? \"</v>\" : 'x'; }</v><v/>\r\n  </inbound>\r\n</policies>\r\n";
        let document = Document::parse(text).unwrap();
        assert_eq!(document.text(), text);
        assert!(document.needs_rawxml());
        let inbound = element(&document, "/policies/inbound");
        assert_eq!(inbound.line_column(), (3, 3));
        let b = inbound.attribute("b").unwrap();
        assert_eq!(b.value, "@(f(\"<\")\t)");
        assert_eq!(&text[b.range], "@(f(\"<\")\t)");
        let v = element(&document, "/policies/inbound/v[1]");
        assert!(v.is_expression());
        assert_eq!(v.text().unwrap(), "@{ return a < b ? \"</v>\" : 'x'; }");
        assert_eq!(document.expressions().len(), 2);
        assert_eq!(inbound.children().len(), 2);
    }

    #[test]
    fn both_formats_read_alike() {
        let raw = r#"<a b="@(x < 1 && y == "&")">@("<&")</a>"#;
        let xml = r#"<a b="@(x &lt; 1 &amp;&amp; y == &quot;&amp;&quot;)">@("&lt;&amp;")</a>"#;
        let (raw, xml) = (Document::parse(raw).unwrap(), Document::parse(xml).unwrap());
        assert!(raw.needs_rawxml() && !xml.needs_rawxml());
        assert_eq!(raw.root().text(), xml.root().text());
        let value = |d: &Document| d.root().attribute("b").unwrap().value;
        assert_eq!(value(&raw), value(&xml));
    }

    #[test]
    fn named_values_stand_anywhere() {
        let text = "<a {{all}} b='{{v}}' {{n}}=\"x\" c-{{m}}='1'><{{tag}}/>{{t}}<d>@({{e}} + \"{{s}}\")</d></a>";
        let document = Document::parse(text).unwrap();
        let attributes: Vec<String> = document
            .root()
            .attributes()
            .into_iter()
            .map(|a| a.name)
            .collect();
        assert_eq!(attributes, ["b", "{{n}}", "c-{{m}}"]);
        assert!(document.find(&"/a/{{tag}}".parse().unwrap()).is_some());
        for other in ["{{all}} ", "{{n}}=\"x\"", "{{t}}", "<{{tag}}/>"] {
            let without = text.replacen(other, "", 1);
            assert!(!crate::same(text, &without), "{other}");
        }
        assert!(crate::same(
            text,
            &text.replace("{{all}} b='{{v}}'", "b='{{v}}' {{all}}")
        ));
        for text in [
            "<a {{x}}{{y}}/>",
            "<a {{x y}}/>",
            "<a {{x}}=/>",
            "<{{}}/>",
            "<a {{x",
        ] {
            assert!(Document::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn places_are_told_with_and_without_other_characters() {
        for text in ["<a>\n <b/>\r\n</a>", "\u{feff}<é>\n é<b/>\r\n</é>"] {
            let document = Document::parse(text).unwrap();
            for (at, _) in text.char_indices().chain([(text.len(), ' ')]) {
                assert_eq!(
                    document.line_column(at),
                    line_column(text, at),
                    "{at} in {text:?}"
                );
            }
        }
    }

    #[test]
    fn spelled_tokens_of_rawxml_are_read_as_csharp_has_them() {
        let text = "<a b=\"@(x &lt; 1 && f(&quot;y&quot;, \"<&amp;\"))\"/>";
        let document = Document::parse(text).unwrap();
        assert!(document.needs_rawxml());
        let value = document.root().attribute("b").unwrap().value;
        assert_eq!(value, "@(x < 1 && f(\"y\", \"<&amp;\"))");
    }

    #[test]
    fn an_at_sign_within_text_is_text() {
        let text = "<a b=\"me@(x\">you@{y &amp; <!-- @( -->@<![CDATA[<&{{z}}]]></a>";
        let document = Document::parse(text).unwrap();
        assert_eq!(document.expressions(), []);
        assert_eq!(document.root().text().unwrap(), "you@{y & @<&{{z}}");
        assert_eq!(document.root().attribute("b").unwrap().value, "me@(x");
    }

    #[test]
    fn paths_number_namesakes_only() {
        let document = Document::parse("<a><b/><c/><b><c/></b></a>").unwrap();
        let paths: Vec<String> = document
            .elements()
            .iter()
            .map(|e| e.path().to_string())
            .collect();
        assert_eq!(paths, ["/a", "/a/b[1]", "/a/c", "/a/b[2]", "/a/b[2]/c"]);
        assert_eq!(document.elements()[4].parent().unwrap().name(), "b");
    }

    #[test]
    fn malformed_documents_say_where() {
        for (text, line, column) in [
            ("", 1, 1),
            ("<a>", 1, 1),
            ("<a></b>", 1, 4),
            ("<a/><b/>", 1, 5),
            ("x<a/>", 1, 1),
            ("<a>\n &nbsp;</a>", 2, 2),
            ("<a>x & y</a>", 1, 6),
            ("<a b=1/>", 1, 6),
            ("<a b=\"1\" b='2'/>", 1, 10),
            ("<a b=\"<\"/>", 1, 7),
            ("<a b=\"1\"c=\"2\"/>", 1, 9),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", 1, 1),
            ("<a>\n<b c=\"@(f(1)\"/></a>", 2, 13),
            ("<a>@{ return 1;</a>", 1, 4),
            ("<a>\u{0}</a>", 1, 4),
            ("<a><!-- x </a>", 1, 4),
            ("<a>]]></a>", 1, 4),
            ("<a><![CDATA[ ]]</a>", 1, 4),
            ("<a>&#xD800;</a>", 1, 4),
        ] {
            match Document::parse(text) {
                Err(PolicyError::Malformed(at)) => {
                    assert_eq!((at.line, at.column), (line, column), "{text}: {at}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn errors_do_not_repeat_the_text() {
        for text in [
            "<a b='Password=hunter2' b=''/>",
            "<a><value>@(\"hunter2)</value></a>",
            "<a>hunter2 & co</a>",
            "<a b=hunter2/>",
        ] {
            let error = Document::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn size_and_depth_are_bounded() {
        let long = format!("<a>{}</a>", " ".repeat(MAX_POLICY_BYTES));
        assert!(matches!(
            Document::parse(&long),
            Err(PolicyError::TooLarge { .. })
        ));
        let deep = "<a>".repeat(MAX_POLICY_BYTES / 3);
        assert!(matches!(
            Document::parse(&deep),
            Err(PolicyError::Malformed(_))
        ));
    }
}
