//! Turns the names of Django's salts, or any other text, into signers.

use std::convert::Infallible;
use std::str::FromStr;

use signed_session::{Keyring, TimestampSigner, django};

/// What a token is for.
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
    /// A purpose of the user's own.
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

    /// Tells whether its tokens hold sessions, unless the user says otherwise.
    pub(crate) fn is_of_sessions(&self) -> bool {
        !matches!(self, Self::Dumps | Self::Messages)
    }
}
