//! Turns a command into what it prints and its exit status, on the library's public API alone.

mod say;
mod failure;
mod moment;
mod json;
mod salt;
mod args;
mod keys;
mod form;
mod verify;
mod answer;
mod lines;
mod output;
mod bulk;
mod make;
mod check;
mod inspect;
mod explain;
mod suspects;
mod shell;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use failure::Failure;

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    let run = || match Cli::try_parse() {
        Ok(cli) => command(cli.command),
        Err(error) => shell::usage(&error),
    };
    run().unwrap_or_else(Failure::report)
}

fn command(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Encode(args) => make::encode(args),
        Command::Decode(args) => check::decode(&args),
        Command::Sign(args) => make::sign(args),
        Command::Unsign(args) => check::unsign(&args),
        Command::Inspect(args) => inspect::inspect(args),
        Command::Explain(args) => explain::explain(args),
        Command::Keygen => make::keygen(),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { command } => shell::man(command.as_deref()),
    }
}
