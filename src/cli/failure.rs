//! Reports why a command could not do its work, and returns the exit status for that.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use crate::cli::say;

/// The reason why a command ends before it has a verdict.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The usage, a file or a key is wrong.
    Wrong { message: String, hint: Option<String> },
    /// The reader of the output has closed it.
    BrokenPipe,
}

/// The status that shells report for a program that the signal of a broken pipe has ended: not 0,
/// because not every token was answered.
const BROKEN_PIPE: u8 = 141;

impl Failure {
    pub(crate) fn new(message: impl Display) -> Self {
        Self::Wrong { message: message.to_string(), hint: None }
    }

    pub(crate) fn hint(self, hint: impl Display) -> Self {
        match self {
            Self::Wrong { message, .. } => Self::Wrong { message, hint: Some(hint.to_string()) },
            Self::BrokenPipe => self,
        }
    }

    /// Returns the message, without the hint.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Wrong { message, .. } => message,
            Self::BrokenPipe => "nobody reads the output",
        }
    }

    /// Describes an error of standard output.
    pub(crate) fn of_output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::new(format_args!("standard output cannot be written: {error}")),
        }
    }

    /// Describes an error of standard input.
    pub(crate) fn of_input(error: &io::Error) -> Self {
        Self::new(format_args!("standard input cannot be read: {error}"))
    }

    /// Prints the message, and returns the exit status.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Self::Wrong { message, hint } => {
                say::error(message);
                if let Some(hint) = hint {
                    say::hint(hint);
                }
                ExitCode::from(2)
            }
            Self::BrokenPipe => ExitCode::from(BROKEN_PIPE),
        }
    }
}
