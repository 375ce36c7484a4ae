//! `keyless policy`: policy documents as files, for people and editors. Nothing is asked of Azure.

mod diff;
mod fix;
mod lint;
mod rewrite;

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use keyless_policy::{Document, PolicyError, formatted};
use serde_json::json;

use crate::args::{Common, FmtArgs, Format, PolicyArgs, PolicyVerb};
use crate::failure::Failure;
use crate::output;

/// Longest input that is looked at. The longest policy is far shorter; whoever gave this one has
/// its size in the message.
const MAX_INPUT: u64 = 64 << 20;

pub fn run(common: &Common, args: &PolicyArgs) -> Result<u8, Failure> {
    match &args.verb {
        PolicyVerb::Fmt(args) => fmt(common, args),
        PolicyVerb::Diff(args) => diff::run(common, args),
        PolicyVerb::Lint(args) => lint::run(common, args),
        PolicyVerb::Fix(args) => fix::run(common, args),
    }
}

/// How messages name an input.
fn name(path: &Path) -> String {
    match is_stdin(path) {
        true => "<stdin>".to_owned(),
        false => path.display().to_string(),
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads a policy.
fn read(path: &Path) -> Result<Document, Failure> {
    let name = name(path);
    let text = text(path, &name)?;
    Document::parse(&text).map_err(|error| match error {
        PolicyError::Malformed(at) => {
            let (line, column, message, help) = (at.line, at.column, at.message, at.help);
            Failure::new(
                "KL0111",
                format!("{name}:{line}:{column}: {message}; {help}"),
            )
        }
        error @ PolicyError::TooLarge { .. } => Failure::new("KL0112", format!("{name}: {error}")),
        error => Failure::new("KL0111", format!("{name}: {error}")),
    })
}

fn text(path: &Path, name: &str) -> Result<String, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(
            "KL0309",
            format!("{name} cannot be read: {error}; name a policy file"),
        )
    };
    let mut bytes = Vec::new();
    if is_stdin(path) {
        let input = std::io::stdin().lock();
        input
            .take(MAX_INPUT + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
    } else {
        if path.is_dir() {
            let message = format!("{name} is a folder; name the policy files in it");
            return Err(Failure::new("KL0309", message));
        }
        let file = File::open(path).map_err(unreadable)?;
        file.take(MAX_INPUT + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
    }
    if bytes.len() as u64 > MAX_INPUT {
        let message = format!("{name} has more than 64 MiB; a policy has at most 512 KiB");
        return Err(Failure::new("KL0112", message));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        let message = "a byte stands here that is not UTF-8; save the file as UTF-8";
        Failure::new("KL0111", format!("{name}:{line}:{column}: {message}"))
    })
}

/// Writes a policy as it is: its line ends are its own.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that went away early, such as `head`, is no error.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        let name = path.display();
        Failure::new(
            "KL0309",
            format!("{name} cannot be written: {error}; check its permissions"),
        )
    })
}

/// `keyless policy fmt`. Every file is looked at, whatever is wrong with one before it.
fn fmt(common: &Common, args: &FmtArgs) -> Result<u8, Failure> {
    let (mut rows, mut failed, mut changed) = (Vec::new(), false, false);
    for path in &args.files {
        let name = name(path);
        match fmt_one(path, args.check) {
            Err(failure) => {
                output::failure(common, &failure);
                failed = true;
            }
            Ok(changes) => {
                changed |= changes;
                rows.push(json!({ "file": name, "changed": changes }));
                if changes && common.format != Format::Json && !is_stdin(path) {
                    let what = if args.check {
                        "would change"
                    } else {
                        "laid out"
                    };
                    output::note(&format!("{name}: {what}"));
                }
            }
        }
    }
    let prints = args.files.iter().any(|path| is_stdin(path)) && !args.check;
    if common.format == Format::Json && !prints {
        output::json(&json!({ "format": "keyless.policy-fmt/1", "files": rows }));
    }
    if failed {
        return Err(Failure::told());
    }
    Ok(if args.check && changed { 2 } else { 0 })
}

/// Whether the file changes.
fn fmt_one(path: &Path, check: bool) -> Result<bool, Failure> {
    let document = read(path)?;
    let text = formatted(&document)
        .map_err(|error| Failure::new("KL0111", format!("{}: {error}", name(path))))?;
    let changes = text != document.text();
    if check {
        return Ok(changes);
    }
    if is_stdin(path) {
        print(&text);
    } else if changes {
        write(path, &text)?;
    }
    Ok(changes)
}
