//! Computes signatures that the library does not support.
//!
//! These are those of Django 3.0 and older, itsdangerous and JSON Web Tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

/// Returns the HMAC-SHA1 of a string.
///
/// The key of the HMAC is the SHA-1 of the concatenated parts of `key`. This corresponds to
/// `django.utils.crypto.salted_hmac` with its default algorithm.
pub(crate) fn salted_sha1(key: &[&[u8]], text: &[u8]) -> Vec<u8> {
    let mut hash = Sha1::new();
    for part in key {
        hash.update(part);
    }
    sha1(&hash.finalize(), text)
}

/// Returns the HMAC-SHA1 of a string.
pub(crate) fn sha1(key: &[u8], text: &[u8]) -> Vec<u8> {
    // An HMAC accepts a key of any length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// Returns the HMAC-SHA256 of a string.
pub(crate) fn sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// Returns a signature in base64url without padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
