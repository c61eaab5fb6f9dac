//! Turns messages into lines on standard error that no hostile byte gets through.

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

/// Makes a line of a message.
pub(crate) fn line(kind: &str, message: impl Display) -> String {
    format!("{kind}: {}\n", escape(&message.to_string()))
}

/// Prints whole lines at once.
pub(crate) fn print(lines: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = io::stderr().write_all(lines.as_bytes());
}

/// Writes all but printable ASCII as escapes, so that a terminal only shows it.
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
