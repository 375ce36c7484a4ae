//! A spec against its descriptor: unknown, missing and later fields, types, names, ids.
//!
//! Every error of a document is reported; nothing stops at the first. What fields mean together is
//! `rules.rs`, what documents mean together is `links.rs`.

use std::collections::BTreeSet;
use std::ops::Range;

use keyless_model::{
    ArmId, ArmIdError, Diagnostic, Field, NameError, Property, Shape, Sid, check_azure_name,
    check_document_name, parse_duration,
};

use crate::document::Document;
use crate::node::{Entry, Node, Value};
use crate::place::Places;
use crate::scalar::{Meaning, Scalar, shown};
use crate::suggest::nearest;

/// Fields of Azure's that hold a credential and nothing else (azure-facts C.5).
const SECRETS: &[(&str, &str)] = &[
    (
        "administratorLoginPassword",
        "an Entra administrator needs no password",
    ),
    (
        "storageAccountAccessKey",
        "with `isManagedIdentityInUse: true` auditing needs no key",
    ),
];

/// A document that another one names.
pub(crate) struct Reference {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) at: Range<usize>,
}

/// Checks a document's spec and collects the documents it names.
pub(crate) fn spec(document: &Document<'_>, found: &mut Vec<Diagnostic>) -> Vec<Reference> {
    let mut check = Check {
        places: document.places,
        fields: document.kind.fields,
        found,
        references: Vec::new(),
    };
    check.object(document.spec, &document.spec_at, document.kind.spec, "spec");
    check.references
}

struct Check<'a> {
    places: &'a Places<'a>,
    fields: &'static [Field],
    found: &'a mut Vec<Diagnostic>,
    references: Vec<Reference>,
}

