//! The command `keygen`: creates a secret.

use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::cli::stdio::print_line;

/// Make a secret from the system's random source
///
/// Prints 67 characters, letters, digits, - and _, which hold 400 random bits, and a newline.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  (umask 077 && signed-session keygen > site.key)")]
pub(crate) struct Args;

/// As many random bytes as `secrets.token_urlsafe(50)`.
const SECRET_LEN: usize = 50;

pub(crate) fn run() -> Result<ExitCode, Failure> {
    let mut bytes = Zeroizing::new([0; SECRET_LEN]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| {
        Failure::new(format_args!("the system's random source cannot be read: {error}"))
    })?;
    print_line(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}
