//! Creates signers for Django's salts, by name, and for any other salt.

use std::convert::Infallible;
use std::str::FromStr;

use signed_session::{Keyring, TimestampSigner, django};

use crate::cli::failure::Failure;

/// The purpose of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Salt {
    /// Sessions in a cookie.
    Session,
    /// `session_data` of the other session backends.
    DbSession,
    /// `signing.dumps`.
    Dumps,
    /// The messages cookie.
    Messages,
    /// A custom salt.
    Text(String),
}

impl FromStr for Salt {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "session" => Self::Session,
            "db-session" => Self::DbSession,
            "dumps" => Self::Dumps,
            "messages" => Self::Messages,
            _ => Self::Text(text.strip_prefix("text:").unwrap_or(text).to_owned()),
        })
    }
}

impl Salt {
    /// Returns the salt itself.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Session => django::SESSION_SALT,
            Self::DbSession => django::DB_SESSION_SALT,
            Self::Dumps => django::DUMPS_SALT,
            Self::Messages => django::MESSAGES_SALT,
            Self::Text(text) => text,
        }
    }

    pub(crate) fn signer(&self, ring: &Keyring) -> TimestampSigner {
        match self {
            Self::Messages => django::cookie_signer(ring, self.as_str()),
            _ => TimestampSigner::new(ring, self.as_str()),
        }
    }

    /// Returns the salt of Django's `TimestampSigner`, for text.
    pub(crate) fn of_text() -> Self {
        Self::Text(django::TIMESTAMP_SIGNER_SALT.to_owned())
    }

    /// Returns the salt for text without a timestamp.
    pub(crate) fn of_undated_text(asked: Option<&Self>) -> Result<&str, Failure> {
        match asked {
            None => Ok(django::SIGNER_SALT),
            Some(Self::Messages) => Err(Failure::new("the messages cookie always has a timestamp")),
            Some(salt) => Ok(salt.as_str()),
        }
    }

    /// Returns `true` if tokens with this salt contain any JSON, not sessions.
    ///
    /// # Errors
    ///
    /// If the user requests that with `object`, but the salt determines the content.
    pub(crate) fn is_of_objects(&self, object: bool) -> Result<bool, Failure> {
        match self {
            Self::Text(_) => Ok(object),
            _ if object => Err(Failure::new(
                "--object requires a custom salt: this salt determines the content",
            )),
            _ => Ok(matches!(self, Self::Dumps | Self::Messages)),
        }
    }
}