impl Check<'_> {
    fn fail(
        &mut self,
        code: &'static str,
        message: String,
        at: &Range<usize>,
        label: &str,
        help: impl Into<String>,
    ) {
        let span = self.places.span(at);
        self.found
            .push(Diagnostic::error(code, message).at(&span, label).help(help));
    }

    fn object(
        &mut self,
        node: &Node,
        at: &Range<usize>,
        properties: &'static [Property],
        path: &str,
    ) {
        let Some(entries) = self.map(node, path) else {
            return;
        };
        for entry in entries {
            match properties.iter().find(|p| p.name == entry.key) {
                Some(property) => self.property(entry, property, path),
                None => self.unknown(entry, path, properties.iter().map(|p| p.name)),
            }
        }
        let later = |p: &Property| matches!(p.shape, Shape::Later(_));
        if properties
            .iter()
            .any(|p| later(p) && node.entry(p.name).is_some())
        {
            // Another form of the object is meant, so what this form needs is no news.
            return;
        }
        for property in properties
            .iter()
            .filter(|p| p.required && node.entry(p.name).is_none())
        {
            let message = format!("`{path}` has no `{}`", property.name);
            let label = format!("`{}` is missing", property.name);
            let help = format!("add `{}`: {}", property.name, property.about);
            self.fail("KL0105", message, at, &label, help);
        }
    }

    fn map<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n [Entry]> {
        match &node.value {
            Value::Map(entries) => return Some(entries),
            Value::Refused => {}
            _ => self.wrong(node, path, "a mapping"),
        }
        None
    }

    fn property(&mut self, entry: &Entry, property: &'static Property, path: &str) {
        let path = format!("{path}.{}", property.name);
        match &property.shape {
            Shape::Object(inner) => self.object(&entry.node, &entry.at, inner, &path),
            Shape::Later(why) => {
                let message = format!("`{path}` is not in this version of keyless");
                let help = format!("take it out: {why}");
                self.fail("KL0108", message, &entry.at, "not in this version", help);
            }
            Shape::Body => self.body(&entry.node, &format!("/{}", property.name), &path),
            shape => self.value(&entry.node, shape, &path),
        }
    }

    fn unknown<'k>(&mut self, entry: &Entry, path: &str, known: impl Iterator<Item = &'k str>) {
        if let Some((_, instead)) = SECRETS.iter().find(|(key, _)| *key == entry.key) {
            let message = format!("`{path}.{}` is a credential", entry.key);
            let help = format!("take it out and replace it with a new one: {instead}");
            return self.fail("KL0110", message, &entry.at, "a credential's field", help);
        }
        let known: Vec<&str> = known.collect();
        let help = match nearest(&entry.key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("`{path}` may hold {}", known.join(", ")),
        };
        let message = format!("`{path}` has no field {}", shown(&entry.key));
        self.fail("KL0103", message, &entry.at, "unknown field", help);
    }

    /// A value that is no property's: of a list, or of a scalar shape.
    fn value(&mut self, node: &Node, shape: &'static Shape, path: &str) {
        if matches!(node.value, Value::Refused) {
            return;
        }
        match shape {
            Shape::List(item) => match &node.value {
                Value::List(items) => {
                    for (index, node) in items.iter().enumerate() {
                        self.value(node, item, &format!("{path}[{index}]"));
                    }
                    self.once(items, path);
                }
                _ => self.wrong(node, path, "a list"),
            },
            Shape::Object(properties) => self.object(node, &node.range, properties, path),
            Shape::Either(shapes) => match shapes.iter().find(|s| fits(node, s)) {
                Some(shape) => self.value(node, shape, path),
                None => {
                    let all: Vec<String> = shapes.iter().map(expected).collect();
                    self.wrong(node, path, &all.join(" or "));
                }
            },
            Shape::Bool => match scalar(node).map(Scalar::meaning) {
                Some(Meaning::Bool(_)) => {}
                _ => self.wrong(node, path, "true or false, without quotes"),
            },
            Shape::Integer { min, max } => {
                let number = match scalar(node).map(Scalar::meaning) {
                    Some(Meaning::Number(number)) => number.as_i64(),
                    _ => None,
                };
                if !number.is_some_and(|n| (*min..=*max).contains(&n)) {
                    self.wrong(node, path, &expected(shape));
                }
            }
            Shape::Word(["true"]) => match scalar(node).map(Scalar::meaning) {
                Some(Meaning::Bool(true)) => {}
                Some(Meaning::Bool(false)) => {
                    let message = format!("`{path}` can only be true");
                    let help = "leave it out instead: what is left out is unmanaged";
                    self.fail("KL0104", message, &node.range, "cannot be false", help);
                }
                _ => self.wrong(node, path, "true, without quotes"),
            },
            shape => match node.text() {
                Some(text) => self.text(node, text, shape, path),
                None => self.wrong(node, path, &expected(shape)),
            },
        }
    }

    /// Lists of texts are sets; names are compared without case, as Azure and SQL Server do.
    fn once(&mut self, items: &[Node], path: &str) {
        let mut seen = BTreeSet::new();
        for item in items {
            let Some(text) = item.text() else { continue };
            if !seen.insert(text.to_lowercase()) {
                let message = format!("`{path}` lists {} twice", shown(text));
                self.fail(
                    "KL0106",
                    message,
                    &item.range,
                    "again here",
                    "keep one of them",
                );
            }
        }
    }

    fn text(&mut self, node: &Node, text: &str, shape: &'static Shape, path: &str) {
        let at = &node.range;
        match shape {
            Shape::Name => {
                if let Err(error) = check_azure_name(text) {
                    let message = format!("`{path}` is {}: {}", shown(text), why(&error));
                    let help =
                        "use the name as Azure or the database shows it, not a path or an id";
                    self.fail("KL0109", message, at, "bad name", help);
                }
            }
            Shape::Document(kind) => match check_document_name(text) {
                Ok(()) => {
                    let at = at.clone();
                    self.references.push(Reference {
                        kind,
                        name: text.to_owned(),
                        at,
                    });
                }
                Err(error) => {
                    let message = format!("`{path}` is {}: {error}", shown(text));
                    let help = format!("write the `metadata.name` of a {kind} document");
                    self.fail("KL0109", message, at, "bad name", help);
                }
            },
            Shape::Id(kind) => self.id(at, text, kind, path),
            Shape::Word(words) if !words.contains(&text) => {
                let message = format!("`{path}` cannot be {}", shown(text));
                let help = match nearest(text, words.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("write {}", expected(shape)),
                };
                self.fail("KL0104", message, at, "not a known word", help);
            }
            Shape::Guid if Sid::from_guid(text).is_err() => {
                let message = format!("`{path}` is {}, which is not a GUID", shown(text));
                let help = "write 8-4-4-4-12 hexadecimal digits, as Entra shows the id";
                self.fail("KL0104", message, at, "not a GUID", help);
            }
            Shape::Duration if parse_duration(text).is_none() => {
                let message = format!("`{path}` is {}, which is not a duration", shown(text));
                let help = "write a whole number and one of s, m, h, d, such as `24h`";
                self.fail("KL0104", message, at, "not a duration", help);
            }
            Shape::Text | Shape::File => {
                let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
                if text.contains(bad) {
                    let message = format!("`{path}` holds a control character");
                    self.fail("KL0104", message, at, "a control character", "take it out");
                }
            }
            _ => {}
        }
    }

    fn id(&mut self, at: &Range<usize>, text: &str, kind: &str, path: &str) {
        let example = format!(
            "write /subscriptions/<guid>/resourceGroups/<group>/providers/{kind}/<name>, as the \
             portal shows it under “Resource ID”"
        );
        match ArmId::parse(text) {
            Ok(id) if id.kind.eq_ignore_ascii_case(kind) => {}
            Ok(id) => {
                let message = format!("`{path}` is the id of a {}, not of a {kind}", id.kind);
                self.fail("KL0104", message, at, "another type", example);
            }
            Err(error) => {
                let why = match &error {
                    ArmIdError::Shape => "it is not a resource id".to_owned(),
                    ArmIdError::Subscription(text) => {
                        format!("the subscription {} is not a GUID", shown(text))
                    }
                    ArmIdError::Name(name, _) => {
                        format!("{} cannot be a name in a resource id", shown(name))
                    }
                };
                let message = format!("`{path}` cannot be used: {why}");
                self.fail("KL0104", message, at, "not a resource id", example);
            }
        }
    }

    /// ARM's own fields: those that the descriptor compares, since no other would have an effect.
    fn body(&mut self, node: &Node, pointer: &str, path: &str) {
        let Some(entries) = self.map(node, path) else {
            return;
        };
        let fields = self.fields;
        for entry in entries {
            let at = format!("{pointer}/{}", entry.key);
            let below = format!("{at}/");
            let inner = format!("{path}.{}", entry.key);
            if fields.iter().any(|f| f.path == at) {
                self.json(&entry.node, &inner);
            } else if fields.iter().any(|f| f.path.starts_with(&below)) {
                if !scalar(&entry.node).is_some_and(Scalar::is_null) {
                    self.body(&entry.node, &at, &inner);
                }
            } else {
                let prefix = format!("{pointer}/");
                let known = fields.iter().filter_map(|f| f.path.strip_prefix(&prefix));
                let mut known: Vec<&str> = known.filter_map(|k| k.split('/').next()).collect();
                known.dedup();
                self.unknown(entry, path, known.into_iter());
            }
        }
    }

    /// Any JSON value.
    fn json(&mut self, node: &Node, path: &str) {
        match &node.value {
            Value::Scalar(scalar) if scalar.meaning() == Meaning::Unclear => {
                self.wrong(node, path, "a JSON value");
            }
            _ => {}
        }
        for (index, item) in node.items().iter().enumerate() {
            self.json(item, &format!("{path}[{index}]"));
        }
        for entry in node.entries() {
            self.json(&entry.node, &format!("{path}.{}", entry.key));
        }
    }

    /// The value has another type than it must have. The value itself is not shown.
    fn wrong(&mut self, node: &Node, path: &str, must: &str) {
        let (is, help) = match &node.value {
            Value::List(_) => ("a list", format!("write {must}")),
            Value::Map(_) => ("a mapping", format!("write {must}")),
            Value::Refused => return,
            Value::Scalar(scalar) => match scalar.meaning() {
                Meaning::Text(_) => ("text", format!("write {must}")),
                Meaning::Number(_) => ("a number", format!("write {must}")),
                Meaning::Bool(_) => ("true or false", format!("write {must}")),
                Meaning::Null => ("empty", format!("leave the key out, or write {must}")),
                Meaning::Unclear => ("a value that YAML and JSON read differently", {
                    "put it in quotes if it is text; else write it as JSON does".to_owned()
                }),
            },
        };
        let textual = matches!(is, "a number" | "true or false");
        let quotes = textual && !must.contains("without quotes") && !must.contains("number");
        let help = if quotes {
            format!("{help}; text stands in quotes here")
        } else {
            help
        };
        let message = format!("`{path}` must be {must}, and is {is}");
        self.fail("KL0104", message, &node.range, is, help);
    }
}

