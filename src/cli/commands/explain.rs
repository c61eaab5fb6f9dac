//! The command `explain`: finds out why a token is refused.

use std::process::ExitCode;

use signed_session::environment::without_line_end;

use crate::cli::args::{ReportFormat, Rules};
use crate::cli::explain::causes::{Cause, Findings, inside};
use crate::cli::explain::report::Report;
use crate::cli::explain::search::Search;
use crate::cli::failure::Failure;
use crate::cli::json;
use crate::cli::keys::Keys;
use crate::cli::stdio::{self, print_line, read_bytes};
use crate::cli::tally::Tally;
use crate::cli::text;
use crate::cli::verdict::Refusal;
use crate::cli::verify::Verifier;

/// Say why a token is refused
///
/// Tries every key, the well-known salts and hashes, and the usual accidents: quotes,
/// percent-encoding, padding, white space, cut off, older Django, clocks. Says what is proved, and
/// what is a guess. Options are as for decode.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  signed-session explain --key-file site.key -- \"$TOKEN\"",
    after_long_help = "\
The token can stand in whatever was copied: a header, a command line, a row of
a table, JSON. Keys are also tried in the ways in which they may be stored
elsewhere: in quotes, in a line of settings, with $$ or &amp;, as UTF-16.

cause    is proved by trying it, as the line below it says
perhaps  is a guess from the looks of the token: \"guess\": true in JSON
not      was tried and explains nothing; with --verbose, and always in JSON

Exit status:
  as decode

Examples:
  signed-session explain --key-file site.key -- \"$TOKEN\"
  signed-session explain --key-file site.key --format json < token.txt"
)]
pub(crate) struct Args {
    /// The token; for - or none, standard input
    token: Option<String>,
    #[command(flatten)]
    rules: Rules,
    /// How to print: for people, or one object
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
    /// Also list what was tried and explains nothing
    #[arg(long, short)]
    verbose: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&args.rules.keys)?;
    let verifier = Verifier::new(&args.rules, &keys.ring)?;
    let file = args.token.as_deref().and_then(stdio::file_hint);
    let text = read_bytes(args.token, verifier.max_line_len())?;
    let now = verifier.clock.now();
    let (verdict, shape) = verifier.check_line(&text, now);
    let findings = match &verdict.result {
        Ok(_) => Findings::default(),
        Err(Refusal::Token(error)) if error.is_authentic() => {
            Findings { causes: vec![inside(&verifier, &text, error, now)], ruled_out: Vec::new() }
        }
        Err(_) if file.is_some() => {
            let says = "it is the name of a file, and not what is in the file";
            let cause = Cause { hint: file, ..Cause::new("file", says, "to find such a file") };
            Findings { causes: vec![cause], ruled_out: Vec::new() }
        }
        Err(refusal) => {
            let decoded = text::from_utf16(&text);
            let outside = decoded.is_some().then(|| {
                Cause::new("utf16", "it is text in UTF-16, as PowerShell writes", "to decode it")
            });
            let decoded = decoded.as_deref().map(|text| without_line_end(text));
            let line = String::from_utf8_lossy(decoded.unwrap_or(&text));
            Search::new(&keys, &args.rules, &verifier, now, &line).run(
                &line,
                refusal,
                outside.as_ref(),
            )
        }
    };
    let report = Report::new(&verdict, shape, &findings, &keys, now);
    match args.format {
        ReportFormat::Text => print_line(report.text(args.verbose).trim_end())?,
        ReportFormat::Json => print_line(json::line(&report))?,
    };
    Ok(ExitCode::from(Tally::of(&verdict).exit_status()))
}
