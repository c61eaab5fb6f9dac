//! Defines the verdicts on a token and their messages.

use std::fmt;

use serde::{Serialize, Serializer};
use signed_session::DecodeError;
use time::OffsetDateTime;

use crate::cli::json;
use crate::cli::moment::{self, Span};

/// The verdict on a token.
pub(crate) struct Verdict {
    pub(crate) signed_at: Option<OffsetDateTime>,
    pub(crate) key_index: Option<usize>,
    pub(crate) result: Result<Payload, Refusal>,
}

/// The signed content.
#[derive(Debug, PartialEq)]
pub(crate) enum Payload {
    Json(String),
    Text(String),
}

/// Serializes JSON unchanged, and text as a JSON string.
impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(text) => json::Embedded(text).serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
        }
    }
}

/// The reason why a line was refused.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    Token(DecodeError),
    /// The line is longer than any token in any form.
    LongLine,
    /// The line is not UTF-8.
    NotText,
    /// No cookie has the name.
    NoCookie,
    /// The line is empty.
    Empty,
}

/// The statuses of a token, in the order in which they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Expired,
    NotYetValid,
    SignedTooEarly,
    Revoked,
    BadSignature,
    Malformed,
    TooLong,
    BadPayload,
}

impl Status {
    pub(crate) const ALL: [Self; 9] = [
        Self::Ok,
        Self::Expired,
        Self::NotYetValid,
        Self::SignedTooEarly,
        Self::Revoked,
        Self::BadSignature,
        Self::Malformed,
        Self::TooLong,
        Self::BadPayload,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::SignedTooEarly => "signed_too_early",
            Self::Revoked => "revoked",
            Self::BadSignature => "bad_signature",
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::BadPayload => "bad_payload",
        }
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

impl Refusal {
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Token(error) => match error {
                DecodeError::Expired { .. } => Status::Expired,
                DecodeError::NotYetValid { .. } => Status::NotYetValid,
                DecodeError::SignedTooEarly { .. } => Status::SignedTooEarly,
                DecodeError::Revoked => Status::Revoked,
                DecodeError::BadSignature => Status::BadSignature,
                DecodeError::Malformed | DecodeError::BadTimestamp => Status::Malformed,
                DecodeError::TooLong { .. } | DecodeError::TooManyCookies { .. } => Status::TooLong,
                _ => Status::BadPayload,
            },
            Self::LongLine => Status::TooLong,
            Self::NotText | Self::NoCookie | Self::Empty => Status::Malformed,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(DecodeError::Expired { signed_at, age }) => write!(
                f,
                "the token has expired: it was signed at {}, {} ago",
                moment::both(*signed_at),
                Span(age.as_secs())
            ),
            Self::Token(DecodeError::NotYetValid { signed_at }) => {
                write!(f, "the token was signed in the future, at {}", moment::both(*signed_at))
            }
            Self::Token(DecodeError::SignedTooEarly { signed_at }) => {
                write!(
                    f,
                    "the token was signed, or its session started, before --refuse-signed-before; it was \
                     signed at {}",
                    moment::both(*signed_at)
                )
            }
            Self::Token(error) => error.fmt(f),
            Self::LongLine => {
                f.write_str("the line is too long to be a token (see --max-token-len)")
            }
            Self::NotText => f.write_str("the token is not UTF-8"),
            Self::Empty => f.write_str("the token is empty"),
            Self::NoCookie => f.write_str(
                "no cookie has the expected name: --cookie-name sets it, and defaults to sessionid",
            ),
        }
    }
}

impl Verdict {
    pub(crate) fn status(&self) -> Status {
        self.result.as_ref().err().map_or(Status::Ok, Refusal::status)
    }

    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self { signed_at: None, key_index: None, result: Err(refusal) }
    }
}
