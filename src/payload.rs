//! Turns JSON into a printable payload, compressed if that pays, and back, within limits.
//!
//! As the middle of `django.core.signing.Signer.sign_object`: base64url without
//! padding; a leading `.` says that zlib came first.

use std::cell::Cell;
use std::mem;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::GeneralPurposeConfig;
use base64::engine::general_purpose::NO_PAD;
use flate2::{Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::error::{DecodeError, sure};
use crate::kept::{self, Slot};

/// The default limit on the JSON that is read or written, in bytes.
pub(crate) const DEFAULT_MAX_LEN: usize = 64 * 1024;

// What every thread uses again and again is kept whole.
const _: () = assert!(kept::MAX_LEN >= DEFAULT_MAX_LEN);

/// When to compress.
///
/// Reading does not depend on it: a compressed payload says so itself.
///
/// It buys bytes with time. A Django login, 172 bytes of JSON, is a token of 227
/// bytes instead of 281, made in some 15 times the time and read in 3.5 times; a
/// shop's session of 1 KB is one of 947 instead of 1,423, in 10 and 2.5 times. The
/// README has the figures. All of it is a few microseconds: what does not fit a
/// cookie otherwise is worth it, and so is what every request carries.
///
/// # Not next to a secret
///
/// Compression shows in the token's length what the session repeats. If a session holds a text
/// that a visitor chooses next to one that nobody may learn, such as a code in a one-time link,
/// whoever can vary the first and see the length of the cookie learns the second character by
/// character: its beginning or its key is enough to start from. Signing does not help, and neither
/// does encrypting the connection. Use [`Never`](Self::Never) for such a session, or keep the
/// secret on the server. (In our trial 1,120 of 1,120 characters were found.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compress {
    /// Whenever it saves at least two bytes, which is Django's rule.
    #[default]
    IfShorter,
    /// By the same rule, but only JSON of more than this many bytes: small sessions stay fast.
    Above(usize),
    /// Not at all.
    Never,
}

// The vector engine exists for these two only; `GeneralPurpose` reads and writes the same.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) type Base64 = base64::engine::Simd;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) type Base64 = base64::engine::GeneralPurpose;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn base64_engine(config: GeneralPurposeConfig) -> Base64 {
    Base64::url_safe(config)
}
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn base64_engine(config: GeneralPurposeConfig) -> Base64 {
    Base64::new(&base64::alphabet::URL_SAFE, config)
}

/// Base64 in the URL-safe alphabet, without padding and in its one canonical spelling.
pub(crate) static BASE64: LazyLock<Base64> = LazyLock::new(|| base64_engine(NO_PAD));

/// Appends the JSON as a payload.
pub(crate) fn append(out: &mut Vec<u8>, json: &str, compress: Compress) {
    let is_tried = match compress {
        Compress::IfShorter => true,
        Compress::Above(len) => json.len() > len,
        Compress::Never => false,
    };
    if is_tried && append_deflated(out, json) {
        return;
    }
    append_base64(out, json.as_bytes());
}

/// Appends bytes as base64.
pub(crate) fn append_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    let len = sure(base64::encoded_len(bytes.len(), false));
    out.resize(start.saturating_add(len), 0);
    // The space is just what it needs.
    sure(BASE64.encode_slice(bytes, sure(out.get_mut(start..))).ok());
}

/// Reads the JSON from a payload into an empty buffer.
///
/// # Errors
///
/// `Base64`, `Zlib`, `TooLarge` for more than `max_len` bytes of JSON, and
/// `Json` for bytes beyond ASCII, which Django would read as other characters.
pub(crate) fn read(out: &mut String, payload: &str, max_len: usize) -> Result<(), DecodeError> {
    // Before anything is copied. Django's rule makes a compressed payload the shorter one.
    if payload.len() > max_payload_len(max_len) {
        return Err(DecodeError::TooLarge { limit: max_len });
    }
    let mut json = mem::take(out).into_bytes();
    if let Some(zlib) = payload.strip_prefix('.') {
        append_inflated(&mut json, zlib, max_len)?;
    } else {
        BASE64.decode_vec(payload, &mut json).map_err(|_| DecodeError::Base64)?;
    }
    if !is_ascii(&json) {
        return Err(DecodeError::Json);
    }
    *out = String::from_utf8(json).map_err(|_| DecodeError::Json)?;
    Ok(())
}

