//! The command `login`: creates the session of a logged-in Django user.

use std::path::PathBuf;
use std::process::ExitCode;

use signed_session::django::AuthUser;
use signed_session::{Session, SessionCodec};

use crate::cli::args::{ClockArg, KeyFiles};
use crate::cli::failure::Failure;
use crate::cli::header::Header;
use crate::cli::keys::{Keys, read_file};
use crate::cli::say;
use crate::cli::stdio::print_line;

/// Create a logged-in session for a user of a Django site
///
/// Use this for end-to-end tests that start logged in, on a site with sessions in signed cookies.
/// The session contains the entries that django.contrib.auth.login sets.
#[derive(clap::Args)]
#[command(after_long_help = "\
The password hash is the field `password` of the user's row, such as
pbkdf2_sha256$..., not the password itself. The session is bound to this hash,
so Django refuses the session once the password is changed.

  python manage.py shell -v 0 -c \"from django.contrib.auth import \\
  get_user_model; print(get_user_model().objects.get(pk=42).password)\" \\
  > hash.txt

Anyone who has the cookie is logged in as that user.

Examples:
  signed-session login --key-file site.key --user 42 --password-hash-file hash.txt
  signed-session login --key-file site.key --user 42 \\
      --password-hash-file hash.txt --cookie sessionid")]
pub(crate) struct Args {
    /// The user's primary key, as Django prints it
    #[arg(long, value_name = "ID")]
    user: String,
    /// Authentication backend of the login
    #[arg(long, value_name = "PATH", default_value = "django.contrib.auth.backends.ModelBackend")]
    backend: String,
    /// File with the password hash of the user's row
    #[arg(long, value_name = "FILE")]
    password_hash_file: PathBuf,
    #[command(flatten)]
    keys: KeyFiles,
    /// Print a Set-Cookie header for a cookie with this name
    #[arg(long, value_name = "NAME")]
    cookie: Option<String>,
    #[command(flatten)]
    clock: ClockArg,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&args.keys)?;
    let header = Header::new(args.cookie.as_deref(), Some("sessionid"))?;
    let (hash, _) = read_file("password hash", &args.password_hash_file)?;
    let hash = str::from_utf8(&hash).map_err(|_| Failure::new("the password hash is not UTF-8"))?;
    if args.user.is_empty() {
        return Err(Failure::new("the user's primary key is empty"));
    }
    if hash.is_empty() {
        return Err(Failure::new("the password hash is empty"));
    }
    // As in `django.contrib.auth.hashers.identify_hasher`: the algorithm precedes a `$`.
    if !hash.contains('$') && !hash.starts_with('!') {
        say::warning(
            "the password hash is not in a format that Django stores; is it the password itself?",
        );
    }
    let now = args.clock.clock().now();
    let mut session = Session::new();
    AuthUser::new(&keys.ring, &args.user, &args.backend, hash).login(&mut session, |_| false);
    let codec = SessionCodec::new(&keys.ring);
    let token = codec.encode_at(&session, now).map_err(Failure::new)?;
    header.warn(&token);
    print_line(header.line(token, Some(&codec), now)?)
}
