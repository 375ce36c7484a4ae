//! Where a policy document holds credentials, so that its text can be shown without them.

use std::ops::Range;

use keyless_model::Live;
use keyless_policy::Document;

use crate::policy::search;

/// Byte ranges of the values, texts and comments of a document that hold a literal credential, in
/// order and apart. A range covers the whole value: more than the credential, never less.
pub fn secret_ranges(document: &Document) -> Vec<Range<usize>> {
    let found = search(document, &|_| Live::Absent);
    let mut ranges = Vec::new();
    for spot in &found.spots {
        match range(document, &spot.place) {
            Some(range) => ranges.push(range),
            // A comment, or a place that has no range of its own: every comment counts.
            None => ranges.extend(comments(document)),
        }
    }
    ranges.sort_by_key(|r| (r.start, r.end));
    ranges.dedup();
    ranges.retain(|r| !r.is_empty());
    let mut apart: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match apart.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

fn range(document: &Document, place: &str) -> Option<Range<usize>> {
    if let Some((path, name)) = place.rsplit_once("/@") {
        let element = document.find(&path.parse().ok()?)?;
        return element.attribute(name).map(|a| a.range);
    }
    document.find(&place.parse().ok()?)?.inner_range()
}

fn comments(document: &Document) -> Vec<Range<usize>> {
    let text = document.text();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("<!--").map(|n| at + n + 4) {
        let Some(end) = text[start..].find("-->").map(|n| start + n) else {
            break;
        };
        out.push(start..end);
        at = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_outside_the_ranges_holds_no_credential() {
        let text = "<policies><!-- Password=canary-1; --><inbound>\
                    <authentication-basic username=\"u\" password=\"canary-2\" />\
                    <set-header name=\"x-functions-key\"><value>canary-3-abcdefgh</value></set-header>\
                    <set-header name=\"x-region\"><value>west</value></set-header>\
                    </inbound></policies>";
        let document = Document::parse(text).unwrap();
        let mut shown = text.to_owned();
        for range in secret_ranges(&document).into_iter().rev() {
            shown.replace_range(range, "…");
        }
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("<value>west</value>"));
    }
}
