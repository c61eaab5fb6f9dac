//! Signs a value as `value:signature`, and verifies it.
//!
//! Corresponds to `django.core.signing.Signer`. The key of the HMAC is `SHA-256(salt + "signer" +
//! secret)`, and the signature is base64url without padding: 43 characters for SHA-256.

use std::sync::Arc;
use std::{fmt, iter};

use base64::Engine as _;
use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::{Choice, ConstantTimeEq};

use crate::error::{ConfigError, DecodeError, EncodeError, sure};
use crate::json;
use crate::kept;
use crate::key::Keyring;
use crate::payload::{self, BASE64, Compress};
use crate::wiped::wiping_stack;

/// Signs text, and verifies text that was signed.
///
/// # The salt
///
/// The salt names the purpose of a signature. Suppose that a site mails `ada:signature` in a link
/// that activates an account, and signs links that upgrade an account in the same way. If both have
/// the same salt, anyone who received an activation link can use its signature to upgrade. Give
/// each purpose a separate salt. A salt is not secret.
///
/// # Examples
///
/// ```
/// use signed_session::{Keyring, Signer};
///
/// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
/// let signer = Signer::new(&ring, "activate");
/// let signed = signer.sign("ada");
/// assert_eq!(signed, "ada:9fcm3eFLz4-3l64rKNhYNQHspd7G7-u7TroTSCtyeu4");
/// assert_eq!(signer.unsign(&signed), Ok("ada"));
/// assert!(Signer::new(&ring, "upgrade").unsign(&signed).is_err());
/// # Ok::<(), signed_session::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Signer {
    ring: Keyring,
    salt: String,
    algorithm: Algorithm,
    separator: String,
    max_payload_len: usize,
    /// The key that signs, and the keys of the ring's fallbacks.
    key: Key,
    fallbacks: Vec<Key>,
}

/// The hash function of the HMAC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256, which is Django's default. Signatures have 43 characters.
    #[default]
    Sha256,
    /// SHA-384. Signatures have 64 characters.
    Sha384,
    /// SHA-512. Signatures have 86 characters.
    Sha512,
}

impl Signer {
    /// Creates a signer for one purpose, which the salt names.
    ///
    /// Django's `Signer` uses the salt `django.core.signing.Signer` if the salt is missing or
    /// empty. Here an empty salt is a salt like any other. The keys are derived once, in this
    /// function.
    #[must_use]
    pub fn new(ring: &Keyring, salt: &str) -> Self {
        let (key, fallbacks) = Key::all(ring, salt, Algorithm::default());
        Self {
            ring: ring.clone(),
            salt: salt.to_owned(),
            algorithm: Algorithm::default(),
            separator: ":".to_owned(),
            max_payload_len: payload::DEFAULT_MAX_LEN,
            key,
            fallbacks,
        }
    }

    /// Sets the text between the value and the signature. Defaults to `:`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::UnsafeSeparator`] if the separator could occur in a signature. By Django's
    /// rule, this is a separator that is empty or consists only of letters, digits and
    /// ``-_=[\]^` ``.
    pub fn separator(mut self, separator: &str) -> Result<Self, ConfigError> {
        // Python's `$` also matches before a last newline.
        let checked = separator.strip_suffix('\n').unwrap_or(separator);
        // Django writes this class as `A-z`, which includes the six characters between Z and a.
        let safe = |byte: u8| !matches!(byte, b'A'..=b'z' | b'0'..=b'9' | b'-' | b'=');
        if !checked.bytes().any(safe) {
            return Err(ConfigError::UnsafeSeparator);
        }
        separator.clone_into(&mut self.separator);
        Ok(self)
    }

    /// Sets the keys and leaves everything else unchanged.
    pub(crate) fn with_ring(mut self, ring: &Keyring) -> Self {
        self.ring = ring.clone();
        (self.key, self.fallbacks) = Key::all(ring, &self.salt, self.algorithm);
        self
    }

