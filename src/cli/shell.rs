//! Prints help, manual pages and completions, all made of the one definition of the commands.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::args::Cli;
use crate::cli::failure::Failure;
use crate::cli::pipe::print_bytes;

/// Prints the help or the version that was asked for, or says what is wrong with the usage.
pub(crate) fn usage(error: &clap::Error) -> Result<ExitCode, Failure> {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return print_bytes(text.as_bytes()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Err(Failure::new("there is no command").hint("try signed-session --help"));
        }
        _ => {}
    }
    // The message proper comes first, then perhaps tips, and the usage.
    let mut parts = text.split("\n\n");
    let message = parts.next().unwrap_or_default();
    let words: Vec<&str> = message.split_whitespace().collect();
    let message = words.join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
    let usage = parts.find_map(|part| part.trim().strip_prefix("Usage: "));
    let usage = usage.unwrap_or("signed-session");
    let command = usage.split(' ').take_while(|word| !word.starts_with(['<', '[', '-']));
    let command: Vec<&str> = command.collect();
    Err(Failure::new(message).hint(format_args!("try {} --help", command.join(" "))))
}

pub(crate) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "signed-session", &mut text);
    print_bytes(&text)
}

pub(crate) fn man(name: Option<&str>) -> Result<ExitCode, Failure> {
    let mut cli = Cli::command();
    // Gives the commands their full names.
    cli.build();
    let command = match name {
        None => cli,
        Some(name) => cli
            .find_subcommand(name)
            .cloned()
            .map(|command| command.display_name(format!("signed-session-{name}")))
            .ok_or_else(|| {
                let message = format_args!("there is no command {name}").to_string();
                Failure::new(message).hint("signed-session --help lists the commands")
            })?,
    };
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = page(&command, &mut text);
    print_bytes(&text)
}

/// Writes a manual page, where what stands below the help has sections and keeps its lines.
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
    let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    if !below.lines().next().is_none_or(|line| line.ends_with(':')) {
        writeln!(out, ".SH NOTES\n.nf")?;
    }
    for line in below.lines() {
        match line.strip_suffix(':').filter(|heading| !heading.starts_with(' ')) {
            Some(heading) => writeln!(out, ".fi\n.SH {}\n.nf", heading.to_uppercase())?,
            // Roff takes a dot or a quote at the beginning for a request.
            None => writeln!(out, "\\&{}", line.replace('\\', "\\e").replace('-', "\\-"))?,
        }
    }
    writeln!(out, ".fi")
}
