//! The canonical form: what is left of a policy when everything that cannot
//! change its behaviour is taken away.
//!
//! Gone: comments, processing instructions, white space between elements, the
//! order and quotes of attributes, the spelling of entities, the difference of
//! `xml` and `rawxml`, white space and comments between the tokens of an
//! expression. Kept: elements and their order, every attribute and its value,
//! white space in strings and around text, every token.
//!
//! Invariant: the canonical form is a policy in `xml` format, and its own
//! canonical form.

use std::borrow::Cow;
use std::ops::Range;

use crate::csharp::{self, Kind, Token};
use crate::document::Document;
use crate::parse::{Element, Node, RawAttribute, Run};
use crate::spelling::{Spelling, decode, decode_attribute, is_blank, is_space};
use crate::{ElementRef, PolicyError};

/// The canonical form of a policy. Two policies with equal forms behave alike;
/// policies with different forms may.
///
/// # Errors
/// As [`Document::parse`].
pub fn canonical(text: &str) -> Result<String, PolicyError> {
    Ok(of(&Document::parse(text)?))
}

/// Whether two policies surely behave alike. Text that is no policy is like
/// nothing but itself.
pub fn same(a: &str, b: &str) -> bool {
    a == b || matches!((canonical(a), canonical(b)), (Ok(a), Ok(b)) if a == b)
}

pub(crate) fn of(document: &Document) -> String {
    let mut out = String::with_capacity(document.text.len());
    element(document, document.root(), Some(0), &mut out);
    out.push('\n');
    out
}

pub(crate) enum Piece<'a> {
    Element(ElementRef<'a>),
    Text(String),
}

/// Writes an element; `depth` is `None` inside of mixed content, where a line
/// break would be text.
fn element(document: &Document, this: ElementRef<'_>, depth: Option<usize>, out: &mut String) {
    out.push('<');
    out.push_str(this.name());
    attributes(document, this.raw(), out);
    let pieces = content(document, this);
    if pieces.is_empty() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    let is_element = |piece: &Piece| matches!(piece, Piece::Element(_));
    let depth = depth.filter(|_| pieces.iter().all(is_element));
    for piece in &pieces {
        match piece {
            Piece::Element(child) => {
                if let Some(depth) = depth {
                    new_line(depth + 1, out);
                }
                element(document, *child, depth.map(|depth| depth + 1), out);
            }
            Piece::Text(text) => out.push_str(text),
        }
    }
    if let Some(depth) = depth {
        new_line(depth, out);
    }
    out.push_str("</");
    out.push_str(this.name());
    out.push('>');
}

fn new_line(depth: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn attributes(document: &Document, element: &Element, out: &mut String) {
    let text = &document.text;
    let mut sorted: Vec<_> = element.attributes.iter().collect();
    sorted.sort_by_key(|attribute| &text[attribute.name.clone()]);
    for attribute in sorted {
        out.push(' ');
        out.push_str(&text[attribute.name.clone()]);
        out.push_str("=\"");
        attribute_value(document, attribute, out);
        out.push('"');
    }
    for piece in &element.pieces {
        out.push(' ');
        out.push_str(&text[piece.clone()]);
    }
}

fn attribute_value(document: &Document, raw: &RawAttribute, out: &mut String) {
    let plain = |part: Range<usize>| decode_attribute(&document.text[part]);
    let (range, inside) = (&raw.value, &raw.expression);
    write_value(document, range, inside, Place::Attribute, plain, out);
}

/// The canonical form of an attribute's value.
pub(crate) fn attribute(document: &Document, raw: &RawAttribute) -> String {
    let mut out = String::new();
    attribute_value(document, raw, &mut out);
    out
}

/// The canonical form of an element's start tag, without its `>`.
pub(crate) fn start_tag(document: &Document, at: usize) -> String {
    let mut out = document.element(at).name().to_owned();
    attributes(document, &document.tree.elements[at], &mut out);
    out
}

/// Elements and texts, in order. Texts that only comments part are one; blank
/// ones between elements, and blank ones with a line break in an element
/// without elements, are layout.
pub(crate) fn content<'a>(document: &'a Document, this: ElementRef<'a>) -> Vec<Piece<'a>> {
    let nodes = &this.raw().nodes;
    let has_elements = nodes.iter().any(|node| matches!(node, Node::Element(_)));
    let layout = |text: &str| is_blank(text) && (has_elements || text.contains('\n'));
    let mut pieces = Vec::with_capacity(nodes.len());
    let mut text = String::new();
    let push = |text: &mut String, pieces: &mut Vec<Piece<'a>>| {
        if text.is_empty() || layout(text) {
            return text.clear();
        }
        keep_text_a_text(document, this, text);
        pieces.push(Piece::Text(std::mem::take(text)));
    };
    for node in nodes {
        match node {
            Node::Text(run) => write_run(document, run, &mut text),
            Node::Element(at) => {
                push(&mut text, &mut pieces);
                pieces.push(Piece::Element(document.element(*at)));
            }
        }
    }
    push(&mut text, &mut pieces);
    pieces
}

