//! Defines the options that commands share, and parses their values.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use signed_session::{CookieOptions, ExpiryRule};
use time::OffsetDateTime;

use crate::cli::failure::Failure;
use crate::cli::moment::{self, Clock, MaxAge};
use crate::cli::salt::Salt;

const MAX_TOKEN_LEN: usize = 64 * 1024;
const MAX_PAYLOAD_LEN: usize = 1024 * 1024;

/// The rules by which a session or an object is verified.
#[derive(Args)]
pub(crate) struct Rules {
    #[command(flatten)]
    pub(crate) keys: KeyFiles,
    #[command(flatten)]
    pub(crate) purpose: Purpose,
    /// Maximum age of a token: seconds, or 30m, 12h, 1d, 2w, or none
    ///
    /// Defaults to 2w for sessions, and to none for objects and for the salt db-session.
    #[arg(long, value_name = "AGE", allow_hyphen_values = true)]
    pub(crate) max_age: Option<MaxAge>,
    /// Refuse tokens that were signed before this time
    ///
    /// Also refuses sessions that started before it.
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    pub(crate) refuse_signed_before: Option<OffsetDateTime>,
    /// Which expiry applies to a session: its own or --max-age
    #[arg(long, value_enum, value_name = "RULE")]
    pub(crate) expiry_rule: Option<Rule>,
    #[command(flatten)]
    pub(crate) clock: ClockArg,
    #[command(flatten)]
    pub(crate) form: Form,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// The rules by which signed text is verified.
#[derive(Args)]
pub(crate) struct TextRules {
    #[command(flatten)]
    pub(crate) keys: KeyFiles,
    #[command(flatten)]
    pub(crate) purpose: TextPurpose,
    /// Maximum age of a token: seconds, or 30m, 12h, 1d, 2w, or none
    #[arg(long, value_name = "AGE", default_value = "none", allow_hyphen_values = true)]
    pub(crate) max_age: MaxAge,
    /// Refuse tokens that were signed before this time
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    pub(crate) refuse_signed_before: Option<OffsetDateTime>,
    #[command(flatten)]
    pub(crate) clock: ClockArg,
    /// Form of the input
    #[arg(long, value_enum, default_value_t = From::Token)]
    pub(crate) from: From,
    #[command(flatten)]
    pub(crate) cookie: CookieArg,
    /// Maximum length of a token, in bytes
    #[arg(hide_short_help = true, long, value_name = "BYTES", default_value_t = MAX_TOKEN_LEN, value_parser = bytes, allow_hyphen_values = true)]
    pub(crate) max_token_len: usize,
}

#[derive(Args)]
pub(crate) struct KeyFiles {
    /// File with a secret; can be repeated: the first signs, all verify
    ///
    /// A byte order mark and one line end of the file are ignored. Without this option, the secrets
    /// are read from the environment.
    #[arg(long = "key-file", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

const SALT_HELP: &str = "\
    Purpose of the tokens: session, db-session, dumps, messages, or any text\n\n\
    The salt of SessionCodec::named(.., \"shop\") is signed_session.named:shop.";

#[derive(Args)]
pub(crate) struct Purpose {
    /// Purpose of the tokens: session, db-session, dumps, messages, or any text
    #[arg(long, default_value = "session", long_help = SALT_HELP)]
    pub(crate) salt: Salt,
    /// With a custom salt: any JSON value instead of a session
    ///
    /// Such tokens are those of signing.dumps(obj, salt=...).
    #[arg(long)]
    pub(crate) object: bool,
}

#[derive(Args)]
pub(crate) struct TextPurpose {
    /// Purpose of the tokens: any text, or a name as for decode
    ///
    /// Defaults to the salt of signing.TimestampSigner, or of signing.Signer with --no-timestamp.
    #[arg(long)]
    pub(crate) salt: Option<Salt>,
    /// No timestamp, as in Django's Signer: such a token never expires
    #[arg(long)]
    pub(crate) no_timestamp: bool,
}

#[derive(Args)]
pub(crate) struct ClockArg {
    /// Use this as the current time: Unix seconds, RFC 3339 or a date
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    at: Option<OffsetDateTime>,
}

impl ClockArg {
    pub(crate) fn clock(&self) -> Clock {
        Clock(self.at)
    }
}

#[derive(Args)]
pub(crate) struct Form {
    /// Form of the input
    #[arg(long, value_enum, default_value_t = From::Auto)]
    pub(crate) from: From,
    #[command(flatten)]
    pub(crate) cookie: CookieArg,
}

#[derive(Args)]
pub(crate) struct CookieArg {
    /// Name of the cookie that contains the token
    #[arg(long, value_name = "NAME", default_value = "sessionid")]
    cookie_name: String,
}

impl CookieArg {
    /// Returns the options of a cookie with that name.
    ///
    /// # Errors
    ///
    /// If the name is not valid for a cookie.
    pub(crate) fn options(&self) -> Result<CookieOptions, Failure> {
        CookieOptions::new(&self.cookie_name).map_err(Failure::new)
    }
}

#[derive(Args, Clone, Copy)]
pub(crate) struct Limits {
    /// Maximum length of a token, in bytes
    #[arg(hide_short_help = true, long, value_name = "BYTES", default_value_t = MAX_TOKEN_LEN, value_parser = bytes, allow_hyphen_values = true)]
    pub(crate) max_token_len: usize,
    /// Maximum size of a token's JSON, in bytes
    #[arg(hide_short_help = true, long, value_name = "BYTES", default_value_t = MAX_PAYLOAD_LEN, value_parser = bytes, allow_hyphen_values = true)]
    pub(crate) max_payload_len: usize,
}

#[derive(Args)]
pub(crate) struct Bulk {
    /// Print the number of tokens per status to standard error at the end
    #[arg(long)]
    pub(crate) summary: bool,
    /// Number of threads that process standard input
    ///
    /// Defaults to one per core.
    #[arg(hide_short_help = true, long, value_name = "N", value_parser = threads, allow_hyphen_values = true)]
    pub(crate) threads: Option<NonZeroUsize>,
}

/// Reads a number of bytes.
fn bytes(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_| match text.strip_prefix('-').is_some_and(is_number) {
        true => "must not be negative",
        false if is_number(text) => "the number is too large",
        false => "not a whole number of bytes",
    })
}

/// Reads a number of threads.
fn threads(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| match text.strip_prefix('-').is_some_and(is_number) {
        true => "must be at least 1",
        false if is_number(text) => "out of range: must be at least 1",
        false => "not a whole number",
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum From {
    /// Detects the form, removes quotes and percent-encoding, and prints a note
    /// unless the token is bare
    Auto,
    /// A bare token
    Token,
    /// A Cookie or Set-Cookie header, also as printed by curl -v; name=value;
    /// or a row of a browser's developer tools or of a cookies.txt
    Cookie,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// Lines for people
    Text,
    /// One JSON object
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rule {
    /// Default: the session's own expiry, or --max-age if it has none
    Enforce,
    /// The session's own expiry or --max-age, whichever comes first
    Shorter,
    /// --max-age alone; a timestamp in the future is accepted too, as in Django
    Django,
}

impl Rule {
    pub(crate) fn rule(self) -> ExpiryRule {
        match self {
            Self::Enforce => ExpiryRule::Enforce,
            Self::Shorter => ExpiryRule::Shorter,
            Self::Django => ExpiryRule::Django,
        }
    }
}
