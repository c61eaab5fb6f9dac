//! Turns JSON into a printable payload, compressed if that pays, and back, within limits.
//!
//! As the middle of `django.core.signing.Signer.sign_object`: base64url without
//! padding; a leading `.` says that zlib came first.

use std::cell::Cell;
use std::sync::LazyLock;
use std::thread::LocalKey;

use base64::Engine as _;
use base64::engine::GeneralPurposeConfig;
use base64::engine::general_purpose::NO_PAD;
use flate2::{Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::error::DecodeError;

/// The most JSON that is read or written unless told otherwise, in bytes.
pub(crate) const DEFAULT_MAX_LEN: usize = 64 * 1024;

/// When to compress.
///
/// Reading does not depend on it: a compressed payload says so itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compress {
    /// Whenever it saves at least two bytes, which is Django's rule.
    #[default]
    IfShorter,
    /// By the same rule, but only JSON of more than this many bytes.
    Above(usize),
    /// Not at all.
    Never,
}

// The vector engine exists for these two only; `GeneralPurpose` reads and writes the same.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
type Base64 = base64::engine::Simd;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Base64 = base64::engine::GeneralPurpose;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn base64_engine(config: GeneralPurposeConfig) -> Base64 {
    Base64::url_safe(config)
}
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn base64_engine(config: GeneralPurposeConfig) -> Base64 {
    Base64::new(&base64::alphabet::URL_SAFE, config)
}

static BASE64: LazyLock<Base64> = LazyLock::new(|| base64_engine(NO_PAD));

/// Appends the JSON as a payload.
pub(crate) fn append(out: &mut String, json: &str, compress: Compress) {
    let is_tried = match compress {
        Compress::IfShorter => true,
        Compress::Above(len) => json.len() > len,
        Compress::Never => false,
    };
    let shorter = if is_tried { deflate(json.as_bytes()) } else { None };
    match shorter {
        Some(zlib) => {
            out.push('.');
            BASE64.encode_string(zlib, out);
        }
        None => BASE64.encode_string(json, out),
    }
}

/// Reads the JSON from a payload.
///
/// # Errors
///
/// `Base64`, `Zlib`, `TooLarge` for more than `max_len` bytes of JSON, and
/// `Json` for bytes beyond ASCII, which Django would read as other characters.
pub(crate) fn read(payload: &str, max_len: usize) -> Result<String, DecodeError> {
    let json = match payload.strip_prefix('.') {
        None => {
            let json = BASE64.decode(payload).map_err(|_| DecodeError::Base64)?;
            if json.len() > max_len {
                return Err(DecodeError::TooLarge { limit: max_len });
            }
            json
        }
        Some(payload) => {
            let zlib = BASE64.decode(payload).map_err(|_| DecodeError::Base64)?;
            inflate(&zlib, max_len)?
        }
    };
    if !json.is_ascii() {
        return Err(DecodeError::Json);
    }
    String::from_utf8(json).map_err(|_| DecodeError::Json)
}

/// Returns the longest payload that `max_len` bytes of JSON can have.
///
/// Compressed ones are shorter: they are made only where that holds.
pub(crate) fn max_payload_len(max_len: usize) -> usize {
    base64::encoded_len(max_len, false).unwrap_or(usize::MAX)
}

// A compressor takes 380 KB to set up and a decompressor 48 KB: each thread
// keeps one. A box in a cell, so that nothing can find it borrowed.
thread_local! {
    static DEFLATE: Cell<Option<Box<flate2::Compress>>> = const { Cell::new(None) };
    static INFLATE: Cell<Option<Box<Decompress>>> = const { Cell::new(None) };
}

/// Takes what this thread keeps; nothing, the first time and while the thread ends.
fn take<T>(kept: &'static LocalKey<Cell<Option<Box<T>>>>) -> Option<Box<T>> {
    kept.try_with(Cell::take).ok().flatten()
}

fn keep<T>(kept: &'static LocalKey<Cell<Option<Box<T>>>>, value: Box<T>) {
    // While the thread ends there is no place left to keep it.
    let _ = kept.try_with(|cell| cell.set(Some(value)));
}

/// Compresses, unless the result would be no shorter than the input less one byte.
fn deflate(json: &[u8]) -> Option<Vec<u8>> {
    let mut state = take(&DEFLATE)
        .unwrap_or_else(|| Box::new(flate2::Compress::new(Compression::default(), true)));
    state.reset();
    // Django's rule is `len(zlib) < len(json) - 1`: a longer result need not be finished.
    let mut out = vec![0; json.len().saturating_sub(2)];
    let status = state.compress(json, &mut out, FlushCompress::Finish);
    let written = usize::try_from(state.total_out()).ok()?;
    keep(&DEFLATE, state);
    match status {
        Ok(Status::StreamEnd) => {
            out.truncate(written);
            Some(out)
        }
        _ => None,
    }
}

/// Inflates one whole zlib stream, and stops at the limit.
fn inflate(zlib: &[u8], max_len: usize) -> Result<Vec<u8>, DecodeError> {
    let mut state = take(&INFLATE).unwrap_or_else(|| Box::new(Decompress::new(true)));
    state.reset(true);
    let result = inflate_with(&mut state, zlib, max_len);
    keep(&INFLATE, state);
    result
}

fn inflate_with(
    state: &mut Decompress,
    zlib: &[u8],
    max_len: usize,
) -> Result<Vec<u8>, DecodeError> {
    // One byte more than allowed shows that there is more.
    let ceiling = max_len.saturating_add(1);
    let mut out = Vec::new();
    let mut room = zlib.len().saturating_mul(4).clamp(256.min(ceiling), ceiling);
    loop {
        out.reserve_exact(room.saturating_sub(out.len()));
        let consumed = usize::try_from(state.total_in()).map_err(|_| DecodeError::Zlib)?;
        let rest = zlib.get(consumed..).unwrap_or_default();
        let status = state
            .decompress_vec(rest, &mut out, FlushDecompress::Finish)
            .map_err(|_| DecodeError::Zlib)?;
        if out.len() > max_len {
            return Err(DecodeError::TooLarge { limit: max_len });
        }
        match status {
            Status::StreamEnd if usize::try_from(state.total_in()) == Ok(zlib.len()) => {
                return Ok(out);
            }
            Status::Ok | Status::BufError if out.len() == out.capacity() => {
                room = out.capacity().saturating_mul(2).min(ceiling);
            }
            // Bytes after the stream, or a stream that was cut off.
            _ => return Err(DecodeError::Zlib),
        }
    }
}
