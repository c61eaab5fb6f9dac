//! Verifies arguments or lines of standard input, for `decode` and `unsign`.

use std::io;
use std::process::ExitCode;

use time::OffsetDateTime;

use crate::cli::args::Bulk;
use crate::cli::bulk::answers::{Answers, Layout, Style};
use crate::cli::bulk::{self, Run, Task};
use crate::cli::failure::Failure;
use crate::cli::moment::Clock;
use crate::cli::say;
use crate::cli::stdio;
use crate::cli::tally::Tally;
use crate::cli::verify::Verifier;

/// Verifies the token on each line, and formats the result.
struct Check {
    verifier: Verifier,
    style: Style,
}

impl Task for Check {
    fn max_line_len(&self) -> usize {
        self.verifier.max_line_len()
    }

    fn clock(&self) -> Clock {
        self.verifier.clock
    }

    fn answer(&self, number: u64, line: &[u8], now: OffsetDateTime, answers: &mut Answers) {
        let (verdict, shape) = self.verifier.check_line(line, now);
        answers.add(self.style, number, &verdict, shape, now);
    }
}

/// Verifies the tokens, and prints and counts the results.
///
/// Without tokens, each line of standard input is verified.
pub(crate) fn run(
    verifier: Verifier,
    layout: Layout,
    tokens: &[String],
    bulk: &Bulk,
) -> Result<ExitCode, Failure> {
    let run = Run::new(bulk, layout != Layout::Records);
    match tokens {
        [] => check_input(verifier, layout, &run)?,
        [token] if token == "-" => check_input(verifier, layout, &run)?,
        tokens => {
            let style = Style { layout, unit: (tokens.len() > 1).then_some("token") };
            let now = verifier.clock.now();
            run.arguments(&Check { verifier, style }, tokens, now)?;
        }
    }
    let tally = run.finish()?;
    give_hint(layout, tokens, &tally);
    Ok(bulk::status(&tally))
}

fn check_input(verifier: Verifier, layout: Layout, run: &Run) -> Result<(), Failure> {
    bulk::announce("tokens");
    let len = bulk::input_len();
    run.input(Check { verifier, style: Style { layout, unit: Some("line") } }, io::stdin(), len)
}

/// Prints a hint about `explain`, if messages are for people and it can help.
fn give_hint(layout: Layout, tokens: &[String], tally: &Tally) {
    // Expired and revoked sessions need no explanation; every other refusal may.
    if layout == Layout::Records || !tally.has_unexplained() {
        return;
    }
    match tokens.iter().find_map(|token| stdio::file_hint(token)) {
        Some(hint) => say::hint(hint),
        None => say::hint("to find the cause, run signed-session explain"),
    }
}
