//! The command `encode`: creates a token from JSON.

use std::process::ExitCode;

use serde::de::IgnoredAny;
use signed_session::{Compress, EncodeError, SessionCodec};

use crate::cli::args::{ClockArg, KeyFiles, Limits, Purpose};
use crate::cli::failure::Failure;
use crate::cli::json;
use crate::cli::keys::Keys;
use crate::cli::stdio::{print_line, read_text};

/// Make a token of JSON
///
/// A session unless the salt says otherwise. The JSON is written as Python writes it, without white
/// space and in ASCII; numbers keep every digit.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  signed-session encode --key-file site.key '{\"user_id\": 42}'
  signed-session encode --key-file site.key --salt dumps '[1, 2]'")]
pub(crate) struct Args {
    /// The JSON; for - or none, standard input
    json: Option<String>,
    #[command(flatten)]
    keys: KeyFiles,
    #[command(flatten)]
    purpose: Purpose,
    /// Do not compress, even if that would be shorter
    #[arg(long)]
    no_compress: bool,
    #[command(flatten)]
    clock: ClockArg,
    #[command(flatten)]
    limits: Limits,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&args.keys)?;
    let salt = args.purpose.salt;
    let is_object = salt.is_of_objects(args.purpose.object)?;
    let text = read_text(args.json)?;
    serde_json::from_str::<IgnoredAny>(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::new(format_args!("the input is not JSON, from line {line}, column {column}"))
    })?;
    let json = json::compact(&text);
    let compress = if args.no_compress { Compress::Never } else { Compress::IfShorter };
    let now = args.clock.clock().now();
    let token = if is_object {
        let signer = salt.signer(&keys.ring).max_payload_len(args.limits.max_payload_len);
        signer.sign_json_at(&json, compress, now).and_then(|token| {
            let (len, limit) = (token.len(), args.limits.max_token_len);
            if len > limit {
                return Err(EncodeError::TooLarge { len, limit, entries: Vec::new() });
            }
            Ok(token)
        })
    } else {
        SessionCodec::new(&keys.ring)
            .salt(salt.as_str())
            .compress(compress)
            .max_token_len(args.limits.max_token_len)
            .max_payload_len(args.limits.max_payload_len)
            .encode_json_at(&json, now)
    };
    print_line(&token.map_err(Failure::new)?)
}
