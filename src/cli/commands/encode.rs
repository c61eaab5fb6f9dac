//! The command `encode`: creates tokens from JSON.

use std::io::{self, BufRead as _, Cursor, Read};
use std::process::ExitCode;

use serde::de::IgnoredAny;
use signed_session::{Compress, EncodeError, SessionCodec, TimestampSigner};
use time::OffsetDateTime;

use crate::cli::args::{Bulk, ClockArg, KeyFiles, Limits, Purpose};
use crate::cli::bulk::answers::Answers;
use crate::cli::bulk::{self, Run, Task};
use crate::cli::failure::Failure;
use crate::cli::form::Shape;
use crate::cli::header::Header;
use crate::cli::json;
use crate::cli::keys::Keys;
use crate::cli::moment::Clock;
use crate::cli::salt::Salt;
use crate::cli::say;
use crate::cli::stdio::{self, MAX_TEXT_LEN, empty_input, print_line};
use crate::cli::verdict::Status;

/// Create tokens from JSON
///
/// Creates sessions unless --salt selects another kind of token. The JSON is written as Django
/// writes it, without white space and in ASCII; numbers keep every digit.
#[derive(clap::Args)]
#[command(after_long_help = "\
Standard input contains one JSON value, or one per line. A token is printed
for each value, in order. A line that cannot be encoded is reported on standard
error with its number. Compression takes almost all of the running time, as in
Django: --no-compress is many times faster, but creates longer tokens. Browsers
drop a cookie whose name and value have more than 4,096 bytes together, so a
warning is printed for a larger one.

Re-sign tokens with a new secret:
  signed-session decode --key-file old.key --max-age none < tokens.txt |
      signed-session encode --key-file new.key

  The timestamp of the new tokens is the current time, so tokens that had
  expired are valid again.

Exit status:
  0  everything was encoded
  1  some lines could not be encoded
  2  wrong usage, file or key, or nothing could be encoded

Examples:
  signed-session encode --key-file site.key '{\"user_id\": 42}'
  signed-session encode --key-file site.key --cookie sessionid '{\"user_id\": 42}'
  signed-session encode --key-file site.key --salt dumps '[1, 2]'
  signed-session encode --key-file site.key < objects.jsonl")]
pub(crate) struct Args {
    /// The JSON; if - or missing, it is read from standard input
    json: Option<String>,
    #[command(flatten)]
    keys: KeyFiles,
    #[command(flatten)]
    purpose: Purpose,
    /// Print a Set-Cookie header for a cookie with this name
    #[arg(long, value_name = "NAME")]
    cookie: Option<String>,
    /// Do not compress, even if that would be shorter
    #[arg(long)]
    no_compress: bool,
    #[command(flatten)]
    clock: ClockArg,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    bulk: Bulk,
}

/// Creates tokens from JSON.
struct Encoder {
    content: Content,
    compress: Compress,
    header: Header,
    clock: Clock,
    limits: Limits,
}

/// The content of the tokens.
enum Content {
    Session(Box<SessionCodec>),
    Object(Box<TimestampSigner>),
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&args.keys)?;
    let encoder = Encoder::new(&args, &keys)?;
    if let Some(text) = args.json.filter(|text| text != "-") {
        return encoder.encode_text(&text).map_err(|failure| match stdio::file_hint(&text) {
            Some(hint) => failure.hint(hint),
            None => failure,
        });
    }
    bulk::announce("JSON values");
    let len = bulk::input_len();
    let (begun, is_one_text) = begin()?;
    if is_one_text {
        let text = String::from_utf8(begun).map_err(|_| Failure::new("the input is not UTF-8"))?;
        return encoder.encode_text(&text);
    }
    let run = Run::new(&args.bulk, true);
    run.input(encoder, Cursor::new(begun).chain(io::stdin()), len)?;
    let tally = run.finish()?;
    // If no token was created, the command failed.
    Ok(if tally.has_any(Status::Ok) { bulk::status(&tally) } else { ExitCode::from(2) })
}

