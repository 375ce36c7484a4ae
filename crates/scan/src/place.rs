//! Places in a policy document.

use keyless_policy::ElementRef;

/// Where a text stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// It is the text of this element.
    Text { path: String },
    /// It is an attribute of this element.
    Attribute { path: String, name: String },
}

impl Place {
    /// The element's path.
    pub fn path(&self) -> &str {
        match self {
            Self::Text { path } | Self::Attribute { path, .. } => path,
        }
    }

    /// Reads the place of a finding: an element path, with `/@name` for an attribute.
    pub(crate) fn read(text: &str) -> Place {
        match text.rsplit_once("/@") {
            Some((path, name)) => Place::Attribute {
                path: path.to_owned(),
                name: name.to_owned(),
            },
            None => Place::Text {
                path: text.to_owned(),
            },
        }
    }

    /// What stands there in its element, entities decoded.
    pub(crate) fn text(&self, element: ElementRef) -> Option<String> {
        match self {
            Self::Text { .. } => element.text(),
            Self::Attribute { name, .. } => element.attribute(name).map(|a| a.value),
        }
    }
}

/// The part of a document in which an element stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    Inbound,
    Backend,
    Outbound,
    OnError,
    /// A policy fragment: it stands where it is included.
    Fragment,
    /// The data source of a GraphQL resolver.
    Resolver,
}

/// The section of an element (azure-facts B.4: fragments and resolvers have none).
pub(crate) fn section(element: ElementRef) -> Section {
    let around = std::iter::successors(Some(element), |e| e.parent());
    let names: Vec<&str> = around.map(|e| e.name()).collect();
    let top = names.iter().rev().nth(1).copied().unwrap_or_default();
    match (names.last().copied().unwrap_or_default(), top) {
        ("fragment", _) => Section::Fragment,
        ("policies", "backend") => Section::Backend,
        ("policies", "outbound") => Section::Outbound,
        ("policies", "on-error") => Section::OnError,
        ("policies", _) => Section::Inbound,
        _ => Section::Resolver,
    }
}

/// The nearest element around this one that has one of the names.
pub(crate) fn around<'a>(element: ElementRef<'a>, names: &[&str]) -> Option<ElementRef<'a>> {
    std::iter::successors(element.parent(), |e| e.parent()).find(|e| names.contains(&e.name()))
}

/// The branch of a `choose` in which an element stands.
pub(crate) fn condition(element: ElementRef) -> Option<String> {
    around(element, &["when", "otherwise"]).map(|e| e.path().to_string())
}

/// The child of this name.
pub(crate) fn child<'a>(element: ElementRef<'a>, name: &str) -> Option<ElementRef<'a>> {
    element.children().into_iter().find(|c| c.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyless_policy::Document;

    #[test]
    fn a_place_is_read_and_found() {
        let document = Document::parse("<b c=\"&amp;\">x</b>").unwrap();
        let text = |place: &str| Place::read(place).text(document.root());
        assert_eq!(text("/b").as_deref(), Some("x"));
        assert_eq!(text("/b/@c").as_deref(), Some("&"));
        assert_eq!(text("/b/@d"), None);
        assert_eq!(Place::read("/a/b/@c").path(), "/a/b");
    }

    #[test]
    fn sections_follow_the_root_and_what_is_under_it() {
        let at = |text: &str| {
            let document = Document::parse(text).unwrap();
            let last = *document.elements().last().unwrap();
            section(last)
        };
        assert_eq!(
            at("<policies><on-error><a/></on-error></policies>"),
            Section::OnError
        );
        assert_eq!(
            at("<policies><inbound><a/></inbound></policies>"),
            Section::Inbound
        );
        assert_eq!(at("<fragment><inbound/></fragment>"), Section::Fragment);
        assert_eq!(
            at("<http-data-source><a/></http-data-source>"),
            Section::Resolver
        );
    }
}
