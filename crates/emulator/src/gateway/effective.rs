//! The policy that applies to a call: operation, API, product and service documents put together
//! through `<base />`, with the fragments that they include.
//!
//! A section that a document does not have counts as inherited. (Azure does not say; whoever leaves
//! `<backend>` out still expects the call to be forwarded.)

use super::element::Element;
use super::error::PolicyError;
use super::route::Route;
use crate::arm::Store;

/// The four sections, in the order of their run.
pub struct Effective {
    pub inbound: Vec<Element>,
    pub backend: Vec<Element>,
    pub outbound: Vec<Element>,
    pub on_error: Vec<Element>,
}

/// Reads and composes the documents as they stand now.
pub fn effective(store: &Store, route: &Route) -> Result<Effective, PolicyError> {
    let narrow_first = [
        route.operation.as_deref(),
        Some(route.api.as_str()),
        route.product.as_deref(),
        Some(route.service.as_str()),
    ];
    let mut documents = Vec::new();
    for scope in narrow_first.into_iter().flatten() {
        documents.extend(document(store, &route.service, scope)?);
    }
    Ok(Effective {
        inbound: section(&documents, "inbound"),
        backend: section(&documents, "backend"),
        outbound: section(&documents, "outbound"),
        on_error: section(&documents, "on-error"),
    })
}

/// The document of a scope; a scope without one inherits everything.
fn document(store: &Store, service: &str, scope: &str) -> Result<Option<Element>, PolicyError> {
    let policy = store.get(&format!("{scope}/policies/policy"));
    let Some(text) = policy.and_then(|policy| policy.property("value")) else {
        return Ok(None);
    };
    let mut document = Element::parse(text)?;
    document.children = included(store, service, document.children)?;
    Ok(Some(document))
}

/// One section of the first document; `<base />` stands for that of the others.
fn section(documents: &[Element], name: &str) -> Vec<Element> {
    let Some((first, others)) = documents.split_first() else {
        return match name {
            "backend" => vec![Element::named("forward-request")],
            _ => Vec::new(),
        };
    };
    let Some(own) = first.child(name) else {
        return section(others, name);
    };
    let mut elements = Vec::new();
    for element in &own.children {
        match element.name.as_str() {
            // The service's document is the widest: its `<base />` means nothing.
            "base" if others.is_empty() => {}
            "base" => elements.extend(section(others, name)),
            _ => elements.push(element.clone()),
        }
    }
    elements
}

/// The elements with every `include-fragment` replaced by what the fragment holds.
pub fn included(
    store: &Store,
    service: &str,
    elements: Vec<Element>,
) -> Result<Vec<Element>, PolicyError> {
    let mut all = Vec::new();
    for mut element in elements {
        if element.name == "include-fragment" {
            all.extend(fragment(store, service, &element)?);
        } else {
            element.children = included(store, service, element.children)?;
            all.push(element);
        }
    }
    Ok(all)
}

/// Fragments do not include fragments (azure-facts B.4).
fn fragment(store: &Store, service: &str, at: &Element) -> Result<Vec<Element>, PolicyError> {
    let id = at
        .attribute("fragment-id")
        .ok_or_else(|| PolicyError::missing(&at.name, "fragment-id"))?;
    let key = format!("{service}/policyfragments/{}", id.to_lowercase());
    let text = store
        .get(&key)
        .and_then(|fragment| fragment.property("value"))
        .ok_or_else(|| PolicyError::Fragment(id.to_owned()))?;
    let root = Element::parse(text)?;
    match root.find("include-fragment") {
        None => Ok(root.children),
        Some(_) => {
            let what = "A fragment in a fragment".to_owned();
            Err(PolicyError::NotEmulated(what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(documents: &[&str], section_name: &str) -> Vec<String> {
        let documents: Vec<Element> = documents
            .iter()
            .map(|text| Element::parse(text).unwrap())
            .collect();
        let elements = section(&documents, section_name);
        elements.into_iter().map(|element| element.name).collect()
    }

    #[test]
    fn base_stands_for_the_wider_scopes_and_a_missing_section_inherits() {
        let operation = "<policies><inbound><a/><base/><b/></inbound></policies>";
        let api = "<policies><inbound><c/></inbound><backend><base/></backend></policies>";
        let service = "<policies><inbound><base/><d/></inbound><backend><e/></backend></policies>";
        let documents = [operation, api, service];
        assert_eq!(names(&documents, "inbound"), ["a", "c", "b"]);
        assert_eq!(names(&documents, "backend"), ["e"]);
        let no_backend = "<policies><inbound/></policies>";
        assert_eq!(names(&[api, no_backend], "backend"), ["forward-request"]);
        assert!(names(&documents, "outbound").is_empty());
    }
}
