//! The stages of a load, in order.

use keyless_model::{Desired, Diagnostic, Diagnostics};

use crate::build;
use crate::check;
use crate::credential::{self, Context};
use crate::document::Document;
use crate::envelope;
use crate::links::{self, Known};
use crate::node::{self, File, Node, Value};
use crate::place::Places;
use crate::policy_file;
use crate::rules;
use crate::source::{MAX_MANIFEST_BYTES, Read, Source};

/// Reads manifests into what they ask for.
///
/// `read` gives the text of a policy file named relative to the project. It is asked only for
/// normalised paths inside the project; symbolic links and its own limit are its business.
///
/// # Errors
/// All that is wrong with the manifests and with the policies they name, in the order of file and
/// place. Nothing of the manifests is used then.
pub fn load(sources: &[Source], read: Read<'_>) -> Result<Desired, Diagnostics> {
    let mut found = Vec::new();
    let places: Vec<_> = sources
        .iter()
        .map(|s| Places::new(&s.path, &s.text))
        .collect();
    let files: Vec<File> = sources
        .iter()
        .zip(&places)
        .map(|(s, p)| file(s, p, &mut found))
        .collect();
    let Opened {
        documents,
        known,
        complete,
    } = open(&files, &places, &mut found);
    if documents.is_empty() && found.is_empty() {
        found.push(no_manifests());
    }
    let mut policies = Vec::new();
    for document in &documents {
        let references = check::spec(document, &mut found);
        rules::document(document, &mut found);
        if complete {
            links::dangling(document, &references, &known, &mut found);
        }
        policies.push(policy(document, read, &mut found));
    }
    links::duplicates(&documents, &mut found);
    links::cycles(&documents, &mut found);
    if found.is_empty() {
        let desired = build(&documents, policies, &mut found);
        if found.is_empty() {
            return Ok(desired);
        }
    }
    Err(in_order(found))
}

fn file(source: &Source, places: &Places<'_>, found: &mut Vec<Diagnostic>) -> File {
    let bytes = source.text.len() as u64;
    if bytes <= MAX_MANIFEST_BYTES {
        return node::read(places, &source.text, found);
    }
    let message =
        format!("the manifest has {bytes} bytes, more than the {MAX_MANIFEST_BYTES} that are read");
    let error = Diagnostic::error("KL0112", message).at(&places.span(&(0..0)), "too large");
    found.push(error.help("split it into several files"));
    File {
        documents: Vec::new(),
        complete: false,
    }
}

/// Every document with a readable envelope.
struct Opened<'a> {
    documents: Vec<Document<'a>>,
    known: Known<'a>,
    /// False when a file or an envelope could not be read: what it declares is not known then, and
    /// a reference that leads nowhere is not called wrong.
    complete: bool,
}

fn open<'a>(
    files: &'a [File],
    places: &'a [Places<'a>],
    found: &mut Vec<Diagnostic>,
) -> Opened<'a> {
    let mut opened = Opened {
        documents: Vec::new(),
        known: Known::new(),
        complete: files.iter().all(|f| f.complete),
    };
    for (file, places) in files.iter().zip(places) {
        for node in &file.documents {
            let envelope = envelope::open(places, node, found);
            opened.complete &= envelope.known.is_some() || envelope.later;
            opened.known.extend(envelope.known);
            let inline = envelope.document.as_ref().and_then(inline);
            literals(node, places, inline, found);
            opened.documents.extend(envelope.document);
        }
    }
    opened
}

/// What stands in the scalars of a document and must not. An inline policy is looked at as a
/// policy instead.
fn literals(node: &Node, places: &Places<'_>, inline: Option<&Node>, found: &mut Vec<Diagnostic>) {
    if let Value::Scalar(scalar) = &node.value {
        let hits = credential::find(&scalar.text, Context::Text);
        if let Some(hit) = hits.first()
            && !inline.is_some_and(|inline| std::ptr::eq(inline, node))
        {
            let message = format!("the manifest holds {}", hit.what);
            let help = "take it out and replace it with a new one: use `valueFrom`, a Key Vault \
                        reference, or an Access";
            let span = places.span(&node.range);
            found.push(
                Diagnostic::error("KL0110", message)
                    .at(&span, "looks like a credential")
                    .help(help),
            );
        }
        if scalar.text.contains("${{") {
            let message = "variables are not in this version of keyless";
            let span = places.span(&node.range);
            let error = Diagnostic::error("KL0108", message).at(&span, "not in this version");
            found.push(error.help("write the value itself"));
        }
    }
    for item in node.items() {
        literals(item, places, inline, found);
    }
    for entry in node.entries() {
        literals(&entry.node, places, inline, found);
    }
}

/// The mapping that names a document's policy.
fn holder<'a>(document: &Document<'a>) -> Option<&'a Node> {
    match document.kind.name {
        "Policy" => Some(document.spec),
        "Resolver" => document.spec.get("policy"),
        _ => None,
    }
}

fn inline<'a>(document: &Document<'a>) -> Option<&'a Node> {
    holder(document)?
        .get("inline")
        .filter(|node| node.text().is_some())
}

fn policy(document: &Document<'_>, read: Read<'_>, found: &mut Vec<Diagnostic>) -> Option<String> {
    policy_file::text(document, holder(document)?, read, found)
}

fn build(
    documents: &[Document<'_>],
    policies: Vec<Option<String>>,
    found: &mut Vec<Diagnostic>,
) -> Desired {
    let mut desired = Desired::default();
    for (document, policy) in documents.iter().zip(policies) {
        if build::add(&mut desired, document, policy).is_none() {
            let message = format!(
                "{} passed every check and could not be read",
                document.title()
            );
            let error = document.error("KL0104", message, &document.name_at, "this document");
            found.push(error.help("this is a mistake in keyless: report it with the document"));
        }
    }
    desired
}

fn no_manifests() -> Diagnostic {
    Diagnostic::error("KL0114", "there is no document to read")
        .help("put manifests into the folder `manifests`, or name another folder")
}

/// In the order of file and place; a thing said twice is said once.
fn in_order(mut found: Vec<Diagnostic>) -> Diagnostics {
    let key = |d: &Diagnostic| (d.span.clone(), d.code, d.message.clone());
    found.sort_by_cached_key(key);
    found.dedup();
    found
}
