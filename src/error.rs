//! Defines the errors of tokens, values, settings and revocations.
//!
//! No message and no `Debug` output contains a token, a value or a secret, only numbers and entry
//! keys: a key that is not a plain identifier may contain user input, so its index is reported
//! instead. An error of `serde_json` quotes the data that it fails on, so it is never kept.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;

/// The reason why a token was refused.
///
/// The variants are listed in the order in which they are checked. With the first four, anyone may
/// have written the token. All others concern a token that was signed with one of the keys; see
/// [`is_authentic`](Self::is_authentic).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// More cookies have the session's name than the limit; none was read.
    TooManyCookies {
        /// The limit that was exceeded.
        limit: usize,
    },
    /// The token is longer than the limit; nothing of it was read.
    TooLong {
        /// The token's length in bytes.
        len: usize,
        /// The limit that was exceeded, in bytes.
        limit: usize,
    },
    /// The token has no separator.
    Malformed,
    /// The signature matches no key of the ring for this value and salt.
    BadSignature,

    /// The timestamp is missing, is not base 62, or is past the year 9999.
    BadTimestamp,
    /// The token was signed further in the future than clocks may differ.
    NotYetValid {
        /// When the token was signed, according to its timestamp.
        signed_at: OffsetDateTime,
    },
    /// The token was signed, or its session started, before the cut-off.
    ///
    /// The cut-off is set by
    /// [`SessionCodec::refuse_signed_before`](crate::SessionCodec::refuse_signed_before).
    SignedTooEarly {
        /// When the token was signed.
        signed_at: OffsetDateTime,
    },
    /// The token is authentic and has expired.
    ///
    /// If `max_age` alone decides, this is checked before the payload is read. If the session can
    /// set its own expiry, it is checked after that.
    Expired {
        /// When the token was signed.
        signed_at: OffsetDateTime,
        /// How long ago the token was signed.
        age: Duration,
    },
    /// The payload is not base64 in its canonical URL-safe, unpadded form.
    Base64,
    /// The payload is not exactly one complete zlib stream.
    Zlib,
    /// The JSON is larger than the limit, at which decompression stopped.
    TooLarge {
        /// The limit that was exceeded, in bytes.
        limit: usize,
    },
    /// The payload is not JSON in ASCII.
    Json,
    /// The payload is JSON, but a session must be an object.
    NotAnObject,
    /// `_session_expiry` or `_session_started` is present and not valid.
    BadExpiry,
    /// The subject is neither text of 1 to 255 bytes nor a whole number.
    ///
    /// See [`SessionManager::revocations`](crate::SessionManager::revocations).
    BadSubject,
    /// `_session_id` is present and is not a session id.
    BadSessionId,
    /// The session was revoked, by a logout or otherwise.
    ///
    /// See [`Revocations`](crate::Revocations).
    Revoked,
    /// A rule of the program refuses the session.
    ///
    /// See [`SessionManager::refuse_if`](crate::SessionManager::refuse_if).
    Refused,
    /// The payload is JSON, but not of the requested type.
    WrongType,
    /// More than one cookie with the session's name is valid, and they differ.
    ///
    /// An attacker who can set cookies for this host, such as from a sibling domain, may have added
    /// the cookie of another session.
    Ambiguous,
    /// The list of ended sessions is out of date.
    ///
    /// An update from the other processes is overdue; see
    /// [`Revocations::expect_news_within`](crate::Revocations::expect_news_within).
    Unheard,
}

