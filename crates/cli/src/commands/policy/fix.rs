//! `keyless policy fix`: the identity in the place of passwords and keys, where one document says
//! enough for that.

use keyless_model::Sid;
use keyless_policy::{Document, ElementPath};
use keyless_scan::Finding;
use serde_json::{Value, json};

use crate::args::{Common, FixArgs, Format};
use crate::failure::Failure;
use crate::output;

use super::lint::credentials;
use super::rewrite::{Rewrite, Wish, rewrite};
use super::{is_stdin, name, print, read, write};

pub fn run(common: &Common, args: &FixArgs) -> Result<u8, Failure> {
    usable(args)?;
    let document = read(&args.file)?;
    let at = paths(&document, &args.at)?;
    let wish = Wish {
        audience: args.audience.as_deref(),
        client_id: args.client_id.as_deref(),
        at: &at,
    };
    let mut found = rewrite(&document, &wish);
    let name = name(&args.file);
    let refused = |error| Failure::new("KL0111", format!("{name}: {error}"));
    let text = document.edit(&found.edits).map_err(refused)?;
    add_rest(&mut found, &Document::parse(&text).map_err(refused)?);
    let to_stdout = args.stdout || is_stdin(&args.file) && !args.check;
    if to_stdout {
        print(&text);
    } else if !args.check && text != document.text() {
        write(&args.file, &text)?;
    }
    tell(common, args, &name, &found, to_stdout);
    let changes = args.check && text != document.text();
    Ok(if changes || !found.left.is_empty() {
        2
    } else {
        0
    })
}

/// A variable of a shell that is not set makes an argument of nothing, and a policy with it asks for
/// no token at all.
fn usable(args: &FixArgs) -> Result<(), Failure> {
    let blank = |uri: &&String| uri.is_empty() || uri.contains(char::is_whitespace);
    if let Some(uri) = args.audience.as_ref().filter(blank) {
        let message = format!(
            "--audience is “{uri}”, which is no URI; write the application id URI of the service \
             that is called, such as api://orders"
        );
        return Err(Failure::new("KL0104", message));
    }
    let wrong = |id: &&String| Sid::from_guid(id).is_err();
    if let Some(id) = args.client_id.as_ref().filter(wrong) {
        let message = format!(
            "--client-id is “{id}”, which is not a GUID; write 8-4-4-4-12 hexadecimal digits, as \
             Entra shows the id"
        );
        return Err(Failure::new("KL0104", message));
    }
    Ok(())
}

/// The paths of `--at`, which must be there.
fn paths(document: &Document, given: &[String]) -> Result<Vec<ElementPath>, Failure> {
    let path = |text: &String| {
        let unusable = |why: String| Failure::new("KL0309", format!("--at {text}: {why}"));
        let path: ElementPath = text.parse().map_err(|e| unusable(format!("{e}")))?;
        match document.find(&path) {
            Some(_) => Ok(path),
            None => Err(unusable(
                "the policy has no such element; lint shows paths".to_owned(),
            )),
        }
    };
    given.iter().map(path).collect()
}

/// Adds what the scanner still finds and nothing was said about.
fn add_rest(found: &mut Rewrite, after: &Document) {
    for finding in credentials(after).iter().filter(|f| Finding::counts(f)) {
        let told = |(path, _): &(String, String)| {
            finding.place == *path || finding.place.starts_with(&format!("{path}/"))
        };
        if !found.left.iter().any(told) {
            let why = format!(
                "{} ({}): {}",
                finding.what, finding.rule, finding.replacement
            );
            found.left.push((finding.place.clone(), why));
        }
    }
}

fn tell(common: &Common, args: &FixArgs, name: &str, found: &Rewrite, to_stdout: bool) {
    let rows = |rows: &[(String, String)]| -> Vec<Value> {
        let row = |(path, text): &(String, String)| json!({ "path": path, "message": text });
        rows.iter().map(row).collect()
    };
    if common.format == Format::Json {
        let body = json!({
            "format": "keyless.policy-fix/1",
            "file": name,
            "written": !args.check && !to_stdout && !found.done.is_empty(),
            "fixed": rows(&found.done),
            "left": rows(&found.left),
            "needs": found.needs,
        });
        // The policy itself is on stdout then.
        return match to_stdout {
            true => output::note(&body.to_string()),
            false => output::json(&body),
        };
    }
    let mut text = String::new();
    let verb = if args.check { "would fix" } else { "fixed" };
    for (path, what) in &found.done {
        text.push_str(&format!("{verb} {path}: {what}\n"));
    }
    for (path, why) in &found.left {
        text.push_str(&format!("left {path}: {why}\n"));
    }
    for need in &found.needs {
        text.push_str(&format!("first: {need}\n"));
    }
    if text.is_empty() {
        text.push_str(&format!("{name}: nothing to fix\n"));
    }
    match to_stdout {
        true => output::note(text.trim_end()),
        false => output::text(&text),
    }
}
