//! Turns a command into what it prints and its exit status, on the library's public API alone.

// One line a room, in the order of the floors: imports point up this list only.
mod say;
mod moment;
mod json;
mod salt;
mod lines;
mod failure;
mod args;
mod keys;
mod form;
mod pipe;
mod verify;
mod answer;
mod causes;
mod output;
mod suspects;
mod bulk;
mod make;
mod inspect;
mod explain;
mod shell;
mod check;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use failure::Failure;

/// Runs the program with these words, the first of which is its name.
pub(crate) fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let ran = match Cli::try_parse_from(words) {
        Ok(cli) => command(cli.command),
        Err(error) => shell::usage(&error),
    };
    ran.unwrap_or_else(Failure::report)
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
