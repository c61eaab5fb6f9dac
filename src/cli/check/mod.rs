//! Verifies many tokens, from arguments or line by line: what `decode` and `unsign` share.

mod lines;
pub(crate) mod answers;
mod output;
mod workers;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::args::Bulk;
use crate::cli::check::answers::{Answers, Layout, Style};
use crate::cli::check::output::Output;
use crate::cli::check::workers::Job;
use crate::cli::failure::Failure;
use crate::cli::say;
use crate::cli::tally::Tally;
use crate::cli::verify::Verifier;

/// Verifies the tokens or, if there are none, each line of standard input; prints and counts them.
pub(crate) fn run(
    verifier: Verifier,
    layout: Layout,
    tokens: &[String],
    bulk: &Bulk,
) -> Result<ExitCode, Failure> {
    let output = Arc::new(Output::new(bulk.summary, layout != Layout::Records));
    match tokens {
        [] => check_input(verifier, layout, bulk, &output)?,
        [token] if token == "-" => check_input(verifier, layout, bulk, &output)?,
        tokens => check_arguments(&verifier, layout, tokens, &output)?,
    }
    let tally = output.finish();
    if tally.total() == 0 {
        return Err(Failure::new("there was no token on standard input"));
    }
    give_hint(layout, &tally);
    Ok(ExitCode::from(tally.exit_status()))
}

fn check_arguments(
    verifier: &Verifier,
    layout: Layout,
    tokens: &[String],
    output: &Output,
) -> Result<(), Failure> {
    let style = Style { layout, unit: (tokens.len() > 1).then_some("token") };
    let now = verifier.clock.now();
    for (token, number) in tokens.iter().zip(1..) {
        let mut answers = Answers::default();
        let (verdict, shape) = verifier.check_line(token.as_bytes(), now);
        answers.add(style, number, &verdict, shape, now);
        output.print(&answers)?;
    }
    Ok(())
}

fn check_input(
    verifier: Verifier,
    layout: Layout,
    bulk: &Bulk,
    output: &Arc<Output>,
) -> Result<(), Failure> {
    let on_interrupt = Arc::clone(output);
    ctrlc::set_handler(move || on_interrupt.interrupt())
        .map_err(|error| Failure::new(format_args!("Ctrl-C cannot be watched for: {error}")))?;
    if let Some(len) = input_len() {
        output.show_progress(len);
    }
    if io::stdin().is_terminal() {
        say::note("reading tokens from the terminal, one a line");
    }
    let job = Job { verifier, style: Style { layout, unit: Some("line") } };
    workers::run(io::stdin(), job, output, bulk.threads)
}

/// Returns what is left of standard input, if it is a file.
#[cfg(unix)]
fn input_len() -> Option<u64> {
    use std::fs::{File, Metadata};
    use std::io::Seek as _;
    use std::os::fd::AsFd as _;

    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok().filter(Metadata::is_file)?;
    Some(metadata.len().saturating_sub(file.stream_position().ok()?))
}

#[cfg(not(unix))]
fn input_len() -> Option<u64> {
    None
}

/// Points to `explain`, where messages are for people and it can help.
fn give_hint(layout: Layout, tally: &Tally) {
    if layout != Layout::Records && tally.exit_status() == 1 {
        say::hint("signed-session explain looks for the cause");
    }
}
