//! Says why a token was refused, why one could not be encoded, and what is wrong with a setting.
//!
//! No message and no `Debug` form holds any text of a token, a payload or a
//! key: only numbers. That is why an error of `serde_json`, which quotes the
//! data it fails on, is never kept.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;

/// Why a token was refused.
///
/// The variants stand in the order in which they are checked. The first four
/// come before the signature was proved: whoever sent the token need not hold
/// a key. All others concern a token that one of the keys did sign; see
/// [`is_authentic`](Self::is_authentic).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// More cookies of the session's name came than are looked at; none was read.
    TooManyCookies {
        /// The limit that they passed.
        limit: usize,
    },
    /// The token is longer than the limit, both in bytes; nothing of it was read.
    TooLong {
        /// The token's length.
        len: usize,
        /// The limit that it passed.
        limit: usize,
    },
    /// There is no separator in the token.
    Malformed,
    /// No key of the ring made this signature for this value and salt.
    BadSignature,

    /// The stamp is missing, is not base 62, or lies past the year 9999.
    BadTimestamp,
    /// The token was signed further in the future than clocks may differ.
    NotYetValid {
        /// When the token says that it was signed.
        signed_at: OffsetDateTime,
    },
    /// The token was signed, or its session began, before the moment from which they are accepted.
    SignedTooEarly {
        /// When the token was signed.
        signed_at: OffsetDateTime,
    },
    /// The token is genuine and its time is over.
    ///
    /// Where `max_age` alone decides, this is found before the payload is
    /// read; where the session may say otherwise, after.
    Expired {
        /// When the token was signed.
        signed_at: OffsetDateTime,
        /// How long ago that was.
        age: Duration,
    },
    /// The payload is not base64 in its one URL-safe, unpadded spelling.
    Base64,
    /// The payload is not one whole zlib stream and nothing else.
    Zlib,
    /// The JSON is larger than the limit, in bytes; inflating stopped there.
    TooLarge {
        /// The limit that it passed.
        limit: usize,
    },
    /// The payload is not JSON in ASCII.
    Json,
    /// The payload is JSON, but a session must be an object.
    NotAnObject,
    /// `_session_expiry` or `_session_started` is there and says nothing usable.
    BadExpiry,
    /// The entry that says whose session it is holds neither text of 1 to 255 bytes nor a whole
    /// number; see [`SessionManager::revocations`](crate::SessionManager::revocations).
    BadSubject,
    /// `_session_id` is there and is not the identity of a session.
    BadSessionId,
    /// The session was ended, by a logout or in another way; see
    /// [`Revocations`](crate::Revocations).
    Revoked,
    /// The program's own rule refuses the session; see
    /// [`SessionManager::refuse_if`](crate::SessionManager::refuse_if).
    Refused,
    /// The payload is JSON, but not of the type that was asked for.
    WrongType,
    /// More than one cookie of the session's name is good, and they differ.
    ///
    /// Somebody who can set cookies for this host, such as a sibling domain,
    /// may have added a session of their own.
    Ambiguous,
    /// It is not known whether the session was ended, because nothing was heard of other processes
    /// for a while; see
    /// [`Revocations::expect_news_within`](crate::Revocations::expect_news_within).
    Unheard,
}

impl DecodeError {
    /// Tells whether the token's signature had been proved when it was refused.
    ///
    /// `false` means that anybody may have made it; `true`, that a holder of a
    /// key did, and that it is out of date or that its content is unusable.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{DecodeError, Keyring, Signer};
    ///
    /// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
    /// let error = Signer::new(&ring, "greeting").unsign("hello:forged").unwrap_err();
    /// assert_eq!(error, DecodeError::BadSignature);
    /// assert!(!error.is_authentic());
    /// # Ok::<(), signed_session::ConfigError>(())
    /// ```
    #[must_use]
    pub fn is_authentic(&self) -> bool {
        !matches!(
            self,
            Self::TooManyCookies { .. }
                | Self::TooLong { .. }
                | Self::Malformed
                | Self::BadSignature
        )
    }
}

