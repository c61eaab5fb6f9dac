//! The command `explain`: says why a token is refused, and what was tried to find out.

use std::process::ExitCode;

use crate::cli::args::{ReportFormat, Rules};
use crate::cli::explain::causes::{Findings, inside};
use crate::cli::explain::report::Report;
use crate::cli::explain::search::Search;
use crate::cli::failure::Failure;
use crate::cli::json;
use crate::cli::keys::Keys;
use crate::cli::stdio::{print_line, read_bytes};
use crate::cli::tally::Tally;
use crate::cli::verdict::Refusal;
use crate::cli::verify::Verifier;

/// Say why a token is refused
///
/// Tries every key, the well-known salts and hashes, and the usual accidents: quotes,
/// percent-encoding, padding, white space, cut off, older Django, clocks. Options are as for decode.
#[derive(clap::Args)]
#[command(after_help = "\
Exit status:
  as decode

Example:
  signed-session explain --key-file site.key -- \"$TOKEN\"")]
pub(crate) struct Args {
    /// The token; for - or none, standard input
    token: Option<String>,
    #[command(flatten)]
    rules: Rules,
    /// How to print: for people, or one object
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&args.rules.keys)?;
    let verifier = Verifier::new(&args.rules, &keys.ring)?;
    let text = read_bytes(args.token, verifier.max_line_len())?;
    let now = verifier.clock.now();
    let (verdict, shape) = verifier.check_line(&text, now);
    let findings = match &verdict.result {
        Ok(_) => Findings::default(),
        Err(Refusal::Token(error)) if error.is_authentic() => {
            Findings { causes: vec![inside(&verifier, &text, error, now)], ruled_out: Vec::new() }
        }
        Err(refusal) => {
            let search = Search::new(&keys, &args.rules, &verifier, now);
            search.run(&String::from_utf8_lossy(&text), refusal)
        }
    };
    let report = Report::new(&verdict, shape, &findings, now);
    match args.format {
        ReportFormat::Text => print_line(report.text().trim_end())?,
        ReportFormat::Json => print_line(json::line(&report))?,
    };
    Ok(ExitCode::from(Tally::of(&verdict).exit_status()))
}
