//! Policy texts: XML in which `@(…)` and `@{…}` hold C#, written as it is (`rawxml`) or escaped so
//! that the whole is XML (`xml`). Texts are kept as `rawxml`.

use std::ops::Range;

use roxmltree::{Document, Node, NodeType};

/// Why a text is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RawXmlError {
    #[error("The expression that begins at offset {0} has no end.")]
    OpenExpression(usize),
    #[error("A comment, CDATA section or tag that begins at offset {0} has no end.")]
    OpenMarkup(usize),
    #[error("{0}")]
    Xml(String),
}

/// The byte ranges of the expressions, each with its `@` and brackets.
pub fn expressions(text: &str) -> Result<Vec<Range<usize>>, RawXmlError> {
    let b = text.as_bytes();
    let (mut found, mut i) = (Vec::new(), 0);
    while i < b.len() {
        if b[i..].starts_with(b"<!--") {
            i = after(text, i, "-->")?;
        } else if b[i..].starts_with(b"<![CDATA[") {
            i = after(text, i, "]]>")?;
        } else if b[i] == b'<' {
            i = tag(b, i, &mut found)?;
        } else if opens(b, i) {
            let end = balanced(b, i + 1).ok_or(RawXmlError::OpenExpression(i))?;
            found.push(i..end);
            i = end;
        } else {
            i += 1;
        }
    }
    Ok(found)
}

fn after(text: &str, from: usize, end: &str) -> Result<usize, RawXmlError> {
    let at = text[from..]
        .find(end)
        .ok_or(RawXmlError::OpenMarkup(from))?;
    Ok(from + at + end.len())
}

fn opens(b: &[u8], i: usize) -> bool {
    b[i] == b'@' && matches!(b.get(i + 1), Some(b'(' | b'{'))
}

/// Walks one tag; returns the offset after its `>`.
fn tag(b: &[u8], start: usize, found: &mut Vec<Range<usize>>) -> Result<usize, RawXmlError> {
    let mut quote = None;
    let mut i = start + 1;
    while i < b.len() {
        match (quote, b[i]) {
            (None, b'>') => return Ok(i + 1),
            (None, q @ (b'"' | b'\'')) => quote = Some(q),
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) if opens(b, i) => {
                let end = balanced(b, i + 1).ok_or(RawXmlError::OpenExpression(i))?;
                found.push(i..end);
                i = end;
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    Err(RawXmlError::OpenMarkup(start))
}

/// The offset after the bracket that closes the one at `open`, by C#'s lexical rules.
fn balanced(b: &[u8], open: usize) -> Option<usize> {
    let (mut depth, mut i) = (0_usize, open);
    while i < b.len() {
        match b[i] {
            b'(' | b'{' | b'[' => depth += 1,
            b')' | b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(i + 1);
                }
            }
            b'/' if b.get(i + 1) == Some(&b'/') => {
                i += b[i..].iter().position(|&c| c == b'\n')?;
            }
            b'/' if b.get(i + 1) == Some(&b'*') => {
                i += b[i + 2..].windows(2).position(|w| w == b"*/")? + 3;
            }
            b'@' | b'$' | b'"' | b'\'' => {
                if let Some(end) = literal(b, i) {
                    i = end?;
                    continue;
                }
            }
            _ => {}
        }
        i += 1;
    }
    None
}

/// The end of the string or character that begins here; `None` if none does.
fn literal(b: &[u8], at: usize) -> Option<Option<usize>> {
    let prefix = b[at..]
        .iter()
        .take_while(|c| matches!(c, b'@' | b'$'))
        .count();
    let quote = *b.get(at + prefix)?;
    if quote != b'"' && !(quote == b'\'' && prefix == 0) {
        return None;
    }
    let verbatim = b[at..at + prefix].contains(&b'@');
    let interpolated = b[at..at + prefix].contains(&b'$');
    let mut i = at + prefix + 1;
    while i < b.len() {
        match b[i] {
            b'\\' if !verbatim => i += 1,
            b'{' if interpolated && b.get(i + 1) == Some(&b'{') => i += 1,
            b'{' if interpolated => match balanced(b, i) {
                Some(end) => {
                    i = end;
                    continue;
                }
                None => return Some(None),
            },
            c if c == quote && verbatim && b.get(i + 1) == Some(&quote) => i += 1,
            c if c == quote => return Some(Some(i + 1)),
            _ => {}
        }
        i += 1;
    }
    Some(None)
}

/// The text with every expression filled over, byte for byte and line for line, so that an XML
/// parser can read it, and its ranges and places are those of the original.
pub fn mask(text: &str) -> Result<String, RawXmlError> {
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for range in expressions(text)? {
        masked.push_str(&text[at..range.start]);
        let bytes = text[range.clone()].bytes();
        masked.extend(bytes.map(|byte| if byte == b'\n' { '\n' } else { 'x' }));
        at = range.end;
    }
    masked.push_str(&text[at..]);
    Ok(masked)
}

/// Parses a masked text.
pub fn parse(masked: &str) -> Result<Document<'_>, RawXmlError> {
    Document::parse(masked).map_err(|error| RawXmlError::Xml(format!("{error}.")))
}

/// `xml` to `rawxml`: what is an expression as a whole loses its escapes.
pub fn from_xml(xml: &str) -> Result<String, RawXmlError> {
    let document = parse(xml)?;
    let mut edits = Vec::new();
    for node in document.descendants() {
        for attribute in node.attributes() {
            edits.push(attribute.range_value());
        }
        if node.node_type() == NodeType::Text {
            edits.push(node.range());
        }
    }
    edits.retain(|range| {
        let text = xml[range.clone()].trim_start();
        text.starts_with("@(") || text.starts_with("@{")
    });
    Ok(replace(xml, edits, unescape))
}