/// Tells the same as the method of slices, which takes the last bytes one by one.
fn is_ascii(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks();
    let words = words.iter().fold(0, |bits, word| bits | u64::from_ne_bytes(*word));
    let rest = rest.iter().fold(0, |bits, byte| bits | byte);
    words & 0x8080_8080_8080_8080 == 0 && rest.is_ascii()
}

/// Returns the longest payload that `max_len` bytes of JSON can have.
///
/// Compressed ones are shorter: they are made only where that holds.
pub(crate) fn max_payload_len(max_len: usize) -> usize {
    base64::encoded_len(max_len, false).unwrap_or(usize::MAX)
}

/// A compressor or decompressor, and the zlib that comes out of it or goes in.
struct Kept<T> {
    state: T,
    zlib: Vec<u8>,
}

impl<T> Kept<T> {
    fn new(state: T) -> Self {
        Self { state, zlib: Vec::new() }
    }

    fn trim(&mut self) {
        // Cleared first: a buffer keeps the capacity that its contents need.
        self.zlib.clear();
        self.zlib.shrink_to(kept::MAX_LEN);
    }
}

// A compressor takes 380 KB to set up and a decompressor 48 KB: each thread keeps one.
thread_local! {
    static DEFLATE: Slot<Kept<flate2::Compress>> = const { Cell::new(None) };
    static INFLATE: Slot<Kept<Decompress>> = const { Cell::new(None) };
}

/// Appends a dot and the JSON's zlib, unless that is no shorter than the JSON less one byte.
fn append_deflated(out: &mut Vec<u8>, json: &str) -> bool {
    let new = || Kept::new(flate2::Compress::new(Compression::default(), true));
    kept::with(&DEFLATE, new, Kept::trim, |Kept { state, zlib }| {
        state.reset();
        // Django's rule is `len(zlib) < len(json) - 1`: a longer result need not be finished.
        let max_len = json.len().saturating_sub(2);
        zlib.reserve(max_len);
        let status = state.compress_vec(json.as_bytes(), zlib, FlushCompress::Finish);
        let is_shorter = matches!(status, Ok(Status::StreamEnd)) && zlib.len() <= max_len;
        if is_shorter {
            out.push(b'.');
            append_base64(out, zlib);
        }
        is_shorter
    })
}

/// Appends what is in one whole zlib stream, and stops at the limit.
fn append_inflated(out: &mut Vec<u8>, payload: &str, max_len: usize) -> Result<(), DecodeError> {
    let new = || Kept::new(Decompress::new(true));
    kept::with(&INFLATE, new, Kept::trim, |Kept { state, zlib }| {
        BASE64.decode_vec(payload, zlib).map_err(|_| DecodeError::Base64)?;
        state.reset(true);
        inflate(state, zlib, out, max_len)
    })
}

fn inflate(
    state: &mut Decompress,
    zlib: &[u8],
    out: &mut Vec<u8>,
    max_len: usize,
) -> Result<(), DecodeError> {
    // One byte more than allowed shows that there is more.
    let ceiling = max_len.saturating_add(1);
    let mut room = zlib.len().saturating_mul(4).clamp(256.min(ceiling), ceiling);
    loop {
        out.reserve_exact(room.saturating_sub(out.len()));
        let consumed = usize::try_from(state.total_in()).map_err(|_| DecodeError::Zlib)?;
        let rest = sure(zlib.get(consumed..));
        let status = state
            .decompress_vec(rest, out, FlushDecompress::Finish)
            .map_err(|_| DecodeError::Zlib)?;
        if out.len() > max_len {
            return Err(DecodeError::TooLarge { limit: max_len });
        }
        if status == Status::StreamEnd {
            // Bytes after the stream are none of it.
            let is_whole = usize::try_from(state.total_in()) == Ok(zlib.len());
            return if is_whole { Ok(()) } else { Err(DecodeError::Zlib) };
        }
        if out.len() < out.capacity() {
            // There was room for more: the stream was cut off.
            return Err(DecodeError::Zlib);
        }
        room = out.capacity().saturating_mul(2).min(ceiling);
    }
}
