//! Reads the one text that a command is given, and prints the one that it makes.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use crate::cli::failure::Failure;

/// Reads one text: the argument or, for `-` or none, standard input without its last newline.
pub(crate) fn text(argument: Option<String>, max_len: usize) -> Result<Vec<u8>, Failure> {
    if let Some(text) = argument.filter(|text| text != "-") {
        return Ok(text.into_bytes());
    }
    let limit = u64::try_from(max_len).unwrap_or(u64::MAX);
    let mut text = Vec::new();
    let mut input = io::stdin().take(limit.saturating_add(2));
    input.read_to_end(&mut text).map_err(|error| Failure::of_input(&error))?;
    if text.ends_with(b"\n") {
        text.pop();
        if text.ends_with(b"\r") {
            text.pop();
        }
    }
    Ok(text)
}

/// Prints a line.
pub(crate) fn print(line: &str) -> Result<ExitCode, Failure> {
    // No copy, which could be of a secret.
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(line.as_bytes()).and_then(|()| stdout.write_all(b"\n"));
    end(written.and_then(|()| stdout.flush()))
}

/// Prints whole lines.
pub(crate) fn print_bytes(lines: &[u8]) -> Result<ExitCode, Failure> {
    let mut stdout = io::stdout().lock();
    end(stdout.write_all(lines).and_then(|()| stdout.flush()))
}

fn end(written: io::Result<()>) -> Result<ExitCode, Failure> {
    written.map(|()| ExitCode::SUCCESS).map_err(|error| Failure::of_output(&error))
}
