//! Edits: byte ranges of a policy are replaced, and nothing else.
//!
//! All edits of one call name elements of the document as it was. What they
//! write is spelled as the document is: in an `xml` document expressions are
//! escaped, in a `rawxml` one they stand verbatim.
//!
//! Invariant: every byte outside of the replaced ranges stays, and the result
//! is a policy again.

use std::ops::Range;

use crate::canonical;
use crate::csharp;
use crate::document::Document;
use crate::error::{Located, shown};
use crate::parse::RawAttribute;
use crate::path::is_name;
use crate::spelling::{Place, Spelling, escape, is_blank, is_space};
use crate::{ElementPath, ElementRef, PolicyError};

/// An edit of one element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The element, in the document as it is before all edits.
    pub path: ElementPath,
    /// What to do with it.
    pub change: Change,
}

/// What to do with an element. Values are plain text, or one expression as C#
/// has it; they are escaped as needed. XML is one element, with all inside.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// Give it this text. It must hold no elements; comments in it stay.
    SetText(String),
    /// Give an attribute this value; add it behind the others if it is not there.
    SetAttribute {
        /// The attribute.
        name: String,
        /// Its value.
        value: String,
    },
    /// Take an attribute away, with the white space before it.
    RemoveAttribute {
        /// The attribute.
        name: String,
    },
    /// Take the element away, with the line break before it if it stands alone
    /// on its lines.
    RemoveElement,
    /// Put XML in its place.
    ReplaceElement(String),
    /// Put XML into it, before or behind everything else in it.
    InsertInto {
        /// One element.
        xml: String,
        /// Before everything else.
        first: bool,
    },
    /// Put XML behind it.
    InsertAfter(String),
}

// Values and XML may hold a credential, so they are not shown.
impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Change::SetText(_) => "SetText",
            Change::SetAttribute { .. } => "SetAttribute",
            Change::RemoveAttribute { .. } => "RemoveAttribute",
            Change::RemoveElement => "RemoveElement",
            Change::ReplaceElement(_) => "ReplaceElement",
            Change::InsertInto { .. } => "InsertInto",
            Change::InsertAfter(_) => "InsertAfter",
        })
    }
}

/// A range and what takes its place.
struct Splice<'a> {
    range: Range<usize>,
    text: String,
    path: &'a ElementPath,
}

impl Document {
    /// The text with the edits made. Edits of one place come in their order.
    ///
    /// # Errors
    /// When an edit names what is not there, when two overlap, when a value or
    /// XML is malformed, or when the result would be no policy.
    pub fn edit(&self, edits: &[Edit]) -> Result<String, PolicyError> {
        let mut splices = Vec::new();
        for edit in edits {
            let unknown = || PolicyError::UnknownPath {
                path: edit.path.clone(),
            };
            let element = self.find(&edit.path).ok_or_else(unknown)?;
            for (range, text) in self.splices(element, edit)? {
                splices.push(Splice {
                    range,
                    text,
                    path: &edit.path,
                });
            }
        }
        let result = apply(&self.text, splices)?;
        let read = Document::parse(&result)?;
        if self.needs_rawxml() && !read.needs_rawxml() {
            // The last verbatim expression is gone; what stays must not depend
            // on which format the text is taken for.
            let raw = Document::parse_raw(&result)?;
            if canonical::of(&raw) != canonical::of(&read) {
                return Err(PolicyError::Ambiguous);
            }
        }
        Ok(result)
    }

    fn splices(
        &self,
        element: ElementRef<'_>,
        edit: &Edit,
    ) -> Result<Vec<(Range<usize>, String)>, PolicyError> {
        let path = &edit.path;
        let end = element.range().end;
        match &edit.change {
            Change::SetText(value) => self.set_text(element, path, value),
            Change::SetAttribute { name, value } => self.set_attribute(element, path, name, value),
            Change::RemoveAttribute { name } => match self.attribute(element, name) {
                Some(raw) => Ok(vec![(self.attribute_range(raw), String::new())]),
                None => Err(PolicyError::UnknownAttribute {
                    path: path.clone(),
                    name: shown(name),
                }),
            },
            Change::RemoveElement if element.parent().is_none() => {
                Err(PolicyError::Root { path: path.clone() })
            }
            Change::RemoveElement => Ok(vec![(self.line_range(element.range()), String::new())]),
            Change::ReplaceElement(xml) => Ok(vec![(element.range(), self.insertable(path, xml)?)]),
            Change::InsertInto { xml, first } => {
                let xml = self.insertable(path, xml)?;
                Ok(vec![self.insert_into(element, &xml, *first)])
            }
            Change::InsertAfter(_) if element.parent().is_none() => {
                Err(PolicyError::Root { path: path.clone() })
            }
            Change::InsertAfter(xml) => {
                let xml = self.insertable(path, xml)?;
                let lead = match self.indent(element.range().start) {
                    Some(indent) => format!("{}{indent}", self.line_end()),
                    None => String::new(),
                };
                Ok(vec![(end..end, lead + &xml)])
            }
        }
    }