impl DecodeError {
    /// Returns `true` if the refused token has a valid signature.
    ///
    /// `false` means that anyone may have written the token. `true` means that the holder of a key
    /// signed it, and that it was refused for another reason, such as its age or its content.
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
    /// Returns the variant's name in snake case, such as `bad_signature`.
    ///
    /// Use it for logs and metrics: unlike the message, it does not change between releases. The
    /// middlewares log each refusal as a `tracing` event with the code in the field `code`.
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
                write!(f, "more than {limit} cookies have the same name")
            }
            Self::TooLong { len, limit } => {
                write!(f, "the token has {len} bytes, more than the limit of {limit}")
            }
            Self::Malformed => f.write_str("the token has no separator"),
            Self::BadSignature => f.write_str("the signature matches no key"),
            Self::BadTimestamp => f.write_str("the timestamp cannot be read"),
            Self::NotYetValid { signed_at } => write!(
                f,
                "the token was signed in the future, at {} (Unix seconds)",
                signed_at.unix_timestamp()
            ),
            Self::SignedTooEarly { signed_at } => write!(
                f,
                "the token was signed, or its session started, before the cut-off; it was signed at {} \
                 (Unix seconds)",
                signed_at.unix_timestamp()
            ),
            Self::Expired { signed_at, age } => write!(
                f,
                "the token has expired: it was signed {} seconds ago, at {} (Unix seconds)",
                age.as_secs(),
                signed_at.unix_timestamp()
            ),
            Self::Base64 => f.write_str("the payload is not unpadded URL-safe base64"),
            Self::Zlib => f.write_str("the payload is not exactly one complete zlib stream"),
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
            Self::WrongType => f.write_str("the payload is not of the requested type"),
            Self::Ambiguous => f.write_str("several valid cookies have the same name, but differ"),
            Self::Unheard => f.write_str("it is not known whether the session was ended"),
        }
    }
}

impl Error for DecodeError {}

/// The reason why a token could not be created.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// A value cannot be written as JSON.
    Value(ValueError),
    /// A session must be a JSON object: a struct or a map.
    NotAnObject,
    /// The value of `_session_expiry` or `_session_started` is not valid.
    BadExpiry,
    /// The subject is neither text of 1 to 255 bytes nor a whole number.
    ///
    /// See [`SessionManager::revocations`](crate::SessionManager::revocations).
    BadSubject,
    /// `_session_expiry` is a date with an offset; the site's dates have none.
    ///
    /// A Django site with `USE_TZ = False` cannot compare such a date: it would respond with 500 to
    /// each request that saves the session. See
    /// [`SessionCodec::use_tz`](crate::SessionCodec::use_tz).
    AwareExpiry,
    /// The JSON, the token, or the cookie's name and value exceed their limit.
    ///
    /// The message names the eight largest entries of a session, and logs repeat it. A key that is
    /// not a plain identifier may contain user input, so its index is reported instead. A key that
    /// looks like an identifier is shown, so a key must never be user input.
    TooLarge {
        /// The length that was needed, in bytes.
        len: usize,
        /// The limit, in bytes.
        limit: usize,
        /// The keys of the session with the sizes of their entries.
        ///
        /// In bytes of JSON, the largest first; empty if no session was encoded.
        entries: Vec<(String, usize)>,
    },
    /// The time is before 1970 or past 9999, which no token can represent.
    BadTimestamp,
    /// The value contains a character that is not allowed in cookies.
    CookieValue,
}

impl EncodeError {
    pub(crate) fn too_large(len: usize, limit: usize) -> Self {
        Self::TooLarge { len, limit, entries: Vec::new() }
    }

    /// Adds the sizes of the session's entries to an error about size.
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
            Self::BadExpiry => f.write_str("the session's own expiry is not valid"),
            Self::BadSubject => f.write_str("the session's subject is not valid"),
            Self::AwareExpiry => f.write_str(
                "a Django site with USE_TZ = False does not support Expiry::At: use Expiry::After",
            ),
            Self::TooLarge { len, limit, entries } => {
                write!(f, "the encoded size would be {len} bytes, more than the limit of {limit}")?;
                let mut lead = "; in JSON,";
                for (key, size) in entries.iter().take(8) {
                    write!(f, "{lead} {key} takes {size} bytes")?;
                    lead = ",";
                }
                Ok(())
            }
            Self::BadTimestamp => {
                f.write_str("a token cannot be dated before 1970 or past the year 9999")
            }
            Self::CookieValue => {
                f.write_str("the value contains a character that is not allowed in cookies")
            }
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

/// The reason why an entry of a session could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueError {
    /// The entry's JSON is not of the requested type.
    ///
    /// For a struct, also if the session lacks an entry for one of its fields.
    WrongType {
        /// The entry's key, or its index if the key is not a plain identifier.
        ///
        /// Such a key may contain user input.
        key: String,
    },
    /// A number is NaN or infinite, which JSON cannot represent.
    NotFinite,
    /// `Serialize` returned an error, or a map has a key that is not text.
    Unserializable,
    /// The new content of a session is not a JSON object: a struct or a map.
    NotAnObject,
    /// The key is reserved and cannot be set to this value.
    Reserved {
        /// The key, or its index as in `WrongType`.
        key: String,
    },
    /// The text is not one JSON value.
    NotJson,
    /// The response has begun, so the session can no longer be saved.
    TooLate,
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongType { key } => {
                return write!(f, "the value of {key} is not of the requested type");
            }
            Self::Reserved { key } => {
                return write!(f, "the reserved entry {key} cannot be set to this value");
            }
            Self::NotAnObject => "a session must be a JSON object",
            Self::TooLate => "the response has begun: the session can no longer be saved",
            Self::NotFinite => "a number is NaN or infinite, which JSON cannot represent",
            Self::Unserializable => "the value cannot be written as JSON",
            Self::NotJson => "the text is not JSON",
        })
    }
}