fn write_run(document: &Document, run: &Run, out: &mut String) {
    let text = &document.text;
    let plain = |part: Range<usize>| decode(&text[part], run.spelling != Spelling::Verbatim);
    write_value(
        document,
        &run.content,
        &run.expression,
        Place::Text,
        plain,
        out,
    );
}

/// Comments or CDATA may part an `@` from its bracket, so that it is text. The
/// canonical form parts them too, or it would be an expression there.
fn keep_text_a_text(document: &Document, this: ElementRef<'_>, text: &mut String) {
    let at = text.find(|c| !is_space(c)).unwrap_or(text.len());
    if !csharp::starts(text, at, Spelling::Xml) {
        return;
    }
    let is_text =
        |run: &Run| run.expression.is_none() && !is_blank(&document.text[run.content.clone()]);
    let first = this.raw().nodes.iter().find_map(|node| match node {
        Node::Text(run) if !is_blank(&document.text[run.content.clone()]) => Some(run),
        _ => None,
    });
    if first.is_some_and(is_text) {
        text.insert_str(at + 1, "<!---->");
    }
}

/// Where a value is written.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Attribute,
    Text,
}

fn write_value<'a>(
    document: &'a Document,
    range: &Range<usize>,
    expression: &Option<Range<usize>>,
    place: Place,
    plain: impl Fn(Range<usize>) -> Cow<'a, str>,
    out: &mut String,
) {
    let Some(inside) = expression else {
        return escape(&plain(range.clone()), place, out);
    };
    escape(&plain(range.start..inside.start), place, out);
    let write = &mut |part: &str| escape(part, place, out);
    tokens(&document.text, document.tree.tokens_of(inside), write);
    escape(&plain(inside.end..range.end), place, out);
}

fn escape(plain: &str, place: Place, out: &mut String) {
    let mut from = 0;
    for (at, b) in plain.bytes().enumerate() {
        let spelled = match (b, place) {
            (b'&', _) => "&amp;",
            (b'<', _) => "&lt;",
            (b'>', _) => "&gt;",
            (b'"', _) => "&quot;",
            (b'\r', _) => "&#13;",
            // White space in an attribute survives as a character reference only.
            (b'\n', Place::Attribute) => "&#10;",
            (b'\t', Place::Attribute) => "&#9;",
            _ => continue,
        };
        out.push_str(&plain[from..at]);
        out.push_str(spelled);
        from = at + 1;
    }
    out.push_str(&plain[from..]);
}

/// The tokens of an expression, with a space only where two would read as
/// others without, or where a named value makes white space matter.
pub(crate) fn tokens(text: &str, tokens: &[Token], write: &mut impl FnMut(&str)) {
    let is_block = tokens.last().is_some_and(|t| t.text(text) == "}");
    let opening = if is_block { "{" } else { "(" };
    write("@");
    write(opening);
    let mut before = (Kind::Sign, Cow::Borrowed(opening));
    for (place, token) in tokens.iter().enumerate() {
        let source = token.text(text);
        if token.kind == Kind::Directive {
            write("\n");
            write(source.trim_end());
            write("\n");
        } else {
            // `@{{x}}` is a named value to the service, `@{ {x}}` a block.
            let glued = place == 0 && source == "{" && !token.spaced;
            if !glued && needs_space(&before, token.kind, &source, token.spaced) {
                write(" ");
            }
            write(&source);
        }
        before = (token.kind, source);
    }
}

fn needs_space(before: &(Kind, Cow<str>), kind: Kind, source: &str, spaced: bool) -> bool {
    let word = |kind, sign: &str| {
        matches!(kind, Kind::Word | Kind::Literal) || kind == Kind::Sign && is_odd(sign)
    };
    match (before.0, kind) {
        (Kind::Directive, _) => false,
        (Kind::NamedValue, _) | (_, Kind::NamedValue) => spaced,
        _ if word(before.0, &before.1) && word(kind, source) => true,
        (Kind::Sign, Kind::Sign) => {
            let braces = before.1 == "{" && source == "{";
            braces || is_operator(&before.1) && (is_operator(source) || source == ">")
        }
        (Kind::Sign, Kind::Word) => {
            let digit = source.starts_with(|c: char| c.is_ascii_digit());
            is_operator(&before.1) && source.starts_with('.') || before.1.ends_with('.') && digit
        }
        _ => false,
    }
}

/// A sign that a neighbour could take as its prefix.
fn is_odd(sign: &str) -> bool {
    sign.chars()
        .all(|c| !c.is_ascii_punctuation() || matches!(c, '@' | '$' | '#' | '`'))
}