impl DecodeError {
    /// Returns the variant's name in snake case, for logs and metrics: `bad_signature`.
    ///
    /// The middlewares log each refusal as a `tracing` event with this in the field `code`. A code
    /// does not change between releases, unlike the message.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooManyCookies { .. } => "too_many_cookies",
            Self::TooLong { .. } => "too_long",
            Self::Malformed => "malformed",
            Self::BadSignature => "bad_signature",
            Self::BadTimestamp => "bad_timestamp",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::SignedTooEarly { .. } => "signed_too_early",
            Self::Expired { .. } => "expired",
            Self::Base64 => "base64",
            Self::Zlib => "zlib",
            Self::TooLarge { .. } => "too_large",
            Self::Json => "json",
            Self::NotAnObject => "not_an_object",
            Self::BadExpiry => "bad_expiry",
            Self::BadSubject => "bad_subject",
            Self::BadSessionId => "bad_session_id",
            Self::Revoked => "revoked",
            Self::Refused => "refused",
            Self::WrongType => "wrong_type",
            Self::Ambiguous => "ambiguous",
            Self::Unheard => "unheard",
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyCookies { limit } => {
                write!(f, "there are more cookies of the session's name than the limit of {limit}")
            }
            Self::TooLong { len, limit } => {
                write!(f, "the token has {len} bytes, more than the limit of {limit}")
            }
            Self::Malformed => f.write_str("the token has no separator"),
            Self::BadSignature => f.write_str("the signature matches no key"),
            Self::BadTimestamp => f.write_str("the time of signing cannot be read"),
            Self::NotYetValid { signed_at } => write!(
                f,
                "the token was signed in the future, at {} (Unix seconds)",
                signed_at.unix_timestamp()
            ),
            Self::SignedTooEarly { signed_at } => write!(
                f,
                "the token or the beginning of its session is too early: it was signed at {} (Unix seconds)",
                signed_at.unix_timestamp()
            ),
            Self::Expired { signed_at, age } => write!(
                f,
                "the token has expired: it was signed {} seconds ago, at {} (Unix seconds)",
                age.as_secs(),
                signed_at.unix_timestamp()
            ),
            Self::Base64 => f.write_str("the payload is not unpadded URL-safe base64"),
            Self::Zlib => f.write_str("the payload is not one whole zlib stream"),
            Self::TooLarge { limit } => {
                write!(f, "the payload is larger than the limit of {limit} bytes")
            }
            Self::Json => f.write_str("the payload is not JSON in ASCII"),
            Self::NotAnObject => f.write_str("the payload is not a JSON object"),
            Self::BadExpiry => f.write_str("the session's own expiry cannot be read"),
            Self::BadSubject => f.write_str("the session's subject cannot be read"),
            Self::BadSessionId => f.write_str("the session's id cannot be read"),
            Self::Revoked => f.write_str("the session was ended"),
            Self::Refused => f.write_str("the program's rule refuses the session"),
            Self::WrongType => f.write_str("the payload is not of the type asked for"),
            Self::Ambiguous => f.write_str("more than one cookie of the session's name is good"),
            Self::Unheard => f.write_str("it is not known whether the session was ended"),
        }
    }
}

impl Error for DecodeError {}

/// Why a token could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// A value cannot be written as JSON.
    Value(ValueError),
    /// A session must be a JSON object: a struct or a map.
    NotAnObject,
    /// `_session_expiry` or `_session_started` was set to what no decoder would accept.
    BadExpiry,
    /// The entry that says whose session it is was set to neither text of 1 to 255 bytes nor a whole
    /// number; see [`SessionManager::revocations`](crate::SessionManager::revocations).
    BadSubject,
    /// `_session_expiry` is a date with an offset, which a Django with `USE_TZ = False` cannot
    /// compare: it would answer each request that saves the session with status 500.
    ///
    /// See [`SessionCodec::use_tz`](crate::SessionCodec::use_tz).
    AwareExpiry,
    /// The JSON, the token, or the cookie's name and value exceed their limit.
    ///
    /// The message names the eight largest entries of a session, and logs repeat it. A key that is
    /// not a plain identifier may contain user input, so its index is reported instead; one that
    /// looks like an identifier is shown. So a key must never be what a visitor typed.
    TooLarge {
        /// The length that it would have, in bytes.
        len: usize,
        /// The limit, in bytes.
        limit: usize,
        /// Each key of the session with the bytes of JSON that its entry takes, the largest
        /// first; empty if no session was encoded.
        entries: Vec<(String, usize)>,
    },
    /// A time before 1970 or past the year 9999 could not be read back from a token.
    BadTimestamp,
    /// The value holds a character that no cookie may hold.
    CookieValue,
}

impl EncodeError {
    pub(crate) fn too_large(len: usize, limit: usize) -> Self {
        Self::TooLarge { len, limit, entries: Vec::new() }
    }

    /// Adds what takes the space in a session, if that is what is wrong.
    pub(crate) fn with_entries(self, sizes: impl FnOnce() -> Vec<(String, usize)>) -> Self {
        match self {
            Self::TooLarge { len, limit, .. } => Self::TooLarge { len, limit, entries: sizes() },
            error => error,
        }
    }
}

impl From<ValueError> for EncodeError {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(error) => error.fmt(f),
            Self::NotAnObject => f.write_str("a session must be a JSON object"),
            Self::BadExpiry => f.write_str("the session's own expiry could not be read back"),
            Self::BadSubject => f.write_str("the session's subject could not be read back"),
            Self::AwareExpiry => f.write_str(
                "a session of a Django site with USE_TZ = False cannot expire at a moment: use \
                 Expiry::After",
            ),
            Self::TooLarge { len, limit, entries } => {
                write!(f, "the encoded size would be {len} bytes, more than the limit of {limit}")?;
                let mut lead = "; in JSON";
                for (key, size) in entries.iter().take(8) {
                    write!(f, "{lead} {key} takes {size}")?;
                    lead = ",";
                }
                Ok(())
            }
            Self::BadTimestamp => {
                f.write_str("a token cannot be dated before 1970 or past the year 9999")
            }
            Self::CookieValue => f.write_str("the value holds a character that no cookie may hold"),
        }
    }
}

