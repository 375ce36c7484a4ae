//! A policy as a tree of its own, free of the text that it was read from. Texts and attributes are
//! kept as they are written: an expression bare, everything else with XML's escapes undone.

use roxmltree::Node;

use crate::rawxml::{self, RawXmlError};

/// One element. No `Debug`: policies hold secrets.
#[derive(Clone, Default)]
pub struct Element {
    pub name: String,
    attributes: Vec<(String, String)>,
    pub children: Vec<Element>,
    /// What stands inside as text, without comments; with elements inside, as it was written.
    pub text: String,
}

impl Element {
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Reads a policy document.
    pub fn parse(policy: &str) -> Result<Self, RawXmlError> {
        let masked = rawxml::mask(policy)?;
        let document = rawxml::parse(&masked)?;
        Ok(read(document.root_element(), &masked, policy))
    }

    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether an attribute that knows `true` and `false` says `true`.
    pub fn is_set(&self, name: &str) -> bool {
        self.attribute(name) == Some("true")
    }

    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first element of this name, at any depth.
    pub fn find(&self, name: &str) -> Option<&Element> {
        self.children
            .iter()
            .find_map(|child| (child.name == name).then_some(child).or(child.find(name)))
    }
}

fn read(node: Node<'_, '_>, masked: &str, policy: &str) -> Element {
    let attributes = node.attributes().map(|attribute| {
        let written = &policy[attribute.range_value()];
        (attribute.name().to_owned(), unescaped(written))
    });
    let children: Vec<Element> = node
        .children()
        .filter(Node::is_element)
        .map(|child| read(child, masked, policy))
        .collect();
    let inside = inner(masked, policy, node);
    Element {
        name: node.tag_name().name().to_owned(),
        attributes: attributes.collect(),
        text: match children.is_empty() {
            true => text(inside),
            false => inside.to_owned(),
        },
        children,
    }
}

fn unescaped(written: &str) -> String {
    if super::expression::is_expression(written) {
        written.to_owned()
    } else {
        rawxml::unescape(written)
    }
}

/// A text without its comments and CDATA marks.
fn text(inside: &str) -> String {
    let mut written = String::new();
    let mut rest = inside;
    while !rest.is_empty() {
        let (part, tail) = if let Some(comment) = rest.strip_prefix("<!--") {
            (String::new(), after(comment, "-->").1)
        } else if let Some(data) = rest.strip_prefix("<![CDATA[") {
            let (data, tail) = after(data, "]]>");
            (data.to_owned(), tail)
        } else if super::expression::is_expression(rest) {
            (rest.to_owned(), "")
        } else {
            let end = rest.find('<').filter(|&end| end > 0).unwrap_or(rest.len());
            (rawxml::unescape(&rest[..end]), &rest[end..])
        };
        written.push_str(&part);
        rest = tail;
    }
    written
}

/// What stands before a mark and what after it.
fn after<'a>(text: &'a str, mark: &str) -> (&'a str, &'a str) {
    text.split_once(mark).unwrap_or((text, ""))
}

/// The original text between an element's tags.
fn inner<'a>(masked: &str, policy: &'a str, node: Node<'_, '_>) -> &'a str {
    let whole = node.range();
    let mut quote = None;
    let opening = masked[whole.clone()]
        .char_indices()
        .find(|&(_, c)| match (quote, c) {
            (None, '"' | '\'') => {
                quote = Some(c);
                false
            }
            (Some(open), c) if open == c => {
                quote = None;
                false
            }
            (None, c) => c == '>',
            _ => false,
        });
    let start = whole.start + opening.map_or(0, |(at, _)| at + 1);
    let end = masked[whole.clone()]
        .rfind("</")
        .map_or(whole.end, |at| whole.start + at);
    policy.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_stay_as_written_and_the_rest_is_unescaped() {
        let policy = "<a x=\"@(b[\"c\"] + \"&amp;\")\" y=\"1&amp;2\"><!-- n --><b>@(d < 1)</b><c>\
                      e&lt;<![CDATA[<f>]]></c><g/></a>";
        let element = Element::parse(policy).unwrap();
        assert_eq!(element.attribute("x"), Some("@(b[\"c\"] + \"&amp;\")"));
        assert_eq!(element.attribute("y"), Some("1&2"));
        assert_eq!(element.find("b").unwrap().text, "@(d < 1)");
        assert_eq!(element.find("c").unwrap().text, "e<<f>");
        assert_eq!(element.find("g").unwrap().text, "");
    }
}
