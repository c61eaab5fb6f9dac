//! Reads the `session_data` of Django 3.0 and older.
//!
//! It is base64 of a SHA-1 signature and JSON.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::cli::mac;

/// The output of `SessionBase.encode`: `base64(sha1hex:payload)`.
pub(crate) struct OldSession {
    /// Forty hexadecimal digits.
    pub(crate) signature: String,
    /// JSON, or a pickle.
    pub(crate) payload: Vec<u8>,
}

/// Standard base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl OldSession {
    /// Splits a string that has this form; `None` for any other.
    pub(crate) fn new(text: &str) -> Option<Self> {
        // Older releases split the base64 into lines.
        let joined: String = text.split_whitespace().collect();
        let bytes = BASE64.decode(joined).ok()?;
        let (signature, rest) = bytes.split_at_checked(40)?;
        let payload = rest.strip_prefix(b":")?.to_vec();
        let is_hexadecimal = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if !signature.iter().all(is_hexadecimal) {
            return None;
        }
        Some(Self { signature: String::from_utf8_lossy(signature).into_owned(), payload })
    }

    /// Returns the payload as text, if it is JSON.
    pub(crate) fn json(&self) -> Option<&str> {
        let text = str::from_utf8(&self.payload).ok()?;
        serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
        Some(text)
    }

    /// Returns `true` if a backend's `SessionStore` signed it with this secret.
    pub(crate) fn is_signed_by(&self, secret: &[u8]) -> bool {
        let key: [&[u8]; 2] = [b"django.contrib.sessionsSessionStore", secret];
        let mut digits = String::with_capacity(40);
        for byte in mac::salted_sha1(&key, &self.payload) {
            // Writing to a String cannot fail.
            let _ = write!(digits, "{byte:02x}");
        }
        digits == self.signature
    }
}
