//! Splits a token into its parts, without a key and without verification.

use time::OffsetDateTime;

use crate::error::DecodeError;
use crate::payload;
use crate::timestamp;

/// The parts of a token that was not verified.
///
/// Anyone may have written them. Use this to inspect a token without its key. No other function of
/// this crate takes this type: to verify a token, decode it.
///
/// # Examples
///
/// ```
/// use signed_session::Unverified;
///
/// let token = "eyJ1c2VyX2lkIjo0Mn0:1r31eq:LiU8YAv1PND9KvRoXls35Yzj9bRllXH3a44cb4Ji8xw";
/// let unverified = Unverified::new(token)?;
/// assert_eq!(unverified.payload(), "eyJ1c2VyX2lkIjo0Mn0");
/// assert_eq!(unverified.json(65_536)?, r#"{"user_id":42}"#);
/// assert_eq!(unverified.signed_at()?.unix_timestamp(), 1_700_000_000);
/// # Ok::<(), signed_session::DecodeError>(())
/// ```
///
/// An `Unverified` is not a session:
///
/// ```compile_fail,E0308
/// use signed_session::{Session, Unverified};
///
/// fn trust(unverified: Unverified<'_>) -> Session {
///     unverified
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Unverified<'t> {
    payload: &'t str,
    stamp: Option<&'t str>,
    signature: &'t str,
}

impl<'t> Unverified<'t> {
    /// Splits a token at its last two colons.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Malformed`] if there is no `:`.
    pub fn new(token: &'t str) -> Result<Self, DecodeError> {
        let (value, signature) = token.rsplit_once(':').ok_or(DecodeError::Malformed)?;
        let (payload, stamp) = match value.rsplit_once(':') {
            Some((payload, stamp)) => (payload, Some(stamp)),
            None => (value, None),
        };
        Ok(Self { payload, stamp, signature })
    }

    /// Returns the text before the timestamp and the signature.
    #[must_use]
    pub fn payload(&self) -> &'t str {
        self.payload
    }

    /// Returns the timestamp in base 62; `None` for a token without one.
    #[must_use]
    pub fn stamp(&self) -> Option<&'t str> {
        self.stamp
    }

    /// Returns the text after the last colon, where the signature should be.
    #[must_use]
    pub fn signature(&self) -> &'t str {
        self.signature
    }

    /// Returns when the token claims to have been signed.
    ///
    /// # Errors
    ///
    /// [`DecodeError::BadTimestamp`] if there is no timestamp, or if decoding would not accept it.
    pub fn signed_at(&self) -> Result<OffsetDateTime, DecodeError> {
        let moment = self.stamp.and_then(timestamp::read).ok_or(DecodeError::BadTimestamp)?;
        Ok(moment.date())
    }

    /// Returns `true` if the payload is marked as compressed.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.payload.starts_with('.')
    }

    /// Returns the JSON of the payload, up to `max_len` bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Base64`], [`DecodeError::Zlib`], [`DecodeError::TooLarge`], and
    /// [`DecodeError::Json`] for bytes beyond ASCII. This does not check that the text is valid
    /// JSON.
    pub fn json(&self, max_len: usize) -> Result<String, DecodeError> {
        let mut json = String::new();
        payload::read(&mut json, self.payload, max_len)?;
        Ok(json)
    }
}

/// Omits the token, which gives access to the session.
impl std::fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unverified").finish_non_exhaustive()
    }
}
