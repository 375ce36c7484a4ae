//! What stands in an old policy text and not in the new one. Nobody searched the old text for
//! credentials but the scanner, which knows only those that look like one: so whatever the manifest
//! does not say as well is neither kept nor shown.

use std::collections::BTreeSet;
use std::ops::Range;

use keyless_policy::{Document, references};

/// Byte ranges, in order and apart, of the attribute values, texts and comments of `old` that do
/// not stand in `new` as they are. A reference to a named value is no literal.
pub(crate) fn foreign(old: &Document, new: Option<&Document>) -> Vec<Range<usize>> {
    let known: BTreeSet<&str> = new
        .map(|new| values(new).into_iter().map(|r| &new.text()[r]).collect())
        .unwrap_or_default();
    let mut out = values(old);
    out.retain(|range| {
        let value = &old.text()[range.clone()];
        !known.contains(value) && !only_references(value)
    });
    out.sort_by_key(|r| (r.start, r.end));
    out
}

/// Whether every literal of `old` stands in `new` too.
pub(crate) fn nothing_foreign(old: &str, new: &str) -> bool {
    let (Ok(old), Ok(new)) = (Document::parse(old), Document::parse(new)) else {
        return false;
    };
    foreign(&old, Some(&new)).is_empty()
}

/// The ranges of every attribute value, and of what stands between two tags, without the blanks
/// around it.
fn values(document: &Document) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let root = document.root().range();
    push_trimmed(document, 0..root.start, &mut out);
    push_trimmed(document, root.end..document.text().len(), &mut out);
    for element in document.elements() {
        let attributes = element.attributes().into_iter().map(|a| a.range);
        out.extend(attributes.filter(|r| !r.is_empty()));
        let Some(inner) = element.inner_range() else {
            continue;
        };
        let mut at = inner.start;
        for child in element.children() {
            let range = child.range();
            push_trimmed(document, at..range.start, &mut out);
            at = range.end;
        }
        push_trimmed(document, at..inner.end, &mut out);
    }
    out
}

fn push_trimmed(document: &Document, range: Range<usize>, out: &mut Vec<Range<usize>>) {
    let text = &document.text()[range.clone()];
    let start = range.start + (text.len() - text.trim_start().len());
    let end = start + text.trim().len();
    if start < end {
        out.push(start..end);
    }
}

fn only_references(value: &str) -> bool {
    let covered: usize = references(value).iter().map(|r| r.range.len()).sum();
    covered == value.trim().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(old: &str, new: &str) -> Vec<String> {
        let (old, new) = (Document::parse(old).unwrap(), Document::parse(new).unwrap());
        let ranges = foreign(&old, Some(&new)).into_iter();
        ranges.map(|r| old.text()[r].to_owned()).collect()
    }

    #[test]
    fn values_texts_and_comments_of_the_old_text_alone_are_foreign() {
        let old = "<!-- pw one --><a k=\"two\" r=\"{{nv}}\"><b>three</b> <!-- four --> five\
                   <c>{{nv}}</c><d><![CDATA[six]]></d></a><!-- seven -->";
        let all = [
            "<!-- pw one -->",
            "two",
            "three",
            "<!-- four --> five",
            "<![CDATA[six]]>",
            "<!-- seven -->",
        ];
        assert_eq!(found(old, "<a/>"), all);
        assert_eq!(found(old, old), [""; 0]);
    }

    #[test]
    fn a_part_of_a_new_value_is_not_that_value() {
        assert_eq!(found("<a k=\"abc\"/>", "<a k=\"abcd\"/>"), ["abc"]);
        assert!(nothing_foreign("<a k=\"{{x}}\"/>", "<a k=\"y\"/>"));
        assert!(!nothing_foreign("<a", "<a/>"));
    }
}
