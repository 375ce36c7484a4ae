//! Who refers to what: `{{named values}}` and fragments in the texts of a service.

use super::service_key;
use crate::arm::kind::Kind;
use crate::arm::store::{Entity, Store};
use crate::rawxml;

/// The display names in `{{…}}`, in the order of the text.
pub fn named_values(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((name, _, end)) = rawxml::next_reference(rest) {
        names.push(name);
        rest = &rest[end..];
    }
    names
}

/// The ids in `<include-fragment fragment-id="…">` or any other `element attribute="…"`.
pub fn attribute_values(text: &str, element: &str, attribute: &str) -> Vec<String> {
    let Ok(masked) = rawxml::mask(text) else {
        return Vec::new();
    };
    let Ok(document) = rawxml::parse(&masked) else {
        return Vec::new();
    };
    document
        .descendants()
        .filter(|node| node.has_tag_name(element))
        .filter_map(|node| node.attributes().find(|found| found.name() == attribute))
        .map(|found| text[found.range_value()].to_owned())
        .filter(|value| !value.starts_with("@(") && !value.contains("{{"))
        .collect()
}

/// Everything of a service in which a named value can stand.
pub fn referrers<'a>(store: &'a Store, key: &str) -> impl Iterator<Item = &'a Entity> {
    let service = service_key(key).to_owned() + "/";
    store.all().filter(move |entity| {
        let kinds = matches!(
            entity.kind,
            Kind::Policy | Kind::Fragment | Kind::Backend | Kind::ApimPlain
        );
        kinds && entity.key().starts_with(&service)
    })
}

/// The named value of a service with this display name.
pub fn find_named_value<'a>(store: &'a Store, key: &str, name: &str) -> Option<&'a Entity> {
    let collection = format!("{}/namedvalues", service_key(key));
    store.list(&collection).into_iter().find(|entity| {
        entity
            .property("displayName")
            .is_some_and(|display| display.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_reference_counts() {
        assert_eq!(
            named_values("a{{x-1}} {{ y }} {{z}} {{}} {{{w}}}"),
            ["x-1", "z", "w"]
        );
    }

    #[test]
    fn a_fragment_in_a_comment_is_not_included() {
        let text = "<a><!-- <include-fragment fragment-id=\"x\"/> --><include-fragment \
                    fragment-id=\"y\"/></a>";
        assert_eq!(
            attribute_values(text, "include-fragment", "fragment-id"),
            ["y"]
        );
    }
}
