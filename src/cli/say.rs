//! Prints messages to standard error, one per line, with unsafe bytes escaped.

use std::fmt::Display;
use std::io::{self, Write as _};

pub(crate) fn error(message: impl Display) {
    print(&line("error", message));
}

pub(crate) fn hint(message: impl Display) {
    print(&line("hint", message));
}

pub(crate) fn warning(message: impl Display) {
    print(&line("warning", message));
}

pub(crate) fn note(message: impl Display) {
    print(&line("note", message));
}

/// Formats a message as one line.
pub(crate) fn line(kind: &str, message: impl Display) -> String {
    format!("{kind}: {}\n", escape(&message.to_string()))
}

/// Prints whole lines in one call.
pub(crate) fn print(lines: &str) {
    // If standard error is closed, the message cannot be shown.
    let _ = io::stderr().write_all(lines.as_bytes());
}

/// Escapes everything except printable ASCII.
///
/// Otherwise the text could control the terminal.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' '..='~' => out.push(character),
            _ => out.extend(character.escape_default()),
        }
    }
    out
}