    fn set_text(
        &self,
        element: ElementRef<'_>,
        path: &ElementPath,
        value: &str,
    ) -> Result<Vec<(Range<usize>, String)>, PolicyError> {
        let runs = element
            .runs()
            .ok_or_else(|| PolicyError::NotText { path: path.clone() })?;
        let text = self.spell(path, value, Place::Text)?;
        let Some(inner) = element.inner_range() else {
            let end = element.range().end;
            return Ok(vec![(
                end - 2..end,
                format!(">{text}</{}>", element.name()),
            )]);
        };
        // The new text takes the place of the first run that says something.
        let filled = |range: &Range<usize>| !is_blank(&self.text[range.clone()]);
        let ranges: Vec<Range<usize>> = runs.iter().map(|run| run.range.clone()).collect();
        let target = ranges.iter().position(filled).unwrap_or(0);
        if ranges.is_empty() {
            return Ok(vec![(inner.start..inner.start, text)]);
        }
        let mut out: Vec<(Range<usize>, String)> = ranges
            .into_iter()
            .map(|range| (range, String::new()))
            .collect();
        out[target].1 = text;
        Ok(out)
    }

    fn attribute<'a>(&'a self, element: ElementRef<'a>, name: &str) -> Option<&'a RawAttribute> {
        element
            .raw()
            .attributes
            .iter()
            .find(|raw| &self.text[raw.name.clone()] == name)
    }

    fn set_attribute(
        &self,
        element: ElementRef<'_>,
        path: &ElementPath,
        name: &str,
        value: &str,
    ) -> Result<Vec<(Range<usize>, String)>, PolicyError> {
        if let Some(raw) = self.attribute(element, name) {
            let quote = if self.text[raw.value.end..].starts_with('\'') {
                '\''
            } else {
                '"'
            };
            let text = self.spell(path, value, Place::Attribute(quote))?;
            return Ok(vec![(raw.value.clone(), text)]);
        }
        if !is_name(name) {
            return Err(PolicyError::BadName { path: path.clone() });
        }
        let raw = element.raw();
        let at = raw
            .attributes
            .last()
            .map_or(raw.name.end, |last| last.value.end + 1);
        let text = self.spell(path, value, Place::Attribute('"'))?;
        Ok(vec![(at..at, format!(" {name}=\"{text}\""))])
    }

    /// An attribute with the white space before it.
    fn attribute_range(&self, raw: &RawAttribute) -> Range<usize> {
        let before = &self.text[..raw.name.start];
        before.trim_end_matches(is_space).len()..raw.value.end + 1
    }

    /// An element, with the line break and indentation before it if nothing
    /// else stands on its lines.
    fn line_range(&self, range: Range<usize>) -> Range<usize> {
        let blank_after = self.text[range.end..].trim_start_matches([' ', '\t']);
        let alone = blank_after.is_empty() || blank_after.starts_with(['\r', '\n']);
        match self.indent(range.start) {
            Some(indent) if alone => {
                let before = &self.text[..range.start - indent.len()];
                let before = before.strip_suffix('\n').unwrap_or(before);
                before.strip_suffix('\r').unwrap_or(before).len()..range.end
            }
            _ => range,
        }
    }

    /// The white space between the start of a line and `at`, if there is
    /// nothing else.
    fn indent(&self, at: usize) -> Option<&str> {
        let line = self.text[..at].rfind('\n')? + 1;
        let indent = &self.text[line..at];
        is_blank(indent).then_some(indent)
    }

    fn line_end(&self) -> &'static str {
        match self.text.find('\n') {
            Some(at) if self.text[..at].ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }

