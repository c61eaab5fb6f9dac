//! Defines the options that commands share, and the meaning of their values.

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

/// By which rules a session or an object is good.
#[derive(Args)]
pub(crate) struct Rules {
    #[command(flatten)]
    pub(crate) keys: KeyFiles,
    #[command(flatten)]
    pub(crate) purpose: Purpose,
    /// How old a token may be: seconds, 30m, 12h, 1d, 2w, or none
    ///
    /// Defaults to 2w for session and for salts of your own, and to none for the others.
    #[arg(long, value_name = "AGE", allow_hyphen_values = true)]
    pub(crate) max_age: Option<MaxAge>,
    /// Refuse what was signed before this time
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    pub(crate) refuse_signed_before: Option<OffsetDateTime>,
    /// What ends a session: its own expiry or else --max-age, the shorter, or --max-age alone
    #[arg(long, value_enum, value_name = "RULE")]
    pub(crate) expiry_rule: Option<Rule>,
    #[command(flatten)]
    pub(crate) clock: ClockArg,
    #[command(flatten)]
    pub(crate) form: Form,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// By which rules signed text is good.
#[derive(Args)]
pub(crate) struct TextRules {
    #[command(flatten)]
    pub(crate) keys: KeyFiles,
    #[command(flatten)]
    pub(crate) purpose: TextPurpose,
    /// How old a token may be: seconds, 30m, 12h, 1d, 2w, or none
    #[arg(long, value_name = "AGE", default_value = "none", allow_hyphen_values = true)]
    pub(crate) max_age: MaxAge,
    /// Refuse what was signed before this time
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    pub(crate) refuse_signed_before: Option<OffsetDateTime>,
    #[command(flatten)]
    pub(crate) clock: ClockArg,
    /// In what the tokens come
    #[arg(long, value_enum, default_value_t = From::Token)]
    pub(crate) from: From,
    #[command(flatten)]
    pub(crate) cookie: CookieArg,
    /// The longest token, in bytes
    #[arg(hide_short_help = true, long, value_name = "BYTES", default_value_t = MAX_TOKEN_LEN, value_parser = bytes, allow_hyphen_values = true)]
    pub(crate) max_token_len: usize,
}

#[derive(Args)]
pub(crate) struct KeyFiles {
    /// A file with a secret; the first signs, the others are fallbacks
    ///
    /// A byte order mark and one line end are dropped. Without this option the environment is read.
    #[arg(long = "key-file", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Purpose {
    /// What the tokens are for: session, db-session, dumps, messages, or any text
    #[arg(long, default_value = "session")]
    pub(crate) salt: Salt,
    /// Under a salt of your own: any JSON, and no session
    ///
    /// As signing.dumps(obj, salt=...).
    #[arg(long)]
    pub(crate) object: bool,
}

#[derive(Args)]
pub(crate) struct TextPurpose {
    /// What the tokens are for: any text, or a name as for decode
    ///
    /// Defaults to Django's own for text, with or without a timestamp.
    #[arg(long)]
    pub(crate) salt: Option<Salt>,
    /// Without the time, as Django's Signer: such a token never expires
    #[arg(long)]
    pub(crate) no_timestamp: bool,
}

#[derive(Args)]
pub(crate) struct ClockArg {
    /// What time it is: Unix seconds, RFC 3339 or a date
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
    /// In what the tokens come
    ///
    /// A bare token; or a Cookie or Set-Cookie header, also as curl -v shows it, name=value, or a row
    /// of a browser's tools or of a cookies.txt. auto knows them apart, takes off quotes and
    /// percent-encoding, and says so.
    #[arg(long, value_enum, default_value_t = From::Auto)]
    pub(crate) from: From,
    #[command(flatten)]
    pub(crate) cookie: CookieArg,
}

#[derive(Args)]
pub(crate) struct CookieArg {
    /// The cookie that holds the token
    #[arg(long, value_name = "NAME", default_value = "sessionid")]
    cookie_name: String,
}

impl CookieArg {
    /// Returns the options of the cookie with that name.
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
    /// The longest token, in bytes
    #[arg(hide_short_help = true, long, value_name = "BYTES", default_value_t = MAX_TOKEN_LEN, value_parser = bytes, allow_hyphen_values = true)]
    pub(crate) max_token_len: usize,
    /// The most JSON in a token, in bytes
    #[arg(hide_short_help = true, long, value_name = "BYTES", default_value_t = MAX_PAYLOAD_LEN, value_parser = bytes, allow_hyphen_values = true)]
    pub(crate) max_payload_len: usize,
}

#[derive(Args)]
pub(crate) struct Bulk {
    /// Count the tokens by status at the end, on standard error
    #[arg(long)]
    pub(crate) summary: bool,
    /// How many threads read standard input
    ///
    /// Defaults to one per core.
    #[arg(hide_short_help = true, long, value_name = "N", value_parser = threads, allow_hyphen_values = true)]
    pub(crate) threads: Option<NonZeroUsize>,
}

/// Reads a number of bytes.
fn bytes(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_| match text.strip_prefix('-').is_some_and(is_number) {
        true => "negative: it is 0 or more",
        false if is_number(text) => "more bytes than can be counted",
        false => "not a whole number of bytes",
    })
}

/// Reads a number of threads.
fn threads(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| match text.strip_prefix('-').is_some_and(is_number) {
        true => "negative: it is 1 or more",
        false if is_number(text) => "it is 1 or more, and no more than can be counted",
        false => "not a whole number",
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum From {
    Auto,
    Token,
    Cookie,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rule {
    Enforce,
    Shorter,
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
