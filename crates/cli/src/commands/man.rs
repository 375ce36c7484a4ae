//! `keyless man`: the manual pages, made from the same tables as the help.

use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use keyless_report::counted;

use crate::args::{Cli, ManArgs};
use crate::failure::Failure;
use crate::output;

pub fn run(args: &ManArgs) -> Result<u8, Failure> {
    let whole = whole();
    if let Some(dir) = &args.dir {
        let count = write_all(&whole, dir).map_err(|error| {
            let place = dir.display();
            Failure::new(
                "KL0309",
                format!("{place} cannot be written: {error}; check --dir"),
            )
        })?;
        let pages = counted(count, "page", "pages");
        output::note(&format!("{pages} in {}", dir.display()));
        return Ok(0);
    }
    let command = match &args.command {
        None => whole,
        Some(name) => found(&whole, name)?,
    };
    let text = page(command).map_err(|e| Failure::new("KL0309", e.to_string()))?;
    output::data(&String::from_utf8_lossy(&text));
    Ok(0)
}

/// Every command with its full name. The help of the help is no page.
fn whole() -> Command {
    let mut whole = Cli::command().disable_help_subcommand(true);
    whole.build();
    whole
}

/// The command and those below it, the verbs of `policy` too.
fn all(command: &Command) -> Vec<&Command> {
    let below = command.get_subcommands().flat_map(all);
    std::iter::once(command).chain(below).collect()
}

/// `keyless-policy-fmt` is the page of `keyless policy fmt`.
fn file_of(command: &Command) -> &str {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
}

fn found(whole: &Command, name: &str) -> Result<Command, Failure> {
    let wanted = format!("keyless-{name}");
    let mut commands = all(whole).into_iter();
    let found = commands.find(|c| file_of(c) == wanted);
    found.cloned().ok_or_else(|| {
        let message = format!("there is no command “{name}”; keyless --help lists them");
        Failure::new("KL0309", message)
    })
}

/// The sections of a manual page in their usual order. The examples of the help stand in one of
/// their own, which the generator does not know.
fn page(mut command: Command) -> std::io::Result<Vec<u8>> {
    let examples = command.get_before_help().map(ToString::to_string);
    let has_subcommands = command.get_subcommands().next().is_some();
    let has_more = command.get_after_help().is_some();
    let has_version = command.get_version().is_some();
    command = command.before_help("");
    let man = Man::new(command);
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    text.extend(examples.map(|e| section(&e)).unwrap_or_default().bytes());
    man.render_options_section(&mut text)?;
    if has_subcommands {
        man.render_subcommands_section(&mut text)?;
    }
    if has_more {
        man.render_extra_section(&mut text)?;
    }
    if has_version {
        man.render_version_section(&mut text)?;
    }
    Ok(text)
}

/// The examples as they stand in the help, unfilled.
fn section(examples: &str) -> String {
    let lines = examples
        .lines()
        .skip_while(|line| line.trim() == "Examples:");
    let line = |line: &str| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        // A line that starts with one of these would be a request to roff.
        match line.starts_with(['.', '\'']) {
            true => format!("\\&{line}\n"),
            false => format!("{line}\n"),
        }
    };
    let body: String = lines.map(line).collect();
    format!(".SH EXAMPLES\n.nf\n{body}.fi\n")
}

fn write_all(whole: &Command, dir: &Path) -> std::io::Result<usize> {
    std::fs::create_dir_all(dir)?;
    let commands = all(whole);
    for command in &commands {
        let name = format!("{}.1", file_of(command));
        std::fs::write(dir.join(name), page((*command).clone())?)?;
    }
    Ok(commands.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_the_examples_of_the_help() {
        for command in all(&whole()) {
            let text = String::from_utf8(page(command.clone()).unwrap()).unwrap();
            let examples = text.split(".SH EXAMPLES\n.nf\n").nth(1).unwrap_or_default();
            assert!(
                examples.starts_with("  keyless "),
                "{}: {text}",
                file_of(command)
            );
            assert!(!text.contains("Examples:"), "{}", file_of(command));
        }
    }

    #[test]
    fn every_page_that_a_page_names_is_written() {
        let whole = whole();
        let folder = tempfile::tempdir().unwrap();
        let count = write_all(&whole, folder.path()).unwrap();
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(files.len(), count);
        for command in all(&whole) {
            let text = String::from_utf8(page(command.clone()).unwrap()).unwrap();
            let named = text.lines().filter_map(|l| l.strip_suffix("(1)"));
            for name in named {
                let file = format!("{}.1", name.replace('\\', ""));
                assert!(folder.path().join(&file).exists(), "{file}");
            }
        }
    }
}