impl Error for ValueError {}

/// The reason why a setting is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A secret is empty or contains only white space.
    ///
    /// Django uses the primary key in place of an empty fallback key. With the prefix that Django
    /// adds for cookies, an empty secret would be a publicly known key.
    EmptySecret,
    /// The environment has no key.
    MissingKey {
        /// The variable that is not set: `SIGNED_SESSION_KEY`.
        variable: &'static str,
    },
    /// A secret in the environment is empty or contains only white space.
    EmptyKey {
        /// `SIGNED_SESSION_KEY` or `SIGNED_SESSION_FALLBACK_KEYS`.
        variable: &'static str,
    },
    /// The separator could occur in a signature.
    ///
    /// As in Django, it must not be empty, and must not consist only of letters, digits and
    /// ``-_=[\]^` ``.
    UnsafeSeparator,
    /// The cookie's name is empty, too long, or has a forbidden character.
    CookieName,
    /// The path lacks a leading `/`, is too long or has a forbidden character.
    CookiePath,
    /// The domain is not a host name.
    CookieDomain,
    /// A `__Host-` cookie must have the path `/` and no domain.
    HostPrefix,
    /// The login page is not a path of this site in printable ASCII.
    ///
    /// See [`local_path`](crate::local_path).
    LoginPage,
    /// The origin is not written as browsers write it.
    ///
    /// It must be `http://` or `https://` with a host in lower case, and with a port unless that is
    /// the default one.
    Origin,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptySecret => "a secret is empty or contains only white space",
            Self::MissingKey { variable } => {
                return write!(
                    f,
                    "the variable {variable} is not set: `openssl rand -base64 48` prints a good \
                     secret for it"
                );
            }
            Self::EmptyKey { variable } => {
                return write!(f, "a secret in {variable} is empty or contains only white space");
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

/// The reason why a revocation could not be created or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevocationError {
    /// The subject does not have 1 to 255 bytes.
    BadSubject,
    /// The text is not a session id, or the session starts in the future.
    BadSessionId,
    /// The line is not a revocation in this version of the format.
    BadLine,
}

impl fmt::Display for RevocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadSubject => "the subject does not have 1 to 255 bytes",
            Self::BadSessionId => {
                "the text is not a session id, or the session starts in the future"
            }
            Self::BadLine => "the line is not a revocation in this format",
        })
    }
}

impl Error for RevocationError {}

/// The reason why a [`Revocation`](crate::Revocation) was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApplyError {
    /// It is dated more than fifteen minutes ahead of this machine's clock.
    Ahead,
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ahead => "the revocation is dated more than fifteen minutes in the future",
        })
    }
}

impl Error for ApplyError {}

/// Returns a value that is always present; panics in debug builds if it is not.
///
/// The library does not panic in a release build, where the default value is used instead. All
/// such places call this function, so that tests detect each of them.
pub(crate) fn sure<T: Default>(value: Option<T>) -> T {
    debug_assert!(value.is_some(), "an impossible case occurred");
    value.unwrap_or_default()
}
