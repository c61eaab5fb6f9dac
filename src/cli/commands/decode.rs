//! The command `decode`: verifies sessions and objects, and prints their content.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::args::{Bulk, Rules};
use crate::cli::bulk::answers::Layout;
use crate::cli::check;
use crate::cli::ended::EndedArgs;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::verify::Verifier;

/// Verify tokens and print what is in them
///
/// Only a payload that was verified is printed. Standard input holds one token a line; empty lines
/// are passed over.
#[derive(clap::Args)]
#[command(after_long_help = "\
With --format jsonl there is an object for each token, in order, good or not,
with line, status, signed_at (RFC 3339), signed_at_unix, age (in seconds),
key_index (0 is the key that signs) and payload; what is not known is null.
status is one of ok, expired, not_yet_valid, signed_too_early, revoked,
bad_signature, malformed, too_long, bad_payload. The other formats say on
standard error what was refused.

Exit status:
  0  all good
  1  refused
  2  usage, files or keys
  3  genuine but expired

Examples:
  signed-session decode --key-file site.key -- \"$TOKEN\"
  signed-session decode --key-file site.key --max-age none --format pretty < token.txt
  signed-session decode --key-file site.key --from cookie -- \"Cookie: sessionid=$TOKEN\"
  signed-session decode --key-file site.key --format jsonl < tokens.txt
  signed-session decode --key-file site.key --revocations ended.jsonl < tokens.txt")]
pub(crate) struct Args {
    /// The tokens; for - or none, standard input, one per line
    tokens: Vec<String>,
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    ended: EndedArgs,
    /// How to print: the JSON, a record for each token, or indented JSON
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    #[command(flatten)]
    bulk: Bulk,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Jsonl,
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