/// Reads standard input until it is known to be one value or a value per line.
///
/// It is a value per line if the first line is a complete value. Returns what was read, and `true`
/// if it is one value.
fn begin() -> Result<(Vec<u8>, bool), Failure> {
    let limit = u64::try_from(MAX_TEXT_LEN).unwrap_or(u64::MAX);
    let mut input = io::stdin().lock().take(limit);
    let mut begun = Vec::new();
    while begun.trim_ascii().is_empty() {
        let read =
            input.read_until(b'\n', &mut begun).map_err(|error| Failure::of_input(&error))?;
        if read == 0 {
            let is_all = begun.len() < MAX_TEXT_LEN;
            return if is_all { Err(empty_input()) } else { Ok((begun, false)) };
        }
    }
    if is_json(&begun) {
        return Ok((begun, false));
    }
    input.read_to_end(&mut begun).map_err(|error| Failure::of_input(&error))?;
    let lines = || begun.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    // A malformed text is reported as one value, unless at least half of its lines are objects: a
    // line within a broken object must never be signed as a session.
    let objects = lines().filter(|line| line.starts_with(b"{") && is_json(line)).count();
    let has_lines = objects.saturating_mul(2) >= lines().count();
    let is_one_text = begun.len() < MAX_TEXT_LEN && (is_json(&begun) || !has_lines);
    Ok((begun, is_one_text))
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

impl Encoder {
    fn new(args: &Args, keys: &Keys) -> Result<Self, Failure> {
        let salt = &args.purpose.salt;
        let compress = if args.no_compress { Compress::Never } else { Compress::IfShorter };
        let limits = args.limits;
        let content = if salt.is_of_objects(args.purpose.object)? {
            let signer = salt.signer(&keys.ring).max_payload_len(limits.max_payload_len);
            Content::Object(Box::new(signer))
        } else {
            let codec = SessionCodec::new(&keys.ring)
                .salt(salt.as_str())
                .compress(compress)
                .max_token_len(limits.max_token_len)
                .max_payload_len(limits.max_payload_len);
            Content::Session(Box::new(codec))
        };
        let usual = match (salt, &content) {
            (Salt::DbSession | Salt::Dumps, _) => None,
            (Salt::Messages, _) => Some("messages"),
            (_, Content::Session(_)) => Some("sessionid"),
            (_, Content::Object(_)) => None,
        };
        let header = Header::new(args.cookie.as_deref(), usual)?;
        Ok(Self { content, compress, header, clock: args.clock.clock(), limits })
    }

    /// Encodes a string that is one value, and prints the token.
    fn encode_text(&self, text: &str) -> Result<ExitCode, Failure> {
        let now = self.clock.now();
        let token = self.encode(text, false, now)?;
        self.header.warn(&token);
        print_line(self.line(token, now)?)
    }

    fn line(&self, token: String, now: OffsetDateTime) -> Result<String, Failure> {
        let reader = match &self.content {
            Content::Session(codec) => Some(&**codec),
            Content::Object(_) => None,
        };
        self.header.line(token, reader, now)
    }

    /// Returns the token for a JSON text: the entire input or one line.
    fn encode(&self, text: &str, is_line: bool, now: OffsetDateTime) -> Result<String, Failure> {
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Failure::new(if is_line {
                format!("the line is not JSON: error at column {column}")
            } else {
                format!("the input is not JSON: error at line {line}, column {column}")
            })
        })?;
        let json = json::compact(text);
        let token = match &self.content {
            Content::Session(codec) => codec.encode_json_at(&json, now),
            Content::Object(signer) => {
                signer.sign_json_at(&json, self.compress, now).and_then(|token| {
                    let (len, limit) = (token.len(), self.limits.max_token_len);
                    if len > limit {
                        return Err(EncodeError::TooLarge { len, limit, entries: Vec::new() });
                    }
                    Ok(token)
                })
            }
        };
        token.map_err(Failure::new)
    }
}

impl Task for Encoder {
    /// Returns the maximum length of a line.
    ///
    /// White space and characters beyond ASCII make a line longer than its payload.
    fn max_line_len(&self) -> usize {
        self.limits.max_payload_len.saturating_mul(2).saturating_add(64 * 1024)
    }

    fn clock(&self) -> Clock {
        self.clock
    }

    fn answer(&self, number: u64, line: &[u8], now: OffsetDateTime, answers: &mut Answers) {
        // Checked first, because the end of such a line was not read.
        let encoded = if line.len() > self.max_line_len() {
            Err(Failure::new("the line is too long (see --max-payload-len)"))
        } else if line.trim_ascii().is_empty() {
            return;
        } else {
            let text = str::from_utf8(line).map_err(|_| Failure::new("the line is not UTF-8"));
            text.and_then(|text| {
                let token = self.encode(text, true, now)?;
                if let Some(warning) = self.header.warning(&token) {
                    answers
                        .err
                        .push_str(&say::line("warning", format!("line {number}: {warning}")));
                }
                self.line(token, now)
            })
        };
        match encoded {
            Ok(line) => {
                answers.out.extend_from_slice(line.as_bytes());
                answers.out.push(b'\n');
                answers.tally.add(Status::Ok, Shape::default());
            }
            Err(failure) => {
                let message = format!("line {number}: {}", failure.message());
                answers.err.push_str(&say::line("error", message));
                answers.tally.add(Status::BadPayload, Shape::default());
            }
        }
    }
}
