//! Reads secrets from the environment, for library and command line.

use std::{env, fmt};

use zeroize::Zeroizing;

/// The variable with the secret that signs.
pub const KEY: &str = "SIGNED_SESSION_KEY";

/// The variable with the retired secrets, one per line.
///
/// The most recently retired secret is first.
pub const FALLBACK_KEYS: &str = "SIGNED_SESSION_FALLBACK_KEYS";

/// A secret and its position.
pub struct Secret {
    /// The secret itself.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Its line in [`FALLBACK_KEYS`], counted from one.
    ///
    /// `None` for the secret that signs.
    pub line: Option<usize>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("line", &self.line).finish_non_exhaustive()
    }
}

/// Returns the secrets. The first one signs.
///
/// `None` if [`KEY`] is not set. This is not part of the public API, because it returns secrets.
/// The command line needs them to try variants of each.
#[must_use]
pub fn secrets() -> Option<Vec<Secret>> {
    let variable = |name| Some(Zeroizing::new(env::var_os(name)?.into_encoded_bytes()));
    let secret = |bytes: &[u8], line| Secret { bytes: Zeroizing::new(bytes.to_vec()), line };
    let key = variable(KEY)?;
    let mut secrets = vec![secret(without_line_end(without_mark(&key)), None)];
    let retired = variable(FALLBACK_KEYS).unwrap_or_default();
    for (text, line) in without_mark(&retired).split(|byte| *byte == b'\n').zip(1..) {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if !text.is_empty() {
            secrets.push(secret(text, Some(line)));
        }
    }
    Some(secrets)
}

/// Removes the byte order mark of UTF-8, which Windows writes.
#[must_use]
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// Removes one LF, CR LF or CR.
#[must_use]
pub fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}
