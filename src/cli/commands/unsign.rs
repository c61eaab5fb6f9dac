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
/// Text may look like a cookie or hold quotes: it is taken as it stands, unless --from says otherwise.
#[derive(clap::Args)]
#[command(after_long_help = "\
On a terminal, characters that could steer it are shown as escapes; elsewhere
the text is printed as it was signed. --format json and jsonl are as for
decode, the payload a JSON string.

Exit status:
  0  all good
  1  refused
  2  usage, files or keys
  3  genuine but expired

Example:
  signed-session unsign --key-file site.key --salt reset --max-age 1h -- \"$TOKEN\"")]
pub(crate) struct Args {
    /// The tokens; for - or none, standard input, one per line
    tokens: Vec<String>,
    #[command(flatten)]
    rules: TextRules,
    /// How to print: the text, a line of JSON, or an object a token
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    format: TextFormat,
    #[command(flatten)]
    bulk: Bulk,
}

#[derive(Clone, Copy, ValueEnum)]
enum TextFormat {
    Text,
    Json,
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