    /// Sets the hash function. Defaults to SHA-256.
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        (self.key, self.fallbacks) = Key::all(&self.ring, &self.salt, algorithm);
        self
    }

    /// Sets the maximum size of an object's JSON in bytes. Defaults to 65,536.
    ///
    /// The limit applies to writing and to reading. Decompression stops at the limit.
    #[must_use]
    pub fn max_payload_len(mut self, bytes: usize) -> Self {
        self.max_payload_len = bytes;
        self
    }

    /// Signs a value, which stays readable.
    #[must_use]
    pub fn sign(&self, value: &str) -> String {
        let mut token = self.start(value.len());
        token.extend_from_slice(value.as_bytes());
        self.finish(token)
    }

    /// Returns the value, if one of the ring's keys signed it.
    ///
    /// Every key is tried, newest first. The signature must be encoded exactly as by
    /// [`sign`](Self::sign): base64 has several encodings of the same bytes, and only the canonical
    /// one is accepted. This does not allocate.
    ///
    /// This proves that a holder of a key signed the value for this salt. It does not prove when: a
    /// plain signature never expires. See [`TimestampSigner`] for signatures that can expire.
    ///
    /// [`TimestampSigner`]: crate::TimestampSigner
    ///
    /// # Errors
    ///
    /// [`DecodeError::Malformed`] if there is no separator; [`DecodeError::BadSignature`] if no key
    /// matches.
    pub fn unsign<'t>(&self, token: &'t str) -> Result<&'t str, DecodeError> {
        self.unsign_with_key(token).map(|(value, _)| value)
    }

    /// Signs any value as JSON, like Django's `Signer.sign_object`.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Value`] if the value cannot be written as JSON; [`EncodeError::TooLarge`] if
    /// its JSON exceeds [`max_payload_len`](Self::max_payload_len).
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{Compress, Keyring, Signer};
    ///
    /// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
    /// let signer = Signer::new(&ring, "cart");
    /// let token = signer.sign_object(&[("apples", 3)], Compress::Never)?;
    /// assert!(token.starts_with("W1siYXBwbGVzIiwzXV0:"));
    /// assert_eq!(signer.unsign_object::<Vec<(String, u32)>>(&token)?, [("apples".to_owned(), 3)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sign_object<T: Serialize + ?Sized>(
        &self,
        value: &T,
        compress: Compress,
    ) -> Result<String, EncodeError> {
        let token = self.start_object(value, compress)?;
        Ok(self.finish(token))
    }

    /// Returns the object, if one of the ring's keys signed it.
    ///
    /// `serde_json::Value` rounds integers that exceed 64 bits; [`unsign_json`](Self::unsign_json)
    /// returns the JSON unchanged.
    ///
    /// # Errors
    ///
    /// See [`unsign`](Self::unsign). In addition, [`DecodeError::TooLong`] for a token longer than
    /// the largest object needs, the errors of the payload, and [`DecodeError::WrongType`] if the
    /// object does not fit `T`.
    pub fn unsign_object<T: DeserializeOwned>(&self, token: &str) -> Result<T, DecodeError> {
        self.check_object_len(token)?;
        self.read_object(self.unsign(token)?)
    }

    /// Signs a JSON text, as [`sign_object`](Self::sign_object) signs a value.
    ///
    /// Numbers and white space stay as they are; characters beyond ASCII become escapes.
    ///
    /// # Errors
    ///
    /// See [`sign_object`](Self::sign_object); [`EncodeError::Value`] if the text is not a JSON
    /// value.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{Compress, Keyring, Signer};
    ///
    /// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
    /// let signer = Signer::new(&ring, "serial");
    /// let token = signer.sign_json("123456789012345678901234567890", Compress::Never)?;
    /// assert_eq!(signer.unsign_json(&token)?, "123456789012345678901234567890");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sign_json(&self, json: &str, compress: Compress) -> Result<String, EncodeError> {
        let token = self.start_json(&json::adopt(json)?, compress)?;
        Ok(self.finish(token))
    }

    /// Returns the JSON text of an object that was signed, unchanged.
    ///
    /// # Errors
    ///
    /// See [`unsign_object`](Self::unsign_object), except [`DecodeError::WrongType`]: any type is
    /// accepted.
    pub fn unsign_json(&self, token: &str) -> Result<String, DecodeError> {
        self.check_object_len(token)?;
        self.read_json(self.unsign(token)?)
    }

    /// Returns an empty buffer with capacity for a token.
    ///
    /// `value_len` is the length of the value.
    pub(crate) fn start(&self, value_len: usize) -> Vec<u8> {
        Vec::with_capacity(self.token_len(value_len))
    }

    /// Returns the maximum length of a token with a value of this length.
    fn token_len(&self, value_len: usize) -> usize {
        // Two separators, the digits of any 64-bit timestamp, and the signature.
        value_len
            .saturating_add(self.separator.len().saturating_mul(2))
            .saturating_add(11)
            .saturating_add(self.algorithm.signature_len())
    }

    /// Returns an object as a payload, with capacity for the rest of a token.
    pub(crate) fn start_object<T: Serialize + ?Sized>(
        &self,
        value: &T,
        compress: Compress,
    ) -> Result<Vec<u8>, EncodeError> {
        kept::with_text(|json| {
            json::append(json, value)?;
            self.start_json(json, compress)
        })
    }

    /// Returns ASCII JSON as a payload, with capacity for the rest of a token.
    pub(crate) fn start_json(
        &self,
        json: &str,
        compress: Compress,
    ) -> Result<Vec<u8>, EncodeError> {
        if json.len() > self.max_payload_len {
            return Err(EncodeError::too_large(json.len(), self.max_payload_len));
        }
        let mut token = self.start(payload::max_payload_len(json.len()));
        payload::append(&mut token, json, compress);
        Ok(token)
    }

    /// Reads the object from a payload that has been verified.
    pub(crate) fn read_object<T: DeserializeOwned>(&self, value: &str) -> Result<T, DecodeError> {
        kept::with_text(|json| {
            payload::read(json, value, self.max_payload_len)?;
            Ok(json::read(json)?)
        })
    }

    /// Reads the JSON of an object from a payload that has been verified.
    pub(crate) fn read_json(&self, value: &str) -> Result<String, DecodeError> {
        kept::with_text(|json| {
            payload::read(json, value, self.max_payload_len)?;
            Ok(json::check(json)?.to_owned())
        })
    }

    /// Returns an error if the token is longer than for any permitted object.
    pub(crate) fn check_object_len(&self, token: &str) -> Result<(), DecodeError> {
        let limit = self.token_len(payload::max_payload_len(self.max_payload_len));
        if token.len() > limit {
            return Err(DecodeError::TooLong { len: token.len(), limit });
        }
        Ok(())
    }

    /// Appends the separator.
    pub(crate) fn append_separator(&self, token: &mut Vec<u8>) {
        token.extend_from_slice(self.separator.as_bytes());
    }

    /// Returns the token of a text, after signing it.
    pub(crate) fn finish(&self, mut token: Vec<u8>) -> String {
        let signature = self.key.sign(&token);
        self.append_separator(&mut token);
        payload::append_base64(&mut token, signature.as_bytes());
        // Both the text and the appended part are valid UTF-8.
        sure(String::from_utf8(token).ok())
    }

    /// Splits off the text after the last separator.
    pub(crate) fn split<'t>(&self, value: &'t str) -> Option<(&'t str, &'t str)> {
        // That text is short, so stepping back to its start is faster than setting up a search.
        let separator = self.separator.as_bytes();
        let (first, _) = separator.split_first()?;
        let at = value.bytes().enumerate().rposition(|(at, byte)| {
            byte == *first && value.as_bytes().get(at..).is_some_and(|t| t.starts_with(separator))
        })?;
        let (rest, last) = value.split_at_checked(at)?;
        Some((rest, last.get(separator.len()..)?))
    }

    /// Returns the value and the index of the key that signed it.
    pub(crate) fn unsign_with_key<'t>(
        &self,
        token: &'t str,
    ) -> Result<(&'t str, usize), DecodeError> {
        // A signature has a fixed length and cannot contain the separator, so the last separator is
        // found without a search.
        let parts = token
            .len()
            .checked_sub(self.algorithm.signature_len())
            .and_then(|at| token.split_at_checked(at))
            .and_then(|(rest, signature)| {
                Some((rest.strip_suffix(self.separator.as_str())?, signature))
            });
        let Some((value, signature)) = parts else {
            return Err(if token.contains(self.separator.as_str()) {
                DecodeError::BadSignature
            } else {
                DecodeError::Malformed
            });
        };
        // Base64 has several encodings of the same bytes, and only the canonical one is accepted.
        let signature = Mac::read(signature).ok_or(DecodeError::BadSignature)?;
        // This is a loop, because `position` would be compiled for the first key and again for the
        // others.
        for (index, key) in iter::once(&self.key).chain(&self.fallbacks).enumerate() {
            if bool::from(key.sign(value.as_bytes()).ct_eq(&signature)) {
                return Ok((value, index));
            }
        }
        Err(DecodeError::BadSignature)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Algorithm {
    /// Returns the length of a signature in characters.
    fn signature_len(self) -> usize {
        match self {
            Self::Sha256 => 43,
            Self::Sha384 => 64,
            Self::Sha512 => 86,
        }
    }
}

/// An HMAC with a key. Each message starts from a clone.
///
/// It is shared, so that moving or cloning a signer leaves no copy of the key in memory.
#[derive(Clone)]
enum Key {
    Sha256(Arc<Hmac<Sha256>>),
    Sha384(Arc<Hmac<Sha384>>),
    Sha512(Arc<Hmac<Sha512>>),
}

/// Derives a key from a hash of salt and secret.
///
/// Corresponds to `django.utils.crypto.salted_hmac`. Call it inside [`wiping_stack`], because the
/// hash functions leave copies on the stack, too.
macro_rules! derive {
    ($hash:ty, $salt:expr, $secret:expr) => {{
        let digest = $salt
            .into_iter()
            .fold(<$hash>::new(), |hash, part| hash.chain_update(part))
            .chain_update($secret)
            .finalize();
        // An HMAC pads a key that is shorter than a block with zeros. Starting from a block of
        // zeros gives the same result and cannot fail.
        let mut block = hmac::digest::Key::<Hmac<$hash>>::default();
        for (to, from) in block.iter_mut().zip(digest) {
            *to = from;
        }
        Hmac::<$hash>::new(&block)
    }};
}

/// Returns the HMAC of a value with each secret.
///
/// Corresponds to Django's `salted_hmac` with SHA-256. Only the salt precedes the secret, so no
/// signer has the same key.
pub(crate) fn salted_hmacs(
    ring: &Keyring,
    salt: &str,
    value: &[u8],
) -> impl Iterator<Item = [u8; 32]> {
    ring.secrets().map(move |secret| {
        wiping_stack(|| {
            let key = derive!(Sha256, [salt], secret);
            key.chain_update(value).finalize().into_bytes().into()
        })
    })
}

impl Key {
    /// Derives the key that signs, and those of the fallbacks in order.
    fn all(ring: &Keyring, salt: &str, algorithm: Algorithm) -> (Self, Vec<Self>) {
        let new = |secret| Self::new(secret, salt, algorithm);
        (new(ring.secret()), ring.fallbacks().map(new).collect())
    }

    fn new(secret: &[u8], salt: &str, algorithm: Algorithm) -> Self {
        let salt = [salt, "signer"];
        wiping_stack(|| match algorithm {
            Algorithm::Sha256 => Self::Sha256(Arc::new(derive!(Sha256, salt, secret))),
            Algorithm::Sha384 => Self::Sha384(Arc::new(derive!(Sha384, salt, secret))),
            Algorithm::Sha512 => Self::Sha512(Arc::new(derive!(Sha512, salt, secret))),
        })
    }

    fn sign(&self, message: &[u8]) -> Mac {
        match self {
            Self::Sha256(key) => {
                Mac::new(&Hmac::clone(key).chain_update(message).finalize().into_bytes())
            }
            Self::Sha384(key) => {
                Mac::new(&Hmac::clone(key).chain_update(message).finalize().into_bytes())
            }
            Self::Sha512(key) => {
                Mac::new(&Hmac::clone(key).chain_update(message).finalize().into_bytes())
            }
        }
    }
}

/// The bytes of a signature, padded with zeros to the maximum length.
struct Mac {
    bytes: [u8; 72],
    len: usize,
}

impl Mac {
    fn new(mac: &[u8]) -> Self {
        let mut bytes = [0; 72];
        for (to, from) in bytes.iter_mut().zip(mac) {
            *to = *from;
        }
        Self { bytes, len: mac.len() }
    }

    /// Decodes a signature.
    fn read(text: &str) -> Option<Self> {
        let mut bytes = [0; 72];
        let len = BASE64.decode_slice(text, &mut bytes).ok()?;
        Some(Self { bytes, len })
    }

    fn as_bytes(&self) -> &[u8] {
        sure(self.bytes.get(..self.len))
    }
}

impl ConstantTimeEq for Mac {
    /// Combines the differences of whole words.
    ///
    /// Comparing single bytes would take ten times as long.
    fn ct_eq(&self, other: &Self) -> Choice {
        let (words, _) = self.bytes.as_chunks();
        let (others, _) = other.bytes.as_chunks();
        let differences = words.iter().zip(others).fold(0, |differences, (word, other)| {
            differences | u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(*other)
        });
        differences.ct_eq(&0) & self.len.ct_eq(&other.len)
    }
}
