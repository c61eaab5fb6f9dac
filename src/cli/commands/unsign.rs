//! The command `unsign`: verifies signed text, and prints it.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::args::{Bulk, TextRules};
use crate::cli::bulk::answers::Layout;
use crate::cli::check;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::verify::Verifier;

/// Verify signed text and print it
///
/// By default (see --from), the input is read unchanged, because signed text may look like a cookie
/// or contain quotes.
#[derive(clap::Args)]
#[command(after_long_help = "\
On a terminal, characters other than printable ASCII are escaped; otherwise,
the text is printed unchanged. --format json and jsonl work as for decode; the
payload is a JSON string.

Exit status:
  0  all tokens are valid
  1  a token was refused
  2  wrong usage, file or key
  3  tokens were refused, all of them only because they have expired

Example:
  signed-session unsign --key-file site.key --salt reset --max-age 1h -- \"$TOKEN\"")]
pub(crate) struct Args {
    /// The tokens; if - or missing, one per line from standard input
    tokens: Vec<String>,
    #[command(flatten)]
    rules: TextRules,
    /// Output format
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    format: TextFormat,
    #[command(flatten)]
    bulk: Bulk,
}

#[derive(Clone, Copy, ValueEnum)]
enum TextFormat {
    /// The text
    Text,
    /// The text, as a JSON string
    Json,
    /// A JSON object for each token, valid or not
    Jsonl,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&args.rules.keys)?;
    let verifier = Verifier::of_text(&args.rules, &keys)?;
    let layout = match args.format {
        TextFormat::Json => Layout::Json,
        TextFormat::Jsonl => Layout::Records,
        TextFormat::Text if io::stdout().is_terminal() => Layout::EscapedText,
        TextFormat::Text => Layout::Text,
    };
    check::run(verifier, layout, &args.tokens, &args.bulk)
}
