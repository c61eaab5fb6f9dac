//! Reports why a command failed, and returns the exit status for it.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use crate::cli::say;

/// The reason why a command failed without a verdict on a token.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The usage, a file or a key is wrong.
    Wrong { message: String, hint: Option<String> },
    /// The reader of the output has closed it.
    BrokenPipe,
}

/// The status that shells report for a program killed by `SIGPIPE`.
///
/// It is not 0, because not every token was processed.
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
            Self::BrokenPipe => "the output was closed by its reader",
        }
    }

    /// Describes an error of standard output.
    pub(crate) fn of_output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::new(format_args!("cannot write to standard output: {error}")),
        }
    }

    /// Describes an error of standard input.
    pub(crate) fn of_input(error: &io::Error) -> Self {
        Self::new(format_args!("cannot read standard input: {error}"))
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
