//! The command `decode`: verifies sessions and objects, and prints them.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::args::{Bulk, Rules};
use crate::cli::bulk::answers::Layout;
use crate::cli::check;
use crate::cli::ended::EndedArgs;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::verify::Verifier;

/// Verify tokens and print their payload
///
/// Only verified payloads are printed. Standard input contains one token per line; empty lines are
/// skipped.
#[derive(clap::Args)]
#[command(after_long_help = "\
With --format jsonl, an object is printed for each token, valid or not, in
order, with the fields line, status, signed_at (RFC 3339), signed_at_unix, age
(in seconds), key_index (0 is the key that signs) and payload; unknown values
are null. status is one of ok, expired, not_yet_valid, signed_too_early,
revoked, bad_signature, malformed, too_long, bad_payload. The other formats
report refused tokens on standard error.

Exit status:
  0  all tokens are valid
  1  a token was refused
  2  wrong usage, file or key
  3  tokens were refused, all of them only because they have expired

Examples:
  signed-session decode --key-file site.key -- \"$TOKEN\"
  signed-session decode --key-file site.key --max-age none --format pretty < token.txt
  signed-session decode --key-file site.key --from cookie -- \"Cookie: sessionid=$TOKEN\"
  signed-session decode --key-file site.key --format jsonl < tokens.txt
  signed-session decode --key-file site.key --revocations ended.jsonl < tokens.txt")]
pub(crate) struct Args {
    /// The tokens; if - or missing, one per line from standard input
    tokens: Vec<String>,
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    ended: EndedArgs,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    #[command(flatten)]
    bulk: Bulk,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// The payload, as one line of JSON
    Json,
    /// A JSON object for each token, valid or not
    Jsonl,
    /// The payload, as indented JSON
    Pretty,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&args.rules.keys)?;
    let verifier = Verifier::new(&args.rules, &keys.ring)?.refuse_ended(&args.ended)?;
    let layout = match args.format {
        Format::Json => Layout::Json,
        Format::Jsonl => Layout::Records,
        Format::Pretty => Layout::Pretty,
    };
    check::run(verifier, layout, &args.tokens, &args.bulk)
}
