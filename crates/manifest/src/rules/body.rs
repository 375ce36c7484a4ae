//! The types of the ARM fields that manifests can set.

use super::{Rules, is_null, meaning};
use crate::node::{Node, Value};
use crate::scalar::{Meaning, Scalar, shown};
use crate::suggest::nearest;

/// The type that Azure's documentation gives a field; null is “absent” everywhere.
#[derive(Clone, Copy)]
pub(super) enum Type {
    Text,
    Bool,
    Texts,
    /// One of these texts, without case.
    Word(&'static [&'static str]),
    /// A mapping from names to lists of texts.
    TextLists,
    /// A list of mappings.
    Objects,
}

/// A field by its dotted path below `properties`.
pub(super) type Typed = (&'static str, Type);

pub(super) const NAMED_VALUE: &[Typed] = &[
    ("displayName", Type::Text),
    ("value", Type::Text),
    ("secret", Type::Bool),
    ("tags", Type::Texts),
    ("keyVault.secretIdentifier", Type::Text),
    ("keyVault.identityClientId", Type::Text),
];

pub(super) const RESOLVER: &[Typed] = &[
    ("displayName", Type::Text),
    ("path", Type::Text),
    ("description", Type::Text),
];

pub(super) const BACKEND: &[Typed] = &[
    ("url", Type::Text),
    ("protocol", Type::Word(&["http", "soap"])),
    ("title", Type::Text),
    ("description", Type::Text),
    ("credentials.header", Type::TextLists),
    ("credentials.query", Type::TextLists),
    ("credentials.authorization.scheme", Type::Text),
    ("credentials.authorization.parameter", Type::Text),
    ("credentials.managedIdentity.resource", Type::Text),
    ("credentials.managedIdentity.clientId", Type::Text),
    ("tls.validateCertificateChain", Type::Bool),
    ("tls.validateCertificateName", Type::Bool),
];

pub(super) const API: &[Typed] = &[
    ("displayName", Type::Text),
    ("description", Type::Text),
    ("path", Type::Text),
    ("serviceUrl", Type::Text),
    ("protocols", Type::Texts),
    ("subscriptionRequired", Type::Bool),
    ("isCurrent", Type::Bool),
];

pub(super) const OPERATION: &[Typed] = &[
    ("displayName", Type::Text),
    ("description", Type::Text),
    ("method", Type::Text),
    ("urlTemplate", Type::Text),
    ("request.headers", Type::Objects),
    ("request.queryParameters", Type::Objects),
];

pub(super) const PRODUCT: &[Typed] = &[
    ("displayName", Type::Text),
    ("description", Type::Text),
    ("state", Type::Word(&["published", "notPublished"])),
    ("subscriptionRequired", Type::Bool),
    ("approvalRequired", Type::Bool),
];

/// azure-facts C.2.
pub(super) const SERVER: &[Typed] = &[
    (
        "minimalTlsVersion",
        Type::Word(&["None", "1.0", "1.1", "1.2", "1.3"]),
    ),
    (
        "publicNetworkAccess",
        Type::Word(&["Enabled", "Disabled", "SecuredByPerimeter"]),
    ),
    (
        "restrictOutboundNetworkAccess",
        Type::Word(&["Enabled", "Disabled"]),
    ),
];

impl<'d> Rules<'d, '_> {
    /// Reports fields of `properties` that have another type. Unknown ones are reported elsewhere.
    pub(super) fn types(&mut self, fields: &[Typed]) {
        for (path, is) in fields {
            if let Some(node) = self.property(path) {
                self.typed(node, path, *is);
            }
        }
    }

    /// What `properties` says at a dotted path; null says nothing.
    pub(super) fn property(&self, path: &str) -> Option<&'d Node> {
        let mut node = self.document.spec.get("properties")?;
        for key in path.split('.') {
            node = node.get(key)?;
        }
        (!is_null(node)).then_some(node)
    }

    /// A text of `properties`, and where it stands.
    pub(super) fn property_text(&self, path: &str) -> Option<(&'d Node, &'d str)> {
        let node = self.property(path)?;
        Some((node, node.text()?))
    }

    fn typed(&mut self, node: &Node, path: &str, is: Type) {
        let refused = matches!(node.value, Value::Refused);
        // What YAML and JSON read differently is reported with the body.
        let unclear = meaning(node) == Some(Meaning::Unclear);
        if refused || unclear || is.holds(node) {
            return;
        }
        let key = path.rsplit('.').next().unwrap_or(path);
        let must = is.must();
        if let (Type::Word(words), Some(text)) = (is, node.text()) {
            let message = format!("`{key}` is {}", shown(text));
            let help = match nearest(text, words.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write {must}"),
            };
            return self.fail("KL0104", message, &node.range, "not one of them", help);
        }
        let message = format!("`{key}` must be {must}");
        let help = match is {
            Type::Bool => "write true or false without quotes".to_owned(),
            Type::Objects => format!("write {must}"),
            _ => format!("write {must}; a number or a boolean stands in quotes"),
        };
        self.fail("KL0104", message, &node.range, "another type", help);
    }
}

impl Type {
    fn holds(self, node: &Node) -> bool {
        match self {
            Self::Text => node.text().is_some(),
            Self::Bool => node.scalar().and_then(Scalar::as_bool).is_some(),
            Self::Texts => is_texts(node),
            Self::Word(words) => node
                .text()
                .is_some_and(|t| words.iter().any(|w| w.eq_ignore_ascii_case(t))),
            Self::TextLists => {
                matches!(node.value, Value::Map(_))
                    && node.entries().iter().all(|e| is_texts(&e.node))
            }
            Self::Objects => {
                let map = |node: &Node| matches!(node.value, Value::Map(_) | Value::Refused);
                matches!(node.value, Value::List(_)) && node.items().iter().all(map)
            }
        }
    }

    fn must(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Texts => "a list of texts".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::TextLists => "a mapping from names to lists of texts".to_owned(),
            Self::Objects => "a list of mappings".to_owned(),
        }
    }
}

fn is_texts(node: &Node) -> bool {
    let text = |node: &Node| node.text().is_some() || matches!(node.value, Value::Refused);
    matches!(node.value, Value::List(_)) && node.items().iter().all(text)
}
