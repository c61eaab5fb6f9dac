//! The command `keygen`: creates a secret.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::cli::stdio::print_line;

/// Generate a secret from the system's random source
///
/// Prints 67 characters (letters, digits, - and _) with 400 random bits, and a newline.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  signed-session keygen --out site.key")]
pub(crate) struct Args {
    /// Write the secret to this new file, which only its owner can read
    ///
    /// An existing file is not overwritten.
    #[arg(long, short, value_name = "PATH")]
    out: Option<PathBuf>,
}

/// As many random bytes as Python's `secrets.token_urlsafe(50)`.
const SECRET_LEN: usize = 50;

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut bytes = Zeroizing::new([0; SECRET_LEN]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| {
        Failure::new(format_args!("cannot read the system's random source: {error}"))
    })?;
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    let Some(path) = &args.out else { return print_line(secret) };
    write_new(path, &secret).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::new(format_args!("{} already exists and was not overwritten", path.display()))
                .hint("write the new secret to a new file; see signed-session rotate --help")
        }
        _ => Failure::new(format_args!("cannot write {}: {error}", path.display())),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a secret to a new file, which only its owner can ever open.
fn write_new(path: &Path, secret: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(secret.as_bytes()).and_then(|()| file.write_all(b"\n"));
    let written = written.and_then(|()| file.sync_all());
    if written.is_err() {
        // A part of a secret must not be mistaken for a complete one.
        let _ = fs::remove_file(path);
    }
    written
}
