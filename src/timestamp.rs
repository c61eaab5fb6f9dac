//! Turns a value into `value:stamp:signature`, and back, no older than it may be.
//!
//! As `django.core.signing.TimestampSigner`. The stamp is the Unix time in
//! whole seconds, in base 62.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use crate::age::Age;
use crate::base62;
use crate::error::{ConfigError, DecodeError, EncodeError};
use crate::json;
use crate::key::Keyring;
use crate::payload::Compress;
use crate::signer::{Algorithm, Signer};

/// Signs text together with the time, and returns text that is not too old.
///
/// The same as [`Signer`], with a stamp between value and signature. Objects
/// signed with it are those of Django's `signing.dumps` and `signing.loads`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use signed_session::{DecodeError, Keyring, TimestampSigner};
///
/// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
/// let signer = TimestampSigner::new(&ring, "password-reset");
/// let noon = time::OffsetDateTime::from_unix_timestamp(1_700_000_000)?;
/// let token = signer.sign_at("ada", noon);
/// assert!(token.starts_with("ada:1r31eq:"));
///
/// let hour = Some(Duration::from_secs(3600));
/// let stamped = signer.unsign_at(&token, hour, noon + Duration::from_secs(3600))?;
/// assert_eq!((stamped.value, stamped.signed_at, stamped.key_index), ("ada", noon, 0));
///
/// let late = signer.unsign_at(&token, hour, noon + Duration::from_secs(3601));
/// assert!(matches!(late, Err(DecodeError::Expired { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TimestampSigner {
    signer: Signer,
}

/// A value that was signed, when, and by which key.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stamped<'t> {
    /// The value.
    pub value: &'t str,
    /// When it was signed, in whole seconds and UTC.
    pub signed_at: OffsetDateTime,
    /// Which secret of the ring signed it: 0 for the first, 1 for its first fallback.
    pub key_index: usize,
}

/// Does not show the value, which may be a token or the visitor's.
impl fmt::Debug for Stamped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stamped")
            .field("signed_at", &self.signed_at)
            .field("key_index", &self.key_index)
            .finish_non_exhaustive()
    }
}

impl TimestampSigner {
    /// Makes a signer for one purpose, named by the salt.
    ///
    /// Django's `signing.dumps` has the salt `django.core.signing` unless told
    /// otherwise.
    #[must_use]
    pub fn new(ring: &Keyring, salt: &str) -> Self {
        Self { signer: Signer::new(ring, salt) }
    }

    /// Sets the keys, and leaves everything else as it is.
    pub(crate) fn with_ring(self, ring: &Keyring) -> Self {
        Self { signer: self.signer.with_ring(ring) }
    }

    /// Sets what stands before stamp and signature, as [`Signer::separator`].
    ///
    /// # Errors
    ///
    /// [`ConfigError::UnsafeSeparator`] if it could occur in a signature.
    pub fn separator(mut self, separator: &str) -> Result<Self, ConfigError> {
        self.signer = self.signer.separator(separator)?;
        Ok(self)
    }

