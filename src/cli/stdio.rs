//! Reads the input of a command, and prints its output.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::cli::failure::Failure;
use crate::cli::shell;

/// The maximum length of a string that is signed or encoded, in bytes.
pub(crate) const MAX_TEXT_LEN: usize = 64 * 1024 * 1024;

/// Reads the text to sign from the argument or from standard input.
///
/// Standard input is read if the argument is `-` or missing.
pub(crate) fn read_text(argument: Option<String>) -> Result<String, Failure> {
    let bytes = read_bytes(argument, MAX_TEXT_LEN)?;
    if bytes.len() > MAX_TEXT_LEN {
        return Err(Failure::new(format_args!("the input has more than {MAX_TEXT_LEN} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| Failure::new("the input is not UTF-8"))
}

/// Returns the error that standard input was empty.
pub(crate) fn empty_input() -> Failure {
    Failure::new("standard input is empty")
}

/// Returns a hint if a file was passed instead of a token or JSON.
pub(crate) fn file_hint(argument: &str) -> Option<String> {
    // A token that could be valid is never looked up in the file system.
    let path = Path::new(argument);
    let is_name = argument.len() < 4096 && !argument.contains([':', '{']);
    (is_name && path.is_file()).then(|| {
        let file = shell::quote_path(path);
        format!("{argument} is a file; to read it, write < {file}")
    })
}

/// Reads the argument, or standard input without a newline at its end.
///
/// Standard input is read if the argument is `-` or missing. Only slightly more than `max_len`
/// bytes of it are read, enough to detect that it is longer.
///
/// # Errors
///
/// If standard input cannot be read or is empty, usually because an earlier command failed.
pub(crate) fn read_bytes(argument: Option<String>, max_len: usize) -> Result<Vec<u8>, Failure> {
    if let Some(text) = argument.filter(|text| text != "-") {
        return Ok(text.into_bytes());
    }
    let limit = u64::try_from(max_len).unwrap_or(u64::MAX);
    let mut text = Vec::new();
    let mut input = io::stdin().take(limit.saturating_add(2));
    input.read_to_end(&mut text).map_err(|error| Failure::of_input(&error))?;
    if text.is_empty() {
        return Err(empty_input());
    }
    if text.ends_with(b"\n") {
        text.pop();
        if text.ends_with(b"\r") {
            text.pop();
        }
    }
    Ok(text)
}

/// Prints a line to standard output.
pub(crate) fn print_line(line: impl AsRef<[u8]>) -> Result<ExitCode, Failure> {
    // Not copied, because the line could contain a secret.
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(line.as_ref()).and_then(|()| stdout.write_all(b"\n"));
    end(written.and_then(|()| stdout.flush()))
}

/// Prints whole lines to standard output.
pub(crate) fn print_lines(lines: &[u8]) -> Result<ExitCode, Failure> {
    let mut stdout = io::stdout().lock();
    end(stdout.write_all(lines).and_then(|()| stdout.flush()))
}

fn end(written: io::Result<()>) -> Result<ExitCode, Failure> {
    written.map(|()| ExitCode::SUCCESS).map_err(|error| Failure::of_output(&error))
}
