//! Where a policy document sends requests, and what it takes in from elsewhere.

use std::fmt;

use keyless_policy::{Document, ElementRef};

use crate::place::{Place, Section, child, condition, section};

/// An element that says where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The path of the element that sends or redirects.
    pub path: String,
    pub section: Section,
    pub sender: Sender,
    pub to: To,
    /// The path of the innermost `when` or `otherwise` around it: it holds only there.
    pub condition: Option<String>,
}

/// What sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// `set-backend-service`: the call itself goes there.
    BackendService,
    /// `send-request`, `send-one-way-request`, or the `http-request` of a resolver.
    SendRequest,
}

/// Where it goes. The text may be an expression, refer to named values, or hold a key, so `Debug`
/// does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum To {
    Url {
        place: Place,
        text: String,
    },
    /// A backend entity.
    Backend {
        id: String,
    },
}

impl fmt::Debug for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { place, .. } => f.debug_tuple("Url").field(place).finish(),
            Self::Backend { id } => f.debug_tuple("Backend").field(id).finish(),
        }
    }
}

/// Every place that says where requests go, in order. A backend's id wins over a URL in one
/// element, as at the service (Microsoft docs, `set-backend-service` policy).
pub fn targets(document: &Document) -> Vec<Target> {
    let target = |element: ElementRef| {
        let (sender, to) = match element.name() {
            "set-backend-service" => (Sender::BackendService, service(element)?),
            "send-request" | "send-one-way-request" | "http-request" => {
                (Sender::SendRequest, sent_to(element)?)
            }
            _ => return None,
        };
        Some(Target {
            path: element.path().to_string(),
            section: section(element),
            sender,
            to,
            condition: condition(element),
        })
    };
    document.elements().into_iter().filter_map(target).collect()
}

fn service(element: ElementRef) -> Option<To> {
    if let Some(id) = element.attribute("backend-id") {
        return Some(To::Backend { id: id.value });
    }
    let url = element.attribute("base-url")?;
    let path = element.path().to_string();
    Some(To::Url {
        place: Place::Attribute {
            path,
            name: url.name,
        },
        text: url.value,
    })
}

fn sent_to(element: ElementRef) -> Option<To> {
    let url = child(element, "set-url")?;
    let path = url.path().to_string();
    Some(To::Url {
        place: Place::Text { path },
        text: url.text()?,
    })
}

/// An `include-fragment` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// The fragment's id; an expression is never one (Microsoft docs, `include-fragment` policy).
    pub fragment: String,
    pub path: String,
    pub section: Section,
    /// As in [`Target`].
    pub condition: Option<String>,
}

/// The fragments that a document includes, in order, as often as it does.
pub fn includes(document: &Document) -> Vec<Include> {
    let include = |element: ElementRef| {
        let id = element.attribute("fragment-id")?;
        Some(Include {
            fragment: id.value.trim().to_owned(),
            path: element.path().to_string(),
            section: section(element),
            condition: condition(element),
        })
    };
    let elements = document.elements().into_iter();
    elements
        .filter(|e| e.name() == "include-fragment")
        .filter_map(include)
        .collect()
}

/// Whether a section takes in what the wider scopes say there: it has a `<base />`. A document that
/// leaves the section out takes nothing in (Microsoft docs, "Set or edit policies").
pub fn inherits(document: &Document, of: Section) -> bool {
    let mut elements = document.elements().into_iter();
    elements.any(|e| e.name() == "base" && section(e) == of)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"<policies><inbound><base/>
        <set-backend-service base-url="https://a.net?x=1&amp;y" />
        <choose><when condition="@(x)"><set-backend-service base-url="https://b" backend-id="orders"/></when>
          <otherwise><include-fragment fragment-id=" auth "/></otherwise></choose>
        <send-request mode="new"><set-url>@("https://c/" + x)</set-url></send-request>
        <send-one-way-request mode="copy"/>
        </inbound><outbound><include-fragment fragment-id="out"/></outbound></policies>"#;

    #[test]
    fn each_place_that_sends_is_told_with_its_condition() {
        let found = targets(&Document::parse(POLICY).unwrap());
        assert_eq!(found.len(), 3);
        let place = Place::Attribute {
            path: "/policies/inbound/set-backend-service".into(),
            name: "base-url".into(),
        };
        let text = "https://a.net?x=1&y".to_owned();
        assert!(found[0].to == To::Url { place, text });
        assert_eq!(found[0].condition, None);
        assert!(
            found[1].to
                == To::Backend {
                    id: "orders".into()
                }
        );
        let when = "/policies/inbound/choose/when";
        assert_eq!(found[1].condition.as_deref(), Some(when));
        assert_eq!(found[2].sender, Sender::SendRequest);
        assert!(!format!("{found:?}").contains("a.net"));
    }

    #[test]
    fn fragments_and_base_are_found_by_section() {
        let document = Document::parse(POLICY).unwrap();
        let found = includes(&document);
        let told: Vec<_> = found.iter().map(|i| (&*i.fragment, i.section)).collect();
        assert_eq!(
            told,
            [("auth", Section::Inbound), ("out", Section::Outbound)]
        );
        assert!(found[0].condition.is_some() && found[1].condition.is_none());
        assert!(inherits(&document, Section::Inbound));
        assert!(!inherits(&document, Section::Outbound));
        assert!(!inherits(&document, Section::Backend));
    }
}
