//! Processes many inputs, from arguments or from the lines of a stream.
//!
//! The output is in order; all cores and bounded memory are used.

mod lines;
pub(crate) mod answers;
mod output;
mod workers;

use std::io::{self, IsTerminal as _, Read};
use std::process::ExitCode;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::cli::args::Bulk;
use crate::cli::bulk::answers::Answers;
use crate::cli::bulk::output::Output;
use crate::cli::failure::Failure;
use crate::cli::say;
use crate::cli::stdio::empty_input;
use crate::cli::tally::Tally;

pub(crate) use crate::cli::bulk::workers::Task;

/// A task in progress, with its output so far.
pub(crate) struct Run {
    output: Arc<Output>,
    threads: Option<std::num::NonZeroUsize>,
}

impl Run {
    /// `forms_told` is `true` if the task reports the form of each input.
    pub(crate) fn new(bulk: &Bulk, forms_told: bool) -> Self {
        Self { output: Arc::new(Output::new(bulk.summary, forms_told)), threads: bulk.threads }
    }

    /// Processes the arguments one after the other.
    pub(crate) fn arguments(
        &self,
        task: &impl Task,
        arguments: &[String],
        now: OffsetDateTime,
    ) -> Result<(), Failure> {
        for (argument, number) in arguments.iter().zip(1..) {
            let mut answers = Answers::default();
            task.answer(number, argument.as_bytes(), now, &mut answers);
            self.output.print(&answers)?;
        }
        Ok(())
    }

    /// Processes each line of the input, which ends with standard input.
    pub(crate) fn input(
        &self,
        task: impl Task,
        input: impl Read + Send + 'static,
        len: Option<u64>,
    ) -> Result<(), Failure> {
        let on_interrupt = Arc::clone(&self.output);
        ctrlc::set_handler(move || on_interrupt.interrupt()).map_err(|error| {
            Failure::new(format_args!("cannot install a handler for Ctrl-C: {error}"))
        })?;
        if let Some(len) = len {
            self.output.show_progress(len);
        }
        workers::run(input, task, &self.output, self.threads)
    }

    /// Prints the final messages, and returns the counts.
    ///
    /// # Errors
    ///
    /// If there was no input.
    pub(crate) fn finish(self) -> Result<Tally, Failure> {
        let tally = self.output.finish();
        if tally.total() == 0 {
            return Err(empty_input());
        }
        Ok(tally)
    }
}

/// Returns the exit status for the counts.
pub(crate) fn status(tally: &Tally) -> ExitCode {
    ExitCode::from(tally.exit_status())
}

/// Prints a note if standard input is a terminal.
pub(crate) fn announce(what: &str) {
    if io::stdin().is_terminal() {
        say::note(format_args!("reading {what} from the terminal, one per line"));
    }
}

/// Returns the length of the rest of standard input, if it is a file.
#[cfg(unix)]
pub(crate) fn input_len() -> Option<u64> {
    use std::fs::{File, Metadata};
    use std::io::Seek as _;
    use std::os::fd::AsFd as _;

    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok().filter(Metadata::is_file)?;
    Some(metadata.len().saturating_sub(file.stream_position().ok()?))
}

#[cfg(not(unix))]
pub(crate) fn input_len() -> Option<u64> {
    None
}
