//! Reads the secrets that the environment holds: one parser for the library and for the command line.

use std::env;

use zeroize::Zeroizing;

/// The variable that holds the secret that signs.
pub const KEY: &str = "SIGNED_SESSION_KEY";

/// The variable that holds the retired secrets, one per line, the most recently retired first.
pub const FALLBACK_KEYS: &str = "SIGNED_SESSION_FALLBACK_KEYS";

/// A secret, and its line in [`FALLBACK_KEYS`]: the one that signs has none.
pub type Secret = (Option<usize>, Zeroizing<Vec<u8>>);

/// Returns the secrets, the one that signs first.
///
/// `None` if [`KEY`] is not set. Not part of the public interface: it hands out secrets, which the
/// command line needs to try each of them in other spellings.
#[must_use]
pub fn secrets() -> Option<Vec<Secret>> {
    let variable = |name| Some(Zeroizing::new(env::var_os(name)?.into_encoded_bytes()));
    let owned = |secret: &[u8]| Zeroizing::new(secret.to_vec());
    let key = variable(KEY)?;
    let mut secrets = vec![(None, owned(without_line_end(without_mark(&key))))];
    let retired = variable(FALLBACK_KEYS).unwrap_or_default();
    for (line, number) in without_mark(&retired).split(|byte| *byte == b'\n').zip(1..) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            secrets.push((Some(number), owned(line)));
        }
    }
    Some(secrets)
}

/// Drops the byte order mark of UTF-8, which Windows writes.
#[must_use]
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// Drops one LF, CR LF or CR.
#[must_use]
pub fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}