    /// Where XML goes that is put into an element, laid out like what is there.
    fn insert_into(
        &self,
        element: ElementRef<'_>,
        xml: &str,
        first: bool,
    ) -> (Range<usize>, String) {
        let own = self.indent(element.range().start);
        let children = element.children();
        let indent = match children.first() {
            Some(child) => self.indent(child.range().start).map(str::to_owned),
            None => own.map(|own| format!("{own}    ")),
        };
        let lead = indent.map_or(String::new(), |indent| {
            format!("{}{indent}", self.line_end())
        });
        let Some(inner) = element.inner_range() else {
            let end = element.range().end;
            let tail = self.tail(own, &lead);
            return (
                end - 2..end,
                format!(">{lead}{xml}{tail}</{}>", element.name()),
            );
        };
        if first {
            let tail = if is_blank(&self.text[inner.clone()])
                && !self.text[inner.clone()].contains('\n')
            {
                self.tail(own, &lead)
            } else {
                String::new()
            };
            return (inner.start..inner.start, format!("{lead}{xml}{tail}"));
        }
        let held = self.text[inner.clone()].trim_end_matches(is_space);
        let at = inner.start + held.len();
        let tail = if self.text[at..inner.end].contains('\n') {
            String::new()
        } else {
            self.tail(own, &lead)
        };
        (at..at, format!("{lead}{xml}{tail}"))
    }

    /// The line break before an end tag that had none.
    fn tail(&self, own: Option<&str>, lead: &str) -> String {
        match own {
            Some(own) if !lead.is_empty() => format!("{}{own}", self.line_end()),
            _ => String::new(),
        }
    }

    /// A value as this document spells it at a place.
    fn spell(&self, path: &ElementPath, value: &str, place: Place) -> Result<String, PolicyError> {
        let start = value.find(|c| !is_space(c)).unwrap_or(value.len());
        if !csharp::starts(value, start, Spelling::Verbatim) {
            return Ok(escape(value, place));
        }
        let range = csharp::read(
            value,
            start,
            value.len(),
            Spelling::Verbatim,
            &mut Vec::new(),
        )
        .map_err(|error| {
            let problem = Located::new(value, error.at, error.message, error.help);
            PolicyError::BadValue {
                path: path.clone(),
                problem,
            }
        })?;
        if !self.needs_rawxml() {
            return Ok(escape(value, place));
        }
        let mut out = escape(&value[..start], place);
        out.push_str(&value[range.clone()]);
        out.push_str(&escape(&value[range.end..], place));
        Ok(out)
    }

    /// XML to be inserted, checked, its expressions spelled as here.
    fn insertable(&self, path: &ElementPath, xml: &str) -> Result<String, PolicyError> {
        let read = Document::parse(xml).map_err(|error| match error {
            PolicyError::Malformed(problem) => PolicyError::BadInsert {
                path: path.clone(),
                problem,
            },
            other => other,
        })?;
        if read.needs_rawxml() == self.needs_rawxml() {
            return Ok(xml.to_owned());
        }
        Ok(respelled(&read, self.tree.spelling))
    }
}

/// The text of a document with its expressions in another spelling.
fn respelled(document: &Document, to: Spelling) -> String {
    let text = &document.text;
    let mut places: Vec<(Range<usize>, Place)> = Vec::new();
    for element in &document.tree.elements {
        for raw in &element.attributes {
            let quote = if text[raw.value.end..].starts_with('\'') {
                '\''
            } else {
                '"'
            };
            places.extend(
                raw.expression
                    .clone()
                    .map(|range| (range, Place::Attribute(quote))),
            );
        }
        for node in &element.nodes {
            if let crate::parse::Node::Text(run) = node {
                // CDATA is verbatim in both.
                if run.spelling != Spelling::Verbatim {
                    places.extend(run.expression.clone().map(|range| (range, Place::Text)));
                }
            }
        }
    }
    places.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, place) in places {
        out.push_str(&text[at..range.start]);
        at = range.end;
        let source = csharp::source(text, &range, document.tree.tokens_of(&range));
        match to {
            Spelling::Xml => out.push_str(&escape(&source, place)),
            _ => out.push_str(&source),
        }
    }
    out.push_str(&text[at..]);
    out
}

