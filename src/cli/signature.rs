//! Identifies the hash of a signature by its length.

/// Returns the hash whose signatures have this length.
///
/// The first string is for programs, the second for people.
pub(crate) fn kind(signature: &str) -> Option<(&'static str, &'static str)> {
    match signature.len() {
        27 => Some(("sha1", "the length of SHA-1, as in Django 3.0 and older")),
        43 => Some(("sha256", "the length of SHA-256")),
        64 => Some(("sha384", "the length of SHA-384")),
        86 => Some(("sha512", "the length of SHA-512")),
        _ => None,
    }
}
