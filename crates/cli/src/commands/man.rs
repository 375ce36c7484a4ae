//! `keyless man`: the manual pages, made from the same tables as the help.

use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::args::{Cli, ManArgs};
use crate::failure::Failure;
use crate::output;

pub fn run(args: &ManArgs) -> Result<u8, Failure> {
    let mut whole = Cli::command();
    whole.build();
    if let Some(dir) = &args.dir {
        let count = write_all(&whole, dir).map_err(|error| {
            let place = dir.display();
            Failure::new(
                "KL0309",
                format!("{place} cannot be written: {error}; check --dir"),
            )
        })?;
        output::note(&format!("{count} pages in {}", dir.display()));
        return Ok(0);
    }
    let command = match &args.command {
        None => whole,
        Some(name) => match whole.find_subcommand(name) {
            Some(found) => found.clone(),
            None => {
                let message = format!("there is no command “{name}”; keyless --help lists them");
                return Err(Failure::new("KL0309", message));
            }
        },
    };
    let text = page(command).map_err(|e| Failure::new("KL0309", e.to_string()))?;
    output::data(&String::from_utf8_lossy(&text));
    Ok(0)
}

fn page(command: Command) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    Man::new(command).render(&mut text)?;
    Ok(text)
}

fn write_all(whole: &Command, dir: &Path) -> std::io::Result<usize> {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("keyless.1"), page(whole.clone())?)?;
    let mut count = 1;
    for command in whole.get_subcommands().filter(|c| c.get_name() != "help") {
        let name = format!("keyless-{}.1", command.get_name());
        std::fs::write(dir.join(name), page(command.clone())?)?;
        count += 1;
    }
    Ok(count)
}
