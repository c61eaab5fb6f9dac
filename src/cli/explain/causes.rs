//! Describes the causes of refusals, and finds that of an authentic token.

use std::fmt::Display;

use serde::Serialize;
use signed_session::DecodeError;
use time::OffsetDateTime;

use crate::cli::moment::{self, Span};
use crate::cli::verify::Verifier;

/// A cause that explains the refusal.
#[derive(Clone, Serialize)]
pub(crate) struct Cause {
    /// A word for programs.
    #[serde(rename = "cause")]
    pub(crate) name: String,
    /// Whether it is only a guess: nothing that was tried proves it.
    pub(crate) guess: bool,
    pub(crate) says: String,
    /// The attempts that found it.
    pub(crate) tried: String,
    pub(crate) hint: Option<String>,
}

impl Cause {
    pub(crate) fn new(name: &str, says: impl Display, tried: impl Display) -> Self {
        let (says, tried) = (says.to_string(), tried.to_string());
        Self { name: name.to_owned(), guess: false, says, tried, hint: None }
    }

    /// Creates a cause that is not proved.
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
    /// The most likely first.
    pub(crate) causes: Vec<Cause>,
    /// The attempts that explain nothing.
    pub(crate) ruled_out: Vec<String>,
}

/// Explains the refusal of an authentic token.
pub(crate) fn inside(
    verifier: &Verifier,
    line: &[u8],
    error: &DecodeError,
    now: OffsetDateTime,
) -> Cause {
    let key = "the signature, which a key did make";
    match error {
        DecodeError::Expired { signed_at, age } => {
            if let Some(end) = verifier.own_end(line, now).filter(|end| *end < now) {
                let over = Span(moment::seconds(end, now).unsigned_abs());
                let says = format!(
                    "it expired {over} ago: its own _session_expiry ended it at {}",
                    moment::both(end)
                );
                return Cause::new("own_expiry", says, "the expiry that the session holds")
                    .hint("--expiry-rule django has --max-age alone count");
            }
            let limit = verifier.max_age().duration();
            let over = Span(age.saturating_sub(limit).as_secs());
            let says = format!(
                "it expired {over} ago: it was signed at {} and may be {} old",
                moment::both(*signed_at),
                Span(limit.as_secs())
            );
            Cause::new("expired", says, "its age against --max-age")
                .hint("--max-age none accepts any age, --at TIME sets the clock back")
        }
        DecodeError::NotYetValid { signed_at } => {
            let ahead = Span(moment::seconds(now, *signed_at).unsigned_abs());
            let says = format!(
                "it was signed at {}, {ahead} from now; here it is {}: perhaps a clock is wrong",
                moment::both(*signed_at),
                moment::both(now)
            );
            Cause::new("clock", says, "its time against the clock, which may differ by 5 minutes")
                .hint("compare the clocks; --at TIME sets this one")
        }
        DecodeError::SignedTooEarly { signed_at } => {
            let signed_at = moment::both(*signed_at);
            let says = format!(
                "it was signed at {signed_at}, and that or the beginning of its session is before \
                 --refuse-signed-before"
            );
            Cause::new("signed_too_early", says, "its time")
        }
        DecodeError::BadTimestamp => Cause::new(
            "no_timestamp",
            "it is genuine and has no time that can be read, as the tokens of Signer",
            key,
        )
        .hint("signed-session unsign --no-timestamp, with its salt"),
        DecodeError::Base64 => {
            let says = "it is genuine, but no object: its payload is not base64";
            Cause::new("base64", says, key).hint("signed-session unsign reads signed text")
        }
        DecodeError::Zlib => {
            let says = "it is genuine, but its compressed payload is not one whole zlib stream";
            Cause::new("zlib", says, "to inflate it")
        }
        DecodeError::TooLarge { limit } => {
            let says = format!("it is genuine, but holds more than {limit} bytes of JSON");
            Cause::new("too_large", says, "to read as much").hint("--max-payload-len BYTES")
        }
        DecodeError::Json => {
            let says =
                "it is genuine, but its payload is not JSON in ASCII: perhaps pickle, or NaN";
            Cause::new("json", says, "to read it as JSON")
        }
        DecodeError::NotAnObject => {
            let says = "it is genuine, but holds no object, as a session is";
            Cause::new("not_an_object", says, "to read it as a session")
                .hint("under a salt of your own --object reads any JSON")
        }
        DecodeError::BadExpiry => {
            let says = "it is genuine, but its _session_expiry says nothing usable";
            Cause::new("bad_expiry", says, "to read when it ends")
                .hint("--expiry-rule django does not look at it")
        }
        DecodeError::Ambiguous => {
            let says = "several cookies of the name are good, and differ: one may be planted";
            Cause::new("ambiguous", says, "each cookie of the name")
        }
        error => Cause::new("other", error, key),
    }
}
