//! Defines the commands and options, of which help, manual page and completions are made.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use signed_session::ExpiryRule;
use time::OffsetDateTime;

use crate::cli::moment::{self, Clock, MaxAge};
use crate::cli::salt::Salt;

/// Make, verify and explain the signed tokens of Django and of signed-session
///
/// A token is a payload, the time and a signature: sessions in a cookie, rows of the session table,
/// signing.dumps, messages, signed text. This program makes them, tells whether they are genuine,
/// when and by which key they were signed and what is in them, and why they are refused.
#[derive(Parser)]
#[command(name = "signed-session", version, disable_help_subcommand = true, after_help = PAGE)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const PAGE: &str = "\
Keys:
  Never in an argument, which every user of the machine can see. --key-file
  PATH, given more than once, names the files: the first signs, the others
  hold retired secrets that are still accepted. Of each file exactly one
  newline at its end (LF or CR LF) is dropped; all else is the secret,
  newlines, commas and any bytes included. Without --key-file the
  environment is read:

  SIGNED_SESSION_KEY            the secret, taken as it stands
  SIGNED_SESSION_FALLBACK_KEYS  retired secrets, one a line (a secret that
                                holds a newline needs a file)

Salts:
  A token is good for one purpose, its salt. --salt takes one of these
  names, or any other text; text:session is the text `session`.

  session     sessions in a cookie (signed_cookies); expire after two weeks
  db-session  session_data of the database, cache and file backends
  dumps       signing.dumps: any JSON
  messages    the cookie of django.contrib.messages

Exit status:
  0    every token is good, or the work is done
  1    a token was refused
  2    usage, a file or a key is wrong, or there was no token at all
  3    every token that was refused is genuine and merely expired
  130  Ctrl-C, after a whole line
  141  nobody read the output to its end

Examples:
  (umask 077 && signed-session keygen > site.key)
  signed-session encode --key-file site.key '{\"user_id\": 42}'
  signed-session decode --key-file site.key -- \"$TOKEN\"
  signed-session decode --key-file site.key --format jsonl --summary < tokens.txt
  signed-session explain --key-file site.key -- \"$TOKEN\"

Notes:
  Write -- before a token that comes from others: it may look like an option.
  Messages are lines on standard error: error, hint, warning, note.";

#[derive(Subcommand)]
pub(crate) enum Command {
    Encode(Encode),
    Decode(Decode),
    Sign(Sign),
    Unsign(Unsign),
    Inspect(Inspect),
    Explain(Explain),
    /// Make a secret from the system's random source
    ///
    /// Prints 67 characters, letters, digits, - and _, which hold 400 random bits, and a newline.
    #[command(after_help = "Example:\n  (umask 077 && signed-session keygen > site.key)")]
    Keygen,
    /// Print completions for a shell
    #[command(after_help = "Example:\n  source <(signed-session completions bash)")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, of the whole or of one command
    #[command(after_help = "Example:\n  signed-session man | man -l -")]
    Man {
        /// The command
        command: Option<String>,
    },
}

/// Make a token of JSON
///
/// A session unless the salt says otherwise. The JSON is written as Python writes it, without white
/// space and in ASCII; numbers keep every digit.
#[derive(Args)]
#[command(after_help = "\
Examples:
  signed-session encode --key-file site.key '{\"user_id\": 42}'
  signed-session encode --key-file site.key --salt dumps '[1, 2]'")]
