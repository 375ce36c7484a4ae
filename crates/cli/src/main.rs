//! The `keyless` command: arguments, wiring and exit codes. Everything else is in the libraries.

mod args;
mod commands;
mod excerpt;
mod failure;
mod output;
mod progress;
mod project;
mod session;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Wrong arguments are a failure; 2 is kept for changes and findings.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
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
            output::error(&failure);
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Result<u8, failure::Failure> {
    let common = &cli.common;
    match &cli.command {
        Command::Scan(args) => commands::scan::run(common, args).await,
        Command::Validate(args) => commands::validate::run(common, args),
        Command::Schema(args) => commands::schema::run(args),
        Command::Plan(args) => commands::plan::run(common, args).await,
        Command::Apply(args) => commands::apply::run(common, args).await,
        Command::Approve(args) => commands::approve::run(common, args).await,
        Command::Drift(args) => commands::drift::run(common, args).await,
        Command::State(args) => commands::state::run(common, args).await,
        Command::Explain(args) => commands::explain::run(args),
        Command::Emulator(args) => commands::emulator::run(args).await,
        Command::Demo(args) => commands::demo::run(args).await,
        Command::Completions(args) => commands::completions::run(args),
    }
}
