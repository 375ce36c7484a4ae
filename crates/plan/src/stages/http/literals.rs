//! The texts that a switch takes out of a policy, and whether a named value can stand for each.

use std::collections::BTreeMap;
use std::ops::Range;

use keyless_policy::{Document, ElementRef, references};
use keyless_scan::{Place, unparkable};

use crate::step::Splice;

/// A text that goes with an edit, and may be a secret.
pub(crate) struct Literal {
    pub place: Place,
    pub text: String,
    /// Why it cannot stand in a named value.
    pub never: Option<&'static str>,
}

impl Literal {
    pub fn is_parkable(&self) -> bool {
        self.never.is_none()
    }
}

/// Attributes that say how an element works and hold no secret.
const PLAIN: [&str; 11] = [
    "name",
    "exists-action",
    "mode",
    "response-variable-name",
    "timeout",
    "ignore-error",
    "resource",
    "client-id",
    "output-token-variable-name",
    "variable-name",
    "caching-type",
];

/// Every text that edits take away or replace and that is no reference.
pub(crate) fn literals(document: &Document, edits: &[Splice]) -> Vec<Literal> {
    let mut found: BTreeMap<Place, Literal> = BTreeMap::new();
    let mut add = |place: Place, text: String, never: Option<&'static str>| {
        if !text.trim().is_empty() && !is_reference(&text) {
            let never = never.or_else(|| unparkable(&text));
            found.insert(place.clone(), Literal { place, text, never });
        }
    };
    for edit in edits {
        let path = edit.path().to_owned();
        let Some(element) = path.parse().ok().and_then(|p| document.find(&p)) else {
            continue;
        };
        match edit {
            Splice::Text { .. } => {
                add(
                    Place::Text { path },
                    element.text().unwrap_or_default(),
                    None,
                );
            }
            Splice::Attribute { name, .. } => {
                let text = element.attribute(name).map(|a| a.value).unwrap_or_default();
                let name = name.clone();
                add(Place::Attribute { path, name }, text, None);
            }
            Splice::Remove { .. } | Splice::Replace { .. } => {
                let range = element.range();
                for inner in inside(document, &range) {
                    of_element(document, inner, &mut add);
                }
            }
            _ => {}
        }
    }
    found.into_values().collect()
}

fn inside<'a>(document: &'a Document, range: &Range<usize>) -> Vec<ElementRef<'a>> {
    let mut all = document.elements();
    all.retain(|e| range.start <= e.range().start && e.range().end <= range.end);
    all
}

fn of_element(
    document: &Document,
    element: ElementRef,
    add: &mut impl FnMut(Place, String, Option<&'static str>),
) {
    let path = element.path().to_string();
    for attribute in element.attributes() {
        if !PLAIN.contains(&attribute.name.as_str()) {
            let (path, name) = (path.clone(), attribute.name);
            add(Place::Attribute { path, name }, attribute.value, None);
        }
    }
    let markup = element.inner_range().map(|r| &document.text()[r]);
    if markup.is_some_and(|m| m.contains("<!--")) {
        let place = Place::Attribute {
            path: path.clone(),
            name: String::new(),
        };
        add(place, "comment".into(), Some("a comment stands in it"));
    }
    if element.name() == "set-method" {
        return;
    }
    match element.text() {
        Some(text) => add(Place::Text { path }, text, None),
        None if has_text(document, element) => {
            add(
                Place::Text { path },
                "text".into(),
                Some("text stands between its elements"),
            );
        }
        None => {}
    }
}

/// Whether something other than white space stands between the elements in it.
fn has_text(document: &Document, element: ElementRef) -> bool {
    let Some(inner) = element.inner_range() else {
        return false;
    };
    let mut at = inner.start;
    let mut ends: Vec<Range<usize>> = element.children().iter().map(|c| c.range()).collect();
    ends.push(inner.end..inner.end);
    ends.into_iter().any(|range| {
        let between = &document.text()[at..range.start];
        at = range.end;
        !between.trim().is_empty()
    })
}

/// Whether a text is references to named values and nothing else.
pub(crate) fn is_reference(text: &str) -> bool {
    let covered: usize = references(text).iter().map(|r| r.range.len()).sum();
    covered == text.trim().len()
}
