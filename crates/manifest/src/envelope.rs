//! The envelope of a document: `apiVersion`, `kind`, `metadata.name`, `spec`.

use std::ops::Range;

use keyless_model::{Diagnostic, KINDS, Kind, LATER_KINDS, check_document_name, kind};

use crate::document::Document;
use crate::node::{Entry, Node, Value};
use crate::place::Places;
use crate::scalar::shown;
use crate::suggest::nearest;

/// The one version of this release.
pub(crate) const API_VERSION: &str = "keyless.dev/v1alpha1";

const KEYS: &[&str] = &["apiVersion", "kind", "metadata", "spec"];

/// What an envelope says about its document.
pub(crate) struct Opened<'a> {
    /// Kind and name as far as they can be told, so that references to a document with an error
    /// are not reported on top of it.
    pub(crate) known: Option<(&'static str, &'a str)>,
    /// The kind belongs to a later version: no document of this one can refer to it.
    pub(crate) later: bool,
    pub(crate) document: Option<Document<'a>>,
}

/// Opens one document and reports all that is wrong with its envelope.
pub(crate) fn open<'a>(
    places: &'a Places<'a>,
    node: &'a Node,
    found: &mut Vec<Diagnostic>,
) -> Opened<'a> {
    let mut envelope = Envelope { places, found };
    if !matches!(node.value, Value::Map(_)) {
        if !matches!(node.value, Value::Refused) {
            envelope.fail(
                "KL0102",
                "a document must be a mapping",
                &node.range,
                "not a mapping",
                "start each document with `apiVersion`, `kind`, `metadata` and `spec`",
            );
        }
        return Opened {
            known: None,
            later: false,
            document: None,
        };
    }
    envelope.only(node, KEYS, "a document");
    envelope.version(node);
    let (kind, spelt) = envelope.kind(node);
    let name = envelope.name(node);
    let spec = envelope.need(node, "spec", "what the document asks for");
    let known = spelt.zip(name.as_ref().map(|(name, _)| *name));
    let document = kind
        .zip(name)
        .zip(spec)
        .map(|((kind, (name, name_at)), spec)| Document {
            places,
            kind,
            name,
            name_at,
            spec: &spec.node,
            spec_at: spec.at.clone(),
        });
    let later = node
        .get("kind")
        .and_then(Node::text)
        .is_some_and(|k| LATER_KINDS.contains(&k));
    Opened {
        known,
        later,
        document,
    }
}

struct Envelope<'p, 'f> {
    places: &'p Places<'p>,
    found: &'f mut Vec<Diagnostic>,
}

impl Envelope<'_, '_> {
    fn fail(
        &mut self,
        code: &'static str,
        message: &str,
        at: &Range<usize>,
        label: &str,
        help: &str,
    ) {
        let span = self.places.span(at);
        self.found
            .push(Diagnostic::error(code, message).at(&span, label).help(help));
    }

    fn only(&mut self, node: &Node, keys: &[&str], what: &str) {
        for entry in node.entries() {
            if !keys.contains(&entry.key.as_str()) {
                let help = match nearest(&entry.key, keys.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("{what} holds {} and nothing else", keys.join(", ")),
                };
                let message = format!("{what} has no field {}", shown(&entry.key));
                self.fail("KL0103", &message, &entry.at, "unknown field", &help);
            }
        }
    }

    fn need<'a>(&mut self, node: &'a Node, key: &str, about: &str) -> Option<&'a Entry> {
        let entry = node.entry(key);
        if entry.is_none() {
            let message = format!("the document has no `{key}`");
            let help = format!("add `{key}`: {about}");
            self.fail("KL0105", &message, &node.range, "in this document", &help);
        }
        entry
    }

    fn version(&mut self, node: &Node) {
        let help = format!("write `apiVersion: {API_VERSION}`");
        let Some(entry) = self.need(node, "apiVersion", API_VERSION) else {
            return;
        };
        match entry.node.text() {
            Some(API_VERSION) => {}
            Some(text) => {
                let message = format!("the apiVersion {} is not one of keyless", shown(text));
                self.fail(
                    "KL0102",
                    &message,
                    &entry.node.range,
                    "unknown version",
                    &help,
                );
            }
            None => {
                self.fail(
                    "KL0102",
                    "`apiVersion` must be text",
                    &entry.at,
                    "not text",
                    &help,
                );
            }
        }
    }

    /// The kind, and the name of the kind that was meant.
    fn kind(&mut self, node: &Node) -> (Option<&'static Kind>, Option<&'static str>) {
        let Some(entry) = self.need(node, "kind", "one of the kinds of docs/reference.md") else {
            return (None, None);
        };
        let all = || KINDS.iter().map(|k| k.name);
        let list = || format!("the kinds are {}", all().collect::<Vec<_>>().join(", "));
        let Some(text) = entry.node.text() else {
            self.fail(
                "KL0102",
                "`kind` must be text",
                &entry.at,
                "not text",
                &list(),
            );
            return (None, None);
        };
        if let Some(kind) = kind(text) {
            return (Some(kind), Some(kind.name));
        }
        let at = &entry.node.range;
        if LATER_KINDS.contains(&text) {
            let message = format!("the kind “{text}” is not in this version of keyless");
            let help = "take the document out: it could not be carried out yet";
            self.fail("KL0108", &message, at, "not in this version", help);
            return (None, None);
        }
        let near = nearest(text, all());
        let help = near.map_or_else(list, |near| format!("did you mean `{near}`?"));
        let message = format!("there is no kind {}", shown(text));
        self.fail("KL0102", &message, at, "unknown kind", &help);
        (None, near)
    }

    fn name<'a>(&mut self, node: &'a Node) -> Option<(&'a str, Range<usize>)> {
        const HELP: &str =
            "give it a name of a-z, 0-9 and “-”, such as `metadata: { name: orders }`";
        let metadata = self.need(node, "metadata", "with the document's name")?;
        if !matches!(metadata.node.value, Value::Map(_)) {
            let message = "`metadata` must be a mapping with a `name`";
            self.fail("KL0104", message, &metadata.at, "not a mapping", HELP);
            return None;
        }
        self.only(&metadata.node, &["name"], "`metadata`");
        let Some(entry) = metadata.node.entry("name") else {
            self.fail(
                "KL0105",
                "`metadata` has no `name`",
                &metadata.at,
                "`name` is missing",
                HELP,
            );
            return None;
        };
        let Some(name) = entry.node.text() else {
            let at = &entry.node.range;
            self.fail("KL0104", "`metadata.name` must be text", at, "not text", {
                "put a name that looks like a number or a boolean in quotes"
            });
            return None;
        };
        if let Err(error) = check_document_name(name) {
            let message = format!("`metadata.name` is {}: {error}", shown(name));
            self.fail("KL0109", &message, &entry.node.range, "bad name", HELP);
            return None;
        }
        Some((name, entry.node.range.clone()))
    }
}
