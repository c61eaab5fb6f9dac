//! Identifies the possible kinds of a signature by its length.

/// Returns the hash whose signatures have this length: its name for programs, and in words.
pub(crate) fn kind(signature: &str) -> Option<(&'static str, &'static str)> {
    match signature.len() {
        27 => Some(("sha1", "as long as SHA-1's, of Django 3.0 and older")),
        43 => Some(("sha256", "as long as SHA-256's")),
        64 => Some(("sha384", "as long as SHA-384's")),
        86 => Some(("sha512", "as long as SHA-512's")),
        _ => None,
    }
}
