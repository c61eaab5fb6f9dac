//! Signs a value as `value:timestamp:signature`, and verifies it.
//!
//! Corresponds to `django.core.signing.TimestampSigner`. The timestamp is the Unix time in whole
//! seconds, in base 62.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use crate::age::{Age, Moment};
use crate::base62;
use crate::error::{ConfigError, DecodeError, EncodeError};
use crate::json;
use crate::key::Keyring;
use crate::payload::Compress;
use crate::signer::{Algorithm, Signer};

/// Signs text with the current time, and verifies it up to a maximum age.
///
/// It works like [`Signer`], with a timestamp between the value and the signature. Signed objects
/// are compatible with Django's `signing.dumps` and `signing.loads`.
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

/// A signed value, its timestamp, and the key that signed it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stamped<'t> {
    /// The value.
    pub value: &'t str,
    /// When the value was signed, in whole seconds and UTC.
    pub signed_at: OffsetDateTime,
    /// The index in the ring of the secret that signed the value.
    ///
    /// 0 is the first secret, and 1 the first fallback.
    pub key_index: usize,
}

/// Omits the value, which may be a token or private data.
impl fmt::Debug for Stamped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stamped")
            .field("signed_at", &self.signed_at)
            .field("key_index", &self.key_index)
            .finish_non_exhaustive()
    }
}

/// A [`Stamped`] without a calendar date.
#[derive(Clone, Copy)]
pub(crate) struct Unsigned<'t> {
    pub(crate) value: &'t str,
    pub(crate) signed_at: Moment,
    pub(crate) key_index: usize,
}

impl<'t> From<Unsigned<'t>> for Stamped<'t> {
    fn from(Unsigned { value, signed_at, key_index }: Unsigned<'t>) -> Self {
        Self { value, signed_at: signed_at.date(), key_index }
    }
}

impl TimestampSigner {
    /// Creates a signer for one purpose, which the salt names.
    ///
    /// Django's `signing.dumps` defaults to the salt `django.core.signing`.
    #[must_use]
    pub fn new(ring: &Keyring, salt: &str) -> Self {
        Self { signer: Signer::new(ring, salt) }
    }

    /// Sets the keys and leaves everything else unchanged.
    pub(crate) fn with_ring(self, ring: &Keyring) -> Self {
        Self { signer: self.signer.with_ring(ring) }
    }

    /// Sets the text before the timestamp and before the signature.
    ///
    /// See [`Signer::separator`].
    ///
    /// # Errors
    ///
    /// [`ConfigError::UnsafeSeparator`] if the separator could occur in a signature.
    pub fn separator(mut self, separator: &str) -> Result<Self, ConfigError> {
        self.signer = self.signer.separator(separator)?;
        Ok(self)
    }