impl Error for EncodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Value(error) => Some(error),
            _ => None,
        }
    }
}

/// Why an entry of a session could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueError {
    /// The entry is there, but its JSON is not of the type that was asked for; or a struct has a field
    /// that the session lacks.
    WrongType {
        /// The entry's key, or its index if the key is not a plain identifier, as it may contain user
        /// input.
        key: String,
    },
    /// A number is NaN or infinite, which JSON cannot say.
    NotFinite,
    /// The value's `Serialize` refused, or a map's key is not text.
    Unserializable,
    /// What is to replace a session is not a JSON object: a struct or a map.
    NotAnObject,
    /// The key is reserved, and cannot be set to this value.
    Reserved {
        /// The key, or its index as for `WrongType`.
        key: String,
    },
    /// The text is not one JSON value.
    NotJson,
    /// The response has begun, so that nothing can be saved any more.
    TooLate,
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongType { key } => {
                return write!(f, "the value of {key} is not of the type asked for");
            }
            Self::Reserved { key } => {
                return write!(f, "a reserved entry cannot be set to this value: {key}");
            }
            Self::NotAnObject => "a session must be a JSON object",
            Self::TooLate => "the response has begun: the session can no longer be saved",
            Self::NotFinite => "a number is NaN or infinite, which JSON cannot say",
            Self::Unserializable => "the value cannot be written as JSON",
            Self::NotJson => "the text is not JSON",
        })
    }
}

impl Error for ValueError {}

/// What was wrong with the set-up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A secret is empty or nothing but white space.
    ///
    /// Django takes an empty fallback key for the primary key, and with its
    /// cookie prefix an empty secret would make a key that everybody knows.
    EmptySecret,
    /// The environment variable `SIGNED_SESSION_KEY` is not set.
    MissingKey,
    /// A secret in an environment variable is empty or nothing but white space.
    EmptyKey {
        /// The variable: `SIGNED_SESSION_KEY` or `SIGNED_SESSION_FALLBACK_KEYS`.
        variable: &'static str,
    },
    /// The separator could occur in a signature.
    ///
    /// Django's rule: it must not be empty nor consist only of letters,
    /// digits and ``-_=[\]^` ``.
    UnsafeSeparator,
    /// The cookie's name is empty, too long, or holds a character that no name may hold.
    CookieName,
    /// The path does not begin with `/`, is too long, or holds a character that no path may hold.
    CookiePath,
    /// The domain is not a host name.
    CookieDomain,
    /// A cookie whose name begins `__Host-` must have the path `/` and no domain.
    HostPrefix,
    /// The login page is not a path of this site in printable ASCII; see
    /// [`local_path`](crate::local_path).
    LoginPage,
    /// The origin is not `http://` or `https://` and a host, with a port unless it is the scheme's.
    Origin,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptySecret => "a secret is empty or only white space",
            Self::MissingKey => {
                "the variable SIGNED_SESSION_KEY is not set: `openssl rand -base64 48` prints a good secret for it"
            }
            Self::EmptyKey { variable } => {
                return write!(f, "a secret in {variable} is empty or only white space");
            }
            Self::UnsafeSeparator => "the separator could occur in a signature",
            Self::CookieName => "the cookie's name is not a token of 1 to 256 characters",
            Self::CookiePath => "the cookie's path is not an absolute path in printable ASCII",
            Self::CookieDomain => "the cookie's domain is not a host name",
            Self::HostPrefix => "a __Host- cookie must have path / and no domain",
            Self::LoginPage => "the login page is not a path of this site in printable ASCII",
            Self::Origin => {
                "the origin is not a scheme and a host as browsers write them, such as \
                 https://example.com"
            }
        })
    }
}

impl Error for ConfigError {}

/// Why nothing was ended, or a line could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevocationError {
    /// The subject does not have 1 to 255 bytes.
    BadSubject,
    /// The text is not the id of a session that has begun.
    BadSessionId,
    /// The line is not one of this version's format.
    BadLine,
}

impl fmt::Display for RevocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadSubject => "the subject does not have 1 to 255 bytes",
            Self::BadSessionId => "the text is not the id of a session that has begun",
            Self::BadLine => "the line is not a revocation in this format",
        })
    }
}

impl Error for RevocationError {}

/// Why a [`Revocation`](crate::Revocation) was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApplyError {
    /// It lies more than fifteen minutes ahead of this machine's clock.
    Ahead,
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ahead => "the revocation lies more than fifteen minutes ahead of the clock",
        })
    }
}

impl Error for ApplyError {}

/// Returns a value that cannot be missing; where it is after all, debug builds panic.
///
/// The library does not panic in a release build, so that each such place needs a value. It is the
/// empty one here, in one place, so that none of them passes unnoticed while it is tested.
pub(crate) fn sure<T: Default>(value: Option<T>) -> T {
    debug_assert!(value.is_some(), "a case occurred that cannot happen");
    value.unwrap_or_default()
}
