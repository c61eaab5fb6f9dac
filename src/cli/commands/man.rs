//! The command `man`: prints a manual page.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap_mangen::Man;

use crate::cli::failure::Failure;
use crate::cli::stdio::print_lines;

/// Print the manual page of the program or of one command
#[derive(clap::Args)]
#[command(after_help = "Example:\n  signed-session man | man -l -")]
pub(crate) struct Args {
    /// The command
    command: Option<String>,
}

pub(crate) fn run(args: &Args, mut program: clap::Command) -> Result<ExitCode, Failure> {
    // Gives the commands their full names.
    program.build();
    let command = match args.command.as_deref() {
        None => program,
        Some(name) => program
            .find_subcommand(name)
            .cloned()
            .map(|command| command.display_name(format!("signed-session-{name}")))
            .ok_or_else(|| {
                let message = format_args!("the command {name} does not exist").to_string();
                Failure::new(message).hint("signed-session --help lists the commands")
            })?,
    };
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = page(&command, &mut text);
    print_lines(&text)
}

/// Writes a manual page.
///
/// The text below the help keeps its lines, and its headings become sections.
fn page(command: &clap::Command, out: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone());
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(out)?;
    }
    let below = command
        .get_after_long_help()
        .or(command.get_after_help())
        .map(ToString::to_string)
        .unwrap_or_default();
    if !below.lines().next().is_none_or(|line| line.ends_with(':')) {
        writeln!(out, ".SH NOTES\n.nf")?;
    }
    for line in below.lines() {
        match line.strip_suffix(':').filter(|heading| !heading.starts_with(' ')) {
            Some(heading) => writeln!(out, ".fi\n.SH {}\n.nf", heading.to_uppercase())?,
            // Roff would read a dot or a quote at the beginning as a request.
            None => writeln!(out, "\\&{}", line.replace('\\', "\\e").replace('-', "\\-"))?,
        }
    }
    writeln!(out, ".fi")
}