pub(crate) struct Encode {
    /// The JSON; for - or none, standard input
    pub(crate) json: Option<String>,
    #[command(flatten)]
    pub(crate) keys: KeyFiles,
    #[command(flatten)]
    pub(crate) purpose: Purpose,
    /// Do not compress, even if that would be shorter
    #[arg(long)]
    pub(crate) no_compress: bool,
    #[command(flatten)]
    pub(crate) clock: ClockArg,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// Verify tokens and print what is in them
///
/// Only a payload that was verified is printed. Standard input holds one token a line; empty lines
/// are passed over.
#[derive(Args)]
#[command(after_help = "\
With --format jsonl there is an object for each token, in order, good or not,
with line, status, signed_at (RFC 3339), signed_at_unix, age (in seconds),
key_index (0 is the key that signs) and payload; what is not known is null.
status is one of ok, expired, not_yet_valid, revoked, bad_signature,
malformed, too_long, bad_payload. The other formats say on standard error
what was refused.

Exit status:
  0  all good
  1  refused
  2  usage, files or keys
  3  genuine but expired

Examples:
  signed-session decode --key-file site.key -- \"$TOKEN\"
  signed-session decode --key-file site.key --max-age none --format pretty < token.txt
  signed-session decode --key-file site.key --from cookie -- \"Cookie: sessionid=$TOKEN\"
  signed-session decode --key-file site.key --format jsonl < tokens.txt")]
pub(crate) struct Decode {
    /// The tokens; for - or none, standard input, one a line
    pub(crate) tokens: Vec<String>,
    #[command(flatten)]
    pub(crate) rules: Rules,
    /// How to print: a line of JSON, an object a token, or JSON over several lines
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) bulk: Bulk,
}

/// Sign text, with the time
///
/// As django.core.signing.TimestampSigner, or with --no-timestamp Signer, and under their own salts
/// unless told otherwise: text is never good as a session.
#[derive(Args)]
#[command(after_help = "\
Of standard input one newline at the end is dropped.

Examples:
  signed-session sign --key-file site.key --salt reset ada
  signed-session sign --key-file site.key --no-timestamp < text.txt")]
pub(crate) struct Sign {
    /// The text; for - or none, standard input
    pub(crate) text: Option<String>,
    #[command(flatten)]
    pub(crate) keys: KeyFiles,
    #[command(flatten)]
    pub(crate) text_purpose: TextPurpose,
    #[command(flatten)]
    pub(crate) clock: ClockArg,
}

/// Verify signed text and print it
///
/// Text may look like a cookie or hold quotes: it is taken as it stands, unless --from says otherwise.
#[derive(Args)]
#[command(after_help = "\
On a terminal, characters that could steer it are shown as escapes; elsewhere
the text is printed as it was signed. --format json and jsonl are as for
decode, the payload a JSON string.

Exit status:
  0  all good
  1  refused
  2  usage, files or keys
  3  genuine but expired

Example:
  signed-session unsign --key-file site.key --salt reset --max-age 1h -- \"$TOKEN\"")]
pub(crate) struct Unsign {
    /// The tokens; for - or none, standard input, one a line
    pub(crate) tokens: Vec<String>,
    #[command(flatten)]
    pub(crate) keys: KeyFiles,
    #[command(flatten)]
    pub(crate) text_purpose: TextPurpose,
    /// How old a token may be: seconds, 30m, 12h, 1d, 2w, or none
    #[arg(long, value_name = "AGE", default_value = "none")]
    pub(crate) max_age: MaxAge,
    /// Refuse what was signed before this time
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub(crate) not_before: Option<OffsetDateTime>,
    #[command(flatten)]
    pub(crate) clock: ClockArg,
    /// In what the tokens come
    #[arg(long, value_enum, default_value_t = From::Token)]
    pub(crate) from: From,
    #[command(flatten)]
    pub(crate) cookie: CookieArg,
    /// The longest token, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = MAX_TOKEN_LEN)]
    pub(crate) max_token_len: usize,
    /// How to print: the text, a line of JSON, or an object a token
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub(crate) format: TextFormat,
    #[command(flatten)]
    pub(crate) bulk: Bulk,
}

/// Show what is in a token without a key, unverified
///
/// Anybody may have written what this shows: it proves nothing, and says so.
#[derive(Args)]
#[command(after_help = "\
Example:
  signed-session inspect -- \"$TOKEN\"")]
pub(crate) struct Inspect {
    /// The token; for - or none, standard input
    pub(crate) token: Option<String>,
    /// How to print: for people, or one object
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
    #[command(flatten)]
    pub(crate) clock: ClockArg,
    #[command(flatten)]
    pub(crate) form: Form,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// Say why a token is refused
///
/// Tries every key, the well-known salts and hashes, and the usual accidents: quotes,
/// percent-encoding, padding, white space, cut off, older Django, clocks. Options are as for decode.
#[derive(Args)]
#[command(after_help = "\
Exit status:
  as decode

Example:
  signed-session explain --key-file site.key -- \"$TOKEN\"")]
