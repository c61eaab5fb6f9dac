//! Decodes UTF-16, which Windows writes.

use zeroize::Zeroizing;

/// Converts UTF-16 to UTF-8, if the text begins with its byte order mark.
pub(crate) fn from_utf16(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (rest, unit): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xFF, 0xFE, rest @ ..] => (rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => (rest, u16::from_be_bytes),
        _ => return None,
    };
    // In big-endian order, the second byte of the last line end may have been removed.
    let (pairs, [] | [0]) = rest.as_chunks() else { return None };
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len().saturating_mul(2)));
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        text.extend_from_slice(character.ok()?.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(text)
}
