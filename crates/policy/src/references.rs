//! References to named values: `{{name}}`.
//!
//! The service replaces them in the text, before it reads XML or C#. So they
//! are looked for in the text too: in attributes, texts, expressions, strings
//! and comments alike. Liquid templates use the same braces for their own
//! variables; those are listed as well, and name no named value.

use std::ops::Range;

/// Longest display name of a named value, in characters.
const MAX_NAME: usize = 256;

/// A `{{name}}` in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The display name, without blanks around it.
    pub name: String,
    /// Byte range, with the braces.
    pub range: Range<usize>,
}

/// Every `{{name}}` of a text, in order. Names have letters, digits, `.`, `-`
/// and `_`; blanks may stand between name and braces.
pub fn references(text: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find("{{") {
        let start = at + next;
        match named_value(&text[start..]) {
            Some(length) => {
                let name = text[start + 2..start + length - 2].trim().to_owned();
                found.push(Reference {
                    name,
                    range: start..start + length,
                });
                at = start + length;
            }
            None => at = start + 1,
        }
    }
    found
}

/// Length of the reference at the start of `text`, if one is there.
pub(crate) fn named_value(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("{{")?;
    // Bounded, so that a long row of braces costs no more than its length.
    let blanks = inner
        .bytes()
        .take(MAX_NAME)
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let name = &inner[blanks..];
    let length: usize = name
        .chars()
        .take(MAX_NAME)
        .take_while(|c| is_name(*c))
        .map(char::len_utf8)
        .sum();
    let after = &name[length..];
    let end = after
        .bytes()
        .take(MAX_NAME)
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let closed = length > 0 && after[end..].starts_with("}}");
    closed.then_some(2 + blanks + length + end + 2)
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_everywhere() {
        let text = r#"<a b="{{x-1}}">@($"{{{y.z}}}" + {{ w_ }})<!--{{c}}--></a>"#;
        let found = references(text);
        let names: Vec<&str> = found.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["x-1", "y.z", "w_", "c"]);
        assert_eq!(&text[found[0].range.clone()], "{{x-1}}");
        assert_eq!(&text[found[2].range.clone()], "{{ w_ }}");
    }

    #[test]
    fn other_braces_are_no_references() {
        for text in [
            "{{}}", "{{a b}}", "{{a}", "{a}", "{{{{{{", "{{a,b}}", "{% x %}", "{{\n}}",
        ] {
            assert_eq!(references(text), [], "{text}");
        }
    }
}
