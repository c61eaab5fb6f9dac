//! The command `completions`: prints completions for a shell.

use std::process::ExitCode;

use clap_complete::Shell;

use crate::cli::failure::Failure;
use crate::cli::stdio::print_lines;

/// Print completions for a shell
#[derive(clap::Args)]
#[command(after_help = "Example:\n  source <(signed-session completions bash)")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args, mut program: clap::Command) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut program, "signed-session", &mut text);
    print_lines(&text)
}
