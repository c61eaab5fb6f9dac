//! The command `explain`: finds the cause of a refusal.

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

/// Explain why a token is refused
///
/// Tries every key, the well-known salts and hashes, and common mistakes: quotes, percent-encoding,
/// padding, white space, truncation, tokens of older Django versions, and wrong clocks. Reports
/// which causes are proven and which are guesses. Keys and rules are set as for decode.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  signed-session explain --key-file site.key -- \"$TOKEN\"",
    after_long_help = "\
The token can be part of copied text, such as a header, a command line, a row
of a table or JSON. Keys are also tried in other forms, in which they may be
stored elsewhere: in quotes, in a line of settings, with $$ or &amp;, as UTF-16.

cause    proven by the attempt in the line below
perhaps  a guess from the form of the token: \"guess\": true in JSON
not      ruled out by trying it; only with --verbose or in JSON

Exit status:
  as for decode

Examples:
  signed-session explain --key-file site.key -- \"$TOKEN\"
  signed-session explain --key-file site.key --format json < token.txt"
)]
pub(crate) struct Args {
    /// The token; if - or missing, it is read from standard input
    token: Option<String>,
    #[command(flatten)]
    rules: Rules,
    /// Output format
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
    /// Also list what was ruled out
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
            let says = "this is the name of a file, not its content";
            let cause = Cause { hint: file, ..Cause::new("file", says, "looking for such a file") };
            Findings { causes: vec![cause], ruled_out: Vec::new() }
        }
        Err(refusal) => {
            let decoded = text::from_utf16(&text);
            let outside = decoded.is_some().then(|| {
                Cause::new(
                    "utf16",
                    "it is encoded in UTF-16, as PowerShell writes it",
                    "decoding it",
                )
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
