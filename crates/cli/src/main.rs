//! The `keyless` command: arguments, wiring and exit codes. Everything else is in the libraries.

mod again;
mod args;
mod asked;
mod commands;
mod complete;
mod excerpt;
mod failure;
mod heartbeat;
mod output;
mod progress;
mod project;
mod session;
mod stop;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{Cli, Command, Format};

fn main() -> ExitCode {
    clap_complete::CompleteEnv::with_factory(Cli::command).complete();
    let cli = match Cli::try_parse() {
        Ok(Cli { common, command }) => Cli {
            common: common.without_empty(),
            command,
        },
        Err(error) => {
            // Wrong arguments are a failure; 2 is kept for changes and findings.
            if error.kind() == ErrorKind::MissingSubcommand {
                let _ = named_command().print_help();
                return ExitCode::FAILURE;
            }
            let error = with_own_usage(error);
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    if cli.common.verbose {
        verbose();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&failure::Failure::new(
                "KL0203",
                format!("no runtime: {error}"),
            ));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(&cli)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            output::failure(&cli.common, &failure);
            ExitCode::FAILURE
        }
    }
}

/// The usage of an error names what was given, and takes what variables of the environment set for
/// such. The usage of the command stands in its place.
fn with_own_usage(mut error: clap::Error) -> clap::Error {
    if error.get(ContextKind::Usage).is_none() {
        return error;
    }
    let usage = named_command().render_usage();
    error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    error
}

/// The command that the arguments name, as far as they name one.
fn named_command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    for word in std::env::args_os().skip(1) {
        if let Some(inner) = command.find_subcommand(&word).cloned() {
            command = inner;
        }
    }
    command
}

/// Events of our own crates go to stderr. Those of libraries are not ours to vouch for.
fn verbose() {
    let ours = Targets::new().with_target("keyless", LevelFilter::DEBUG);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false);
    tracing_subscriber::registry()
        .with(lines.with_filter(ours))
        .init();
}

async fn run(cli: &Cli) -> Result<u8, failure::Failure> {
    let common = &cli.common;
    let has_form = match common.format {
        Format::Text | Format::Json => true,
        Format::Markdown => matches!(cli.command, Command::Plan(_) | Command::Scan(_)),
        Format::Sarif => matches!(cli.command, Command::Scan(_)),
    };
    if !has_form {
        let message = match common.format {
            Format::Sarif => "only scan has a SARIF form; use --format text or json",
            _ => "only plan and scan have a Markdown form; use --format text or json",
        };
        return Err(failure::Failure::new("KL0309", message));
    }
    match &cli.command {
        Command::Init(args) => commands::init::run(common, args).await,
        Command::Scan(args) => commands::scan::run(common, args).await,
        Command::Validate(args) => commands::validate::run(common, args),
        Command::Schema(args) => commands::schema::run(args),
        Command::Plan(args) => commands::plan::run(common, args).await,
        Command::Apply(args) => commands::apply::run(common, args).await,
        Command::Approve(args) => commands::approve::run(common, args).await,
        Command::Rollback(args) => commands::rollback::run(common, args).await,
        Command::Drift(args) => commands::drift::run(common, args).await,
        Command::State(args) => commands::state::run(common, args).await,
        Command::Explain(args) => commands::explain::run(args),
        Command::Emulator(args) => commands::emulator::run(args).await,
        Command::Demo(args) => commands::demo::run(args).await,
        Command::Render(args) => commands::render::run(common, args),
        Command::Policy(args) => commands::policy::run(common, args),
        Command::Graph(args) => commands::graph::run(common, args).await,
        Command::Man(args) => commands::man::run(args),
        Command::Completions(args) => commands::completions::run(args),
    }
}
