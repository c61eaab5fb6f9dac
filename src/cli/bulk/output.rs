//! Prints whole lines, counts them, shows progress, and prints a summary.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::bulk::answers::Answers;
use crate::cli::failure::Failure;
use crate::cli::say;
use crate::cli::tally::Tally;

/// The destination of the output.
///
/// A thread that has its lock is between two lines.
pub(crate) struct Output {
    state: Mutex<State>,
    started: Instant,
    /// Whether the tokens are counted at the end.
    summary: bool,
    /// Whether each token's form was reported with its verdict.
    forms_told: bool,
}

struct State {
    tally: Tally,
    progress: Option<ProgressBar>,
}

impl Output {
    pub(crate) fn new(summary: bool, forms_told: bool) -> Self {
        let state = Mutex::new(State { tally: Tally::default(), progress: None });
        Self { state, started: Instant::now(), summary, forms_told }
    }

    /// Shows progress from now on, if that is visible and disturbs no output.
    pub(crate) fn show_progress(&self, input_len: u64) {
        if !io::stderr().is_terminal() || io::stdout().is_terminal() {
            return;
        }
        let bar = ProgressBar::new(input_len);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3}%, {msg}, {eta} left")
        {
            bar.set_style(style);
        }
        self.lock().progress = Some(bar);
    }

    /// Prints answers without interruption.
    pub(crate) fn print(&self, answers: &Answers) -> Result<(), Failure> {
        let mut state = self.lock();
        state.tally.merge(&answers.tally);
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(&answers.out)
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::of_output(&error))?;
        if !answers.err.is_empty() {
            match &state.progress {
                Some(bar) => bar.suspend(|| say::print(&answers.err)),
                None => say::print(&answers.err),
            }
        }
        Ok(())
    }

    /// Records how much of the input was processed.
    pub(crate) fn advance(&self, end: u64) {
        let state = self.lock();
        if let Some(bar) = &state.progress {
            bar.set_message(format!("{} tokens per second", self.rate(state.tally.total())));
            bar.set_position(end);
        }
    }

    /// Prints the final messages, and returns the tally.
    pub(crate) fn finish(&self) -> Tally {
        let mut state = self.lock();
        self.sum_up(&mut state);
        state.tally
    }

    /// Prints the final messages, and ends the program between two lines.
    pub(crate) fn interrupt(&self) -> ! {
        let mut state = self.lock();
        self.sum_up(&mut state);
        // The status that shells report for a program ended by Ctrl-C.
        std::process::exit(130)
    }

    fn sum_up(&self, state: &mut State) {
        if let Some(bar) = state.progress.take() {
            bar.finish_and_clear();
        }
        let tally = &state.tally;
        if let Some(forms) = tally.by_form().filter(|_| self.summary || !self.forms_told) {
            say::note(format_args!("not all tokens were bare: {forms}"));
        }
        if self.summary && tally.total() > 0 {
            let total = tally.total();
            let tokens = if total == 1 { "token" } else { "tokens" };
            let seconds = self.started.elapsed().as_secs_f64();
            say::note(format_args!(
                "{total} {tokens}: {}; {seconds:.1} seconds, {} tokens per second",
                tally.by_status(),
                self.rate(total)
            ));
        }
    }

    fn rate(&self, total: u64) -> u128 {
        let micros = self.started.elapsed().as_micros().max(1);
        u128::from(total).saturating_mul(1_000_000).checked_div(micros).unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
