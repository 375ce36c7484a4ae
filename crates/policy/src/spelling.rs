//! How characters are spelled: XML entities, line ends, escaping.
//!
//! Only the five entities of XML and character references exist; a document
//! type, and so any other entity, is refused by the parser.

use std::borrow::Cow;

/// What an `&` means in a stretch of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// The `xml` format: an entity is its character, everywhere.
    Xml,
    /// The `rawxml` format: C# strings are verbatim. Between the tokens of an
    /// expression, where an entity can be nothing else, it is its character.
    Raw,
    /// CDATA, or C# that stands alone: an `&` is an `&`.
    Verbatim,
}

/// White space as XML has it.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// True for text that is empty or white space only.
pub(crate) fn is_blank(text: &str) -> bool {
    text.bytes().all(|b| is_space(char::from(b)))
}

/// Where a character stands that an XML 1.0 document may not hold.
pub(crate) fn forbidden(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // U+FFFE and U+FFFF are the only ones above the controls that UTF-8 can hold.
    let found = |at: usize| match bytes[at] {
        b'\t' | b'\n' | b'\r' => false,
        0xef => {
            bytes[at..].starts_with(b"\xef\xbf\xbe") || bytes[at..].starts_with(b"\xef\xbf\xbf")
        }
        b => b < b' ',
    };
    (0..bytes.len()).find(|at| found(*at))
}

/// True for a character that an XML 1.0 document may hold.
pub(crate) fn is_xml_char(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        c => c >= ' ',
    }
}

/// The entity at the start of `text`: its character and its length in bytes.
/// `None` when there is none, or none that XML allows.
pub(crate) fn entity(text: &str) -> Option<(char, usize)> {
    const NAMED: [(&str, char); 5] = [
        ("&amp;", '&'),
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&quot;", '"'),
        ("&apos;", '\''),
    ];
    if let Some((name, c)) = NAMED.iter().find(|(name, _)| text.starts_with(name)) {
        return Some((*c, name.len()));
    }
    let body = text.strip_prefix("&#")?;
    let (digits, radix, lead) = match body.strip_prefix('x') {
        Some(hex) => (hex, 16, 3),
        None => (body, 10, 2),
    };
    // No character needs more than 7 digits; some more allow leading zeros.
    let length = digits.bytes().take(16).position(|b| b == b';')?;
    let digits = &digits[..length];
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let c = char::from_u32(u32::from_str_radix(digits, radix).ok()?)?;
    is_xml_char(c).then_some((c, lead + length + 1))
}

/// The plain text of a stretch of source: line ends become `\n`, and entities,
/// where they count, their characters. Borrowed where nothing is spelled.
pub(crate) fn decode(source: &str, entities: bool) -> Cow<'_, str> {
    let is_special = |b: &u8| *b == b'\r' || *b == b'&' && entities;
    let Some(first) = source.bytes().position(|b| is_special(&b)) else {
        return Cow::Borrowed(source);
    };
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    let mut next = Some(first);
    while let Some(at) = next {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (c, length) = match entity(rest) {
            Some(found) => found,
            None if rest.starts_with('&') => ('&', 1),
            None => ('\n', if rest.starts_with("\r\n") { 2 } else { 1 }),
        };
        out.push(c);
        rest = &rest[length..];
        next = rest.bytes().position(|b| is_special(&b));
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// As [`decode`], for an attribute: white space that stands literally is a
/// space, as XML says.
pub(crate) fn decode_attribute(source: &str) -> Cow<'_, str> {
    if !source.contains(['\r', '\n', '\t']) {
        return decode(source, true);
    }
    let spaced = source.replace("\r\n", " ").replace(['\r', '\n', '\t'], " ");
    Cow::Owned(decode(&spaced, true).into_owned())
}

/// Where a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Between tags.
    Text,
    /// Between two of this quote.
    Attribute(char),
}

/// Escapes what must be, and no more.
pub(crate) fn escape(value: &str, place: Place) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    for c in value.chars() {
        match (c, place) {
            ('&', _) => out.push_str("&amp;"),
            ('<', _) => out.push_str("&lt;"),
            ('>', Place::Text) => out.push_str("&gt;"),
            ('\r', _) => out.push_str("&#13;"),
            ('\n', Place::Attribute(_)) => out.push_str("&#10;"),
            ('\t', Place::Attribute(_)) => out.push_str("&#9;"),
            ('"', Place::Attribute('"')) => out.push_str("&quot;"),
            ('\'', Place::Attribute('\'')) => out.push_str("&apos;"),
            (c, _) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_the_five_and_character_references() {
        assert_eq!(entity("&quot;x"), Some(('"', 6)));
        assert_eq!(entity("&#x41;"), Some(('A', 6)));
        assert_eq!(entity("&#0065;"), Some(('A', 7)));
        assert_eq!(entity("&#128512;"), Some(('😀', 9)));
    }

    #[test]
    fn what_xml_forbids_is_no_entity() {
        for text in [
            "&nbsp;",
            "&#0;",
            "&#xD800;",
            "&#xFFFFFFFFF;",
            "&#;",
            "&#x;",
            "&",
            "&#+6;",
        ] {
            assert_eq!(entity(text), None, "{text}");
        }
    }

    #[test]
    fn forbidden_characters_are_found_where_they_stand() {
        for text in ["é\u{0}", "ab\u{1f}", "ab\u{fffe}", "ab\u{ffff}"] {
            assert_eq!(forbidden(text), Some(2));
        }
        assert_eq!(forbidden("\t\r\n \u{feff}\u{fffd}\u{10ffff}"), None);
        let judged = |c: char| forbidden(c.encode_utf8(&mut [0; 4])).is_none() == is_xml_char(c);
        assert!(('\0'..='\u{10ffff}').all(judged));
    }

    #[test]
    fn line_ends_become_one() {
        assert_eq!(decode("a\r\nb\rc&#13;d&amp;amp;", true), "a\nb\nc\rd&amp;");
        assert_eq!(decode_attribute("a\r\n\tb&#10;"), "a  b\n");
    }

    #[test]
    fn escaping_comes_back() {
        let value = "a<b>&\"'\r\n\t&lt;";
        for quote in ['"', '\''] {
            let written = escape(value, Place::Attribute(quote));
            assert!(!written.contains(quote));
            assert_eq!(decode_attribute(&written), value);
        }
        assert_eq!(decode(&escape(value, Place::Text), true), value);
    }
}