fn apply(text: &str, mut splices: Vec<Splice<'_>>) -> Result<String, PolicyError> {
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut last: Option<&Splice<'_>> = None;
    for splice in &splices {
        if let Some(last) = last
            && splice.range.start < at
        {
            return Err(PolicyError::Overlap {
                first: last.path.clone(),
                second: splice.path.clone(),
            });
        }
        out.push_str(&text[at..splice.range.start]);
        out.push_str(&splice.text);
        at = splice.range.end;
        last = Some(splice);
    }
    out.push_str(&text[at..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &str = "<policies>\r\n  <inbound>\r\n    <!-- keep -->\r\n    \
                       <set-header  name = 'A'\r\n      x=\"1\" >\r\n      <value>old</value>\r\n    \
                       </set-header>\r\n    <base />\r\n  </inbound>\r\n  <outbound/>\r\n  \
                       <v>@(\"<\" + a)</v>\r\n</policies>\r\n";
    const HEADER: &str = "/policies/inbound/set-header";

    fn one(text: &str, path: &str, change: Change) -> Result<String, PolicyError> {
        let edit = Edit {
            path: path.parse().unwrap(),
            change,
        };
        Document::parse(text).unwrap().edit(&[edit])
    }

    fn set(name: &str, value: &str) -> Change {
        Change::SetAttribute {
            name: name.into(),
            value: value.into(),
        }
    }

    #[test]
    fn values_are_spliced_and_escaped() {
        let value = format!("{HEADER}/value");
        let text = one(RAW, &value, Change::SetText("{{x}} & <y>".into())).unwrap();
        assert_eq!(text, RAW.replace(">old<", ">{{x}} &amp; &lt;y&gt;<"));
        let text = one(RAW, HEADER, set("name", "it's \"B\"")).unwrap();
        assert_eq!(text, RAW.replace("'A'", "'it&apos;s \"B\"'"));
        let text = one(RAW, HEADER, set("new", "\"&")).unwrap();
        assert_eq!(
            text,
            RAW.replace("x=\"1\" >", "x=\"1\" new=\"&quot;&amp;\" >")
        );
        let text = one(RAW, HEADER, Change::RemoveAttribute { name: "x".into() }).unwrap();
        assert_eq!(text, RAW.replace("\r\n      x=\"1\"", ""));
        let text = one(RAW, "/policies/outbound", Change::SetText("t".into())).unwrap();
        assert_eq!(text, RAW.replace("<outbound/>", "<outbound>t</outbound>"));
    }

    #[test]
    fn expressions_are_spelled_as_the_document_is() {
        let value = "@(a < 1 && b == \"&amp;\")";
        let text = one(RAW, HEADER, set("x", value)).unwrap();
        assert_eq!(text, RAW.replace("x=\"1\"", &format!("x=\"{value}\"")));
        let xml = "<a b=\"1\"/>";
        let text = one(xml, "/a", set("b", value)).unwrap();
        assert_eq!(
            text,
            "<a b=\"@(a &lt; 1 &amp;&amp; b == &quot;&amp;amp;&quot;)\"/>"
        );
        assert_eq!(
            Document::parse(&text)
                .unwrap()
                .root()
                .attribute("b")
                .unwrap()
                .value,
            value
        );
    }

    #[test]
    fn inserted_xml_is_spelled_as_the_document_is() {
        let raw = "<c d=\"@(\"x&amp;\" + (a < b &amp;&amp; c))\">@(f(\"<\"))</c>";
        let text = one("<a><b/></a>", "/a/b", Change::InsertAfter(raw.into())).unwrap();
        let document = Document::parse(&text).unwrap();
        assert!(!document.needs_rawxml());
        let c = document.find(&"/a/c".parse().unwrap()).unwrap();
        assert_eq!(
            c.attribute("d").unwrap().value,
            "@(\"x&amp;\" + (a < b && c))"
        );
        assert_eq!(c.text().unwrap(), "@(f(\"<\"))");

        let xml = "<c d=\"@(&quot;x&amp;y&quot;)\"/>";
        let text = one(
            RAW,
            "/policies/outbound",
            Change::ReplaceElement(xml.into()),
        )
        .unwrap();
        assert_eq!(text, RAW.replace("<outbound/>", "<c d=\"@(\"x&y\")\"/>"));
    }

    #[test]
    fn elements_come_and_go_with_their_lines() {
        let into = |first| Change::InsertInto {
            xml: "<n/>".into(),
            first,
        };
        let text = one(RAW, "/policies/inbound", into(false)).unwrap();
        assert_eq!(text, RAW.replace("<base />", "<base />\r\n    <n/>"));
        let text = one(RAW, "/policies/inbound", into(true)).unwrap();
        assert_eq!(text, RAW.replace("<inbound>", "<inbound>\r\n    <n/>"));
        let text = one(RAW, "/policies/outbound", into(true)).unwrap();
        let filled = "<outbound>\r\n      <n/>\r\n  </outbound>";
        assert_eq!(text, RAW.replace("<outbound/>", filled));
        let text = one(RAW, HEADER, Change::InsertAfter("<n/>".into())).unwrap();
        assert_eq!(
            text,
            RAW.replace("</set-header>", "</set-header>\r\n    <n/>")
        );
        let text = one(RAW, "/policies/inbound/base", Change::RemoveElement).unwrap();
        assert_eq!(text, RAW.replace("\r\n    <base />", ""));
        assert_eq!(
            one("<a><b/></a>", "/a", into(false)).unwrap(),
            "<a><b/><n/></a>"
        );
        assert_eq!(one("<a></a>", "/a", into(false)).unwrap(), "<a><n/></a>");
    }

    #[test]
    fn several_edits_are_made_at_once() {
        let edit = |path: &str, change| Edit {
            path: path.parse().unwrap(),
            change,
        };
        let document = Document::parse("<a>\n  <b/>\n  <c/>\n  <b/>\n</a>").unwrap();
        let text = document
            .edit(&[
                edit("/a/b[2]", Change::RemoveElement),
                edit(
                    "/a",
                    Change::InsertInto {
                        xml: "<n/>".into(),
                        first: false,
                    },
                ),
                edit("/a/c", Change::InsertAfter("<m/>".into())),
                edit("/a/b[1]", set("x", "1")),
            ])
            .unwrap();
        assert_eq!(text, "<a>\n  <b x=\"1\"/>\n  <c/>\n  <m/>\n  <n/>\n</a>");
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let fails = |path: &str, change| one(RAW, path, change).unwrap_err();
        assert!(matches!(
            fails("/x", Change::RemoveElement),
            PolicyError::UnknownPath { .. }
        ));
        assert!(matches!(
            fails(HEADER, Change::RemoveAttribute { name: "y".into() }),
            PolicyError::UnknownAttribute { .. }
        ));
        assert!(matches!(
            fails(HEADER, Change::SetText("".into())),
            PolicyError::NotText { .. }
        ));
        assert!(matches!(
            fails(HEADER, set("a b", "")),
            PolicyError::BadName { .. }
        ));
        assert!(matches!(
            fails(HEADER, set("x", "@(a")),
            PolicyError::BadValue { .. }
        ));
        assert!(matches!(
            fails("/policies", Change::RemoveElement),
            PolicyError::Root { .. }
        ));
        for xml in ["", "x", "<n>", "</inbound><inbound>", "<n/><m/>"] {
            let change = Change::InsertAfter(xml.into());
            assert!(
                matches!(fails(HEADER, change), PolicyError::BadInsert { .. }),
                "{xml}"
            );
        }
        let edit = |path: &str, change| Edit {
            path: path.parse().unwrap(),
            change,
        };
        let overlap = Document::parse(RAW).unwrap().edit(&[
            edit(HEADER, Change::RemoveElement),
            edit(HEADER, set("x", "2")),
        ]);
        assert!(matches!(overlap, Err(PolicyError::Overlap { .. })));
    }

    #[test]
    fn an_edit_does_not_change_how_the_rest_reads() {
        let text = "<a><b>@(x < y)</b><c>@(\"&amp;\")</c></a>";
        let error = one(text, "/a/b", Change::SetText("z".into())).unwrap_err();
        assert_eq!(error, PolicyError::Ambiguous);
        let text = "<a><b>@(x < y)</b><c>@(\"-\")</c></a>";
        assert!(one(text, "/a/b", Change::SetText("z".into())).is_ok());
    }

    #[test]
    fn text_is_set_beside_comments_and_cdata() {
        let text = "<a>\n<!-- c --><![CDATA[x]]> y</a>";
        let text = one(text, "/a", Change::SetText("z".into())).unwrap();
        assert_eq!(text, "<a><!-- c -->z</a>");
    }
}
