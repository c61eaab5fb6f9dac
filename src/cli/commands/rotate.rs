//! The command `rotate`: prints the steps to deploy a secret, and tests each.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use signed_session::{ConfigError, Keyring, Session, SessionCodec};
use time::OffsetDateTime;

use crate::cli::args::ClockArg;
use crate::cli::failure::Failure;
use crate::cli::keys::{Keys, Secret};
use crate::cli::moment::{MaxAge, Span};
use crate::cli::say;
use crate::cli::stdio::print_lines;

/// Print the steps to deploy a new secret, and test each step
///
/// Prints the settings to deploy at each step. The order is such that nobody is logged out while
/// only some servers have the new settings. Each step is tested with tokens that are signed with
/// the old settings and verified with the new ones, and vice versa. No secret is printed.
#[derive(clap::Args)]
#[command(after_long_help = "\
Start a step when the previous step has reached every server. Step 1 can be
skipped if a single process serves all requests, or if all processes are
restarted at once. Django supports SECRET_KEY_FALLBACKS since 4.1.

Exit status:
  0  every step passed its test, and the plan was printed
  2  wrong usage, file or key, or a step failed its test

Example:
  signed-session keygen --out new.key
  signed-session rotate --old site.key --new new.key")]
pub(crate) struct Args {
    /// File with a secret in use; can be repeated: the first signs, all verify
    #[arg(long, value_name = "PATH", required = true)]
    old: Vec<PathBuf>,
    /// File with the new secret
    #[arg(long, value_name = "PATH")]
    new: PathBuf,
    /// Maximum age of a session: seconds, or 30m, 12h, 1d, 2w, or none
    #[arg(long, value_name = "AGE", default_value = "2w", allow_hyphen_values = true)]
    max_age: MaxAge,
    #[command(flatten)]
    clock: ClockArg,
}

/// A secret and its file.
#[derive(Clone, Copy)]
struct Key<'k> {
    path: &'k Path,
    secret: &'k Secret,
}

/// The keys of all servers after a step, of which the first signs.
struct Setting<'k>(Vec<Key<'k>>);

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let paths: Vec<PathBuf> = args.old.iter().chain([&args.new]).cloned().collect();
    let keys = Keys::from_files(&paths)?;
    let mut named = paths.iter().zip(&keys.secrets).map(|(path, secret)| Key { path, secret });
    let new = named.next_back().ok_or_else(|| Failure::new("no new key was given"))?;
    let old: Vec<Key<'_>> = named.collect();
    if let Some(same) = old.iter().find(|key| key.secret.bytes == new.secret.bytes) {
        let (new, same) = (new.path.display(), same.path.display());
        let failure =
            Failure::new(format_args!("the new key in {new} is the same as the key in {same}"));
        return Err(failure.hint("create another one with signed-session keygen --out new.key"));
    }
    let (first, retired) = old.split_first().ok_or_else(|| Failure::new("no old key was given"))?;
    let settings = [
        Setting([&[*first], retired].concat()),
        Setting([&[*first, new], retired].concat()),
        Setting([&[new, *first], retired].concat()),
        Setting(vec![new]),
    ];
    let now = args.clock.clock().now();
    let [begin, accept, sign, end] = &settings;
    for (number, before, after) in [(1, begin, accept), (2, accept, sign), (3, sign, end)] {
        try_step(number, before, after, now)?;
    }
    // Tokens signed with retired keys must be valid, too.
    for key in &begin.0 {
        let alone = Setting(vec![*key]);
        for (number, setting) in [(1, accept), (2, sign)] {
            if setting.reads(&alone, now)?.is_none() {
                let path = key.path.display();
                let message =
                    format!("step {number} failed: a token signed with {path} is refused");
                return Err(Failure::new(message));
            }
        }
    }
    if accept.reads(end, now)?.is_none() || end.reads(accept, now)?.is_some() {
        return Err(Failure::new("step 3 failed: it does not retire the old keys"));
    }
    print_lines(plan(&settings, args.max_age).as_bytes())
}

/// Tests a step: servers before and after it verify each other's tokens.
fn try_step(
    number: u8,
    before: &Setting<'_>,
    after: &Setting<'_>,
    now: OffsetDateTime,
) -> Result<(), Failure> {
    for (reader, signer) in [(before, after), (after, before)] {
        if reader.reads(signer, now)?.is_none() {
            let message = format_args!("step {number} failed: a token is refused");
            return Err(Failure::new(message));
        }
    }
    Ok(())
}

impl Setting<'_> {
    fn codec(&self) -> Result<SessionCodec, Failure> {
        let mut ring: Option<Result<Keyring, ConfigError>> = None;
        for key in &self.0 {
            ring = Some(match ring {
                None => Keyring::new(&key.secret.bytes),
                Some(ring) => ring.and_then(|ring| ring.fallback(&key.secret.bytes)),
            });
        }
        let ring = ring.ok_or_else(|| Failure::new("no key was given"))?.map_err(Failure::new)?;
        Ok(SessionCodec::new(&ring))
    }

    /// Returns the index of the key that verifies a token of the other setting.
    fn reads(&self, signer: &Self, now: OffsetDateTime) -> Result<Option<usize>, Failure> {
        let mut session = Session::new();
        session.insert("rotation", "a token to test the keys").map_err(Failure::new)?;
        let token = signer.codec()?.encode_at(&session, now).map_err(Failure::new)?;
        let read = self.codec()?.decode_at(&token, now).ok();
        Ok(read.filter(|read| read.to_json() == session.to_json()).and_then(|r| r.key_index()))
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|key| format!("<{}>", say::escape(&key.path.to_string_lossy()))).collect()
    }
}

fn plan(settings: &[Setting<'_>], max_age: MaxAge) -> String {
    let wait = match max_age.limit() {
        None => "sessions never expire: wait until those signed with the old keys may be dropped"
            .to_owned(),
        Some(limit) => format!(
            "no earlier than {} after step 2 has reached every server",
            Span(limit.as_secs())
        ),
    };
    let mut out = String::from("<PATH> stands for the secret in the file PATH.\n");
    for ((setting, title), (when, tried)) in settings
        .iter()
        .zip([
            "now",
            "step 1: accept the new key everywhere, before anyone signs with it",
            "step 2: sign with the new key",
            "step 3: remove the old keys",
        ])
        .zip([
            ("", ""),
            ("at any time", "tokens signed before the step are valid after it, and vice versa"),
            (
                "once step 1 has reached every server",
                "tokens signed before the step are valid after it, and vice versa",
            ),
            (&wait, "tokens signed since step 2 are valid, those signed before it are refused"),
        ])
    {
        let names = setting.names();
        let (signs, fallbacks) =
            names.split_first().map_or(("", &[][..]), |(f, r)| (f.as_str(), r));
        let rust = fallbacks.iter().fold(format!("Keyring::new({signs})?"), |rust, name| {
            rust + &format!(".fallback({name})?")
        });
        // Writing to a String cannot fail.
        let _ = writeln!(out, "\n{title}");
        let mut line = |name: &str, text: &str| {
            if !text.is_empty() {
                let _ = writeln!(out, "  {name:<8}{text}");
            }
        };
        line("when", when);
        line("Rust", &rust);
        line("Django", &format!("SECRET_KEY = {signs}"));
        line("", &format!("SECRET_KEY_FALLBACKS = [{}]", fallbacks.join(", ")));
        line("tested", tried);
    }
    out
}