pub(crate) struct Explain {
    /// The token; for - or none, standard input
    pub(crate) token: Option<String>,
    #[command(flatten)]
    pub(crate) rules: Rules,
    /// How to print: for people, or one object
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
}

const MAX_TOKEN_LEN: usize = 64 * 1024;
const MAX_PAYLOAD_LEN: usize = 1024 * 1024;

/// By which rules a token is good.
#[derive(Args)]
pub(crate) struct Rules {
    #[command(flatten)]
    pub(crate) keys: KeyFiles,
    #[command(flatten)]
    pub(crate) purpose: Purpose,
    /// How old a token may be: seconds, 30m, 12h, 1d, 2w, or none
    ///
    /// Unless told otherwise 2w for session and salts of your own, none for the others.
    #[arg(long, value_name = "AGE")]
    pub(crate) max_age: Option<MaxAge>,
    /// Refuse what was signed before this time
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub(crate) not_before: Option<OffsetDateTime>,
    /// Whose word counts: the session's own expiry before --max-age, the shorter, or --max-age alone
    #[arg(long, value_enum, value_name = "RULE")]
    pub(crate) expiry_rule: Option<Rule>,
    #[command(flatten)]
    pub(crate) clock: ClockArg,
    #[command(flatten)]
    pub(crate) form: Form,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

#[derive(Args)]
pub(crate) struct KeyFiles {
    /// A file that holds a secret; the first signs, the others are fallbacks
    ///
    /// One newline at its end is dropped. Without this option the environment is read.
    #[arg(long = "key-file", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Purpose {
    /// What the tokens are for: session, db-session, dumps, messages, or any text
    #[arg(long, default_value = "session")]
    pub(crate) salt: Salt,
    /// Under a salt of your own: any JSON, as signing.dumps(obj, salt=...), and no session
    #[arg(long)]
    pub(crate) object: bool,
}

#[derive(Args)]
pub(crate) struct TextPurpose {
    /// What the tokens are for: any text, or a name as for decode
    ///
    /// Unless told otherwise Django's own for text, with or without a timestamp.
    #[arg(long)]
    pub(crate) salt: Option<Salt>,
    /// Without the time, as Django's Signer: such a token never expires
    #[arg(long)]
    pub(crate) no_timestamp: bool,
}

#[derive(Args)]
pub(crate) struct ClockArg {
    /// What time it is: Unix seconds or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    at: Option<OffsetDateTime>,
}

impl ClockArg {
    pub(crate) fn clock(&self) -> Clock {
        Clock(self.at)
    }
}

#[derive(Args)]
pub(crate) struct Form {
    /// In what the tokens come: a bare token, or a Cookie or Set-Cookie header or name=value
    ///
    /// auto knows them apart, takes off quotes and percent-encoding, and says so.
    #[arg(long, value_enum, default_value_t = From::Auto)]
    pub(crate) from: From,
    #[command(flatten)]
    pub(crate) cookie: CookieArg,
}

#[derive(Args)]
pub(crate) struct CookieArg {
    /// The name of the cookie that holds the token
    #[arg(long, value_name = "NAME", default_value = "sessionid")]
    pub(crate) cookie_name: String,
}

#[derive(Args)]
pub(crate) struct Limits {
    /// The longest token, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = MAX_TOKEN_LEN)]
    pub(crate) max_token_len: usize,
    /// The most JSON in a token, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = MAX_PAYLOAD_LEN)]
    pub(crate) max_payload_len: usize,
}

#[derive(Args)]
pub(crate) struct Bulk {
    /// Count the tokens by status on standard error at the end
    #[arg(long)]
    pub(crate) summary: bool,
    /// How many threads read standard input; unless told otherwise one a core
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum From {
    Auto,
    Token,
    Cookie,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Json,
    Jsonl,
    Pretty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextFormat {
    Text,
    Json,
    Jsonl,
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