/// `rawxml` to `xml`.
pub fn to_xml(raw: &str) -> Result<String, RawXmlError> {
    let escape = |text: &str| {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        text.replace('>', "&gt;").replace('"', "&quot;")
    };
    Ok(replace(raw, expressions(raw)?, escape))
}

/// Undoes XML's own entities and character references.
pub fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(';').unwrap_or(0);
        let decoded = match rest.get(1..end).unwrap_or_default() {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            code => code.strip_prefix('#').and_then(character),
        };
        match decoded {
            Some(c) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn character(code: &str) -> Option<char> {
    let number = match code.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => code.parse().ok()?,
    };
    char::from_u32(number)
}

fn replace(text: &str, mut ranges: Vec<Range<usize>>, with: impl Fn(&str) -> String) -> String {
    ranges.sort_by_key(|range| range.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for range in ranges {
        out.push_str(&text[at..range.start]);
        out.push_str(&with(&text[range.clone()]));
        at = range.end;
    }
    out.push_str(&text[at..]);
    out
}

/// As the service stores a text: elements indented by tabs with CRLF where the writer broke lines
/// at all, and a blank before `/>`.
pub fn reformat(raw: &str) -> Result<String, RawXmlError> {
    let masked = mask(raw)?;
    let document = parse(&masked)?;
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for node in document.descendants() {
        if node.is_element() {
            let range = node.range();
            let empty = masked[range.clone()].ends_with("/>");
            if empty && !masked[..range.end - 2].ends_with(char::is_whitespace) {
                edits.push((range.end - 2..range.end, " />".into()));
            }
        } else if let Some(depth) = indentable(&node, &masked) {
            let closing = node.next_sibling().is_none();
            let tabs = "\t".repeat(depth - usize::from(closing));
            edits.push((node.range(), format!("\r\n{tabs}")));
        }
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(raw.len());
    let mut at = 0;
    for (range, text) in edits {
        out.push_str(&raw[at..range.start]);
        out.push_str(&text);
        at = range.end;
    }
    out.push_str(&raw[at..]);
    Ok(out)
}

/// The depth of a line break between elements; `None` for text that means something.
fn indentable(node: &Node<'_, '_>, masked: &str) -> Option<usize> {
    let blank = node.is_text() && masked[node.range()].trim().is_empty();
    let breaks = masked
        .get(node.range())
        .is_some_and(|text| text.contains('\n'));
    let parent = node.parent().filter(Node::is_element)?;
    let mixed = parent
        .children()
        .any(|child| child.is_text() && child.text().is_some_and(|t| !t.trim().is_empty()));
    let depth = node.ancestors().filter(Node::is_element).count();
    (blank && breaks && !mixed).then_some(depth)
}

/// The first whole `{{name}}`, where it begins and where it ends.
pub fn next_reference(text: &str) -> Option<(&str, usize, usize)> {
    let mut from = 0;
    while let Some(at) = text[from..].find("{{").map(|at| from + at) {
        let tail = &text[at + 2..];
        let end = tail.find(|c: char| !(c.is_ascii_alphanumeric() || "-._".contains(c)));
        match end.filter(|&end| end > 0 && tail[end..].starts_with("}}")) {
            Some(end) => return Some((&tail[..end], at, at + 4 + end)),
            None => from = at + 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_reference_counts() {
        assert_eq!(next_reference("{{ x }} {{a-b}}"), Some(("a-b", 8, 15)));
        assert_eq!(next_reference("{{{w}}}"), Some(("w", 1, 6)));
        assert_eq!(next_reference("{{}}"), None);
    }

    const RAW: &str = "<policies>\n  <inbound>\n    <set-header name=\"x\"><value>@($\"a{b[\")\"]}\" \
                       + \"<&>\")</value></set-header>\n    <base/>\n  </inbound></policies>";

    #[test]
    fn an_expression_is_one_range_whatever_its_strings_hold() {
        let ranges = expressions(RAW).unwrap();
        assert_eq!(ranges.len(), 1);
        assert_eq!(&RAW[ranges[0].clone()], "@($\"a{b[\")\"]}\" + \"<&>\")");
        let attribute = "<a b=\"@(x[\"y\"])\" c=\"d\"/>";
        assert_eq!(
            &attribute[expressions(attribute).unwrap()[0].clone()],
            "@(x[\"y\"])"
        );
    }

    #[test]
    fn an_unterminated_expression_is_refused() {
        let refused = expressions("<a>@(\"b</a>");
        assert_eq!(refused, Err(RawXmlError::OpenExpression(3)));
    }

    #[test]
    fn the_two_forms_turn_into_each_other() {
        let xml = to_xml(RAW).unwrap();
        assert!(xml.contains("&quot;&lt;&amp;&gt;&quot;"));
        assert_eq!(from_xml(&xml).unwrap(), RAW);
    }

    #[test]
    fn reformatting_is_stable_and_touches_no_expression() {
        let once = reformat(RAW).unwrap();
        assert!(once.starts_with("<policies>\r\n\t<inbound>\r\n\t\t<set-header"));
        assert!(once.contains("<base />\r\n\t</inbound></policies>"));
        assert!(once.contains("@($\"a{b[\")\"]}\" + \"<&>\")"));
        assert_eq!(reformat(&once).unwrap(), once);
    }

    #[test]
    fn a_text_keeps_its_own_line_breaks() {
        let text = "<a>\n<b>\nselect 1\n</b>\n</a>";
        assert_eq!(
            reformat(text).unwrap(),
            "<a>\r\n\t<b>\nselect 1\n</b>\r\n</a>"
        );
    }
}
