//! Encodes JSON as a payload, and decodes payloads, within limits.
//!
//! Corresponds to the middle part of `django.core.signing.Signer.sign_object`: base64url without
//! padding. A leading `.` means that the JSON is compressed with zlib, which is done if the result
//! is shorter.

use std::cell::Cell;
use std::mem;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::GeneralPurposeConfig;
use base64::engine::general_purpose::NO_PAD;
use flate2::{Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::error::{DecodeError, sure};
use crate::kept::{self, Slot};

/// The default maximum size of the JSON that is read or written, in bytes.
pub(crate) const DEFAULT_MAX_LEN: usize = 64 * 1024;

// Buffers of up to this size are kept, because every thread reuses them.
const _: () = assert!(kept::MAX_LEN >= DEFAULT_MAX_LEN);

/// When to compress a payload.
///
/// This does not affect decoding, because a compressed payload is marked.
///
/// Compression trades time for space. For a Django login of 172 bytes of JSON, the token has 227
/// bytes instead of 281, and takes about 15 times as long to write and 3.5 times as long to read.
/// For a shop's session of 1 KB, it has 947 bytes instead of 1,423, and takes 10 and 2.5 times as
/// long. All of this is a few microseconds. It is worth it because every request contains the
/// cookie, and for sessions that would not fit in a cookie otherwise.
///
/// # Not next to a secret
///
/// With compression, the token's length reveals repetitions in the session. Suppose that a session
/// contains both text that a visitor chooses and a secret, such as a code in a one-time link. An
/// attacker who can vary the text and see the length of the cookie learns the secret character by
/// character, starting from its key or a known beginning. Signing does not prevent this, and
/// neither does encrypting the connection. Use [`Never`](Self::Never) for such a session, or keep
/// the secret on the server. (In our test 1,120 of 1,120 characters were recovered.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compress {
    /// Compresses if that saves at least two bytes, which is Django's rule.
    #[default]
    IfShorter,
    /// Compresses by the same rule, but only JSON of more bytes than this.
    ///
    /// Small sessions stay fast.
    Above(usize),
    /// Never compresses.
    Never,
}

// The vector engine exists only for these two architectures; `GeneralPurpose` reads and writes the
// same.
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

/// Base64 in the URL-safe alphabet, without padding, in canonical form only.
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
    // The buffer has exactly the length that is needed.
    sure(BASE64.encode_slice(bytes, sure(out.get_mut(start..))).ok());
}

/// Reads the JSON from a payload into an empty buffer.
///
/// # Errors
///
/// `Base64`, `Zlib`, `TooLarge` for more than `max_len` bytes of JSON, and `Json` for bytes beyond
/// ASCII, which Django would read as other characters.
pub(crate) fn read(out: &mut String, payload: &str, max_len: usize) -> Result<(), DecodeError> {
    // Checked before anything is copied. By Django's rule a compressed payload is shorter than an
    // uncompressed one.
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

/// Returns `true` if all bytes are ASCII.
///
/// The slice's method handles the last bytes one by one, which is slower.
fn is_ascii(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks();
    let words = words.iter().fold(0, |bits, word| bits | u64::from_ne_bytes(*word));
    let rest = rest.iter().fold(0, |bits, byte| bits | byte);
    words & 0x8080_8080_8080_8080 == 0 && rest.is_ascii()
}

/// Returns the longest payload that `max_len` bytes of JSON can have.
///
/// Compressed payloads are shorter: JSON is compressed only if the result is shorter.
pub(crate) fn max_payload_len(max_len: usize) -> usize {
    base64::encoded_len(max_len, false).unwrap_or(usize::MAX)
}

/// A compressor or decompressor, and its buffer of zlib data.
struct Kept<T> {
    state: T,
    zlib: Vec<u8>,
}

impl<T> Kept<T> {
    fn new(state: T) -> Self {
        Self { state, zlib: Vec::new() }
    }

    fn trim(&mut self) {
        // Cleared first, because a buffer keeps the capacity that its contents need.
        self.zlib.clear();
        self.zlib.shrink_to(kept::MAX_LEN);
    }
}

// A compressor needs 380 KB and a decompressor 48 KB, so each thread keeps one.
thread_local! {
    static DEFLATE: Slot<Kept<flate2::Compress>> = const { Cell::new(None) };
    static INFLATE: Slot<Kept<Decompress>> = const { Cell::new(None) };
}

/// Appends a dot and the JSON as zlib, if that saves at least two bytes.
fn append_deflated(out: &mut Vec<u8>, json: &str) -> bool {
    let new = || Kept::new(flate2::Compress::new(Compression::default(), true));
    kept::with(&DEFLATE, new, Kept::trim, |Kept { state, zlib }| {
        state.reset();
        // Django's rule is `len(zlib) < len(json) - 1`, so a longer result need not be finished.
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

/// Appends the content of exactly one zlib stream, and stops at the limit.
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
    // One byte more than the limit shows that there is more.
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
            // Bytes after the stream are not part of it.
            let is_whole = usize::try_from(state.total_in()) == Ok(zlib.len());
            return if is_whole { Ok(()) } else { Err(DecodeError::Zlib) };
        }
        if out.len() < out.capacity() {
            // The output buffer was not full: the stream was truncated.
            return Err(DecodeError::Zlib);
        }
        room = out.capacity().saturating_mul(2).min(ceiling);
    }
}
