//! Runs commands on the library's public API, and returns exit statuses.

// From the lowest layer to the highest: a module imports only from lower layers.
mod json;
mod mac;
mod moment;
mod say;
mod shell;
mod signature;
mod text;
mod failure;
mod old_session;
mod salt;
mod stdio;
mod args;
mod ended;
mod usage;
mod form;
mod header;
mod keys;
mod verdict;
mod tally;
mod verify;
mod bulk;
mod check;
mod explain;
mod commands;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use failure::Failure;

/// Create, verify and explain the signed tokens of Django and of signed-session
///
/// A token consists of a payload, a timestamp and a signature. Django uses tokens for sessions in a
/// cookie, rows of the session table, signing.dumps, messages and signed text. This program creates
/// and verifies tokens. It shows their content, when and with which key they were signed, and why a
/// token is refused.
#[derive(Parser)]
#[command(name = "signed-session", version, after_help = usage::SHORT_PAGE, after_long_help = usage::PAGE)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Encode(commands::encode::Args),
    Decode(commands::decode::Args),
    Login(commands::login::Args),
    Sign(commands::sign::Args),
    Unsign(commands::unsign::Args),
    Inspect(commands::inspect::Args),
    Explain(commands::explain::Args),
    Keygen(commands::keygen::Args),
    Rotate(commands::rotate::Args),
    Completions(commands::completions::Args),
    Man(commands::man::Args),
}

/// Runs the program with these arguments, the first of which is its name.
pub(crate) fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.into_iter().collect();
    let ran = match Cli::try_parse_from(&words) {
        Ok(cli) => cli.command.run(),
        Err(error) => usage::answer(&error, &Cli::command(), &words),
    };
    ran.unwrap_or_else(Failure::report)
}

impl Command {
    fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Encode(args) => commands::encode::run(args),
            Self::Login(args) => commands::login::run(&args),
            Self::Decode(args) => commands::decode::run(&args),
            Self::Sign(args) => commands::sign::run(args),
            Self::Unsign(args) => commands::unsign::run(&args),
            Self::Inspect(args) => commands::inspect::run(args),
            Self::Explain(args) => commands::explain::run(args),
            Self::Keygen(args) => commands::keygen::run(&args),
            Self::Rotate(args) => commands::rotate::run(&args),
            Self::Completions(args) => commands::completions::run(&args, Cli::command()),
            Self::Man(args) => commands::man::run(&args, Cli::command()),
        }
    }
}