/// What is wrong with a name, without repeating it.
fn why(error: &NameError) -> String {
    match error {
        NameError::Dots(_) => "“..” may not stand in a name".to_owned(),
        error => error.to_string(),
    }
}

fn scalar(node: &Node) -> Option<&Scalar> {
    node.scalar()
}

/// Whether a value has the YAML type of a shape.
fn fits(node: &Node, shape: &Shape) -> bool {
    match shape {
        Shape::List(_) => matches!(node.value, Value::List(_)),
        Shape::Object(_) | Shape::Body => matches!(node.value, Value::Map(_)),
        Shape::Either(shapes) => shapes.iter().any(|s| fits(node, s)),
        _ => node.text().is_some(),
    }
}

/// What a value of a shape is, in words.
pub(crate) fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Text => "text".to_owned(),
        Shape::Name => "a name".to_owned(),
        Shape::Document(kind) => format!("the name of a {kind} document"),
        Shape::Guid => "a GUID".to_owned(),
        Shape::Id(kind) => format!("the resource id of a {kind}"),
        Shape::Bool => "true or false".to_owned(),
        Shape::Integer { min, max } => format!("a whole number from {min} to {max}"),
        Shape::Word([word]) => format!("`{word}`"),
        Shape::Word(words) => {
            let words: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
            format!("one of {}", words.join(", "))
        }
        Shape::Duration => "a duration such as `24h`".to_owned(),
        Shape::File => "a path".to_owned(),
        Shape::List(item) => match item {
            Shape::Object(_) => "a list of mappings".to_owned(),
            Shape::Word(_) => format!("a list, each {}", expected(item)),
            Shape::Name => "a list of names".to_owned(),
            _ => "a list of texts".to_owned(),
        },
        Shape::Object(_) => "a mapping".to_owned(),
        Shape::Either(shapes) => shapes.iter().map(expected).collect::<Vec<_>>().join(" or "),
        Shape::Body => "ARM's own fields".to_owned(),
        Shape::Later(_) => "nothing".to_owned(),
    }
}
