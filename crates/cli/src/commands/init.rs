//! `keyless init`: from an existing gateway to first manifests, which a person then corrects.
//!
//! It only reads Azure, and never writes over a file.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use keyless_live::Reading;
use keyless_model::{Address, Live, Snapshot};
use keyless_plan::{Left, Proposal, Root, document_name, propose};
use keyless_report::{left, manifests, unwritten, written};
use serde_json::json;

use crate::args::{Common, Format, InitArgs};
use crate::commands::scan::id;
use crate::failure::Failure;
use crate::{again, output, session};

pub async fn run(common: &Common, args: &InitArgs) -> Result<u8, Failure> {
    let roots = roots(args)?;
    let file = file(args, &roots);
    // Told before anything is read, which may take minutes.
    if !args.stdout && common.project.join(&file).exists() {
        return Err(exists(&file));
    }
    let services = session::services(common, roots)?;
    let reading = Reading {
        inspect_secrets: args.inspect_secrets,
        ..Reading::default()
    };
    let snapshot = session::read(common, &services, reading).await?;
    are_there(&snapshot, &services.roots)?;
    let proposal = propose(&snapshot, &services.roots);
    let text = manifests(&proposal);
    if !args.stdout {
        write(&common.project, &file, &text)?;
    }
    tell(common, args, &file, &proposal, &text);
    Ok(0)
}

/// The services, by the names that their documents get.
fn roots(args: &InitArgs) -> Result<BTreeMap<Address, Root>, Failure> {
    let mut roots = BTreeMap::new();
    for text in &args.gateway {
        let id = id(text, "Microsoft.ApiManagement/service")?;
        let address = Address::gateway(&document_name(&id.name));
        roots.insert(address, Root { id, host: None });
    }
    for text in &args.server {
        let id = id(text, "Microsoft.Sql/servers")?;
        let address = Address::server(&document_name(&id.name));
        roots.insert(address, Root { id, host: None });
    }
    Ok(roots)
}

/// Named after the first gateway.
fn file(args: &InitArgs, roots: &BTreeMap<Address, Root>) -> PathBuf {
    let gateway = roots.keys().find(|a| a.is_gateway());
    let name = gateway.map_or("gateway", Address::root_name);
    args.dir.join(format!("{name}.yaml"))
}

/// A manifest of what is not there, or cannot be seen, would be of no use.
fn are_there(snapshot: &Snapshot, roots: &BTreeMap<Address, Root>) -> Result<(), Failure> {
    for (address, root) in roots {
        let id = &root.id;
        match snapshot.get(address) {
            Live::Present(_) => {}
            Live::Absent => {
                let message = format!("{id} does not exist; correct the id");
                return Err(Failure::new("KL0104", message));
            }
            Live::Unreadable(why) => {
                let next = "give the identity that runs keyless the Reader role on it";
                let message = format!("{id} cannot be read: {why}; {next}");
                return Err(Failure::new("KL0202", message));
            }
        }
    }
    Ok(())
}

fn exists(file: &Path) -> Failure {
    let message = format!(
        "{} is there already and stays as it is; take it away to have it made anew, or use \
         --stdout to look at what it would be",
        file.display()
    );
    Failure::new("KL0309", message)
}

fn write(project: &Path, file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => exists(file),
        _ => {
            let message = format!("{} cannot be written: {error}; check --dir", file.display());
            Failure::new("KL0309", message)
        }
    };
    let path = project.join(file);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

fn tell(common: &Common, args: &InitArgs, file: &Path, proposal: &Proposal, text: &str) {
    let file = file.display();
    let rows = unwritten(proposal);
    if common.format == Format::Json {
        let row = |l: &Left| json!({ "place": l.place, "why": l.why, "next": l.next });
        output::json(&json!({
            "format": "keyless.init/1",
            "file": (!args.stdout).then(|| file.to_string()),
            "text": args.stdout.then_some(text),
            "accesses": proposal.accesses.iter().map(|a| &a.name).collect::<Vec<_>>(),
            "notWritten": rows.iter().map(row).collect::<Vec<_>>(),
        }));
        return;
    }
    if args.stdout {
        output::data(text);
    }
    if !rows.is_empty() {
        output::laid_out(&left(&rows, &output::style_of_notes(common)));
    }
    let what = written(proposal);
    let plan = again::command(common, "plan", "");
    if args.stdout {
        output::note(&format!("{what}\nnext: keep it as {file}, then {plan}"));
    } else {
        output::data(&format!("{file}: {what}"));
        let found = match args.dir.starts_with("manifests") {
            true => "read it",
            false => "read it and move it into manifests/",
        };
        output::note(&format!("next: {found}, then {plan}"));
    }
}
