//! Describes the causes of refusals, and finds the cause for authentic tokens.

use std::fmt::Display;

use serde::Serialize;
use signed_session::DecodeError;
use time::OffsetDateTime;

use crate::cli::moment::{self, Span};
use crate::cli::verify::Verifier;

/// A cause of the refusal.
#[derive(Clone, Serialize)]
pub(crate) struct Cause {
    /// A name for programs.
    #[serde(rename = "cause")]
    pub(crate) name: String,
    /// Whether this is only a guess, which no attempt proved.
    pub(crate) guess: bool,
    pub(crate) says: String,
    /// The attempt that found it.
    pub(crate) tried: String,
    pub(crate) hint: Option<String>,
}

impl Cause {
    pub(crate) fn new(name: &str, says: impl Display, tried: impl Display) -> Self {
        let (says, tried) = (says.to_string(), tried.to_string());
        Self { name: name.to_owned(), guess: false, says, tried, hint: None }
    }

    /// Creates a cause that is not proven.
    pub(crate) fn guess(name: &str, says: impl Display, tried: impl Display) -> Self {
        Self { guess: true, ..Self::new(name, says, tried) }
    }

    pub(crate) fn hint(self, hint: impl Display) -> Self {
        Self { hint: Some(hint.to_string()), ..self }
    }
}

/// The result of the search.
#[derive(Default)]
pub(crate) struct Findings {
    /// The most likely cause first.
    pub(crate) causes: Vec<Cause>,
    /// The attempts that did not explain the refusal.
    pub(crate) ruled_out: Vec<String>,
}

/// Explains the refusal of an authentic token.
pub(crate) fn inside(
    verifier: &Verifier,
    line: &[u8],
    error: &DecodeError,
    now: OffsetDateTime,
) -> Cause {
    let key = "verifying the signature: a key matches";
    match error {
        DecodeError::Expired { signed_at, age } => {
            if let Some(end) = verifier.own_end(line, now).filter(|end| *end < now) {
                let over = Span(moment::seconds(end, now).unsigned_abs());
                let says = format!(
                    "it expired {over} ago: its own expiry, _session_expiry, was at {}",
                    moment::both(end)
                );
                return Cause::new("own_expiry", says, "reading the session's own expiry")
                    .hint("--expiry-rule django ignores the session's own expiry");
            }
            let limit = verifier.max_age().duration();
            let over = Span(age.saturating_sub(limit).as_secs());
            let says = format!(
                "it expired {over} ago: it was signed at {}, and the maximum age is {}",
                moment::both(*signed_at),
                Span(limit.as_secs())
            );
            Cause::new("expired", says, "comparing its age with --max-age")
                .hint("--max-age none accepts any age; --at TIME sets the clock back")
        }
        DecodeError::NotYetValid { signed_at } => {
            let ahead = Span(moment::seconds(now, *signed_at).unsigned_abs());
            let says = format!(
                "it was signed at {}, {ahead} in the future; the time here is {}, so a clock may be wrong",
                moment::both(*signed_at),
                moment::both(now)
            );
            Cause::new(
                "clock",
                says,
                "comparing its timestamp with the clock, which may differ by 5 minutes",
            )
            .hint("compare the clocks; --at TIME sets the clock of this command")
        }
        DecodeError::SignedTooEarly { signed_at } => {
            let signed_at = moment::both(*signed_at);
            let says = format!(
                "it was signed at {signed_at}; that time, or the start of its session, is before \
                 --refuse-signed-before"
            );
            Cause::new("signed_too_early", says, "comparing its times with the option")
        }
        DecodeError::BadTimestamp => Cause::new(
            "no_timestamp",
            "it is genuine, but has no valid timestamp, like the tokens of Django's Signer",
            key,
        )
        .hint("verify it with signed-session unsign --no-timestamp, and with its salt"),
        DecodeError::Base64 => {
            let says =
                "it is genuine, but neither a session nor an object: its payload is not base64";
            Cause::new("base64", says, key).hint("verify signed text with signed-session unsign")
        }
        DecodeError::Zlib => {
            let says = "it is genuine, but its payload is not exactly one complete zlib stream";
            Cause::new("zlib", says, "decompressing it")
        }
        DecodeError::TooLarge { limit } => {
            let says = format!("it is genuine, but contains more than {limit} bytes of JSON");
            Cause::new("too_large", says, "reading it up to the limit")
                .hint("--max-payload-len BYTES sets the limit")
        }
        DecodeError::Json => {
            let says = "it is genuine, but its payload is not JSON in ASCII: it may be a pickle, or contain NaN";
            Cause::new("json", says, "reading it as JSON")
        }
        DecodeError::NotAnObject => {
            let says = "it is genuine, but its payload is not a JSON object, as a session must be";
            Cause::new("not_an_object", says, "reading it as a session")
                .hint("with a custom salt, --object accepts any JSON")
        }
        DecodeError::BadExpiry => {
            let says = "it is genuine, but its _session_expiry or _session_started is not valid";
            Cause::new("bad_expiry", says, "reading these entries")
                .hint("--expiry-rule django ignores _session_expiry")
        }
        DecodeError::Ambiguous => {
            let says = "several valid cookies have this name, but differ: an attacker may have planted one";
            Cause::new("ambiguous", says, "verifying each cookie with this name")
        }
        error => Cause::new("other", error, key),
    }
}
