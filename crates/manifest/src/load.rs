//! The stages of a load, in order.

use keyless_model::{Desired, Diagnostic, Diagnostics};

use crate::build;
use crate::check;
use crate::credential::{self, Context};
use crate::document::Document;
use crate::envelope;
use crate::environment::Environment;
use crate::links::{self, Known};
use crate::node::{self, File, Node, Value};
use crate::partners;
use crate::place::Places;
use crate::policy_file;
use crate::rules;
use crate::source::{MAX_MANIFEST_BYTES, Read, Source};
use crate::variables::{self, Variables};

/// Reads manifests into what they ask for in one environment.
///
/// `read` gives the text of a policy file named relative to the project. It is asked only for
/// normalised paths inside the project; symbolic links and its own limit are its business.
///
/// # Errors
/// All that is wrong with the manifests, the environment and the policies they name, in the order
/// of file and place. Nothing of the manifests is used then.
pub fn load(
    sources: &[Source],
    read: Read<'_>,
    environment: &Environment,
) -> Result<Desired, Diagnostics> {
    checked(sources, read, environment, |_, desired| desired)
}

/// The documents as YAML with every variable put in, and where each value was set: before a
/// document the place where it starts, behind a value that a variable set the place of that one.
///
/// # Errors
/// As [`load`]: what holds a credential is never shown.
pub fn render(
    sources: &[Source],
    read: Read<'_>,
    environment: &Environment,
) -> Result<String, Diagnostics> {
    checked(sources, read, environment, |parsed, _| {
        crate::render::text(parsed)
    })
}

/// Files with their variables put in.
pub(crate) struct Parsed<'a> {
    pub(crate) files: &'a [File],
    pub(crate) places: &'a [Places<'a>],
    pub(crate) variables: &'a Variables<'a>,
}

/// Goes through every stage, and hands on what came of it if nothing was wrong.
fn checked<T>(
    sources: &[Source],
    read: Read<'_>,
    environment: &Environment,
    result: impl FnOnce(&Parsed<'_>, Desired) -> T,
) -> Result<T, Diagnostics> {
    let mut found = Vec::new();
    let places: Vec<_> = sources
        .iter()
        .map(|s| Places::new(&s.path, &s.text))
        .collect();
    let mut files: Vec<File> = sources
        .iter()
        .zip(&places)
        .map(|(s, p)| file(s, p, &mut found))
        .collect();
    let chosen = environment.chosen.as_ref();
    let chosen = chosen.map(|source| (source, Places::new(&source.path, &source.text)));
    let chosen = chosen.as_ref().map(|(s, p)| (file(s, p, &mut found), p));
    let chosen = chosen.as_ref().map(|(file, places)| (file, *places));
    let mut variables = Variables::new(environment, chosen, &mut found);
    for (file, places) in files.iter_mut().zip(&places) {
        for document in &mut file.documents {
            variables.put(document, places, &mut found);
        }
    }
    variables.report(files.iter().all(|f| f.complete), &mut found);
    let desired = documents(&files, &places, read, &mut found);
    if let Some(desired) = desired.filter(|_| found.is_empty()) {
        let (files, places, variables) = (&files, &places, &variables);
        let parsed = Parsed {
            files,
            places,
            variables,
        };
        return Ok(result(&parsed, desired));
    }
    let found = found.into_iter().map(|e| variables::traced(&variables, e));
    Err(in_order(found.collect()))
}

/// Checks every document, and builds what they ask for unless something is wrong.
fn documents(
    files: &[File],
    places: &[Places<'_>],
    read: Read<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<Desired> {
    let Opened {
        documents,
        known,
        complete,
    } = open(files, places, found);
    if documents.is_empty() && found.is_empty() {
        found.push(no_manifests());
    }
    let mut policies = Vec::new();
    for document in &documents {
        let references = check::spec(document, found);
        rules::document(document, found);
        if complete {
            links::dangling(document, &references, &known, found);
        }
        policies.push(policy(document, read, found));
    }
    links::duplicates(&documents, found);
    links::cycles(&documents, found);
    links::intents(&documents, found);
    partners::contradictions(&documents, found);
    found.is_empty().then(|| build(&documents, policies, found))
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
        "Policy" | "PolicyFragment" => Some(document.spec),
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
    partners::inherit(&mut desired);
    desired
}

fn no_manifests() -> Diagnostic {
    Diagnostic::error("KL0114", "there is no document to read").help(
        "put manifests into the folder `manifests`, or name another folder; `keyless init \
             --gateway ID` writes first ones, and `keyless demo` shows the whole job",
    )
}

/// In the order of file and place; a thing said twice is said once.
fn in_order(mut found: Vec<Diagnostic>) -> Diagnostics {
    let key = |d: &Diagnostic| (d.span.clone(), d.code, d.message.clone());
    found.sort_by_cached_key(key);
    found.dedup();
    found
}
