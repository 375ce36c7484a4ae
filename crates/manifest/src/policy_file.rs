//! The policy of a document: its file or its inline text, read, located and checked.
//!
//! Invariant: the reader is asked only for normalised paths inside the project.

use std::ops::Range;

use keyless_model::{Diagnostic, Span};
use keyless_policy::MAX_POLICY_BYTES;

use crate::document::Document;
use crate::node::Node;
use crate::place::Places;
use crate::policy_text::{self, Policy};
use crate::scalar::{Scalar, Style, shown};
use crate::source::{Read, ReadError};

/// The text of the policy that `holder` names with `file` or `inline`, after reporting all that is
/// wrong with it. `None` when it names none or the file cannot be read.
pub(crate) fn text(
    document: &Document<'_>,
    holder: &Node,
    read: Read<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<String> {
    let xml = holder.get("format").and_then(Node::text) == Some("xml");
    let root = match document.kind.name {
        "Policy" => Some("policies"),
        "PolicyFragment" => Some("fragment"),
        _ => None,
    };
    if let Some(node) = holder.get("inline")
        && let Some(text) = node.text()
    {
        let scalar = node.scalar()?;
        let locate = |range: &Range<usize>| inline(document.places, node, scalar, range);
        policy_text::check(
            &Policy {
                text,
                xml,
                root,
                locate: &locate,
            },
            found,
        );
        return Some(text.to_owned());
    }
    let node = holder.get("file")?;
    let path = match resolve(document.places.path(), node.text()?) {
        Ok(path) => path,
        Err(why) => {
            let help = "name a file inside the project, relative to this manifest, with `/`";
            found.push(
                document
                    .error("KL0111", why, &node.range, "not in the project")
                    .help(help),
            );
            return None;
        }
    };
    match read(&path) {
        Ok(text) => {
            let places = Places::new(&path, &text);
            let locate = |range: &Range<usize>| places.span(range);
            policy_text::check(
                &Policy {
                    text: &text,
                    xml,
                    root,
                    locate: &locate,
                },
                found,
            );
            found.extend(variable(&text, &places));
            Some(text)
        }
        Err(error) => {
            found.push(unread(document, &path, error, &node.range));
            None
        }
    }
}

/// A variable that was hoped to be put into a policy file.
fn variable(text: &str, places: &Places<'_>) -> Option<Diagnostic> {
    let spaced = |at: &usize| text[at + 3..].trim_start().starts_with("var.");
    let at = text.match_indices("${{").map(|(at, _)| at).find(spaced)?;
    let end = text[at..].find("}}").map_or(at + 3, |end| at + end + 2);
    let message = "variables are not put into policy files";
    let help = "use a named value, which each environment's gateway has its own of: {{name}}";
    let error = Diagnostic::error("KL0116", message).at(&places.span(&(at..end)), "stays as it is");
    Some(error.help(help))
}

fn unread(document: &Document<'_>, path: &str, error: ReadError, at: &Range<usize>) -> Diagnostic {
    let path = shown(path);
    match error {
        ReadError::Missing => document
            .error(
                "KL0111",
                format!("the policy file {path} is not there"),
                at,
                "no such file",
            )
            .help("the path is relative to this manifest; make the file or mend the path"),
        ReadError::TooLarge(bytes) => {
            let message = format!(
                "the policy file {path} has {bytes} bytes, more than the {MAX_POLICY_BYTES} that \
                 are read"
            );
            document
                .error("KL0112", message, at, "too large")
                .help("move parts of the policy into policy fragments")
        }
        ReadError::NotText => document
            .error(
                "KL0111",
                format!("the policy file {path} is not UTF-8 text"),
                at,
                "not text",
            )
            .help("save the file as UTF-8"),
        ReadError::Failed(why) => document
            .error(
                "KL0111",
                format!("the policy file {path} cannot be read: {why}"),
                at,
                "not read",
            )
            .help("check the file's rights and try again"),
    }
}

/// The path of a file relative to the project, from the path of the manifest that names it.
fn resolve(manifest: &str, file: &str) -> Result<String, String> {
    let name = shown(file);
    if file.is_empty() || file.ends_with('/') {
        return Err(format!("{name} names no file"));
    }
    if file.starts_with('/') || file.contains([':', '\\']) || file.chars().any(char::is_control) {
        return Err(format!(
            "{name} is not a relative path with `/` between its parts"
        ));
    }
    let folder = manifest.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(file.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts
                    .pop()
                    .ok_or_else(|| format!("{name} leads out of the project"))?;
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty()
        || file.ends_with("/..")
        || file == ".."
        || file.ends_with("/.")
        || file == "."
    {
        return Err(format!("{name} names no file"));
    }
    Ok(parts.join("/"))
}

/// The place of a range of an inline text. A block that starts with `|` has a source line for each
/// of its own; of the other styles only the start is known.
fn inline(places: &Places<'_>, node: &Node, scalar: &Scalar, range: &Range<usize>) -> Span {
    literal_place(places, node, scalar, range).unwrap_or_else(|| places.span(&node.range))
}

fn literal_place(
    places: &Places<'_>,
    node: &Node,
    scalar: &Scalar,
    range: &Range<usize>,
) -> Option<Span> {
    if scalar.style != Style::Literal {
        return None;
    }
    let before = scalar.text.get(..range.start)?;
    let number = before.matches('\n').count();
    let own = scalar.text.split('\n').nth(number)?;
    let column = before.len() - before.rfind('\n').map_or(0, |i| i + 1);
    // The node's place is that of the first line with anything in it.
    let blank = scalar.text.len() - scalar.text.trim_start_matches('\n').len();
    let line = (places.line_of(node.range.start) + number).checked_sub(blank)?;
    let (start, source) = places.line(line)?;
    let at = start + source.rfind(own)? + column;
    Some(places.span(&(at..at + (range.end - range.start))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside_the_project() {
        let from = "manifests/prod/apis.yaml";
        assert_eq!(resolve(from, "p/a.xml").unwrap(), "manifests/prod/p/a.xml");
        assert_eq!(resolve(from, "../../p/./a.xml").unwrap(), "p/a.xml");
        assert_eq!(resolve("a.yaml", "a.xml").unwrap(), "a.xml");
        for bad in [
            "",
            ".",
            "..",
            "p/",
            "p/..",
            "/etc/passwd",
            "../../../a.xml",
            "p/../../../../a.xml",
            "C:/a.xml",
            "p\\a.xml",
            "a\u{0}.xml",
        ] {
            assert!(resolve(from, bad).is_err(), "{bad:?}");
        }
    }
}