fn is_operator(sign: &str) -> bool {
    sign.chars().all(|c| "+-*/%&|^!=<?:.~".contains(c)) || sign == "=>" || sign == "->"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> String {
        let once = canonical(text).unwrap();
        assert_eq!(canonical(&once).unwrap(), once, "not idempotent: {text}");
        once
    }

    #[test]
    fn layout_spelling_and_format_do_not_count() {
        let raw = "<policies>\r\n\t<inbound b='1' a=\"@(x < 1 && y == \"&\")\">\r\n<!-- c -->\
                   <base /></inbound><v>it's</v>\r\n</policies>";
        let xml = "<?xml version=\"1.0\"?><policies><inbound a='@( x&lt;1 /* c */\n &#38;&amp; y \
                   ==&quot;&#x26;&quot; )' b=\"1\"><base></base></inbound>\n\
                   <v>it&apos;s</v></policies>";
        assert_eq!(form(raw), form(xml));
        assert_eq!(
            form("<a><b d='2' c='&apos;'/><e> x </e></a>"),
            "<a>\n  <b c=\"'\" d=\"2\"/>\n  <e> x </e>\n</a>\n"
        );
    }

    #[test]
    fn an_export_in_xml_escapes_quotes_in_attributes_only() {
        let raw = r#"<a b="@("x&y" + z)">@("x&y" + z)</a>"#;
        let xml = r#"<a b="@(&quot;x&amp;y&quot; + z)">@("x&amp;y" + z)</a>"#;
        assert!(same(raw, xml));
    }

    #[test]
    fn whatever_may_change_behaviour_counts() {
        for (a, b) in [
            ("<a>@(\"Bearer \" + t)</a>", "<a>@(\"Bearer\" + t)</a>"),
            ("<a>@(a + b)</a>", "<a>@(a - b)</a>"),
            ("<a>@(a + +b)</a>", "<a>@(a ++ b)</a>"),
            ("<a>@(a b)</a>", "<a>@(ab)</a>"),
            ("<a>@(x)</a>", "<a>@{x}</a>"),
            ("<a>@{ {x} }</a>", "<a>@{{x}}</a>"),
            ("<a>@(f({ {x} }))</a>", "<a>@(f({{x}}))</a>"),
            ("<a>@(a {{x}})</a>", "<a>@(a{{x}})</a>"),
            ("<a>@(a / b)</a>", "<a>@(a // b\n)</a>"),
            ("<a>@('a')</a>", "<a>@(\"a\")</a>"),
            ("<a>@(a ? .5 : 1)</a>", "<a>@(a ?. 5 : 1)</a>"),
            ("<a>@(x)</a>", "<a>@(X)</a>"),
            ("<a>x</a>", "<a>x </a>"),
            ("<a> </a>", "<a></a>"),
            ("<a><b/><c/></a>", "<a><c/><b/></a>"),
            ("<a b=\"1\"/>", "<a b=\"1 \"/>"),
            ("<a b=\"1\"/>", "<a/>"),
            ("<a b=\"x&#10;\"/>", "<a b=\"x\n\"/>"),
            ("<a>&amp;amp;</a>", "<a>&amp;</a>"),
            ("<a>@<!-- -->(x)</a>", "<a>@(x)</a>"),
            ("<a>@(\"a\"  + @\"b\n\")</a>", "<a>@(\"a\"  + @\"b\")</a>"),
        ] {
            assert_ne!(form(a), form(b), "{a} {b}");
            assert!(!same(a, b));
        }
    }

    #[test]
    fn white_space_and_comments_between_tokens_do_not_count() {
        let a = "@{ var a=new List<List<int>>(); // one\r\n return a?.Count>=1&&!b ; }";
        let b = "@{var a = new List < List<int> > ( ) ;return a ?. Count >= 1 && ! b;/* two */}";
        assert!(same(&format!("<a>{a}</a>"), &format!("<a>{b}</a>")));
        assert!(same(&format!("<a b=\"{a}\"/>"), &format!("<a b='{b}'/>")));
        assert_eq!(form("<a>@{ return  x ; }</a>"), "<a>@{return x;}</a>\n");
    }

    #[test]
    fn preprocessor_lines_stay_lines() {
        let a = "<a b=\"@{\r\n  #region it's\r\n return 1;\r\n#endregion\r\n}\"/>";
        let b = "<a b=\"@{\n#region it's\nreturn 1;\n#endregion\n}\"/>";
        assert_eq!(form(a), form(b));
    }

    #[test]
    fn cdata_and_comments_only_part_text() {
        assert!(same("<a>x<!-- c -->&lt;y</a>", "<a><![CDATA[x<y]]></a>"));
        assert!(same("<a><![CDATA[@(1 < 2)]]></a>", "<a>@(1&lt;2)</a>"));
        form("<a>@<![CDATA[(x]]></a>");
        form("<a>@<!-- -->{x<b/>@(y)</a>");
    }

    #[test]
    fn mixed_content_keeps_its_text() {
        assert_eq!(
            form("<a>x <b>\n<c/>\n</b> y</a>"),
            "<a>x <b><c/></b> y</a>\n"
        );
        assert!(!same("<a>x <b/></a>", "<a>x<b/></a>"));
    }

    #[test]
    fn what_is_no_policy_is_like_itself_only() {
        assert!(same("<a>", "<a>"));
        assert!(!same("<a>", "<a> "));
    }
}
