//! Who refers to what: `{{named values}}` and fragments in the texts of a service.

use roxmltree::TextPos;
use serde_json::Value;

use super::service_key;
use crate::arm::error::ArmError;
use crate::arm::kind::Kind;
use crate::arm::store::{Entity, Store, name_of};
use crate::arm::target::Target;
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
    let places = attribute_places(text, element, attribute).into_iter();
    places.map(|(value, _)| value).collect()
}

/// The same ids, each with where its element begins.
pub fn attribute_places(text: &str, element: &str, attribute: &str) -> Vec<(String, TextPos)> {
    let Ok(masked) = rawxml::mask(text) else {
        return Vec::new();
    };
    let Ok(document) = rawxml::parse(&masked) else {
        return Vec::new();
    };
    document
        .descendants()
        .filter(|node| node.has_tag_name(element))
        .filter_map(|node| {
            let found = node.attributes().find(|found| found.name() == attribute)?;
            let value = text[found.range_value()].to_owned();
            Some((value, document.text_pos_at(node.range().start)))
        })
        .filter(|(value, _)| !value.starts_with("@(") && !value.contains("{{"))
        .collect()
}

/// Everything of a service in which a named value can stand.
pub fn referrers<'a>(store: &'a Store, key: &str) -> impl Iterator<Item = &'a Entity> {
    let service = service_key(key).to_owned() + "/";
    store.all().filter(move |entity| {
        let kinds = matches!(
            entity.kind,
            Kind::Policy | Kind::Fragment | Kind::Backend | Kind::Logger | Kind::ApimPlain
        );
        kinds && entity.key().starts_with(&service)
    })
}

/// The policies and fragments with an `element` whose `attribute` names the entity of this key.
pub fn users<'a>(store: &'a Store, key: &str, element: &str, attribute: &str) -> Vec<&'a Entity> {
    let name = name_of(key).to_owned();
    let uses = move |entity: &&Entity| {
        let text = entity.property("value").unwrap_or_default();
        attribute_values(text, element, attribute)
            .iter()
            .any(|id| id.eq_ignore_ascii_case(&name))
    };
    referrers(store, key)
        .filter(|entity| matches!(entity.kind, Kind::Policy | Kind::Fragment))
        .filter(uses)
        .collect()
}

/// Refuses a DELETE of what has users, in the words that APIM has for a fragment's
/// (gh:Azure/apiops-cli#261).
pub fn refuse_use(noun: &str, key: &str, name: &str, users: &[&Entity]) -> Result<(), ArmError> {
    if users.is_empty() {
        return Ok(());
    }
    let service = service_key(key).len();
    let list: String = users
        .iter()
        .map(|user| format!("{}\r\n", &user.id[service..]))
        .collect();
    let message = format!("The {noun} '{name}' is used by the following entities:\r\n{list}");
    Err(ArmError::new(400, "ValidationError", message))
}

/// Every `{{name}}` in a body has to be a named value of the service.
pub fn check_named_values(store: &Store, target: &Target, body: &Value) -> Result<(), ArmError> {
    match body {
        Value::String(text) => match named_values(text)
            .into_iter()
            .find(|name| find_named_value(store, &target.key, name).is_none())
        {
            None => Ok(()),
            Some(name) => {
                let message = format!("Cannot find a property '{name}'.");
                Err(ArmError::validation("properties", message))
            }
        },
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| check_named_values(store, target, item)),
        Value::Object(fields) => fields
            .values()
            .try_for_each(|field| check_named_values(store, target, field)),
        _ => Ok(()),
    }
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
