//! Manifests as YAML again, with every variable put in and the place of each value behind it.
//!
//! What it writes loads without an environment and means the same.

use crate::load::Parsed;
use crate::node::{Node, Value};
use crate::place::Places;
use crate::scalar::{Meaning, Scalar, Style};
use crate::variables::Variables;

/// All documents, in the order of files and places.
pub(crate) fn text(parsed: &Parsed<'_>) -> String {
    let mut documents = Vec::new();
    for (file, places) in parsed.files.iter().zip(parsed.places) {
        let writer = Writer {
            places,
            variables: parsed.variables,
        };
        for document in &file.documents {
            let span = places.span(&document.range);
            let head = format!("# {}:{}\n", span.file, span.line);
            documents.push(head + &writer.block(document, 0));
        }
    }
    documents.join("---\n")
}

struct Writer<'w> {
    places: &'w Places<'w>,
    variables: &'w Variables<'w>,
}

impl Writer<'_> {
    /// The lines of a list or mapping, each with `depth` steps before it.
    fn block(&self, node: &Node, depth: usize) -> String {
        let mut out = String::new();
        let indent = "  ".repeat(depth);
        for item in node.items() {
            let inner = match &item.value {
                Value::List(_) | Value::Map(_) if !is_empty(item) => {
                    let lines = self.block(item, depth + 1);
                    format!(" {}", lines.trim_start_matches(' '))
                }
                _ => self.after(item, depth),
            };
            out += &format!("{indent}-{inner}");
        }
        for entry in node.entries() {
            let key = match is_plain(&entry.key) {
                true => entry.key.clone(),
                false => quoted(&entry.key),
            };
            out += &format!("{indent}{key}:{}", self.after(&entry.node, depth));
        }
        out
    }

    /// What stands behind a key or a dash.
    fn after(&self, node: &Node, depth: usize) -> String {
        match &node.value {
            Value::Scalar(scalar) => self.scalar(scalar, node, depth),
            Value::List(items) if items.is_empty() => " []\n".to_owned(),
            Value::Map(entries) if entries.is_empty() => " {}\n".to_owned(),
            Value::List(_) | Value::Map(_) => format!("\n{}", self.block(node, depth + 1)),
            // Whatever was refused was reported, and nothing is rendered then.
            Value::Refused => "\n".to_owned(),
        }
    }

    fn scalar(&self, scalar: &Scalar, node: &Node, depth: usize) -> String {
        let note = self.note(node);
        let text = &scalar.text;
        match scalar.meaning() {
            Meaning::Text(_) if is_block(scalar) => {
                let indent = "  ".repeat(depth + 1);
                let line = |l: &str| match l {
                    "" => "\n".to_owned(),
                    l => format!("{indent}{l}\n"),
                };
                let lines: String = text.lines().map(line).collect();
                format!(" |{note}\n{lines}")
            }
            Meaning::Text(_) if is_plain(text) => format!(" {text}{note}\n"),
            Meaning::Text(_) => format!(" {}{note}\n", quoted(text)),
            Meaning::Null => format!(" null{note}\n"),
            _ => format!(" {text}{note}\n"),
        }
    }

    /// The places of the variables that made a value.
    fn note(&self, node: &Node) -> String {
        let start = self.places.span(&node.range).start;
        let set = self.variables.set_at(self.places.path(), start);
        let places: Vec<String> = set
            .iter()
            .map(|(name, span)| format!("{name}: {}:{}", span.file, span.line))
            .collect();
        match places[..] {
            [] => String::new(),
            _ => format!("  # {}", places.join(", ")),
        }
    }
}

fn is_empty(node: &Node) -> bool {
    node.items().is_empty() && node.entries().is_empty()
}

/// Whether a text can be written as a block of its own lines.
fn is_block(scalar: &Scalar) -> bool {
    let text = &scalar.text;
    let whole = text.ends_with('\n') && !text.ends_with("\n\n");
    let simple = |c: char| c == '\n' || !c.is_control();
    scalar.style == Style::Literal
        && whole
        && !text.starts_with([' ', '\n'])
        && text.chars().all(simple)
}

/// Whether a text means itself without quotes, inside brackets too.
fn is_plain(text: &str) -> bool {
    let scalar = Scalar {
        text: text.to_owned(),
        style: Style::Plain,
    };
    let simple = |c: char| c.is_ascii_alphanumeric() || "_./-@".contains(c);
    matches!(scalar.meaning(), Meaning::Text(_))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
        && text.chars().all(simple)
}

/// A string of JSON is one of YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