    /// Sets the hash, as [`Signer::algorithm`].
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.signer = self.signer.algorithm(algorithm);
        self
    }

    /// Sets how much JSON an object may have, as [`Signer::max_payload_len`].
    #[must_use]
    pub fn max_payload_len(mut self, bytes: usize) -> Self {
        self.signer = self.signer.max_payload_len(bytes);
        self
    }

    /// Signs a value and the present time.
    #[must_use]
    pub fn sign(&self, value: &str) -> String {
        self.sign_at(value, OffsetDateTime::now_utc())
    }

    /// Signs a value and the time `now`, of which whole seconds count.
    ///
    /// A time before 1970 is written as Django writes it, with a minus sign,
    /// and not accepted again; nor is one past the year 9999.
    #[must_use]
    pub fn sign_at(&self, value: &str, now: OffsetDateTime) -> String {
        let mut token = self.signer.start(value.len());
        token.extend_from_slice(value.as_bytes());
        self.stamp(token, now)
    }

    /// Returns the value, if a key signed it no longer than `max_age` ago.
    ///
    /// # Errors
    ///
    /// As [`unsign_at`](Self::unsign_at).
    pub fn unsign<'t>(
        &self,
        token: &'t str,
        max_age: Option<Duration>,
    ) -> Result<Stamped<'t>, DecodeError> {
        self.unsign_at(token, max_age, OffsetDateTime::now_utc())
    }

    /// Returns the value, if a key signed it no longer than `max_age` before `now`.
    ///
    /// An age of exactly `max_age` passes, and so does a stamp in the future,
    /// both as in Django. Without `max_age` a token never expires.
    ///
    /// # Errors
    ///
    /// As [`Signer::unsign`]; [`DecodeError::BadTimestamp`] if the stamp is
    /// missing or not plain base 62; [`DecodeError::Expired`].
    pub fn unsign_at<'t>(
        &self,
        token: &'t str,
        max_age: Option<Duration>,
        now: OffsetDateTime,
    ) -> Result<Stamped<'t>, DecodeError> {
        let stamped = self.unsign_any_age(token)?;
        match max_age {
            Some(max_age) => Age::new(stamped.signed_at, now).check(max_age).map(|()| stamped),
            None => Ok(stamped),
        }
    }

    /// Signs any value as JSON and the present time, as Django's `signing.dumps`.
    ///
    /// # Errors
    ///
    /// As [`sign_object_at`](Self::sign_object_at).
    pub fn sign_object<T: Serialize + ?Sized>(
        &self,
        value: &T,
        compress: Compress,
    ) -> Result<String, EncodeError> {
        self.sign_object_at(value, compress, OffsetDateTime::now_utc())
    }

    /// Signs any value as JSON and the time `now`.
    ///
    /// # Errors
    ///
    /// As [`Signer::sign_object`], and [`EncodeError::BadTimestamp`].
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{Compress, Keyring, TimestampSigner, django};
    ///
    /// let ring = Keyring::new("test-secret-key-0123456789")?;
    /// let signer = TimestampSigner::new(&ring, django::DUMPS_SALT);
    /// let now = time::OffsetDateTime::from_unix_timestamp(1_700_000_000)?;
    /// let value = std::collections::BTreeMap::from([("a", 1)]);
    /// assert_eq!(
    ///     signer.sign_object_at(&value, Compress::Never, now)?,
    ///     "eyJhIjoxfQ:1r31eq:lAXsj4cmI50s_GvTV_8kqO4UXq4x7k0Daq66vpqZ2MI",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sign_object_at<T: Serialize + ?Sized>(
        &self,
        value: &T,
        compress: Compress,
        now: OffsetDateTime,
    ) -> Result<String, EncodeError> {
        self.stamp_readably(self.signer.start_object(value, compress)?, now)
    }

    /// Signs what is JSON already and the present time.
    ///
    /// # Errors
    ///
    /// As [`sign_json_at`](Self::sign_json_at).
    pub fn sign_json(&self, json: &str, compress: Compress) -> Result<String, EncodeError> {
        self.sign_json_at(json, compress, OffsetDateTime::now_utc())
    }

    /// Signs what is JSON already and the time `now`, as [`Signer::sign_json`].
    ///
    /// # Errors
    ///
    /// As [`Signer::sign_json`], and [`EncodeError::BadTimestamp`].
    pub fn sign_json_at(
        &self,
        json: &str,
        compress: Compress,
        now: OffsetDateTime,
    ) -> Result<String, EncodeError> {
        self.stamp_readably(self.signer.start_json(&json::adopt(json)?, compress)?, now)
    }

    /// Returns the object, if a key signed it no longer than `max_age` ago.
    ///
    /// # Errors
    ///
    /// As [`unsign_object_at`](Self::unsign_object_at).
    pub fn unsign_object<T: DeserializeOwned>(
        &self,
        token: &str,
        max_age: Option<Duration>,
    ) -> Result<T, DecodeError> {
        self.unsign_object_at(token, max_age, OffsetDateTime::now_utc())
    }

    /// Returns the object, if a key signed it no longer than `max_age` before `now`.
    ///
    /// # Errors
    ///
    /// As [`unsign_at`](Self::unsign_at) and [`Signer::unsign_object`].
    pub fn unsign_object_at<T: DeserializeOwned>(
        &self,
        token: &str,
        max_age: Option<Duration>,
        now: OffsetDateTime,
    ) -> Result<T, DecodeError> {
        self.signer.check_object_len(token)?;
        self.signer.read_object(self.unsign_at(token, max_age, now)?.value)
    }

    /// Returns the object as its JSON text, if a key signed it no longer than `max_age` ago.
    ///
    /// # Errors
    ///
    /// As [`unsign_json_at`](Self::unsign_json_at).
    pub fn unsign_json(
        &self,
        token: &str,
        max_age: Option<Duration>,
    ) -> Result<String, DecodeError> {
        self.unsign_json_at(token, max_age, OffsetDateTime::now_utc())
    }

    /// Returns the object as its JSON text, if a key signed it no longer than `max_age` before
    /// `now`.
    ///
    /// # Errors
    ///
    /// As [`unsign_at`](Self::unsign_at) and [`Signer::unsign_json`].
    pub fn unsign_json_at(
        &self,
        token: &str,
        max_age: Option<Duration>,
        now: OffsetDateTime,
    ) -> Result<String, DecodeError> {
        self.signer.check_object_len(token)?;
        self.signer.read_json(self.unsign_at(token, max_age, now)?.value)
    }

    /// Returns an empty buffer with room for a token around a value of this length.
    pub(crate) fn start(&self, value_len: usize) -> Vec<u8> {
        self.signer.start(value_len)
    }

    /// Returns the value, however old it is.
    pub(crate) fn unsign_any_age<'t>(&self, token: &'t str) -> Result<Stamped<'t>, DecodeError> {
        let (value, key_index) = self.signer.unsign_with_key(token)?;
        let (value, stamp) = self.signer.split(value).ok_or(DecodeError::BadTimestamp)?;
        let signed_at = moment(stamp).ok_or(DecodeError::BadTimestamp)?;
        Ok(Stamped { value, signed_at, key_index })
    }

    /// Makes the token of a text, if its stamp could be read again.
    pub(crate) fn stamp_readably(
        &self,
        value: Vec<u8>,
        now: OffsetDateTime,
    ) -> Result<String, EncodeError> {
        if !STAMPS.contains(&now.unix_timestamp()) {
            return Err(EncodeError::BadTimestamp);
        }
        Ok(self.stamp(value, now))
    }

    /// Makes the token of a text.
    fn stamp(&self, mut token: Vec<u8>, now: OffsetDateTime) -> String {
        self.signer.append_separator(&mut token);
        // Python cuts a fraction off towards zero, this clock downwards: it matters before 1970.
        let cut = i64::from(now.unix_timestamp() < 0 && now.nanosecond() > 0);
        base62::append(&mut token, now.unix_timestamp().saturating_add(cut));
        self.signer.finish(token)
    }
}

/// The stamps that can be read, in Unix seconds: to the end of the year 9999, in UTC.
const STAMPS: RangeInclusive<i64> = 0..=253_402_300_799;

/// Reads a stamp; nothing if it is not plain base 62 or lies past the year 9999.
pub(crate) fn moment(stamp: &str) -> Option<OffsetDateTime> {
    let seconds = i64::try_from(base62::parse(stamp)?).ok()?;
    // Asked here, because `time` goes further where a program turns on its `large-dates`.
    let is_known = STAMPS.contains(&seconds);
    is_known.then(|| OffsetDateTime::from_unix_timestamp(seconds).ok()).flatten()
}
