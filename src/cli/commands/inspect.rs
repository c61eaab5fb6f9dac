//! The command `inspect`: shows the content of a token without verifying it.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Serialize;
use serde::de::IgnoredAny;
use signed_session::{DecodeError, Unverified};
use time::OffsetDateTime;

use crate::cli::args::{ClockArg, Form, Limits, ReportFormat};
use crate::cli::failure::Failure;
use crate::cli::form::{self, Found};
use crate::cli::json;
use crate::cli::moment;
use crate::cli::old_session::OldSession;
use crate::cli::say;
use crate::cli::signature;
use crate::cli::stdio::{self, print_line, read_bytes};
use crate::cli::verdict::Refusal;

/// Show the content of a token without a key, unverified
///
/// The content is not verified, as the output also says: anyone may have created the token.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  signed-session inspect -- \"$TOKEN\"")]
pub(crate) struct Args {
    /// The token; if - or missing, it is read from standard input
    token: Option<String>,
    /// Output format
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
    #[command(flatten)]
    clock: ClockArg,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    limits: Limits,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let max_len = args.limits.max_token_len;
    let text = read_bytes(args.token, form::max_line_len(max_len))?;
    let line = String::from_utf8(text).map_err(|_| Failure::new("the token is not UTF-8"))?;
    let cookie = args.form.cookie.options()?;
    let (found, shape) = form::find(&line, args.form.from, &cookie);
    if !shape.is_bare() {
        say::note(format_args!("found {shape}"));
    }
    let token = match found {
        Found::Token(token) => token,
        Found::Tokens(_) => return Ok(refuse("several cookies have this name")),
        Found::NoCookie => return Ok(refuse(Refusal::NoCookie)),
    };
    if token.len() > max_len {
        return Ok(refuse(DecodeError::TooLong { len: token.len(), limit: max_len }));
    }
    if let Some(old) = OldSession::new(&token) {
        return match args.format {
            ReportFormat::Text => print_line(old_for_people(&old, token.len()).trim_end()),
            ReportFormat::Json => print_line(json::line(&Report::of_old(&old, token.len()))),
        };
    }
    if token.is_empty() {
        return Ok(refuse(Refusal::Empty));
    }
    let parts = match Unverified::new(&token) {
        Ok(parts) => parts,
        Err(error) => {
            let status = refuse(error);
            if let Some(hint) = stdio::file_hint(&line) {
                say::hint(hint);
            }
            return Ok(status);
        }
    };
    let payload = parts.json(args.limits.max_payload_len).and_then(|text| {
        serde_json::from_str::<IgnoredAny>(&text).map_err(|_| DecodeError::Json)?;
        Ok(text.trim().to_owned())
    });
    let now = args.clock.clock().now();
    match args.format {
        ReportFormat::Text => print_line(for_people(&parts, &payload, token.len(), now).trim_end()),
        ReportFormat::Json => {
            print_line(json::line(&Report::new(&parts, &payload, token.len(), now)))
        }
    }
}

fn refuse(reason: impl std::fmt::Display) -> ExitCode {
    say::error(reason);
    ExitCode::from(1)
}

type Json = Result<String, DecodeError>;

fn for_people(parts: &Unverified<'_>, json: &Json, len: usize, now: OffsetDateTime) -> String {
    let mut out = String::from("unverified: anyone may have created this token\n");
    let mut line = |name: &str, text: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:<11}{}", say::escape(text));
    };
    let bytes = |len: usize| format!("{len} {}", if len == 1 { "byte" } else { "bytes" });
    line("token", &bytes(len));
    let packed = if parts.is_compressed() { "compressed" } else { "not compressed" };
    line("payload", &format!("{}, {packed}", bytes(parts.payload().len())));
    match (parts.stamp(), parts.signed_at()) {
        (None, _) => line("signed at", "(no timestamp)"),
        (Some(stamp), Err(_)) => line("signed at", &format!("unreadable: {stamp}")),
        (Some(stamp), Ok(moment)) => {
            let age = moment::ago(moment, now);
            line("signed at", &format!("{}, {age}, stamp {stamp}", moment::both(moment)));
        }
    }
    let signature = parts.signature();
    let kind = signature::kind(signature).map_or("unknown length", |(_, words)| words);
    line("signature", &format!("{}, {kind}", bytes(signature.len())));
    match json {
        Ok(json) => {
            line("JSON", &format!("{}, unverified:", bytes(json.len())));
            out.push_str(&json::pretty(json));
        }
        Err(error) => {
            line("JSON", &format!("none: {error}"));
            line("text", parts.payload());
        }
    }
    out
}

/// Shows `session_data` of Django 3.0 and older.
fn old_for_people(old: &OldSession, len: usize) -> String {
    let mut out = format!(
        "unverified: anyone may have created this token\n\
         token      {len} bytes, session_data of Django 3.0 and older\n\
         signed at  (no timestamp)\n\
         signature  {}, SHA-1 in hexadecimal\n",
        old.signature
    );
    match old.json() {
        Some(json) => {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "JSON       {} bytes, unverified:", json.len());
            out.push_str(&json::pretty(json));
        }
        None => out.push_str("JSON       none: possibly a pickle"),
    }
    out
}

/// The JSON output of `inspect`.
#[derive(Serialize)]
struct Report<'t> {
    verified: bool,
    /// `token`, or `old_session_data` of Django 3.0 and older.
    form: &'static str,
    token_len: usize,
    payload_len: usize,
    compressed: bool,
    stamp: Option<&'t str>,
    signed_at: Option<String>,
    signed_at_unix: Option<i64>,
    /// In seconds.
    age: Option<i64>,
    signature_len: usize,
    signature_kind: Option<&'static str>,
    payload: Option<json::Embedded<'t>>,
    payload_error: Option<String>,
}

impl<'t> Report<'t> {
    fn new(parts: &Unverified<'t>, json: &'t Json, len: usize, now: OffsetDateTime) -> Self {
        let moment = parts.signed_at().ok();
        Self {
            verified: false,
            form: "token",
            token_len: len,
            payload_len: parts.payload().len(),
            compressed: parts.is_compressed(),
            stamp: parts.stamp(),
            signed_at: moment.map(moment::rfc3339),
            signed_at_unix: moment.map(OffsetDateTime::unix_timestamp),
            age: moment.map(|moment| moment::seconds(moment, now)),
            signature_len: parts.signature().len(),
            signature_kind: signature::kind(parts.signature()).map(|(name, _)| name),
            payload: json.as_ref().ok().map(|json| json::Embedded(json)),
            payload_error: json.as_ref().err().map(ToString::to_string),
        }
    }

    fn of_old(old: &'t OldSession, len: usize) -> Self {
        let json = old.json();
        Self {
            verified: false,
            form: "old_session_data",
            token_len: len,
            payload_len: old.payload.len(),
            compressed: false,
            stamp: None,
            signed_at: None,
            signed_at_unix: None,
            age: None,
            signature_len: old.signature.len(),
            signature_kind: Some("sha1"),
            payload: json.map(json::Embedded),
            payload_error: json.is_none().then(|| DecodeError::Json.to_string()),
        }
    }
}