    /// Sets the hash function; see [`Signer::algorithm`].
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.signer = self.signer.algorithm(algorithm);
        self
    }

    /// Sets the maximum size of an object's JSON in bytes.
    ///
    /// See [`Signer::max_payload_len`].
    #[must_use]
    pub fn max_payload_len(mut self, bytes: usize) -> Self {
        self.signer = self.signer.max_payload_len(bytes);
        self
    }

    /// Signs a value with the current time.
    #[must_use]
    pub fn sign(&self, value: &str) -> String {
        self.sign_at(value, OffsetDateTime::now_utc())
    }

    /// Signs a value with the time `now`, in whole seconds.
    ///
    /// A time before 1970 is written with a minus sign, as in Django. When the token is verified,
    /// neither such a time nor one after the year 9999 is accepted.
    #[must_use]
    pub fn sign_at(&self, value: &str, now: OffsetDateTime) -> String {
        let mut token = self.signer.start(value.len());
        token.extend_from_slice(value.as_bytes());
        self.stamp(token, now.into())
    }

    /// Returns the value, if a key signed it no longer than `max_age` ago.
    ///
    /// # Errors
    ///
    /// See [`unsign_at`](Self::unsign_at).
    pub fn unsign<'t>(
        &self,
        token: &'t str,
        max_age: Option<Duration>,
    ) -> Result<Stamped<'t>, DecodeError> {
        match max_age {
            Some(max_age) => self.unsign_since(token, max_age, Moment::now()),
            None => self.unsign_any_age(token),
        }
        .map(Stamped::from)
    }

    /// Returns the value, if signed no longer than `max_age` before `now`.
    ///
    /// An age of exactly `max_age` is accepted, and so is a timestamp in the future, both as in
    /// Django. Without `max_age` a token does not expire.
    ///
    /// # Errors
    ///
    /// See [`Signer::unsign`]. In addition, [`DecodeError::BadTimestamp`] if the timestamp is
    /// missing, not base 62 or past the year 9999, and [`DecodeError::Expired`].
    pub fn unsign_at<'t>(
        &self,
        token: &'t str,
        max_age: Option<Duration>,
        now: OffsetDateTime,
    ) -> Result<Stamped<'t>, DecodeError> {
        match max_age {
            Some(max_age) => self.unsign_since(token, max_age, now.into()),
            None => self.unsign_any_age(token),
        }
        .map(Stamped::from)
    }

    /// Signs any value as JSON with the current time.
    ///
    /// Corresponds to Django's `signing.dumps`.
    ///
    /// # Errors
    ///
    /// See [`sign_object_at`](Self::sign_object_at).
    pub fn sign_object<T: Serialize + ?Sized>(
        &self,
        value: &T,
        compress: Compress,
    ) -> Result<String, EncodeError> {
        self.sign_object_at(value, compress, OffsetDateTime::now_utc())
    }

    /// Signs any value as JSON with the time `now`.
    ///
    /// # Errors
    ///
    /// See [`Signer::sign_object`]; [`EncodeError::BadTimestamp`] if `now` is before 1970 or after
    /// the year 9999.
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
        self.stamp_readably(self.signer.start_object(value, compress)?, now.into())
    }

    /// Signs a JSON text with the current time.
    ///
    /// # Errors
    ///
    /// See [`sign_json_at`](Self::sign_json_at).
    pub fn sign_json(&self, json: &str, compress: Compress) -> Result<String, EncodeError> {
        self.sign_json_at(json, compress, OffsetDateTime::now_utc())
    }

    /// Signs a JSON text with the time `now`; see [`Signer::sign_json`].
    ///
    /// # Errors
    ///
    /// See [`Signer::sign_json`]; [`EncodeError::BadTimestamp`] if `now` is before 1970 or after
    /// the year 9999.
    pub fn sign_json_at(
        &self,
        json: &str,
        compress: Compress,
        now: OffsetDateTime,
    ) -> Result<String, EncodeError> {
        self.stamp_readably(self.signer.start_json(&json::adopt(json)?, compress)?, now.into())
    }

    /// Returns the object, if a key signed it no longer than `max_age` ago.
    ///
    /// # Errors
    ///
    /// See [`unsign_object_at`](Self::unsign_object_at).
    pub fn unsign_object<T: DeserializeOwned>(
        &self,
        token: &str,
        max_age: Option<Duration>,
    ) -> Result<T, DecodeError> {
        self.unsign_object_at(token, max_age, OffsetDateTime::now_utc())
    }

    /// Returns the object, if signed no longer than `max_age` before `now`.
    ///
    /// # Errors
    ///
    /// See [`unsign_at`](Self::unsign_at) and [`Signer::unsign_object`].
    pub fn unsign_object_at<T: DeserializeOwned>(
        &self,
        token: &str,
        max_age: Option<Duration>,
        now: OffsetDateTime,
    ) -> Result<T, DecodeError> {
        self.signer.check_object_len(token)?;
        self.signer.read_object(self.unsign_at(token, max_age, now)?.value)
    }

    /// Returns an object's JSON, if signed no longer than `max_age` ago.
    ///
    /// # Errors
    ///
    /// See [`unsign_json_at`](Self::unsign_json_at).
    pub fn unsign_json(
        &self,
        token: &str,
        max_age: Option<Duration>,
    ) -> Result<String, DecodeError> {
        self.unsign_json_at(token, max_age, OffsetDateTime::now_utc())
    }

    /// Returns the JSON, if signed no longer than `max_age` before `now`.
    ///
    /// # Errors
    ///
    /// See [`unsign_at`](Self::unsign_at) and [`Signer::unsign_json`].
    pub fn unsign_json_at(
        &self,
        token: &str,
        max_age: Option<Duration>,
        now: OffsetDateTime,
    ) -> Result<String, DecodeError> {
        self.signer.check_object_len(token)?;
        self.signer.read_json(self.unsign_at(token, max_age, now)?.value)
    }

    /// Returns an empty buffer with capacity for a token.
    ///
    /// `value_len` is the length of the value.
    pub(crate) fn start(&self, value_len: usize) -> Vec<u8> {
        self.signer.start(value_len)
    }

    fn unsign_since<'t>(
        &self,
        token: &'t str,
        max_age: Duration,
        now: Moment,
    ) -> Result<Unsigned<'t>, DecodeError> {
        let unsigned = self.unsign_any_age(token)?;
        Age::new(unsigned.signed_at, now).check(max_age).map(|()| unsigned)
    }

    /// Returns the value, however old it is.
    pub(crate) fn unsign_any_age<'t>(&self, token: &'t str) -> Result<Unsigned<'t>, DecodeError> {
        let (value, key_index) = self.signer.unsign_with_key(token)?;
        let (value, stamp) = self.signer.split(value).ok_or(DecodeError::BadTimestamp)?;
        let signed_at = read(stamp).ok_or(DecodeError::BadTimestamp)?;
        Ok(Unsigned { value, signed_at, key_index })
    }

    /// Returns the token of a text, if decoding would accept the timestamp.
    pub(crate) fn stamp_readably(
        &self,
        value: Vec<u8>,
        now: Moment,
    ) -> Result<String, EncodeError> {
        if !STAMPS.contains(&now.seconds()) {
            return Err(EncodeError::BadTimestamp);
        }
        Ok(self.stamp(value, now))
    }

    /// Returns the token of a text.
    fn stamp(&self, mut token: Vec<u8>, now: Moment) -> String {
        self.signer.append_separator(&mut token);
        base62::append(&mut token, now.truncated_seconds());
        self.signer.finish(token)
    }
}

/// The range of valid timestamps, in Unix seconds.
///
/// It ends with the year 9999 in UTC.
const STAMPS: RangeInclusive<i64> = 0..=253_402_300_799;

/// Reads a timestamp.
///
/// Returns `None` if it is not plain base 62 or is after the year 9999.
pub(crate) fn read(stamp: &str) -> Option<Moment> {
    let seconds = i64::try_from(base62::parse(stamp)?).ok()?;
    STAMPS.contains(&seconds).then(|| Moment::from_seconds(seconds))
}
