//! The command `sign`: signs text.

use std::process::ExitCode;

use signed_session::Signer;

use crate::cli::args::{ClockArg, KeyFiles, TextPurpose};
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::salt::Salt;
use crate::cli::stdio::{print_line, read_text};

/// Sign text with a timestamp
///
/// Works like django.core.signing.TimestampSigner, or like Signer with --no-timestamp. The default
/// salt is that of the class, so signed text is never accepted as a session.
#[derive(clap::Args)]
#[command(after_help = "\
One newline at the end of standard input is ignored.

Examples:
  signed-session sign --key-file site.key --salt reset ada
  signed-session sign --key-file site.key --no-timestamp < text.txt")]
pub(crate) struct Args {
    /// The text; if - or missing, it is read from standard input
    text: Option<String>,
    #[command(flatten)]
    keys: KeyFiles,
    #[command(flatten)]
    purpose: TextPurpose,
    #[command(flatten)]
    clock: ClockArg,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&args.keys)?;
    let text = read_text(args.text)?;
    let salt = args.purpose.salt;
    let token = if args.purpose.no_timestamp {
        Signer::new(&keys.ring, Salt::of_undated_text(salt.as_ref())?).sign(&text)
    } else {
        let now = args.clock.clock().now();
        salt.unwrap_or_else(Salt::of_text).signer(&keys.ring).sign_at(&text, now)
    };
    print_line(&token)
}
